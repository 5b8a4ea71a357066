use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;
use crate::archive::bag::BagRow;
use crate::archive::tests::{archive, awkward_archive, owner, put, seal};
use crate::archive::{Archive, Published};

fn check(archive: &Archive, depth: Depth) -> (VerifyReport, Vec<(String, What)>) {
    let mut findings = Vec::new();
    let report = verify(archive.to(), depth, &mut |tick| {
        if let VerifyTick::Found(finding) = tick {
            findings.push((finding.path.clone(), finding.what.clone()));
        }
    });
    (report.expect("an archive"), findings)
}

/// An archive of three files, sealed.
fn sealed() -> (tempfile::TempDir, Archive) {
    let (dir, archive) = archive();
    let rows = ["a", "b/c", "d"].map(|key| put(&archive, key, key.as_bytes(), false));
    seal(&archive, &rows);
    (dir, archive)
}

#[test]
fn a_sound_archive_has_no_findings() {
    let (_dir, archive) = archive();
    let rows = awkward_archive(&archive);
    let bytes = rows.iter().map(|row| row.size).sum();
    for depth in [Depth::Full, Depth::Quick] {
        let (report, findings) = check(&archive, depth);
        assert_eq!(findings, []);
        assert!(report.is_sound());
        assert_eq!(report.owner, Some(owner("photos")));
        assert_eq!(
            (report.rows, report.files, report.bytes),
            (rows.len() as u64, rows.len() as u64, bytes)
        );
    }
}

#[test]
fn a_changed_byte_is_found_by_reading_and_a_changed_size_at_once() {
    let (_dir, archive) = sealed();
    fs::write(archive.to().join("data/a"), "x").expect("the same size");
    let (report, findings) = check(&archive, Depth::Full);
    assert!(matches!(&findings[..], [(path, What::Wrong { .. })] if path == "data/a"));
    assert_eq!((report.wrong, report.files, report.is_sound()), (1, 3, false));
    let (_, findings) = check(&archive, Depth::Quick);
    assert!(matches!(&findings[..], [(_, What::Touched { .. })]), "{findings:?}");
    fs::write(archive.to().join("data/a"), "longer").expect("another size");
    for depth in [Depth::Full, Depth::Quick] {
        let (_, findings) = check(&archive, depth);
        assert_eq!(findings, [("data/a".into(), What::WrongSize { expected: 1, actual: 6 })]);
    }
}

#[test]
fn missing_and_extra_files_are_named() {
    let (_dir, archive) = sealed();
    let data = archive.to().join("data");
    fs::remove_file(data.join("b/c")).expect("gone");
    // As many extra ones as are missing: counting alone would not see it.
    fs::write(data.join("b/C"), "c").expect("a file");
    let (report, findings) = check(&archive, Depth::Full);
    assert_eq!(
        findings,
        [("data/b/c".to_owned(), What::Missing), ("data/b/C".to_owned(), What::Extra)]
    );
    assert_eq!((report.missing, report.extra), (1, 1));

    symlink("/etc/passwd", data.join("link")).expect("a link");
    fs::create_dir_all(data.join("empty/folder")).expect("folders are no files");
    let raw = std::ffi::OsStr::from_bytes(b"not-\xff-text");
    fs::create_dir(data.join(raw)).expect("a folder");
    fs::write(data.join(raw).join("x"), "").expect("a file");
    let (report, _) = check(&archive, Depth::Quick);
    assert_eq!((report.missing, report.extra), (1, 3));
}

#[test]
fn what_is_no_plain_file_is_neither_followed_nor_waited_for() {
    let (_dir, archive) = sealed();
    let data = archive.to().join("data");
    fs::remove_file(data.join("a")).expect("gone");
    let pipe = std::process::Command::new("mkfifo").arg(data.join("a")).status();
    assert!(pipe.expect("mkfifo").success());
    fs::rename(data.join("b"), archive.to().join("elsewhere")).expect("moved");
    symlink("../elsewhere", data.join("b")).expect("a link to the same files");
    let (report, findings) = check(&archive, Depth::Full);
    assert_eq!(findings[0], ("data/a".to_owned(), What::NotAFile));
    assert_eq!(findings[1], ("data/b/c".to_owned(), What::Missing));
    assert_eq!(findings[2], ("data/b".to_owned(), What::Extra));
    assert_eq!((report.wrong, report.missing, report.extra), (1, 1, 1));
}

