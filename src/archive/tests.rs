use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::bag::{self, BagRow, Sealed};
use super::keymap::{self, payload_path};
use super::*;
use crate::model::{AccountId, Fingerprinting};

pub(super) fn owner(bucket: &str) -> Owner {
    let account = AccountId::new("123456789012").expect("twelve digits");
    Owner { account, bucket: bucket.into() }
}

/// A folder that an archive can be made in, and the archive.
pub(super) fn archive() -> (TempDir, Archive) {
    let dir = tempfile::tempdir().expect("a folder");
    let archive = open(&dir.path().join("photos"), Expect::New).expect("a new archive");
    (dir, archive)
}

fn open(to: &Path, expected: Expect) -> Result<Archive, ArchiveError> {
    Archive::open(to, &owner("photos"), expected)
}

fn staged(archive: &Archive, body: &[u8]) -> Staged {
    let mut staged = archive.stage().expect("a staged file");
    staged.append(body).expect("room");
    staged
}

/// 2023-11-14T22:13:20.123Z
const MTIME_MS: i64 = 1_700_000_000_123;

/// Publishes a key's file; its row.
pub(super) fn put(archive: &Archive, key: &str, body: &[u8], beside_folder: bool) -> BagRow {
    let path = payload_path(key, beside_folder);
    let mut file = staged(archive, body);
    file.set_mtime(MTIME_MS).expect("a time");
    let outcome = archive.publish_one(file, &path);
    place(archive, key, path, outcome)
}

/// Answers a taken name by another one, until the file has its place; its row.
fn place(archive: &Archive, key: &str, mut path: String, mut outcome: Published) -> BagRow {
    loop {
        let staged = match outcome {
            Published::Durable => break,
            Published::Taken { staged, by: TakenBy::Name | TakenBy::Twin } => {
                path = keymap::with_twin(&path, key);
                staged
            }
            Published::Taken { staged, by: TakenBy::Folder(folder) } => {
                path = keymap::with_twin_folder(&path, &folder);
                staged
            }
            Published::Failed(e) => panic!("{key:?}: {e:?}"),
        };
        outcome = archive.publish_one(staged, &path);
    }
    let back = archive.read_back(&path).expect("what was written");
    BagRow {
        key: key.to_owned(),
        size: back.size,
        etag: "e".to_owned(),
        last_modified: "2023-11-14T22:13:20.123Z".to_owned(),
        storage_class: "STANDARD".to_owned(),
        in_s3: true,
        ..BagRow::default()
    }
    .with_file(&path, &Sha256::digest(fs::read(archive.to().join(&path)).expect("it")).into())
}

pub(super) fn seal(archive: &Archive, rows: &[BagRow]) -> Sealed {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    let rows = rows.into_iter().map(Ok::<_, ArchiveError>);
    bag::seal(archive, rows, &serde_json::json!({"region": "eu-west-1"}), None).expect("sealed")
}

fn rows_of(archive: &Archive) -> Vec<BagRow> {
    bag::read_rows(archive.to()).expect("rows").collect::<Result<_, _>>().expect("whole")
}

#[test]
fn a_published_file_is_there_whole_and_reads_back_equal() {
    let (_dir, archive) = archive();
    let mut file = staged(&archive, b"hello ");
    file.park().expect("parked");
    file.append(b"world").expect("after parking");
    file.set_mtime(1_234_567_890_123).expect("a time");
    assert!(matches!(archive.publish_one(file, "data/a/b/c"), Published::Durable));
    let path = archive.to().join("data/a/b/c");
    assert_eq!(fs::read(&path).expect("the file"), b"hello world");
    assert_eq!(fs::metadata(&path).expect("the file").mtime(), 1_234_567_890);
    let back = archive.read_back("data/a/b/c").expect("read back");
    let mut written = Fingerprinting::default();
    written.update(b"hello world");
    assert_eq!((back.fingerprint, back.size), (written.finish(), 11));
    assert_eq!(fs::read_dir(archive.to().join(".s3plan-staging")).expect("staging").count(), 0);
}

#[test]
fn a_large_group_of_parked_files_becomes_durable_together() {
    let (_dir, archive) = archive();
    let batch = (0..100).map(|n| {
        let mut file = staged(&archive, format!("{n}").as_bytes());
        file.park().expect("parked");
        (file, format!("data/{}/{n}", n % 7))
    });
    let outcomes = archive.publish(batch.collect());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Published::Durable)));
    for n in 0..100 {
        let path = archive.to().join(format!("data/{}/{n}", n % 7));
        assert_eq!(fs::read_to_string(path).expect("the file"), n.to_string());
    }
}

