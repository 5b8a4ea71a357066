//! `bag-info.txt`: whose archive it is, from the first moment on, and how much is in it.

use std::io::{self, Read};
use std::path::Path;

use crate::archive::ArchiveError;
use crate::archive::beneath::Root;
use crate::archive::keymap;
use crate::archive::open::{Owner, open_plain};
use crate::model::{AccountId, BucketName};

/// The bag's description; here it also tells an archive from an empty mount point.
pub(in crate::archive) const BAG_INFO: &str = "bag-info.txt";
/// A bag-info.txt has some lines; what is longer is not ours.
const LONGEST: u64 = 64 << 10;

/// How much is in a bag: bytes, files.
pub(in crate::archive) type Oxum = (u64, u64);

/// Writes the description; without an Oxum while the archive is unfinished.
pub(in crate::archive) fn text(owner: &Owner, oxum: Option<Oxum>, date: Option<&str>) -> String {
    let bucket = keymap::escape_name(owner.bucket.as_str());
    let mut text = format!(
        "Bag-Software-Agent: s3plan {}\n\
         External-Identifier: {}/{bucket}\n\
         External-Description: Objects of the S3 bucket {bucket}, AWS account {}\n",
        env!("CARGO_PKG_VERSION"),
        owner.account,
        owner.account,
    );
    if let Some(date) = date {
        text.push_str(&format!("Bagging-Date: {date}\n"));
    }
    if let Some((bytes, files)) = oxum {
        text.push_str(&format!("Payload-Oxum: {bytes}.{files}\n"));
    }
    text
}

/// Reads whose archive a folder is; `None` where it has no description at all.
///
/// # Errors
/// [`ArchiveError::NotAnArchive`] where it is a bag, but not one of s3plan's.
pub(in crate::archive) fn read(root: &Root, to: &Path) -> Result<Option<Owner>, ArchiveError> {
    let Some(text) = read_text(root, to)? else { return Ok(None) };
    let owner = text.lines().find_map(|line| {
        let (account, bucket) =
            line.strip_prefix("External-Identifier:")?.trim().split_once('/')?;
        let bucket = BucketName::new(keymap::unescape_name(bucket)?);
        Some(Owner { account: AccountId::new(account)?, bucket })
    });
    owner.map(Some).ok_or_else(|| ArchiveError::NotAnArchive(to.to_owned()))
}

/// Reads how much a bag says that it holds; `None` where it does not say.
pub(in crate::archive) fn read_oxum(root: &Root, to: &Path) -> Option<Oxum> {
    let text = read_text(root, to).ok().flatten()?;
    let oxum = text.lines().find_map(|line| line.strip_prefix("Payload-Oxum:"))?;
    let (bytes, files) = oxum.trim().split_once('.')?;
    Some((bytes.parse().ok()?, files.parse().ok()?))
}

fn read_text(root: &Root, to: &Path) -> Result<Option<String>, ArchiveError> {
    let file = match open_plain(root, to, BAG_INFO) {
        Err(ArchiveError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(LONGEST)
        .read_to_end(&mut bytes)
        .map_err(ArchiveError::io("read", to.join(BAG_INFO)))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
