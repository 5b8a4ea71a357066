//! The one funnel through which facts leave an apply: to the journal first, then to whoever reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::clock::Clock;
use crate::event::{Event, Fact, Reporter, Tick};
use crate::model::{ActionId, BucketName};
use crate::state::{AuditEntry, AuditLog, State, StateError};

/// Status is written at most this often while there is nothing new but progress and names.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// Progress of one action is told at most this often.
const TICK_EVERY: Duration = Duration::from_millis(100);

/// Writes `status.json` from what the state says.
pub type WriteStatus = Box<dyn FnMut(&State) -> Result<(), StateError> + Send>;

/// Records facts, tells them, and keeps `status.json` true.
pub struct Recorder {
    state: State,
    run: String,
    clock: Clock,
    inner: Mutex<Inner>,
}

struct Inner {
    audit: AuditLog,
    reporters: Vec<Box<dyn Reporter>>,
    status: WriteStatus,
    status_at: Option<Instant>,
    ticked_at: BTreeMap<ActionId, Instant>,
}

impl Recorder {
    /// Opens the funnel for one run. `status` writes `status.json`.
    pub fn new(
        state: State,
        run: String,
        clock: Clock,
        audit: AuditLog,
        reporters: Vec<Box<dyn Reporter>>,
        status: WriteStatus,
    ) -> Self {
        let inner = Inner { audit, reporters, status, status_at: None, ticked_at: BTreeMap::new() };
        Self { state, run, clock, inner: Mutex::new(inner) }
    }

    /// Makes a fact durable, then shows it. The only way a fact leaves an apply. Blocking.
    ///
    /// # Errors
    /// [`StateError`]: the apply must stop at once, for the fact may not have reached the disk.
    pub fn record(&self, fact: Fact) -> Result<(), StateError> {
        // One lock over both steps: facts are shown in the order in which they are kept.
        let mut inner = self.lock();
        // Before the journal: a crash between the two writes a line twice, never none.
        if let Some(entry) = line_of(&fact, &self.run, self.clock.now()) {
            inner.audit.append(&entry)?;
        }
        // Status reads the whole journal: written for each of many names, it would read it as
        // often.
        let can_wait = matches!(fact, Fact::ObjectFailed { .. } | Fact::LeftAlone { .. });
        // Disk before eyes: what a person has read must survive a crash.
        let events = self.state.append(&self.run, vec![fact], self.clock.now())?;
        for event in &events {
            inner.tell(event);
        }
        if can_wait { self.write_old_status(&mut inner) } else { self.write_status(&mut inner) }
    }

    /// Shows progress, if there is time.
    ///
    /// # Errors
    /// [`StateError`] where the state cannot be read for `status.json`.
    pub fn tick(&self, tick: &Tick) -> Result<(), StateError> {
        let mut inner = self.lock();
        let finished = tick.objects == tick.of_objects;
        let last = inner.ticked_at.get(&tick.action);
        if !finished && last.is_some_and(|at| at.elapsed() < TICK_EVERY) {
            return Ok(());
        }
        inner.ticked_at.insert(tick.action.clone(), Instant::now());
        for reporter in &mut inner.reporters {
            reporter.tick(tick);
        }
        self.write_old_status(&mut inner)
    }

    /// Says a sentence that is neither fact nor progress.
    pub fn note(&self, words: &str) {
        for reporter in &mut self.lock().reporters {
            reporter.note(words);
        }
    }

    /// Writes down what a mutating request did, durably, before anyone acts on it. Blocking.
    ///
    /// # Errors
    /// [`StateError`] where the log cannot be written: a mutation without a record ends the apply.
    pub fn audit(&self, entry: &AuditEntry) -> Result<(), StateError> {
        self.lock().audit.append(entry)
    }

    /// The plan's digest.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Writes status where it was not written for a while.
    fn write_old_status(&self, inner: &mut Inner) -> Result<(), StateError> {
        match inner.status_at {
            Some(at) if at.elapsed() < STATUS_EVERY => Ok(()),
            _ => self.write_status(inner),
        }
    }

