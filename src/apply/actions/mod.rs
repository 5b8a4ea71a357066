//! What each kind of action does: one file a kind, and each looks before it acts.

mod abort_uploads;
mod adopt;
mod approve;
mod await_restore;
pub(super) mod delete_bucket;
mod delete_objects;
mod download;
mod fetch;
mod mend;
mod parts;
mod pieces;
mod probe_deletes;
mod readback;
mod restore;
mod seal;
mod set_policy;
mod sink;
mod verify;

use std::sync::Arc;

use super::end::{End, Trouble};
use super::engine::Shared;
use super::work::Work;
use crate::model::{Action, ActionKind};

/// Runs one action to its end. Looks first: what is so already is not done again.
pub(super) async fn run(
    work: &Arc<Work>,
    shared: &Arc<Shared>,
    action: &Action,
) -> Result<End, Trouble> {
    if matches!(action.kind, ActionKind::AwaitRestore | ActionKind::Approve) {
        // They wait for hours.
        return act(work, shared, action).await;
    }
    let (work, all, action) = (Arc::clone(work), Arc::clone(shared), action.clone());
    shared.apart(async move { act(&work, &all, &action).await }).await
}

async fn act(work: &Arc<Work>, shared: &Shared, action: &Action) -> Result<End, Trouble> {
    match action.kind {
        ActionKind::SetPolicy => set_policy::run(work, action).await,
        ActionKind::Restore => restore::run(work, action).await,
        ActionKind::AwaitRestore => await_restore::run(work, action).await,
        ActionKind::Adopt => adopt::run(work, action).await,
        ActionKind::Download => download::run(work, action).await,
        ActionKind::Verify => verify::run(work, action).await,
        ActionKind::Seal => seal::run(work, action).await,
        ActionKind::ProbeDeletes => probe_deletes::run(work, action).await,
        ActionKind::Approve => approve::run(work, shared, action).await,
        ActionKind::DeleteObjects => delete_objects::run(work, action).await,
        ActionKind::AbortUploads => abort_uploads::run(work, action).await,
        ActionKind::DeleteBucket => delete_bucket::run(work, action).await,
    }
}
