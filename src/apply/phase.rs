//! Where one action stands, by the last fact that its journal has of it.

use jiff::Timestamp;

use crate::event::{Fact, WaitingFor};

/// Where one action of a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    /// Not begun.
    #[default]
    Pending,
    /// Its first request may have left.
    Started,
    /// Nothing can be done for now.
    Waiting {
        /// What for.
        on: WaitingFor,
        /// When to look again, where that can be told.
        until: Option<Timestamp>,
    },
    /// Its effect was seen.
    Done,
    /// It could not be finished.
    Failed {
        /// Why.
        why: String,
    },
}

impl Phase {
    /// The phase that an action is in after its latest fact; recovery is this function. `None` for
    /// facts that are not about one action ([`Fact::action`]).
    pub fn after(fact: &Fact) -> Option<Self> {
        match fact {
            Fact::Started { .. } => Some(Self::Started),
            Fact::Waiting { on, until, .. } => Some(Self::Waiting { on: *on, until: *until }),
            Fact::Done { .. } => Some(Self::Done),
            Fact::Failed { why, .. } => Some(Self::Failed { why: why.clone() }),
            _ => None,
        }
    }
}
