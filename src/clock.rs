//! Now, and sleeping: the only place that asks the machine for the time.
//!
//! Everyone else is handed a [`Clock`], so that a test of a 48-hour restore need not last as long.

use std::time::Duration;

use jiff::Timestamp;

/// The machine's clock, or one that runs ahead of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    ahead: Duration,
    /// So many times shorter than asked for is every sleep; 0 counts as 1.
    hurry: u32,
}

impl Clock {
    /// A clock that shows a later time than the machine's: for tests of what comes a day later.
    pub fn ahead_by(ahead: Duration) -> Self {
        Self { ahead, ..Self::default() }
    }

    /// The same clock, by which nobody sleeps longer than this part of what they ask for: for tests
    /// of what is waited for by counting pauses.
    #[must_use]
    pub fn hurried(self, hurry: u32) -> Self {
        Self { hurry, ..self }
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
        tokio::time::sleep(duration / self.hurry.max(1)).await;
    }
}
