//! A range to shoot on: a small world, its plan, and what a calm run makes of it, to hold every
//! other run against.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use s3plan::model::BucketName;
use s3plan::state::{Open, Row, State, With};
use s3plan_sandbox::{Deletion, Snapshot, World};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::bed::{Answer, TestBed};
use crate::support::scene::Scene;
use crate::support::story::manifest_of;

/// An object of s3plan's own, to try deletes on: not part of any world.
pub const CANARY: &str = ".s3plan-delete-probe-";

/// A world of one bucket, and what is to become of it: what stands behind `to` in its `archive`.
pub type Start = (&'static str, &'static str);

/// Thaw, parts, a key beside a folder, an unfinished upload, a bucket that goes in the end.
pub const COLD: Start = (
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
    r#"then = "delete-bucket", restore = { days = 30 }"#,
);

/// Old versions and delete markers, all of them archived and deleted.
pub const VERSIONS: Start = (
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
    r#"then = "delete-bucket", versions = "all""#,
);

/// Versions that are overwritten in place, where a delete by key leaves a marker.
pub const SUSPENDED: Start = (
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
    r#"then = "delete-objects", exclude = ["live/**"], versions = "all""#,
);

/// A world with a plan for it, and how a calm run ends.
pub struct Range {
    pub world: World,
    pub manifest: String,
    adopted: &'static [&'static str],
    /// A project in which the plan is made and nothing is applied.
    project: TempDir,
    /// The arguments that apply all of it, approvals included.
    apply: Vec<String>,
    pub calm: Ending,
    /// How many places a calm apply passes at which it could die.
    pub places: u64,
    /// How many of them have each name.
    pub named: BTreeMap<String, u64>,
    /// How long it took.
    pub took: Duration,
}

/// What is left when all is done.
#[derive(Debug)]
pub struct Ending {
    world: Snapshot,
    /// The archives: path and digest of every file, but for the date in `bag-info.txt`.
    archive: BTreeMap<String, String>,
    /// What `status --json` tells of each bucket.
    status: Value,
    /// What was deleted for good, each with how often.
    deleted: BTreeMap<String, u32>,
    /// Requests that reached the account.
    pub requests: u64,
    /// Bytes of objects that were sent.
    pub bytes_sent: u64,
}

impl Range {
    /// Plans, then lets a calm run go to its end.
    pub fn of(start: Start) -> Self {
        Self::prepared(start, &[], |_| {})
    }

    /// The same, with something in the project before the plan is made. `adopted` are the keys whose
    /// files are there already: they are proven by their bytes and never asked for.
    pub fn prepared(
        (world, outcome): Start,
        adopted: &'static [&'static str],
        prepare: impl FnOnce(&TestBed),
    ) -> Self {
        let world = World::parse(world).expect("a world");
        let manifest = manifest_of(&world, outcome);
        Self::planned(world, manifest, adopted, prepare)
    }

    /// The same, with a manifest of its own.
    pub fn planned(
        world: World,
        manifest: String,
        adopted: &'static [&'static str],
        prepare: impl FnOnce(&TestBed),
    ) -> Self {
        let project = TempDir::new().expect("a temporary folder");
        let first = Scene::new(world.clone());
        prepare(&first.bed);
        let first = first.planned(&manifest);
        copy_tree(&first.bed.project(), project.path());
        first.bed.s3plan(["apply", "--yes"]).exits(3);
        let mut apply = vec!["apply".to_owned(), "--yes".to_owned()];
        for row in buckets(&status(&first)) {
            let name = |field: &str| row[field].as_str().unwrap_or_else(|| panic!("{row}"));
            apply.push("--approve".to_owned());
            apply.push(format!("{}@{}", name("bucket"), name("evidence")));
        }
        let mut range = Self {
            world,
            manifest,
            adopted,
            project,
            apply,
            calm: Ending::of(&first),
            places: 0,
            named: BTreeMap::new(),
            took: Duration::ZERO,
        };
        let scene = range.scene();
        let began = Instant::now();
        let answer = range.run(&scene, &[("S3PLAN_FAILPOINTS", "1")]).exits(0);
        range.took = began.elapsed();
        range.named = answer.stderr.lines().filter_map(count_of_a_place).collect();
        range.places = range.named.values().sum();
        assert!(range.places > 0, "no place was counted: {answer}");
        range.calm = Ending::of(&scene);
        range.calm.assert_sound(&scene, adopted, "the calm run");
        range
    }

    /// The world as it was in the beginning, with the manifest written and no plan made.
    pub fn unplanned(&self) -> Scene {
        let scene = Scene::new(self.world.clone());
        scene.bed.write_manifest(&self.manifest);
        scene
    }

    /// The world as it was in the beginning, with the plan made and nothing applied.
    pub fn scene(&self) -> Scene {
        let scene = Scene::new(self.world.clone());
        copy_tree(self.project.path(), &scene.bed.project());
        scene
    }

    /// Applies with everything approved.
    pub fn run(&self, scene: &Scene, env: &[(&str, &str)]) -> Answer {
        self.start(scene, env).wait()
    }

    /// The same, and dies at a place, `12` or `before DeleteObjects#2`. See [`place_of_death`].
    pub fn die_at(&self, scene: &Scene, place: impl ToString) -> Answer {
        self.run(scene, &[("S3PLAN_DIE_AT", &place.to_string())])
    }

    /// The same under a shell script, in which `$APPLY` is the command line, and `$ARGS` what comes
    /// behind the program.
    pub fn run_in_shell(&self, scene: &Scene, script: &str) -> Answer {
        scene.bed.shell(&self.script(script))
    }

    /// Such a script as the shell takes it.
    pub fn script(&self, script: &str) -> String {
        let script = script.replace("$APPLY", "\"$S3PLAN\" $ARGS");
        script.replace("$ARGS", &self.apply.join(" "))
    }

    /// Whatever has a name among an archive's objects holds all that belongs under it.
    pub fn assert_whole(&self, scene: &Scene, told: &str) {
        let mut found = BTreeMap::new();
        digest_tree(&scene.bed.path("archive"), "", &mut found);
        found.retain(|path, _| path.contains("/data/") && !path.ends_with('/'));
        for (path, digest) in &found {
            assert_eq!(Some(digest), self.calm.archive.get(path), "{told}: {path}");
        }
    }

    /// The same, without waiting for the end.
    pub fn start(&self, scene: &Scene, env: &[(&str, &str)]) -> crate::support::bed::Running {
        let args: Vec<&str> = self.apply.iter().map(String::as_str).collect();
        scene.bed.spawn_with(env, &args)
    }

    /// Goes on to the end, and holds it against the calm one. `lives` is how many processes it
    /// took.
    pub fn finish(&self, scene: &Scene, lives: u64, told: &str) {
        let answer = self.run(scene, &[]);
        assert_eq!(answer.code, Some(0), "{told}: {answer}");
        let ending = Ending::of(scene);
        ending.assert_sound(scene, self.adopted, told);
        ending.assert_same(&self.calm, lives, told);
    }

    /// What is left in S3 and on the disk is what a calm run leaves.
    pub fn assert_ended(&self, scene: &Scene, told: &str) {
        Ending::of(scene).assert_left(&self.calm, told);
    }
}

