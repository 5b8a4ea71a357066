//! Fuzzing: whatever comes from outside as text, mangled in every way a seeded sequence thinks of.
//!
//! A target is a plain function of bytes in `targets.rs`. What it starts from lies in
//! `corpus/TARGET/`, one input a file. `cargo test` runs each target over its corpus and some thousand
//! mutations of it, the same ones each time; for longer, with other mutations each round:
//!
//! ```sh
//! S3PLAN_FUZZ_SECONDS=3600 cargo test --workspace --lib fuzz:: -- --test-threads 2
//! ```
//!
//! An input that fails is told in the panic. It belongs into the corpus, beside the mending.

mod dice;
mod targets;

use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

pub use dice::Dice;

/// Mutations that `cargo test` tries of each target.
const USUAL: u64 = 2_000;
/// No input grows past this, so that none is slow for its size alone.
const LARGEST: usize = 16 << 10;

/// Runs a target over its corpus, what else is given, and mutations of both.
fn fuzz(name: &str, more: Vec<Vec<u8>>, target: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.expect("an entry").path()).collect();
    paths.sort();
    let mut corpus: Vec<Vec<u8>> =
        paths.iter().map(|path| fs::read(path).expect("an input")).collect();
    corpus.extend(more);
    assert!(!corpus.is_empty(), "{name} has no corpus");

    let tried = |input: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
            tell(&format!("{name} fails on: {}", input.escape_ascii()));
            resume_unwind(panic);
        }
    };
    corpus.iter().for_each(|input| tried(input));
    let (mut dice, mut count) = (Dice(1), 0);
    let (began, wanted) = (Instant::now(), seconds());
    while wanted.map_or(count < USUAL, |wanted| began.elapsed() < wanted) {
        tried(&mutated(&corpus, &mut dice));
        count += 1;
    }
    tell(&format!("fuzzed {name}: {} inputs, {count} mutations", corpus.len()));
}

/// How long each target is to run; `None` for the usual number of mutations.
fn seconds() -> Option<Duration> {
    let seconds = std::env::var_os("S3PLAN_FUZZ_SECONDS")?.into_string().ok()?;
    Some(Duration::from_secs(seconds.parse().expect("S3PLAN_FUZZ_SECONDS is a number")))
}

/// Says how much was tried, also where all is well.
fn tell(words: &str) {
    std::io::stderr().write_all(format!("{words}\n").as_bytes()).expect("a stderr");
}

/// One input with a few changes, each of a kind that finds faults in readers.
fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    const ODD: [&[u8]; 20] = [
        b"",
        b"\0",
        b"\"",
        b"'",
        b"\\",
        b"/",
        b"..",
        b"^",
        b"%",
        b"-",
        b"18446744073709551616",
        b"-1",
        b"\xff",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"{",
        b"]",
        b"<",
        b"0",
    ];
    let mut input = corpus[dice.below(corpus.len())].clone();
    for _ in 0..1 + dice.below(4) {
        let (from, to) = span(dice, input.len());
        match dice.below(7) {
            0 if !input.is_empty() => {
                let at = dice.below(input.len());
                input[at] ^= 1 << dice.below(8);
            }
            1 => drop(input.drain(from..to)),
            2 => {
                let piece = input[from..to].to_vec();
                let at = dice.below(input.len() + 1);
                input.splice(at..at, piece);
            }
            3 => {
                let other = &corpus[dice.below(corpus.len())];
                let (first, end) = span(dice, other.len());
                input.splice(from..to, other[first..end].to_vec());
            }
            4 => drop(input.splice(from..from, ODD[dice.below(ODD.len())].to_vec())),
            5 => drop(input.splice(from..to, ODD[dice.below(ODD.len())].to_vec())),
            _ => input.truncate(to),
        }
    }
    input.truncate(LARGEST);
    input
}

/// A stretch of something so long; mostly a short one.
fn span(dice: &mut Dice, length: usize) -> (usize, usize) {
    let from = dice.below(length + 1);
    let most = (length - from).min(if dice.below(4) == 0 { usize::MAX } else { 16 });
    (from, from + dice.below(most + 1))
}
