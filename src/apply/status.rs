//! Tells where every bucket stands, from what the state remembers.

use std::collections::{BTreeMap, BTreeSet};

use super::phase::Phase;
use crate::event::{Event, Fact, WaitingFor};
use crate::model::{
    Action, ActionId, ActionKind, BucketName, BucketPhase, BucketStatus, EvidenceId, StatusDoc,
    Wait,
};
use crate::plan::{Body, PlannedBucket};
use crate::state::{PlanRow, State, StateError};

/// Journal entries read at a time.
const PAGE: usize = 1000;

/// Where every bucket stands that a plan covered or that was retired, by name. Blocking.
///
/// # Errors
/// What the state could not do.
pub fn document(state: &State, running: bool) -> Result<StatusDoc, StateError> {
    let mut buckets: BTreeMap<BucketName, BucketStatus> = BTreeMap::new();
    for plan in state.plans()? {
        for status in of_plan(state, &plan)? {
            buckets.insert(status.bucket.clone(), status);
        }
    }
    for row in state.buckets()? {
        if row.retired.is_none() || buckets.contains_key(&row.name) {
            continue;
        }
        let mut status = blank(&row.name, BucketPhase::Retired);
        if let Some(inventory) = row.inventory {
            status.objects = inventory.objects;
            status.bytes = inventory.bytes;
        }
        count(state, &mut status)?;
        buckets.insert(row.name, status);
    }
    Ok(StatusDoc {
        format: StatusDoc::FORMAT.to_owned(),
        account: state.account()?,
        run: state.current_run()?.map(|run| run.run),
        running,
        buckets: buckets.into_values().collect(),
    })
}

fn of_plan(state: &State, plan: &PlanRow) -> Result<Vec<BucketStatus>, StateError> {
    // An outline of another format is not ours to tell; the next plan replaces it.
    let Ok(body) = serde_json::from_value::<Body>(plan.outline.clone()) else {
        return Ok(Vec::new());
    };
    let journal = Journal::read(state, &plan.digest)?;
    let mut told = Vec::new();
    for bucket in &body.buckets {
        let actions: Vec<&Action> =
            body.actions.iter().filter(|action| action.bucket == bucket.name).collect();
        let mut status = of_bucket(bucket, &actions, &journal);
        if status.phase == BucketPhase::Done {
            if state.is_retired(&bucket.name)? {
                status.phase = BucketPhase::Retired;
            } else if journal.is_rolled_back(&bucket.name) {
                status.phase = BucketPhase::Stale;
                status.detail =
                    Some("its policy was rolled back since; a new plan sets it anew".into());
            }
        }
        count(state, &mut status)?;
        told.push(status);
    }
    Ok(told)
}

fn of_bucket(bucket: &PlannedBucket, actions: &[&Action], journal: &Journal) -> BucketStatus {
    let mut status = blank(&bucket.name, BucketPhase::Done);
    if let Some(archive) = &bucket.archive {
        status.objects = archive.objects;
        status.bytes = archive.bytes;
    }
    let open = actions.iter().find(|action| journal.phase(&action.id) != Phase::Done);
    let Some(open) = open else { return status };
    let begun = actions.iter().any(|action| journal.phase(&action.id) != Phase::Pending);
    status.phase = if begun { phase_of(open.kind) } else { BucketPhase::Planned };
    if journal.phase(&open.id) == Phase::Pending && open.kind == ActionKind::ProbeDeletes {
        status.phase = BucketPhase::Sealed;
    }
    if let Some(gate) = journal.gates.get(&bucket.name) {
        status.evidence = Some(gate.evidence.clone());
        status.proofs.clone_from(&gate.proofs);
        status.detail = Some(gate.caveats.join("; ")).filter(|told| !told.is_empty());
    }
    match journal.phase(&open.id) {
        Phase::Waiting { on, until } => {
            status.until = until;
            status.waiting_for = Some(match on {
                WaitingFor::Thaw => Wait::Thaw,
                WaitingFor::Approval => Wait::Approval,
                WaitingFor::Login => Wait::Login,
            });
        }
        Phase::Failed { why } => {
            status.phase = BucketPhase::Failed;
            status.detail = Some(why);
        }
        Phase::Pending | Phase::Started | Phase::Done => {}
    }
    if let Some(by) = journal.abandoned.get(&bucket.name) {
        status.phase = BucketPhase::Stale;
        status.abandoned_by = Some(by.clone());
        status.waiting_for = None;
        status.evidence = None;
        status.proofs.clear();
        status.detail = Some(format!(
            "abandoned by {by}: files and objects stay as they are; a new plan starts anew"
        ));
    } else if let Some(why) = journal.stale.get(&bucket.name) {
        status.phase = BucketPhase::Stale;
        status.waiting_for = None;
        status.detail = Some(why.clone());
    }
    status
}

