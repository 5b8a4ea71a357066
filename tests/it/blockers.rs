//! What makes a plan impossible is found while planning: exit 5, no plan file, nothing touched.

use std::fs;

use s3plan_sandbox::{BucketSpec, ObjectSpec, UploadSpec, Versioning, World};

use crate::support::scene::{Scene, small_world};

/// Plans this manifest in this world and expects to be refused with these words.
#[track_caller]
fn refused(world: World, outcome: &str, words: &[&str]) -> Scene {
    let scene = Scene::new(world);
    scene.bed.write_manifest(&manifest(outcome));
    let answer = scene.bed.s3plan(["plan", "manifest.toml"]).exits(5);
    words.iter().fold(answer, |answer, words| answer.blames(words));
    assert!(!scene.bed.path("plans/manifest.plan.toml").exists(), "no plan is written");
    scene.assert_untouched();
    scene
}

fn manifest(outcome: &str) -> String {
    format!("[account]\nid = \"123456789012\"\n\n[bucket.\"photos-2019\"]\narchive = {outcome}\n")
}

const RETIRE: &str = r#"{ to = "archive/{bucket}", then = "delete-bucket" }"#;
const KEEP: &str = r#"{ to = "archive/{bucket}" }"#;

fn photos() -> BucketSpec {
    BucketSpec::new("photos-2019").text("a.jpg", "first")
}

#[test]
fn a_bucket_of_another_owner_is_refused() {
    let world = World::default().with(photos().owner("999999999999"));
    let scene = Scene::new(world);
    scene.bed.write_manifest(&manifest(KEEP));
    // It is not among the account's own buckets, so the manifest names one that is not there.
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(64).blames("photos-2019");
    scene.assert_untouched();
}

#[test]
fn a_storage_class_that_nobody_knows_is_refused() {
    let odd = ObjectSpec::text("odd.bin", "x").class("SNOWFLAKE");
    refused(World::default().with(photos().object(odd)), KEEP, &["SNOWFLAKE", "odd.bin"]);
}

#[test]
fn mfa_delete_is_refused_where_something_would_be_deleted() {
    let mut bucket = photos();
    bucket.versioning = Versioning::Enabled;
    bucket.mfa_delete = true;
    let world = || World::default().with(bucket.clone());
    let all = r#"{ to = "archive/{bucket}", then = "delete-bucket", versions = "all" }"#;
    refused(world(), all, &["MFA delete", "photos-2019"]);
    let scene = Scene::new(world());
    scene.bed.write_manifest(&manifest(KEEP));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
}

#[test]
fn object_lock_is_refused_where_the_bucket_would_be_deleted() {
    let mut bucket = photos();
    bucket.versioning = Versioning::Enabled;
    bucket.object_lock = true;
    let all = r#"{ to = "archive/{bucket}", then = "delete-bucket", versions = "all" }"#;
    refused(World::default().with(bucket), all, &["Object Lock"]);
}

#[test]
fn versions_that_would_stay_behind_are_refused() {
    let mut bucket = photos().object(ObjectSpec::text("a.jpg", "newer"));
    bucket.versioning = Versioning::Enabled;
    refused(World::default().with(bucket), RETIRE, &["noncurrent", "versions = \"all\""]);
}

#[test]
fn objects_that_nothing_can_prove_keep_their_bucket() {
    let opaque = ObjectSpec { etag: Some("opaque".into()), ..ObjectSpec::text("kms.bin", "x") };
    refused(World::default().with(photos().object(opaque)), RETIRE, &["prove", "unprovable"]);
}

#[test]
fn a_live_writer_is_named() {
    let upload = UploadSpec { initiated: None, ..UploadSpec::new("half.bin") };
    let world = World::default().now("2026-01-01T00:00:00Z").with(photos().upload(upload));
    // Begun "now" on the sandbox's clock, which is not long ago on ours only if it is ours.
    let world = World { now: None, ..world };
    refused(world, RETIRE, &["half.bin", "7 days"]);
}

