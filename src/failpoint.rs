//! Places at which a test lets the process die: one before every durable write, one before and one
//! after every request that changes something.
//!
//! Rooms call [`pass`]; it counts, and nothing else. A test has one [`Place`] kill the process as
//! `kill -9` would, or panic, so that all of them can be tried in turn. In a build without debug
//! assertions every call is empty.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One of the places that a run passes. Both count from 1.
///
/// Written `12`, or `before DeleteObjects#2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The n-th of all. Which one that is hangs on the clock, where several things go on at once.
    Number(u64),
    /// The n-th of that name.
    Named(String, u64),
}

/// A text that names no place.
#[derive(Debug, PartialEq, Eq)]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (name, number) = match text.rsplit_once('#') {
            Some((name, number)) => (Some(name), number),
            None => (None, text),
        };
        let number = number.parse().map_err(|_| NoPlace)?;
        Ok(name.map_or(Self::Number(number), |name| Self::Named(name.to_owned(), number)))
    }
}

/// What happens at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The process is gone in an instant.
    Die(Place),
    /// The task panics there.
    Panic(Place),
}

struct Book {
    fates: Vec<Fate>,
    passed: BTreeMap<String, u64>,
    all: u64,
}

static BOOK: Mutex<Book> = Mutex::new(Book { fates: Vec::new(), passed: BTreeMap::new(), all: 0 });

fn book() -> MutexGuard<'static, Book> {
    // A panic that a test wanted leaves the counts right.
    BOOK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what is to happen, before any place is passed.
pub fn arm(fate: Fate) {
    book().fates.push(fate);
}

/// How often each place was passed so far, by name.
pub fn passed() -> BTreeMap<String, u64> {
    book().passed.clone()
}

/// A durable write or a mutating request comes next, or a mutating request was just answered.
pub fn pass(place: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    let mut book = book();
    book.all += 1;
    let all = book.all;
    let of_the_name = book.passed.entry(place.to_owned()).or_insert(0);
    *of_the_name += 1;
    let here = [Place::Number(all), Place::Named(place.to_owned(), *of_the_name)];
    for fate in &book.fates {
        match fate {
            Fate::Die(at) if here.contains(at) => {
                // For whoever reads a test that failed; unbuffered, so that it is not lost.
                let words = format!("died at {all}: {place}\n");
                let _ = rustix::io::write(std::io::stderr(), words.as_bytes());
                let this = rustix::process::getpid();
                let _ = rustix::process::kill_process(this, rustix::process::Signal::KILL);
                std::process::abort();
            }
            Fate::Panic(at) => assert!(!here.contains(at), "a test wants a panic at {place}"),
            Fate::Die(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number_or_a_name_with_one() {
        assert_eq!("12".parse(), Ok(Place::Number(12)));
        assert_eq!("audit log#2".parse(), Ok(Place::Named("audit log".to_owned(), 2)));
        assert_eq!("audit log".parse::<Place>(), Err(NoPlace));
    }
}
