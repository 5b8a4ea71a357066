//! What was seen of one bucket besides its objects.

use serde::{Deserialize, Serialize};

use super::name::{AccountId, BucketName};

/// One bucket as AWS shows it at plan time, without its objects (they are in the inventory).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedBucket {
    /// Its name.
    pub name: BucketName,
    /// The region it lives in.
    pub region: String,
    /// Who owns it, where that could be told.
    pub owner: Option<AccountId>,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether deletions need a one-time code.
    pub mfa_delete: Mfa,
    /// Whether objects can be held.
    pub object_lock: ObjectLock,
    /// Unfinished multipart uploads, by key and upload id.
    pub uploads: Vec<UploadInProgress>,
    /// The policy text as S3 gives it; `None`: the bucket has none.
    pub policy: Option<String>,
}

/// Whether a bucket keeps versions. Source: S3 API Reference, GetBucketVersioning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Versioning {
    /// Never switched on.
    Never,
    /// On.
    Enabled,
    /// Was on once: old versions may remain.
    Suspended,
}

impl Versioning {
    /// The word in plan files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Enabled => "enabled",
            Self::Suspended => "suspended",
        }
    }
}

/// Whether deletions need a one-time code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mfa {
    /// They do: s3plan cannot give one.
    Required,
    /// They do not.
    NotRequired,
}

/// Whether Object Lock is configured on a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectLock {
    /// Never configured.
    Off,
    /// Configured: single versions may be held.
    On,
}

/// One unfinished multipart upload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadInProgress {
    /// The key it will have.
    pub key: String,
    /// S3's id of it.
    pub upload_id: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub initiated_ms: i64,
}
