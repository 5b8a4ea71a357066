//! Actions: phases of one bucket that change or prove something, and their graph.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::Usd;
use super::name::{BucketName, Number};
use super::restore::{KeepDays, Tier};

/// A number of bytes.
pub type Bytes = u64;

/// The kinds of actions, in the order in which they can need each other on one bucket.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Replace the bucket's policy.
    SetPolicy,
    /// Ask S3 to thaw archived objects.
    Restore,
    /// Wait until they are thawed.
    AwaitRestore,
    /// Prove files that are already in place.
    Adopt,
    /// Fetch objects into the archive.
    Download,
    /// Read the files back from the medium and compare.
    Verify,
    /// Complete the archive as a bag.
    Seal,
    /// Find out whether the server honours conditional deletes.
    ProbeDeletes,
    /// Wait for a person's yes to the evidence.
    Approve,
    /// Delete the proven object versions.
    DeleteObjects,
    /// Abort unfinished multipart uploads.
    AbortUploads,
    /// Delete the empty bucket.
    DeleteBucket,
}

impl ActionKind {
    /// The word in plan files and ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SetPolicy => "set-policy",
            Self::Restore => "restore",
            Self::AwaitRestore => "await-restore",
            Self::Adopt => "adopt",
            Self::Download => "download",
            Self::Verify => "verify",
            Self::Seal => "seal",
            Self::ProbeDeletes => "probe-deletes",
            Self::Approve => "approve",
            Self::DeleteObjects => "delete-objects",
            Self::AbortUploads => "abort-uploads",
            Self::DeleteBucket => "delete-bucket",
        }
    }

    /// Whether what it does in S3 can never be taken back.
    pub fn is_irreversible(self) -> bool {
        matches!(self, Self::DeleteObjects | Self::AbortUploads | Self::DeleteBucket)
    }

    /// Whether it keeps the disk and the line busy: one bucket at a time does that.
    pub fn moves_data(self) -> bool {
        matches!(self, Self::Adopt | Self::Download | Self::Verify | Self::Seal)
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The id of an action, stable between plans: `photos-2019/download`, `photos-2019/download-2`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ActionId(String);

impl ActionId {
    /// The `nth` action of this kind on this bucket, counted from 1; the first has no number.
    pub fn new(bucket: &BucketName, kind: ActionKind, nth: u32) -> Self {
        match nth {
            0 | 1 => Self(format!("{bucket}/{kind}")),
            n => Self(format!("{bucket}/{kind}-{n}")),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stretch of the inventory: numbers from `first` up to and without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRange {
    /// The first number in it.
    pub first: Number,
    /// The first number behind it.
    pub end: Number,
}

impl ObjectRange {
    /// Whether a number lies in it.
    pub fn contains(self, number: Number) -> bool {
        (self.first..self.end).contains(&number)
    }
}

/// One phase of one bucket, with what it expects and what it may cost at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Unique in its plan.
    pub id: ActionId,
    /// What it does.
    pub kind: ActionKind,
    /// On which bucket.
    pub bucket: BucketName,
    /// The actions that must be done first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<ActionId>,
    /// Why, for people; never steers an apply.
    pub reason: String,
    /// A ceiling: object versions (uploads for `abort-uploads`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub objects: u64,
    /// A ceiling: bytes moved, read back or deleted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: Bytes,
    /// How many of `objects` earlier runs have done already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub done: u64,
    /// Estimated dollars, in millionths.
    #[serde(default, rename = "cost_micros", skip_serializing_if = "is_free")]
    pub cost: Usd,
    /// A ceiling: the most it may cost, in millionths of a dollar, where that is more: what S3
    /// charges for deleting early depends on ages that it does not tell.
    #[serde(default, rename = "cost_at_most_micros", skip_serializing_if = "Option::is_none")]
    pub cost_at_most: Option<Usd>,
    /// Estimated hours, to a tenth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// `restore`: the tier asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// `restore`: how long the copies are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<KeepDays>,
    /// `restore`, `await-restore`, `download`: the stretch of the inventory it covers; `None` is
    /// all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<ObjectRange>,
    /// `download`: whether it takes the objects that could be read at plan time or those thawed by
    /// this plan; `None` takes both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Takes>,
    /// `abort-uploads`: SHA-256 over the uploads it expects, 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads_digest: Option<String>,
    /// `set-policy`: the whole document; an absent one removes the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// `set-policy`: fingerprint of the live policy that the plan saw, 64 hex digits; `None`: the
    /// bucket had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_before: Option<String>,
    /// `set-policy`: the manifest accepts that the caller loses access.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lose_access: bool,
}

impl Action {
    /// The most it may cost, by the estimate.
    pub fn ceiling(&self) -> Usd {
        self.cost_at_most.map_or(self.cost, |most| most.max(self.cost))
    }
}

/// Which objects a download takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// Those that could be read when the plan was made.
    Ready,
    /// Those that an `await-restore` before it waited for.
    Thawed,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_free(cost: &Usd) -> bool {
    *cost == Usd::ZERO
}

/// Actions in a deterministic topological order: each stands behind all that it needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActionGraph {
    /// In order of application.
    pub actions: Vec<Action>,
}

impl ActionGraph {
    /// The action with this id; `None` where the graph has none.
    pub fn get(&self, id: &ActionId) -> Option<&Action> {
        self.actions.iter().find(|action| &action.id == id)
    }

    /// All actions on one bucket, in order.
    pub fn of_bucket<'a>(&'a self, bucket: &'a BucketName) -> impl Iterator<Item = &'a Action> {
        self.actions.iter().filter(move |action| &action.bucket == bucket)
    }
}