fn phase_of(kind: ActionKind) -> BucketPhase {
    match kind {
        ActionKind::SetPolicy => BucketPhase::Planned,
        ActionKind::Restore | ActionKind::AwaitRestore => BucketPhase::Restoring,
        ActionKind::Adopt | ActionKind::Download => BucketPhase::Downloading,
        ActionKind::Verify | ActionKind::Seal => BucketPhase::Verifying,
        ActionKind::ProbeDeletes => BucketPhase::Sealed,
        ActionKind::Approve => BucketPhase::AwaitingApproval,
        ActionKind::DeleteObjects | ActionKind::AbortUploads | ActionKind::DeleteBucket => {
            BucketPhase::Deleting
        }
    }
}

fn blank(bucket: &BucketName, phase: BucketPhase) -> BucketStatus {
    BucketStatus {
        bucket: bucket.clone(),
        phase,
        objects: 0,
        bytes: 0,
        downloaded_objects: 0,
        verified_objects: 0,
        deleted_objects: 0,
        failed_objects: 0,
        waiting_for: None,
        until: None,
        evidence: None,
        proofs: BTreeMap::new(),
        abandoned_by: None,
        detail: None,
    }
}

fn count(state: &State, status: &mut BucketStatus) -> Result<(), StateError> {
    let counts = state.counts(&status.bucket)?;
    status.downloaded_objects = counts.stored.objects;
    status.verified_objects = counts.read_back.objects;
    status.deleted_objects = counts.deleted.objects;
    status.failed_objects = counts.failed;
    Ok(())
}

/// What the journal of one run says last of each action and bucket.
struct Journal {
    phases: BTreeMap<ActionId, Phase>,
    /// Buckets that were stale when they were last worked on.
    stale: BTreeMap<BucketName, String>,
    gates: BTreeMap<BucketName, Gate>,
    /// Buckets that somebody gave up, and who.
    abandoned: BTreeMap<BucketName, String>,
    /// Buckets whose policy was rolled back: what it was before the first time, and what it is.
    policies: BTreeMap<BucketName, (Option<String>, Option<String>)>,
}

/// What was shown when a bucket's gate opened last.
struct Gate {
    evidence: EvidenceId,
    proofs: BTreeMap<String, u64>,
    caveats: Vec<String>,
}

impl Journal {
    fn read(state: &State, run: &str) -> Result<Self, StateError> {
        let mut journal = Self {
            phases: BTreeMap::new(),
            stale: BTreeMap::new(),
            gates: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            policies: BTreeMap::new(),
        };
        let mut after = 0;
        loop {
            let page = state.facts(run, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(journal) };
            after = last.seq;
            for Event { fact, .. } in page {
                journal.take(fact);
            }
        }
    }

    fn take(&mut self, fact: Fact) {
        match &fact {
            Fact::Stale { bucket, why } => {
                self.stale.insert(bucket.clone(), why.clone());
            }
            Fact::GateOpened { bucket, evidence, proofs, caveats } => {
                let (evidence, proofs) = (evidence.clone(), proofs.clone());
                let gate = Gate { evidence, proofs, caveats: caveats.clone() };
                self.gates.insert(bucket.clone(), gate);
            }
            Fact::Abandoned { bucket, by } => {
                self.abandoned.insert(bucket.clone(), by.clone());
            }
            Fact::TakenUpAgain { bucket } => {
                self.abandoned.remove(bucket);
                self.policies.remove(bucket);
            }
            Fact::PolicyRolledBack { bucket, from, to } => {
                let known = self.policies.entry(bucket.clone());
                known.or_insert_with(|| (from.clone(), None)).1.clone_from(to);
            }
            // A process that takes the run up again looks anew.
            Fact::RunStarted { .. } => self.stale.clear(),
            fact => {
                if let Some((action, phase)) = fact.action().zip(Phase::after(fact)) {
                    self.phases.insert(action.clone(), phase);
                }
            }
        }
    }

    /// Whether a bucket's policy is no longer what it was when this plan was done.
    fn is_rolled_back(&self, bucket: &BucketName) -> bool {
        self.policies.get(bucket).is_some_and(|(before, now)| before != now)
    }

    fn phase(&self, action: &ActionId) -> Phase {
        self.phases.get(action).cloned().unwrap_or_default()
    }
}

/// The buckets that a new plan takes up again where it is the same as an older one, byte for byte:
/// they were given up, or their policy was rolled back. Blocking.
///
/// # Errors
/// What the state could not do.
pub fn left_behind(state: &State, run: &str) -> Result<BTreeSet<BucketName>, StateError> {
    let journal = Journal::read(state, run)?;
    Ok(journal.abandoned.into_keys().chain(journal.policies.into_keys()).collect())
}

/// The buckets of a run that somebody gave up and no newer plan took up again. Blocking.
///
/// # Errors
/// What the state could not do.
pub fn abandoned(state: &State, run: &str) -> Result<BTreeSet<BucketName>, StateError> {
    Ok(Journal::read(state, run)?.abandoned.into_keys().collect())
}
