//! Waiting before a request is repeated: capped exponential backoff with jitter, within a budget.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;

/// The first wait; doubled each time.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(20);

/// One request's waits.
#[derive(Debug)]
pub(crate) struct Backoff {
    deadline: Instant,
    next: Duration,
}

impl Backoff {
    /// Waits until `budget` is used up; measured by the monotonic clock.
    pub fn new(budget: Duration) -> Self {
        Self { deadline: Instant::now() + budget, next: FIRST }
    }

    /// Waits, or answers `false` at once where the wait would end after the budget.
    pub async fn wait(&mut self) -> bool {
        let wait = jittered(self.next, RandomState::new().hash_one(()));
        if Instant::now() + wait > self.deadline {
            return false;
        }
        self.next = (self.next * 2).min(LONGEST);
        Clock::default().sleep(wait).await;
        true
    }
}

/// Between half of it and all of it, so that many lanes do not come back in step.
fn jittered(wait: Duration, random: u64) -> Duration {
    let half = wait / 2;
    half + half.mul_f64((random % 1024) as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_lies_between_half_and_all_of_it() {
        for random in [0, 1, 511, 1023, u64::MAX] {
            let wait = jittered(Duration::from_secs(2), random);
            assert!((Duration::from_secs(1)..=Duration::from_secs(2)).contains(&wait), "{random}");
        }
    }

    #[tokio::test]
    async fn without_a_budget_nothing_is_repeated() {
        assert!(!Backoff::new(Duration::ZERO).wait().await);
    }
}
