//! Opening, holding, reopening; runs, intents, approvals, policies, and the files beside.

use std::fs;

use jiff::Timestamp;

use super::super::*;
use super::{bucket, headers, list, object, open, plan_row, readback, reopen, stored};
use crate::event::Fact;
use crate::model::{ActionId, ActionKind, EvidenceId};

fn run_row(run: &str) -> RunRow {
    RunRow {
        run: run.into(),
        plan_path: "plans/manifest.plan.toml".into(),
        manifest_digest: "m".into(),
        started_at_ms: 5,
        superseded: false,
        finished_at_ms: None,
    }
}

fn intent(id: u64, subject: Subject) -> Intent {
    Intent {
        id,
        run: "plan-1".into(),
        action: ActionId::new(&bucket(), ActionKind::DeleteObjects, 1),
        bucket: bucket(),
        kind: IntentKind::DeleteObjects,
        subject,
        at_ms: 9,
    }
}

fn approval() -> Approval {
    Approval {
        bucket: bucket(),
        evidence: EvidenceId::new("0123456789abcdef").expect("sixteen digits"),
        caller_arn: "arn:aws:iam::123456789012:user/alice".into(),
        os_user: "alice".into(),
        at_ms: 11,
        run: Some("plan-1".into()),
    }
}

fn account(id: &str) -> AccountId {
    AccountId::new(id).expect("twelve digits")
}

#[test]
fn what_was_committed_survives_a_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let action = ActionId::new(&bucket(), ActionKind::Download, 1);
    {
        let state = open(folder.path());
        list(&state, &[object("a"), object("b")]);
        let mut batch = Batch::new();
        let at = Timestamp::from_second(1).expect("a time");
        batch
            .store(&bucket(), 0, stored("a", 10))
            .read_back(&bucket(), 0, readback())
            .headers(&bucket(), 0, headers("text/plain"))
            .mark(&bucket(), 1, Mark::RestoreAsked)
            .fail(&bucket(), 1, "the body ended early")
            .fact("plan-1", Fact::Started { action: action.clone() }, at)
            .approval(approval());
        let events = state.commit(batch).expect("commits");
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1]);
    }
    let state = reopen(folder.path(), Open::Read).expect("opens");
    let rows = state.page(&bucket(), 0, 10, With::RowsAndHeaders).expect("reads");
    let expected = Stored { readback: Some(readback()), ..stored("a", 10) };
    assert_eq!(rows[0].stored, Some(expected));
    assert_eq!(rows[0].headers, Some(headers("text/plain")));
    assert_eq!(rows[0].marks.iter().collect::<Vec<_>>(), [Mark::ReadBack]);
    assert_eq!(rows[1].marks.iter().collect::<Vec<_>>(), [Mark::RestoreAsked]);
    assert_eq!(rows[1].failure.as_deref(), Some("the body ended early"));
    assert_eq!(rows[1].object, object("b"));
    assert_eq!(state.approvals(&bucket()).expect("reads"), [approval()]);
    assert_eq!(state.facts("plan-1", 0, 10).expect("reads").len(), 1);
    assert_eq!(state.facts("plan-1", 1, 10).expect("reads"), []);
    assert_eq!(state.standings("plan-1").expect("reads")[0].0, action);
}

#[test]
fn a_second_holder_is_told_who_holds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = open(folder.path());
    for how in [Open::Write { holder: "another test" }, Open::Read] {
        match reopen(folder.path(), how) {
            Err(StateError::Held { by, .. }) => {
                assert!(by.starts_with("a test (pid "), "{by}");
            }
            other => panic!("{other:?}"),
        }
    }
    drop(first);
    open(folder.path());
}

