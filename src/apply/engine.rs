//! The loop: one task a bucket, its actions in order, each behind what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::actions;
use super::end::{BucketEnd, End, Outcome, Trouble};
use super::phase::Phase;
use super::work::{Work, blocking};
use crate::event::{Fact, WaitingFor};
use crate::model::{Action, ActionId, BucketName};
use crate::observe::{Drift, Listed, compare_with_inventory, take_inventory};
use crate::state::StateError;

/// How many names of moved objects one sentence holds.
const NAMES: usize = 3;

/// What the bucket tasks share.
pub(super) struct Shared {
    /// One bucket at a time moves data.
    lane: Arc<Semaphore>,
    /// Actions that are over, well or not: restores of a wave wait for the downloads before it.
    settled: watch::Sender<BTreeSet<ActionId>>,
    /// Tasks that still do something of their own, rather than wait for a person.
    busy: AtomicUsize,
}

impl Shared {
    /// Whether every bucket left is waiting for a person.
    pub(super) fn nothing_else_runs(&self) -> bool {
        self.busy.load(Ordering::SeqCst) == 0
    }
}

/// Runs every bucket's part of a plan, in the plan's order, and says how each ended.
///
/// # Errors
/// [`StateError`]: the journal may not have kept a fact, so everything was stopped. What is on disk
/// and in S3 is as the journal's last fact says, or one step further.
pub async fn run(works: Vec<Arc<Work>>) -> Result<Outcome, StateError> {
    let shared = Arc::new(Shared {
        lane: Arc::new(Semaphore::new(1)),
        settled: watch::Sender::new(BTreeSet::new()),
        busy: AtomicUsize::new(works.len()),
    });
    let covered: BTreeSet<BucketName> = works.iter().map(|work| work.name().clone()).collect();
    if let Some(work) = works.first() {
        // Buckets that this apply leaves out hold nobody up.
        let others = work.plan.body.actions.iter().filter(|a| !covered.contains(&a.bucket));
        shared.settle(others);
    }
    let mut tasks = JoinSet::new();
    for (place, work) in works.into_iter().enumerate() {
        let shared = Arc::clone(&shared);
        tasks.spawn(async move { (place, run_bucket(&work, &shared).await) });
    }
    let mut ends = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok((place, Ok(end))) => ends.push((place, end)),
            // Dropping the other tasks stops them: nothing more may be done unrecorded.
            Ok((_, Err(fatal))) => return Err(fatal),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
    ends.sort_by_key(|(place, _)| *place);
    Ok(Outcome { buckets: ends.into_iter().map(|(_, end)| end).collect() })
}

impl Shared {
    fn settle<'a>(&self, actions: impl Iterator<Item = &'a Action>) {
        self.settled.send_modify(|settled| settled.extend(actions.map(|a| a.id.clone())));
    }
}

async fn run_bucket(work: &Arc<Work>, shared: &Shared) -> Result<BucketEnd, StateError> {
    let end = match run_actions(work, shared).await {
        Ok(end) | Err(Trouble::Ends(end)) => end,
        Err(Trouble::Fatal(error)) => return Err(error),
    };
    if let End::Stale(why) = &end {
        let fact = Fact::Stale { bucket: work.name().clone(), why: why.clone() };
        blocking(|| work.recorder.record(fact))?;
    }
    shared.busy.fetch_sub(1, Ordering::SeqCst);
    shared.settle(work.plan.actions_of(work.name()));
    Ok(BucketEnd { bucket: work.name().clone(), end })
}

async fn run_actions(work: &Arc<Work>, shared: &Shared) -> Result<End, Trouble> {
    let standings: BTreeMap<ActionId, Phase> =
        blocking(|| work.state.standings(work.recorder.run()))?
            .into_iter()
            .filter_map(|(id, event)| Some((id, Phase::after(&event.fact)?)))
            .collect();
    let done = |id: &ActionId| standings.get(id) == Some(&Phase::Done);
    let begun = work.plan.actions_of(work.name()).any(|a| standings.contains_key(&a.id));
    if work.plan.actions_of(work.name()).all(|action| done(&action.id)) {
        return Ok(End::Done { objects: 0, bytes: 0 });
    }
    if !actions::delete_bucket::was_asked(work)? {
        check_fresh(work, begun).await?;
    }
    let mut lane: Option<OwnedSemaphorePermit> = None;
    for action in work.plan.actions_of(work.name()) {
        if done(&action.id) {
            shared.settle(std::iter::once(action));
            continue;
        }
        work.unless_stopped()?;
        await_other_buckets(work, shared, action).await?;
        if action.kind.moves_data() {
            if lane.is_none() {
                let permit = Arc::clone(&shared.lane).acquire_owned();
                lane = tokio::select! {
                    permit = permit => permit.ok(),
                    () = work.stop.wait() => None,
                };
                work.unless_stopped()?;
            }
        } else {
            lane = None;
        }
        let end = run_action(work, shared, action).await?;
        if !matches!(end, End::Done { .. }) {
            return Ok(end);
        }
        shared.settle(std::iter::once(action));
    }
    Ok(End::Done { objects: 0, bytes: 0 })
}

