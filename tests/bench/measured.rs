//! Runs a command to its end and says what it used.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

/// What a run of one or more processes used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// From the start of the first to the end of the last.
    pub wall: Duration,
    /// Processor time in user code.
    pub user: Duration,
    /// Processor time in the kernel on its behalf.
    pub system: Duration,
    /// The most memory that any of them had resident, in bytes.
    pub peak: u64,
}

impl Used {
    /// Processor time in all.
    pub fn cpu(&self) -> Duration {
        self.user + self.system
    }

    /// One process after the other.
    pub fn then(self, next: Self) -> Self {
        Self {
            wall: self.wall + next.wall,
            user: self.user + next.user,
            system: self.system + next.system,
            peak: self.peak.max(next.peak),
        }
    }
}

/// Runs a command with its output thrown away and its errors in `log`.
///
/// # Errors
/// Where it cannot be started or fails, with its last words.
pub fn run(command: &mut Command, log: &Path) -> Result<Used, String> {
    let told = format!("{command:?}");
    let errors = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let start = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(errors))
        .spawn()
        .map_err(|error| format!("cannot run {told}: {error}"))?;
    let end = child.wait4().map_err(|error| format!("{told}: {error}"))?;
    let wall = start.elapsed();
    if !end.status.success() {
        let words = crate::patience::last_words(log);
        return Err(format!("{told} ended with {}\n{words}", end.status));
    }
    Ok(Used { wall, user: end.rusage.utime, system: end.rusage.stime, peak: end.rusage.maxrss })
}