#[test]
fn what_is_there_is_never_overwritten() {
    let (_dir, archive) = archive();
    put(&archive, "a", b"first", false);
    let outcome = archive.publish_one(staged(&archive, b"second"), "data/a");
    let Published::Taken { staged: second, by: TakenBy::Name } = outcome else {
        panic!("not taken")
    };
    assert_eq!(fs::read(archive.to().join("data/a")).expect("the first"), b"first");
    // A folder is needed where the file stands, and the other way round.
    let outcome = archive.publish_one(second, "data/a/b/c");
    let Published::Taken { staged: second, by: TakenBy::Folder(at) } = outcome else { panic!() };
    assert_eq!(at, "data/a");
    assert!(matches!(archive.publish_one(second, "data/d/e"), Published::Durable));
    let outcome = archive.publish_one(staged(&archive, b"x"), "data/d");
    assert!(matches!(outcome, Published::Taken { by: TakenBy::Name, .. }));
    drop(outcome);
    assert_eq!(fs::read_dir(archive.to().join(".s3plan-staging")).expect("staging").count(), 0);
}

#[test]
fn a_path_that_leaves_the_archive_is_refused() {
    let (dir, archive) = archive();
    for path in
        ["../out", "data/../../out", "/tmp/s3plan-out", "data/..", "data//x", "data/./x", ""]
    {
        let outcome = archive.publish_one(staged(&archive, b"x"), path);
        assert!(matches!(outcome, Published::Failed(_)), "{path}: {outcome:?}");
        assert!(archive.read_back(path).is_err(), "{path}");
    }
    assert!(!dir.path().join("out").exists() && !Path::new("/tmp/s3plan-out").exists());
}

#[test]
fn nothing_planted_is_followed_or_waited_for() {
    let (dir, archive) = archive();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("x"), "untouched").expect("a file");
    let data = archive.to().join("data");
    fs::create_dir(&data).expect("data");
    symlink(&outside, data.join("link")).expect("a link");
    symlink(outside.join("x"), data.join("file")).expect("a link");
    let pipe = data.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    assert!(fs::symlink_metadata(&pipe).expect("the pipe").file_type().is_fifo());

    for path in ["data/link/x", "data/link/new", "data/pipe/x"] {
        let outcome = archive.publish_one(staged(&archive, b"evil"), path);
        assert!(matches!(outcome, Published::Taken { by: TakenBy::Folder(_), .. }), "{path}");
    }
    for path in ["data/file", "data/pipe", "data/link"] {
        let outcome = archive.publish_one(staged(&archive, b"evil"), path);
        assert!(matches!(outcome, Published::Taken { by: TakenBy::Name, .. }), "{path}");
        assert!(matches!(archive.read_back(path), Err(ArchiveError::Planted(_))), "{path}");
    }
    assert!(matches!(archive.read_back("data/link/x"), Err(ArchiveError::Planted(_))));
    assert_eq!(fs::read_to_string(outside.join("x")).expect("the file"), "untouched");
    assert_eq!(fs::read_dir(&outside).expect("the folder").count(), 1);
}

/// A folder that turns into a link and back while files are being published into it.
#[test]
fn a_link_planted_in_the_middle_of_it_redirects_nothing() {
    let (dir, archive) = archive();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    let [folder, aside] = ["data/d", "data/aside"].map(|path| archive.to().join(path));
    fs::create_dir_all(&folder).expect("a folder");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::rename(&folder, &aside);
                let _ = symlink(&outside, &folder);
                let _ = fs::remove_file(&folder);
                let _ = fs::rename(&aside, &folder);
            }
        });
        for n in 0..100 {
            // Whatever the outcome is: it is the folder's, or an error.
            let _ = archive.publish_one(staged(&archive, b"x"), &format!("data/d/sub/{n}"));
            let _ = archive.read_back(&format!("data/d/sub/{n}"));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(&outside).expect("the folder").count(), 0);
}