/// Runs one action and records how it ended.
async fn run_action(work: &Arc<Work>, shared: &Shared, action: &Action) -> Result<End, Trouble> {
    blocking(|| work.recorder.record(Fact::Started { action: action.id.clone() }))?;
    let end = match actions::run(work, shared, action).await {
        Ok(end) | Err(Trouble::Ends(end)) => end,
        Err(fatal) => return Err(fatal),
    };
    let id = action.id.clone();
    let fact = match &end {
        End::Done { objects, bytes } => {
            Some(Fact::Done { action: id, objects: *objects, bytes: *bytes })
        }
        // An action that waited before it gave up waiting has said so already.
        End::Waits { on, .. } if waits_already(work, &id, *on)? => None,
        End::Waits { on, until } => Some(Fact::Waiting { action: id, on: *on, until: *until }),
        End::Failed(why) | End::Held(why) => {
            Some(Fact::Failed { action: id, why: why.clone(), retry: true })
        }
        End::Refused(why) => Some(Fact::Failed { action: id, why: why.clone(), retry: false }),
        // A parked action simply goes on next time; a stale bucket is told as one.
        End::Parked | End::Stale(_) => None,
    };
    if let Some(fact) = fact {
        blocking(|| work.recorder.record(fact))?;
    }
    Ok(end)
}

/// Whether the last thing that the journal says of an action is that it waits for this.
fn waits_already(work: &Work, action: &ActionId, on: WaitingFor) -> Result<bool, StateError> {
    let standings = blocking(|| work.state.standings(work.recorder.run()))?;
    Ok(standings.iter().any(|(id, event)| {
        id == action && matches!(event.fact, Fact::Waiting { on: before, .. } if before == on)
    }))
}

async fn await_other_buckets(work: &Work, shared: &Shared, action: &Action) -> Result<(), Trouble> {
    let mut settled = shared.settled.subscribe();
    let others = |settled: &BTreeSet<ActionId>| {
        let own = |need: &ActionId| work.plan.actions_of(work.name()).any(|a| &a.id == need);
        action.needs.iter().all(|need| own(need) || settled.contains(need))
    };
    tokio::select! {
        // The sender lives as long as this task.
        _ = settled.wait_for(others) => Ok(()),
        () = work.stop.wait() => Err(Trouble::Ends(End::Parked)),
    }
}

/// Looks whether the bucket still is what the plan was made from, before anything is done to it.
///
/// A bucket that this run has begun is compared object by object as it goes: by the condition on
/// every GET, by the listings before the gate and before the deletion.
async fn check_fresh(work: &Work, begun: bool) -> Result<(), Trouble> {
    let stale = |why: String| Trouble::Ends(End::Stale(why));
    let Some(archive) = &work.bucket.archive else {
        // The policy is all that is wanted, and `set-policy` looks at the live one itself.
        return Ok(());
    };
    let (versioning, _) = work.door.versioning().await?;
    if versioning != work.bucket.versioning {
        return Err(stale(format!(
            "versioning was {} when the plan was made and is {} now",
            work.bucket.versioning.as_str(),
            versioning.as_str()
        )));
    }
    let known = blocking(|| work.state.inventory(work.name()))?;
    let Some(known) = known else {
        // The state was lost since: list again, and go on only if nothing else was reviewed.
        let now_ms = work.clock.now().as_millisecond();
        let found =
            take_inventory(&work.door, &work.state, work.name(), versioning, now_ms, &mut |_| {})
                .await?;
        if !matches!(found, Listed::Taken(found) if found.digest == archive.inventory) {
            return Err(stale(
                "the state does not know this plan's inventory, and a fresh listing differs from \
                 it"
                .into(),
            ));
        }
        return Ok(());
    };
    if known.digest != archive.inventory {
        return Err(stale("a newer plan has listed this bucket since".into()));
    }
    if begun {
        return Ok(());
    }
    let mut moved = Moved::default();
    compare_with_inventory::<Trouble>(&work.door, &work.state, work.name(), versioning, |drift| {
        moved.add(&drift);
        Ok(())
    })
    .await?;
    match moved.sentence() {
        Some(why) => Err(stale(why)),
        None => Ok(()),
    }
}

/// Counts drift and keeps the first names of it.
#[derive(Default)]
pub(super) struct Moved {
    new: u64,
    changed: u64,
    missing: u64,
    names: Vec<String>,
}

impl Moved {
    pub(super) fn add(&mut self, drift: &Drift) {
        let key = match drift {
            Drift::New(object) => {
                self.new += 1;
                &object.key
            }
            Drift::Changed { now, .. } => {
                self.changed += 1;
                &now.key
            }
            Drift::Missing(row) => {
                self.missing += 1;
                &row.object.key
            }
        };
        if self.names.len() < NAMES {
            self.names.push(format!("{key:?}"));
        }
    }

    /// What moved, in words; `None` where nothing did.
    pub(super) fn sentence(&self) -> Option<String> {
        let counted = [(self.new, "new"), (self.changed, "changed"), (self.missing, "gone")];
        let parts: Vec<String> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!parts.is_empty()).then(|| {
            format!(
                "objects moved since the plan was made: {} (for example {})",
                parts.join(", "),
                self.names.join(", ")
            )
        })
    }
}

/// Marks a task as one that only waits for a person, for as long as it lives.
pub(super) struct OnlyWaits<'a>(&'a Shared);

impl<'a> OnlyWaits<'a> {
    pub(super) fn enter(shared: &'a Shared) -> Self {
        shared.busy.fetch_sub(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for OnlyWaits<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_add(1, Ordering::SeqCst);
    }
}
