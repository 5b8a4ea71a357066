//! What can be said of an apply.
//!
//! A [`Fact`] is journaled before anyone may act on it or read it; a [`Tick`] is progress that may
//! be lost. An [`Event`] is a fact with its place and time. All of them are plain data: nothing
//! here knows about colours, verbosity or files.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ActionId, BucketName, EvidenceId};

/// A fact as it is shown and kept: numbered, with the time it became durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up over the life of a state file.
    pub seq: u64,
    /// When it was recorded, UTC.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// Something that happened and is durable before anyone acts on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A process took up a run.
    RunStarted {
        /// The plan's digest.
        run: String,
        /// Who applies.
        caller_arn: String,
    },
    /// The action's first request is about to leave. After a crash its outcome is unknown until
    /// looked up.
    Started {
        /// Which action.
        action: ActionId,
    },
    /// Nothing more can be done here for now.
    Waiting {
        /// Which action.
        action: ActionId,
        /// What for.
        on: WaitingFor,
        /// When it is worth looking again, where that can be told.
        #[schemars(with = "Option<String>")]
        until: Option<Timestamp>,
    },
    /// The effect was seen, not assumed.
    Done {
        /// Which action.
        action: ActionId,
        /// Object versions (or uploads) it covered.
        objects: u64,
        /// Bytes it covered.
        bytes: u64,
    },
    /// The action could not be finished.
    Failed {
        /// Which action.
        action: ActionId,
        /// For people: bucket, key, what was tried, what is unharmed.
        why: String,
        /// Whether the same plan may try again.
        retry: bool,
    },
    /// The world is not what the plan was made from; the bucket is left alone.
    Stale {
        /// Which bucket.
        bucket: BucketName,
        /// What moved.
        why: String,
    },
    /// One object could not be brought home; it stays in S3 and is named.
    ObjectFailed {
        /// Its bucket.
        bucket: BucketName,
        /// Its key.
        key: String,
        /// Its version, in versioned buckets.
        version_id: Option<String>,
        /// What was tried and what came of it.
        why: String,
    },
    /// One object is left alone on purpose, and named.
    LeftAlone {
        /// Its bucket.
        bucket: BucketName,
        /// Its key.
        key: String,
        /// Its version, in versioned buckets.
        version_id: Option<String>,
        /// Why.
        why: String,
    },
    /// Which form of conditional delete this bucket's server honours.
    DeleteFormFound {
        /// Which bucket.
        bucket: BucketName,
        /// The form that deletions use from now on.
        form: DeleteForm,
    },
    /// A bucket's evidence is complete and waits for a person.
    GateOpened {
        /// Which bucket.
        bucket: BucketName,
        /// What `approve BUCKET@EVIDENCE` takes.
        evidence: EvidenceId,
        /// How many object versions were proven in which way, by the words of
        /// [`crate::model::ProofKind`].
        #[serde(default)]
        proofs: BTreeMap<String, u64>,
        /// Where a guarantee is weaker than usual, one sentence each.
        #[serde(default)]
        caveats: Vec<String>,
    },
    /// A person gave up this bucket's part of the run: what is on disk and in S3 stays as it is.
    Abandoned {
        /// Which bucket.
        bucket: BucketName,
        /// Who.
        by: String,
    },
    /// A new plan was made of a bucket that was abandoned, and takes it up again.
    TakenUpAgain {
        /// Which bucket.
        bucket: BucketName,
    },
    /// A bucket's policy was put back to what it was, or once more to what it came to be since.
    PolicyRolledBack {
        /// Which bucket.
        bucket: BucketName,
        /// Fingerprint of the policy that went; `None`: there was none.
        from: Option<String>,
        /// Fingerprint of the policy that came; `None`: there is none now.
        to: Option<String>,
    },
    /// A person approved exactly this evidence.
    Approved {
        /// Which bucket.
        bucket: BucketName,
        /// Which evidence.
        evidence: EvidenceId,
        /// Who.
        by: String,
    },
}

impl Fact {
    /// The action whose standing this fact changes; `None` for facts about runs, buckets and
    /// objects.
    pub fn action(&self) -> Option<&ActionId> {
        match self {
            Self::Started { action }
            | Self::Waiting { action, .. }
            | Self::Done { action, .. }
            | Self::Failed { action, .. } => Some(action),
            Self::RunStarted { .. }
            | Self::Stale { .. }
            | Self::ObjectFailed { .. }
            | Self::LeftAlone { .. }
            | Self::DeleteFormFound { .. }
            | Self::GateOpened { .. }
            | Self::Approved { .. }
            | Self::Abandoned { .. }
            | Self::TakenUpAgain { .. }
            | Self::PolicyRolledBack { .. } => None,
        }
    }
}

/// How objects are deleted so that one that was overwritten in between survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeleteForm {
    /// Up to 1,000 in a request, each with its ETag or version id.
    Batch,
    /// One by one, with `If-Match`.
    Single,
    /// One by one and unconditional, each compared by HEAD right before: a weaker guarantee.
    CompareFirst,
}

/// What an action waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// S3 is thawing archived objects.
    Thaw,
    /// A person.
    Approval,
    /// Fresh credentials.
    Login,
}

impl WaitingFor {
    /// The word in JSON and in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Thaw => "thaw",
            Self::Approval => "approval",
            Self::Login => "login",
        }
    }
}

/// Progress inside an action; shown if there is time, never kept.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Tick {
    /// Which action.
    pub action: ActionId,
    /// Object versions done so far, earlier runs included.
    pub objects: u64,
    /// Of how many.
    pub of_objects: u64,
    /// Bytes done so far.
    pub bytes: u64,
    /// Of how many.
    pub of_bytes: u64,
    /// Requests that had to be sent again so far.
    pub retries: u64,
}

/// One who is told what happens during an apply: a terminal, a pipe, a JSON stream.
pub trait Reporter: Send {
    /// A fact that is durable already.
    fn event(&mut self, event: &Event);
    /// Progress that may be lost; comes at most ten times a second for each action.
    fn tick(&mut self, tick: &Tick);
    /// A sentence worth a line that is neither: how to resume, what is being retried.
    fn note(&mut self, words: &str);
}
