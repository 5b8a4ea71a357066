//! What every action on one bucket is handed.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::end::{End, Trouble};
use super::person::Person;
use super::recorder::Recorder;
use super::stop::Stop;
use super::throttle::Throttle;
use crate::archive::{Archive, Expect, Owner};
use crate::aws::{Aws, Bucket};
use crate::clock::Clock;
use crate::event::Tick;
use crate::model::{Action, BucketName, EvidenceId, Number, Selection};
use crate::plan::{Plan, PlannedArchive, PlannedBucket};
use crate::state::{AuditEntry, Mark, Row, State, StateError, With};

/// Rows read at a time.
pub(super) const PAGE: usize = 1000;

/// How an apply behaves where it could wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Waits for thaws as long as they take.
    Waits,
    /// Leaves, and says when to come back.
    LeavesInstead,
}

/// What the command line says about an apply.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to wait for thaws.
    pub patience: Patience,
    /// Only these buckets; empty means all of the plan.
    pub targets: Vec<BucketName>,
    /// The project's folder, which relative archives lie below.
    pub project: PathBuf,
    /// The user's home folder, for `~`.
    pub home: Option<PathBuf>,
}

/// Everything that the actions on one bucket need.
pub struct Work {
    /// The whole plan.
    pub plan: Arc<Plan>,
    /// This bucket in it.
    pub bucket: PlannedBucket,
    /// Its archive.
    pub archive: PlannedArchive,
    /// Where that is, absolute.
    pub to: PathBuf,
    /// What the outcome covers.
    pub selection: Selection,
    /// The account.
    pub aws: Aws,
    /// The bucket.
    pub door: Bucket,
    /// What is remembered.
    pub state: State,
    /// Where facts go.
    pub recorder: Arc<Recorder>,
    /// The time.
    pub clock: Clock,
    /// Whether somebody asked to stop.
    pub stop: Stop,
    /// Who can be asked at the gate.
    pub person: Arc<dyn Person>,
    /// The line's width.
    pub throttle: Arc<Throttle>,
    /// Whether to wait.
    pub patience: Patience,
    /// Who applies.
    pub caller_arn: String,
    /// The project's `.s3plan`, where approvals are left.
    pub folder: PathBuf,
    pub(super) place: OnceCell<Arc<Archive>>,
}

impl Work {
    /// The bucket's name.
    pub fn name(&self) -> &BucketName {
        &self.bucket.name
    }

    /// The archive, opened and locked at first use and until the apply ends.
    ///
    /// # Errors
    /// Whatever makes the place unusable; a folder that should hold an archive and does not is
    /// refused, since an unmounted disk looks like that.
    pub async fn place(&self) -> Result<Arc<Archive>, Trouble> {
        let place = self.place.get_or_try_init(|| async {
            let stored = blocking(|| self.state.counts(self.name()))?.stored.objects;
            let expect = if stored > 0 { Expect::Existing } else { Expect::New };
            let owner =
                Owner { account: self.plan.body.account.clone(), bucket: self.name().clone() };
            let place = blocking(|| Archive::open(&self.to, &owner, expect))?;
            Ok::<_, Trouble>(Arc::new(place))
        });
        Ok(Arc::clone(place.await?))
    }

    /// Reads the next page of this bucket's inventory, from a number on.
    ///
    /// # Errors
    /// What the state could not do.
    pub fn page(&self, from: Number, with: With) -> Result<Vec<Row>, StateError> {
        blocking(|| self.state.page(self.name(), from, PAGE, with))
    }

    /// Calls `each` with every row of the inventory in order, a page at a time.
    ///
    /// # Errors
    /// What the state or `each` could not do.
    pub fn each_row<E: From<StateError>>(
        &self,
        with: With,
        mut each: impl FnMut(Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut from = 0;
        loop {
            let page = self.page(from, with)?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.number + 1;
            for row in page {
                each(row)?;
            }
        }
    }

    /// Tells how far an action is.
    ///
    /// # Errors
    /// What the state could not do.
    pub fn tick(&self, action: &Action, objects: u64, bytes: u64) -> Result<(), StateError> {
        let tick = Tick {
            action: action.id.clone(),
            objects,
            of_objects: action.objects,
            bytes,
            of_bytes: action.bytes,
            retries: self.aws.retries(),
        };
        blocking(|| self.recorder.tick(&tick))
    }

    /// Writes down what a mutating request did. Blocking for as long as a sync takes.
    ///
    /// # Errors
    /// What the audit log could not do: a mutation without a record ends the apply.
    pub fn audit(
        &self,
        action: &Action,
        operation: &str,
        count: u64,
        request_id: Option<String>,
    ) -> Result<(), Trouble> {
        self.write_audit(action, operation, count, request_id, None)
    }

    /// The same, for what was done under an approval.
    ///
    /// # Errors
    /// As [`Work::audit`].
    pub fn audit_under(
        &self,
        action: &Action,
        operation: &str,
        count: u64,
        request_id: Option<String>,
        evidence: &EvidenceId,
    ) -> Result<(), Trouble> {
        self.write_audit(action, operation, count, request_id, Some(evidence))
    }

    fn write_audit(
        &self,
        action: &Action,
        operation: &str,
        count: u64,
        request_id: Option<String>,
        evidence: Option<&EvidenceId>,
    ) -> Result<(), Trouble> {
        let mut entry = AuditEntry::new(self.clock.now(), operation, self.name());
        entry.run = Some(self.recorder.run().to_owned());
        entry.action = Some(action.id.clone());
        entry.count = Some(count);
        entry.request_id = request_id;
        entry.caller_arn = Some(self.caller_arn.clone());
        entry.evidence = evidence.cloned();
        Ok(blocking(|| self.recorder.audit(&entry))?)
    }

    /// Ends the action early if somebody asked to stop.
    ///
    /// # Errors
    /// [`End::Parked`].
    pub fn unless_stopped(&self) -> Result<(), Trouble> {
        if self.stop.asked() { Err(Trouble::Ends(End::Parked)) } else { Ok(()) }
    }
}

/// Whether a row's bytes are in the archive and were read back.
pub(super) fn is_home(row: &Row) -> bool {
    row.stored.is_some() && row.marks.has(Mark::ReadBack)
}

/// Runs something that blocks for milliseconds where it stands.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}
