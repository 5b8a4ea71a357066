//! The guards before a deletion, each on its own: what would be lost, or be said wrongly, if that
//! one were not there and all others were.

use std::time::Duration;

use rustix::process::Signal;
use s3plan::model::ProofKind;
use s3plan_sandbox::{BucketSpec, Effect, Modes, ObjectSpec, Rule, Seen, Step, Versioning, World};

use crate::support::patience::wait_for;
use crate::support::scene::Scene;
use crate::support::state::change_rows;
use crate::support::story::manifest_of;
use crate::world::{OVERWRITTEN, overwrite};

pub const BUCKET: &str = "photos-2019";
pub const DELETE: &str = r#"then = "delete-objects""#;
pub const DELETE_ALL: &str = r#"then = "delete-objects", versions = "all""#;
pub const RETIRE: &str = r#"then = "delete-bucket""#;
const COMPARE: &str = r#"then = "delete-objects", unconditional_deletes = "compare-first""#;
const COMPARE_ALL: &str =
    r#"then = "delete-objects", versions = "all", unconditional_deletes = "compare-first""#;

pub fn three() -> BucketSpec {
    BucketSpec::new(BUCKET).text("a", "first").text("b", "second").text("c", "third")
}

/// More objects than are deleted at the same time.
fn many() -> BucketSpec {
    (0..20).fold(BucketSpec::new(BUCKET), |bucket, n| bucket.text(&format!("{n:02}"), "some bytes"))
}

fn single_form_only() -> Modes {
    Modes { ignore_batch_delete_condition: true, ..Modes::default() }
}

pub fn no_conditions() -> Modes {
    Modes { ignore_delete_condition: true, ..single_form_only() }
}

/// A version from before versioning, below one that came later; a key that a marker hides.
pub fn suspended() -> BucketSpec {
    BucketSpec::new(BUCKET)
        .versioning(Versioning::Suspended)
        .object(ObjectSpec::text("now", "the null version").version_id("null"))
        .object(ObjectSpec::text("hidden", "below the marker"))
        .object(ObjectSpec::marker("hidden").version_id("null"))
}

/// Applied up to the gate, and approved.
pub fn approved(bucket: BucketSpec, outcome: &str) -> Scene {
    let scene = Scene::retiring(World::default().with(bucket), outcome);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    scene
}

fn switch(state: Versioning) -> Step {
    Step::Versioning { bucket: BUCKET.into(), state }
}

/// The requests of these operations, the probe's own left out.
pub fn asked(scene: &Scene, ops: &[&str]) -> Vec<Seen> {
    let mut requests = scene.sandbox.witness().requests();
    let own = |key: &str| key.starts_with(".s3plan-delete-probe-");
    requests
        .retain(|seen| ops.contains(&seen.op.as_str()) && !seen.key.as_deref().is_some_and(own));
    requests
}

