//! What happened, what is under way, who said yes: facts, runs, intents, approvals.

use std::collections::BTreeSet;

use jiff::Timestamp;
use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::error::StateError;
use super::table::{
    self, APPROVALS, FACTS, Fault, INTENTS, META, RUNS, STANDINGS, Walk, text_key, text_key_and,
};
use super::{Care, State};
use crate::event::{Event, Fact};
use crate::model::{ActionId, BucketName, EvidenceId, Number};

/// One plan's application, over as many processes as it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// The plan's digest.
    pub run: String,
    /// Where the plan file was, as it was given.
    pub plan_path: String,
    /// SHA-256 of the manifest that the plan was made from.
    pub manifest_digest: String,
    /// Milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// Whether a newer plan took its place.
    pub superseded: bool,
    /// Milliseconds since the Unix epoch; `None`: not finished.
    pub finished_at_ms: Option<i64>,
}

/// A mutating request that is about to leave, or left without an answer: a question to AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// From [`State::new_intent_id`].
    pub id: u64,
    /// The run's plan digest.
    pub run: String,
    /// The action that sends it.
    pub action: ActionId,
    /// On which bucket.
    pub bucket: BucketName,
    /// What it does.
    pub kind: IntentKind,
    /// On what.
    pub subject: Subject,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// What a mutating request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntentKind {
    /// Asks for restores.
    Restore,
    /// Deletes object versions.
    DeleteObjects,
    /// Aborts an unfinished upload.
    AbortUpload,
    /// Deletes the bucket.
    DeleteBucket,
    /// Replaces or removes the bucket's policy.
    SetPolicy,
    /// Puts or deletes s3plan's own canary object.
    Probe,
}

/// What a mutating request is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Rows of the bucket's inventory. A new inventory with other numbers closes the intent.
    Numbers(Vec<Number>),
    /// Anything else, as the action that made it reads it.
    Payload(serde_json::Value),
}

impl Intent {
    /// The intent to put a probe object under a key, and to remove it again.
    pub fn probe(id: u64, run: &str, action: &ActionId, bucket: &BucketName, key: &str) -> Self {
        Self {
            id,
            run: run.to_owned(),
            action: action.clone(),
            bucket: bucket.clone(),
            kind: IntentKind::Probe,
            subject: Subject::Payload(serde_json::Value::from(key)),
            at_ms: 0,
        }
    }

    /// The key of the probe object that this is about; `None` where it is about something else.
    pub fn probe_key(&self) -> Option<&str> {
        match (&self.kind, &self.subject) {
            (IntentKind::Probe, Subject::Payload(key)) => key.as_str(),
            _ => None,
        }
    }
}

/// A person's yes to one bucket's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Which bucket.
    pub bucket: BucketName,
    /// Exactly this evidence.
    pub evidence: EvidenceId,
    /// Whose credentials.
    pub caller_arn: String,
    /// Whose login on this machine.
    pub os_user: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The run at whose gate it was given; `None` where there was none.
    pub run: Option<String>,
}

/// A plan that was made: what of it outlives the plan file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRow {
    /// The plan's digest.
    pub digest: String,
    /// The manifest it was made from, relative to the project.
    pub manifest: String,
    /// The plan itself, as its maker wants it back: `status` needs no plan file.
    pub outline: serde_json::Value,
}

/// Before the manifest's name in the key of a [`PlanRow`].
pub(super) const PLAN_PREFIX: &[u8] = b"plan\0";

fn plan_key(manifest: &str) -> Vec<u8> {
    [PLAN_PREFIX, manifest.as_bytes()].concat()
}

impl State {
    /// Makes facts durable and numbers them: disk before eyes.
    ///
    /// # Errors
    /// Where they may not have reached the disk: the apply must stop.
    pub fn append(
        &self,
        run: &str,
        facts: Vec<Fact>,
        at: Timestamp,
    ) -> Result<Vec<Event>, StateError> {
        let mut batch = Batch::new();
        for fact in facts {
            batch.fact(run, fact, at);
        }
        self.commit(batch)
    }

    /// Up to `limit` events of a run in order, from those after `after` on (0 for all).
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn facts(&self, run: &str, after: u64, limit: usize) -> Result<Vec<Event>, StateError> {
        self.read(|tx| {
            let mut events = Vec::new();
            let from = text_key_and(run, &after.saturating_add(1).to_be_bytes());
            let end = text_key_and(run, &[0xff; 9]);
            table::read(tx, FACTS)?.walk(&from, &end, |_, body| {
                if events.len() >= limit {
                    return Ok(Walk::Stop);
                }
                events.push(event_in(body)?);
                Ok(Walk::On)
            })?;
            Ok(events)
        })
    }

