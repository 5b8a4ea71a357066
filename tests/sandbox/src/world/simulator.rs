//! What IAM's policy simulator answers: a table, not an evaluation.

use serde::Deserialize;

/// The simulator of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Simulator {
    /// Results on a page, whatever was asked for; default all of them.
    pub page: Option<usize>,
    /// What it says; the first row that fits counts, and what fits none is allowed.
    #[serde(rename = "answer")]
    pub answers: Vec<Foresight>,
}

/// What the simulator says of some actions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foresight {
    /// The actions, as globs.
    pub actions: Vec<String>,
    /// Whose access, as a glob over ARNs; `None` for everybody's.
    #[serde(default)]
    pub source: Option<String>,
    /// The resource, as a glob; `None` for all.
    #[serde(default)]
    pub resource: Option<String>,
    /// What it says of them.
    pub decision: Decision,
    /// Condition keys that it was not told and would have needed.
    #[serde(default)]
    pub missing: Vec<String>,
}

/// A decision as IAM spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Some statement allows it.
    Allowed,
    /// Some statement denies it.
    ExplicitDeny,
    /// No statement says anything.
    ImplicitDeny,
}

impl Decision {
    /// As IAM spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ExplicitDeny => "explicitDeny",
            Self::ImplicitDeny => "implicitDeny",
        }
    }
}
