//! Long and large: many objects through the whole life of a bucket with faults on. Memory and open
//! files must stay flat.
//!
//! `cargo test` takes a few thousand. A million, in release so that it does not take all day:
//!
//! ```sh
//! S3PLAN_LONG=1 cargo test --release --workspace --test it faults::large -- --nocapture
//! ```
//!
//! `S3PLAN_LONG_OBJECTS` says another number.

use std::fs;
use std::time::{Duration, Instant};

use s3plan_sandbox::{Effect, Rule, World};

use super::range::{is_long, number_of, peak_memory, tell};
use crate::support::bed::{Answer, TestBed};
use crate::support::scene::Scene;

/// What the program may take at most, whatever the number of objects, with as many fetchers as there
/// ever are and answers that fail: 150 MB. In KiB.
const MOST_MEMORY: u64 = 150_000_000 / 1024;
/// And of open files: connections for every fetcher, and the SDK's own for what has to be repeated.
const MOST_FILES: usize = 600;

#[test]
fn many_objects_pass_through_the_whole_life_of_a_bucket_with_faults_on() {
    let objects = number_of("S3PLAN_LONG_OBJECTS", 1_000_000, 2_000);
    let cold = objects / 10;
    let warm = objects - cold;
    // The clock of this world runs fast, yet a million objects come before restored copies lapse.
    let world = format!(
        r#"
now = "2024-06-01T10:30:00Z"
speed = 200.0
[modes]
restore_seconds = 60
[bucket.large]
[[bucket.large.object]]
key = "warm/{{n}}"
count = {warm}
size = 100
[[bucket.large.object]]
key = "cold/{{n}}"
count = {cold}
size = 100
storage_class = "DEEP_ARCHIVE"
"#
    );
    let manifest = r#"
[account]
id = "123456789012"
[bucket.large]
archive = { to = "archive/{bucket}", then = "delete-bucket", restore = { days = 30 } }
"#;
    let scene = Scene::new(World::parse(&world).expect("a world"));
    scene.bed.write_manifest(manifest);
    let bytes_before = |seen: &Scene| seen.sandbox.witness().bytes_sent();
    let faults = [
        Rule::on("GetObject").chance(0.01, 1).then(Effect::answer(503, "SlowDown")),
        Rule::on("GetObject").chance(0.002, 2).then(Effect::CutBody { after: 50 }),
        Rule::on("GetObject").chance(0.001, 3).then(Effect::FlipBit { offset: 7 }),
        Rule::on("GetObject").chance(0.001, 4).then(Effect::Drop),
        Rule::on("RestoreObject").chance(0.01, 5).then(Effect::answer(503, "SlowDown")),
        Rule::on("RestoreObject").chance(0.001, 6).then(Effect::LoseAnswer),
        Rule::on("DeleteObjects").chance(0.05, 7).then(Effect::answer(500, "InternalError")),
        Rule::on("DeleteObjects").chance(0.05, 8).then(Effect::LoseAnswer),
        Rule::on("ListObjectsV2").chance(0.02, 9).then(Effect::answer(500, "InternalError")),
    ];
    for fault in faults {
        scene.sandbox.add_fault(fault);
    }
    let mut most = Most::default();
    most.of(&scene.bed, &["plan", "manifest.toml"], 0);
    // What a lost answer, or a bit that was flipped three times over, leaves undone is left to the
    // same command again.
    for life in 0.. {
        assert!(life < 10, "it does not come to an end");
        let answer = most.of(&scene.bed, &["apply", "--yes"], 3);
        if answer.code == Some(3) {
            break;
        }
    }
    assert!(bytes_before(&scene) >= objects * 100, "all of it came");
    scene.assert_nothing_lost();
    let gate = format!("large@{}", scene.evidence("large"));
    for life in 0.. {
        assert!(life < 10, "it does not come to an end");
        let answer = most.of(&scene.bed, &["apply", "--yes", "--approve", &gate], 0);
        if answer.code == Some(0) {
            break;
        }
    }
    assert!(!scene.sandbox.snapshot().contains_key("large"), "the bucket is gone");
    let witness = scene.sandbox.witness();
    assert!(witness.deleted_unserved().is_empty(), "deleted, and never served whole");
    most.of(&scene.bed, &["verify", "large"], 0);
    let listed = fs::read_to_string(scene.bed.path("archive/large/manifest-sha256.txt"));
    assert_eq!(listed.expect("a manifest").lines().count() as u64, objects);
    tell(&format!(
        "{objects} objects: {} MiB of memory and {} open files at most, {:.0?}",
        most.memory >> 10,
        most.files,
        most.took
    ));
    assert!(most.memory < MOST_MEMORY, "{} KiB of memory", most.memory);
    assert!(most.files < MOST_FILES, "{} open files", most.files);
}

/// The most that any run took.
#[derive(Default)]
struct Most {
    /// In KiB.
    memory: u64,
    files: usize,
    took: Duration,
}

impl Most {
    /// Runs a command and looks at its process now and then. It ends with this code, or with 1.
    fn of(&mut self, bed: &TestBed, args: &[&str], code: i32) -> Answer {
        let began = Instant::now();
        let mut run = bed.spawn(args);
        while !run.has_ended() {
            self.memory = self.memory.max(peak_memory(run.id()));
            let files = fs::read_dir(format!("/proc/{}/fd", run.id())).map_or(0, Iterator::count);
            self.files = self.files.max(files);
            std::thread::sleep(Duration::from_millis(20));
        }
        let answer = run.wait();
        self.took += began.elapsed();
        if is_long() {
            tell(&format!("{}: {:?}, {:.0?}", args[0], answer.code, began.elapsed()));
        }
        assert!(answer.code == Some(code) || answer.code == Some(1), "{answer}");
        answer
    }
}
