//! Where every bucket stands: what `status` shows and other programs read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::EvidenceId;
use super::name::{AccountId, BucketName};

/// The answer of `s3plan status --json`, and of `status.json` beside a running apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDoc {
    /// Version of this document: major.minor, where minor only adds.
    pub format: String,
    /// The account of the project's state; `None` before the first plan.
    pub account: Option<AccountId>,
    /// The plan that is or was applied, by its digest; `None` before the first apply.
    pub run: Option<String>,
    /// Whether a process is applying it right now.
    pub running: bool,
    /// One for each bucket that a plan covered, by name.
    pub buckets: Vec<BucketStatus>,
}

impl StatusDoc {
    /// The format that this program writes.
    pub const FORMAT: &'static str = "1.0";
}

/// Where one bucket stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketStatus {
    /// Which bucket.
    pub bucket: BucketName,
    /// How far it is.
    pub phase: BucketPhase,
    /// Object versions that its outcome covers.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many are in the archive.
    pub downloaded_objects: u64,
    /// How many were read back from the medium and found equal.
    pub verified_objects: u64,
    /// How many were deleted from S3.
    pub deleted_objects: u64,
    /// How many could not be brought home.
    pub failed_objects: u64,
    /// What it waits for; `None` while it does not.
    pub waiting_for: Option<Wait>,
    /// When it is worth looking again, RFC 3339; `None` where that cannot be told.
    pub until: Option<jiff::Timestamp>,
    /// What `approve BUCKET@EVIDENCE` takes, once the gate is open.
    pub evidence: Option<EvidenceId>,
    /// What that evidence rests on: how many object versions were proven in which way. Empty while
    /// no gate is open.
    #[serde(default)]
    pub proofs: BTreeMap<String, u64>,
    /// Who gave its part of the plan up; `None` where nobody did. Its phase is `stale` then.
    #[serde(default)]
    pub abandoned_by: Option<String>,
    /// Why it is stale or failed, or what else is worth a sentence.
    pub detail: Option<String>,
}

/// How far a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BucketPhase {
    /// In a plan, nothing done yet.
    Planned,
    /// Archived objects were asked for.
    Restoring,
    /// Objects are coming in.
    Downloading,
    /// Files are being read back.
    Verifying,
    /// The bag is complete.
    Sealed,
    /// A person must say yes.
    AwaitingApproval,
    /// Objects are being deleted.
    Deleting,
    /// All that the plan asked for is done.
    Done,
    /// The same, and the bucket is gone.
    Retired,
    /// The world moved: it needs a new plan.
    Stale,
    /// Something went wrong: the run can be resumed.
    Failed,
}

/// What a bucket waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// S3 is thawing.
    Thaw,
    /// A person.
    Approval,
    /// Fresh credentials.
    Login,
}
