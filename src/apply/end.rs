//! How an action, a bucket and a whole apply can end.

use jiff::Timestamp;
use thiserror::Error;

use crate::archive::ArchiveError;
use crate::aws::{AwsError, ErrorKind};
use crate::event::WaitingFor;
use crate::model::BucketName;
use crate::observe::ObserveError;
use crate::state::StateError;

/// How one action ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Its effect was seen.
    Done {
        /// Object versions (or uploads) it covered.
        objects: u64,
        /// Bytes it covered.
        bytes: u64,
    },
    /// Nothing more can be done for now.
    Waits {
        /// What for.
        on: WaitingFor,
        /// When to look again, where that can be told.
        until: Option<Timestamp>,
    },
    /// The world is not what the plan was made from.
    Stale(String),
    /// A promise forbids it.
    Refused(String),
    /// It went wrong; the same plan may try again.
    Failed(String),
    /// Another process holds the archive.
    Held(String),
    /// Somebody asked to stop.
    Parked,
}

/// What stops an action before its end: an [`End`] that comes early, or a state that cannot be
/// trusted any more, which ends the whole apply.
#[derive(Debug, Error)]
pub enum Trouble {
    /// The apply must stop at once.
    #[error(transparent)]
    Fatal(#[from] StateError),
    /// The action ends like this.
    #[error("the action ended: {0:?}")]
    Ends(End),
}

impl From<AwsError> for Trouble {
    fn from(error: AwsError) -> Self {
        Self::Ends(match error.kind() {
            ErrorKind::ExpiredCredentials | ErrorKind::NoCredentials => {
                End::Waits { on: WaitingFor::Login, until: None }
            }
            ErrorKind::Changed | ErrorKind::NoSuchKey | ErrorKind::NoSuchBucket => {
                End::Stale(error.to_string())
            }
            // The plan's ceiling of dollars was for one restore: another one is a new plan's.
            ErrorKind::NotThawed => End::Stale(format!(
                "{error}: its restored copy has lapsed, or it was moved to a colder class since"
            )),
            ErrorKind::OtherOwner => End::Refused(error.to_string()),
            _ => End::Failed(match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            }),
        })
    }
}

impl From<ArchiveError> for Trouble {
    fn from(error: ArchiveError) -> Self {
        Self::Ends(match &error {
            ArchiveError::Held { .. } => End::Held(told(&error)),
            ArchiveError::Foreign { .. }
            | ArchiveError::NotAFolder(_)
            | ArchiveError::NotAnArchive(_)
            | ArchiveError::Planted(_)
            | ArchiveError::Vanished { .. } => End::Refused(told(&error)),
            _ if error.is_full() => End::Failed(format!(
                "{}; free some space, then run the same command again: what is in the archive and \
                 in S3 is unharmed",
                told(&error)
            )),
            _ => End::Failed(told(&error)),
        })
    }
}

impl From<ObserveError> for Trouble {
    fn from(error: ObserveError) -> Self {
        match error {
            ObserveError::Aws(error) => error.into(),
            ObserveError::State(error) => error.into(),
            ObserveError::Archive(error) => error.into(),
            ObserveError::Glob(error) => Self::Ends(End::Refused(error.to_string())),
            ObserveError::Spool(_) => Self::Ends(End::Failed(told(&error))),
        }
    }
}

/// A task that was cut off: only a panic does that, and the journal is whole all the same.
impl From<tokio::task::JoinError> for Trouble {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Ends(End::Failed(format!(
            "a task of s3plan broke off, which is a bug: {error}; nothing is claimed that was not \
             done, run the same command again"
        )))
    }
}

/// An error with its causes, as one phrase.
pub(super) fn told(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

/// How one bucket's part of the plan ended.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketEnd {
    /// Which bucket.
    pub bucket: BucketName,
    /// How its last action ended; `Done` where all of them did.
    pub end: End,
}

/// How an apply ended, bucket by bucket.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// In the order of the plan.
    pub buckets: Vec<BucketEnd>,
}
