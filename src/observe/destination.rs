//! Looks at the place of an archive.

use std::error::Error as _;
use std::path::Path;

use crate::archive::space::{self, Writable};
use crate::archive::{ArchiveError, bag};
use crate::model::{AccountId, BucketName, Destination, FoundAt};

/// Looks at `to`: what file system it is on, how much fits, what is there, and whether it can be
/// written. `known` says that objects of the bucket were brought home before.
///
/// # Errors
/// Only where the place cannot be looked at at all; what makes it unusable is told as `trouble`.
pub(super) fn look(
    to: &Path,
    account: &AccountId,
    bucket: &BucketName,
    known: bool,
) -> Result<Destination, ArchiveError> {
    let (found, trouble) = match space::probe_writable(to) {
        Ok(there) => judge(to, &there, account, bucket, known),
        Err(error) => (FoundAt::Nothing, Some(unreadable(&error))),
    };
    let (device, available) = match space::free(to) {
        Ok(free) => (free.device, free.available_bytes),
        Err(_) if trouble.is_some() => (0, 0),
        Err(error) => return Err(error),
    };
    let sealed = trouble.is_none() && bag::is_sealed(to);
    Ok(Destination { device, available, trouble, found, sealed })
}

/// What is there, and what of it stands in the way; `None` where nothing does.
fn judge(
    to: &Path,
    there: &Writable,
    account: &AccountId,
    bucket: &BucketName,
    known: bool,
) -> (FoundAt, Option<String>) {
    match there {
        Writable::Absent | Writable::Empty | Writable::Files if known => (
            FoundAt::Nothing,
            Some(format!(
                "was archived before, and its archive is not at {}: mount its file system, or put \
                 `to` where the archive is now; if it is gone for good, `s3plan state reset \
                 {bucket}` forgets it",
                to.display(),
            )),
        ),
        Writable::Absent | Writable::Empty => (FoundAt::Nothing, None),
        Writable::Archive(owner) if &owner.account == account && &owner.bucket == bucket => {
            (FoundAt::Archive, None)
        }
        Writable::Archive(owner) => (
            FoundAt::Nothing,
            Some(format!(
                "would be archived to {}, but that is the archive of {owner}: choose another `to`",
                to.display(),
            )),
        ),
        Writable::Files => (FoundAt::Files, None),
        Writable::Other => (FoundAt::Nothing, Some(others_files(to))),
    }
}

/// What to say of a folder whose files are not this bucket's.
pub(super) fn others_files(to: &Path) -> String {
    format!(
        "would be archived to {}, but other files are there, and none of them looks like an object \
         of this bucket: empty the folder or choose another `to`",
        to.display(),
    )
}

/// What to say of a place, or of an archive's record, that cannot be read.
pub(super) fn unreadable(error: &ArchiveError) -> String {
    match error.source() {
        Some(cause) => format!("cannot be archived: {error}: {cause}"),
        None => format!("cannot be archived: {error}"),
    }
}
