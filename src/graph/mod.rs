//! Puts changes in order: an acyclic graph of actions with stable ids, each behind what it needs.
//!
//! In: [`Change`]s with their estimates still to come. Out: an [`ActionGraph`] whose list is a
//! deterministic topological order. Acyclic by construction: an action can only need actions that
//! stand before it.
//!
//! Within a bucket, each kind waits for the kinds named in [`needs_of`]. Between buckets there is
//! one rule: restores of a wave wait for the downloads of the wave before.

use std::collections::BTreeMap;

use crate::model::{Action, ActionGraph, ActionId, ActionKind, BucketName, Change, Takes, Usd};

/// Puts changes in order.
///
/// The list keeps the buckets in the order in which they come, and within a bucket the order in
/// which the kinds can need each other; restores go out before the download of what is ready, so
/// that the one thaws while the other runs.
pub fn order(changes: &[Change]) -> ActionGraph {
    let mut builder = Builder::default();
    for change in changes {
        builder.add(change);
    }
    ActionGraph { actions: builder.actions }
}

#[derive(Default)]
struct Builder {
    actions: Vec<Action>,
    /// How many actions of a kind a bucket has so far.
    counted: BTreeMap<(BucketName, ActionKind), u32>,
    /// The downloads of each wave of restores, over all buckets.
    downloads_of_wave: BTreeMap<u32, Vec<ActionId>>,
}

impl Builder {
    fn add(&mut self, change: &Change) {
        let nth = self.counted.entry((change.bucket.clone(), change.kind)).or_insert(0);
        *nth += 1;
        let id = ActionId::new(&change.bucket, change.kind, *nth);
        let needs = self.needs(change);
        if let (ActionKind::Download, Some(wave)) = (change.kind, &change.wave) {
            self.downloads_of_wave.entry(wave.number).or_default().push(id.clone());
        }
        self.actions.push(Action {
            id,
            kind: change.kind,
            bucket: change.bucket.clone(),
            needs,
            reason: change.reason.to_string(),
            objects: change.count.objects,
            bytes: change.count.bytes,
            done: change.done,
            cost: Usd::ZERO,
            cost_at_most: None,
            hours: None,
            tier: None,
            days: None,
            range: change.wave.as_ref().map(|wave| wave.range),
            takes: change.takes,
            uploads_digest: None,
            policy: change.policy.as_ref().and_then(|policy| policy.document.clone()),
            policy_before: change.policy.as_ref().and_then(|policy| policy.before.clone()),
            lose_access: change.policy.as_ref().is_some_and(|policy| policy.lose_access),
        });
    }

    fn needs(&self, change: &Change) -> Vec<ActionId> {
        let mut needs: Vec<ActionId> = Vec::new();
        let before = |kind: ActionKind| {
            self.actions
                .iter()
                .filter(move |a| a.bucket == change.bucket && a.kind == kind)
                .map(|a| a.id.clone())
        };
        match (change.kind, change.takes) {
            // Each wait belongs to the restore of its own wave, each thawed download to its wait.
            (ActionKind::AwaitRestore, _) => needs.extend(before(ActionKind::Restore).next_back()),
            (ActionKind::Download, Some(Takes::Thawed)) => {
                needs.extend(before(ActionKind::AwaitRestore).next_back());
            }
            (kind, _) => {
                for earlier in needs_of(kind) {
                    needs.extend(before(*earlier));
                }
            }
        }
        if let (ActionKind::Restore, Some(wave)) = (change.kind, &change.wave)
            && let Some(earlier) = wave.number.checked_sub(1)
        {
            needs.extend(self.downloads_of_wave.get(&earlier).into_iter().flatten().cloned());
        }
        needs
    }
}

/// The kinds that an action of this kind waits for on its own bucket, where they are there.
pub fn needs_of(kind: ActionKind) -> &'static [ActionKind] {
    use ActionKind::{
        AbortUploads, Adopt, Approve, AwaitRestore, DeleteBucket, DeleteObjects, Download,
        ProbeDeletes, Restore, Seal, SetPolicy, Verify,
    };
    match kind {
        SetPolicy => &[],
        Adopt => &[SetPolicy],
        // What proves right needs no restore.
        Restore => &[SetPolicy, Adopt],
        AwaitRestore => &[Restore],
        Download => &[SetPolicy, Adopt],
        Verify => &[SetPolicy, Adopt, Download],
        Seal => &[SetPolicy, Verify],
        ProbeDeletes => &[SetPolicy, Seal],
        Approve => &[SetPolicy, Seal, ProbeDeletes],
        DeleteObjects => &[Approve],
        AbortUploads => &[Approve, DeleteObjects],
        DeleteBucket => &[Approve, DeleteObjects, AbortUploads],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Count, Reason};

    fn kinds() -> impl Strategy<Value = Vec<(u8, ActionKind)>> {
        let kind = prop::sample::select(vec![
            ActionKind::SetPolicy,
            ActionKind::Restore,
            ActionKind::Adopt,
            ActionKind::Download,
            ActionKind::AwaitRestore,
            ActionKind::Verify,
            ActionKind::Seal,
            ActionKind::ProbeDeletes,
            ActionKind::Approve,
            ActionKind::DeleteObjects,
            ActionKind::AbortUploads,
            ActionKind::DeleteBucket,
        ]);
        prop::collection::vec((0..4u8, kind), 0..40)
    }

    proptest! {
        /// Whatever the changes and whatever their order, nothing stands before what it needs.
        #[test]
        fn every_action_stands_behind_all_that_it_needs(picks in kinds()) {
            let changes: Vec<Change> = picks
                .into_iter()
                .map(|(bucket, kind)| Change {
                    bucket: BucketName::new(format!("b{bucket}")),
                    kind,
                    reason: Reason::NotOnDisk,
                    count: Count::default(),
                    done: 0,
                    present: Count::default(),
                    wave: None,
                    takes: None,
                    policy: None,
                })
                .collect();
            let graph = order(&changes);
            for (place, action) in graph.actions.iter().enumerate() {
                for need in &action.needs {
                    let before = graph.actions[..place].iter().any(|a| &a.id == need);
                    prop_assert!(before, "{} needs {need}, which comes later", action.id);
                }
            }
            let ids: std::collections::BTreeSet<_> = graph.actions.iter().map(|a| &a.id).collect();
            prop_assert_eq!(ids.len(), graph.actions.len());
        }
    }
}
