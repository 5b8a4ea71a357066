//! What every action on one bucket is handed.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::OnceCell;

use super::buffers::Buffers;
use super::end::{End, Trouble};
use super::fetchers::Fetchers;
use super::person::Person;
use super::recorder::Recorder;
use super::stop::Stop;
use super::throttle::Throttle;
use super::writers::Writers;
use crate::archive::{Archive, Expect, Owner};
use crate::aws::{Aws, Bucket};
use crate::clock::Clock;
use crate::event::Tick;
use crate::model::{
    Action, BadGlob, BucketName, EvidenceId, FoundAt, Number, Selection, VersionsWanted, absolute,
};
use crate::plan::{Plan, PlannedArchive, PlannedBucket};
use crate::state::{
    AuditEntry, Batch, Intent, IntentKind, Mark, Row, State, StateError, Subject, With,
};

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
    /// Evidence that the command line approves, by bucket.
    pub approvals: Vec<(BucketName, EvidenceId)>,
    /// The name the operating system knows the caller by.
    pub os_user: String,
    /// Who applies.
    pub caller_arn: String,
    /// The project's `.s3plan`, where approvals are left.
    pub folder: PathBuf,
}

/// Everything that the actions on one bucket need.
pub struct Work {
    /// The whole plan.
    pub plan: Arc<Plan>,
    /// This bucket in it.
    pub bucket: PlannedBucket,
    /// Where its archive is, absolute; empty where only a policy is wanted.
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
    /// How many objects are fetched at a time.
    pub fetchers: Arc<Fetchers>,
    /// Who writes small files.
    pub writers: Arc<Writers>,
    /// What bodies wait in for the disk.
    pub buffers: Arc<Buffers>,
    /// What the command line says.
    pub options: Options,
    place: OnceCell<Arc<Archive>>,
}

/// What all buckets of an apply share.
pub struct Doors<'a> {
    /// The account.
    pub aws: &'a Aws,
    /// What is remembered.
    pub state: &'a State,
    /// Where facts go.
    pub recorder: &'a Arc<Recorder>,
    /// The time.
    pub clock: Clock,
    /// Whether somebody asked to stop.
    pub stop: &'a Stop,
    /// Who can be asked at the gate.
    pub person: &'a Arc<dyn Person>,
}