#[test]
fn a_destination_that_cannot_be_written_is_refused() {
    refused(small_world(), r#"{ to = "/proc/s3plan/{bucket}" }"#, &["/proc"]);
}

#[test]
fn a_folder_with_other_files_is_not_taken_for_an_archive_of_this_bucket() {
    let scene = Scene::new(small_world().with(BucketSpec::new("other").text("a", "b")));
    scene.bed.write_manifest(
        "[account]\nid = \"123456789012\"\n[bucket.other]\narchive = { to = \"archive\" }\n",
    );
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    scene.bed.write_manifest(&manifest(r#"{ to = "archive" }"#));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("other");
}

#[test]
fn archives_at_one_or_at_nested_places_are_refused_by_line() {
    let scene = Scene::new(small_world().with(BucketSpec::new("other")));
    for (one, two) in [("a", "a"), ("a", "a/b"), ("./a/b", "a")] {
        scene.bed.write_manifest(&format!(
            "[account]\nid = \"123456789012\"\n[bucket.\"photos-2019\"]\narchive = {{ to = \
             \"{one}\" }}\n[bucket.other]\narchive = {{ to = \"{two}\" }}\n"
        ));
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(64).blames("manifest.toml:");
    }
    scene.assert_untouched();
}

#[test]
fn a_disk_that_is_too_small_for_all_archives_together_is_refused() {
    let scene = Scene::new(World::default());
    let disk = rustix::fs::statvfs(scene.bed.path("")).expect("a file system");
    let most = disk.f_bavail * disk.f_frsize / 10 * 6;
    // Each fits alone. The sandbox makes bytes up only when asked for them.
    let bucket = |name: &str| {
        let object = ObjectSpec {
            etag: Some("0123456789abcdef0123456789abcdef".into()),
            ..ObjectSpec::sized("huge", &format!("{most}B"))
        };
        BucketSpec::new(name).object(object)
    };
    let world = || World::default().with(bucket("photos-2019")).with(bucket("photos-2020"));
    let both = format!("{KEEP}\n[bucket.\"photos-2020\"]\narchive = {KEEP}");
    refused(world(), &both, &["photos-2019", "1 more", "free"]);
    let scene = Scene::new(world());
    scene.bed.write_manifest(&manifest(KEEP));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
}

#[test]
fn restores_that_cost_too_much_are_refused() {
    let cold = ObjectSpec::sized("cold/{n}", "1MiB").count(2000).class("GLACIER");
    let world = World::default().with(photos().object(cold));
    let dear = r#"{ to = "archive/{bucket}", restore = { tier = "expedited", max_cost = 5.0 } }"#;
    refused(world, dear, &["expedited", "max_cost"]);
}

#[test]
fn expedited_restores_are_not_offered_for_deep_archive() {
    let deep = ObjectSpec::text("deep", "x").class("DEEP_ARCHIVE");
    let world = World::default().with(photos().object(deep));
    let wish = r#"{ to = "archive/{bucket}", restore = { tier = "expedited" } }"#;
    refused(world, wish, &["expedited", "DEEP_ARCHIVE", "bulk"]);
}

#[test]
fn a_plan_past_a_limit_is_refused() {
    for (limit, words) in [
        ("max_delete_objects = 2", "max_delete_objects"),
        ("max_delete_bytes = 3", "max_delete_bytes"),
        ("max_download_bytes = \"3B\"", "max_download_bytes"),
    ] {
        let outcome = format!("{RETIRE}\n[limits]\n{limit}");
        refused(small_world(), &outcome, &[words]);
    }
}

#[test]
fn all_blockers_come_at_once() {
    let odd = ObjectSpec::text("odd.bin", "x").class("SNOWFLAKE");
    let mut bucket = photos().object(odd).object(ObjectSpec::text("a.jpg", "newer"));
    bucket.versioning = Versioning::Enabled;
    refused(World::default().with(bucket), RETIRE, &["SNOWFLAKE", "noncurrent"]);
}

#[test]
fn a_blocked_plan_leaves_the_older_plan_as_it_was() {
    let scene = Scene::new(small_world()).planned(&manifest(KEEP));
    let path = scene.bed.path("plans/manifest.plan.toml");
    let before = fs::read(&path).expect("a plan");
    scene.bed.write_manifest(&manifest(r#"{ to = "/proc/s3plan/{bucket}" }"#));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5);
    assert!(fs::read(&path).expect("the plan") == before);
}
