//! Looks at the place of an archive.

use std::error::Error as _;
use std::path::Path;

use crate::archive::space::{self, Writable};
use crate::archive::{ArchiveError, bag};
use crate::model::{AccountId, BucketName, Destination};

/// Looks at `to`: what file system it is on, how much fits, and whether it can be written.
///
/// # Errors
/// Only where the place cannot be looked at at all; what makes it unusable is told as `trouble`.
pub(super) fn look(
    to: &Path,
    account: &AccountId,
    bucket: &BucketName,
) -> Result<Destination, ArchiveError> {
    let trouble = match space::probe_writable(to) {
        Ok(there) => in_the_way(to, &there, account, bucket),
        Err(error) => Some(match error.source() {
            Some(cause) => format!("cannot be archived: {error}: {cause}"),
            None => format!("cannot be archived: {error}"),
        }),
    };
    let (device, available) = match space::free(to) {
        Ok(free) => (free.device, free.available_bytes),
        Err(_) if trouble.is_some() => (0, 0),
        Err(error) => return Err(error),
    };
    let sealed = trouble.is_none() && bag::is_sealed(to);
    Ok(Destination { device, available, trouble, sealed })
}

/// What stands where the archive should go; `None` where nothing is in the way.
fn in_the_way(
    to: &Path,
    there: &Writable,
    account: &AccountId,
    bucket: &BucketName,
) -> Option<String> {
    match there {
        Writable::Absent | Writable::Empty => None,
        Writable::Archive(owner) if &owner.account == account && &owner.bucket == bucket => None,
        Writable::Archive(owner) => Some(format!(
            "would be archived to {}, but that is the archive of {owner}: choose another `to`",
            to.display(),
        )),
        Writable::Other => Some(format!(
            "would be archived to {}, but other files are there: empty the folder or choose \
             another `to`",
            to.display(),
        )),
    }
}
