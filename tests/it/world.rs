//! The world moves while a plan is made, reviewed and applied: what was not seen is not touched.

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, Step, World};

use crate::support::scene::Scene;

const BUCKET: &str = "photos-2019";
const DELETE: &str = r#"then = "delete-objects""#;
const RETIRE: &str = r#"then = "delete-bucket""#;

/// What [`overwrite`] leaves.
pub const OVERWRITTEN: &str = "nobody has seen these bytes";

/// Somebody writes an object, over what is there.
pub fn overwrite(bucket: &str, key: &str) -> Step {
    Step::Put { bucket: bucket.into(), key: key.into(), body: OVERWRITTEN.into() }
}

fn delete(key: &str) -> Step {
    Step::Delete { bucket: BUCKET.into(), key: key.into(), version: None }
}

fn three() -> World {
    let bucket = BucketSpec::new(BUCKET).text("a", "first").text("b", "second").text("c", "third");
    World::default().with(bucket)
}

fn moved(step: Step) -> Effect {
    Effect::Script(vec![step])
}

#[track_caller]
fn assert_survives(scene: &Scene, key: &str) {
    let content = scene.sandbox.content(BUCKET, key, None);
    assert_eq!(content.as_deref(), Some(OVERWRITTEN.as_bytes()), "{key} survives");
    let lost = scene.deletions().into_iter().find(|gone| !gone.served_whole);
    assert!(lost.is_none(), "{lost:?}");
}

/// W1.
#[test]
fn overwritten_between_listing_and_get_is_stale_and_untouched() {
    let scene = Scene::retiring(three(), DELETE);
    let rule = Rule::on("GetObject").key("b").nth(1).then(moved(overwrite(BUCKET, "b")));
    scene.sandbox.add_fault(rule);
    scene.apply().exits(4).blames("b");
    assert!(!scene.bed.path(&format!("archive/{BUCKET}/data/b")).exists());
    assert_survives(&scene, "b");
    scene.assert_nothing_lost();
    assert_eq!(scene.status(BUCKET)["phase"], "stale");
    // A new plan takes the new object.
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.bed.read(&format!("archive/{BUCKET}/data/b")), OVERWRITTEN);
    scene.assert_deleted_with_care();
}

/// Gone between its listing and the look at it that the listing makes necessary.
#[test]
fn deleted_while_the_plan_is_made_is_missed_when_it_is_applied() {
    let frozen = ObjectSpec::text("b", "second").class("GLACIER");
    let bucket = BucketSpec::new(BUCKET).text("a", "first").object(frozen);
    let gone = Rule::on("HeadObject").key("b").nth(1).then(moved(delete("b")));
    let scene = Scene::retiring(World::default().with(bucket).fault(gone), DELETE);
    scene.apply().exits(4).blames("1 gone (for example \"b\")");
    scene.assert_nothing_lost();
}

/// Overwritten before the first request of apply: seen before anything is done.
#[test]
fn moved_before_apply_is_stale_before_anything_is_done() {
    for step in [overwrite(BUCKET, "b"), overwrite(BUCKET, "new"), delete("b")] {
        let scene = Scene::retiring(three(), DELETE);
        scene.sandbox.step(&step);
        scene.apply().exits(4).blames("objects moved since the plan was made");
        scene.assert_untouched();
    }
}

/// W2: between verify and delete; before the listing that looks again, and right before the delete.
#[test]
fn overwritten_between_verify_and_delete_survives() {
    let early = Scene::retiring(three(), DELETE);
    early.apply().exits(3);
    early.sandbox.step(&overwrite(BUCKET, "b"));
    early.approve(BUCKET);
    early.apply().exits(4).blames("b: left alone");
    assert_survives(&early, "b");
    assert_eq!(early.deleted_keys(), ["a", "c"]);

    let late = Scene::retiring(three(), DELETE);
    late.apply().exits(3);
    late.approve(BUCKET);
    let rule = Rule::on("DeleteObjects").nth(1).then(moved(overwrite(BUCKET, "b")));
    late.sandbox.add_fault(rule);
    late.apply().exits(4).blames("b: left alone");
    assert_survives(&late, "b");
    assert_eq!(late.deleted_keys(), ["a", "c"]);
    late.assert_deleted_with_care();
}

