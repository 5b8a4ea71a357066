//! A deletion that broke off and goes on: what is its own and what is somebody else's by now, what
//! is asked for again and what is not.

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, Step, Versioning, World};
use serde_json::Value;

use crate::guards::{BUCKET, DELETE, DELETE_ALL, RETIRE, approved, asked, suspended, three};
use crate::support::job::audit_log;
use crate::support::scene::Scene;
use crate::support::state::open_questions;
use crate::support::story::manifest_of;
use crate::world::{OVERWRITTEN, overwrite};

/// A `null` version and nothing else.
fn one_null() -> BucketSpec {
    BucketSpec::new(BUCKET)
        .versioning(Versioning::Suspended)
        .object(ObjectSpec::text("now", "the null version").version_id("null"))
}

fn denied() -> Effect {
    Effect::answer(403, "AccessDenied")
}

/// Somebody deletes by key: where versioning is suspended a `null` marker takes the object's place.
fn deleted_by_key(key: &str) -> Step {
    Step::Delete { bucket: BUCKET.into(), key: key.into(), version: None }
}

fn dies(scene: &Scene, place: &str) {
    let env = [("S3PLAN_DIE_AT", place)];
    let died = scene.bed.spawn_with(&env, &["apply", "--yes", "--no-wait"]).wait();
    assert!(died.stderr.contains("died at"), "{died}");
}

/// What was deleted before the run broke off counts, is not asked for again, and what has its name
/// by now is somebody's.
#[test]
fn what_is_there_again_after_its_delete_is_named_and_left_alone() {
    let scene = approved(three(), DELETE);
    scene.sandbox.add_fault(Rule::on("DeleteEntry").key("c").then(denied()));
    scene.apply().exits(1);
    scene.sandbox.clear_faults();
    scene.sandbox.step(&overwrite(BUCKET, "b"));
    let answer = scene.apply().exits(0).blames("delete-objects: done, 3 objects");
    answer.blames("b: left alone: there again after it was deleted");
    let content = scene.sandbox.content(BUCKET, "b", None).expect("it survives");
    assert_eq!(content, OVERWRITTEN.as_bytes());
    assert_eq!(scene.deleted_keys(), ["a", "b", "c"]);
    let requests = asked(&scene, &["DeleteObjects"]).len();
    scene.apply().exits(0);
    assert_eq!(asked(&scene, &["DeleteObjects"]).len(), requests);
}

/// Killed behind the deletion, and then a file goes bad whose object is gone: it is the only copy
/// that there is, so it stays as it is and keeps nothing from its end. Nothing is asked for again.
#[test]
fn a_file_whose_object_is_gone_is_not_taken_away_for_being_bad() {
    let scene = approved(three(), DELETE);
    dies(&scene, "after DeleteObjects#1");
    assert_eq!(scene.deleted_keys(), ["a", "b", "c"]);
    let requests = asked(&scene, &["DeleteObjects"]).len();
    let file = format!("archive/{BUCKET}/data/b");
    scene.bed.write(&file, "rotten, but still the only copy");
    scene.apply().exits(0);
    assert_eq!(scene.bed.read(&file), "rotten, but still the only copy");
    assert!(scene.known(BUCKET).iter().all(|row| row.path.is_some()));
    assert_eq!(asked(&scene, &["DeleteObjects"]).len(), requests);
}

/// Killed behind the deletion, before it was written down: the next run sees what is gone, and
/// writes that down.
#[test]
fn deletes_whose_effect_is_seen_later_are_in_the_audit_log() {
    let scene = approved(three(), DELETE);
    dies(&scene, "after DeleteObjects#1");
    scene.apply().exits(0);
    let deleted = |entry: &Value| entry["operation"] == "DeleteObjects";
    let entries: Vec<Value> = audit_log(&scene.bed).into_iter().filter(deleted).collect();
    let count = |seen: bool| -> u64 {
        let words = |entry: &&Value| entry["detail"].as_str().unwrap_or_default().contains("seen");
        let counted = entries.iter().filter(|entry| words(entry) == seen);
        counted.filter_map(|entry| entry["count"].as_u64()).sum()
    };
    // The other one is the probe's.
    assert_eq!((count(true), count(false)), (3, 1), "{entries:?}");
}

