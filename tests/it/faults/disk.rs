//! The disk: full, out of inodes, failing to write, to sync or to read; files touched behind our
//! back. System calls are made to fail by strace, and file systems are mounted in a namespace of
//! the test's own; where either is not to be had, the test says so by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;
use s3plan::state::Mark;
use s3plan_sandbox::{Seen, World};

use super::range::{COLD, Range, VERSIONS, each, is_long, peak_memory, rows_of, tell};
use crate::support::bed::TestBed;
use crate::support::patience::wait_for;
use crate::support::scene::Scene;
use crate::support::story::manifest_of;

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
        let script = format!("exec strace -f -qq -o /dev/null -e 'inject={inject}' $APPLY");
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
    let calls = "?rename,?renameat,renameat2";
    fail_in_turn("a_rename_that_fails_leaves_no_half_name", calls, "EIO:when=N", 8);
}

#[test]
fn a_read_that_fails_is_no_proof() {
    fail_in_turn("a_read_that_fails_is_no_proof", "read,pread64", "EIO:when=N", 24);
}

/// A file that never reads back is fetched anew a few times, and then the medium is not trusted.
#[test]
fn a_medium_that_never_reads_back_is_not_trusted() {
    if !can_strace("a_medium_that_never_reads_back_is_not_trusted") {
        return;
    }
    let range = Range::of(COLD);
    let scene = range.scene();
    let file = scene.bed.path("archive/cold/data/glacier/1");
    let script = watching(&file, "-e inject=read,pread64:error=EIO");
    let answer = range.run_in_shell(&scene, &script);
    assert_eq!(answer.code, Some(1), "{answer}");
    assert!(answer.stderr.contains("is not to be trusted"), "{answer}");
    assert_eq!(fetches(&scene, "glacier/1"), 3, "at first, and twice anew");
    assert!(scene.sandbox.witness().deletions().is_empty(), "nothing is deleted");
    range.finish(&scene, 3, "a medium that reads again");
}

/// The first look finds another bit in a file, a later one finds it right: what was wrong once is not
/// trusted because it is right later.
#[test]
fn a_file_that_reads_wrong_once_is_fetched_anew() {
    if !can_strace("a_file_that_reads_wrong_once_is_fetched_anew") {
        return;
    }
    let range = Range::of(COLD);
    let scene = range.scene();
    let file = scene.bed.path("archive/cold/data/glacier/1");
    // Whoever is about to read the file stands still, and all others with it.
    let inject = "-D -e trace=fadvise64 -e inject=fadvise64:signal=STOP";
    let mut run = scene.bed.spawn_shell(&range.script(&watching(&file, inject)), &[]);
    let mut right = None;
    let (mut looks, mut still) = (0, 0);
    while !run.has_ended() {
        still = if file.exists() && stands_still(run.id()) { still + 1 } else { 0 };
        // Long enough not to be one moment of many system calls.
        if still == 10 {
            (looks, still) = (looks + 1, 0);
            match &right {
                None => {
                    let bytes = fs::read(&file).expect("a file");
                    let mut wrong = bytes.clone();
                    wrong[0] ^= 1;
                    fs::write(&file, wrong).expect("a wrong file");
                    right = Some(bytes);
                }
                Some(bytes) => fs::write(&file, bytes).expect("a right file"),
            }
            run.signal(Signal::CONT);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    run.wait().exits(0);
    assert!(looks > 1, "looked at {looks} times");
    assert_eq!(fetches(&scene, "glacier/1"), 2, "at first, and anew");
    range.finish(&scene, 3, "a medium that reads wrong once");
}

/// A file system that takes the wish to read past the cache, and then no such reading.
#[test]
fn a_medium_that_is_not_read_past_the_cache_is_read_through_it() {
    if !can_strace("a_medium_that_is_not_read_past_the_cache_is_read_through_it") {
        return;
    }
    let range = Range::of(COLD);
    for inject in ["fcntl:error=EINVAL", "read:error=EINVAL:when=1"] {
        let scene = range.scene();
        let file = scene.bed.path("archive/cold/data/glacier/1");
        let script = watching(&file, &format!("-e inject={inject}"));
        range.run_in_shell(&scene, &script).exits(0);
        assert_eq!(fetches(&scene, "glacier/1"), 1, "{inject}");
        range.finish(&scene, 3, inject);
    }
}

/// Applies with system calls on one file watched.
pub fn watching(file: &Path, how: &str) -> String {
    format!("exec strace -f -qq -o /dev/null -P {} {how} $APPLY", file.display())
}

/// Whether all threads of a process that is traced are stopped; one alone is so at each system call.
fn stands_still(process: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return false };
    let stopped = |thread: PathBuf| {
        let stat = fs::read_to_string(thread.join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, behind)| behind.trim_start().starts_with(['t', 'T']))
    };
    let threads: Vec<bool> = threads.flatten().map(|thread| stopped(thread.path())).collect();
    !threads.is_empty() && threads.into_iter().all(|stopped| stopped)
}

