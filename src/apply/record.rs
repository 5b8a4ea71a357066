//! Tells the record of a run from its plan and the audit log, and from nothing else: whoever has
//! those two files can make it again.
//!
//! Memory is bounded by the plan: of long lists the first entries are kept, and how many more the
//! log has.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::{
    Action, ActionKind, ActionRecord, ApprovalRecord, BucketName, BucketRecord, Ending, Record,
    Total,
};
use crate::plan::Plan;
use crate::state::{AuditEntry, AuditLog, StateError};

/// Request ids and names that are kept of each action and bucket.
const KEPT: usize = 100;
/// The format of the record.
const FORMAT: &str = "1.0";

/// Reads the audit log in `folder` (a project's `.s3plan`) and tells what became of a plan.
///
/// # Errors
/// Where the log cannot be read.
pub fn of(plan: &Plan, folder: &Path) -> Result<Record, StateError> {
    let mut telling = Telling::of(plan);
    let unreadable = AuditLog::each(folder, |entry| telling.take(entry))?;
    let mut record = telling.end();
    record.unreadable_lines = unreadable;
    Ok(record)
}

struct Telling<'a> {
    plan: &'a Plan,
    record: Record,
    /// All approvals of the plan's buckets: one may have been given in an earlier run.
    approvals: BTreeMap<BucketName, Vec<ApprovalRecord>>,
}

impl<'a> Telling<'a> {
    fn of(plan: &'a Plan) -> Self {
        let buckets = plan.body.buckets.iter().filter_map(|bucket| {
            let actions: Vec<ActionRecord> = plan.actions_of(&bucket.name).map(blank).collect();
            (!actions.is_empty()).then(|| BucketRecord {
                bucket: bucket.name.clone(),
                archive: bucket.archive.as_ref().map(|archive| archive.to.clone()),
                ending: Ending::Pending,
                detail: None,
                evidence: None,
                approvals: Vec::new(),
                actions,
                named: Vec::new(),
                more_named: 0,
            })
        });
        let record = Record {
            format: FORMAT,
            run: plan.digest.clone(),
            account: plan.body.account.clone(),
            manifest: plan.body.manifest.path.clone(),
            started_at: None,
            last_at: None,
            processes: BTreeMap::new(),
            buckets: buckets.collect(),
            totals: Vec::new(),
            cost: plan.body.actions.iter().map(|action| action.cost).sum(),
            cost_at_most: plan.body.actions.iter().map(Action::ceiling).sum(),
            requests: BTreeMap::new(),
            unreadable_lines: Vec::new(),
        };
        Self { plan, record, approvals: BTreeMap::new() }
    }

    fn take(&mut self, entry: AuditEntry) {
        if entry.operation == "approve" {
            self.approve(&entry);
        }
        if entry.run.as_deref() != Some(&self.plan.digest) {
            return;
        }
        let record = &mut self.record;
        record.started_at = record.started_at.or(Some(entry.at));
        record.last_at = Some(entry.at);
        match entry.operation.as_str() {
            "run" => {
                let who = entry.caller_arn.unwrap_or_else(|| "unknown".into());
                *record.processes.entry(who).or_default() += 1;
                // A process that takes the run up looks anew at what was stale.
                for bucket in &mut record.buckets {
                    if bucket.ending == Ending::Stale {
                        (bucket.ending, bucket.detail) = (Ending::Stopped, None);
                    }
                }
                return;
            }
            "stopped" => {
                for (operation, count) in entry.requests {
                    *record.requests.entry(operation).or_default() += count;
                }
                return;
            }
            _ => {}
        }
        let of_entry = |bucket: &&mut BucketRecord| Some(&bucket.bucket) == entry.bucket.as_ref();
        let Some(bucket) = record.buckets.iter_mut().find(of_entry) else { return };
        bucket.take(entry);
    }

    fn approve(&mut self, entry: &AuditEntry) {
        let (Some(bucket), Some(evidence)) = (&entry.bucket, &entry.evidence) else { return };
        if self.plan.bucket(bucket).is_none() {
            return;
        }
        self.approvals.entry(bucket.clone()).or_default().push(ApprovalRecord {
            at: entry.at,
            caller_arn: entry.caller_arn.clone(),
            os_user: entry.os_user.clone(),
            evidence: evidence.clone(),
        });
    }