#[test]
fn two_writers_never_share_an_archive() {
    let (_dir, archive) = archive();
    let Err(ArchiveError::Held { holder, .. }) = open(archive.to(), Expect::Existing) else {
        panic!("opened twice");
    };
    assert_eq!(holder.pid, std::process::id().to_string());
    assert_eq!(holder.bucket, "photos");
    let to = archive.to().to_owned();
    let staged = archive.stage().expect("a staged file");
    drop(archive);
    assert!(open(&to, Expect::Existing).is_err(), "a staged file still holds it");
    drop(staged);
    open(&to, Expect::Existing).expect("free again");
}

#[test]
fn an_unmounted_destination_is_not_taken_for_an_empty_one() {
    let (dir, archive) = archive();
    let to = archive.to().to_owned();
    assert!(archive.check_in_place().is_ok());
    fs::rename(&to, dir.path().join("elsewhere")).expect("moved away");
    assert!(archive.check_in_place().is_err());
    drop(archive);
    assert!(matches!(open(&to, Expect::Existing), Err(ArchiveError::Vanished { .. })));
    fs::create_dir(&to).expect("an empty mount point");
    assert!(matches!(open(&to, Expect::Existing), Err(ArchiveError::Vanished { .. })));
    assert_eq!(fs::read_dir(&to).expect("the folder").count(), 0, "nothing was written there");
}

#[test]
fn only_an_empty_folder_or_ones_own_archive_is_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    let to = dir.path().join("a/b/photos");
    drop(open(&to, Expect::New).expect("made with the folders above"));
    assert_eq!(bag::read_identity(&to), Some(owner("photos")));
    assert!(!bag::is_sealed(&to));
    drop(open(&to, Expect::New).expect("one's own"));
    let foreign = Archive::open(&to, &owner("other"), Expect::New);
    assert!(matches!(foreign, Err(ArchiveError::Foreign { .. })));

    let file = dir.path().join("file");
    fs::write(&file, "").expect("a file");
    assert!(matches!(open(&file, Expect::New), Err(ArchiveError::NotAFolder(_))));
    assert!(matches!(open(&file.join("x"), Expect::New), Err(ArchiveError::NotAFolder(_))));

    let full = dir.path().join("full");
    fs::create_dir(&full).expect("a folder");
    fs::write(full.join("holiday.jpg"), "").expect("a file");
    assert!(matches!(open(&full, Expect::New), Err(ArchiveError::NotAnArchive(_))));
    drop(open(&full, Expect::Adopt).expect("taken over as asked"));
    drop(open(&full, Expect::Existing).expect("marked by that"));

    let fresh_disk = dir.path().join("disk");
    fs::create_dir_all(fresh_disk.join("lost+found")).expect("a folder");
    drop(open(&fresh_disk, Expect::New).expect("as good as empty"));

    let other_bag = dir.path().join("bag");
    fs::create_dir(&other_bag).expect("a folder");
    fs::write(other_bag.join("bag-info.txt"), "Source-Organization: Museum\n").expect("a file");
    for expected in [Expect::New, Expect::Adopt, Expect::Existing] {
        assert!(matches!(open(&other_bag, expected), Err(ArchiveError::NotAnArchive(_))));
    }
}

#[test]
fn leftovers_of_a_killed_run_are_removed() {
    let (_dir, archive) = archive();
    let to = archive.to().to_owned();
    std::mem::forget(staged(&archive, b"half"));
    let left = to.join(".s3plan-staging/left");
    fs::write(&left, "from before").expect("a file");
    // The forgotten file keeps the lock of this process; a killed process would have lost it.
    fs::remove_file(to.with_file_name("photos.s3plan-lock")).expect("the lock file");
    let opened = open(&to, Expect::Existing).expect("opened");
    assert_eq!(fs::read_dir(to.join(".s3plan-staging")).expect("staging").count(), 0);
    drop(opened);
    assert!(!to.join(".s3plan-staging").exists(), "a closed archive has no such folder");
}

