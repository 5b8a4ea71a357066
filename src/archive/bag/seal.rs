//! Completes the archive as a bag, and merges what is new into what it recorded before.

use std::collections::HashSet;
use std::error::Error;
use std::io;
use std::iter::Peekable;

use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::row::BagRow;
use super::rows::Rows;
use super::tag_file::TagFile;
use super::{BAGIT, BUCKET, Lines, MANIFEST, OBJECTS, TAG_MANIFEST, identity, manifest, strays};
use crate::archive::ArchiveError;
use crate::archive::keymap::PAYLOAD;
use crate::archive::open::{Archive, open_plain};
use crate::archive::publish::sync_folder;
use crate::archive::staged::STAGING;
use crate::failpoint;

/// What a sealed bag holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Lines of `objects.jsonl`.
    pub rows: u64,
    /// Of them, those of earlier seals that S3 no longer has.
    pub kept_rows: u64,
    /// Payload files that no object is known of, listed for what they are.
    pub strays: u64,
    /// Things below the payload folder that no manifest can list: links, pipes, odd names. The bag
    /// is not valid while they are there.
    pub unlistable: u64,
    /// Payload files.
    pub files: u64,
    /// Their sizes together.
    pub bytes: u64,
}

/// Completes the archive as a bag.
///
/// `rows` come in the order of their keys and say what S3 has now. Rows of earlier seals that are
/// not among them stay, with `in_s3` false: an archive only grows. `bucket` is the bucket's
/// configuration; null leaves what was recorded before. `date` is the day of sealing
/// (`2026-11-22`), where it is to be recorded. The payload files have to be durable already.
///
/// Every file is replaced whole, and the tag manifest last: until then [`super::is_sealed`] says
/// no, and sealing again brings the same bag. Memory does not grow with the rows, but by 16 bytes
/// with each version of one key.
///
/// # Errors
/// [`ArchiveError::Rows`] from the rows themselves, [`ArchiveError::OutOfOrder`],
/// [`ArchiveError::SharedPath`], [`ArchiveError::Damaged`] for what was recorded before, or the
/// system's. The bag is then as it was, or unsealed.
pub fn seal<E>(
    archive: &Archive,
    rows: impl IntoIterator<Item = Result<BagRow, E>>,
    bucket: &Value,
    date: Option<&str>,
) -> Result<Sealed, ArchiveError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let (root, to) = (archive.root(), archive.to());
    root.make_folder(PAYLOAD).map_err(ArchiveError::io("make the folder", to.join(PAYLOAD)))?;
    let old = Rows::open(root, to)?;
    if !old.exist() && root.read(MANIFEST).is_ok() {
        let why = "is missing beside a manifest: restore it, or move the manifest away";
        let path = OBJECTS.to_owned();
        return Err(ArchiveError::Damaged { path, line: 0, why: why.to_owned() });
    }

    let mut merge = Merge {
        old: old.peekable(),
        key: String::new(),
        seen: HashSet::new(),
        held: HashSet::new(),
        replaced: HashSet::new(),
        objects: TagFile::new(archive, OBJECTS)?,
        manifest: TagFile::new(archive, MANIFEST)?,
        sealed: Sealed::default(),
    };
    for row in rows {
        merge.take_new(&row.map_err(|e| ArchiveError::Rows(e.into()))?)?;
    }
    merge.take_old_before(None)?;
    let Merge { objects, mut manifest, mut sealed, replaced, .. } = merge;
    manifest.flush()?;
    let listed = || Ok(Lines::of(manifest.reader()?, to, MANIFEST));
    let found = strays::find(archive, listed, sealed.files, &replaced)?;
    for stray in &found.files {
        manifest.put(manifest::line(&hex::encode(stray.sha256), &stray.path).as_bytes())?;
        sealed.files += 1;
        sealed.bytes += stray.size;
    }
    sealed.strays = found.files.len() as u64;
    sealed.unlistable = found.unlistable;

    let mut written = vec![objects.finish()?, manifest.finish()?];
    let mut tag_lines = String::new();
    if bucket.is_null() {
        tag_lines.push_str(&line_of_recorded(archive, BUCKET)?);
    } else {
        written.push(TagFile::whole(archive, BUCKET, &format!("{bucket:#}\n"))?);
    }
    let declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    written.push(TagFile::whole(archive, BAGIT, declaration)?);
    let oxum = Some((sealed.bytes, sealed.files));
    let about = identity::text(archive.owner(), oxum, date);
    written.push(TagFile::whole(archive, identity::BAG_INFO, &about)?);
    tag_lines.extend(written.iter().map(|file| file.line()));
    let last = TagFile::whole(archive, TAG_MANIFEST, &tag_lines)?;

    unseal(archive)?;
    for file in written {
        file.place(archive)?;
    }
    last.place(archive)?;
    // Nobody may look here again: what was renamed away must not come back with a power cut.
    sync_folder(archive, STAGING).map_err(ArchiveError::io("sync", archive.to().join(STAGING)))?;
    Ok(sealed)
}

