//! Crashes: the process dies at every place where something becomes durable or is sent, one after
//! the other, and the same command goes on.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::range::{Range, each, is_long, next};

/// Thaw, parts, a key beside a folder, an unfinished upload, a bucket that goes in the end.
const COLD: (&str, &str) = (
    r#"
now = "2024-06-01T10:30:00Z"
speed = 20000.0
[modes]
restore_seconds = 1800
[bucket.cold]
[[bucket.cold.object]]
key = "a"
body = "first"
[[bucket.cold.object]]
key = "a/b"
body = "second"
tags = { year = "2019" }
[[bucket.cold.object]]
key = "glacier/1"
body = "frozen one"
storage_class = "GLACIER"
[[bucket.cold.object]]
key = "glacier/2"
body = "frozen two"
storage_class = "DEEP_ARCHIVE"
[[bucket.cold.object]]
key = "parts"
size = 3000
parts = [1000, 1000, 1000]
storage_class = "GLACIER"
[[bucket.cold.object]]
key = "empty"
body = ""
[[bucket.cold.upload]]
key = "half"
id = "upload-1"
initiated = "2024-05-01T00:00:00Z"
parts = [10]
[[bucket.cold.upload]]
key = "third"
id = "upload-2"
initiated = "2024-05-01T00:00:00Z"
parts = [10]
"#,
    r#"
[account]
id = "123456789012"
[bucket.cold]
archive = { to = "archive/{bucket}", then = "delete-bucket", restore = { days = 30 } }
"#,
);

/// Old versions and delete markers, all of them archived and deleted.
const VERSIONS: (&str, &str) = (
    r#"
[bucket.versions]
versioning = "enabled"
[[bucket.versions.object]]
key = "v"
body = "old"
[[bucket.versions.object]]
key = "v"
body = "new"
[[bucket.versions.object]]
key = "w"
body = "gone"
[[bucket.versions.object]]
key = "w"
delete_marker = true
"#,
    r#"
[account]
id = "123456789012"
[bucket.versions]
archive = { to = "archive/{bucket}", then = "delete-bucket", versions = "all" }
"#,
);

/// Versions that are overwritten in place, where a delete by key leaves a marker.
const SUSPENDED: (&str, &str) = (
    r#"
[bucket.suspended]
versioning = "suspended"
[[bucket.suspended.object]]
key = "n"
body = "in place"
version_id = "null"
[[bucket.suspended.object]]
key = "o"
body = "with an id"
[[bucket.suspended.object]]
key = "o"
body = "over it"
version_id = "null"
[[bucket.suspended.object]]
key = "live/keep"
body = "stays"
version_id = "null"
"#,
    r#"
[account]
id = "123456789012"
[bucket.suspended.archive]
to = "archive/{bucket}"
then = "delete-objects"
exclude = ["live/**"]
versions = "all"
"#,
);

#[test]
fn a_crash_anywhere_is_only_a_pause_for_a_bucket_that_thaws() {
    let met = die_everywhere(COLD);
    for request in ["RestoreObject", "DeleteObjects", "AbortMultipartUpload", "DeleteBucket"] {
        for moment in ["before", "after"] {
            assert!(met.contains(&format!("{moment} {request}")), "{moment} {request}: {met:?}");
        }
    }
}

#[test]
fn a_crash_anywhere_is_only_a_pause_for_a_bucket_with_versions() {
    die_everywhere(VERSIONS);
}

#[test]
fn a_crash_anywhere_is_only_a_pause_for_a_bucket_whose_versioning_is_suspended() {
    die_everywhere(SUSPENDED);
}

/// Dies at each place in turn, then goes on to the end. Returns the names of the places.
fn die_everywhere((world, manifest): (&str, &str)) -> BTreeSet<String> {
    let range = Range::new(world, manifest);
    let met = Mutex::new(BTreeSet::new());
    let places: Vec<u64> = (1..=range.places).collect();
    each(&places, |place| {
        let scene = range.scene();
        let told = format!("killed at {place} of {}", range.places);
        let answer = range.run(&scene, &[("S3PLAN_DIE_AT", &place.to_string())]);
        let name = answer.stderr.lines().find_map(|line| line.strip_prefix("died at "));
        // Which places are passed, and when, hangs a little on the clock.
        let Some((_, name)) = name.and_then(|name| name.split_once(": ")) else {
            assert_eq!(answer.code, Some(0), "{told}: {answer}");
            return;
        };
        let told = format!("{told}: {name}");
        range.finish(&scene, 2, &told);
        met.lock().expect("no panic").insert(name.to_owned());
    });
    met.into_inner().expect("no panic")
}

/// Again and again: each resumption is killed too, up to five times in a row.
#[test]
fn crashes_during_the_resumption_are_only_pauses() {
    let mut seed = 5;
    for (world, manifest) in [COLD, VERSIONS, SUSPENDED] {
        let range = Range::new(world, manifest);
        let shots = if is_long() { 200 } else { 12 };
        let seeds: Vec<u64> = (0..shots).map(|_| next(&mut seed)).collect();
        each(&seeds, |shot| {
            let mut seed = shot;
            let scene = range.scene();
            let mut told = format!("seed {shot}: killed at");
            let kills = 2 + next(&mut seed) % 4;
            for kill in 0..kills {
                // What is left gets less, so that later ones fall earlier.
                let place = 1 + next(&mut seed) % (range.places / (kill + 1));
                told += &format!(" {place}");
                range.run(&scene, &[("S3PLAN_DIE_AT", &place.to_string())]);
            }
            range.finish(&scene, kills + 1, &told);
        });
    }
}