impl Ending {
    fn of(scene: &Scene) -> Self {
        let mut archive = BTreeMap::new();
        digest_tree(&scene.bed.path("archive"), "", &mut archive);
        let mut deleted = BTreeMap::new();
        for gone in scene.sandbox.witness().deletions() {
            // A marker without an id of its own comes and goes with a delete by key.
            let passing = gone.marker && gone.pin.version_id == "null";
            if !gone.pin.key.starts_with(CANARY) && !passing {
                *deleted.entry(format!("{:?}", gone.pin)).or_insert(0) += 1;
            }
        }
        Self {
            world: scene.sandbox.snapshot(),
            archive,
            status: status(scene)["buckets"].clone(),
            deleted,
            bytes_sent: scene.sandbox.witness().bytes_sent(),
            requests: scene.sandbox.witness().counts().values().sum(),
        }
    }

    /// What must hold of every run, calm or not.
    fn assert_sound(&self, scene: &Scene, adopted: &[&str], told: &str) {
        let witness = scene.sandbox.witness();
        let of_the_world = |mut gone: Vec<Deletion>| {
            gone.retain(|gone| !gone.pin.key.starts_with(CANARY));
            gone
        };
        let mut unserved = of_the_world(witness.deleted_unserved());
        unserved.retain(|gone| !adopted.contains(&gone.pin.key.as_str()));
        assert!(unserved.is_empty(), "{told}: deleted, and never served whole: {unserved:#?}");
        let unpinned = of_the_world(witness.deleted_unpinned());
        assert!(unpinned.is_empty(), "{told}: deleted without a condition: {unpinned:#?}");
        for (pin, times) in &self.deleted {
            assert_eq!(*times, 1, "{told}: {pin} was deleted again");
        }
        let mut thawing = BTreeSet::new();
        for seen in witness.requests().into_iter().filter(|seen| seen.op == "RestoreObject") {
            let object = (seen.bucket, seen.key, seen.version_id);
            assert!(!thawing.contains(&object), "{told}: a second restore of {object:?}");
            if seen.status.is_some_and(|status| status < 300) {
                thawing.insert(object);
            }
        }
    }

    /// What is left in S3 and on the disk.
    #[track_caller]
    fn assert_left(&self, calm: &Self, told: &str) {
        assert_eq!(self.world, calm.world, "{told}: what is left in S3");
        let differs = differences(&self.archive, &calm.archive);
        assert!(differs.is_empty(), "{told}: the archive differs:\n{differs}");
    }

