//! Objects under a customer's own key (SSE-C): S3 lists them like any other, and refuses to show or
//! give them to whoever has not that key. They can be neither archived nor proven, so they stay.

use std::collections::BTreeSet;
use std::fs;

use s3plan_sandbox::{Algorithm, BucketSpec, ChecksumKind, ObjectSpec, World};

use crate::support::scene::Scene;
use crate::support::story::manifest_of;

const BUCKET: &str = "photos-2019";
const TEXT: &str = "twenty-five bytes of text";
const DELETE: &str = r#"then = "delete-objects""#;

fn keyed(key: &str) -> ObjectSpec {
    ObjectSpec::text(key, TEXT).sse("customer")
}

fn world(bucket: BucketSpec) -> World {
    World::default().with(bucket)
}

/// So many objects that a few looks while planning do not meet the ones in question.
fn crowd() -> BucketSpec {
    BucketSpec::new(BUCKET).object(ObjectSpec::text("m/{n}", "plain").count(400))
}

#[track_caller]
fn refused(bucket: BucketSpec, outcome: &str) -> Scene {
    let world = world(bucket);
    let manifest = manifest_of(&world, outcome);
    let scene = Scene::new(world);
    scene.bed.write_manifest(&manifest);
    let answer = scene.bed.s3plan(["plan", "manifest.toml"]).exits(5);
    answer.blames("SSE-C").blames("\"secret").blames("`exclude`");
    assert!(!scene.bed.path("plans/manifest.plan.toml").exists(), "no plan is written");
    scene.assert_untouched();
    scene
}

#[test]
fn a_plan_that_meets_such_objects_is_refused() {
    // Also where nothing would be deleted: what cannot be read cannot be archived.
    for outcome in [DELETE, r#"then = "keep""#, r#"then = "delete-bucket", unprovable = "size""#] {
        refused(BucketSpec::new(BUCKET).text("plain", TEXT).object(keyed("secret")), outcome);
    }
    // However it was uploaded, and whatever checksum S3 keeps for it.
    let parts = keyed("secret").part_sizes(&[10, 3, 12]);
    refused(BucketSpec::new(BUCKET).object(parts.clone()), DELETE);
    refused(
        BucketSpec::new(BUCKET).object(parts.checksum(Algorithm::Sha256, ChecksumKind::Composite)),
        DELETE,
    );
    // Before anybody pays for a thaw.
    refused(BucketSpec::new(BUCKET).object(keyed("secret").class("DEEP_ARCHIVE")), DELETE);
    let tiered = ObjectSpec { archive_status: Some("ARCHIVE_ACCESS".into()), ..keyed("secret") };
    refused(BucketSpec::new(BUCKET).object(tiered.class("INTELLIGENT_TIERING")), DELETE);
}

#[test]
fn such_objects_that_are_left_out_are_in_nobodys_way() {
    let tiered = keyed("secret/tiered").class("INTELLIGENT_TIERING");
    let cold = keyed("secret/cold").class("GLACIER");
    let bucket = BucketSpec::new(BUCKET).text("plain", TEXT).object(keyed("secret/warm"));
    let outcome = format!(r#"{DELETE}, exclude = ["secret/**"]"#);
    let scene = Scene::retiring(world(bucket.object(tiered).object(cold)), &outcome);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.deleted_keys(), ["plain"]);
    assert_eq!(scene.left(BUCKET).len(), 3);
}

/// What planning did not meet fails by name; nothing is deleted until it is left out.
#[test]
fn such_an_object_that_planning_missed_is_named_and_holds_up_every_deletion() {
    let parts = keyed("m/000123-secret-parts").part_sizes(&[10, 3, 12]);
    let bucket = crowd().object(keyed("m/000123-secret")).object(parts);
    let scene = Scene::retiring(world(bucket), DELETE);
    let answer = scene.apply().exits(1).blames("SSE-C").blames("`exclude`");
    for key in ["m/000123-secret:", "m/000123-secret-parts:"] {
        assert!(answer.stderr.contains(key), "{key} is not named: {answer}");
    }
    // The others are at home, and nobody is asked to approve anything.
    let archive = scene.bed.path(&format!("archive/{BUCKET}/data/m"));
    let files = fs::read_dir(&archive).expect("a folder").count();
    assert_eq!(files, 400);
    assert_eq!(scene.status(BUCKET)["evidence"], serde_json::Value::Null);
    scene.assert_nothing_lost();

    // The next plan knows where to look.
    let again = scene.bed.s3plan(["plan", "manifest.toml"]).exits(5);
    again.blames("SSE-C").blames("m/000123-secret");
    let outcome = format!(r#"{DELETE}, exclude = ["m/*-secret*"]"#);
    scene.bed.write_manifest(&manifest_of(&world(BucketSpec::new(BUCKET)), &outcome));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.left(BUCKET), ["m/000123-secret@null", "m/000123-secret-parts@null"]);
    scene.assert_deleted_with_care();
}

/// A file of the right name and size is no proof where S3 has nothing to hold it against.
#[test]
fn a_file_in_the_place_of_such_an_object_is_not_adopted() {
    let scene = Scene::new(world(crowd().object(keyed("m/000123-secret"))));
    scene.bed.write_manifest(&manifest_of(&world(BucketSpec::new(BUCKET)), DELETE));
    let file = scene.bed.path(&format!("archive/{BUCKET}/m/000123-secret"));
    fs::create_dir_all(file.parent().expect("a folder")).expect("its folder");
    fs::write(&file, TEXT).expect("a file");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("of which 1 look present");
    scene.apply().exits(1).blames("SSE-C");
    assert_eq!(fs::read_to_string(&file).expect("it stays"), TEXT);
    scene.assert_nothing_lost();
}

/// An owner who copies the object to one without such a key has it archived like any other.
#[test]
fn what_was_copied_without_the_key_goes_like_any_other() {
    let scene = Scene::retiring(world(crowd().object(keyed("m/000123-secret"))), DELETE);
    scene.apply().exits(1).blames("SSE-C");
    scene.sandbox.put(BUCKET, "m/000123-secret", TEXT.as_bytes());
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.apply_through_the_gate(BUCKET).exits(0);
    let keys: BTreeSet<String> = scene.deleted_keys().into_iter().collect();
    assert!(keys.len() == 401 && keys.contains("m/000123-secret"));
    scene.assert_deleted_with_care();
}
