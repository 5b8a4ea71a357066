//! Crashes: the process dies at every place where something becomes durable or is sent, one after
//! the other, and the same command goes on.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use s3plan_sandbox::{BucketSpec, ObjectSpec, World};

use super::dice::Dice;
use super::range::{
    CANARY, COLD, Range, SUSPENDED, Start, VERSIONS, each, is_long, number_of, place_of_death,
    status, tell,
};
use crate::support::patience::wait_for;
use crate::support::scene::Scene;
use crate::support::story::manifest_of;

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

/// Files that another tool brought home: they are moved into the bag, the rest is fetched.
#[test]
fn a_crash_anywhere_is_only_a_pause_for_a_folder_that_is_adopted() {
    const ADOPTED: Start = (
        r#"
[bucket.adopted]
[[bucket.adopted.object]]
key = "a"
body = "first"
[[bucket.adopted.object]]
key = "d/b"
body = "second"
[[bucket.adopted.object]]
key = "d/c"
body = "third"
[[bucket.adopted.object]]
key = "e"
body = "fourth"
"#,
        r#"then = "delete-bucket""#,
    );
    let range = Range::prepared(ADOPTED, &["a", "d/b"], |bed| {
        bed.write("archive/adopted/a", "first");
        bed.write("archive/adopted/d/b", "second");
        bed.write("archive/adopted/d/c", "not it");
        bed.write("archive/adopted/strange", "nobody's");
    });
    die_everywhere_on(&range);
}

/// Dies at each place in turn, then goes on to the end. Returns the names of the places.
fn die_everywhere(start: Start) -> BTreeSet<String> {
    die_everywhere_on(&Range::of(start))
}

fn die_everywhere_on(range: &Range) -> BTreeSet<String> {
    let met = Mutex::new(BTreeSet::new());
    // By name, since the order of what goes on at once hangs on the clock. A run that is slower than
    // the calm one passes some names a few times more.
    let places: Vec<(&str, u64)> = (range.named.iter())
        .flat_map(|(name, &times)| (1..=times + 2).map(|nth| (name.as_str(), nth)))
        .collect();
    let numbers: Vec<u64> = (0..places.len() as u64).collect();
    let killed = AtomicU64::new(0);
    each(&numbers, |number| {
        let (name, nth) = places[number as usize];
        let scene = range.scene();
        let told = format!("killed at {name}#{nth}");
        let answer = range.die_at(&scene, format!("{name}#{nth}"));
        if place_of_death(&answer).is_none() {
            // How often a place is passed hangs a little on the clock, too.
            assert!(nth > 1, "{told}: never came there: {answer}");
            assert_eq!(answer.code, Some(0), "{told}: {answer}");
            return;
        }
        range.finish(&scene, 2, &told);
        killed.fetch_add(1, Ordering::SeqCst);
        met.lock().expect("no panic").insert(name.to_owned());
    });
    tell(&format!(
        "killed at {} places: {}",
        killed.into_inner(),
        range.manifest.lines().nth(3).unwrap_or_default()
    ));
    met.into_inner().expect("no panic")
}

/// Again and again: each resumption is killed too, up to five times in a row.
#[test]
fn crashes_during_the_resumption_are_only_pauses() {
    let mut dice = Dice(5);
    for start in [COLD, VERSIONS, SUSPENDED] {
        let range = Range::of(start);
        let shots = if is_long() { 200 } else { 12 };
        let seeds: Vec<u64> = (0..shots).map(|_| dice.throw()).collect();
        each(&seeds, |shot| {
            let mut dice = Dice(shot);
            let scene = range.scene();
            let mut told = format!("seed {shot}: killed at");
            let kills = 2 + dice.throw() % 4;
            for kill in 0..kills {
                // What is left gets less, so that later ones fall earlier.
                let place = 1 + dice.throw() % (range.places / (kill + 1));
                told += &format!(" {place}");
                range.die_at(&scene, place);
            }
            range.finish(&scene, kills + 1, &told);
        });
    }
}

