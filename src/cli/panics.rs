//! Panics: remembered where they happen, told once at the top.
//!
//! A room may catch a panic on purpose (a rotten state file can make its library panic), so a panic
//! is not told when it happens but only when nobody caught it.

use std::panic;
use std::sync::{Mutex, PoisonError};

use super::exit::{Exit, Failure};

static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Keeps each panic's words and place instead of printing them.
pub(super) fn remember() {
    panic::set_hook(Box::new(|panic| {
        let words = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
        let words = format!("{words}{place}");
        tracing::debug!("panic: {words}");
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }));
}

/// The last panic as a failure of ours. Also for one that ended a task.
pub(super) fn failure() -> Failure {
    let words = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let words = words.unwrap_or_else(|| "no message".into());
    Failure::new(Exit::Failed, "bug/panic", format!("this is a bug in s3plan: {words}")).help(
        "please report it with these words; what was recorded is safe, and the same command goes \
         on where this one stopped",
    )
}