    #[track_caller]
    fn assert_same(&self, calm: &Self, lives: u64, told: &str) {
        self.assert_left(calm, told);
        assert_eq!(self.deleted, calm.deleted, "{told}: what was deleted");
        assert_eq!(self.status, calm.status, "{told}: what status says");
        // Each life looks at everything anew and repeats what was in flight, and no more.
        let most = calm.requests * lives + 10 * lives;
        assert!(self.requests <= most, "{told}: {} requests, at most {most}", self.requests);
    }
}

/// Name and count, where a line tells how often a place was passed.
fn count_of_a_place(line: &str) -> Option<(String, u64)> {
    let (count, name) = line.strip_prefix("passed ")?.split_once(" times: ")?;
    Some((name.to_owned(), count.parse().ok()?))
}

/// Where a run died, as number and name; `None` where it came to its end.
pub fn place_of_death(answer: &Answer) -> Option<String> {
    let place = answer.stderr.lines().find_map(|line| line.strip_prefix("died at "));
    place.map(str::to_owned)
}

/// All that the state of a project knows of its objects, by bucket, read from a copy of it.
pub fn rows_of(scene: &Scene) -> Vec<(BucketName, Row)> {
    let copy = TempDir::new().expect("a temporary folder");
    copy_tree(&scene.bed.path(".s3plan"), copy.path());
    // The opening of an apply that deletes: it checks every page.
    let how = Open::WriteChecked { holder: "a test" };
    let state = State::open(copy.path(), None, how).expect("a state that opens");
    let mut rows = Vec::new();
    for bucket in state.buckets().expect("reads") {
        let page = state.page(&bucket.name, 0, usize::MAX, With::Rows).expect("reads");
        rows.extend(page.into_iter().map(|row| (bucket.name.clone(), row)));
    }
    rows
}

fn differences(found: &BTreeMap<String, String>, calm: &BTreeMap<String, String>) -> String {
    let mut told = String::new();
    let paths: BTreeSet<&String> = found.keys().chain(calm.keys()).collect();
    for path in paths.into_iter().filter(|path| found.get(*path) != calm.get(*path)) {
        let _ = writeln!(told, "{path}: {:?}, calm {:?}", found.get(path), calm.get(path));
    }
    told
}

/// Runs `shoot` for each number, on a few threads at a time, all of them even where some fail.
pub fn each(numbers: &[u64], shoot: impl Fn(u64) + Sync) {
    // Most of a run is waiting for disk and pauses, so that more threads than processors pay.
    const AT_A_TIME: usize = 4;
    let next = AtomicU64::new(0);
    let failed = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::SeqCst) as usize;
                    let Some(&number) = numbers.get(place) else { break };
                    if catch_unwind(AssertUnwindSafe(|| shoot(number))).is_err() {
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    assert!(failed == 0, "{failed} of {} failed, see above", numbers.len());
}

/// Says how much was tried, also where all is well: the test runner keeps `eprintln!` to itself.
pub fn tell(words: &str) {
    std::io::stderr().write_all(format!("{words}\n").as_bytes()).expect("a stderr");
}

/// The most memory that a process took so far, in KiB: the kernel's own count, so that nothing
/// between two looks is missed. 0 where it has ended.
pub fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// Whether the long tiers are asked for.
pub fn is_long() -> bool {
    std::env::var_os("S3PLAN_LONG").is_some()
}

/// How much a test does: as a variable says, or else as usual for the tier.
pub fn number_of(variable: &str, long: u64, usual: u64) -> u64 {
    let number = |text: OsString| text.to_str()?.parse().ok();
    match std::env::var_os(variable) {
        Some(text) => number(text).unwrap_or_else(|| panic!("{variable} is no number")),
        None if is_long() => long,
        None => usual,
    }
}

pub fn status(scene: &Scene) -> Value {
    scene.bed.s3plan(["status", "--json"]).exits(0).json()
}

fn buckets(status: &Value) -> Vec<Value> {
    status["buckets"].as_array().cloned().unwrap_or_default()
}

/// Copies files and folders; locks are left behind.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_tree(&path, &to);
        } else {
            fs::copy(&path, &to).expect("a copy");
        }
    }
}

/// Path and digest of every file. What a bag says of the day it was sealed on is left out, and so is
/// the staging folder, as long as nothing is in it: a run that was killed leaves it to the next one
/// that opens the archive.
fn digest_tree(folder: &Path, above: &str, digests: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            if !name.ends_with("/.s3plan-staging") {
                digests.insert(format!("{name}/"), "a folder".to_owned());
            }
            digest_tree(&entry.path(), &format!("{name}/"), digests);
            continue;
        }
        if name.ends_with(".s3plan-lock") {
            continue;
        }
        let mut bytes = fs::read(entry.path()).expect("a file");
        if name.ends_with("bag-info.txt") || name.ends_with("tagmanifest-sha256.txt") {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let dated = |line: &&str| line.starts_with("Bagging-Date") || line.contains("bag-info");
            bytes = text.lines().filter(|line| !dated(line)).collect::<String>().into_bytes();
        }
        digests.insert(name, hex::encode(Sha256::digest(&bytes)));
    }
}
