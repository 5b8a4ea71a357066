//! Refuses a plan that goes past what the manifest allows.

use std::collections::BTreeMap;

use bytesize::ByteSize;

use crate::diff::Blocker;
use crate::model::{Action, ActionGraph, ActionKind, BucketName, Count, Desired, Usd};

/// Every limit of the manifest that this graph would go past.
pub fn exceeded(desired: &Desired, graph: &ActionGraph) -> Vec<Blocker> {
    let mut found = Vec::new();
    found.extend(restores(desired, graph));
    let Some(any) = graph.actions.first().map(|action| action.bucket.clone()) else {
        return found;
    };
    let sum = |kind: ActionKind| {
        let of_kind = graph.actions.iter().filter(|action| action.kind == kind);
        of_kind.fold(Count::default(), |sum, action| {
            sum + Count { objects: action.objects, bytes: action.bytes }
        })
    };
    let deleted = sum(ActionKind::DeleteObjects);
    let downloaded = sum(ActionKind::Download);
    let cost: Usd = graph.actions.iter().map(Action::ceiling).sum();
    let limits = &desired.limits;
    let mut block = |limit: &str, planned: String, allowed: String| {
        found.push(Blocker::new(
            largest(graph).unwrap_or(&any),
            format!(
                "and the other buckets of this plan go past `[limits] {limit}`: {planned} planned, \
                 {allowed} allowed; raise the limit, or plan fewer buckets with --target"
            ),
        ));
    };
    if let Some(allowed) = limits.max_delete_objects.filter(|&max| deleted.objects > max) {
        block("max_delete_objects", deleted.objects.to_string(), allowed.to_string());
    }
    if let Some(allowed) = limits.max_delete_bytes.filter(|&max| deleted.bytes > max) {
        block("max_delete_bytes", bytes(deleted.bytes), bytes(allowed));
    }
    if let Some(allowed) = limits.max_download_bytes.filter(|&max| downloaded.bytes > max) {
        block("max_download_bytes", bytes(downloaded.bytes), bytes(allowed));
    }
    if let Some(allowed) = limits.max_cost.filter(|&max| cost > max) {
        block("max_cost", format!("up to {cost}"), allowed.to_string());
    }
    found
}

/// `restore.max_cost` holds per bucket.
fn restores(desired: &Desired, graph: &ActionGraph) -> Vec<Blocker> {
    let mut costs: BTreeMap<&BucketName, Usd> = BTreeMap::new();
    for action in graph.actions.iter().filter(|action| action.kind == ActionKind::Restore) {
        *costs.entry(&action.bucket).or_default() += action.cost;
    }
    let mut found = Vec::new();
    for bucket in &desired.buckets {
        let (Some(archive), Some(cost)) = (&bucket.archive, costs.get(&bucket.name)) else {
            continue;
        };
        let allowed = archive.restore.max_cost;
        if *cost > allowed {
            found.push(Blocker::new(
                &bucket.name,
                format!(
                    "would cost about {cost} to restore with the {} tier, and `restore.max_cost` \
                     allows {allowed}: raise it, or choose a cheaper tier",
                    archive.restore.tier
                ),
            ));
        }
    }
    found
}

fn largest(graph: &ActionGraph) -> Option<&BucketName> {
    graph.actions.iter().max_by_key(|action| action.bytes).map(|action| &action.bucket)
}

fn bytes(bytes: u64) -> String {
    ByteSize::b(bytes).to_string()
}
