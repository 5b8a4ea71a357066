//! Says of each row of an inventory whether its file is on the disk: as it was left, as another
//! tool left it, or not at all.

use std::path::Path;

use super::ObserveError;
use crate::archive::{ArchiveError, Survey, other_keys_name};
use crate::model::BucketName;
use crate::state::{Mark, Row, State, StateError};

/// What is on the disk of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnDisk {
    /// Its file, with the size and the time that the state remembers.
    Whole,
    /// Files of its size at these paths, the likeliest first: hashing decides.
    Alike(Vec<String>),
    /// Nothing of its size.
    Absent,
}

impl OnDisk {
    /// Whether a row's file is no longer what the state remembers.
    pub fn is_drift(&self, row: &Row) -> bool {
        row.stored.is_some() && *self != Self::Whole
    }
}

/// Looks at a destination in the order of an inventory.
pub struct InPlace<'a> {
    /// `None`: no folder is there, so that nothing is.
    survey: Option<Survey>,
    state: &'a State,
    bucket: &'a BucketName,
}

impl<'a> InPlace<'a> {
    /// Looks nowhere: what the state calls stored counts as whole, the rest as absent.
    pub fn nowhere(state: &'a State, bucket: &'a BucketName) -> Self {
        Self { survey: None, state, bucket }
    }

    /// Opens a destination to look at.
    ///
    /// # Errors
    /// The system's.
    pub fn open(to: &Path, state: &'a State, bucket: &'a BucketName) -> Result<Self, ArchiveError> {
        Ok(Self { survey: Survey::open(to)?, state, bucket })
    }

    /// Looks for one row's file. To be asked in the order of the inventory. Blocking.
    ///
    /// # Errors
    /// Where the archive's record does not read, or the state.
    pub fn look(&mut self, row: &Row) -> Result<OnDisk, ObserveError> {
        let Some(survey) = &mut self.survey else {
            return Ok(if row.stored.is_some() { OnDisk::Whole } else { OnDisk::Absent });
        };
        if let Some(stored) = &row.stored {
            let seen = survey.see(&stored.path);
            return Ok(match seen {
                Some(seen) if seen.is(stored.size, stored.mtime_ns / 1_000_000) => OnDisk::Whole,
                Some(seen) if seen.size == stored.size => OnDisk::Alike(vec![stored.path.clone()]),
                Some(_) | None => OnDisk::Absent,
            });
        }
        if row.marks.has(Mark::Misfit) {
            return Ok(OnDisk::Absent);
        }
        let mut places = survey.places(&row.object, row.beside_folder)?;
        places.retain(|path| survey.see(path).is_some_and(|seen| seen.size == row.object.size));
        let mut free = Vec::with_capacity(places.len());
        for path in places {
            if !self.is_anothers(row, &path)? {
                free.push(path);
            }
        }
        Ok(if free.is_empty() { OnDisk::Absent } else { OnDisk::Alike(free) })
    }

    /// Whether a file under another tool's name can be another key's file in its place.
    fn is_anothers(&self, row: &Row, path: &str) -> Result<bool, StateError> {
        if path != row.object.key {
            return Ok(false);
        }
        match other_keys_name(path) {
            Ok(None) => Ok(false),
            Ok(Some(key)) => {
                let number = self.state.find_key(self.bucket, &key)?;
                Ok(number.is_some())
            }
            Err(()) => Ok(true),
        }
    }
}
