//! One line of `metadata/objects.jsonl`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    ChecksumType, ETag, ObjectHeaders, ObjectVersion, Proof, Standing, StorageClass, Thaw,
};

/// All that is known of one object version, or of one delete marker; it dies with the object in S3.
///
/// Times are RFC 3339 in UTC, sizes in bytes. What is optional was not in S3's answers. Every line
/// can be put back into S3 from its fields and the file at `path`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BagRow {
    /// The exact key.
    pub key: String,
    /// `None` in a bucket that never was versioned.
    pub version_id: Option<String>,
    /// Whether it was the current version of its key when it was archived.
    #[serde(default)]
    pub current: bool,
    /// Whether it is a delete marker, which has no bytes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub delete_marker: bool,
    /// From the bag's root; `None` where there is no file: a delete marker, or not archived.
    pub path: Option<String>,
    /// In bytes.
    pub size: u64,
    /// Without quotes; empty for a delete marker.
    pub etag: String,
    /// S3's checksums by algorithm, base64.
    #[serde(default)]
    pub checksums: BTreeMap<String, String>,
    /// `FULL_OBJECT` or `COMPOSITE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<String>,
    /// S3's LastModified.
    pub last_modified: String,
    /// By its S3 name.
    pub storage_class: String,
    /// `Content-Type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Content-Encoding`; the file holds the bytes as they were stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Expires`, as S3 gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website_redirect: Option<String>,
    /// User metadata, without `x-amz-meta-`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// `None` where they were not asked for.
    #[serde(default)]
    pub tags: Option<BTreeMap<String, String>>,
    /// The sizes of the parts it was uploaded in; empty where unknown or single.
    #[serde(default)]
    pub part_sizes: Vec<u64>,
    /// `AES256`, `aws:kms`, `aws:kms:dsse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The KMS key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Whether the caller's own key encrypted it in S3.
    #[serde(default, skip_serializing_if = "is_false")]
    pub customer_key: bool,
    /// Object Lock: `GOVERNANCE` or `COMPLIANCE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_mode: Option<String>,
    /// Object Lock: until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<String>,
    /// Object Lock: whether a legal hold was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
    /// `x-amz-replication-status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_status: Option<String>,
    /// Of the file at `path`, in hex.
    pub sha256: Option<String>,
    /// How the file was shown equal to what S3 held; `None` where nothing was shown yet.
    pub proof: Option<RowProof>,
    /// Whether S3 had it when the bag was last sealed.
    pub in_s3: bool,
}

/// A [`Proof`] as it stands in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowProof {
    /// The word of [`crate::model::ProofKind`].
    pub kind: String,
    /// What S3 said.
    pub expected: String,
    /// What the bytes gave.
    pub actual: String,
}

impl From<&Proof> for RowProof {
    fn from(proof: &Proof) -> Self {
        let Proof { kind, expected, actual } = proof.clone();
        Self { kind: kind.to_string(), expected, actual }
    }
}

impl BagRow {
    /// The row of a version that a listing shows, with no file yet.
    pub fn of(version: &ObjectVersion) -> Self {
        Self {
            key: version.key.clone(),
            version_id: version.version_id.clone(),
            current: version.standing == Standing::Current,
            delete_marker: version.delete_marker,
            size: version.size,
            etag: version.etag.as_str().to_owned(),
            last_modified: rfc3339(version.last_modified_ms).unwrap_or_default(),
            storage_class: version.class.as_str().to_owned(),
            in_s3: true,
            ..Self::default()
        }
    }

    /// Adds what HEAD or GET said of it.
    pub fn with_headers(mut self, headers: &ObjectHeaders) -> Self {
        // Taken apart field by field, so that a new one cannot be forgotten here.
        let ObjectHeaders {
            content_type,
            content_encoding,
            content_language,
            content_disposition,
            cache_control,
            expires,
            website_redirect,
            metadata,
            tag_count: _,
            tags,
            checksums,
            checksum_type,
            encryption,
            kms_key,
            customer_key,
            part_sizes,
            lock_mode,
            retain_until_ms,
            legal_hold,
            replication_status,
            archive_status: _,
        } = headers.clone();
        self.content_type = content_type;
        self.content_encoding = content_encoding;
        self.content_language = content_language;
        self.content_disposition = content_disposition;
        self.cache_control = cache_control;
        self.expires = expires;
        self.website_redirect = website_redirect;
        self.metadata = metadata;
        self.tags = tags;
        self.checksums = checksums;
        self.checksum_type = checksum_type.map(|kind| match kind {
            ChecksumType::FullObject => "FULL_OBJECT".to_owned(),
            ChecksumType::Composite => "COMPOSITE".to_owned(),
        });
        self.encryption = encryption;
        self.kms_key = kms_key;
        self.customer_key = customer_key;
        self.part_sizes = part_sizes;
        self.lock_mode = lock_mode;
        self.retain_until = retain_until_ms.and_then(rfc3339);
        self.legal_hold = legal_hold;
        self.replication_status = replication_status;
        self
    }

    /// Adds the file: its path from the bag's root, and the SHA-256 that was read back from there.
    pub fn with_file(mut self, path: &str, sha256: &[u8; 32]) -> Self {
        self.path = Some(path.to_owned());
        self.sha256 = Some(hex::encode(sha256));
        self
    }

    /// Adds how the file was shown equal to what S3 holds.
    pub fn with_proof(mut self, proof: &Proof) -> Self {
        self.proof = Some(proof.into());
        self
    }

    /// The version as a listing would show it, as far as the row says.
    pub fn version(&self) -> ObjectVersion {
        ObjectVersion {
            key: self.key.clone(),
            version_id: self.version_id.clone(),
            standing: if self.current { Standing::Current } else { Standing::Noncurrent },
            delete_marker: self.delete_marker,
            etag: ETag::new(&self.etag),
            size: self.size,
            last_modified_ms: self.last_modified_ms().unwrap_or_default(),
            class: StorageClass::new(&self.storage_class),
            thaw: Thaw::NotAsked,
            checksums: self.checksums.keys().cloned().collect(),
            checksum_type: match self.checksum_type.as_deref() {
                Some("FULL_OBJECT") => Some(ChecksumType::FullObject),
                Some("COMPOSITE") => Some(ChecksumType::Composite),
                _ => None,
            },
        }
    }

    /// LastModified in milliseconds since the Unix epoch; `None` where the row has none.
    pub fn last_modified_ms(&self) -> Option<i64> {
        self.last_modified.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
    }
}

/// Writes a time; `None` for one outside the years that have a date.
fn rfc3339(unix_ms: i64) -> Option<String> {
    Timestamp::from_millisecond(unix_ms).ok().map(|time| time.to_string())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
