//! What the manifest wants, checked and resolved against the account's real buckets.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::Usd;
use super::name::{AccountId, BucketName};
use super::restore::RestoreWish;

/// The outcome for the whole account, with globs expanded and placeholders filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The only account that plan and apply may touch.
    pub account: AccountId,
    /// Which manifest said so.
    pub manifest: ManifestRef,
    /// One for each bucket that any outcome covers, by name.
    pub buckets: Vec<DesiredBucket>,
    /// How fast data may move.
    pub transfer: Transfer,
    /// What a plan may not exceed.
    pub limits: Limits,
}

/// The manifest a plan was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestRef {
    /// Relative to the project's folder.
    pub path: String,
    /// SHA-256 of the file, 64 hex digits.
    pub digest: String,
}

/// The outcome for one bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredBucket {
    /// Which bucket.
    pub name: BucketName,
    /// `None`: no outcome asks for an archive.
    pub archive: Option<DesiredArchive>,
    /// `None`: no outcome asks for a policy.
    pub policy: Option<DesiredPolicy>,
}

/// The archive that a bucket shall have, and what becomes of the bucket then.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredArchive {
    /// As written in the manifest, with `{bucket}`, `{account}` and `{region}` filled in.
    pub to: String,
    /// The same as an absolute path.
    pub to_path: PathBuf,
    /// What happens in S3 once everything is proven and approved.
    pub then: AfterArchive,
    /// Globs over keys; empty means all.
    pub include: Vec<String>,
    /// Globs over keys; wins over `include`.
    pub exclude: Vec<String>,
    /// Which versions are archived.
    pub versions: VersionsWanted,
    /// How archived objects are restored.
    pub restore: RestoreWish,
    /// What becomes of objects for which S3 holds no proof.
    pub unprovable: Unprovable,
    /// What to do on servers that do not honour conditional deletes.
    pub unconditional_deletes: UnconditionalDeletes,
}

/// What happens in S3 once the archive is proven and a person has approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AfterArchive {
    /// Nothing is deleted.
    Keep,
    /// Exactly what was archived and proven is deleted; the bucket stays.
    DeleteObjects,
    /// The objects, unfinished uploads and the bucket are deleted.
    DeleteBucket,
}

impl AfterArchive {
    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::DeleteObjects => "delete-objects",
            Self::DeleteBucket => "delete-bucket",
        }
    }

    /// Whether anything in S3 is deleted.
    pub fn deletes(self) -> bool {
        self != Self::Keep
    }
}

/// Which versions of each object are archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VersionsWanted {
    /// The current ones.
    Current,
    /// Every one, and the delete markers are recorded.
    All,
}

/// What becomes of objects for which S3 holds no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unprovable {
    /// Archived, never deleted.
    Keep,
    /// Deleted once two independent downloads agree.
    Twice,
    /// Deleted once the size agrees: the user takes the risk.
    Size,
}

/// What to do where the server does not honour conditional deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnconditionalDeletes {
    /// Delete nothing.
    Refuse,
    /// Compare each object by HEAD right before its unconditional delete; a weaker guarantee.
    CompareFirst,
}

/// The policy that a bucket shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPolicy {
    /// Where the document comes from.
    pub source: PolicySource,
    /// Take the lock even where it costs the caller their own access.
    pub lose_access: bool,
}

/// Where a policy document comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// A lock to these identities, added under its own Sids.
    Lock {
        /// Who keeps access.
        to: Vec<LockTo>,
        /// What others lose.
        mode: LockMode,
        /// Whether other statements go.
        replace_statements: bool,
    },
    /// A document in a file (absolute path), with `{{bucket}}` inside still to be filled in.
    File(PathBuf),
    /// No policy at all.
    None,
}

/// Somebody a bucket is locked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockTo {
    /// The identity that makes the plan.
    Me,
    /// An IAM user's name.
    User(String),
    /// An ARN.
    Arn(String),
}

/// What those lose who are not named in a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Everything; the account's root and AWS's own service principals are spared.
    Full,
    /// The data, but not the right to repair the policy.
    Data,
}

/// How fast data may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes a second, all connections together; `None` is as fast as it goes.
    pub max_bandwidth: Option<u64>,
    /// Connections at a time; `None` leaves it to s3plan.
    pub max_connections: Option<u32>,
}

/// What a plan may not exceed; `None` sets no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Object versions deleted.
    pub max_delete_objects: Option<u64>,
    /// Bytes deleted.
    pub max_delete_bytes: Option<u64>,
    /// Bytes downloaded.
    pub max_download_bytes: Option<u64>,
    /// Estimated dollars.
    pub max_cost: Option<Usd>,
}