/// Killed before the deletion, and then a file goes bad: whether its object is gone may not be
/// known, so it stays where it is, and nothing is deleted on the strength of it.
#[test]
fn a_file_that_may_be_the_only_copy_is_not_taken_away_for_being_bad() {
    let scene = approved(three(), DELETE);
    dies(&scene, "before DeleteObjects#1");
    let file = format!("archive/{BUCKET}/data/b");
    scene.bed.write(&file, "rotten");
    scene.apply().exits(1).blames("not what was proven any more");
    assert_eq!(scene.bed.read(&file), "rotten");
    assert!(scene.known(BUCKET).iter().all(|row| row.path.is_some()), "it is known to be there");
    scene.assert_nothing_lost();
}

/// Killed before the delete left: what is in the object's place by now is somebody's.
#[test]
fn an_object_in_the_place_of_one_that_was_to_go_is_somebody_s() {
    let scene = approved(one_null(), DELETE_ALL);
    dies(&scene, "before DeleteObjects#1");
    scene.sandbox.step(&overwrite(BUCKET, "now"));
    scene.apply().exits(4).blames("now (version null): left alone: changed since it was proven");
    assert_eq!(scene.left(BUCKET), ["now@null"]);
}

/// The marker that our own delete left is taken along, and its object not asked for again.
#[test]
fn our_own_marker_goes_without_another_delete_of_its_object() {
    let scene = approved(one_null(), DELETE_ALL);
    dies(&scene, "after DeleteObjects#1");
    assert_eq!(scene.left(BUCKET), ["now@null!"]);
    let requests = asked(&scene, &["DeleteObjects"]).len();
    scene.apply().exits(0);
    assert_eq!(scene.left(BUCKET), [""; 0]);
    assert_eq!(asked(&scene, &["DeleteObjects"]).len(), requests);
}

/// A marker that no delete of ours can have left stays: before ours was sent, after ours was done.
#[test]
fn a_marker_that_somebody_else_put_stays() {
    let before = approved(suspended(), DELETE_ALL);
    before.sandbox.step(&deleted_by_key("now"));
    before.apply().exits(4).blames("now (version null): left alone: changed since it was proven");
    assert!(before.left(BUCKET).contains(&"now@null!".to_owned()), "{:?}", before.left(BUCKET));

    let other = ObjectSpec::text("other", "refused at first").version_id("null");
    let after = approved(one_null().object(other), DELETE_ALL);
    after.sandbox.add_fault(Rule::on("DeleteEntry").key("other").then(denied()));
    after.apply().exits(1);
    assert_eq!(after.left(BUCKET), ["other@null"]);
    after.sandbox.clear_faults();
    after.sandbox.step(&deleted_by_key("now"));
    after
        .apply()
        .exits(0)
        .blames("now (version null): left alone: there again after it was deleted");
    assert_eq!(after.left(BUCKET), ["now@null!"]);
}

/// Markers that went before the run broke off are counted once, so that the plan still allows the
/// rest.
#[test]
fn what_went_before_the_run_broke_off_is_counted_once() {
    let bucket = BucketSpec::new(BUCKET)
        .versioning(Versioning::Enabled)
        .object(ObjectSpec::text("x", "hidden"))
        .object(ObjectSpec::marker("x"))
        .object(ObjectSpec::text("z", "hidden too"))
        .object(ObjectSpec::marker("z"));
    let scene = approved(bucket, DELETE_ALL);
    // The second entry of that key is its marker.
    scene.sandbox.add_fault(Rule::on("DeleteEntry").key("z").nth(2).then(denied()));
    scene.apply().exits(1);
    assert_eq!(scene.deletions().len(), 3);
    scene.sandbox.clear_faults();
    // Nobody asks for these again.
    scene.sandbox.add_fault(Rule::on("DeleteEntry").key("x").then(denied()));
    scene.apply().exits(0).blames("delete-objects: done, 4 objects");
    assert_eq!(scene.deletions().len(), 4);
    assert_eq!(scene.left(BUCKET), [""; 0]);
}

