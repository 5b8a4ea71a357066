//! Where one action stands: a rule of life, folded over the journal.

use std::collections::BTreeMap;

use jiff::Timestamp;
use thiserror::Error;

use crate::event::{Event, Fact, WaitingFor};
use crate::model::ActionId;

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

/// A fact that cannot follow a phase: the journal is not one that this program wrote.
#[derive(Debug, Error, PartialEq)]
#[error("the journal says {fact} of {action}, which was {phase:?}")]
pub struct IllegalFact {
    /// Which action.
    pub action: ActionId,
    /// Where it stood.
    pub phase: Phase,
    /// What the journal says next.
    pub fact: &'static str,
}

impl Phase {
    /// Folds one fact about this action into the phase. Pure: recovery is this function run over
    /// the journal. Facts that are not about an action change nothing.
    ///
    /// # Errors
    /// [`IllegalFact`] for one that cannot follow.
    pub fn after(self, action: &ActionId, fact: &Fact) -> Result<Self, IllegalFact> {
        let illegal = |phase: Self, fact| IllegalFact { action: action.clone(), phase, fact };
        match (self, fact) {
            // A resumed action starts again, a done one may be looked at again.
            (Self::Done, Fact::Started { .. }) => Err(illegal(Self::Done, "started")),
            (_, Fact::Started { .. }) => Ok(Self::Started),
            (Self::Done, Fact::Waiting { .. }) => Err(illegal(Self::Done, "waiting")),
            (_, Fact::Waiting { on, until, .. }) => Ok(Self::Waiting { on: *on, until: *until }),
            (Self::Pending, Fact::Done { .. }) => Err(illegal(Self::Pending, "done")),
            (_, Fact::Done { .. }) => Ok(Self::Done),
            (Self::Done, Fact::Failed { .. }) => Err(illegal(Self::Done, "failed")),
            (_, Fact::Failed { why, .. }) => Ok(Self::Failed { why: why.clone() }),
            (phase, _) => Ok(phase),
        }
    }
}

/// Where every action of a run stands, as its journal tells it.
///
/// # Errors
/// [`IllegalFact`] at the first fact that cannot follow.
pub fn fold(events: &[Event]) -> Result<BTreeMap<ActionId, Phase>, IllegalFact> {
    let mut phases: BTreeMap<ActionId, Phase> = BTreeMap::new();
    for event in events {
        let Some(action) = action_of(&event.fact) else { continue };
        let phase = phases.remove(action).unwrap_or_default();
        phases.insert(action.clone(), phase.after(action, &event.fact)?);
    }
    Ok(phases)
}

fn action_of(fact: &Fact) -> Option<&ActionId> {
    match fact {
        Fact::Started { action }
        | Fact::Waiting { action, .. }
        | Fact::Done { action, .. }
        | Fact::Failed { action, .. } => Some(action),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ActionKind, BucketName};

    fn id() -> ActionId {
        ActionId::new(&BucketName::from("b"), ActionKind::Download, 1)
    }

    #[test]
    fn an_action_that_was_never_started_cannot_be_done() {
        let done = Fact::Done { action: id(), objects: 1, bytes: 1 };
        assert!(Phase::Pending.after(&id(), &done).is_err());
        assert_eq!(Phase::Started.after(&id(), &done), Ok(Phase::Done));
    }

    #[test]
    fn a_done_action_stays_done() {
        for fact in [
            Fact::Started { action: id() },
            Fact::Failed { action: id(), why: String::new(), retry: true },
        ] {
            assert!(Phase::Done.after(&id(), &fact).is_err());
        }
    }

    #[test]
    fn a_failed_action_may_be_started_again() {
        let failed = Phase::Failed { why: "no route".into() };
        assert_eq!(failed.after(&id(), &Fact::Started { action: id() }), Ok(Phase::Started));
    }
}