/// What an earlier plan archived and this one leaves out is proven and at home, and stays.
#[test]
fn what_only_a_wider_plan_covered_stays() {
    let world = World::default().with(three());
    let scene = Scene::retiring(world.clone(), r#"then = "keep""#);
    scene.apply().exits(0);
    scene.bed.write_manifest(&manifest_of(&world, &format!(r#"{DELETE}, exclude = ["b"]"#)));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let answer = scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.left(BUCKET), ["b@null"]);
    assert!(!answer.stderr.contains("b: left alone"), "nobody wants it gone: {answer}");
    scene.assert_deleted_with_care();
}

/// One bucket's server honours conditions in batches, the other's on single deletes only.
#[test]
fn the_form_of_delete_that_one_bucket_s_server_honours_is_not_another_s() {
    let strict = BucketSpec::new("strict").text("a", "1").text("b", "2");
    let loose = BucketSpec::new("loose").modes(single_form_only()).text("a", "1").text("b", "2");
    let scene = Scene::retiring(World::default().with(strict).with(loose), DELETE);
    scene.apply().exits(3);
    scene.approve("strict");
    scene.approve("loose");
    let before = asked(&scene, &["DeleteObjects", "DeleteObject"]).len();
    let put = Effect::Script(vec![overwrite("loose", "b")]);
    scene.sandbox.add_fault(Rule::on("DeleteObject*").bucket("loose").nth(1).then(put));
    scene.apply().exits(4).blames("b: left alone");
    assert_eq!(scene.left("loose"), ["b@null"], "it was overwritten right before its delete");
    assert_eq!(scene.left("strict"), [""; 0]);
    let requests = asked(&scene, &["DeleteObjects", "DeleteObject"]).split_off(before);
    let of = |bucket: &str| {
        let of_bucket = requests.iter().filter(|seen| seen.bucket.as_deref() == Some(bucket));
        of_bucket.map(|seen| seen.op.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("strict"), ["DeleteObjects"]);
    assert_eq!(of("loose"), ["DeleteObject", "DeleteObject"]);
    scene.assert_deleted_with_care();
}

/// Where S3 keeps versions an id is enough, a marker has no ETag, and nothing is compared.
#[test]
fn versions_with_ids_go_by_them_alone_and_together() {
    let bucket = three()
        .versioning(Versioning::Enabled)
        .object(ObjectSpec::marker("b"))
        .text("ctl\u{1}x", "a key that XML cannot carry");
    let scene = approved(bucket, DELETE_ALL);
    let heads = asked(&scene, &["HeadObject"]).len();
    scene.apply().exits(0);
    let deletions = scene.deletions();
    assert_eq!(deletions.len(), 5);
    assert!(deletions.iter().all(|gone| gone.by_version && gone.condition.is_none()));
    assert_eq!(asked(&scene, &["DeleteObjects"]).len(), 2, "versions, then markers");
    assert_eq!(asked(&scene, &["DeleteObject"]).len(), 1);
    assert_eq!(asked(&scene, &["HeadObject"]).len(), heads);
}

/// `null` is a name like any other as long as versions are kept. It is none any more when that ends
/// behind the last listing.
#[test]
fn a_null_version_that_can_be_overwritten_by_now_is_left_alone() {
    let bucket = BucketSpec::new(BUCKET)
        .versioning(Versioning::Enabled)
        .object(ObjectSpec::text("old", "from before").version_id("null"));
    let scene = approved(bucket, DELETE_ALL);
    let moves = vec![switch(Versioning::Suspended), overwrite(BUCKET, "old")];
    let listing = Rule::on("ListObjectVersions").nth(2);
    scene.sandbox.add_fault(listing.then(Effect::ScriptAfter(moves)));
    scene.apply().exits(4).blames("versioning was enabled");
    let content = scene.sandbox.content(BUCKET, "old", Some("null")).expect("it survives");
    assert_eq!(content, OVERWRITTEN.as_bytes());
}

/// A delete by key leaves a marker in a bucket whose versioning was switched right before it.
#[test]
fn versioning_that_moves_right_before_a_delete_by_key_ends_the_deletion() {
    for (bucket, outcome, state) in
        [(three(), DELETE, Versioning::Suspended), (suspended(), DELETE_ALL, Versioning::Enabled)]
    {
        let scene = approved(bucket, outcome);
        let moves = Effect::Script(vec![switch(state)]);
        scene.sandbox.add_fault(Rule::on("DeleteObjects").nth(1).then(moves));
        scene.apply().exits(4).blames("versioning was switched on");
        let left = scene.left(BUCKET);
        assert!(
            !left.iter().any(|left| left.starts_with("now@") && left.ends_with('!')),
            "{left:?}"
        );
        let kept = scene.sandbox.content(BUCKET, "now", Some("null")).is_some();
        assert_eq!(kept, state == Versioning::Enabled, "only hidden, hence brought back: {left:?}");
    }
}

/// The noncurrent `null` version is compared by itself: the ETag of what lies above it, and stays,
/// says nothing of it.
#[test]
fn a_null_version_below_one_that_stays_goes_by_a_comparison_of_its_own() {
    let bucket = BucketSpec::new(BUCKET)
        .versioning(Versioning::Suspended)
        .object(ObjectSpec::text("under", "from before").version_id("null"))
        .object(ObjectSpec::text("under", "nothing proves it").sse("aws:kms"));
    let scene = approved(bucket, COMPARE_ALL);
    scene.apply().exits(0);
    let deletions = scene.deletions();
    assert!(deletions.iter().all(|gone| gone.by_version && !gone.marker), "{deletions:#?}");
    assert_eq!(deletions.len(), 1);
    assert_eq!(scene.left(BUCKET).len(), 1);
}

/// Somebody puts a marker in the place of the `null` version that is to go: it was not this plan.
#[test]
fn a_marker_in_the_place_of_a_null_version_is_somebody_s_deletion() {
    let bucket = BucketSpec::new(BUCKET)
        .versioning(Versioning::Suspended)
        .object(ObjectSpec::text("under", "from before").version_id("null"))
        .object(ObjectSpec::text("under", "with an id"));
    let scene = approved(bucket, COMPARE_ALL);
    let delete = Step::Delete { bucket: BUCKET.into(), key: "under".into(), version: None };
    let rule = Rule::on("HeadObject").key("under").nth(1);
    scene.sandbox.add_fault(rule.then(Effect::Script(vec![delete])));
    scene.apply().exits(4).blames("under");
    assert_eq!(scene.left(BUCKET), ["under@null!"]);
}

/// A `null` marker that is gone when it is looked at is not deleted by its name: an object may have
/// that name by now.
#[test]
fn a_null_marker_that_somebody_else_removed_is_not_asked_for() {
    let scene = approved(suspended(), DELETE_ALL);
    let marker =
        Step::Delete { bucket: BUCKET.into(), key: "hidden".into(), version: Some("null".into()) };
    let put = Effect::ScriptAfter(vec![overwrite(BUCKET, "hidden")]);
    let rule = Rule::on("HeadObject").key("hidden").nth(1);
    scene.sandbox.add_fault(rule.then(Effect::Script(vec![marker])).then(put));
    scene.apply().exits(0).blames("delete-objects: done, 3 objects");
    let content = scene.sandbox.content(BUCKET, "hidden", Some("null")).expect("it survives");
    assert_eq!(content, OVERWRITTEN.as_bytes());
}

/// Each comparison sees what the listing before it could not: other bytes of the same length;
/// another length, where the server ignores conditions on HEAD too; nothing at all.
#[test]
fn a_comparison_finds_every_difference_and_holds_up_no_other_object() {
    let scene = approved(many().modes(no_conditions()), COMPARE);
    let bytes = Step::Put { bucket: BUCKET.into(), key: "00".into(), body: "other byte".into() };
    let gone = Step::Delete { bucket: BUCKET.into(), key: "02".into(), version: None };
    let blind = Effect::Ask { name: "if-match".into(), value: None };
    for (key, effects) in [
        ("00", vec![Effect::Script(vec![bytes])]),
        ("01", vec![Effect::Script(vec![overwrite(BUCKET, "01")]), blind]),
        ("02", vec![Effect::Script(vec![gone])]),
    ] {
        let rule = Rule::on("HeadObject").key(key).nth(1);
        scene.sandbox.add_fault(effects.into_iter().fold(rule, Rule::then));
    }
    scene.apply().exits(4).blames("2 objects are not what was proven");
    assert_eq!(scene.sandbox.snapshot()[BUCKET].keys(), ["00", "01"]);
    assert_eq!(scene.deletions().len(), 17);
    // A condition that the server is known to ignore is not sent.
    assert!(scene.deletions().iter().all(|gone| gone.condition.is_none()));
}

/// P2: a comparison that is refused says nothing of the object, least of all that it is gone.
#[test]
fn a_comparison_that_is_refused_deletes_nothing() {
    let scene = approved(three().modes(no_conditions()), COMPARE);
    let denied = Effect::answer(403, "AccessDenied");
    scene.sandbox.add_fault(Rule::on("HeadObject").then(denied));
    scene.apply().exits(1);
    scene.assert_nothing_lost();
    scene.sandbox.clear_faults();
    scene.apply().exits(0);
    assert_eq!(scene.deleted_keys(), ["a", "b", "c"]);
}

/// Single deletes go eight at a time: all of them in one round, and none after one that fails.
#[test]
fn single_deletes_go_in_one_round_and_end_with_the_first_that_fails() {
    let scene = approved(many().modes(single_form_only()), DELETE);
    let odd = Effect::answer(400, "InvalidRequest");
    scene.sandbox.add_fault(Rule::on("DeleteObject").then(odd));
    scene.apply().exits(1);
    let failed = asked(&scene, &["DeleteObject"]).len();
    assert!((1..=8).contains(&failed), "{failed} were asked for");
    scene.assert_nothing_lost();
    scene.sandbox.clear_faults();
    let listings = asked(&scene, &["ListObjectsV2"]).len();
    scene.apply().exits(0);
    assert_eq!(asked(&scene, &["DeleteObject"]).len() - failed, 20);
    // What was sent is looked up, the bucket is listed before the deletion: no second round.
    assert_eq!(asked(&scene, &["ListObjectsV2"]).len() - listings, 2);
    assert_eq!(scene.deletions().len(), 20);
}

/// A listing is asked for where an answer leaves a question, and nowhere else.
#[test]
fn answers_that_leave_no_question_are_not_asked_about() {
    let enabled = three()
        .versioning(Versioning::Enabled)
        .object(ObjectSpec::text("old", "from before").version_id("null"));
    let suspended = suspended().object(ObjectSpec::text("id", "current, with an id"));
    for bucket in [enabled, suspended] {
        let scene = approved(bucket, DELETE_ALL);
        let listings = asked(&scene, &["ListObjectVersions"]).len();
        scene.apply().exits(0);
        // At the gate, and before the deletion.
        assert_eq!(asked(&scene, &["ListObjectVersions"]).len() - listings, 2);
    }
}

/// P2: what turns out to be proven and was not planned to go does not go, whatever was approved.
#[test]
fn no_more_is_deleted_than_the_plan_counts() {
    let opaque = ObjectSpec::text("opaque", "nothing proves it").sse("aws:kms");
    let scene = approved(three().object(opaque), DELETE);
    scene.apply().exits(0);
    scene.sandbox.put(BUCKET, "new", b"one more");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("kept in S3: 1 object");
    scene.apply().exits(3);
    change_rows(&scene.bed, BUCKET, |batch, bucket, row| {
        if let ("opaque", Some(mut stored)) = (row.object.key.as_str(), row.stored) {
            stored.proof.kind = ProofKind::Md5ETag;
            batch.store(bucket, row.number, stored);
        }
    });
    scene.apply().exits(3);
    scene.approve(BUCKET);
    scene.apply().exits(4).blames("more objects are to be deleted than the 1 that the plan allows");
    assert_eq!(scene.left(BUCKET), ["new@null", "opaque@null"]);
}

/// The bucket went by somebody else's hand, or so it seems: that is no deletion of this plan.
#[test]
fn a_bucket_that_seems_to_be_gone_was_not_deleted_by_this_plan() {
    let scene = approved(three(), RETIRE);
    let gone = Effect::answer(404, "NoSuchBucket");
    scene.sandbox.add_fault(Rule::on("ListMultipartUploads").then(gone));
    let answer = scene.apply();
    assert_ne!(answer.code, Some(0), "{answer}");
    assert_eq!(asked(&scene, &["DeleteBucket"]).len(), 0);
    scene.sandbox.clear_faults();
    scene.apply().exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
}

/// Ctrl-C while a request is under way: it is heard out, and the next one is not sent.
#[test]
fn nothing_more_is_deleted_once_somebody_asked_to_stop() {
    let bucket = BucketSpec::new(BUCKET)
        .versioning(Versioning::Enabled)
        .object(ObjectSpec::text("x", "hidden"))
        .object(ObjectSpec::marker("x"));
    let scene = approved(bucket, DELETE_ALL);
    // The world shows that the request has come; its answer comes when the signal is long there.
    let arrived = Effect::Script(vec![overwrite(BUCKET, "arrived")]);
    let first = Rule::on("DeleteObjects").nth(1).then(arrived).then(Effect::DelayMs(5_000));
    scene.sandbox.add_fault(first);
    let run = scene.bed.spawn(["apply", "--yes", "--no-wait"]);
    let arrived = || scene.sandbox.content(BUCKET, "arrived", None);
    wait_for(Duration::from_secs(120), arrived).expect("the first request is under way");
    run.signal(Signal::INT);
    run.wait().exits(130);
    let left_of_x = || scene.left(BUCKET).iter().filter(|left| left.starts_with("x@")).count();
    assert_eq!(left_of_x(), 1, "the marker waits for the next apply");
    scene.apply().exits(0);
    assert_eq!(left_of_x(), 0);
}

/// What a listing of current objects would not show: an old version, and the marker above it.
#[test]
fn a_bucket_that_keeps_versions_by_now_is_looked_through_for_them() {
    let scene = approved(three(), RETIRE);
    let late = Step::Delete { bucket: BUCKET.into(), key: "late".into(), version: None };
    let moves = vec![switch(Versioning::Enabled), overwrite(BUCKET, "late"), late];
    scene.sandbox.add_fault(Rule::on("DeleteObjects").nth(1).then(Effect::ScriptAfter(moves)));
    scene.apply().exits(4).blames("late");
    assert_eq!(asked(&scene, &["DeleteBucket"]).len(), 0);
    assert_eq!(scene.left(BUCKET).len(), 2);
}