/// The plan and the approval are made whole or not at all.
#[test]
fn a_crash_while_planning_or_approving_is_made_good_by_the_same_command() {
    let range = Range::of(COLD);
    let plan = range.scene().bed.read("plans/manifest.plan.toml");
    let places: Vec<u64> = (1..=20).collect();
    each(&places, |place| {
        let scene = range.unplanned();
        let (at, args) = (place.to_string(), ["plan", "manifest.toml"]);
        scene.bed.spawn_with(&[("S3PLAN_DIE_AT", &at)], &args).wait();
        scene.bed.s3plan(args).exits(0);
        assert_eq!(scene.bed.read("plans/manifest.plan.toml"), plan, "killed at {place}");
        scene.assert_untouched();
    });

    let range = Range::of(VERSIONS);
    let places: Vec<u64> = (1..=6).collect();
    each(&places, |place| {
        let scene = range.scene();
        scene.bed.s3plan(["apply", "--yes"]).exits(3);
        let evidence = status(&scene)["buckets"][0]["evidence"].clone();
        let gate = format!("versions@{}", evidence.as_str().expect("evidence"));
        let args = ["approve", &gate];
        scene.bed.spawn_with(&[("S3PLAN_DIE_AT", &place.to_string())], &args).wait();
        scene.bed.s3plan(args).exits(0);
        range.finish(&scene, 3, &format!("approval killed at {place}"));
    });
}

/// A bug of ours ends the run with 1 and our own words, and is a pause like any other.
#[test]
fn a_panic_anywhere_is_told_and_is_only_a_pause() {
    for start in [COLD, VERSIONS, SUSPENDED] {
        let range = Range::of(start);
        let step = if is_long() { 1 } else { 9 };
        let places: Vec<u64> = (1..=range.places).step_by(step).collect();
        each(&places, |place| {
            let scene = range.scene();
            let told = format!("panicked at {place} of {}", range.places);
            let answer = range.run(&scene, &[("S3PLAN_PANIC_AT", &place.to_string())]);
            if answer.code == Some(0) {
                // Faster than the calm run, it passes a few places less.
                assert!(place + 10 > range.places, "{told}: {answer}");
                return;
            }
            assert_eq!(answer.code, Some(1), "{told}: {answer}");
            assert!(answer.stderr.contains("bug"), "{told}: {answer}");
            range.finish(&scene, 2, &told);
        });
    }
}

/// Objects enough that a kill falls into the middle of many things at once.
const MANY: Start = (
    r#"
now = "2024-06-01T10:30:00Z"
speed = 20000.0
[modes]
restore_seconds = 3600
[bucket.many]
[[bucket.many.object]]
key = "plain/{n}"
count = 1_700
size = "2KiB"
[[bucket.many.object]]
key = "cold/{n}"
count = 300
size = 100
storage_class = "DEEP_ARCHIVE"
[[bucket.many.object]]
key = "film"
size = "12MiB"
parts = "5MiB"
[[bucket.many.upload]]
key = "half"
id = "upload-1"
initiated = "2024-05-01T00:00:00Z"
parts = [10]
"#,
    r#"then = "delete-bucket", restore = { days = 30 }"#,
);

/// Killed again and again at random instants, from outside, up to twenty times in a row.
#[test]
fn random_kills_under_load_are_only_pauses() {
    let range = Range::of(MANY);
    let calm_ms = range.took.as_millis() as u64;
    let wanted = number_of("S3PLAN_LONG_KILLS", 5_000, 60);
    let killed = AtomicU64::new(0);
    let mut dice = Dice(2026);
    let seeds: Vec<u64> = (0..wanted).map(|_| dice.throw()).collect();
    each(&seeds, |shot| {
        if killed.load(Ordering::SeqCst) >= wanted {
            return;
        }
        let mut dice = Dice(shot);
        let scene = range.scene();
        let mut told = format!("seed {shot}: killed after ms");
        let mut lives = 1;
        while lives <= 20 {
            // Several would fit into a calm run, which is itself slower when others run beside it.
            let after = 30 + dice.throw() % (calm_ms / 2);
            told += &format!(" {after}");
            let run = range.start(&scene, &[]);
            std::thread::sleep(Duration::from_millis(after));
            run.signal(Signal::KILL);
            if run.wait().code.is_some() {
                break;
            }
            killed.fetch_add(1, Ordering::SeqCst);
            lives += 1;
        }
        range.finish(&scene, lives, &told);
    });
    tell(&format!("random kills: {}", killed.into_inner()));
}

