//! What can go wrong with the state, in words that say what is unharmed and what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::AccountId;

/// Why the state cannot be used, or not as asked.
#[derive(Debug, Error)]
pub enum StateError {
    /// Another process holds it. Its lock is the kernel's and goes with that process.
    #[error("the state {} is held by {by}", path.display())]
    Held {
        /// The state file.
        path: PathBuf,
        /// Who holds it, in the holder's own words.
        by: String,
    },
    /// What was read is not what was written, or could not be read as a state at all.
    #[error(
        "the state {} is damaged: {what}; nothing in it is believed, the archives and S3 are unharmed",
        path.display()
    )]
    Damaged {
        /// The state file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A newer s3plan wrote it.
    #[error(
        "the state {} has schema {found}, this s3plan knows up to {known}; nothing was changed",
        path.display()
    )]
    Newer {
        /// The state file.
        path: PathBuf,
        /// The schema in the file.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// It belongs to another account.
    #[error("the state belongs to account {found}, not to {expected}; nothing was changed")]
    Foreign {
        /// The account that was asked for.
        expected: AccountId,
        /// The account whose state this is.
        found: AccountId,
    },
    /// There is no state file to read.
    #[error("there is no state at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The disk is full; what was acknowledged before is safe.
    #[error(
        "the disk that holds {} is full; all that was recorded before is safe, as are archives and S3",
        path.display()
    )]
    Full {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The operating system refused; what was acknowledged before is safe.
    #[error("{}: {source}; all that was recorded before is safe, as are archives and S3", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// An earlier error ended the use of this handle; it is never tried again.
    #[error("the state {} is closed after an earlier error: {why}", path.display())]
    Closed {
        /// The state file.
        path: PathBuf,
        /// The earlier error.
        why: String,
    },
    /// A write through a handle that was opened for reading. Ours to mend.
    #[error("the state was opened for reading only")]
    ReadOnly,
    /// Something was asked of the state that it does not hold.
    #[error("the state has no {what}")]
    NotKept {
        /// What was asked for.
        what: String,
    },
    /// A listing whose keys do not rise; it is not taken as an inventory.
    #[error("the listing is out of order or repeats itself at key {key:?}")]
    Misordered {
        /// The key at which that showed.
        key: String,
    },
}

impl StateError {
    /// Stable for ever: people search for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Held { .. } => "state/held",
            Self::Damaged { .. } => "state/damaged",
            Self::Newer { .. } => "state/newer",
            Self::Foreign { .. } => "state/foreign",
            Self::Missing { .. } => "state/missing",
            Self::Full { .. } => "state/full",
            Self::Io { .. } => "state/io",
            Self::Closed { .. } => "state/closed",
            Self::ReadOnly => "state/read-only",
            Self::NotKept { .. } => "state/not-kept",
            Self::Misordered { .. } => "state/misordered",
        }
    }

    /// What to do next; `None` where nothing but the message helps.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Held { .. } => "wait for it or stop it; `s3plan status` works meanwhile",
            Self::Damaged { .. } => {
                "run `s3plan state rebuild`: it proves the files that are there against S3; \
                 nothing is deleted without a new approval"
            }
            Self::Newer { .. } => "use the newer s3plan",
            Self::Foreign { .. } => {
                "use that account's credentials, or another folder or `--state`"
            }
            Self::Missing { .. } => "run `s3plan plan` first",
            Self::Full { .. } => "free some space and run the same command again",
            Self::Io { .. } | Self::Closed { .. } => "run the same command again",
            Self::NotKept { .. } => "run `s3plan plan` again",
            Self::Misordered { .. } => {
                "run it again; if it stays, the server's listing is at fault"
            }
            Self::ReadOnly => return None,
        };
        Some(help.to_owned())
    }

    /// An operating system's error on a file, sorted by what a person can do.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { path, source },
        }
    }
}