    fn end(mut self) -> Record {
        for bucket in &mut self.record.buckets {
            let given = self.approvals.remove(&bucket.bucket).unwrap_or_default();
            let evidence = bucket.evidence.clone();
            bucket.approvals =
                given.into_iter().filter(|yes| Some(&yes.evidence) == evidence.as_ref()).collect();
            if bucket.actions.iter().all(|action| action.done_at.is_some()) {
                (bucket.ending, bucket.detail) = (Ending::Done, None);
            }
        }
        let kinds = [
            ActionKind::SetPolicy,
            ActionKind::Restore,
            ActionKind::Adopt,
            ActionKind::Download,
            ActionKind::Verify,
            ActionKind::DeleteObjects,
            ActionKind::AbortUploads,
            ActionKind::DeleteBucket,
        ];
        let totals = kinds.into_iter().filter_map(|kind| self.total(kind)).collect();
        self.record.totals = totals;
        self.record
    }

    /// `None` where the plan has no action of this kind.
    fn total(&self, kind: ActionKind) -> Option<Total> {
        let planned: Vec<&Action> =
            self.plan.body.actions.iter().filter(|action| action.kind == kind).collect();
        if planned.is_empty() {
            return None;
        }
        let done = self.record.buckets.iter().flat_map(|bucket| &bucket.actions);
        let done = done.filter(|done| planned.iter().any(|action| action.id == done.id));
        let (done_objects, done_bytes) = done.fold((0, 0), |(objects, bytes), action| {
            (objects + action.objects, bytes + action.bytes)
        });
        Some(Total {
            kind,
            planned_objects: planned.iter().map(|action| action.objects).sum(),
            planned_bytes: planned.iter().map(|action| action.bytes).sum(),
            done_objects,
            done_bytes,
        })
    }
}

fn blank(action: &Action) -> ActionRecord {
    ActionRecord {
        id: action.id.clone(),
        reason: action.reason.clone(),
        done_at: None,
        objects: 0,
        bytes: 0,
        failed: None,
        mutations: BTreeMap::new(),
        request_ids: Vec::new(),
        more_request_ids: 0,
    }
}

impl BucketRecord {
    fn take(&mut self, entry: AuditEntry) {
        if self.ending == Ending::Pending {
            self.ending = Ending::Stopped;
        }
        let action = self.actions.iter_mut().find(|a| Some(&a.id) == entry.action.as_ref());
        match (entry.operation.as_str(), action) {
            ("done", Some(action)) => {
                action.done_at = Some(entry.at);
                action.objects = entry.count.unwrap_or_default();
                action.bytes = entry.bytes.unwrap_or_default();
                action.failed = None;
                (self.ending, self.detail) = (Ending::Stopped, None);
            }
            ("failed", Some(action)) => {
                action.failed.clone_from(&entry.detail);
                (self.ending, self.detail) = (Ending::Failed, entry.detail);
            }
            ("waits", _) => (self.ending, self.detail) = (Ending::Waiting, entry.detail),
            ("stale", _) => (self.ending, self.detail) = (Ending::Stale, entry.detail),
            ("abandon", _) => {
                (self.ending, self.detail) = (Ending::Abandoned, entry.os_user);
            }
            ("gate", _) => self.evidence = entry.evidence,
            ("left-alone" | "object-failed", _) => match self.named.len() < KEPT {
                true => self.named.extend(entry.detail),
                false => self.more_named += 1,
            },
            // What AWS calls it begins with a capital.
            (operation, Some(action)) if operation.starts_with(char::is_uppercase) => {
                let count = action.mutations.entry(operation.to_owned()).or_default();
                *count += entry.count.unwrap_or(1);
                for id in entry.request_id.into_iter().chain(entry.request_ids) {
                    match action.request_ids.len() < KEPT {
                        true => action.request_ids.push(id),
                        false => action.more_request_ids += 1,
                    }
                }
            }
            _ => {}
        }
    }
}