/// Why a plan's archives cannot be found on this machine.
#[derive(Debug, Error)]
pub enum WorkError {
    /// `~` where the caller has no home folder.
    #[error("{to} cannot be found: the home folder is not known")]
    NoHome {
        /// As the plan has it.
        to: String,
    },
    /// A key glob does not compile.
    #[error("a key glob of the plan does not compile: {0}")]
    Glob(#[from] BadGlob),
    /// The system gives no threads.
    #[error("no thread can be started: {0}")]
    Threads(#[from] std::io::Error),
}

impl Work {
    /// The work of a plan, one for each bucket that has actions and is a target, in plan order.
    ///
    /// # Errors
    /// [`WorkError`], before anything is done.
    pub fn of_plan(
        plan: &Arc<Plan>,
        doors: &Doors<'_>,
        options: &Options,
    ) -> Result<Vec<Arc<Self>>, WorkError> {
        let throttle = Arc::new(Throttle::new(plan.body.transfer.max_bandwidth, doors.clock));
        let fetchers = Fetchers::new(plan.body.transfer.max_connections);
        let writers = Arc::new(Writers::start()?);
        let buffers = Buffers::new();
        let mut works = Vec::new();
        for bucket in &plan.body.buckets {
            let targeted = options.targets.is_empty() || options.targets.contains(&bucket.name);
            if !targeted || plan.actions_of(&bucket.name).next().is_none() {
                continue;
            }
            let (to, selection) = match &bucket.archive {
                Some(archive) => place_of(archive, options)?,
                None => (PathBuf::new(), Selection::new(&[], &[], VersionsWanted::Current)?),
            };
            works.push(Arc::new(Self {
                plan: Arc::clone(plan),
                bucket: bucket.clone(),
                to,
                selection,
                aws: doors.aws.clone(),
                door: doors.aws.bucket(&bucket.name, &bucket.region, &plan.body.account),
                state: doors.state.clone(),
                recorder: Arc::clone(doors.recorder),
                clock: doors.clock,
                stop: doors.stop.clone(),
                person: Arc::clone(doors.person),
                throttle: Arc::clone(&throttle),
                fetchers: Arc::clone(&fetchers),
                writers: Arc::clone(&writers),
                buffers: Arc::clone(&buffers),
                options: options.clone(),
                place: OnceCell::new(),
            }));
        }
        Ok(works)
    }

    /// The bucket's name.
    pub fn name(&self) -> &BucketName {
        &self.bucket.name
    }

    /// The archive that the plan wants of this bucket.
    ///
    /// # Errors
    /// [`End::Refused`] where it wants a policy only; the plan's audit lets no action come here
    /// then.
    pub fn archive(&self) -> Result<&PlannedArchive, Trouble> {
        self.bucket.archive.as_ref().ok_or_else(|| {
            Trouble::Ends(End::Refused("the plan wants no archive of this bucket".into()))
        })
    }

    /// The archive, opened and locked at first use and until the apply ends.
    ///
    /// # Errors
    /// Whatever makes the place unusable; a folder that should hold an archive and does not is
    /// refused, since an unmounted disk looks like that, and so is one that has gone since it was
    /// opened.
    pub async fn place(&self) -> Result<Arc<Archive>, Trouble> {
        let place = self.place.get_or_try_init(|| async {
            let known = blocking(|| self.state.was_archived(self.name()))?;
            let expect = match self.archive()?.found {
                _ if known => Expect::Existing,
                FoundAt::Archive => Expect::Existing,
                FoundAt::Files => Expect::Adopt,
                FoundAt::Nothing => Expect::New,
            };
            let owner =
                Owner { account: self.plan.body.account.clone(), bucket: self.name().clone() };
            let place = blocking(|| Archive::open(&self.to, &owner, expect))?;
            if !known {
                // From here on an empty folder is no new archive, also for a run that comes later.
                blocking(|| self.state.archive_begun(self.name()))?;
            }
            Ok::<_, Trouble>(Arc::new(place))
        });
        let place = Arc::clone(place.await?);
        blocking(|| place.check_in_place())?;
        Ok(place)
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

    /// Counts what was fetched, so that the number of fetchers can follow.
    pub fn brought(&self, bytes: u64) {
        self.fetchers.brought(bytes, self.aws.answers());
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
        self.write_down(AuditEntry { request_id, ..self.entry(action, operation, count) })
    }

    /// The same, for several requests at once; nothing for none.
    ///
    /// # Errors
    /// As [`Work::audit`].
    pub fn audit_all(
        &self,
        action: &Action,
        operation: &str,
        count: u64,
        request_ids: Vec<String>,
    ) -> Result<(), Trouble> {
        if count == 0 {
            return Ok(());
        }
        self.write_down(AuditEntry { request_ids, ..self.entry(action, operation, count) })
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
        let evidence = Some(evidence.clone());
        let entry = self.entry(action, operation, count);
        self.write_down(AuditEntry { request_id, evidence, ..entry })
    }

    /// The same, for what is seen to have been done although no answer came, or none was written
    /// down before a kill; nothing for none. What was written down right before a kill is written
    /// twice: never is anything missing.
    ///
    /// # Errors
    /// As [`Work::audit`].
    pub fn audit_seen(&self, action: &Action, operation: &str, count: u64) -> Result<(), Trouble> {
        if count == 0 {
            return Ok(());
        }
        let detail = Some("no answer was recorded; the effect was seen afterwards".to_owned());
        self.write_down(AuditEntry { detail, ..self.entry(action, operation, count) })
    }

    fn write_down(&self, entry: AuditEntry) -> Result<(), Trouble> {
        Ok(blocking(|| self.recorder.audit(&entry))?)
    }

    fn entry(&self, action: &Action, operation: &str, count: u64) -> AuditEntry {
        let mut entry = AuditEntry::new(self.clock.now(), operation, self.name());
        entry.run = Some(self.recorder.run().to_owned());
        entry.action = Some(action.id.clone());
        entry.count = Some(count);
        entry.caller_arn = Some(self.options.caller_arn.clone());
        entry
    }

    /// Records what is about to be asked of AWS, durably, and gives the id that its outcome closes.
    ///
    /// # Errors
    /// [`Trouble::Fatal`]: then nothing may be asked.
    pub fn intend(
        &self,
        action: &Action,
        kind: IntentKind,
        subject: Subject,
    ) -> Result<u64, Trouble> {
        let id = self.state.new_intent_id();
        let mut batch = Batch::new();
        batch.intent(Intent {
            id,
            run: self.recorder.run().to_owned(),
            action: action.id.clone(),
            bucket: self.name().clone(),
            kind,
            subject,
            at_ms: self.clock.now().as_millisecond(),
        });
        blocking(|| self.state.commit(batch))?;
        Ok(id)
    }

    /// Ends the action early if somebody asked to stop.
    ///
    /// # Errors
    /// [`End::Parked`].
    pub fn unless_stopped(&self) -> Result<(), Trouble> {
        if self.stop.asked() { Err(Trouble::Ends(End::Parked)) } else { Ok(()) }
    }
}

/// Where an archive is, and what the outcome covers.
fn place_of(
    archive: &PlannedArchive,
    options: &Options,
) -> Result<(PathBuf, Selection), WorkError> {
    let to = absolute(&archive.to, options.home.as_deref(), &options.project);
    let to = to.ok_or_else(|| WorkError::NoHome { to: archive.to.clone() })?;
    Ok((to, Selection::new(&archive.include, &archive.exclude, archive.versions)?))
}

/// Whether a row's bytes are in the archive and were read back.
pub(super) fn is_home(row: &Row) -> bool {
    row.stored.is_some() && row.marks.has(Mark::ReadBack)
}

/// Whether a row's object is left for the next plan: it is archived in S3, the plan counted on a
/// file that was in place, and that file did not prove right, so that its thaw is in nobody's plan.
pub(super) fn is_left_for_next_plan(row: &Row) -> bool {
    row.object.is_frozen()
        && row.marks.has(Mark::Misfit)
        && row.failure.is_some()
        && !row.marks.has(Mark::RestoreAsked)
}

/// Runs something that blocks for milliseconds where it stands.
pub(super) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}