    /// The latest event of each action of a run, without walking over its journal.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn standings(&self, run: &str) -> Result<Vec<(ActionId, Event)>, StateError> {
        self.read(|tx| {
            let events = table::read(tx, STANDINGS)?.all_json::<Event>(&text_key(run))?;
            Ok(events
                .into_iter()
                .filter_map(|event| Some((event.fact.action()?.clone(), event)))
                .collect())
        })
    }

    /// The actions that a run is done with.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn done_actions(&self, run: &str) -> Result<BTreeSet<ActionId>, StateError> {
        let mut standings = self.standings(run)?;
        standings.retain(|(_, event)| matches!(event.fact, Fact::Done { .. }));
        Ok(standings.into_iter().map(|(id, _)| id).collect())
    }

    /// Records that a plan was made. It takes the place of the plan that was made before from the
    /// same manifest: a run of that one is superseded.
    ///
    /// # Errors
    /// Where it cannot be made durable.
    pub fn plan_made(&self, plan: &PlanRow) -> Result<(), StateError> {
        self.write(Care::Usual, |tx| {
            let mut meta = table::write(tx, META)?;
            let key = plan_key(&plan.manifest);
            let before = meta.json::<PlanRow>(&key)?;
            meta.put_json(&key, plan)?;
            if let Some(before) = before.filter(|before| before.digest != plan.digest) {
                let mut runs = table::write(tx, RUNS)?;
                if runs.json::<RunRow>(before.digest.as_bytes())?.is_some() {
                    change_run(&mut runs, &before.digest, |run| run.superseded = true)?;
                }
            }
            Ok(())
        })
    }

    /// The newest plan that was made from a manifest; `None` before the first. Applying another
    /// one of that manifest is stale.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn newest_plan_of(&self, manifest: &str) -> Result<Option<PlanRow>, StateError> {
        self.read(|tx| table::read(tx, META)?.json(&plan_key(manifest)))
    }

    /// The newest plan of every manifest, by manifest.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn plans(&self) -> Result<Vec<PlanRow>, StateError> {
        self.read(|tx| table::read(tx, META)?.all_json(PLAN_PREFIX))
    }

    /// Begins a run, or takes it up again: what is known of it stays.
    ///
    /// # Errors
    /// Where it cannot be made durable.
    pub fn begin_run(&self, run: &RunRow) -> Result<RunRow, StateError> {
        self.write(Care::Usual, |tx| {
            let mut runs = table::write(tx, RUNS)?;
            let known = runs.json::<RunRow>(run.run.as_bytes())?;
            if known.is_none() {
                runs.put_json(run.run.as_bytes(), run)?;
            }
            table::write(tx, META)?.put_json(b"current-run", &run.run)?;
            Ok(known.unwrap_or_else(|| run.clone()))
        })
    }

    /// The run that was begun or taken up last, finished or not; `None` before the first.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn current_run(&self) -> Result<Option<RunRow>, StateError> {
        self.read(|tx| match table::read(tx, META)?.json::<String>(b"current-run")? {
            Some(run) => table::read(tx, RUNS)?.json(run.as_bytes()),
            None => Ok(None),
        })
    }

    /// One run by its plan's digest; `None` where it never began.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn run(&self, run: &str) -> Result<Option<RunRow>, StateError> {
        self.read(|tx| table::read(tx, RUNS)?.json(run.as_bytes()))
    }

    /// Forgets a run and its journal, so that the same plan can be performed once more: a plan that
    /// was made anew, byte for byte as an old one, wants done what has been undone since.
    ///
    /// # Errors
    /// Where it cannot be made durable.
    pub fn forget_run(&self, run: &str) -> Result<(), StateError> {
        self.write(Care::Usual, |tx| {
            table::write(tx, RUNS)?.remove(run.as_bytes())?;
            table::write(tx, FACTS)?.clear_prefix(&text_key(run))?;
            table::write(tx, STANDINGS)?.clear_prefix(&text_key(run))
        })
    }

    /// Nothing of the run is left to do.
    ///
    /// # Errors
    /// [`StateError::NotKept`] for an unknown run; and where it cannot be made durable.
    pub fn finish_run(&self, run: &str, at_ms: i64) -> Result<(), StateError> {
        self.write(Care::Usual, |tx| {
            change_run(&mut table::write(tx, RUNS)?, run, |run| run.finished_at_ms = Some(at_ms))
        })
    }

    /// The intents of a bucket whose outcome is not known, in the order in which they were made.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn open_intents(&self, bucket: &BucketName) -> Result<Vec<Intent>, StateError> {
        let mut intents = self.all_open_intents()?;
        intents.retain(|intent| intent.bucket == *bucket);
        Ok(intents)
    }

    /// The intents of all buckets whose outcome is not known, in the order in which they were made.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn all_open_intents(&self) -> Result<Vec<Intent>, StateError> {
        self.read(|tx| table::read(tx, INTENTS)?.all_json(&[]))
    }

    /// All approvals of a bucket. One counts only for the very evidence it names.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn approvals(&self, bucket: &BucketName) -> Result<Vec<Approval>, StateError> {
        self.read(|tx| table::read(tx, APPROVALS)?.all_json(&text_key(bucket.as_str())))
    }
}

fn change_run(
    runs: &mut table::WriteRows<'_>,
    run: &str,
    change: impl FnOnce(&mut RunRow),
) -> Result<(), Fault> {
    let row = runs.json::<RunRow>(run.as_bytes())?;
    let mut row = row.ok_or_else(|| StateError::NotKept { what: format!("run {run}") })?;
    change(&mut row);
    runs.put_json(run.as_bytes(), &row)?;
    Ok(())
}

/// Numbers facts and writes them inside a transaction.
pub(super) fn append_in(
    tx: &WriteTransaction,
    facts: Vec<(String, Fact, Timestamp)>,
    events: &mut Vec<Event>,
) -> Result<(), Fault> {
    let mut meta = table::write(tx, META)?;
    let mut journal = table::write(tx, FACTS)?;
    let mut standings = table::write(tx, STANDINGS)?;
    let mut seq = meta.json::<u64>(b"last-seq")?.unwrap_or(0);
    for (run, fact, at) in facts {
        seq += 1;
        let event = Event { seq, at, fact };
        journal.put_json(&text_key_and(&run, &seq.to_be_bytes()), &event)?;
        if let Some(action) = event.fact.action() {
            standings.put_json(&text_key_and(&run, action.as_str().as_bytes()), &event)?;
        }
        events.push(event);
    }
    meta.put_json(b"last-seq", &seq)?;
    Ok(())
}

fn event_in(body: &[u8]) -> Result<Event, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| Fault::Rot(format!("an event makes no sense: {error}")))
}
