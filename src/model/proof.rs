//! How one object's local copy was shown equal to what S3 holds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of proving one object version, kept with its row and counted in plan and evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What kind of proof, the strongest that S3 offered.
    pub kind: ProofKind,
    /// What S3 says, as S3 writes it; empty where there is nothing to compare with.
    pub expected: String,
    /// What the received bytes gave, written the same way.
    pub actual: String,
}

/// The kinds of proof, strongest first.
///
/// Source: S3 User Guide, "Checking object integrity".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProofKind {
    /// A checksum over the whole object, by S3's algorithm name (`CRC64NVME`, `SHA256`, …).
    FullChecksum(String),
    /// The ETag is the MD5 of the body: single PUT, no KMS.
    Md5ETag,
    /// A checksum of the parts' checksums, by S3's algorithm name.
    CompositeChecksum(String),
    /// The ETag is the MD5 of the parts' MD5s.
    MultipartETag,
    /// Two independent downloads gave the same SHA-256; S3 holds nothing to compare with.
    Twice,
    /// Only the size agrees; the manifest's owner took that risk.
    SizeOnly,
    /// Nothing could prove it: archived, never deleted.
    Unproven,
}

impl ProofKind {
    /// Whether an object proven this way may be deleted at all.
    pub fn permits_deletion(&self) -> bool {
        !matches!(self, Self::Unproven)
    }
}

/// The word in `objects.jsonl`, evidence and reports: `CRC64NVME`, `md5-etag`, `multipart-etag`, ….
impl fmt::Display for ProofKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FullChecksum(algorithm) => write!(f, "full {algorithm}"),
            Self::CompositeChecksum(algorithm) => write!(f, "composite {algorithm}"),
            Self::Md5ETag => f.write_str("md5-etag"),
            Self::MultipartETag => f.write_str("multipart-etag"),
            Self::Twice => f.write_str("twice"),
            Self::SizeOnly => f.write_str("size-only"),
            Self::Unproven => f.write_str("unproven"),
        }
    }
}
