//! `approve`: the gate. Shows the evidence, and opens only on a person's yes to exactly that.

use std::sync::Arc;
use std::time::Duration;

use crate::apply::end::{End, Trouble};
use crate::apply::engine::{OnlyWaits, Shared};
use crate::apply::eraser::form_of;
use crate::apply::evidence::{Gathered, approval_of as find, gather};
use crate::apply::fresh::Moved;
use crate::apply::person::{Answer, Shown};
use crate::apply::work::{Work, blocking};
use crate::event::{Fact, WaitingFor};
use crate::model::{Action, ActionKind, EvidenceId, counted};
use crate::observe::{Drift, compare_with_inventory};
use crate::proof::Evidence;
use crate::state::{Approval, AuditEntry, Batch, Mark, take_all};

/// The pause between two looks into the approval box, while other buckets are at work.
const PAUSE: Duration = Duration::from_millis(300);
/// New or changed objects that are named one by one.
const NAMED: usize = 100;

pub(super) async fn run(
    work: &Arc<Work>,
    shared: &Shared,
    action: &Action,
) -> Result<End, Trouble> {
    let look = Arc::clone(work);
    shared.apart(async move { name_what_moved(&look).await }).await?;
    let form = form_of(work)?;
    let Gathered { evidence, caveats } = blocking(|| gather(work, form))?;
    let done = End::Done { objects: evidence.objects(), bytes: evidence.bytes() };
    if find(work, evidence.id())?.is_some() {
        return Ok(done);
    }
    let opened = Fact::GateOpened {
        bucket: work.name().clone(),
        evidence: evidence.id().clone(),
        proofs: evidence.proofs().clone(),
        caveats: caveats.clone(),
    };
    blocking(|| work.recorder.record(opened))?;

    if let Some(end) = take_in_options(work, action, &evidence)? {
        return Ok(end);
    }
    let consequences = consequences(work, &evidence);
    let shown = Shown {
        bucket: work.name(),
        evidence: &evidence,
        caveats: &caveats,
        consequences: &consequences,
    };
    match blocking(|| work.person.asks(shown)) {
        Answer::Yes { os_user } => {
            keep(work, action, &approval(work, evidence.id(), &os_user))?;
            return Ok(done);
        }
        Answer::No => return Ok(End::Waits { on: WaitingFor::Approval, until: None }),
        Answer::Nobody => {}
    }
    let waiting =
        Fact::Waiting { action: action.id.clone(), on: WaitingFor::Approval, until: None };
    blocking(|| work.recorder.record(waiting))?;
    let _only = OnlyWaits::enter(shared);
    loop {
        take_in_approvals(work, action)?;
        if find(work, evidence.id())?.is_some() {
            return Ok(done);
        }
        if shared.nothing_else_runs() {
            return Ok(End::Waits { on: WaitingFor::Approval, until: None });
        }
        tokio::select! {
            () = work.clock.sleep(PAUSE) => {}
            () = work.stop.wait() => return Err(Trouble::Ends(End::Parked)),
        }
    }
}

/// Takes in what the command line approves. Other evidence than what is proven is refused.
fn take_in_options(
    work: &Work,
    action: &Action,
    evidence: &Evidence,
) -> Result<Option<End>, Trouble> {
    let given = work.options.approvals.iter().filter(|(bucket, _)| bucket == work.name());
    let given: Vec<&EvidenceId> = given.map(|(_, evidence)| evidence).collect();
    if given.contains(&evidence.id()) {
        keep(work, action, &approval(work, evidence.id(), &work.options.os_user))?;
        return Ok(Some(End::Done { objects: evidence.objects(), bytes: evidence.bytes() }));
    }
    Ok(given.first().map(|other| {
        End::Refused(format!(
            "{other} was approved, but what is proven is {}; look at it with `s3plan status` and \
             approve that",
            evidence.id()
        ))
    }))
}

