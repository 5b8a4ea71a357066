//! Looks at the place of an archive.

use std::path::Path;

use crate::archive::{ArchiveError, bag, space};
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
        Ok(()) => foreign(to, account, bucket)?,
        Err(error) => Some(error.to_string()),
    };
    let (device, available) = match space::free(to) {
        Ok(free) => (free.device, free.available_bytes),
        Err(_) if trouble.is_some() => (0, 0),
        Err(error) => return Err(error),
    };
    let sealed = trouble.is_none() && bag::is_sealed(to);
    Ok(Destination { device, available, trouble, sealed })
}

/// Whether another bucket's archive is there already.
fn foreign(
    to: &Path,
    account: &AccountId,
    bucket: &BucketName,
) -> Result<Option<String>, ArchiveError> {
    let Some(owner) = bag::read_identity(to)? else { return Ok(None) };
    if &owner.account == account && &owner.bucket == bucket {
        return Ok(None);
    }
    Ok(Some(format!(
        "would be archived to {}, but that is the archive of bucket {} of account {}: choose \
         another `to`",
        to.display(),
        owner.bucket,
        owner.account
    )))
}
