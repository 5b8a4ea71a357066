//! Deletion: in batches, each entry under its condition, every answer believed only by its name.

use aws_sdk_s3::types::StorageClass;
use s3plan_sandbox::{BucketSpec, Effect, Modes, ObjectSpec, RetentionMode, RetentionSpec};
use s3plan_sandbox::{Rule, UploadSpec, World};

use crate::support::account::{Account, HOME_REGION};
use crate::support::bed::TestBed;
use crate::support::scene::Scene;
use crate::support::seed::Bucket;
use crate::support::servers::{ministack_account, moto_account};
use crate::support::state::reword_a_proof;

const BUCKET: &str = "photos-2019";
const DELETE: &str = r#"then = "delete-objects""#;
const RETIRE: &str = r#"then = "delete-bucket""#;
const COMPARE: &str = r#"then = "delete-objects", unconditional_deletes = "compare-first""#;

fn world(bucket: BucketSpec) -> World {
    World::default().with(bucket)
}

fn three() -> BucketSpec {
    BucketSpec::new(BUCKET).text("a", "first").text("b", "second").text("c", "third")
}

/// How often an operation was asked for on objects that are not the program's own probe.
fn asked(scene: &Scene, op: &str) -> usize {
    let requests = scene.sandbox.witness().requests();
    let own = |key: &Option<String>| {
        key.as_ref().is_some_and(|key| key.starts_with(".s3plan-delete-probe-"))
    };
    requests.iter().filter(|seen| seen.op == op && !own(&seen.key)).count()
}