/// From here on the bag is not sealed, until its new tag manifest is there.
fn unseal(archive: &Archive) -> Result<(), ArchiveError> {
    let at = archive.to().join(TAG_MANIFEST);
    failpoint::pass("unsealing");
    match unlinkat(archive.root().fd(), TAG_MANIFEST, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(ArchiveError::io("replace", at)(e)),
    }
    let folder = archive.root().folder("").map_err(ArchiveError::io("open", archive.to()))?;
    std::fs::File::from(folder).sync_all().map_err(ArchiveError::io("sync", at))
}

/// The tag manifest's line of a file that stays as it is; nothing where there is none.
fn line_of_recorded(archive: &Archive, path: &'static str) -> Result<String, ArchiveError> {
    let mut file = match open_plain(archive.root(), archive.to(), path) {
        Ok(file) => file,
        Err(ArchiveError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(String::new());
        }
        Err(e) => return Err(e),
    };
    let mut hash = HashWriter(Sha256::new());
    io::copy(&mut file, &mut hash).map_err(ArchiveError::io("read", archive.to().join(path)))?;
    Ok(manifest::line(&hex::encode(hash.0.finalize()), path))
}

struct HashWriter(Sha256);

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Two streams in the order of their keys become one.
struct Merge {
    old: Peekable<Rows>,
    /// The key whose new rows are being taken.
    key: String,
    /// What those rows stand for, so that old ones of the same key know whether they are replaced.
    seen: HashSet<[u8; 16]>,
    /// The versions that those rows hold with a file.
    held: HashSet<[u8; 16]>,
    /// Paths of old rows whose version is recorded elsewhere now: what lies there is no longer it.
    replaced: HashSet<String>,
    objects: TagFile,
    manifest: TagFile,
    sealed: Sealed,
}

impl Merge {
    fn take_new(&mut self, row: &BagRow) -> Result<(), ArchiveError> {
        if row.key != self.key || self.sealed.rows == 0 {
            if row.key < self.key {
                return Err(ArchiveError::OutOfOrder { key: row.key.clone() });
            }
            // The rest of the key before, and every key in between.
            self.take_old_before(Some(&row.key))?;
            self.key.clone_from(&row.key);
            self.seen.clear();
            self.held.clear();
        }
        if !self.seen.insert(identity_of(row)) {
            let path = row.path.clone().unwrap_or_else(|| row.key.clone());
            return Err(ArchiveError::SharedPath { path });
        }
        if row.path.is_some() {
            self.held.insert(version_of(row));
        }
        self.write(row)
    }

    /// Takes the old rows whose key is before `end`; all of them without one.
    fn take_old_before(&mut self, end: Option<&str>) -> Result<(), ArchiveError> {
        let before = |row: &Result<BagRow, ArchiveError>| match (row, end) {
            (Ok(row), Some(end)) => row.key.as_str() < end,
            (Ok(_), None) | (Err(_), _) => true,
        };
        while let Some(row) = self.old.next_if(before) {
            let mut row = row?;
            if row.key == self.key && self.seen.contains(&identity_of(&row)) {
                continue;
            }
            // The very version, fetched again beside a file that was no longer it: one line a
            // version.
            if row.key == self.key && self.held.contains(&version_of(&row)) {
                self.replaced.extend(row.path);
                continue;
            }
            row.in_s3 = false;
            self.sealed.kept_rows += 1;
            self.write(&row)?;
        }
        Ok(())
    }

    fn write(&mut self, row: &BagRow) -> Result<(), ArchiveError> {
        let json = |e: serde_json::Error| ArchiveError::Rows(e.into());
        let mut line = serde_json::to_vec(row).map_err(json)?;
        line.push(b'\n');
        self.objects.put(&line)?;
        self.sealed.rows += 1;
        if let (Some(path), Some(sha256)) = (&row.path, &row.sha256) {
            self.manifest.put(manifest::line(sha256, path).as_bytes())?;
            self.sealed.files += 1;
            self.sealed.bytes += row.size;
        }
        Ok(())
    }
}

/// What tells a version from the others of its key, wherever its file is.
fn version_of(row: &BagRow) -> [u8; 16] {
    let version = row.version_id.as_deref().unwrap_or_default();
    short_hash(&format!("{}\0{version}\0{}\0{}", version.len(), row.size, row.etag))
}

/// What tells a row from the others of its key: its file, since a file never changes; without one,
/// its version.
fn identity_of(row: &BagRow) -> [u8; 16] {
    match &row.path {
        Some(path) => short_hash(&format!("f{path}")),
        None => {
            let kind = if row.delete_marker { "m" } else { "v" };
            let version = row.version_id.as_deref().unwrap_or_default();
            short_hash(&format!("{kind}{}\0{version}{}", version.len(), row.etag))
        }
    }
}

fn short_hash(text: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}
