//! One object version as a listing shows it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::name::ETag;

/// One object version, or one delete marker, as a listing of its bucket shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The exact key, at most 1,024 bytes of UTF-8.
    pub key: String,
    /// `None` in a bucket that never was versioned; otherwise S3's id, which may be `null`.
    pub version_id: Option<String>,
    /// Whether this version is what a GET without a version id answers.
    pub standing: Standing,
    /// `true` for a delete marker: it has no bytes, no ETag, and cannot be downloaded.
    pub delete_marker: bool,
    /// Empty for a delete marker.
    pub etag: ETag,
    /// In bytes; 0 for a delete marker.
    pub size: u64,
    /// Milliseconds since the Unix epoch; S3 gives whole seconds in headers, up to milliseconds in
    /// listings.
    pub last_modified_ms: i64,
    /// The storage class by its S3 name.
    pub class: StorageClass,
    /// Where a restore of this version stood when it was listed.
    pub thaw: Thaw,
    /// The checksum algorithms that the listing says S3 holds for it, by S3's names. Often empty.
    pub checksums: Vec<String>,
    /// Whether those cover the object or its parts; `None` where the listing does not say.
    pub checksum_type: Option<ChecksumType>,
}

impl ObjectVersion {
    /// Whether a GET needs a RestoreObject first, and none is under way or done.
    pub fn needs_restore(&self) -> bool {
        !self.delete_marker && self.class.is_archived() && self.thaw == Thaw::NotAsked
    }

    /// Whether a GET would have to wait: archived, and no restored copy is there.
    pub fn is_frozen(&self) -> bool {
        !self.delete_marker
            && self.class.is_archived()
            && !matches!(self.thaw, Thaw::ReadyUntil { .. })
    }

    /// The proof that the listing lets one expect; what it will really be, HEAD and GET decide.
    pub fn proof_forecast(&self) -> ProofForecast {
        if !self.checksums.is_empty() {
            match self.checksum_type {
                Some(ChecksumType::Composite) => ProofForecast::CompositeChecksum,
                _ => ProofForecast::FullChecksum,
            }
        } else if self.etag.as_md5().is_some() {
            ProofForecast::Md5ETag
        } else if self.etag.as_multipart().is_some() {
            ProofForecast::MultipartETag
        } else {
            ProofForecast::Unknown
        }
    }
}

/// Whether a version is the current one of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// A GET without a version id answers it.
    Current,
    /// Reached by its version id only.
    Noncurrent,
}

/// Whether a checksum covers the whole object or is made of its parts' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumType {
    /// Over all bytes in order.
    FullObject,
    /// A digest of the parts' digests, with `-N` behind it.
    Composite,
}

/// What proof a listing lets one expect; counted in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProofForecast {
    /// A checksum over the whole object.
    FullChecksum,
    /// A checksum of the parts' checksums.
    CompositeChecksum,
    /// The MD5 of a single PUT in the ETag.
    Md5ETag,
    /// The MD5 of the parts' MD5s in the ETag.
    MultipartETag,
    /// The listing shows nothing that could prove it.
    Unknown,
}

impl ProofForecast {
    /// For the words of a plan.
    pub fn words(self) -> &'static str {
        match self {
            Self::FullChecksum => "checksum",
            Self::CompositeChecksum => "checksum of parts",
            Self::Md5ETag => "MD5",
            Self::MultipartETag => "MD5 of parts",
            Self::Unknown => "none known",
        }
    }
}

/// Where a restore stands. Source: S3 API Reference, `RestoreStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thaw {
    /// Never asked for, or the copy has lapsed: both mean "ask again".
    NotAsked,
    /// Asked for, not there yet.
    Ongoing,
    /// A temporary copy can be read until this time (milliseconds since the Unix epoch).
    ReadyUntil {
        /// S3 rounds it up to the next midnight UTC.
        until_ms: i64,
    },
}

/// A storage class by its S3 name; compared as text, since S3 adds classes over the years.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StorageClass(String);

impl StorageClass {
    /// Takes S3's name. An absent or empty one is `STANDARD`, as S3 means it.
    pub fn new(name: &str) -> Self {
        Self(if name.is_empty() { "STANDARD" } else { name }.to_owned())
    }

    /// S3's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its objects always need a RestoreObject before a GET.
    pub fn is_archived(&self) -> bool {
        matches!(self.0.as_str(), "GLACIER" | "DEEP_ARCHIVE") || self.is_archived_tier()
    }

    /// An INTELLIGENT_TIERING object in one of its archive tiers, which only a HEAD tells.
    ///
    /// Kept as the class with the tier behind a colon: `INTELLIGENT_TIERING:ARCHIVE_ACCESS`.
    pub fn intelligent_tier(tier: &str) -> Self {
        Self(format!("INTELLIGENT_TIERING:{tier}"))
    }

    /// Whether this is such an object: it moves to a readable tier, so no days may be asked for.
    pub fn is_archived_tier(&self) -> bool {
        self.0.starts_with("INTELLIGENT_TIERING:")
    }

    /// Whether it is the deeper one of those tiers.
    pub fn is_deep_tier(&self) -> bool {
        self.0 == "INTELLIGENT_TIERING:DEEP_ARCHIVE_ACCESS"
    }

    /// S3's own name of the class, without a tier.
    pub fn s3_name(&self) -> &str {
        self.0.split(':').next().unwrap_or(&self.0)
    }

    /// Whether only a HEAD can tell if an object of this class is archived.
    pub fn may_hide_archived(&self) -> bool {
        self.0 == "INTELLIGENT_TIERING"
    }

    /// Whether s3plan knows how objects of this class are read. Never guess about another one.
    pub fn is_known(&self) -> bool {
        matches!(
            self.s3_name(),
            "STANDARD"
                | "REDUCED_REDUNDANCY"
                | "STANDARD_IA"
                | "ONEZONE_IA"
                | "INTELLIGENT_TIERING"
                | "GLACIER_IR"
                | "GLACIER"
                | "DEEP_ARCHIVE"
        )
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
