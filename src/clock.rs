//! Now, and sleeping: the only place that asks the machine for the time.
//!
//! Everyone else is handed a [`Clock`], so that a test of a 48-hour restore need not last as long.

use std::time::Duration;

use jiff::Timestamp;

/// The machine's clock, or one that runs ahead of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    ahead: Duration,
}

impl Clock {
    /// A clock that shows a later time than the machine's: for tests of what comes a day later.
    pub fn ahead_by(ahead: Duration) -> Self {
        Self { ahead }
    }

    /// The time in UTC.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn now(self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.ahead).unwrap_or(now)
    }

    /// Waits. Measured by the monotonic clock: a wall clock that jumps changes nothing.
    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    pub async fn sleep(self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
