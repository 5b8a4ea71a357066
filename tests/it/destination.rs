//! The archive's place on disk: it only grows, is never mistaken for an empty folder, has one writer at a
//! time, and nothing that is planted in it redirects or hangs a run.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use s3plan_sandbox::{BucketSpec, Effect, Rule, Step, World};

use crate::support::bag::{assert_valid_bag, read_independently, rows, sha256};
use crate::support::bed::Running;
use crate::support::patience::wait_for;
use crate::support::scene::{Scene, small_world};

const BUCKET: &str = "photos-2019";
const KEEP: &str = r#"then = "keep""#;
const DELETE: &str = r#"then = "delete-objects""#;

#[test]
fn a_bucket_that_is_filled_again_finds_its_place_beside_what_was_there() {
    let scene = Scene::retiring(small_world(), DELETE);
    for round in ["first", "second", "third"] {
        if round != "first" {
            for key in ["a.jpg", "b/c.jpg/now-a-folder", "new"] {
                assert!(scene.sandbox.put(BUCKET, key, format!("{round} {key}").as_bytes()));
            }
            scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
        }
        scene.bed.s3plan(["apply", "--yes"]).exits(3);
        scene.approve(BUCKET);
        scene.bed.s3plan(["apply", "--yes"]).exits(0);
        assert_valid_bag(&scene.archive(BUCKET));
        scene.bed.s3plan(["verify"]).exits(0);
    }
    assert_eq!(fs::read(scene.archive(BUCKET).join("data/a.jpg")).expect("it stays"), b"first");
    let rows = rows(&scene.archive(BUCKET));
    assert_eq!(rows.len(), 3 + 3 + 3, "no row is lost");
    for text in ["first", "second a.jpg", "third a.jpg", "second new", "third new", "second"] {
        let row = rows.iter().find(|row| row["sha256"] == sha256(text.as_bytes()));
        let path = row.unwrap_or_else(|| panic!("no row of {text:?}"))["path"].as_str();
        let file = scene.archive(BUCKET).join(path.expect("a path"));
        assert_eq!(fs::read(&file).expect("a file"), text.as_bytes());
    }
}

#[test]
fn what_changes_or_goes_in_s3_takes_nothing_from_the_archive() {
    let scene = Scene::retiring(small_world(), KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    scene.sandbox.put(BUCKET, "a.jpg", b"overwritten");
    let gone = Step::Delete { bucket: BUCKET.into(), key: "b/c.jpg".into(), version: None };
    scene.sandbox.step(&gone);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fs::read(scene.archive(BUCKET).join("data/a.jpg")).expect("it stays"), b"first");
    assert_eq!(fs::read(scene.archive(BUCKET).join("data/b/c.jpg")).expect("it stays"), b"second");
    let current = read_independently(&scene.archive(BUCKET));
    assert_eq!(current["a.jpg"], sha256(b"overwritten"));
    assert!(!current.contains_key("b/c.jpg"));
    assert_eq!(rows(&scene.archive(BUCKET)).len(), 4);
    assert_valid_bag(&scene.archive(BUCKET));
    // And back to what it was: the old file is found and taken, not fetched.
    scene.sandbox.put(BUCKET, "a.jpg", b"first");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("1 look present");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(read_independently(&scene.archive(BUCKET))["a.jpg"], sha256(b"first"));
    assert_valid_bag(&scene.archive(BUCKET));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("nothing to do");
}

