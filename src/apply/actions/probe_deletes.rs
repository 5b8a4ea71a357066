//! `probe-deletes`: finds out which form of conditional delete a server honours.
//!
//! Servers exist that accept a condition on a delete and delete anyway. So an object of our own is
//! put under a name that no inventory has, and a delete with a wrong ETag is sent for it: in the
//! batch form, then in the single form. The first form that leaves it in place is the one used.
//!
//! The object is known by its name and its words: one that only has the name is never touched. That
//! it may be there is recorded before it is put, so that one left behind by a kill is never taken
//! for somebody's, and goes with the next apply, of this plan or of another.

use bytes::Bytes;

use crate::apply::end::{End, Trouble};
use crate::apply::work::{Work, blocking};
use crate::aws::{Condition, DeleteTarget, Deletion, ErrorKind};
use crate::event::{DeleteForm, Fact};
use crate::model::{Action, ActionKind, ETag, UnconditionalDeletes, Versioning};
use crate::plan::permissions::PROBE_PREFIX;
use crate::state::{Batch, Intent};

/// A tag that no object has.
const WRONG: &str = "00000000000000000000000000000000";
/// What the object holds.
const WORDS: &[u8] = b"s3plan tries out conditional deletes on this object\n";

pub(super) async fn run(work: &Work, action: &Action) -> Result<End, Trouble> {
    clear_left(work, action).await?;
    let mut actions = work.plan.actions_of(work.name());
    if !actions.any(|action| action.kind == ActionKind::DeleteObjects) {
        return Ok(End::Done { objects: 0, bytes: 0 });
    }
    let key = format!("{PROBE_PREFIX}{}", &work.recorder.run()[..8]);
    let is_listed = blocking(|| work.state.find(work.name(), &key, None))?.is_some();
    if is_listed || look(work, &key).await? == Canary::Stranger {
        return Ok(End::Refused(format!(
            "the bucket has an object called {key:?}, which the probe would overwrite"
        )));
    }
    let id = begin(work, action, &key)?;
    let form = match probe(work, action, &key).await {
        Ok(form) => form,
        Err(trouble) => {
            // The canary must not stay behind, whatever went wrong.
            if remove(work, action, &key).await.is_ok() {
                end(work, id)?;
            }
            return Err(trouble);
        }
    };
    remove(work, action, &key).await?;
    end(work, id)?;
    let form = match (form, work.archive()?.unconditional_deletes) {
        (Some(form), _) => form,
        (None, UnconditionalDeletes::CompareFirst) => DeleteForm::CompareFirst,
        (None, UnconditionalDeletes::Refuse) => {
            return Ok(End::Refused(
                "this server deletes objects even where the condition on the delete does not \
                 hold, so an object that was overwritten in between would be lost; nothing was \
                 deleted. With `unconditional_deletes = \"compare-first\"` in the manifest each \
                 object is compared right before its delete instead, which is a weaker guarantee"
                    .into(),
            ));
        }
    };
    let found = Fact::DeleteFormFound { bucket: work.name().clone(), form };
    blocking(|| work.recorder.record(found))?;
    Ok(End::Done { objects: 0, bytes: 0 })
}

/// Removes what earlier runs put here and were stopped before they removed it: also this one, for
/// the next try begins anew.
async fn clear_left(work: &Work, action: &Action) -> Result<(), Trouble> {
    for intent in blocking(|| work.state.open_intents(work.name()))? {
        if let Some(key) = intent.probe_key() {
            // What only has the name is somebody's, and the next plan lists it.
            remove(work, action, key).await?;
            end(work, intent.id)?;
        }
    }
    Ok(())
}

/// Records that the canary may be in the bucket from now on.
fn begin(work: &Work, action: &Action, key: &str) -> Result<u64, Trouble> {
    let id = work.state.new_intent_id();
    let mut batch = Batch::new();
    let mut intent = Intent::probe(id, work.recorder.run(), &action.id, work.name(), key);
    intent.at_ms = work.clock.now().as_millisecond();
    batch.intent(intent);
    blocking(|| work.state.commit(batch))?;
    Ok(id)
}

/// Records that it is there no more.
fn end(work: &Work, id: u64) -> Result<(), Trouble> {
    let mut batch = Batch::new();
    batch.outcome(id);
    blocking(|| work.state.commit(batch))?;
    Ok(())
}

