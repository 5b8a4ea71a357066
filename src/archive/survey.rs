//! Looks for files that are in place already, and changes nothing.
//!
//! In: an archive's folder, or one that another tool filled, and the object versions of a listing
//! in its order. Out: at which paths a file lies that has an object's size. Whether it is the
//! object is for hashing to decide.

use std::io;
use std::iter::Peekable;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, statat};

use super::bag::{BAGIT, BUCKET, BagRow, MANIFEST, OBJECTS, Rows, TAG_MANIFEST, identity};
use super::beneath::Root;
use super::error::ArchiveError;
use super::keymap::{self, PAYLOAD};
use super::staged::STAGING;
use crate::model::{ObjectVersion, Standing};

/// FAT keeps times to two seconds.
const TIME_STEP_MS: u64 = 2_000;

/// A folder that is looked at row by row.
#[derive(Debug)]
pub struct Survey {
    root: Root,
    /// The record of earlier seals; read only as far as it is asked about.
    rows: Option<Peekable<Rows>>,
    /// The rows of one key.
    group: Vec<BagRow>,
    /// Whether files may still lie where other tools put them.
    unbagged: bool,
    /// The folder that was looked into last.
    last: Option<(String, Option<OwnedFd>)>,
}

/// A plain file as it stands on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In bytes.
    pub size: u64,
    /// When it was last changed, in milliseconds since the Unix epoch.
    pub mtime_ms: i64,
}

impl Seen {
    /// Whether it has this size and, to what file systems keep of times, this time.
    pub fn is(&self, size: u64, mtime_ms: i64) -> bool {
        self.size == size && self.mtime_ms.abs_diff(mtime_ms) < TIME_STEP_MS
    }
}

impl Survey {
    /// Opens a folder to look at; `None` where there is none.
    ///
    /// # Errors
    /// The system's, and where the record of an earlier seal cannot be opened.
    pub fn open(to: &Path) -> Result<Option<Self>, ArchiveError> {
        let root = match Root::open(to) {
            Ok(root) => root,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(ArchiveError::io("open", to)(e)),
        };
        let rows = Rows::open(&root, to)?;
        let unbagged = !rows.exist() && root.stat(MANIFEST).is_err();
        let rows = rows.exist().then(|| rows.peekable());
        Ok(Some(Self { root, rows, group: Vec::new(), unbagged, last: None }))
    }

    /// Gives the paths at which a version's file can be, from the bag's root, the likeliest first:
    /// where the record says, where its key belongs, and, in a folder that never was a bag, where
    /// another tool would have put it.
    ///
    /// To be asked in the order of the listing. `beside_folder` as for [`keymap::payload_path`].
    /// Whether a path under another tool's name is really free of other keys' files is the caller's
    /// to say: see [`other_keys_name`].
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`] where the record does not read.
    pub fn places(
        &mut self,
        object: &ObjectVersion,
        beside_folder: bool,
    ) -> Result<Vec<String>, ArchiveError> {
        self.read_group(&object.key)?;
        let same = |row: &&BagRow| {
            row.version_id == object.version_id
                && row.etag == object.etag.as_str()
                && row.size == object.size
        };
        let mut places: Vec<String> =
            self.group.iter().filter(same).filter_map(|row| row.path.clone()).collect();
        let belongs = keymap::object_path(object, beside_folder);
        if !places.contains(&belongs) {
            places.push(belongs);
        }
        let key = &object.key;
        let elsewhere = self.unbagged && object.standing == Standing::Current;
        if elsewhere && is_plain_path(key) && !is_own_name(key) {
            places.push(key.clone());
        }
        Ok(places)
    }

    /// Looks at one path; `None` where no plain file is.
    pub fn see(&mut self, path: &str) -> Option<Seen> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") {
            return None;
        }
        if self.last.as_ref().is_none_or(|(open, _)| open != above) {
            self.last = Some((above.to_owned(), self.root.folder(above).ok()));
        }
        let folder = self.last.as_ref()?.1.as_ref()?;
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let plain = FileType::from_raw_mode(stat.st_mode).is_file();
        plain.then(|| Seen {
            size: stat.st_size.cast_unsigned(),
            mtime_ms: stat.st_mtime * 1_000
                + i64::try_from(stat.st_mtime_nsec).unwrap_or(0) / 1_000_000,
        })
    }

    /// Reads on in the record up to the rows of a key.
    fn read_group(&mut self, key: &str) -> Result<(), ArchiveError> {
        let Some(rows) = &mut self.rows else { return Ok(()) };
        if self.group.first().is_some_and(|row| row.key == key) {
            return Ok(());
        }
        self.group.clear();
        let upto = |row: &Result<BagRow, ArchiveError>| match row {
            Ok(row) => row.key.as_str() <= key,
            Err(_) => true,
        };
        while let Some(row) = rows.next_if(upto) {
            let row = row?;
            if row.key == key {
                self.group.push(row);
            }
        }
        Ok(())
    }
}

/// The key whose own path a file under another tool's name would have, where that can be told
/// apart: in a folder filled by another tool, `data/x` may be the file of the key `data/x`, or that
/// of `x` in its place.
///
/// `Ok(None)`: no key has that path. `Err`: one may, and which one cannot be told.
#[expect(clippy::result_unit_err, reason = "there is nothing more to say")]
pub fn other_keys_name(path: &str) -> Result<Option<String>, ()> {
    if !path.starts_with("data/") {
        return Ok(None);
    }
    keymap::unescape(path).map(Some).ok_or(())
}

/// Whether another tool could have written a key's file under the key itself.
fn is_plain_path(key: &str) -> bool {
    !key.contains('\0') && !key.split('/').any(|part| matches!(part, "" | "." | ".."))
}

/// Whether a name at the top of the folder is one of the archive's own.
fn is_own_name(key: &str) -> bool {
    key.split('/').next() == Some(STAGING) || OWN.contains(&key)
}

/// The files that a seal puts in their place, whatever stands there.
const OWN: [&str; 6] = [BAGIT, identity::BAG_INFO, MANIFEST, TAG_MANIFEST, OBJECTS, BUCKET];

/// What in a folder filled by another tool stands where the archive's own files go; `None` where
/// nothing does.
pub(super) fn in_the_way(root: &Root) -> Option<&'static str> {
    let taken = OWN.into_iter().find(|path| root.stat(path).is_ok());
    let no_folder = |path: &&str| root.stat(path).is_ok() && root.folder(path).is_err();
    taken.or_else(|| [PAYLOAD, "metadata", STAGING].into_iter().find(no_folder))
}
