//! `abort-uploads`: aborts the unfinished uploads that the plan saw, and no others.
//!
//! They stand behind the same gate as the bucket's objects: without an approval of what is proven now
//! none is aborted.

use crate::apply::end::{End, Trouble};
use crate::apply::evidence::Approved;
use crate::apply::work::{Work, blocking};
use crate::model::Action;
use crate::plan::uploads_digest;
use crate::state::{Batch, IntentKind, Subject};

pub(super) async fn run(work: &Work, action: &Action) -> Result<End, Trouble> {
    let done = End::Done { objects: action.objects, bytes: 0 };
    let uploads = work.door.list_uploads().await?;
    if uploads.is_empty() {
        return Ok(done);
    }
    let approved = Approved::of(work)?;
    let begun = blocking(|| work.state.open_intents(work.name()))?
        .into_iter()
        .find(|intent| intent.kind == IntentKind::AbortUpload && intent.action == action.id);
    // Some of what the plan saw may be aborted already, by this run; anything else is news.
    let known: Vec<String> = match &begun {
        Some(intent) => match &intent.subject {
            Subject::Payload(ids) => serde_json::from_value(ids.clone()).unwrap_or_default(),
            Subject::Numbers(_) => Vec::new(),
        },
        None if Some(uploads_digest(&uploads)) == action.uploads_digest => {
            uploads.iter().map(|upload| upload.upload_id.clone()).collect()
        }
        None => Vec::new(),
    };
    if let Some(new) = uploads.iter().find(|upload| !known.contains(&upload.upload_id)) {
        return Ok(End::Stale(format!(
            "an upload of {:?} is not one that the plan saw: somebody may still be writing",
            new.key
        )));
    }
    let id = match begun {
        Some(intent) => intent.id,
        None => work.intend(
            action,
            IntentKind::AbortUpload,
            Subject::Payload(serde_json::json!(known)),
        )?,
    };
    for upload in &uploads {
        work.unless_stopped()?;
        let request_id = work.door.abort_upload(upload).await?;
        work.audit_under(action, "AbortMultipartUpload", 1, request_id, approved.id())?;
    }
    // A part that was in flight can survive an abort: look before claiming anything.
    if !work.door.list_uploads().await?.is_empty() {
        return Ok(End::Failed(
            "some uploads are still there after they were aborted: run the same command again"
                .into(),
        ));
    }
    let mut batch = Batch::new();
    batch.outcome(id);
    blocking(|| work.state.commit(batch))?;
    Ok(done)
}