/// W4: gone between any two steps.
#[test]
fn deleted_by_somebody_else_is_reported_and_the_bucket_is_not_done() {
    let fetching = Scene::retiring(three(), RETIRE);
    let rule = Rule::on("GetObject").key("b").nth(1).then(moved(delete("b")));
    fetching.sandbox.add_fault(rule);
    fetching.apply().exits(4).blames("b");
    assert_eq!(fetching.deleted_keys(), [""; 0]);

    let waiting = Scene::retiring(three(), RETIRE);
    waiting.apply().exits(3);
    waiting.approve(BUCKET);
    waiting.sandbox.step(&delete("b"));
    waiting.apply().exits(4).blames("gone, and not by this plan");
    assert!(waiting.sandbox.snapshot().contains_key(BUCKET));
    // Its copy stays, and a new plan goes on from what is there.
    assert_eq!(waiting.bed.read(&format!("archive/{BUCKET}/data/b")), "second");
}

/// W5.
#[test]
fn what_comes_late_is_left_alone_and_named_and_keeps_the_bucket() {
    let scene = Scene::retiring(three(), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    scene.sandbox.step(&overwrite(BUCKET, "late"));
    scene.apply().exits(4).blames("late: left alone: new since the plan was made");
    assert_eq!(scene.left(BUCKET), ["late@null"]);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
    assert_eq!(scene.bed.read(&format!("archive/{BUCKET}/data/late")), OVERWRITTEN);
    assert_eq!(scene.bed.read(&format!("archive/{BUCKET}/data/a")), "first", "an archive grows");
}

/// What was deleted and is there again is another object.
#[test]
fn what_reappears_after_its_delete_is_left_alone() {
    let scene = Scene::retiring(three(), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let again = Effect::ScriptAfter(vec![overwrite(BUCKET, "b")]);
    scene.sandbox.add_fault(Rule::on("DeleteObjects").nth(1).then(again));
    scene.apply().exits(4).blames("\"b\"");
    scene.apply().exits(4);
    assert_survives(&scene, "b");
}

/// W6: the restored copy lapses before it is fetched; asking again is another plan's business.
#[test]
fn a_restored_copy_that_lapses_is_asked_for_again_by_a_new_plan() {
    let cold = ObjectSpec::text("cold", "frozen bytes").class("GLACIER");
    let world = World::default().with(BucketSpec::new(BUCKET).object(cold).text("warm", "bytes"));
    let world = World { speed: 20_000.0, ..world };
    let scene = Scene::retiring(world, DELETE);
    let lapse = Step::Lapse { bucket: BUCKET.into(), key: "cold".into() };
    let rule = Rule::on("GetObject").key("cold").nth(1).then(moved(lapse));
    scene.sandbox.add_fault(rule);
    let apply = ["apply", "--yes"];
    scene.bed.s3plan(apply).exits(4).blames("cold").blames("lapsed");
    assert_eq!(scene.sandbox.witness().count("RestoreObject"), 1, "not asked for on the quiet");
    scene.assert_nothing_lost();
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("restore");
    scene.bed.s3plan(apply).exits(3);
    scene.approve(BUCKET);
    scene.bed.s3plan(apply).exits(0);
    assert_eq!(scene.deleted_keys(), ["cold", "warm"]);
    scene.assert_deleted_with_care();
}

/// W6: a restore that does not end is waited for, not assumed.
#[test]
fn a_restore_that_never_ends_waits() {
    let cold = ObjectSpec::text("cold", "frozen bytes").class("DEEP_ARCHIVE");
    let world = World::default().with(BucketSpec::new(BUCKET).object(cold));
    let scene = Scene::retiring(World { speed: 0.0, ..world }, DELETE);
    scene.apply().exits(3);
    assert_eq!(scene.status(BUCKET)["waiting_for"], "thaw");
    scene.apply().exits(3);
    assert_eq!(scene.sandbox.witness().count("RestoreObject"), 1);
    scene.assert_nothing_lost();
}

/// W7: a lifecycle rule moves an object to a colder class, or expires it.
#[test]
fn a_lifecycle_rule_in_the_middle_is_stale() {
    let class = Step::Class { bucket: BUCKET.into(), key: "b".into(), class: "GLACIER".into() };
    let colder = Scene::retiring(three(), DELETE);
    colder.sandbox.add_fault(Rule::on("GetObject").key("b").nth(1).then(moved(class.clone())));
    colder.apply().exits(4).blames("b");
    colder.assert_nothing_lost();

    // After it was proven its class changes nothing: the version is the same.
    let proven = Scene::retiring(three(), DELETE);
    proven.apply().exits(3);
    proven.approve(BUCKET);
    proven.sandbox.step(&class);
    proven.apply().exits(0);
    assert_eq!(proven.deleted_keys(), ["a", "b", "c"]);
    proven.assert_deleted_with_care();
}

/// W10 during the run: a hold that comes between approval and delete.
#[test]
fn a_hold_that_comes_late_is_respected() {
    let bucket = BucketSpec::new(BUCKET).object_lock().text("a", "first").text("b", "second");
    let outcome = r#"then = "delete-objects", versions = "all""#;
    let scene = Scene::retiring(World::default().with(bucket), outcome);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    scene.sandbox.step(&Step::LegalHold { bucket: BUCKET.into(), key: "b".into(), on: true });
    scene.apply().exits(1).blames("1 held");
    assert_eq!(scene.deleted_keys(), ["a"]);
    // Lifted again, the same command ends the work.
    scene.sandbox.step(&Step::LegalHold { bucket: BUCKET.into(), key: "b".into(), on: false });
    scene.apply().exits(0);
    assert_eq!(scene.deleted_keys(), ["a", "b"]);
}

/// P2: a 403 is never read as "gone", whatever it is the answer to.
#[test]
fn a_permission_lost_in_the_middle_parks_the_bucket() {
    for op in ["GetObject", "ListObjectsV2", "DeleteObjects", "GetBucketVersioning", "HeadObject"] {
        let scene = Scene::retiring(three(), RETIRE);
        let denied = Effect::answer(403, "AccessDenied");
        match op {
            "GetObject" => {}
            _ => {
                scene.apply().exits(3);
                scene.approve(BUCKET);
            }
        }
        scene.sandbox.add_fault(Rule::on(op).then(denied));
        let answer = scene.apply();
        let expected = if op == "HeadObject" { 0 } else { 1 };
        assert_eq!(answer.code, Some(expected), "{op}: {answer}");
        if op == "HeadObject" {
            continue;
        }
        scene.assert_nothing_lost();
        assert_eq!(scene.left(BUCKET).len(), 3, "{op}");
        scene.sandbox.clear_faults();
        if op == "GetObject" {
            scene.apply().exits(3);
            scene.approve(BUCKET);
        }
        scene.apply().exits(0);
        scene.assert_deleted_with_care();
    }
}

/// A bucket that belongs to somebody else by now is refused, and never read as empty.
#[test]
fn a_bucket_that_changed_hands_is_refused() {
    let scene = Scene::retiring(three(), RETIRE);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let account = "999999999999".to_owned();
    scene.sandbox.step(&Step::Owner { bucket: BUCKET.into(), account });
    let answer = scene.apply();
    assert!(matches!(answer.code, Some(1 | 5)), "{answer}");
    scene.assert_nothing_lost();
}
