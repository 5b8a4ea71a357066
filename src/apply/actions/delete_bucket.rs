//! `delete-bucket`: deletes the bucket, only if a last listing of its versions is empty.

use crate::apply::end::{End, Trouble};
use crate::apply::evidence::Approved;
use crate::apply::work::{Work, blocking};
use crate::aws::{AwsError, BucketDeletion, ErrorKind};
use crate::model::{Action, Versioning};
use crate::observe::listing_for;
use crate::state::{Batch, Intent, IntentKind, Retired, Subject};

pub(super) async fn run(work: &Work, action: &Action) -> Result<End, Trouble> {
    if is_recorded(work)? {
        // Killed between the outcome and the word that the action is done.
        return Ok(End::Done { objects: 0, bytes: 0 });
    }
    let ours = open_intent(work)?;
    let evidence = Approved::of(work)?;
    if let Some(why) = undeleted(work)? {
        return Ok(End::Stale(why));
    }
    let gone = match what_is_left(work).await {
        Ok(None) => false,
        Ok(Some(key)) => {
            return Ok(End::Stale(format!(
                "the bucket is not empty: {key:?} is in it; it stays, and the next plan tells what \
                 is new"
            )));
        }
        // Only our own request may have done that; anybody else's is news.
        Err(error) if *error.kind() == ErrorKind::NoSuchBucket && ours.is_some() => true,
        Err(error) => return Err(error.into()),
    };
    let id = match &ours {
        Some(intent) => intent.id,
        None => record_intent(work, action)?,
    };
    let deletion = match gone {
        true => BucketDeletion::Gone,
        false => work.door.delete_bucket().await?,
    };
    match deletion {
        BucketDeletion::Deleted { request_id } => {
            work.audit_under(action, "DeleteBucket", 1, request_id, evidence.id())?;
        }
        // It was there when our intent was recorded: an answer that was lost.
        BucketDeletion::Gone => work.audit_seen(action, "DeleteBucket", 1)?,
        BucketDeletion::NotEmpty => {
            return Ok(End::Stale("S3 says that the bucket is not empty; it stays".into()));
        }
    }
    let mut batch = Batch::new();
    batch.outcome(id);
    batch.retire(Retired {
        bucket: work.name().clone(),
        run: work.recorder.run().to_owned(),
        evidence: Some(evidence.id().clone()),
        archive: work.archive()?.to.clone(),
        at_ms: work.clock.now().as_millisecond(),
    });
    blocking(|| work.state.commit(batch))?;
    Ok(End::Done { objects: 0, bytes: 0 })
}

/// Whether this run has asked for the bucket's deletion: then it may be gone, and that is no news.
pub(in crate::apply) fn was_asked(work: &Work) -> Result<bool, Trouble> {
    Ok(open_intent(work)?.is_some() || is_recorded(work)?)
}

fn open_intent(work: &Work) -> Result<Option<Intent>, Trouble> {
    let intents = blocking(|| work.state.open_intents(work.name()))?;
    let ours = |intent: &Intent| {
        intent.kind == IntentKind::DeleteBucket && intent.run == work.recorder.run()
    };
    Ok(intents.into_iter().find(ours))
}

/// Whether the state has it that this run deleted the bucket.
fn is_recorded(work: &Work) -> Result<bool, Trouble> {
    let retired = blocking(|| work.state.retired(work.name()))?;
    Ok(retired.is_some_and(|retired| retired.run == work.recorder.run()))
}

fn record_intent(work: &Work, action: &Action) -> Result<u64, Trouble> {
    work.intend(action, IntentKind::DeleteBucket, Subject::Payload(serde_json::Value::Null))
}

/// Why the bucket cannot be empty, by what the state knows: a listing without an entry does not
/// outweigh objects that nobody deleted.
fn undeleted(work: &Work) -> Result<Option<String>, Trouble> {
    let known = blocking(|| work.state.inventory(work.name()))?.map_or(0, |known| known.rows());
    let deleted = blocking(|| work.state.counts(work.name()))?.deleted.objects;
    Ok((known > deleted).then(|| {
        format!(
            "{} of the {known} object versions and markers that were listed are not known to be \
             deleted; the bucket stays",
            known - deleted
        )
    }))
}

/// The first thing that is still in the bucket: a version, a marker, an unfinished upload.
async fn what_is_left(work: &Work) -> Result<Option<String>, AwsError> {
    // Versions may have been switched on since; then the plan is stale anyway.
    let (versioning, _) = work.door.versioning().await?;
    let listing = listing_for(match versioning {
        Versioning::Never => work.bucket.versioning,
        other => other,
    });
    let mut pages = work.door.list(listing, None);
    while let Some(page) = pages.next().await? {
        if let Some(object) = page.objects.into_iter().next() {
            return Ok(Some(object.key));
        }
    }
    Ok(work.door.list_uploads().await?.into_iter().next().map(|upload| upload.key))
}
