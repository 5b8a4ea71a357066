//! The person at the gate.

use crate::model::BucketName;
use crate::proof::Evidence;

/// What a person is shown before they may say yes.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Which bucket.
    pub bucket: &'a BucketName,
    /// What was proven.
    pub evidence: &'a Evidence,
    /// Where a guarantee is weaker than usual, one line each.
    pub caveats: &'a [String],
    /// What follows a yes, one line each.
    pub consequences: &'a [String],
}

/// What a person answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes, to exactly this evidence.
    Yes {
        /// The name the operating system knows them by.
        os_user: String,
    },
    /// Not now: the gate stays closed.
    No,
    /// There is nobody to ask here.
    Nobody,
}

/// Somebody who can be asked while an apply runs; blocking.
pub trait Person: Send + Sync {
    /// Shows the evidence and asks for a yes. Only the bucket's name, typed, is one.
    fn asks(&self, shown: Shown<'_>) -> Answer;
}
