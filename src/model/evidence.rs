//! The id of a bucket's proven set.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sixteen hex digits that stand for exactly one proven set; what a person approves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[0-9a-f]{16}$"))]
pub struct EvidenceId(String);

impl EvidenceId {
    /// Takes sixteen lower-case hex digits; `None` for anything else.
    pub fn new(text: &str) -> Option<Self> {
        let fits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Self(text.to_owned()))
    }

    /// The first sixteen hex digits of a SHA-256.
    pub fn from_digest(sha256: &[u8; 32]) -> Self {
        Self(hex::encode(&sha256[..8]))
    }

    /// The sixteen digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EvidenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
