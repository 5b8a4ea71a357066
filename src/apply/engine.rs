//! The loop: one task a bucket, its actions in order, each behind what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::{JoinSet, spawn_blocking};

use super::actions;
use super::end::{BucketEnd, End, Outcome, Trouble};
use super::fresh::{Begun, check_fresh};
use super::phase::Phase;
use super::work::{Work, blocking};
use crate::event::{Fact, WaitingFor};
use crate::model::{Action, ActionId, BucketName};
use crate::state::StateError;

/// Buckets that have a thread at a time. The pool that they come from has 512, and others need some.
const THREADS: usize = 64;

/// What the bucket tasks share.
pub(super) struct Shared {
    /// One bucket at a time moves data.
    lane: Arc<Semaphore>,
    /// Actions that are over, well or not: restores of a wave wait for the downloads before it.
    settled: watch::Sender<BTreeSet<ActionId>>,
    /// Tasks that still do something of their own, rather than wait for a person.
    busy: AtomicUsize,
    threads: Semaphore,
}

impl Shared {
    /// Whether every bucket left is waiting for a person.
    pub(super) fn nothing_else_runs(&self) -> bool {
        self.busy.load(Ordering::SeqCst) == 0
    }

    /// Does something that often blocks on a thread of its own. It may not wait for another bucket.
    ///
    /// On one of the runtime's threads, another would each time take over what waits for the network
    /// there, and what that takes of memory would be spread over the allocator's heap of each: two
    /// to four times as much in all.
    pub(super) async fn apart<T: Send + 'static>(
        &self,
        job: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, Trouble> {
        // Never closed, hence always granted.
        let _one = self.threads.acquire().await;
        let runtime = Handle::current();
        let (alive, dropped) = oneshot::channel::<()>();
        let thread = spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    // First, so that not one step more is taken.
                    biased;
                    _ = dropped => Err(Trouble::Ends(End::Parked)),
                    end = job => end,
                }
            })
        });
        let end = thread.await?;
        // Until here: where this is dropped because another bucket's task met a fatal error, so is
        // the job.
        drop(alive);
        end
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
        threads: Semaphore::new(THREADS),
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

async fn run_bucket(work: &Arc<Work>, shared: &Arc<Shared>) -> Result<BucketEnd, StateError> {
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

async fn run_actions(work: &Arc<Work>, shared: &Arc<Shared>) -> Result<End, Trouble> {
    let standings: BTreeMap<ActionId, Phase> =
        blocking(|| work.state.standings(work.recorder.run()))?
            .into_iter()
            .filter_map(|(id, event)| Some((id, Phase::after(&event.fact)?)))
            .collect();
    let done = |id: &ActionId| standings.get(id) == Some(&Phase::Done);
    let begun = match work.plan.actions_of(work.name()).any(|a| standings.contains_key(&a.id)) {
        true => Begun::Already,
        false => Begun::NotYet,
    };
    if work.plan.actions_of(work.name()).all(|action| done(&action.id)) {
        return Ok(End::Done { objects: 0, bytes: 0 });
    }
    if !actions::delete_bucket::was_asked(work)? {
        let work = Arc::clone(work);
        shared.apart(async move { check_fresh(&work, begun).await }).await?;
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
async fn run_action(
    work: &Arc<Work>,
    shared: &Arc<Shared>,
    action: &Action,
) -> Result<End, Trouble> {
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