fn fetches(scene: &Scene, key: &str) -> usize {
    let requests = scene.sandbox.witness().requests();
    let fetched = |seen: &&Seen| seen.op == "GetObject" && seen.key.as_deref() == Some(key);
    requests.iter().filter(fetched).count()
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

/// The file system of the state is full for real, with so much room left; then there is more.
#[test]
fn a_full_file_system_under_the_state_stops_a_run_that_can_go_on() {
    let test = "a_full_file_system_under_the_state_stops_a_run_that_can_go_on";
    if !can("the right to mount", "unshare -rm /bin/sh -c 'mount -t tmpfs none /mnt'", test) {
        return;
    }
    let range = Range::of(VERSIONS);
    each(&[0, 4, 16, 64, 256, 1024], |room| {
        let scene = range.scene();
        // Afterwards all of it is put back where the file system was mounted over it.
        let script = format!(
            r#"unshare -rm /bin/sh -c '
            cp -a .s3plan ../kept
            size=$(($(du -sk ../kept | cut -f1) + {room}))
            mount -t tmpfs -o size=${{size}}k none .s3plan && cp -a ../kept/. .s3plan/
            $APPLY; echo "full: $?"
            mount -o remount,size=64m .s3plan
            $APPLY; echo "freed: $?"
            cp -a .s3plan ../after'
            rm -rf .s3plan && mv ../after .s3plan"#
        );
        let answer = range.run_in_shell(&scene, &script);
        let full = answer.stdout.lines().find_map(|line| line.strip_prefix("full: "));
        assert!(matches!(full, Some("0" | "1")), "{room} KiB of room: {answer}");
        assert!(answer.stdout.contains("freed: 0\n"), "{room} KiB of room: {answer}");
        range.finish(&scene, 3, &format!("{room} KiB of room"));
    });
}

/// The medium turns a bit after the write and before the file is read back: it is found, and the
/// object is fetched anew.
#[test]
fn a_file_that_rots_before_it_is_read_back_is_fetched_anew() {
    let mut rotten = 0;
    for start in [COLD, VERSIONS] {
        let range = Range::of(start);
        let places: Vec<u64> = (1..=range.places).collect();
        let met = Mutex::new(0);
        each(&places, |place| {
            let scene = range.scene();
            range.die_at(&scene, place);
            let Some(file) = unread_file(&scene) else { return };
            let mut bytes = fs::read(&file).expect("a file");
            bytes[0] ^= 1;
            fs::write(&file, bytes).expect("a rotten file");
            let told = format!("{} rots after place {place}", file.display());
            range.finish(&scene, 3, &told);
            *met.lock().expect("no panic") += 1;
        });
        rotten += met.into_inner().expect("no panic");
    }
    assert!(rotten > 0, "no file was there that had not been read back");
    tell(&format!("files that rotted before they were read back: {rotten}"));
}

/// A file that the state knows of, and that was never read back.
fn unread_file(scene: &Scene) -> Option<PathBuf> {
    rows_of(scene).into_iter().find_map(|(bucket, row)| {
        let stored = row.stored.filter(|stored| stored.size > 0)?;
        let unread = !row.marks.has(Mark::ReadBack);
        unread.then(|| scene.bed.path(&format!("archive/{bucket}/{}", stored.path)))
    })
}

/// In mid-run the archive is somewhere else, and an empty folder is where it was: as after an unmount.
#[test]
fn an_archive_that_goes_away_in_mid_run_is_not_begun_anew_and_nothing_is_deleted() {
    let range = Range::of(COLD);
    let ops = ["ListObjectsV2", "RestoreObject", "GetObject", "PutObject", "DeleteObjects"];
    each(&[0, 1, 2, 3, 4], |number| {
        let scene = range.scene();
        let op = ops[number as usize];
        let before = scene.sandbox.witness().count(op);
        let run = range.start(&scene, &[]);
        let begun = || (scene.sandbox.witness().count(op) > before).then_some(());
        wait_for(Duration::from_secs(120), begun).expect("it gets that far");
        // Wherever it is now, it stands still while the folders change places.
        run.signal(Signal::STOP);
        let (place, away) = (scene.bed.path("archive/cold"), scene.bed.path("away"));
        if fs::rename(&place, &away).is_ok() {
            fs::create_dir(&place).expect("a mount point");
        }
        // A request that was on its way may still arrive.
        let told = format!("gone at {op}");
        run.signal(Signal::CONT);
        let answer = run.wait();
        if away.exists() {
            let under: Vec<_> = fs::read_dir(&place).expect("the mount point").collect();
            assert!(under.is_empty(), "{told}: written under the mount point: {under:?}: {answer}");
            // The same again, and it is not begun anew.
            let deleted = scene.sandbox.witness().deletions().len();
            let again = range.run(&scene, &[]);
            assert!(answer.code == Some(0) || again.code != Some(0), "{told}: {again}");
            let under: Vec<_> = fs::read_dir(&place).expect("the mount point").collect();
            assert!(under.is_empty(), "{told}: written under the mount point: {under:?}: {again}");
            assert_eq!(scene.sandbox.witness().deletions().len(), deleted, "{told}: {again}");
            fs::remove_dir(&place).expect("the mount point");
            fs::rename(&away, &place).expect("mounted again");
        }
        range.finish(&scene, 3, &told);
    });
}

/// Each sync and write takes long: the run takes its time, and ends right.
#[test]
fn a_slow_disk_only_takes_longer() {
    let test = "a_slow_disk_only_takes_longer";
    if !can_strace(test) {
        return;
    }
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    let script = "exec strace -f -qq -o /dev/null -e trace=fsync,fdatasync,syncfs,pwrite64 \
                  -e inject=fsync,fdatasync,syncfs:delay_exit=50000 \
                  -e inject=pwrite64:delay_exit=5000 $APPLY";
    range.run_in_shell(&scene, script).exits(0);
    range.finish(&scene, 2, "a slow disk");
}

/// Objects come much faster than the disk takes them: the network waits, and memory stays flat.
#[test]
fn a_disk_slower_than_the_network_fills_no_memory() {
    let test = "a_disk_slower_than_the_network_fills_no_memory";
    if !can_strace(test) {
        return;
    }
    let world = r#"
[bucket.slow]
[[bucket.slow.object]]
key = "{n}"
count = 300
size = 1000000
"#;
    let world = World::parse(world).expect("a world");
    let manifest = manifest_of(&world, r#"then = "keep""#);
    let scene = Scene::new(world).planned(&manifest);
    // With -D the tracer is the child, and the process that was started s3plan itself.
    let script = "exec strace -D -f -qq -o /dev/null -e trace=pwrite64,syncfs \
                  -e inject=pwrite64:delay_exit=2000 -e inject=syncfs:delay_exit=200000 \
                  \"$S3PLAN\" apply --yes";
    let mut run = scene.bed.spawn_shell(script, &[]);
    let mut peak = 0;
    while !run.has_ended() {
        peak = peak.max(peak_memory(run.id()));
        std::thread::sleep(Duration::from_millis(20));
    }
    run.wait().exits(0);
    tell(&format!("a slow disk: {} MiB of memory", peak >> 10));
    assert!((1..150_000).contains(&peak), "{peak} KiB of memory for 300 MB of objects");
    scene.assert_nothing_lost();
}
