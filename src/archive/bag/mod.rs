//! The bag: what makes the folder one that can be read with no s3plan around.
//!
//! BagIt 1.0 (RFC 8493) with SHA-256 manifests, and under `metadata/` what S3 said of the objects
//! and of the bucket. `bagit.py --validate` and `sha256sum -c manifest-sha256.txt` read it as it
//! is.

pub(super) mod identity;
mod lines;
pub(super) mod manifest;
mod row;
mod rows;
mod seal;
mod strays;
mod tag_file;

use std::path::Path;

pub(super) use lines::{Line, Lines};
pub use row::{BagRow, RowProof};
pub use rows::Rows;
pub use seal::{Sealed, seal};

use super::ArchiveError;
use super::beneath::Root;
use super::open::Owner;

/// The declaration that makes a folder a bag.
pub const BAGIT: &str = "bagit.txt";
/// One line a payload file: SHA-256 and path.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// One line a file of the bag's own; written last, so that it is there only in a sealed bag.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// One line of JSON an object version, in the order of the keys.
pub const OBJECTS: &str = "metadata/objects.jsonl";
/// The bucket's configuration.
pub const BUCKET: &str = "metadata/bucket.json";

/// Says whose archive a folder is. `None` where it is none, or cannot be read.
pub fn read_identity(to: &Path) -> Option<Owner> {
    identity::read(&Root::open(to).ok()?, to).ok().flatten()
}

/// Whether a folder holds a complete bag. Its files are not looked at: that is `verify`.
pub fn is_sealed(to: &Path) -> bool {
    let own_files = [BAGIT, MANIFEST, TAG_MANIFEST, identity::BAG_INFO, OBJECTS];
    Root::open(to).is_ok_and(|root| own_files.iter().all(|path| root.read(path).is_ok()))
}

/// Reads the rows of an archive, in the order of their keys; none where it was never sealed.
///
/// # Errors
/// Where the file is there and cannot be opened; [`Rows`] says what is wrong inside.
pub fn read_rows(to: &Path) -> Result<Rows, ArchiveError> {
    let root = Root::open(to).map_err(ArchiveError::io("open", to))?;
    Rows::open(&root, to)
}