#[test]
fn damage_of_the_bags_own_files_is_found() {
    for path in [
        "bagit.txt",
        "bag-info.txt",
        "metadata/objects.jsonl",
        "manifest-sha256.txt",
        "metadata/bucket.json",
    ] {
        let (_dir, archive) = sealed();
        let at = archive.to().join(path);
        let whole = fs::read(&at).expect("the file");
        let mut bytes = whole.clone();
        bytes[7] ^= 1;
        fs::write(&at, &bytes).expect("damaged");
        let (report, findings) = check(&archive, Depth::Quick);
        assert!(report.bad_records > 0, "{path}: {findings:?}");
        assert!(findings.iter().any(|(p, what)| p == path && matches!(what, What::Wrong { .. })));
        fs::remove_file(&at).expect("gone");
        let (report, findings) = check(&archive, Depth::Quick);
        assert!(!report.is_sound() && findings.contains(&(path.to_owned(), What::Missing)));
        fs::write(&at, &whole[..whole.len() / 2]).expect("cut");
        assert!(!check(&archive, Depth::Full).0.is_sound(), "{path}");
        fs::write(&at, &whole).expect("mended");
        assert!(check(&archive, Depth::Full).0.is_sound(), "{path}");
    }
    let (_dir, archive) = sealed();
    fs::remove_file(archive.to().join("tagmanifest-sha256.txt")).expect("gone");
    assert!(!check(&archive, Depth::Quick).0.is_sound());
    fs::remove_file(archive.to().join("manifest-sha256.txt")).expect("gone");
    let unsealed = verify(archive.to(), Depth::Quick, &mut |_| {});
    assert!(matches!(unsealed, Err(ArchiveError::NotSealed(_))));
}

/// One who edits a file and both lists consistently, but not the tag manifest.
#[test]
fn a_forged_record_is_found() {
    let (_dir, archive) = sealed();
    fs::write(archive.to().join("data/a"), "x").expect("forged");
    let [old, new] =
        [b"a", b"x"].map(|body| hex::encode(<sha2::Sha256 as sha2::Digest>::digest(body)));
    for path in ["metadata/objects.jsonl", "manifest-sha256.txt"] {
        let text = fs::read_to_string(archive.to().join(path)).expect("text");
        fs::write(archive.to().join(path), text.replace(&old, &new)).expect("forged");
    }
    assert_eq!(check(&archive, Depth::Full).0.bad_records, 2);
}

#[test]
fn a_row_that_points_outside_reads_nothing_there() {
    let (_dir, archive) = sealed();
    let at = archive.to().join("metadata/objects.jsonl");
    let text = fs::read_to_string(&at).expect("rows");
    fs::write(&at, text.replace("data/d", "data/../../../etc/passwd")).expect("forged");
    let (report, findings) = check(&archive, Depth::Full);
    assert!(findings.iter().any(|(path, _)| path == "data/../../../etc/passwd"));
    assert!(!report.is_sound());
}

#[test]
fn progress_says_how_much_there_is_and_ends_there() {
    let (_dir, archive) = sealed();
    let (mut begun, mut last) = (None, None);
    verify(archive.to(), Depth::Full, &mut |tick| match tick {
        VerifyTick::Begun { files, bytes } => begun = Some((files, bytes)),
        VerifyTick::Checked { files, bytes } => last = Some((files, bytes)),
        VerifyTick::Found(_) => {}
    })
    .expect("an archive");
    assert_eq!((begun, last), (Some((3, 5)), Some((3, 5))));
}

/// Deeper than a process may have files open.
#[test]
fn a_very_deep_archive_is_walked() {
    let (_dir, archive) = archive();
    let key = format!("{}x", "a/".repeat(511));
    let rows = [put(&archive, &key, b"deep", false)];
    let mut extra = archive.stage().expect("a staged file");
    extra.append(b"x").expect("room");
    let path = format!("data/{}y", "a/".repeat(511));
    seal(&archive, &rows);
    assert!(matches!(archive.publish_one(extra, &path), Published::Durable));
    let (report, findings) = check(&archive, Depth::Full);
    assert_eq!(findings, [(path, What::Extra)]);
    assert_eq!(report.files, 1);
}

#[test]
fn an_archive_of_nothing_is_sound() {
    let (_dir, archive) = archive();
    seal(&archive, &[]);
    assert!(check(&archive, Depth::Full).0.is_sound());
    let marker = BagRow { key: "gone".into(), delete_marker: true, ..BagRow::default() };
    seal(&archive, &[marker]);
    let (report, _) = check(&archive, Depth::Full);
    assert!(report.is_sound() && report.rows == 1 && report.files == 0);
}
