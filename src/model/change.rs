//! One difference between what is wanted and what is.

use std::collections::BTreeMap;

use super::action::{ActionKind, ObjectRange, Takes};
use super::name::BucketName;
use super::object::StorageClass;
use super::observed::Count;
use super::policy::PolicyChange;
use super::reason::Reason;

/// One difference between what is wanted and what is, on one bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// On which bucket.
    pub bucket: BucketName,
    /// What must be done.
    pub kind: ActionKind,
    /// Why.
    pub reason: Reason,
    /// How much of it.
    pub count: Count,
    /// How many of those objects earlier runs have done already; not part of `count`.
    pub done: u64,
    /// For downloads: how much of `count` looks present already.
    pub present: Count,
    /// For restores and the downloads behind them: which wave.
    pub wave: Option<Wave>,
    /// For downloads: which objects.
    pub takes: Option<Takes>,
    /// For `set-policy`: the policy.
    pub policy: Option<PolicyChange>,
}

/// One bucket's share of a wave.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// Counted from 0 over the whole plan.
    pub number: u32,
    /// The stretch of the bucket's inventory that it covers.
    pub range: ObjectRange,
    /// What must be asked for, by storage class.
    pub to_restore: BTreeMap<StorageClass, Count>,
    /// All that must be waited for, restores that are under way included.
    pub count: Count,
    /// The longest that AWS says these restores take.
    pub thaw_hours: f64,
}
