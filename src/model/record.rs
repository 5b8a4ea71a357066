//! The record of a run: what was done, when, on which evidence, and who approved it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::action::{ActionId, ActionKind};
use super::evidence::EvidenceId;
use super::money::Usd;
use super::name::{AccountId, BucketName};

/// What became of one plan so far, told from the plan and the audit log alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// The format of this document: major.minor, where minor only adds.
    pub format: &'static str,
    /// The plan's digest.
    pub run: String,
    /// The account.
    pub account: AccountId,
    /// The manifest that the plan was made from.
    pub manifest: String,
    /// When the first process took the run up; `None` where none did.
    pub started_at: Option<Timestamp>,
    /// When the last thing was written down; `None` where nothing was.
    pub last_at: Option<Timestamp>,
    /// How many processes took it up, and by whose credentials.
    pub processes: BTreeMap<String, u64>,
    /// Bucket by bucket, in the plan's order.
    pub buckets: Vec<BucketRecord>,
    /// Estimated, and really done.
    pub totals: Vec<Total>,
    /// The plan's estimate of all its actions.
    #[serde(rename = "estimated_cost_micros")]
    pub cost: Usd,
    /// The same with early-deletion fees.
    #[serde(rename = "estimated_cost_at_most_micros")]
    pub cost_at_most: Usd,
    /// How many requests of each operation were sent, retries included. A process that was killed
    /// did not say how many it had sent.
    pub requests: BTreeMap<String, u64>,
    /// Lines of the audit log that cannot be read, counted from 1.
    pub unreadable_lines: Vec<usize>,
}

/// One kind of work: what the plan said, and what was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Total {
    /// Which kind.
    pub kind: ActionKind,
    /// Objects that the plan allowed.
    pub planned_objects: u64,
    /// Bytes that the plan allowed.
    pub planned_bytes: u64,
    /// Objects that finished actions covered.
    pub done_objects: u64,
    /// Their bytes.
    pub done_bytes: u64,
}

/// What became of one bucket.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BucketRecord {
    /// Its name.
    pub bucket: BucketName,
    /// Its archive, as in the manifest; `None` where only a policy is wanted.
    pub archive: Option<String>,
    /// Where it stands.
    pub ending: Ending,
    /// Why, where there is something to say.
    pub detail: Option<String>,
    /// The evidence that its gate opened with last.
    pub evidence: Option<EvidenceId>,
    /// Who approved that evidence.
    pub approvals: Vec<ApprovalRecord>,
    /// Its actions, in the plan's order.
    pub actions: Vec<ActionRecord>,
    /// Objects that were left alone or could not be brought home, by name and reason; the first
    /// ones.
    pub named: Vec<String>,
    /// How many more of them the audit log names.
    pub more_named: u64,
}

/// Where a bucket of a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// All of its actions are done.
    Done,
    /// Nothing of it was begun.
    Pending,
    /// It was begun and stopped on the way.
    Stopped,
    /// It waits.
    Waiting,
    /// An action failed.
    Failed,
    /// The world moved.
    Stale,
    /// Somebody gave it up.
    Abandoned,
}

/// Somebody's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApprovalRecord {
    /// When.
    pub at: Timestamp,
    /// Whose credentials.
    pub caller_arn: Option<String>,
    /// Whose login.
    pub os_user: Option<String>,
    /// To what.
    pub evidence: EvidenceId,
}

/// What became of one action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionRecord {
    /// Which one.
    pub id: ActionId,
    /// Why it was planned.
    pub reason: String,
    /// When its effect was seen; `None` where it was not.
    pub done_at: Option<Timestamp>,
    /// Objects it covered.
    pub objects: u64,
    /// Bytes it covered.
    pub bytes: u64,
    /// How it failed last, where it is not done.
    pub failed: Option<String>,
    /// What was changed in AWS, by operation: how many objects, uploads or buckets.
    pub mutations: BTreeMap<String, u64>,
    /// AWS's ids of those requests; the first ones.
    pub request_ids: Vec<String>,
    /// How many more of them the audit log has.
    pub more_request_ids: u64,
}
