//! Holds the bytes of all connections together to the manifest's `max_bandwidth`.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::clock::Clock;

/// A line of limited width, shared by all that send through it.
#[derive(Debug)]
pub struct Throttle {
    bytes_per_second: Option<u64>,
    /// When the bytes admitted so far will have passed.
    free_at: Mutex<Option<Instant>>,
    clock: Clock,
}

impl Throttle {
    /// A line of this width; `None` is as wide as it gets.
    pub fn new(bytes_per_second: Option<u64>, clock: Clock) -> Self {
        Self { bytes_per_second, free_at: Mutex::new(None), clock }
    }

    /// Waits until this many bytes may pass.
    pub async fn pass(&self, bytes: usize) {
        let Some(width) = self.bytes_per_second.filter(|&width| width > 0) else { return };
        let wait = {
            let mut free_at = self.free_at.lock().await;
            let now = Instant::now();
            let begins = free_at.map_or(now, |at| at.max(now));
            *free_at = Some(begins + Duration::from_secs_f64(bytes as f64 / width as f64));
            begins - now
        };
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }
}
