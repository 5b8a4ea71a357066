//! The disk: full, out of inodes, failing to write, to sync or to read; files touched behind our
//! back. System calls are made to fail by strace, and file systems are mounted in a namespace of
//! the test's own; where either is not to be had, the test says so by name.

use std::fs;

use super::range::{COLD, Range, VERSIONS, each, is_long, tell};
use crate::support::bed::TestBed;
use crate::support::scene::Scene;

/// Whether a command works here; says which test goes without it.
fn can(what: &str, script: &str, test: &str) -> bool {
    let works = TestBed::without_aws().shell(script).code == Some(0);
    if !works {
        tell(&format!("SKIPPED {test}: {what} is not to be had here"));
    }
    works
}

/// Whether system calls can be watched and made to fail here; says which test goes without it.
pub fn can_strace(test: &str) -> bool {
    can("strace", "strace -o /dev/null -e inject=fsync:error=EIO:when=99 true", test)
}

/// Makes system calls fail, from the n-th of each thread on or only the n-th, one n after the
/// other.
fn fail_in_turn(test: &str, calls: &str, fault: &str, places: u64) {
    if !can_strace(test) {
        return;
    }
    let range = Range::of(COLD);
    let places: Vec<u64> = (1..=if is_long() { places * 4 } else { places }).collect();
    each(&places, |place| {
        let scene = range.scene();
        let told = format!("{calls} fails at {place}: {fault}");
        let inject = format!("{calls}:error={}", fault.replace("N", &place.to_string()));
        let script = format!("exec strace -f -qq -o /dev/null -e inject={inject} $APPLY");
        let answer = range.run_in_shell(&scene, &script);
        if answer.code == Some(127) {
            // The program's own libraries could not be read: it never began.
            return;
        }
        assert!(matches!(answer.code, Some(0 | 1)), "{told}: {answer}");
        range.assert_whole(&scene, &told);
        range.finish(&scene, 3, &told);
    });
    tell(&format!("{calls} failed at {} places", places.len()));
}

#[test]
fn a_disk_that_is_full_from_some_write_on_stops_a_run_that_can_go_on() {
    let test = "a_disk_that_is_full_from_some_write_on_stops_a_run_that_can_go_on";
    fail_in_turn(test, "pwrite64,fallocate,mkdirat", "ENOSPC:when=N+", 14);
}

#[test]
fn a_write_that_fails_once_is_never_taken_for_done() {
    fail_in_turn("a_write_that_fails_once_is_never_taken_for_done", "pwrite64", "EIO:when=N", 8);
}

#[test]
fn a_sync_that_fails_is_final() {
    fail_in_turn("a_sync_that_fails_is_final", "fsync,fdatasync,syncfs", "EIO:when=N", 14);
}

#[test]
fn a_rename_that_fails_leaves_no_half_name() {
    let calls = "rename,renameat,renameat2";
    fail_in_turn("a_rename_that_fails_leaves_no_half_name", calls, "EIO:when=N", 8);
}

#[test]
fn a_read_that_fails_is_no_proof() {
    fail_in_turn("a_read_that_fails_is_no_proof", "read,pread64", "EIO:when=N", 24);
}

/// No inodes, real ones: a file system in memory that takes so many files.
#[test]
fn a_disk_without_inodes_stops_a_run_that_can_go_on() {
    let test = "a_disk_without_inodes_stops_a_run_that_can_go_on";
    let mount = "unshare -rm /bin/sh -c 'mount -t tmpfs -o nr_inodes=9 none /mnt'";
    if !can("the right to mount", mount, test) {
        return;
    }
    let range = Range::of(COLD);
    let scene = range.scene();
    fs::create_dir_all(scene.bed.path("archive")).expect("a folder to mount on");
    let script = r#"unshare -rm /bin/sh -c '
        mount -t tmpfs -o nr_inodes=9 none archive
        $APPLY; echo "full: $?"
        mount -o remount,nr_inodes=9000 archive
        $APPLY; echo "freed: $?"; find archive -type f | grep -c /data/'"#;
    let answer = range.run_in_shell(&scene, script);
    assert!(answer.stdout.contains("full: 1"), "{answer}");
    assert!(answer.stdout.contains("freed: 0\n6\n"), "{answer}");
    assert!(scene.sandbox.witness().deleted_unserved().is_empty());
}

/// Few descriptors: it still ends, or says what is missing.
#[test]
fn few_descriptors_are_enough() {
    let range = Range::of(COLD);
    let scene = range.scene();
    let answer = range.run_in_shell(&scene, "ulimit -n 64; exec $APPLY");
    assert_eq!(answer.code, Some(0), "{answer}");
    range.finish(&scene, 2, "64 descriptors");
}

/// What was proven is not what is there any more: then the approval is worth nothing.
#[test]
fn a_file_touched_between_the_proof_and_the_deletion_stops_the_deletion() {
    let range = Range::of(VERSIONS);
    type Touch = fn(&std::path::Path);
    let touch: [(&str, Touch); 4] = [
        ("truncated", |file| fs::write(file, "").expect("a file")),
        ("other bytes of the same length", |file| fs::write(file, "NEW").expect("a file")),
        ("gone", |file| fs::remove_file(file).expect("a file")),
        ("a link", |file| {
            fs::remove_file(file).expect("a file");
            std::os::unix::fs::symlink("/etc/hostname", file).expect("a link");
        }),
    ];
    for (told, touch) in touch {
        let scene = range.scene();
        scene.bed.s3plan(["apply", "--yes"]).exits(3);
        touch(&scene.bed.path("archive/versions/data/v"));
        let answer = range.run(&scene, &[]);
        assert!(matches!(answer.code, Some(1 | 5)), "{told}: {answer}");
        assert_nothing_deleted(&scene, told);
    }
}

#[track_caller]
fn assert_nothing_deleted(scene: &Scene, told: &str) {
    let deletions = scene.sandbox.witness().deletions();
    assert!(deletions.is_empty(), "{told}: {deletions:#?}");
}
