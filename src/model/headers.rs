//! What S3 says of one object version besides its bytes; it dies with the object, so it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::object::ChecksumType;

/// The headers, metadata, tags and part sizes of one object version, as HEAD or GET answered them.
///
/// Absent fields were absent in the answer. Goes into `metadata/objects.jsonl` as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`; the stored bytes are never decoded.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`, as text: S3 stores whatever was sent.
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    pub website_redirect: Option<String>,
    /// User metadata, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// How many tags the object has.
    pub tag_count: u32,
    /// The tags; `None` where they were not asked for because there are none.
    pub tags: Option<BTreeMap<String, String>>,
    /// Additional checksums by S3's algorithm name (`CRC64NVME`, `SHA256`, …), base64 as S3 writes
    /// them.
    pub checksums: BTreeMap<String, String>,
    /// What the checksums cover; `None` where the answer does not say.
    pub checksum_type: Option<ChecksumType>,
    /// `x-amz-server-side-encryption`: `AES256`, `aws:kms`, `aws:kms:dsse`; `None` for none.
    pub encryption: Option<String>,
    /// The KMS key, where one is named.
    pub kms_key: Option<String>,
    /// Whether the caller's own key encrypts it (SSE-C).
    pub customer_key: bool,
    /// The sizes of the parts it was uploaded in, in order; empty where unknown or single.
    pub part_sizes: Vec<u64>,
    /// Object Lock mode: `GOVERNANCE` or `COMPLIANCE`.
    pub lock_mode: Option<String>,
    /// Until when it is retained (milliseconds since the Unix epoch).
    pub retain_until_ms: Option<i64>,
    /// Whether a legal hold is on; `None` where S3 does not say.
    pub legal_hold: Option<bool>,
    /// `x-amz-replication-status`.
    pub replication_status: Option<String>,
    /// `x-amz-archive-status` of an INTELLIGENT_TIERING object that is archived.
    pub archive_status: Option<String>,
}