#[test]
fn a_thousand_objects_go_in_one_request_each_under_its_condition() {
    let bucket = BucketSpec::new(BUCKET).object(
        ObjectSpec { size: None, ..ObjectSpec::text("many/{n}", "some bytes") }.count(2_300),
    );
    let scene = Scene::retiring(world(bucket), RETIRE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    // One more is the probe's own, which tries the batch form first.
    assert_eq!(asked(&scene, "DeleteObjects"), 1 + 3);
    assert_eq!(asked(&scene, "DeleteObject"), 0);
    assert_eq!(scene.deletions().len(), 2_300);
    assert!(scene.deletions().iter().all(|gone| gone.condition.is_some()));
    scene.assert_deleted_with_care();
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
}

#[test]
fn keys_that_xml_cannot_carry_go_one_by_one() {
    let keys = ["ctl\u{1}x", "nb\u{fffe}x", "cr\rx", " lead", "plain"];
    let bucket = keys.iter().fold(BucketSpec::new(BUCKET), |bucket, key| bucket.text(key, key));
    let scene = Scene::retiring(world(bucket), DELETE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.deletions().len(), keys.len());
    assert_eq!(asked(&scene, "DeleteObject"), 4);
    scene.assert_deleted_with_care();
}

/// L10: a batch that answers for fewer keys, for other keys, or twice for one.
#[test]
fn an_answer_is_matched_entry_by_entry() {
    for (bent, gone_at_last) in [
        // One key is left out of the answer: it is looked up, not assumed.
        (Effect::Replace { find: "<Deleted><Key>b</Key></Deleted>".into(), with: "".into() }, 3),
        // An error that the answer invents for a key that it also calls deleted.
        (
            Effect::Replace {
                find: "</DeleteResult>".into(),
                with: "<Error><Key>b</Key><Code>InternalError</Code><Message/></Error>\
                       </DeleteResult>"
                    .into(),
            },
            3,
        ),
        // A key that nobody named.
        (Effect::Replace { find: "<Key>b</Key>".into(), with: "<Key>z</Key>".into() }, 3),
    ] {
        let scene = Scene::retiring(world(three()), DELETE);
        scene.apply().exits(3);
        scene.approve(BUCKET);
        scene.sandbox.add_fault(Rule::on("DeleteObjects").then(bent));
        let answer = scene.apply();
        assert!(matches!(answer.code, Some(0 | 1)), "{answer}");
        scene.sandbox.clear_faults();
        // What is there by now is what counts, in this run or the next: all of them are gone, and
        // by this plan.
        scene.apply().exits(0);
        assert_eq!(scene.deletions().len(), gone_at_last);
        scene.assert_deleted_with_care();
    }
}

#[test]
fn one_refused_entry_is_named_and_the_others_go() {
    let scene = Scene::retiring(world(three()), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let denied = Effect::answer(403, "AccessDenied");
    scene.sandbox.add_fault(Rule::on("DeleteEntry").key("b").then(denied));
    let answer = scene.apply().exits(1).blames("1 refused");
    assert!(answer.stderr.contains("b: left alone: S3 refused"), "{answer}");
    assert_eq!(scene.deleted_keys(), ["a", "c"]);
    assert_eq!(scene.left(BUCKET), ["b@null"]);
    scene.sandbox.clear_faults();
    scene.apply().exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
    scene.assert_deleted_with_care();
}

/// The answer to a batch is lost on the way: the next listing says what became of it.
#[test]
fn a_lost_answer_is_a_question_and_never_an_assumption() {
    let scene = Scene::retiring(world(three()), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    scene.sandbox.add_fault(Rule::on("DeleteObjects").calls(1, 3).then(Effect::LoseAnswer));
    let first = scene.apply();
    assert!(matches!(first.code, Some(0 | 1)), "{first}");
    scene.sandbox.clear_faults();
    scene.apply().exits(0);
    assert_eq!(scene.deleted_keys(), ["a", "b", "c"]);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
}

#[test]
fn a_server_that_ignores_every_condition_deletes_nothing() {
    let modes = Modes {
        ignore_delete_condition: true,
        ignore_batch_delete_condition: true,
        ..Modes::default()
    };
    let scene = Scene::retiring(world(three().modes(modes)), DELETE);
    scene.apply().exits(5).blames("compare-first");
    assert_eq!(scene.status(BUCKET)["evidence"], serde_json::Value::Null);
    scene.assert_nothing_lost();
    assert_eq!(scene.left(BUCKET).len(), 3, "the probe's object is gone again");
}

#[test]
fn a_server_that_ignores_conditions_in_batches_gets_single_deletes() {
    let modes = Modes { ignore_batch_delete_condition: true, ..Modes::default() };
    let scene = Scene::retiring(world(three().modes(modes)), DELETE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(asked(&scene, "DeleteObject"), 3);
    assert_eq!(scene.deleted_keys(), ["a", "b", "c"]);
    scene.assert_deleted_with_care();
}

/// With consent: each object compared right before, and everybody told that this is weaker.
#[test]
fn compare_first_compares_each_and_says_that_it_is_weaker() {
    let modes = Modes {
        ignore_delete_condition: true,
        ignore_batch_delete_condition: true,
        ..Modes::default()
    };
    let scene = Scene::retiring(world(three().modes(modes)), COMPARE);
    scene.apply().exits(3).blames("weaker guarantee (compare-first)");
    let detail = scene.status(BUCKET)["detail"].clone();
    assert!(detail.to_string().contains("weaker guarantee"), "{detail}");
    scene.approve(BUCKET);
    scene.sandbox.put(BUCKET, "b", b"overwritten since");
    let heads = asked(&scene, "HeadObject");
    scene.apply().exits(4).blames("b: left alone");
    assert_eq!(scene.deleted_keys(), ["a", "c"]);
    assert_eq!(asked(&scene, "HeadObject") - heads, 2, "one right before each delete");
    assert_eq!(scene.sandbox.content(BUCKET, "b", None).expect("there"), b"overwritten since");
}

/// Overwritten between the last listing and the comparison: still seen.
#[test]
fn compare_first_sees_what_the_listing_could_not() {
    let modes = Modes {
        ignore_delete_condition: true,
        ignore_batch_delete_condition: true,
        ..Modes::default()
    };
    let scene = Scene::retiring(world(three().modes(modes)), COMPARE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let put = super::world::overwrite(BUCKET, "b");
    scene.sandbox.add_fault(Rule::on("HeadObject").key("b").then(Effect::Script(vec![put])));
    scene.apply().exits(4).blames("left alone");
    assert_eq!(scene.deleted_keys(), ["a", "c"]);
}

#[test]
fn the_bucket_stays_where_a_last_listing_is_not_empty() {
    let scene = Scene::retiring(world(three()), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let late = super::world::overwrite(BUCKET, "late");
    // The batch is the last request before the bucket is looked at for the last time.
    let rule = Rule::on("DeleteObjects").then(Effect::ScriptAfter(vec![late]));
    scene.sandbox.add_fault(rule);
    scene.apply().exits(4).blames("late");
    assert_eq!(scene.left(BUCKET), ["late@null"]);
    assert_eq!(asked(&scene, "DeleteBucket"), 0);
}

#[test]
fn a_late_upload_keeps_the_bucket() {
    let scene = Scene::retiring(world(three()), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let upload = s3plan_sandbox::Step::Upload { bucket: BUCKET.into(), key: "half".into() };
    let rule = Rule::on("DeleteObjects").then(Effect::ScriptAfter(vec![upload]));
    scene.sandbox.add_fault(rule);
    scene.apply().exits(4).blames("half");
    assert_eq!(asked(&scene, "DeleteBucket"), 0);
}

/// A server that deletes full buckets, and whose last listing shows nothing.
#[test]
fn a_listing_without_entries_does_not_outweigh_objects_that_nobody_deleted() {
    let scene = Scene::retiring(world(three()), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    // From the listing before the first delete on, everything seems to be gone.
    let hide = Effect::Element { name: "Contents".into(), text: None };
    scene.sandbox.add_fault(Rule::on("ListObjectsV2").then(hide));
    let count = Effect::Element { name: "KeyCount".into(), text: Some("0".into()) };
    scene.sandbox.add_fault(Rule::on("ListObjectsV2").then(count));
    scene.apply().exits(4).blames("gone, and not by this plan");
    scene.assert_nothing_lost();
    assert_eq!(asked(&scene, "DeleteBucket"), 0);
    // L6: nor does a plan take that for "nothing left".
    let answer = scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("suspicious");
    answer.blames("3 object versions").blames("s3plan state reset photos-2019");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("suspicious");
    // It was a bad listing: all is as it was.
    scene.sandbox.clear_faults();
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.apply().exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
}

/// An object that turned out to be unprovable stays, and with it the bucket, also where the last
/// listing hides it.
#[test]
fn a_bucket_with_objects_that_were_kept_is_never_deleted() {
    let kept = ObjectSpec {
        etag: Some("00000000000000000000000000000000".into()),
        ..ObjectSpec::text("kept", "an MD5 that is none").sse("aws:kms")
    };
    let scene = Scene::retiring(world(three().object(kept)), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    // Of this apply's listings the third is the last: before the gate, before the deletes, and this.
    let hide = Effect::Element { name: "Contents".into(), text: None };
    let count = Effect::Element { name: "KeyCount".into(), text: Some("0".into()) };
    scene.sandbox.add_fault(Rule::on("ListObjectsV2").calls(3, 9).then(hide).then(count));
    scene.apply().exits(4).blames("not known to be deleted");
    assert_eq!(asked(&scene, "DeleteBucket"), 0);
    assert_eq!(scene.left(BUCKET), ["kept@null"]);
}

#[test]
fn a_bucket_that_somebody_else_emptied_is_planned_only_after_a_reset() {
    let scene = Scene::retiring(world(three()), RETIRE);
    for key in ["a", "b", "c"] {
        let key = key.to_owned();
        let gone = s3plan_sandbox::Step::Delete { bucket: BUCKET.into(), key, version: None };
        scene.sandbox.step(&gone);
    }
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("suspicious");
    scene.bed.s3plan(["state", "reset", BUCKET, "--yes"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
}

#[test]
fn a_bucket_that_this_plan_emptied_is_no_surprise() {
    let scene = Scene::retiring(world(three()), DELETE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    let again = ["plan", "manifest.toml", "--detailed-exitcode"];
    scene.bed.s3plan(again).exits(0).says("nothing to do");
    scene.bed.s3plan(again).exits(0).says("nothing to do");
}

fn until(year: u32, mode: RetentionMode) -> Option<RetentionSpec> {
    let until = format!("{year}-01-01T00:00:00Z").parse().expect("a date");
    Some(RetentionSpec { mode, until })
}

/// W10: legal holds and retention of either kind are never bypassed.
#[test]
fn what_object_lock_holds_is_named_and_kept() {
    let governed = until(2099, RetentionMode::Governance);
    let complied = until(2099, RetentionMode::Compliance);
    let over = until(2021, RetentionMode::Compliance);
    let bucket = three()
        .object_lock()
        .object(ObjectSpec::text("held", "by a court").legal_hold())
        .object(ObjectSpec { retention: governed, ..ObjectSpec::text("governed", "kept") })
        .object(ObjectSpec { retention: complied, ..ObjectSpec::text("complied", "kept") })
        .object(ObjectSpec { retention: over, ..ObjectSpec::text("run-out", "no longer kept") });
    let outcome = format!(r#"{DELETE}, versions = "all""#);
    let scene = Scene::retiring(world(bucket.clone()), &outcome);
    let answer = scene.apply_through_the_gate(BUCKET).exits(1).blames("3 held");
    for key in ["held", "governed", "complied"] {
        let named = answer
            .stderr
            .lines()
            .any(|line| line.contains(key) && line.contains("left alone: held by Object Lock"));
        assert!(named, "{key} is not named: {answer}");
    }
    assert_eq!(scene.deleted_keys(), ["a", "b", "c", "run-out"]);
    scene.assert_deleted_with_care();
    // As long as something can be held, the bucket is not planned to go.
    let outcome = format!(r#"{RETIRE}, versions = "all""#);
    let retire = Scene::new(world(bucket.clone()));
    retire.bed.write_manifest(&crate::support::story::manifest_of(&world(bucket), &outcome));
    retire.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("Object Lock");
}

#[test]
fn an_upload_that_was_planned_for_is_aborted_and_the_bucket_goes() {
    let old = UploadSpec {
        initiated: Some("2020-01-01T00:00:00Z".parse().expect("a date")),
        ..UploadSpec::new("half")
    };
    let scene = Scene::retiring(world(three().upload(old)), RETIRE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(asked(&scene, "AbortMultipartUpload"), 1);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
}

/// The gate was opened once, but what is proven is no longer what was approved: each kind of action
/// that deletes looks for itself.
#[test]
fn no_deleting_action_goes_by_an_approval_of_something_else() {
    let old = || UploadSpec {
        initiated: Some("2020-01-01T00:00:00Z".parse().expect("a date")),
        ..UploadSpec::new("half")
    };
    for (stopped_at, deleted) in
        [("DeleteObjects", 0), ("AbortMultipartUpload", 3), ("DeleteBucket", 3)]
    {
        let scene = Scene::retiring(world(three().upload(old())), RETIRE);
        scene.apply().exits(3);
        scene.approve(BUCKET);
        let denied = Effect::answer(403, "AccessDenied");
        scene.sandbox.add_fault(Rule::on(stopped_at).then(denied));
        scene.apply().exits(1);
        scene.sandbox.clear_faults();
        reword_a_proof(&scene.bed, BUCKET, "b");
        let before = asked(&scene, stopped_at);
        scene.apply().exits(5).blames("is not what was approved");
        assert_eq!(asked(&scene, stopped_at), before, "{stopped_at} was asked for");
        assert_eq!(scene.deletions().len(), deleted, "{stopped_at}");
        let bucket = &scene.sandbox.snapshot()[BUCKET];
        let uploads = usize::from(stopped_at != "DeleteBucket");
        assert_eq!(bucket.uploads.len(), uploads, "{stopped_at}");
    }
}

fn planned_on(account: &Account, bucket: &Bucket) -> TestBed {
    let bed = TestBed::on(account);
    bed.write_manifest(&format!(
        "[account]\nid = \"{}\"\n[bucket.\"{}\"]\narchive = {{ to = \"archive\", {DELETE} }}\n",
        account.id, bucket.name
    ));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    bed
}

fn apply_and_approve(bed: &TestBed, bucket: &Bucket) -> String {
    let opened = bed.s3plan(["apply", "--yes"]).exits(3);
    let status = bed.s3plan(["status", "--json"]).exits(0).json();
    let evidence = status["buckets"][0]["evidence"].as_str().expect("an open gate").to_owned();
    bed.s3plan(["approve", &format!("{}@{evidence}", bucket.name)]).exits(0);
    opened.stderr
}

/// Which form a real server honours is found out on it; what is overwritten meanwhile survives.
#[tokio::test]
async fn third_parties_servers_get_the_form_that_they_honour() {
    for (account, form) in [
        (moto_account(), "conditions on single deletes only"),
        (ministack_account(), "also in batches"),
    ] {
        let bucket = Bucket::new("delete-forms", HOME_REGION)
            .single("kept", 10, StorageClass::Standard)
            .single("gone", 20, StorageClass::Standard)
            .single("gone-too", 30, StorageClass::Standard);
        bucket.fill(&account).await;
        let bed = planned_on(&account, &bucket);
        let said = apply_and_approve(&bed, &bucket);
        assert!(said.contains(form), "{}: {said}", account.server);
        let s3 = account.s3(HOME_REGION);
        let put = s3.put_object().bucket(&bucket.name).key("kept").body(b"new".to_vec().into());
        put.send().await.expect("overwritten");
        bed.s3plan(["apply", "--yes"]).exits(4).blames("kept");
        let left = s3.list_objects_v2().bucket(&bucket.name).send().await.expect("a listing");
        let left: Vec<_> = left.contents().iter().filter_map(|object| object.key()).collect();
        assert_eq!(left, ["kept"], "{}", account.server);
    }
}