fn approval(work: &Work, evidence: &EvidenceId, os_user: &str) -> Approval {
    Approval {
        bucket: work.name().clone(),
        evidence: evidence.clone(),
        caller_arn: work.options.caller_arn.clone(),
        os_user: os_user.to_owned(),
        at_ms: work.clock.now().as_millisecond(),
        run: Some(work.recorder.run().to_owned()),
    }
}

/// Lists the bucket once more before anybody is asked, and names what is not as it was listed.
async fn name_what_moved(work: &Work) -> Result<(), Trouble> {
    let mut moved = Moved::default();
    let mut named = 0;
    compare_with_inventory::<Trouble>(
        &work.door,
        &work.state,
        work.name(),
        work.bucket.versioning,
        |drift| {
            let (key, version_id, why) = match &drift {
                Drift::New(now) => (&now.key, &now.version_id, "new since the plan was made"),
                Drift::Changed { now, .. } => {
                    (&now.key, &now.version_id, "changed since the plan was made")
                }
                Drift::Missing(row) => {
                    if row.marks.has(Mark::Deleted) || row.marks.has(Mark::DeleteSent) {
                        return Ok(());
                    }
                    (&row.object.key, &row.object.version_id, "gone since the plan was made")
                }
            };
            if named < NAMED {
                let fact = Fact::LeftAlone {
                    bucket: work.name().clone(),
                    key: key.clone(),
                    version_id: version_id.clone(),
                    why: why.to_owned(),
                };
                blocking(|| work.recorder.record(fact))?;
            }
            named += 1;
            moved.add(&drift);
            Ok(())
        },
    )
    .await?;
    if let Some(words) = moved.sentence() {
        work.recorder.note(&format!("{}: {words}; they are left alone", work.name()));
    }
    Ok(())
}

/// What follows a yes, one line each.
fn consequences(work: &Work, evidence: &Evidence) -> Vec<String> {
    let mut lines = Vec::new();
    for action in work.plan.actions_of(work.name()) {
        match action.kind {
            ActionKind::DeleteObjects => lines.push(format!(
                "deletes {} ({}) from S3, each only if it still is what was proven",
                counted(evidence.objects(), "object version"),
                bytesize::ByteSize::b(evidence.bytes())
            )),
            ActionKind::AbortUploads => {
                lines.push(format!("aborts {}", counted(action.objects, "unfinished upload")));
            }
            ActionKind::DeleteBucket => {
                lines.push(format!("deletes the bucket {}, whose name becomes free", work.name()));
            }
            _ => {}
        }
    }
    lines
}

/// Takes in what `s3plan approve` left beside this running apply.
fn take_in_approvals(work: &Work, action: &Action) -> Result<(), Trouble> {
    blocking(|| {
        take_all::<Trouble>(&work.options.folder, |approvals| {
            for approval in approvals {
                keep(work, action, approval)?;
            }
            Ok(())
        })
    })?;
    Ok(())
}

/// Makes an approval durable, then tells it.
fn keep(work: &Work, action: &Action, approval: &Approval) -> Result<(), Trouble> {
    blocking(|| {
        let mut batch = Batch::new();
        batch.approval(approval.clone());
        work.state.commit(batch)?;
        let mut entry = AuditEntry::new(work.clock.now(), "approve", &approval.bucket);
        entry.run = Some(work.recorder.run().to_owned());
        entry.action = (approval.bucket == *work.name()).then(|| action.id.clone());
        entry.caller_arn = Some(approval.caller_arn.clone());
        entry.os_user = Some(approval.os_user.clone());
        entry.evidence = Some(approval.evidence.clone());
        work.recorder.audit(&entry)?;
        work.recorder.record(Fact::Approved {
            bucket: approval.bucket.clone(),
            evidence: approval.evidence.clone(),
            by: format!("{} ({})", approval.os_user, approval.caller_arn),
        })?;
        Ok(())
    })
}
