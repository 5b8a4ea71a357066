//! The account's time of day: starts where the world says, runs, and can be turned forward.
//!
//! Everything in the account that has a date (restores, retention, `LastModified` of what is
//! written) asks this clock. The dates in request signatures are checked against the machine's.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A clock that runs `speed` times as fast as the machine's and can be turned.
#[derive(Debug)]
pub struct Clock {
    start: Timestamp,
    started: Instant,
    speed: f64,
    turned: Mutex<Duration>,
}

impl Clock {
    /// Starts a clock at `start`, or at the machine's time when `None`.
    pub fn new(start: Option<Timestamp>, speed: f64) -> Self {
        Self {
            start: start.unwrap_or_else(Timestamp::now),
            started: Instant::now(),
            speed: speed.max(0.0),
            turned: Mutex::new(Duration::ZERO),
        }
    }

    /// The account's time.
    pub fn now(&self) -> Timestamp {
        let ran = self.started.elapsed().mul_f64(self.speed);
        let turned = *self.turned.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.start.saturating_add(ran + turned).unwrap_or(Timestamp::MAX)
    }

    /// Turns the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut turned = self.turned.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *turned = turned.saturating_add(by);
    }
}

/// The midnight UTC at or after `at`: where S3 rounds a restored copy's end to.
pub fn midnight_after(at: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400;
    let seconds = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    Timestamp::from_second(seconds.div_euclid(DAY) * DAY + if seconds % DAY == 0 { 0 } else { DAY })
        .unwrap_or(Timestamp::MAX)
}

/// `at` plus whole days, saturating.
pub fn days_after(at: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_second(at.as_second().saturating_add(days.saturating_mul(86_400)))
        .unwrap_or(Timestamp::MAX)
}

/// An ISO 8601 date with milliseconds, as S3 writes it in XML.
pub fn xml_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// An HTTP date, as S3 writes it in headers.
pub fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_copy_ends_at_the_next_midnight() {
        let at: Timestamp = "2024-10-15T10:30:00Z".parse().unwrap();
        let end = midnight_after(days_after(at, 3));
        assert_eq!(end.to_string(), "2024-10-19T00:00:00Z");
        assert_eq!(midnight_after(end), end);
    }

    #[test]
    fn a_turned_clock_shows_the_later_time() {
        let clock = Clock::new(Some("2024-01-01T00:00:00Z".parse().unwrap()), 0.0);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(clock.now().to_string(), "2024-01-01T01:00:00Z");
        assert_eq!(http_date(clock.now()), "Mon, 01 Jan 2024 01:00:00 GMT");
    }
}