    fn write_status(&self, inner: &mut Inner) -> Result<(), StateError> {
        inner.status_at = Some(Instant::now());
        (inner.status)(&self.state)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A reporter that panicked has lost its line; the journal is whole all the same.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fact as the audit log keeps it, so that what was done can be told from the log alone; `None`
/// for those that say nothing of that, and for approvals, which are written where they are given.
fn line_of(fact: &Fact, run: &str, at: Timestamp) -> Option<AuditEntry> {
    let of_action = |word: &str, action: &ActionId| {
        // No bucket has a slash in its name.
        let bucket = action.as_str().split('/').next().unwrap_or_default();
        let mut entry = AuditEntry::new(at, word, &BucketName::new(bucket));
        entry.action = Some(action.clone());
        entry
    };
    let of_key =
        |word: &str, bucket: &BucketName, key: &str, version: &Option<String>, why: &str| {
            let version = version.as_ref().map(|id| format!(" (version {id})")).unwrap_or_default();
            let mut entry = AuditEntry::new(at, word, bucket);
            entry.detail = Some(format!("{key:?}{version}: {why}"));
            entry
        };
    let mut entry = match fact {
        Fact::Started { .. }
        | Fact::DeleteFormFound { .. }
        | Fact::Approved { .. }
        | Fact::TakenUpAgain { .. }
        | Fact::PolicyRolledBack { .. } => return None,
        Fact::RunStarted { caller_arn, .. } => {
            let mut entry = AuditEntry::of_run(at, "run");
            entry.caller_arn = Some(caller_arn.clone());
            entry
        }
        Fact::Waiting { action, on, .. } => {
            let mut entry = of_action("waits", action);
            entry.detail = Some(on.as_str().to_owned());
            entry
        }
        Fact::Done { action, objects, bytes } => {
            let mut entry = of_action("done", action);
            (entry.count, entry.bytes) = (Some(*objects), Some(*bytes));
            entry
        }
        Fact::Failed { action, why, .. } => {
            let mut entry = of_action("failed", action);
            entry.detail = Some(why.clone());
            entry
        }
        Fact::Stale { bucket, why } => {
            let mut entry = AuditEntry::new(at, "stale", bucket);
            entry.detail = Some(why.clone());
            entry
        }
        Fact::ObjectFailed { bucket, key, version_id, why } => {
            of_key("object-failed", bucket, key, version_id, why)
        }
        Fact::LeftAlone { bucket, key, version_id, why } => {
            of_key("left-alone", bucket, key, version_id, why)
        }
        Fact::GateOpened { bucket, evidence, caveats, .. } => {
            let mut entry = AuditEntry::new(at, "gate", bucket);
            entry.evidence = Some(evidence.clone());
            entry.detail = (!caveats.is_empty()).then(|| caveats.join("; "));
            entry
        }
        Fact::Abandoned { bucket, by } => {
            let mut entry = AuditEntry::new(at, "abandon", bucket);
            entry.os_user = Some(by.clone());
            entry
        }
    };
    entry.run = Some(run.to_owned());
    Some(entry)
}

impl Inner {
    fn tell(&mut self, event: &Event) {
        for reporter in &mut self.reporters {
            reporter.event(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::state::Open;

    #[test]
    fn status_is_not_written_anew_for_each_of_many_objects() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::open(folder.path(), None, Open::Write { holder: "a test" });
        let audit = AuditLog::open(folder.path()).expect("a log");
        let written = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&written);
        let status: WriteStatus = Box::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let (state, clock) = (state.expect("a state"), Clock::default());
        let recorder = Recorder::new(state, "run".into(), clock, audit, Vec::new(), status);
        let began = Instant::now();
        for number in 0..50 {
            let fact = Fact::ObjectFailed {
                bucket: BucketName::new("photos"),
                key: number.to_string(),
                version_id: None,
                why: "the body ended early".into(),
            };
            recorder.record(fact).expect("kept");
        }
        let seconds = began.elapsed().as_secs();
        assert!(written.load(Ordering::Relaxed) <= 1 + seconds);
        recorder.record(Fact::TakenUpAgain { bucket: BucketName::new("photos") }).expect("kept");
        assert!(written.load(Ordering::Relaxed) >= 2, "what changes the standing is told at once");
    }
}