#[test]
fn readers_stand_beside_each_other_and_write_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(reopen(folder.path(), Open::Read), Err(StateError::Missing { .. })));
    drop(open(folder.path()));
    let one = reopen(folder.path(), Open::Read).expect("opens");
    let two = reopen(folder.path(), Open::Read).expect("opens");
    assert_eq!((one.schema(), two.schema()), (1, 1));
    assert!(matches!(one.plan_made(&plan_row("p")), Err(StateError::ReadOnly)));
    assert_eq!(one.newest_plan_of("manifest.toml").expect("the handle is still good"), None);
}

#[test]
fn a_file_in_another_place_is_used_when_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("elsewhere").join("my.redb");
    let how = Open::Write { holder: "a test" };
    let state = State::open(folder.path(), Some(&file), how).expect("opens");
    assert!(file.exists() && file.with_extension("lock").exists());
    assert!(!folder.path().join("state.redb").exists());
    drop(state);
}

#[test]
fn a_state_that_was_being_born_is_born_again() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("state.redb.new"), b"half of a header").expect("writes");
    let state = open(folder.path());
    assert_eq!(state.account().expect("reads"), None);
    assert!(!folder.path().join("state.redb.new").exists());
}

#[test]
fn a_foreign_account_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ours, theirs) = (account("123456789012"), account("210987654321"));
    open(folder.path()).bind(&ours).expect("first use");
    let state = open(folder.path());
    state.bind(&ours).expect("the same again");
    match state.bind(&theirs) {
        Err(StateError::Foreign { expected, found }) => {
            assert_eq!((expected, found), (theirs, ours))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newer_schema_is_refused_and_an_unheard_of_one_is_damage() {
    let folder = tempfile::tempdir().expect("a folder");
    for schema in [open::SCHEMA + 1, 0] {
        let set = |schema: u32| {
            let db = redb::Database::open(folder.path().join("state.redb")).expect("opens");
            let tx = db.begin_write().expect("begins");
            table::write(&tx, META).expect("opens").put_json(b"schema", &schema).expect("puts");
            tx.commit().expect("commits");
        };
        drop(open(folder.path()));
        set(schema);
        for how in [Open::Read, Open::Write { holder: "" }, Open::WriteChecked { holder: "" }] {
            match reopen(folder.path(), how) {
                Err(StateError::Newer { found: 2, known: 1, .. }) => assert_eq!(schema, 2),
                Err(StateError::Damaged { .. }) => assert_eq!(schema, 0),
                other => panic!("{other:?}"),
            }
        }
        set(open::SCHEMA);
    }
}

#[test]
fn an_intent_survives_a_reopening_until_its_outcome() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second);
    {
        let state = open(folder.path());
        list(&state, &[object("a")]);
        first = intent(state.new_intent_id(), Subject::Numbers(vec![0]));
        second = intent(state.new_intent_id(), Subject::Payload(serde_json::json!({"etag": "x"})));
        let mut batch = Batch::new();
        batch.intent(first.clone()).intent(second.clone()).mark(&bucket(), 0, Mark::DeleteSent);
        state.commit(batch).expect("commits");
    }
    {
        let state = open(folder.path());
        assert_eq!(state.open_intents(&bucket()).expect("reads"), [first.clone(), second.clone()]);
        assert_eq!(state.open_intents(&"other".into()).expect("reads"), []);
        assert_ne!(state.new_intent_id(), first.id);
        let mut batch = Batch::new();
        batch.outcome(first.id).mark(&bucket(), 0, Mark::Deleted);
        state.commit(batch).expect("commits");
        assert_eq!(state.all_open_intents().expect("reads"), std::slice::from_ref(&second));
    }
    let state = open(folder.path());
    let next = state.new_intent_id();
    assert!(next > second.id, "{next}");
    list(&state, &[object("0"), object("a")]);
    assert_eq!(state.open_intents(&bucket()).expect("reads"), [second], "numbers moved");
}