/// Tries both forms on the canary; `None` where neither is refused.
async fn probe(work: &Work, action: &Action, key: &str) -> Result<Option<DeleteForm>, Trouble> {
    let target =
        DeleteTarget { key: key.to_owned(), version_id: None, etag: Some(ETag::new(WRONG)) };
    put(work, action, key).await?;
    // A refusal of the whole request counts as refused, as long as the canary is still there.
    let answer = work.door.delete_batch(std::slice::from_ref(&target)).await;
    let request_id = match &answer {
        Ok(answer) => answer.request_id.clone(),
        Err(error) => error.request_id().map(str::to_owned),
    };
    work.audit(action, "DeleteObjects", 1, request_id)?;
    if is_there(work, key).await? {
        return Ok(Some(DeleteForm::Batch));
    }
    put(work, action, key).await?;
    let answer = work.door.delete_one(&target, Condition::IfMatch).await;
    let request_id = match &answer {
        Ok(deletion) => deletion.request_id().map(str::to_owned),
        Err(error) => error.request_id().map(str::to_owned),
    };
    work.audit(action, "DeleteObject", 1, request_id)?;
    Ok(is_there(work, key).await?.then_some(DeleteForm::Single))
}

/// Puts the canary; one that is there already, from before a kill or a lost answer, is good.
async fn put(work: &Work, action: &Action, key: &str) -> Result<(), Trouble> {
    match work.door.put_canary(key, Bytes::from_static(WORDS)).await {
        Ok(request_id) => work.audit(action, "PutObject", 1, request_id),
        Err(error) if *error.kind() == ErrorKind::Changed => match look(work, key).await? {
            Canary::There(_) => Ok(()),
            Canary::Absent | Canary::Stranger => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// What has the canary's name.
#[derive(Debug, PartialEq, Eq)]
enum Canary {
    Absent,
    There(ETag),
    /// Something that holds other bytes, hence is not ours.
    Stranger,
}

async fn look(work: &Work, key: &str) -> Result<Canary, Trouble> {
    let head = match work.door.head(key, None, None).await {
        Ok(head) => head,
        Err(error) if *error.kind() == ErrorKind::NoSuchKey => return Ok(Canary::Absent),
        Err(error) => return Err(error.into()),
    };
    if head.size != WORDS.len() as u64 || head.class.is_archived() {
        return Ok(Canary::Stranger);
    }
    let mut got = work.door.get(key, None, &head.etag, None).await?;
    let mut words = Vec::new();
    while let Some(chunk) = got.body.chunk().await? {
        words.extend_from_slice(&chunk);
    }
    Ok(if words == WORDS { Canary::There(head.etag) } else { Canary::Stranger })
}

async fn is_there(work: &Work, key: &str) -> Result<bool, Trouble> {
    Ok(look(work, key).await? != Canary::Absent)
}

/// Removes the canary, under its own ETag.
async fn remove(work: &Work, action: &Action, key: &str) -> Result<(), Trouble> {
    let etag = match look(work, key).await? {
        Canary::There(etag) => etag,
        Canary::Absent if work.bucket.versioning == Versioning::Never => return Ok(()),
        // A delete that should have been refused may have left a marker.
        Canary::Absent => ETag::new(WRONG),
        Canary::Stranger => return Ok(()),
    };
    // Where versioning is suspended, deleting by the key alone leaves a marker; by the version that
    // the canary has there it does not.
    let version_id = (work.bucket.versioning == Versioning::Suspended).then(|| "null".to_owned());
    let target = DeleteTarget { key: key.to_owned(), version_id, etag: Some(etag) };
    let deletion = match work.door.delete_one(&target, Condition::IfMatch).await {
        // Some servers do not know the condition at all; it is our own object.
        Err(error) if *error.kind() == ErrorKind::NotImplemented => {
            work.door.delete_one(&target, Condition::Unconditional).await?
        }
        answer => answer?,
    };
    work.audit(action, "DeleteObject", 1, deletion.request_id().map(str::to_owned))?;
    match deletion {
        Deletion::Deleted { .. } | Deletion::Gone => Ok(()),
        other => Err(Trouble::Ends(End::Failed(format!(
            "the probe object {key:?} could not be removed again: {other:?}"
        )))),
    }
}