/// An archive that is not where it was is no empty folder, however it went.
#[test]
fn an_archive_that_is_not_mounted_is_never_begun_anew() {
    let scene = Scene::retiring(small_world(), DELETE);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let (here, away) = (scene.archive(BUCKET), scene.bed.path("elsewhere"));
    let refuses = |scene: &Scene| {
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("mount");
        assert!(!here.join("bag-info.txt").exists() && !here.join("data").exists());
    };
    fs::rename(&here, &away).expect("unmounted");
    refuses(&scene);
    fs::create_dir(&here).expect("an empty mount point");
    refuses(&scene);
    // Nor by an apply whose plan saw the archive.
    fs::remove_dir(&here).expect("gone");
    fs::rename(&away, &here).expect("mounted");
    scene.sandbox.put(BUCKET, "more", b"more");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    fs::rename(&here, &away).expect("unmounted");
    fs::create_dir(&here).expect("an empty mount point");
    scene.bed.s3plan(["apply", "--yes"]).exits(5).blames("mounted");
    assert_eq!(fs::read_dir(&here).expect("the mount point").count(), 0);
    let _ = fs::remove_file(scene.bed.path(".s3plan/state.redb"));
    scene.bed.s3plan(["apply", "--yes"]).exits(5).blames("mounted");
    assert_eq!(fs::read_dir(&here).expect("the mount point").count(), 0);
    scene.assert_nothing_lost();
}

