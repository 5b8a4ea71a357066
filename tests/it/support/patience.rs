//! Waiting that ends: nothing in these tests may hang.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Asks again and again until there is an answer. `None`: there was none within `limit`.
pub fn wait_for<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() > limit {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for a process to end. `None`: it still runs after `limit`.
pub fn wait_for_end(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    wait_for(limit, || child.try_wait().expect("a process of ours can be waited for"))
}

/// Runs a command to its end, with what it says in the file `log`; kills it, and whatever it
/// started, after `limit`.
///
/// # Errors
/// What was run, how it ended and its last words.
pub fn run_within(limit: Duration, log: &Path, command: &mut Command) -> Result<(), String> {
    let told = format!("{command:?}");
    let output = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let both = output.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
    let mut child = command
        .stdout(Stdio::from(output))
        .stderr(Stdio::from(both))
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot run {told}: {error}"))?;
    match wait_for_end(&mut child, limit) {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{told} ended with {status}\n{}", last_words(log))),
        None => {
            let group = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = child.wait();
            Err(format!("{told} did not end within {limit:?}\n{}", last_words(log)))
        }
    }
}

/// The last lines of a log, indented, for an error.
pub fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(15)).fold(String::new(), |mut words, line| {
        let _ = writeln!(words, "    {line}");
        words
    })
}
