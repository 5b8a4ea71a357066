//! How many objects are fetched at a time: more while more of them bring more, half where S3 asks to
//! slow down.
//!
//! In: what came home in each window of time, and how many answers asked for less. Out: permits. It
//! promises to stay between one and its ceiling, which the manifest, the descriptor limit and a
//! constant set together. How fast a single connection goes is not its affair.

use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::aws::Answers;

/// Fetchers at the start: enough to hide a round trip, few enough for a small server.
const START: usize = 24;
/// More have never paid off on one machine, and S3 answers a new prefix with SlowDown.
const MOST: usize = 256;
/// Descriptors that are not for fetchers: the state, the archive's folders, pipes and the like.
const OTHER_DESCRIPTORS: u64 = 28;
/// A fetcher holds a connection and a file, and another file while a batch is published.
const DESCRIPTORS_A_FETCHER: u64 = 3;
/// How long is measured before a step is judged.
const WINDOW: Duration = Duration::from_millis(500);
/// A step up has to bring this much to be kept.
const WORTH: f64 = 1.04;
/// Windows without a step, after one that brought nothing; twice as many after each further one in a
/// row, for the first may have met a bad moment, and up to [`REST_MOST`].
const REST: u32 = 2;
/// The most of them.
const REST_MOST: u32 = 16;
/// One answer in so many may ask to slow down, and is repeated and no more: S3 says so now and then
/// while it spreads a prefix over more servers, and halving each time would end with one fetcher.
const SELDOM: u64 = 50;
/// Windows without a step up, after S3 asked to slow down.
const PENANCE: u32 = 20;
/// What an object counts beyond its bytes: small ones cost their requests.
pub const OBJECT: u64 = 64 << 10;

/// The fetchers of an apply.
#[derive(Debug)]
pub struct Fetchers {
    semaphore: Arc<Semaphore>,
    /// Permits that are to vanish as soon as they come back.
    surplus: AtomicUsize,
    /// What came in this window: bytes, and [`OBJECT`] for each object.
    brought: AtomicU64,
    course: Mutex<(Course, Instant)>,
}

/// A fetcher that is in use; given back when dropped.
#[derive(Debug)]
pub struct Fetcher {
    all: Arc<Fetchers>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Fetchers {
    /// Fetchers for an apply; `at_most` is the manifest's `max_connections`.
    pub fn new(at_most: Option<u32>) -> Arc<Self> {
        let ceiling = ceiling(at_most, descriptors());
        let course = Course::new(ceiling);
        Arc::new(Self {
            semaphore: Arc::new(Semaphore::new(course.fetchers)),
            surplus: AtomicUsize::new(0),
            brought: AtomicU64::new(0),
            course: Mutex::new((course, Instant::now())),
        })
    }

    /// Waits for a fetcher.
    pub async fn enter(self: &Arc<Self>) -> Fetcher {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await.ok();
        Fetcher { all: Arc::clone(self), permit }
    }

    /// A fetcher where one is free at once.
    pub fn try_enter(self: &Arc<Self>) -> Option<Fetcher> {
        let permit = Arc::clone(&self.semaphore).try_acquire_owned().ok()?;
        Some(Fetcher { all: Arc::clone(self), permit: Some(permit) })
    }

    /// Counts bytes that came, or [`OBJECT`] for each object that is there, and steers where a
    /// window is over; `answers` is what S3 has said since the start.
    pub fn brought(&self, bytes: u64, answers: Answers) {
        self.brought.fetch_add(bytes, Ordering::Relaxed);
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let (course, since) = &mut *course;
        let elapsed = since.elapsed();
        if elapsed < WINDOW {
            return;
        }
        *since += elapsed;
        let rate = self.brought.swap(0, Ordering::Relaxed) as f64 / elapsed.as_secs_f64();
        let busy = self.semaphore.available_permits() == 0;
        let before = course.fetchers;
        course.steer(rate, answers, busy);
        tracing::debug!(fetchers = course.fetchers, rate, ?answers, "fetchers");
        self.resize(before, course.fetchers);
    }

    fn resize(&self, before: usize, now: usize) {
        for _ in before..now {
            // One that was to vanish may stay instead.
            let kept = |n: usize| n.checked_sub(1);
            if self.surplus.fetch_update(Ordering::SeqCst, Ordering::SeqCst, kept).is_err() {
                self.semaphore.add_permits(1);
            }
        }
        if now < before {
            let gone = self.semaphore.forget_permits(before - now);
            self.surplus.fetch_add(before - now - gone, Ordering::SeqCst);
        }
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        let surplus = |n: usize| n.checked_sub(1);
        let vanishes =
            self.all.surplus.fetch_update(Ordering::SeqCst, Ordering::SeqCst, surplus).is_ok();
        if let Some(permit) = self.permit.take()
            && vanishes
        {
            permit.forget();
        }
    }
}

/// How many fetchers there may be at most.
fn ceiling(at_most: Option<u32>, descriptors: Option<u64>) -> usize {
    let at_most = at_most.map_or(MOST, |most| most as usize);
    MOST.min(at_most).min(share(descriptors, DESCRIPTORS_A_FETCHER)).max(1)
}

/// How many things this process may hold that take `each` so many descriptors, while nothing is
/// fetched; at least one.
pub(super) fn share_of_descriptors(each: u64) -> usize {
    share(descriptors(), each)
}

fn share(descriptors: Option<u64>, each: u64) -> usize {
    let held = descriptors.map(|limit| limit.saturating_sub(OTHER_DESCRIPTORS) / each);
    held.and_then(|held| usize::try_from(held).ok()).map_or(usize::MAX, |held| held.max(1))
}

/// How many descriptors this process may have; `None` where there is no limit.
fn descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// What the number of fetchers goes by. Pure.
#[derive(Clone, Copy, Debug)]
struct Course {
    fetchers: usize,
    ceiling: usize,
    /// The rate and the number of fetchers before a step that is being tried.
    tried: Option<(f64, usize)>,
    /// Windows still to pass before the next step up.
    rest: u32,
    /// How many they are after the next step that brings nothing.
    next_rest: u32,
    /// Until the last window.
    answers: Answers,
}

impl Course {
    fn new(ceiling: usize) -> Self {
        Self {
            fetchers: START.min(ceiling),
            ceiling,
            tried: None,
            rest: 0,
            next_rest: REST,
            answers: Answers::default(),
        }
    }