#[test]
fn an_archive_is_remembered_when_its_objects_are_long_gone() {
    let scene = Scene::retiring(small_world(), DELETE);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    scene.approve(BUCKET);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    fs::rename(scene.archive(BUCKET), scene.bed.path("elsewhere")).expect("unmounted");
    scene.sandbox.put(BUCKET, "new", b"new");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("mount");
    // A person who knows better says so.
    scene.bed.s3plan(["state", "reset", BUCKET, "--yes"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
}

/// Starts an apply, and waits until the new archive is marked while not one object came yet.
fn begun(scene: &Scene) -> Running {
    scene.sandbox.add_fault(Rule::on("GetObject").then(Effect::answer(503, "SlowDown")));
    let running = scene.bed.spawn(["apply", "--yes"]);
    let asked = || (scene.sandbox.witness().count("GetObject") > 0).then_some(());
    assert!(wait_for(Duration::from_secs(60), asked).is_some(), "no object was asked for");
    assert!(scene.archive(BUCKET).join("bag-info.txt").exists());
    running
}

/// Puts an empty folder in the archive's place, as an unmount does.
fn unmount(scene: &Scene) {
    let here = scene.archive(BUCKET);
    fs::rename(&here, scene.bed.path("elsewhere")).expect("unmounted");
    fs::create_dir(&here).expect("an empty mount point");
}

#[track_caller]
fn assert_mount_point_is_untouched(scene: &Scene) {
    assert_eq!(fs::read_dir(scene.archive(BUCKET)).expect("the mount point").count(), 0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("mount");
    scene.assert_nothing_lost();
    // Mounted again, all goes on.
    fs::remove_dir(scene.archive(BUCKET)).expect("gone");
    fs::rename(scene.bed.path("elsewhere"), scene.archive(BUCKET)).expect("mounted");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let answer = scene.apply();
    if answer.code == Some(3) {
        scene.approve(BUCKET);
        scene.apply().exits(0);
    }
    assert_eq!(scene.left(BUCKET), [""; 0]);
    assert_valid_bag(&scene.archive(BUCKET));
}

#[test]
fn an_archive_that_goes_before_its_first_object_came_is_missed_by_the_run() {
    let scene = Scene::retiring(small_world(), DELETE);
    let running = begun(&scene);
    unmount(&scene);
    scene.sandbox.clear_faults();
    running.wait().exits(5).blames("mounted");
    let known = scene.known(BUCKET);
    assert!(known.iter().all(|row| row.path.is_none()), "{known:?}");
    assert_mount_point_is_untouched(&scene);
}

#[test]
fn an_archive_that_goes_before_its_first_object_came_is_missed_by_the_next_run() {
    let scene = Scene::retiring(small_world(), DELETE);
    let running = begun(&scene);
    running.signal(Signal::KILL);
    let _ = running.wait();
    unmount(&scene);
    scene.sandbox.clear_faults();
    scene.bed.s3plan(["apply", "--yes"]).exits(5).blames("mounted");
    assert_mount_point_is_untouched(&scene);
}

/// Nothing is deleted on the strength of an archive that is not where it should be.
#[test]
fn an_archive_that_goes_behind_the_gate_keeps_every_object() {
    let scene = Scene::retiring(small_world(), DELETE);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    scene.approve(BUCKET);
    unmount(&scene);
    scene.bed.s3plan(["apply", "--yes"]).exits(5).blames("mounted");
    assert_mount_point_is_untouched(&scene);
}

/// Two projects, two processes, one place: the second is told by whom it is held, and leaves.
#[test]
fn two_applies_never_share_an_archive() {
    let world = small_world().with(BucketSpec::new("other").text("a.jpg", "another first"));
    let first = Scene::new(world);
    let place = first.archive(BUCKET);
    let manifest = |bucket: &str| {
        format!(
            "[account]\nid = \"123456789012\"\n[bucket.\"{bucket}\"]\n\
             archive = {{ to = \"{}\", {DELETE} }}\n",
            place.display()
        )
    };
    let first = first.planned(&manifest(BUCKET));
    let same = Scene::beside(&first).planned(&manifest(BUCKET));
    let other = Scene::beside(&first).planned(&manifest("other"));
    let running = begun(&first);
    let holder = format!("process {}", running.id());
    for scene in [&same, &other] {
        let answer = scene.bed.s3plan(["apply", "--yes", "--no-wait"]).exits(6);
        answer.blames("is being written to by").blames(&holder).blames(BUCKET);
    }
    first.sandbox.clear_faults();
    running.wait().exits(3);
    // What the first one has made is its own work alone.
    assert_eq!(read_independently(&place).len(), 3);
    assert_eq!(rows(&place).len(), 3);
    assert!(same.known(BUCKET).iter().all(|row| row.path.is_none()));
    assert_valid_bag(&place);
    // Later, one after the other: the same bucket's archive is taken over, another's is refused.
    other.bed.s3plan(["apply", "--yes", "--no-wait"]).exits(5).blames("is the archive of bucket");
    same.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("of which 3 look present");
    same.apply_through_the_gate(BUCKET).exits(0);
    assert_valid_bag(&place);
    first.assert_deleted_with_care();
    assert_eq!(first.left("other").len(), 1);
}

/// What a run needs while it works is not left in the bag.
#[test]
fn a_bag_holds_nothing_but_the_bag() {
    let scene = Scene::retiring(small_world(), DELETE);
    let inside = || -> BTreeSet<String> {
        let names = fs::read_dir(scene.archive(BUCKET)).expect("the archive");
        names.map(|e| e.expect("an entry").file_name().into_string().expect("text")).collect()
    };
    let bag = [
        "bag-info.txt",
        "bagit.txt",
        "data",
        "manifest-sha256.txt",
        "metadata",
        "tagmanifest-sha256.txt",
    ];
    let bag: BTreeSet<String> = bag.map(str::to_owned).into();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    assert_eq!(inside(), bag);
    scene.approve(BUCKET);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(inside(), bag);
}

#[test]
fn two_writers_never_share_an_archive() {
    let scene = Scene::retiring(small_world(), KEEP);
    let lock = scene.bed.path(&format!("archive/{BUCKET}.s3plan-lock"));
    fs::create_dir_all(lock.parent().expect("a folder")).expect("the folder above");
    let held = File::create(&lock).expect("the lock file");
    held.lock().expect("locked");
    fs::write(&lock, "pid 4711\nhost nas\nbucket photos-2019\n").expect("says who");
    scene.bed.s3plan(["apply", "--yes"]).exits(6).blames("process 4711 on nas");
    assert!(!scene.archive(BUCKET).exists());
    drop(held);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
}

/// Links, pipes and folders where files go, planted before the run.
#[test]
fn what_was_planted_before_a_run_redirects_nothing_and_hangs_nothing() {
    let scene = Scene::retiring(small_world(), KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let outside = scene.bed.path("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("secret"), "secret").expect("a file");
    let data = scene.archive(BUCKET).join("data");
    for key in ["link", "pipe", "folder", "through/x"] {
        scene.sandbox.put(BUCKET, key, key.as_bytes());
    }
    symlink(outside.join("secret"), data.join("link")).expect("a link to a file");
    symlink(&outside, data.join("through")).expect("a link to a folder");
    assert!(Command::new("mkfifo").arg(data.join("pipe")).status().expect("mkfifo").success());
    fs::create_dir(data.join("folder")).expect("a folder");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fs::read_to_string(outside.join("secret")).expect("it stays"), "secret");
    assert_eq!(fs::read_dir(&outside).expect("the folder").count(), 1, "nothing was written there");
    assert!(fs::metadata(data.join("pipe")).expect("it stays").file_type().is_fifo());
    let found = read_independently(&scene.archive(BUCKET));
    for key in ["link", "pipe", "folder", "through/x"] {
        assert_eq!(found[key], sha256(key.as_bytes()), "{key}");
    }
    // Once the planted things are gone, all tools agree again.
    for name in ["link", "pipe", "through"] {
        let _ = fs::remove_file(data.join(name));
    }
    assert_valid_bag(&scene.archive(BUCKET));
    scene.bed.s3plan(["verify"]).exits(0);
}

/// A device that would swallow whatever is written to it. Only root may make one.
#[test]
fn a_device_that_was_planted_is_not_written_to() {
    let scene = Scene::retiring(small_world(), KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let device = scene.archive(BUCKET).join("data/dev");
    let made = Command::new("mknod").arg(&device).args(["c", "1", "3"]).output();
    if !made.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: a_device_that_was_planted_is_not_written_to: no device can be made here"
        );
        return;
    }
    scene.sandbox.put(BUCKET, "dev", b"swallowed?");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let kind = fs::symlink_metadata(&device).expect("it stays").file_type();
    assert!(kind.is_char_device(), "{kind:?}");
    assert_eq!(read_independently(&scene.archive(BUCKET))["dev"], sha256(b"swallowed?"));
    fs::remove_file(&device).expect("gone");
    assert_valid_bag(&scene.archive(BUCKET));
}

/// A thread that swaps a folder for a link to another place, again and again.
#[test]
fn what_is_planted_during_a_run_redirects_nothing() {
    let spec = (0..400).fold(BucketSpec::new(BUCKET), |spec, n| {
        spec.text(&format!("d{}/f{n:03}", n % 4), &format!("text {n}"))
    });
    let scene = Scene::retiring(World::default().with(spec), KEEP);
    let outside = scene.bed.path("outside");
    fs::create_dir(&outside).expect("a folder");
    let (data, stop) = (scene.archive(BUCKET).join("data"), AtomicBool::new(false));
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                let at = data.join(format!("d{}", n % 4));
                let aside = data.join(format!("aside{n}"));
                if fs::rename(&at, &aside).is_ok() || data.is_dir() {
                    let _ = symlink(&outside, &at);
                    thread::yield_now();
                    let _ = fs::remove_file(&at);
                    let _ = fs::rename(&aside, &at);
                }
                n += 1;
            }
        });
        let answer = scene.bed.s3plan(["apply", "--yes"]);
        stop.store(true, Ordering::Relaxed);
        answer
    });
    assert!(matches!(answer.code, Some(0 | 1 | 5)), "{answer}");
    assert_eq!(fs::read_dir(&outside).expect("the folder").count(), 0, "nothing left the archive");
    // In peace, the next plan brings home what the quarrel cost.
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let found = read_independently(&scene.archive(BUCKET));
    assert_eq!(found.len(), 400);
    assert_valid_bag(&scene.archive(BUCKET));
}