#[test]
fn a_bag_is_what_its_standard_says() {
    let (_dir, archive) = archive();
    let rows = [put(&archive, "b/c", b"two", false), put(&archive, "a", b"one", false)];
    assert!(!bag::is_sealed(archive.to()));
    let sealed = seal(&archive, &rows);
    assert_eq!(sealed, Sealed { rows: 2, kept_rows: 0, files: 2, bytes: 6, ..Sealed::default() });
    assert!(bag::is_sealed(archive.to()));
    let read = |path: &str| fs::read_to_string(archive.to().join(path)).expect(path);
    assert_eq!(read("bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n");
    assert!(read("bag-info.txt").contains("External-Identifier: 123456789012/photos\n"));
    assert!(read("bag-info.txt").contains("Payload-Oxum: 6.2\n"));
    let one = hex::encode(Sha256::digest(b"one"));
    assert!(read("manifest-sha256.txt").starts_with(&format!("{one}  data/a\n")));
    for file in ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "metadata/objects.jsonl"] {
        let line = format!("{}  {file}\n", hex::encode(Sha256::digest(read(file))));
        assert!(read("tagmanifest-sha256.txt").contains(&line), "{file}");
    }
    let first: Value =
        serde_json::from_str(read("metadata/objects.jsonl").lines().next().expect("one"))
            .expect("JSON");
    for field in
        "key version_id path size etag checksums last_modified storage_class metadata tags \
                  part_sizes sha256 proof in_s3"
            .split_whitespace()
    {
        assert!(first.get(field).is_some(), "{field}");
    }
}

#[test]
fn sealing_again_keeps_what_s3_no_longer_has() {
    let (_dir, archive) = archive();
    let rows = ["a", "b", "d"].map(|key| put(&archive, key, key.as_bytes(), false));
    seal(&archive, &rows);
    // `b` is gone from S3, `d` was overwritten there, `c` is new, `e` was deleted with a marker.
    let mut changed = BagRow { key: "d".into(), etag: "new".into(), ..rows[2].clone() };
    let path = keymap::version_path("data/d", "new");
    assert!(matches!(archive.publish_one(staged(&archive, b"dd"), &path), Published::Durable));
    changed = changed.with_file(&path, &Sha256::digest(b"dd").into());
    changed.size = 2;
    let marker = BagRow {
        key: "e".into(),
        delete_marker: true,
        version_id: Some("v".into()),
        in_s3: true,
        ..BagRow::default()
    };
    let same_id = BagRow { key: "f".into(), ..marker.clone() };
    let again = [rows[0].clone(), put(&archive, "c", b"c", false), changed, marker, same_id];
    let sealed = seal(&archive, &again);
    assert_eq!(sealed, Sealed { rows: 7, kept_rows: 2, files: 5, bytes: 6, ..Sealed::default() });
    let found: Vec<_> = rows_of(&archive)
        .into_iter()
        .map(|row| (row.key, row.path.unwrap_or_default(), row.in_s3))
        .collect();
    let expected = [
        ("a", "data/a", true),
        ("b", "data/b", false),
        ("c", "data/c", true),
        ("d", "data/^versions/d/new", true),
        ("d", "data/d", false),
        ("e", "", true),
        ("f", "", true),
    ];
    assert_eq!(found, expected.map(|(k, p, s)| (k.to_owned(), p.to_owned(), s)));
    // Nothing at all is left in S3, and its configuration can no longer be read.
    let none = std::iter::empty::<Result<BagRow, ArchiveError>>();
    let sealed = bag::seal(&archive, none, &Value::Null, Some("2026-11-22")).expect("sealed");
    assert_eq!((sealed.rows, sealed.kept_rows, sealed.files), (7, 7, 5));
    let tags = fs::read_to_string(archive.to().join("tagmanifest-sha256.txt")).expect("tags");
    assert!(tags.contains("metadata/bucket.json"));
}

#[test]
fn an_interrupted_seal_is_done_again() {
    let (_dir, archive) = archive();
    let rows = [put(&archive, "a", b"a", false)];
    let broken = [Ok(rows[0].clone()), Err("the state is gone")];
    let Err(ArchiveError::Rows(why)) = bag::seal(&archive, broken, &Value::Null, None) else {
        panic!("sealed without all rows");
    };
    assert_eq!(why.to_string(), "the state is gone");
    assert!(!bag::is_sealed(archive.to()) && rows_of(&archive).is_empty());
    seal(&archive, &rows);
    // Killed between the first replaced file and the last.
    fs::remove_file(archive.to().join("tagmanifest-sha256.txt")).expect("unsealed");
    seal(&archive, &rows);
    assert!(bag::is_sealed(archive.to()));
    let unordered = ["b", "a"]
        .map(|key| Ok::<_, ArchiveError>(BagRow { key: key.to_owned(), ..BagRow::default() }));
    let sealed = bag::seal(&archive, unordered, &Value::Null, None);
    assert!(matches!(sealed, Err(ArchiveError::OutOfOrder { .. })));
    let twice = [Ok::<_, ArchiveError>(rows[0].clone()), Ok(rows[0].clone())];
    let sealed = bag::seal(&archive, twice, &Value::Null, None);
    assert!(matches!(sealed, Err(ArchiveError::SharedPath { .. })));
    assert!(bag::is_sealed(archive.to()), "a seal that failed left the bag as it was");
}

