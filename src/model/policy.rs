//! Policy outcomes with their identities looked up, and the changes that come of them.

use super::desired::LockMode;
use super::reason::Reason;

/// Somebody a bucket is locked to, as AWS knows them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// An IAM user.
    User {
        /// For example `arn:aws:iam::123456789012:user/team/alice`.
        arn: String,
        /// `AIDA…`, which stays when the user is renamed; `None` where it could not be looked up.
        user_id: Option<String>,
    },
    /// A role, single sign-on included: every session of it.
    Role {
        /// Its name without path.
        name: String,
        /// With its path; `None` where it could not be looked up: sessions do not tell the path.
        arn: Option<String>,
        /// `AROA…`; `None` where it could not be looked up.
        role_id: Option<String>,
    },
    /// A federated session.
    Federated {
        /// For example `arn:aws:sts::123456789012:federated-user/alice`.
        arn: String,
        /// `ACCOUNT:NAME`.
        user_id: String,
    },
}

/// What the manifest wants of one bucket's policy, with everything looked up that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWish {
    /// The wanted document, or how to make it.
    pub document: WantedDocument,
    /// Set it even where it costs the caller their own access.
    pub lose_access: bool,
    /// Why a change is needed, where the live policy is another one.
    pub reason: Reason,
    /// What a reviewer should know, one sentence each.
    pub notes: Vec<String>,
    /// What stands in the way and was found by asking AWS, one sentence each.
    pub trouble: Vec<String>,
}

/// A wanted policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedDocument {
    /// The live one with a lock in it.
    Lock {
        /// Who keeps access.
        to: Vec<Identity>,
        /// What others lose.
        mode: LockMode,
        /// Whether other statements go.
        replace_statements: bool,
    },
    /// Exactly this one, checked and with `{{bucket}}` filled in.
    Text(String),
    /// Exactly this text, which the bucket had before.
    Kept(String),
    /// No policy at all.
    Absent,
}

/// A policy that is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyChange {
    /// The whole new document; `None` removes the policy.
    pub document: Option<String>,
    /// Fingerprint of the live policy; `None`: the bucket has none.
    pub before: Option<String>,
    /// Whether the manifest accepts that the caller loses access.
    pub lose_access: bool,
    /// The diff and who loses or gains what, one line each.
    pub words: Vec<String>,
}
