//! Numbered places at which a test lets the process die: one before every durable write, one before
//! and one after every request that changes something.
//!
//! Rooms call [`pass`]; it counts, and nothing else. A test has the n-th place kill the process as
//! `kill -9` would, or panic, so that all of them can be tried in turn. In a build without debug
//! assertions every call is empty.

use std::sync::atomic::{AtomicU64, Ordering};

/// What happens at a place, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The process is gone in an instant.
    Die(u64),
    /// The task panics there.
    Panic(u64),
}

static PASSED: AtomicU64 = AtomicU64::new(0);
static DIE_AT: AtomicU64 = AtomicU64::new(0);
static PANIC_AT: AtomicU64 = AtomicU64::new(0);

/// Says what is to happen, once, before any place is passed.
pub fn arm(fate: Fate) {
    match fate {
        Fate::Die(at) => DIE_AT.store(at, Ordering::Relaxed),
        Fate::Panic(at) => PANIC_AT.store(at, Ordering::Relaxed),
    }
}

/// How many places were passed so far.
pub fn passed() -> u64 {
    PASSED.load(Ordering::Relaxed)
}

/// A durable write or a mutating request comes next, or a mutating request was just answered.
pub fn pass(place: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if number == DIE_AT.load(Ordering::Relaxed) {
        // For whoever reads a test that failed; unbuffered, so that it is not lost.
        let words = format!("died at {number}: {place}\n");
        let _ = rustix::io::write(std::io::stderr(), words.as_bytes());
        let this = rustix::process::getpid();
        let _ = rustix::process::kill_process(this, rustix::process::Signal::KILL);
        std::process::abort();
    }
    assert!(number != PANIC_AT.load(Ordering::Relaxed), "a test wants a panic at {place}");
}
