//! The rules that every plan keeps: one function a rule, one finding, one sentence.
//!
//! Runs on fresh plans and again on loaded ones: a plan file is text, and text gets edited.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph;
use crate::model::{Action, ActionId, ActionKind, AfterArchive};

use super::Body;

/// A rule that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The action it was found on.
    pub action: ActionId,
    /// What is wrong, a lower-case phrase.
    pub what: String,
}

/// Every rule that this plan breaks; empty for a sound one.
pub fn audit(body: &Body) -> Vec<Finding> {
    let rules = [
        ids_are_unique,
        needs_come_first,
        kinds_wait_for_each_other,
        deletes_wait_for_a_person,
        actions_serve_their_outcome,
        ranges_are_stretches,
    ];
    rules.iter().flat_map(|rule| rule(body)).collect()
}

fn ids_are_unique(body: &Body) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    find(body, |action| !seen.insert(&action.id), "stands in the plan twice")
}

fn needs_come_first(body: &Body) -> Vec<Finding> {
    let mut before = BTreeSet::new();
    find(
        body,
        |action| {
            let all_there = action.needs.iter().all(|need| before.contains(need));
            before.insert(action.id.clone());
            !all_there
        },
        "needs an action that does not stand before it",
    )
}

/// Within a bucket, the order of kinds is kept through some path of `needs`.
fn kinds_wait_for_each_other(body: &Body) -> Vec<Finding> {
    let awaited = Awaited::of(body);
    find(
        body,
        |action| {
            if action.takes.is_some() || action.kind == ActionKind::AwaitRestore {
                return false;
            }
            let required = graph::needs_of(action.kind);
            body.actions.iter().any(|other| {
                other.bucket == action.bucket
                    && required.contains(&other.kind)
                    && !awaited.awaits(action, other)
            })
        },
        "does not wait for an earlier step of its bucket",
    )
}

/// Every deletion waits for its bucket's gate, and the gate for all that proves.
fn deletes_wait_for_a_person(body: &Body) -> Vec<Finding> {
    let awaited = Awaited::of(body);
    let proves = [ActionKind::Adopt, ActionKind::Download, ActionKind::Verify, ActionKind::Seal];
    find(
        body,
        |action| {
            if !action.kind.is_irreversible() {
                return false;
            }
            let own = || body.actions.iter().filter(|other| other.bucket == action.bucket);
            let gate = own().find(|other| other.kind == ActionKind::Approve);
            let Some(gate) = gate else { return true };
            !awaited.awaits(action, gate)
                || own().any(|o| proves.contains(&o.kind) && !awaited.awaits(gate, o))
        },
        "deletes without waiting for proof and a person's approval",
    )
}

fn actions_serve_their_outcome(body: &Body) -> Vec<Finding> {
    find(
        body,
        |action| {
            let Some(bucket) = body.buckets.iter().find(|b| b.name == action.bucket) else {
                return true;
            };
            let then = bucket.archive.as_ref().map(|archive| archive.then);
            match action.kind {
                ActionKind::SetPolicy => false,
                ActionKind::DeleteObjects => !then.is_some_and(AfterArchive::deletes),
                ActionKind::AbortUploads | ActionKind::DeleteBucket => {
                    then != Some(AfterArchive::DeleteBucket)
                }
                _ => then.is_none(),
            }
        },
        "does something that its bucket's outcome does not ask for",
    )
}

fn ranges_are_stretches(body: &Body) -> Vec<Finding> {
    find(
        body,
        |action| action.range.is_some_and(|range| range.first > range.end),
        "covers a range that ends before it begins",
    )
}

fn find<'a>(
    body: &'a Body,
    mut broken: impl FnMut(&'a Action) -> bool,
    what: &str,
) -> Vec<Finding> {
    body.actions
        .iter()
        .filter(|action| broken(action))
        .map(|action| Finding { action: action.id.clone(), what: what.to_owned() })
        .collect()
}

/// Which actions each action waits for, directly or through others.
struct Awaited<'a>(BTreeMap<&'a ActionId, BTreeSet<&'a ActionId>>);

impl<'a> Awaited<'a> {
    /// Needs point backwards in a sound plan; those that do not are another rule's finding.
    fn of(body: &'a Body) -> Self {
        let mut all: BTreeMap<&ActionId, BTreeSet<&ActionId>> = BTreeMap::new();
        for action in &body.actions {
            let mut awaited = BTreeSet::new();
            for need in &action.needs {
                awaited.insert(need);
                awaited.extend(all.get(need).into_iter().flatten().copied());
            }
            all.insert(&action.id, awaited);
        }
        Self(all)
    }

    fn awaits(&self, action: &Action, other: &Action) -> bool {
        self.0.get(&action.id).is_some_and(|awaited| awaited.contains(&other.id))
    }
}
