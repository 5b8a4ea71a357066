//! Objects that are fetched in pieces.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use s3plan_sandbox::{Algorithm, BucketSpec, ChecksumKind, Effect, ObjectSpec, Rule, Step, World};

use crate::faults::disk::{can_strace, watching};
use crate::support::patience::wait_for;
use crate::support::scene::Scene;

const MANIFEST: &str = "[account]\nid = \"123456789012\"\n\
    [bucket.films]\narchive = { to = \"archive/{bucket}\", then = \"delete-objects\" }\n";
const SIZE: u64 = 80 << 20;
const LIMIT: Duration = Duration::from_secs(120);

fn film() -> ObjectSpec {
    ObjectSpec::sized("film", "80MiB").checksum(Algorithm::Crc64nvme, ChecksumKind::FullObject)
}

fn scene(object: ObjectSpec) -> Scene {
    Scene::new(World::default().with(BucketSpec::new("films").object(object))).planned(MANIFEST)
}

/// The files that an object in pieces has in the staging folder.
fn staged(scene: &Scene, end: &str) -> Vec<PathBuf> {
    let folder = scene.bed.path("archive/films/.s3plan-staging");
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

/// How many bytes are noted as durable.
fn noted(scene: &Scene) -> u64 {
    let notes = staged(scene, ".done").pop().and_then(|path| fs::read_to_string(path).ok());
    let range = |line: &str| {
        let (first, end) = line.split_once(' ')?;
        Some(end.parse::<u64>().ok()? - first.parse::<u64>().ok()?)
    };
    notes.unwrap_or_default().lines().filter_map(range).sum()
}

/// Fetches until three pieces are noted and the others hang, and kills the run.
fn killed_half_way(scene: &Scene) -> u64 {
    let hang = Rule::on("GetObject").calls(4, 99).then(Effect::Stall { after: 1000 });
    scene.sandbox.add_fault(hang);
    let running = scene.bed.spawn(["apply", "--yes"]);
    let noted = wait_for(LIMIT, || Some(noted(scene)).filter(|&noted| noted >= 3 << 24));
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, None);
    scene.sandbox.clear_faults();
    scene.sandbox.witness().clear();
    noted.expect("three pieces are noted")
}

/// Applies to the gate: the file is proven then, and nothing of its making is left.
fn comes_home(scene: &Scene) {
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    assert_eq!(staged(scene, ""), [] as [PathBuf; 0]);
    assert_eq!(scene.bed.path("archive/films/data/film").metadata().expect("a file").len(), SIZE);
    scene.evidence("films");
    scene.assert_nothing_lost();
}

#[test]
fn a_huge_object_goes_on_after_a_kill_where_it_was() {
    let scene = scene(film());
    let noted = killed_half_way(&scene);
    comes_home(&scene);
    let sent = scene.sandbox.witness().bytes_sent();
    // And what a probe of deletes reads of an object of its own.
    assert!((SIZE - noted..SIZE - noted + 1000).contains(&sent), "{sent} of {SIZE}, {noted} noted");
}

/// What a disk did to the pieces while nobody looked is found out by the proof.
#[test]
fn pieces_that_rotted_between_two_runs_are_fetched_again() {
    let scene = scene(film());
    killed_half_way(&scene);
    let part = staged(&scene, ".part").pop().expect("a partial file");
    let zeros = vec![0; SIZE as usize];
    fs::write(part, zeros).expect("a file");
    comes_home(&scene);
    assert!(scene.sandbox.witness().bytes_sent() > SIZE, "all of it once more");
}

/// A huge file is read back while its pieces come, past what memory holds of it: where it is not what
/// was written, nothing is kept of it.
#[test]
fn a_huge_file_that_reads_back_differently_is_not_kept() {
    if !can_strace("a_huge_file_that_reads_back_differently_is_not_kept") {
        return;
    }
    let scene = scene(film());
    killed_half_way(&scene);
    let part = staged(&scene, ".part").pop().expect("a partial file");
    // Its digests are taken by other calls: only the reading back is told of bytes that it was not
    // given.
    let lies = watching(&part, "-e inject=read:retval=262144");
    let script = lies.replace("$APPLY", "\"$S3PLAN\" apply --yes");
    let answer = scene.bed.shell(&script).exits(1);
    answer.blames("reads back differently from what was written (3 times)");
    assert_eq!(staged(&scene, ""), [] as [PathBuf; 0]);
    assert!(!scene.bed.path("archive/films/data/film").exists());
    comes_home(&scene);
}

/// The pieces are the old object's: another one under the key has nothing of them.
#[test]
fn pieces_of_an_object_that_was_overwritten_are_no_part_of_the_new_one() {
    let scene = scene(film());
    killed_half_way(&scene);
    let put = Step::Put { bucket: "films".into(), key: "film".into(), body: "new".into() };
    scene.sandbox.step(&put);
    scene.bed.s3plan(["apply", "--yes"]).exits(4).blames("film");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    assert_eq!(scene.bed.read("archive/films/data/film"), "new");
    assert_eq!(staged(&scene, ""), [] as [PathBuf; 0]);
}

/// Pieces break, lie and come out of order like whole objects do; an object in parts is cut along
/// them.
#[test]
fn pieces_that_break_or_lie_are_asked_for_again() {
    let scene = scene(film().parts("5MiB").checksum(Algorithm::Crc32, ChecksumKind::Composite));
    let get = |nth| Rule::on("GetObject").nth(nth);
    let other = Effect::Ask { name: "range".into(), value: Some("bytes=0-9".into()) };
    scene.sandbox.add_fault(get(2).then(Effect::CutBody { after: 100_000 }));
    scene.sandbox.add_fault(get(3).then(other));
    scene.sandbox.add_fault(get(4).then(Effect::FlipBit { offset: 5000 }));
    comes_home(&scene);
}
