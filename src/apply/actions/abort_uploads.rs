//! `abort-uploads`: aborts the unfinished uploads that the plan saw, and no others.
//!
//! They stand behind the same gate as the bucket's objects: without an approval of what is proven
//! now none is aborted.

use std::collections::BTreeSet;

use crate::apply::end::{End, Trouble};
use crate::apply::evidence::Approved;
use crate::apply::work::{Work, blocking};
use crate::model::{Action, UploadInProgress};
use crate::plan::uploads_digest;
use crate::state::{AuditLog, Batch, Intent, IntentKind, Subject};

/// What AWS calls it.
const ABORT: &str = "AbortMultipartUpload";

pub(super) async fn run(work: &Work, action: &Action) -> Result<End, Trouble> {
    let done = End::Done { objects: action.objects, bytes: 0 };
    let begun = blocking(|| work.state.open_intents(work.name()))?
        .into_iter()
        .find(|intent| intent.kind == IntentKind::AbortUpload && intent.action == action.id);
    let uploads = work.door.list_uploads().await?;
    if uploads.is_empty() && begun.is_none() {
        return Ok(done);
    }
    let approved = Approved::of(work)?;
    // Some of what the plan saw may be aborted already, by this run; anything else is news.
    let planned = match &begun {
        Some(intent) => ids_in(intent),
        None if Some(uploads_digest(&uploads)) == action.uploads_digest => ids_of(&uploads),
        None => BTreeSet::new(),
    };
    if let Some(new) = uploads.iter().find(|upload| !planned.contains(&upload.upload_id)) {
        return Ok(End::Stale(format!(
            "an upload of {:?} is not one that the plan saw: somebody may still be writing",
            new.key
        )));
    }
    let id = match begun {
        Some(intent) => {
            let gone = planned.len().saturating_sub(uploads.len()) as u64;
            work.audit_seen(action, ABORT, gone.saturating_sub(recorded(work, action)?))?;
            intent.id
        }
        None => work.intend(
            action,
            IntentKind::AbortUpload,
            Subject::Payload(serde_json::json!(planned)),
        )?,
    };
    for upload in &uploads {
        work.unless_stopped()?;
        let request_id = work.door.abort_upload(upload).await?;
        work.audit_under(action, ABORT, 1, request_id, approved.id())?;
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

fn ids_of(uploads: &[UploadInProgress]) -> BTreeSet<String> {
    uploads.iter().map(|upload| upload.upload_id.clone()).collect()
}

/// The uploads that a run began to abort; none where the intent is about something else.
fn ids_in(intent: &Intent) -> BTreeSet<String> {
    match &intent.subject {
        Subject::Payload(ids) => serde_json::from_value(ids.clone()).unwrap_or_default(),
        Subject::Numbers(_) => BTreeSet::new(),
    }
}

/// How many aborts of this action the audit log has.
fn recorded(work: &Work, action: &Action) -> Result<u64, Trouble> {
    let mut count = 0;
    blocking(|| {
        AuditLog::each(&work.options.folder, |entry| {
            let ours = entry.run.as_deref() == Some(work.recorder.run())
                && entry.action.as_ref() == Some(&action.id)
                && entry.operation == ABORT;
            count += entry.count.filter(|_| ours).unwrap_or(0);
        })
    })?;
    Ok(count)
}