/// Every awkward key on a real file system, checked by `sha256sum`, which every machine has.
#[test]
fn an_archive_of_awkward_keys_checks_with_sha256sum() {
    let (_dir, archive) = archive();
    let rows = awkward_archive(&archive);
    let checked = Command::new("sha256sum")
        .args(["-c", "--strict", "--quiet", "manifest-sha256.txt"])
        .current_dir(archive.to())
        .output()
        .expect("sha256sum");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let back: Vec<_> = rows_of(&archive).into_iter().map(|row| row.key).collect();
    assert_eq!(back, rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>());
}

/// An archive with a file for each awkward key, sealed; its rows in order.
pub(super) fn awkward_archive(archive: &Archive) -> Vec<BagRow> {
    let mut keys: Vec<String> =
        keymap::tests::AWKWARD.iter().map(|key| (*key).to_owned()).collect();
    keys.extend(["é".repeat(150), ":".repeat(1024), "x".repeat(1024), "/".repeat(1024)]);
    keys.extend([format!("{}/y", "z".repeat(300)), "a/".repeat(512)]);
    keys.sort();
    keys.dedup();
    let mut watch = keymap::FolderWatch::new();
    let mut beside = std::collections::BTreeSet::new();
    for (n, key) in (0..).zip(&keys) {
        beside.extend(watch.feed(key, n).into_iter().flatten());
    }
    // In one group first; what is taken then goes one by one, as apply does it.
    let paths = (0..).zip(&keys).map(|(n, key)| payload_path(key, beside.contains(&n)));
    let batch = keys.iter().zip(paths.clone()).map(|(key, path)| {
        let mut file = staged(archive, key.as_bytes());
        file.set_mtime(MTIME_MS).expect("a time");
        file.park().expect("parked");
        (file, path)
    });
    let outcomes = archive.publish(batch.collect());
    let rows: Vec<_> = (outcomes.into_iter().zip(&keys).zip(paths))
        .map(|((outcome, key), path)| place(archive, key, path, outcome))
        .collect();
    seal(archive, &rows);
    rows
}

#[test]
fn withdrawing_spares_what_a_bag_lists_and_reaches_nothing_else() {
    let (_dir, archive) = archive();
    let rows = [put(&archive, "listed", b"l", false)];
    seal(&archive, &rows);
    put(&archive, "new", b"n", false);
    assert_eq!(archive.withdraw(&["data/new"]).expect("goes"), [Withdrawn::Removed]);
    assert!(!archive.to().join("data/new").exists());
    let both = [Withdrawn::Removed, Withdrawn::Kept];
    assert_eq!(archive.withdraw(&["data/new", "data/listed"]).expect("one stays"), both);
    assert_eq!(archive.withdraw(&["data/listed"]).expect("stays"), [Withdrawn::Kept]);
    assert!(archive.to().join("data/listed").exists());
    for path in
        ["bag-info.txt", "data", "data/", "data/../bag-info.txt", "metadata/objects.jsonl", ""]
    {
        let outcome = archive.withdraw(&[path]);
        assert!(matches!(outcome, Err(ArchiveError::BadPath(_))), "{path}: {outcome:?}");
    }
    assert!(archive.to().join("bag-info.txt").exists());
    // A bag that is being sealed again lists it still.
    fs::remove_file(archive.to().join("tagmanifest-sha256.txt")).expect("unsealed");
    assert_eq!(archive.withdraw(&["data/listed"]).expect("stays"), [Withdrawn::Kept]);
}

#[test]
fn files_that_no_object_is_known_of_are_listed_and_watched() {
    let (_dir, archive) = archive();
    let rows = [put(&archive, "a", b"a", false)];
    let notes = archive.to().join("data/notes.md");
    fs::write(&notes, "mine").expect("a file");
    symlink("notes.md", archive.to().join("data/link")).expect("a link");
    let sealed = seal(&archive, &rows);
    assert_eq!((sealed.files, sealed.strays, sealed.unlistable), (2, 1, 1));
    fs::remove_file(archive.to().join("data/link")).expect("gone");
    let check = || verify(archive.to(), Depth::Full, &mut |_| {}).expect("an archive");
    assert!(check().is_sound());
    // One that changed since is not quietly listed anew.
    fs::write(&notes, "MINE").expect("changed");
    seal(&archive, &rows);
    assert_eq!(check().wrong, 1);
}

