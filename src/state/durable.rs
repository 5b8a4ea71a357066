//! Small plain files beside the state: whole or not at all, also after a power cut.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::error::StateError;
use crate::failpoint;
use crate::model::BucketName;

/// What stays as it is in file names that are made of other names.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Whether a file must survive a power cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Synced, with its folder, before this returns.
    Durably,
    /// Replaced atomically for readers; may be lost.
    Briefly,
}

/// Writes a file under a temporary name and renames it into place.
pub(super) fn replace(path: &Path, bytes: &[u8], keep: Keep) -> Result<(), StateError> {
    let part = part_of(path);
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        if keep == Keep::Durably {
            file.sync_all()?;
        }
        drop(file);
        failpoint::pass("naming of a plain file beside the state");
        fs::rename(&part, path)
    };
    write().map_err(|error| {
        // The error counts; a leftover is overwritten by the next attempt.
        let _ = fs::remove_file(&part);
        StateError::io(path, error)
    })?;
    if keep == Keep::Durably { sync_folder_of(path) } else { Ok(()) }
}

/// The same for JSON, indented for people, with a line end.
pub(super) fn replace_json<T: Serialize>(
    path: &Path,
    value: &T,
    keep: Keep,
) -> Result<(), StateError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| StateError::io(path, io::Error::other(error)))?;
    text.push(b'\n');
    replace(path, &text, keep)
}

/// Makes a rename or a new file in a folder durable.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StateError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StateError::io(folder, error))
}

/// A bucket's name as one component of a path, whatever a server calls its buckets.
pub(super) fn file_name(bucket: &BucketName) -> String {
    match bucket.as_str() {
        "" => "%".to_owned(),
        dots if dots.bytes().all(|byte| byte == b'.') => dots.replace('.', "%2E"),
        name => utf8_percent_encode(name, KEPT).to_string(),
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_s_name_is_always_one_harmless_component() {
        for name in ["", ".", "..", "a/b", "../x", "ok-bucket.1", "ü"] {
            let file = file_name(&BucketName::new(name));
            assert!(!file.contains('/') && file != "." && file != ".." && !file.is_empty());
        }
        assert_eq!(file_name(&BucketName::new("ok-bucket.1")), "ok-bucket.1");
    }
}