    /// Takes what one window brought, in any unit a second; `busy` where every fetcher was in use.
    fn steer(&mut self, rate: f64, answers: Answers, busy: bool) {
        let before = mem::replace(&mut self.answers, answers);
        let slow_downs = answers.slow_downs.saturating_sub(before.slow_downs);
        if slow_downs.saturating_mul(SELDOM) > answers.all.saturating_sub(before.all) {
            self.fetchers = (self.fetchers / 2).max(1);
            (self.tried, self.rest) = (None, PENANCE);
            return;
        }
        if let Some((before, fetchers)) = self.tried.take() {
            if rate < before * WORTH {
                (self.fetchers, self.rest) = (fetchers, self.next_rest);
                self.next_rest = (self.next_rest * 2).min(REST_MOST);
                return;
            }
            self.next_rest = REST;
        }
        if self.rest > 0 {
            self.rest -= 1;
        } else if busy && self.fetchers < self.ceiling {
            self.tried = Some((rate, self.fetchers));
            self.fetchers = (self.fetchers + (self.fetchers / 3).max(1)).min(self.ceiling);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the course against a server that gives this rate to so many fetchers.
    fn sail(course: &mut Course, windows: u32, rate: impl Fn(usize) -> f64) {
        for _ in 0..windows {
            course.steer(rate(course.fetchers), course.answers, true);
        }
    }

    #[test]
    fn more_fetchers_are_kept_while_they_bring_more() {
        let mut course = Course::new(200);
        sail(&mut course, 60, |fetchers| fetchers.min(120) as f64);
        assert!((100..=200).contains(&course.fetchers), "{course:?}");
        let mut course = Course::new(40);
        sail(&mut course, 60, |fetchers| fetchers as f64);
        assert_eq!(course.fetchers, 40);
    }

    #[test]
    fn fetchers_that_bring_nothing_are_given_up_again() {
        let mut course = Course::new(200);
        sail(&mut course, 2, |_| 100.0);
        assert_eq!(course.fetchers, START);
    }

    /// One answer more that asks to slow down, and so many that do not.
    fn slow_down(course: &mut Course, others: u64) {
        let Answers { all, slow_downs } = course.answers;
        let answers = Answers { all: all + others + 1, slow_downs: slow_downs + 1 };
        course.steer(10.0, answers, true);
    }

    #[test]
    fn one_bad_moment_does_not_keep_them_few() {
        let mut course = Course::new(200);
        sail(&mut course, 1, |fetchers| fetchers as f64);
        sail(&mut course, 1, |_| 1.0);
        assert_eq!(course.fetchers, START);
        sail(&mut course, 20, |fetchers| fetchers as f64);
        assert_eq!(course.fetchers, 200);
    }

    #[test]
    fn a_slow_down_halves_them_and_they_come_back_in_time() {
        let mut course = Course::new(200);
        slow_down(&mut course, 20);
        assert_eq!(course.fetchers, START / 2);
        slow_down(&mut course, 0);
        assert_eq!(course.fetchers, START / 4);
        (0..12).for_each(|_| slow_down(&mut course, 20));
        assert_eq!(course.fetchers, 1);
        sail(&mut course, PENANCE, |fetchers| fetchers as f64);
        assert_eq!(course.fetchers, 1);
        sail(&mut course, 40, |fetchers| fetchers as f64);
        assert!(course.fetchers > START, "{course:?}");
    }

    #[test]
    fn a_slow_down_now_and_then_is_repeated_and_no_more() {
        let mut course = Course::new(200);
        for _ in 0..60 {
            let rate = course.fetchers as f64;
            let Answers { all, slow_downs } = course.answers;
            let answers = Answers { all: all + 1000, slow_downs: slow_downs + 10 };
            course.steer(rate, answers, true);
        }
        assert_eq!(course.fetchers, 200);
    }

    #[test]
    fn idle_fetchers_are_no_reason_for_more() {
        let mut course = Course::new(200);
        (0..50).for_each(|_| course.steer(10.0, Answers::default(), false));
        assert_eq!(course.fetchers, START);
    }

    #[test]
    fn the_ceiling_is_the_lowest_of_all_and_never_nothing() {
        assert_eq!(ceiling(None, None), MOST);
        assert_eq!(ceiling(Some(3), Some(1 << 20)), 3);
        assert_eq!(ceiling(None, Some(64)), 12);
        assert_eq!(ceiling(Some(0), Some(0)), 1);
    }

    #[tokio::test]
    async fn a_fetcher_that_is_too_many_vanishes_when_it_is_given_back() {
        let fetchers = Fetchers::new(Some(4));
        let mut taken = Vec::new();
        for _ in 0..4 {
            taken.push(fetchers.enter().await);
        }
        fetchers.resize(4, 2);
        taken.pop();
        taken.pop();
        assert_eq!(fetchers.semaphore.available_permits(), 0);
        taken.pop();
        assert_eq!(fetchers.semaphore.available_permits(), 1);
        fetchers.resize(2, 5);
        assert_eq!(fetchers.semaphore.available_permits(), 4);
    }
}