#[test]
fn a_version_that_was_fetched_again_beside_its_changed_file_has_one_row() {
    let (_dir, archive) = archive();
    let old = put(&archive, "a", b"right", false);
    seal(&archive, std::slice::from_ref(&old));
    fs::write(archive.to().join("data/a"), "wrong").expect("changed");
    let mut file = staged(&archive, b"right");
    file.set_mtime(MTIME_MS).expect("a time");
    let path = keymap::version_path("data/a", "e");
    assert!(matches!(archive.publish_one(file, &path), Published::Durable));
    let new = BagRow { path: Some(path), ..old };
    let sealed = seal(&archive, &[new]);
    assert_eq!((sealed.rows, sealed.files, sealed.strays), (1, 2, 1));
    assert!(verify(archive.to(), Depth::Full, &mut |_| {}).expect("an archive").is_sound());
    assert_eq!(fs::read(archive.to().join("data/a")).expect("it stays"), b"wrong");
}

#[test]
fn only_the_file_that_was_proven_is_taken_in() {
    let (_dir, archive) = archive();
    let at = |path: &str| archive.to().join(path);
    let find = |path: &str| archive.find(path).expect("readable");
    fs::write(at("a"), "a").expect("a file");
    symlink("a", at("link")).expect("a link");
    assert!(find("link").is_none() && find("gone").is_none() && find("../photos/a").is_none());
    // Another file under the name; other bytes in the file; a place that is taken.
    let found = find("a").expect("a file");
    fs::rename(at("a"), at("b")).expect("away");
    fs::write(at("a"), "a").expect("another");
    let taken = archive.take_in(vec![(found, "data/a".into(), MTIME_MS)]).expect("synced");
    assert!(matches!(taken[..], [TakenIn::Stays(_)]), "{taken:?}");
    let found = find("a").expect("a file");
    fs::write(at("a"), "A!").expect("changed");
    let taken = archive.take_in(vec![(found, "data/a".into(), MTIME_MS)]).expect("synced");
    assert!(matches!(taken[..], [TakenIn::Stays(_)]), "{taken:?}");
    put(&archive, "a", b"there first", false);
    let found = find("a").expect("a file");
    let taken = archive.take_in(vec![(found, "data/a".into(), MTIME_MS)]).expect("synced");
    assert!(matches!(taken[..], [TakenIn::Stays(_)]), "{taken:?}");
    assert_eq!(fs::read(at("data/a")).expect("it stays"), b"there first");
    let found = find("b").expect("a file");
    let taken = archive.take_in(vec![(found, "data/x/b".into(), MTIME_MS)]).expect("synced");
    assert!(matches!(taken[..], [TakenIn::Durable]), "{taken:?}");
    let metadata = fs::metadata(at("data/x/b")).expect("moved in");
    assert_eq!(metadata.mtime(), MTIME_MS / 1_000);
    assert!(!at("b").exists());
}

/// What is read back while a file grows is what lies on the medium, as far as it is durable.
#[test]
fn a_file_is_read_back_as_it_grows() {
    const SIZE: usize = (1 << 20) + 12_345;
    let (_dir, archive) = archive();
    let body: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    let partial = archive.partial("film", SIZE as u64).expect("a partial file");
    let Some(mut along) = partial.read_along(SIZE as u64) else {
        eprintln!("skipped: files here are not read past the cache");
        return;
    };
    let mut first = 0;
    for end in [300_000, 700_000, SIZE] {
        partial.write_at(first as u64, &body[first..end]).expect("room");
        partial.note(&[(first as u64, end as u64)]).expect("durable");
        along.read_to(end as u64).expect("readable");
        first = end;
    }
    let mut fingerprint = Fingerprinting::default();
    fingerprint.update(&body);
    let read = along.finish().expect("all of it");
    assert_eq!((read.fingerprint, read.size), (fingerprint.finish(), SIZE as u64));

    let mut half = partial.read_along(SIZE as u64).expect("as before");
    half.read_to(700_000).expect("readable");
    assert_eq!(half.finish(), None, "half of it is nothing");
}