#[test]
fn a_batch_is_all_or_nothing_and_a_wrong_one_does_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    list(&state, &[object("a")]);
    let mut batch = Batch::new();
    batch.store(&bucket(), 0, stored("a", 10)).mark(&bucket(), 1, Mark::Deleted);
    assert!(matches!(state.commit(batch), Err(StateError::NotKept { .. })));
    assert_eq!(state.row(&bucket(), 0).expect("reads").expect("is there").stored, None);
    assert_eq!(state.counts(&bucket()).expect("reads"), Counts::default());
    let mut batch = Batch::new();
    batch.store(&"unknown".into(), 0, stored("a", 10));
    assert!(matches!(state.commit(batch), Err(StateError::NotKept { .. })));
}

#[test]
fn a_newer_plan_supersedes_the_run_and_the_same_plan_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    state.plan_made(&plan_row("plan-1")).expect("records");
    state.begin_run(&run_row("plan-1")).expect("begins");
    state.plan_made(&plan_row("plan-1")).expect("records");
    assert!(!state.current_run().expect("reads").expect("is there").superseded);
    let again = RunRow { started_at_ms: 77, ..run_row("plan-1") };
    assert_eq!(state.begin_run(&again).expect("takes up").started_at_ms, 5);
    state.plan_made(&plan_row("plan-2")).expect("records");
    assert!(state.current_run().expect("reads").expect("is there").superseded);
    assert_eq!(state.newest_plan_of("manifest.toml").expect("reads"), Some(plan_row("plan-2")));
    assert_eq!(state.newest_plan_of("other.toml").expect("reads"), None);
    state.begin_run(&run_row("plan-2")).expect("begins");
    state.finish_run("plan-2", 8).expect("finishes");
    assert_eq!(state.run("plan-2").expect("reads").expect("is there").finished_at_ms, Some(8));
    assert!(state.run("plan-1").expect("reads").expect("is there").superseded);
    assert!(matches!(state.finish_run("plan-3", 8), Err(StateError::NotKept { .. })));
}

#[test]
fn a_policy_whose_row_a_crash_took_is_kept_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let policies = folder.path().join("policies/photos");
    fs::create_dir_all(&policies).expect("a folder");
    fs::write(policies.join("3.json"), "{}").expect("a file without its row");
    let state = open(folder.path());
    state.keep_policy(&bucket(), Some("{}".into()), 4).expect("keeps");
    state.keep_policy(&bucket(), None, 5).expect("keeps");
    state.keep_policy(&bucket(), Some("{}".into()), 6).expect("keeps");

    let at: Vec<_> =
        state.policies(&bucket()).expect("reads").into_iter().map(|kept| kept.at_ms).collect();
    assert_eq!(at, [3, 5, 6]);
    let mut names: Vec<_> = fs::read_dir(policies)
        .expect("reads")
        .map(|file| file.expect("a file").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, ["3.json", "5.none", "6.json"]);
}

#[test]
fn a_reset_forgets_progress_and_keeps_what_people_may_need() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    state.bind(&account("123456789012")).expect("binds");
    state.keep_policy(&bucket(), Some("{}".into()), 3).expect("keeps");
    state.keep_policy(&bucket(), None, 4).expect("keeps");
    let retired = Retired {
        bucket: "old".into(),
        run: "plan-0".into(),
        evidence: None,
        archive: "/mnt/nas/old".into(),
        at_ms: 2,
    };
    state.retire(retired).expect("retires");
    list(&state, &[object("a")]);
    let mut batch = Batch::new();
    batch.store(&bucket(), 0, stored("a", 10)).approval(approval());
    state.commit(batch).expect("commits");
    assert!(state.is_retired(&"old".into()).expect("reads"));
    assert_eq!(state.buckets().expect("reads").len(), 2);

    state.reset(&Reset::Bucket(bucket())).expect("forgets");
    assert_eq!(state.inventory(&bucket()).expect("reads"), None);
    assert_eq!(state.approvals(&bucket()).expect("reads"), []);
    assert!(state.is_retired(&"old".into()).expect("reads"));
    state.plan_made(&plan_row("plan-1")).expect("records");
    state.reset(&Reset::Everything).expect("forgets");
    assert_eq!(state.buckets().expect("reads"), []);
    assert_eq!(state.plans().expect("reads"), []);

    let texts: Vec<_> =
        state.policies(&bucket()).expect("reads").into_iter().map(|kept| kept.text).collect();
    assert_eq!(texts, [Some("{}".to_owned()), None]);
    let file = folder.path().join("policies/photos/3.json");
    assert_eq!(fs::read_to_string(file).expect("is there"), "{}");
    assert!(folder.path().join("policies/photos/4.none").exists());
    state.bind(&account("123456789012")).expect("still the same account's");
}