/// A hundred are named one by one, however many there are.
#[test]
fn no_more_than_a_hundred_are_named_one_by_one() {
    let late = approved(three(), DELETE);
    for n in 0..120 {
        late.sandbox.step(&overwrite(BUCKET, &format!("late/{n:03}")));
    }
    let answer = late.apply().exits(0);
    let named = |words: &str| answer.stderr.lines().filter(|line| line.contains(words)).count();
    // At the gate, and again before the deletion.
    assert_eq!(named("left alone: new since the plan was made"), 200, "{answer}");

    let opaque = |bucket: BucketSpec, n| {
        bucket.object(ObjectSpec::text(&format!("{n:03}"), "nothing proves it").sse("aws:kms"))
    };
    let kept = approved((0..120).fold(three(), opaque), DELETE);
    let answer = kept.apply().exits(0);
    let named = answer.stderr.lines().filter(|line| line.contains("left alone: kept:")).count();
    assert_eq!(named, 100, "{answer}");
}

/// S3 never says what became of one delete: it is asked for a few times, named once, and still ours
/// when it is seen to be gone.
#[test]
fn a_delete_without_an_answer_is_named_once_and_stays_ours() {
    let scene = approved(three(), DELETE);
    let unknown = Effect::answer(500, "InternalError");
    scene.sandbox.add_fault(Rule::on("DeleteEntry").key("b").then(unknown));
    let answer = scene.bed.s3plan_hurried(["apply", "--yes", "--no-wait"]).exits(1);
    let answer = answer.blames("1 without an answer");
    let words = "b: left alone: S3 did not say what became of the delete";
    assert_eq!(answer.stderr.matches(words).count(), 1, "{answer}");
    assert_eq!(scene.deleted_keys(), ["a", "c"]);
    scene.sandbox.clear_faults();
    scene.sandbox.step(&deleted_by_key("b"));
    scene.apply().exits(0).blames("delete-objects: done, 3 objects");
}

/// S3 refused one delete: what happens to that object later is not this plan's doing.
#[test]
fn a_delete_that_was_refused_is_not_ours_when_the_object_goes() {
    let scene = approved(three(), DELETE);
    let before = asked(&scene, &["DeleteObjects"]).len();
    scene.sandbox.add_fault(Rule::on("DeleteEntry").key("b").then(denied()));
    scene.apply().exits(1);
    assert_eq!(asked(&scene, &["DeleteObjects"]).len(), 1 + before, "a refusal is an answer");
    scene.sandbox.clear_faults();
    scene.sandbox.step(&deleted_by_key("b"));
    scene.apply().exits(4).blames("b: left alone: gone, and not by this plan");
}

/// The bucket is gone and only we can have done it; or it cannot be seen, and nothing is known.
#[test]
fn a_bucket_counts_as_deleted_only_where_it_is_seen_to_be_gone() {
    let after = approved(three(), RETIRE);
    dies(&after, "after DeleteBucket#1");
    assert!(!after.sandbox.snapshot().contains_key(BUCKET));
    after.apply().exits(0);
    assert_eq!(asked(&after, &["DeleteBucket"]).len(), 1);
    assert_eq!(open_questions(&after.bed, BUCKET), 0);
    after.bed.s3plan(["plan", "manifest.toml"]).exits(0).blames("retired");

    let before = approved(three(), RETIRE);
    dies(&before, "before DeleteBucket#1");
    before.sandbox.add_fault(Rule::on("ListMultipartUploads").then(denied()));
    before.apply().exits(1);
    assert!(before.sandbox.snapshot().contains_key(BUCKET));
    before.sandbox.clear_faults();
    before.apply().exits(0);
    assert!(!before.sandbox.snapshot().contains_key(BUCKET));
}

/// An earlier plan's run died with its request to delete the bucket: the word of the plan that is
/// applied now is its own.
#[test]
fn an_older_run_s_intent_is_no_word_of_this_one_s() {
    let scene = approved(three(), RETIRE);
    dies(&scene, "before DeleteBucket#1");
    let days = format!("{RETIRE}, restore = {{ days = 9 }}");
    scene.bed.write_manifest(&manifest_of(&World::default().with(three()), &days));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let gone = Effect::answer(404, "NoSuchBucket");
    scene.sandbox.add_fault(Rule::on("ListMultipartUploads").then(gone));
    let answer = scene.apply();
    assert_ne!(answer.code, Some(0), "{answer}");
    assert!(scene.sandbox.snapshot().contains_key(BUCKET));
}
