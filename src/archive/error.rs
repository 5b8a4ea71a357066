//! Why something could not be done in an archive.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use thiserror::Error;

use super::open::Owner;

/// Why something could not be done in an archive. Nothing under a final name is ever half-done.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The system refused; `did` completes "cannot".
    #[error("cannot {did} {path}")]
    Io {
        /// What was tried: `write`, `make the folder`, ….
        did: &'static str,
        /// On what, as far as it is known.
        path: PathBuf,
        /// Why the system refused.
        source: io::Error,
    },
    /// Another process writes to this archive.
    #[error("{to} is being written to by {holder}")]
    Held {
        /// The archive.
        to: PathBuf,
        /// Who holds it, as the lock file says.
        holder: Holder,
    },
    /// The destination is a file, a pipe or a device.
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    /// A probe file could not be written in the destination.
    #[error("cannot write to {path}")]
    NotWritable {
        /// The folder that was tried.
        path: PathBuf,
        /// Why the system refused.
        source: io::Error,
    },
    /// The folder holds another bucket's archive.
    #[error("{to} is the archive of {found}, not of {wanted}")]
    Foreign {
        /// The folder.
        to: PathBuf,
        /// Whose it is.
        found: Owner,
        /// Whose it should be.
        wanted: Owner,
    },
    /// The folder has files in it, but no mark of an archive.
    #[error("{0} is not empty, and no archive of s3plan")]
    NotAnArchive(PathBuf),
    /// An archive was begun here, and is not here: most likely its file system is not mounted.
    #[error("the archive of {owner} is not at {to}: is its file system mounted?")]
    Vanished {
        /// Where it was.
        to: PathBuf,
        /// Whose it is.
        owner: Owner,
    },
    /// No complete bag is there.
    #[error("{0} is no sealed archive")]
    NotSealed(PathBuf),
    /// Something other than a plain file or folder stands at a path of the archive.
    #[error("{0} is not a plain file")]
    Planted(PathBuf),
    /// A path that would leave the archive; the key map makes no such paths.
    #[error("`{0}` is not a path inside an archive")]
    BadPath(String),
    /// A file of the bag does not read as what it should be.
    #[error("{path}, line {line}: {why}")]
    Damaged {
        /// From the bag's root.
        path: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// Rows must come in the order of their keys.
    #[error("the row of `{key}` comes after a key that sorts behind it")]
    OutOfOrder {
        /// The key that came too late.
        key: String,
    },
    /// Two rows name one file.
    #[error("two object versions have the path `{path}`")]
    SharedPath {
        /// From the bag's root.
        path: String,
    },
    /// A row for the bag could not be had.
    #[error("cannot read the rows to seal")]
    Rows(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ArchiveError {
    /// Pairs with `map_err` on a system call.
    pub(super) fn io<E: Into<io::Error>>(
        did: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { did, path: path.as_ref().to_owned(), source: source.into() }
    }

    /// Whether the destination has no room left (space, inodes or quota).
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Io { source, .. } | Self::NotWritable { source, .. } => {
                matches!(source.kind(), StorageFull | QuotaExceeded)
            }
            _ => false,
        }
    }

    /// Whether this process, or the machine, has no descriptor left: that says nothing of the file
    /// that was to be opened.
    pub fn is_shortage(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_shortage(source))
    }
}

/// [`ArchiveError::is_shortage`] of what the system said.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}

/// Who holds an archive, as far as its lock file says; every field may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The process id on `host`.
    pub pid: String,
    /// The machine's name.
    pub host: String,
    /// The bucket that is being archived.
    pub bucket: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid.is_empty() {
            return f.write_str("another process");
        }
        write!(f, "process {} on {}, for the bucket {}", self.pid, self.host, self.bucket)
    }
}