/// Two buckets at once, one of them thawing for hours: what was approved beside the running apply and
/// not yet taken in is not lost with it.
#[test]
fn an_approval_left_beside_an_apply_that_is_killed_still_counts() {
    let world = World::parse(VERSIONS.0).expect("a world");
    let manifest = manifest_of(&world, VERSIONS.1)
        + "[bucket.frozen]\narchive = { to = \"archive/{bucket}\" }\n";
    let frozen = ObjectSpec::text("k", "thaws for hours").class("DEEP_ARCHIVE");
    let world = world.with(BucketSpec::new("frozen").object(frozen));
    let scene = Scene::new(world).planned(&manifest);
    let first = scene.bed.spawn(["apply", "--yes"]);
    let evidence = wait_for(Duration::from_secs(120), || {
        let rows = status(&scene)["buckets"].as_array()?.clone();
        let row = rows.into_iter().find(|row| row["bucket"] == "versions")?;
        row["evidence"].as_str().map(str::to_owned)
    });
    let evidence = evidence.expect("the gate opens");
    // Stopped, it takes nothing in.
    first.signal(Signal::STOP);
    scene.bed.s3plan(["approve", &format!("versions@{evidence}")]).exits(0);
    first.signal(Signal::KILL);
    first.wait();
    scene.bed.s3plan(["apply", "--yes", "--no-wait"]).exits(3);
    assert!(!scene.sandbox.snapshot().contains_key("versions"), "approved, hence gone");
    assert!(scene.sandbox.witness().deleted_unserved().is_empty());
}

/// A run dies with its probe object in the bucket, and another plan is made instead of going on: the
/// object is s3plan's own, so it is neither archived nor deleted as somebody's, and it goes.
#[test]
fn a_probe_object_that_was_left_behind_goes_with_the_next_plan() {
    const SMALL: Start = (
        r#"
[bucket.small]
[[bucket.small.object]]
key = "a"
body = "first"
"#,
        r#"then = "delete-objects""#,
    );
    let suspended =
        SMALL.0.replace("[bucket.small]\n", "[bucket.small]\nversioning = \"suspended\"\n");
    let suspended: &'static str = suspended.leak();
    let left = AtomicU64::new(0);
    for (start, versions) in [(SMALL, ""), ((suspended, SMALL.1), ", versions = \"all\"")] {
        let range = Range::of(start);
        // The probe comes behind all that the archive takes.
        let places: Vec<u64> = (range.places / 2..=range.places).collect();
        each(&places, |place| {
            let has_probe = |scene: &Scene| {
                scene.sandbox.snapshot()["small"].keys().iter().any(|key| key.starts_with(CANARY))
            };
            for (then, code) in [("keep", 0), ("delete-objects", 3)] {
                let scene = range.scene();
                range.die_at(&scene, place);
                if !has_probe(&scene) {
                    return;
                }
                left.fetch_add(1, Ordering::SeqCst);
                let told = format!("killed at {place}, then {then}");
                let other = manifest_of(&range.world, &format!("then = \"{then}\"{versions}"));
                scene.bed.write_manifest(&other);
                let plan = scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
                assert!(plan.stdout.contains("probe-deletes"), "{told}: {plan}");
                assert!(plan.stdout.contains("1 object"), "{told}: it is not counted: {plan}");
                let answer = scene.bed.s3plan(["apply", "--yes"]);
                assert_eq!(answer.code, Some(code), "{told}: {answer}");
                assert!(!has_probe(&scene), "{told}: the probe is still there");
                let archived = std::fs::read_dir(scene.bed.path("archive/small/data"));
                assert_eq!(archived.expect("the payload").count(), 1, "{told}: it was archived");
                let again = scene.bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]);
                let wanted = if code == 0 { 0 } else { 2 };
                assert_eq!(again.code, Some(wanted), "{told}: planned again: {again}");
            }
        });
    }
    assert!(left.into_inner() > 0, "no run died with its probe in the bucket");
}
