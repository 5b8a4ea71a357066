//! A few threads that do what blocks for microseconds: many small files are written much cheaper
//! by threads that are there already than by one that is asked for each time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

/// Enough for one to wait for the disk while the other goes on. More only wait for each other: they
/// all make their files in one folder.
const THREADS: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they end with this value.
#[derive(Debug)]
pub struct Writers {
    lines: Vec<mpsc::Sender<Job>>,
    next: AtomicUsize,
}

impl Writers {
    /// Starts the threads.
    ///
    /// # Errors
    /// Where the system gives none.
    pub fn start() -> std::io::Result<Self> {
        let mut lines = Vec::with_capacity(THREADS);
        for number in 0..THREADS {
            let (line, jobs) = mpsc::channel::<Job>();
            thread::Builder::new().name(format!("writer-{number}")).spawn(move || {
                for job in jobs {
                    // What breaks off is told by its silence; the others go on.
                    let _ = catch_unwind(AssertUnwindSafe(job));
                }
            })?;
            lines.push(line);
        }
        Ok(Self { lines, next: AtomicUsize::new(0) })
    }

    /// Does something on one of the threads. `None` where it broke off, which is a bug.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, outcome) = oneshot::channel();
        let job = Box::new(move || {
            // Where nobody waits any more, nobody wants to know.
            let _ = sender.send(job());
        });
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.lines.len();
        self.lines.get(turn)?.send(job).ok()?;
        outcome.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_job_is_done_and_one_that_breaks_off_is_told() {
        let writers = Writers::start().expect("threads");
        for n in 0..20 {
            assert_eq!(writers.run(move || n * 2).await, Some(n * 2));
            let broken = writers.run(|| -> u32 { std::panic::resume_unwind(Box::new("broken")) });
            assert_eq!(broken.await, None);
        }
    }
}