#[test]
fn the_audit_log_survives_a_torn_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = Timestamp::from_second(1).expect("a time");
    let mut entry = AuditEntry::new(at, "DeleteObjects", &bucket());
    entry.count = Some(1_000);
    AuditLog::open(folder.path()).expect("opens").append(&entry).expect("appends");
    let path = folder.path().join("audit.jsonl");
    let mut text = fs::read_to_string(&path).expect("reads");
    text.push_str("{\"format\":1,\"at\":\"19");
    fs::write(&path, text).expect("writes");
    let mut log = AuditLog::open(folder.path()).expect("opens");
    log.append(&entry).expect("appends");
    log.append(&entry).expect("appends");
    let read = AuditLog::read(folder.path()).expect("reads");
    assert_eq!(read.entries, [entry.clone(), entry.clone(), entry]);
    assert_eq!(read.unreadable, [2]);
}

#[test]
fn a_status_is_read_beside_and_half_of_one_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(read_status(folder.path()).expect("reads"), None);
    let status = serde_json::json!({"format": 1, "buckets": []});
    write_status(folder.path(), &status).expect("writes");
    assert_eq!(read_status(folder.path()).expect("reads"), Some(status));
    fs::write(folder.path().join("status.json"), "{\"fo").expect("writes");
    assert_eq!(read_status(folder.path()).expect("reads"), None);
}

#[test]
fn an_approval_left_in_the_box_stays_until_it_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    drop_in(folder.path(), &approval()).expect("drops in");
    fs::write(folder.path().join("approvals/x.json"), "no").expect("writes");
    let failed = take_all(folder.path(), |_| Err(StateError::ReadOnly));
    assert!(matches!(failed, Err(StateError::ReadOnly)));
    let taken = take_all(folder.path(), |approvals: &[Approval]| {
        assert_eq!(approvals, [approval()]);
        Ok::<_, StateError>(())
    })
    .expect("takes");
    assert_eq!((taken.approvals.len(), taken.unreadable.len()), (1, 1));
    let again = take_all(folder.path(), |_| Err(StateError::ReadOnly)).expect("nothing to keep");
    assert_eq!(again.approvals, []);
}

#[test]
fn a_state_that_a_kill_left_behind_is_repaired_by_whoever_comes_next() {
    for how in [Open::Read, Open::Write { holder: "b" }, Open::WriteChecked { holder: "c" }] {
        let killed = tempfile::tempdir().expect("a folder");
        let state = open(killed.path());
        list(&state, &[object("a"), object("b")]);
        let mut half = state.begin_inventory(&bucket()).expect("begins");
        half.push(&object("c")).expect("pushes");
        // As a kill leaves it: never closed, the lock gone with its holder.
        let next = tempfile::tempdir().expect("a folder");
        let copy = next.path().join("state.redb");
        fs::copy(killed.path().join("state.redb"), copy).expect("copies");
        let state = reopen(next.path(), how).expect("opens");
        assert_eq!(state.page(&bucket(), 0, 9, With::Rows).expect("reads").len(), 2);
    }
}

#[test]
fn handles_and_writers_go_from_thread_to_thread() {
    fn can<T: Send>() {}
    fn can_be_shared<T: Send + Sync + Clone>() {}
    can_be_shared::<State>();
    can::<InventoryWriter>();
    can::<Batch>();
    can::<AuditLog>();
}
