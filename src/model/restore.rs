//! How a restore from Glacier is asked for.

use std::fmt;
use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::money::Usd;
use super::object::StorageClass;

/// How long S3 keeps a thawed copy, in whole days; S3 rounds the end up to midnight UTC.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct KeepDays(NonZeroU16);

impl KeepDays {
    /// Turns 0 away here, at the door, so that no later room has to ask.
    pub fn new(days: u16) -> Option<Self> {
        NonZeroU16::new(days).map(Self)
    }

    /// The number of days, at least 1.
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

/// The retrieval tier of a restore: how fast, and how dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Cheapest: 5–12 h from GLACIER, within 48 h from DEEP_ARCHIVE.
    Bulk,
    /// 3–5 h from GLACIER, within 12 h from DEEP_ARCHIVE.
    Standard,
    /// Minutes from GLACIER, at $10 a thousand requests; not offered for DEEP_ARCHIVE.
    Expedited,
}

impl Tier {
    /// The longest that AWS says a restore takes, in hours; `None` where the tier is not offered.
    ///
    /// Source: S3 User Guide, "Archive retrieval options".
    pub fn hours(self, class: &StorageClass) -> Option<f64> {
        let deep = matches!(class.as_str(), "DEEP_ARCHIVE") || class.is_deep_tier();
        match (self, deep) {
            (Self::Bulk, true) => Some(48.0),
            (Self::Bulk, false) | (Self::Standard, true) => Some(12.0),
            (Self::Standard, false) => Some(5.0),
            (Self::Expedited, true) => None,
            (Self::Expedited, false) => Some(0.1),
        }
    }

    /// The manifest's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Standard => "standard",
            Self::Expedited => "expedited",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a bucket's archived objects are to be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreWish {
    /// The retrieval tier.
    pub tier: Tier,
    /// How long each thawed copy is kept.
    pub days: KeepDays,
    /// The most that this bucket's restores may be estimated to cost.
    pub max_cost: Usd,
}
