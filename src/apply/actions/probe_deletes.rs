//! `probe-deletes`: finds out which form of conditional delete a server honours.
//!
//! Servers exist that accept a condition on a delete and delete anyway. So an object of our own is
//! put under a name that no inventory has, and a delete with a wrong ETag is sent for it: in the
//! batch form, then in the single form. The first form that leaves it in place is the one used.

use bytes::Bytes;

use crate::apply::end::{End, Trouble};
use crate::apply::work::{Work, blocking};
use crate::aws::{Condition, DeleteTarget, Deletion, ErrorKind};
use crate::event::{DeleteForm, Fact};
use crate::model::{Action, ETag, UnconditionalDeletes, Versioning};
use crate::plan::permissions::PROBE_PREFIX;

/// A tag that no object has.
const WRONG: &str = "00000000000000000000000000000000";

pub(super) async fn run(work: &Work, action: &Action) -> Result<End, Trouble> {
    let key = format!("{PROBE_PREFIX}{}", &work.recorder.run()[..8]);
    if blocking(|| work.state.find(work.name(), &key, None))?.is_some() {
        return Ok(End::Refused(format!(
            "the bucket has an object called {key:?}, which the probe would overwrite"
        )));
    }
    let form = match probe(work, action, &key).await {
        Ok(form) => form,
        Err(trouble) => {
            // The canary must not stay behind, whatever went wrong.
            let _ = remove(work, action, &key).await;
            return Err(trouble);
        }
    };
    remove(work, action, &key).await?;
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

/// Tries both forms on the canary; `None` where neither is refused.
async fn probe(work: &Work, action: &Action, key: &str) -> Result<Option<DeleteForm>, Trouble> {
    let target =
        DeleteTarget { key: key.to_owned(), version_id: None, etag: Some(ETag::new(WRONG)) };
    put(work, action, key).await?;
    // A refusal of the whole request counts as refused, as long as the canary is still there.
    let _ = work.door.delete_batch(std::slice::from_ref(&target)).await;
    work.audit(action, "DeleteObjects", 1, None)?;
    if is_there(work, key).await? {
        return Ok(Some(DeleteForm::Batch));
    }
    put(work, action, key).await?;
    let _ = work.door.delete_one(&target, Condition::IfMatch).await;
    work.audit(action, "DeleteObject", 1, None)?;
    Ok(is_there(work, key).await?.then_some(DeleteForm::Single))
}

async fn put(work: &Work, action: &Action, key: &str) -> Result<(), Trouble> {
    let body = Bytes::from_static(b"s3plan tries out conditional deletes on this object\n");
    work.door.put_canary(key, body).await?;
    work.audit(action, "PutObject", 1, None)
}

async fn is_there(work: &Work, key: &str) -> Result<bool, Trouble> {
    match work.door.head(key, None, None).await {
        Ok(_) => Ok(true),
        Err(error) if *error.kind() == ErrorKind::NoSuchKey => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes the canary, under its own ETag; where versioning is suspended, every trace of it.
async fn remove(work: &Work, action: &Action, key: &str) -> Result<(), Trouble> {
    if work.bucket.versioning == Versioning::Suspended {
        // A delete by key leaves a marker there, which would keep the bucket from being empty. The
        // canary and its marker are both the `null` version, and this name is nobody else's.
        let null =
            DeleteTarget { key: key.to_owned(), version_id: Some("null".into()), etag: None };
        let deletion = work.door.delete_one(&null, Condition::IfMatch).await?;
        return removed(work, action, key, &deletion);
    }
    let head = match work.door.head(key, None, None).await {
        Ok(head) => head,
        Err(error) if *error.kind() == ErrorKind::NoSuchKey => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let target = DeleteTarget { key: key.to_owned(), version_id: None, etag: Some(head.etag) };
    let deletion = match work.door.delete_one(&target, Condition::IfMatch).await {
        // Some servers do not know the condition at all; it is our own object.
        Err(error) if *error.kind() == ErrorKind::NotImplemented => {
            work.door.delete_one(&target, Condition::Unconditional).await?
        }
        answer => answer?,
    };
    removed(work, action, key, &deletion)
}

fn removed(work: &Work, action: &Action, key: &str, deletion: &Deletion) -> Result<(), Trouble> {
    work.audit(action, "DeleteObject", 1, None)?;
    match deletion {
        Deletion::Deleted { .. } | Deletion::Gone => Ok(()),
        other => Err(Trouble::Ends(End::Failed(format!(
            "the probe object {key:?} could not be removed again: {other:?}"
        )))),
    }
}
