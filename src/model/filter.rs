//! Which keys of a bucket an archive covers: globs over keys, compiled once and asked per object.
//!
//! In: the `include` and `exclude` of an archive. Out: yes or no for a key. Keys are taken byte for
//! byte: `a//b`, `./x` and a key with a newline in it are nothing special here.
//!
//! The matching is one regular expression over all patterns, linear in the key's length. globset's
//! own `GlobSet` is not used: it takes keys for paths and skips those that end in `/..`.

use std::fmt;

use globset::{Glob, GlobBuilder};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use thiserror::Error;

/// The longest glob that is taken, in bytes; twice what a key can have.
const LONGEST: usize = 2048;

/// How deep braces may nest in a glob. They are compiled by recursion.
const DEEPEST: usize = 16;

/// The most memory that the patterns of one archive may compile to, in bytes.
const LARGEST: usize = 16 << 20;

/// A glob that cannot be used, or globs that are too many.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct BadGlob {
    /// What is wrong with it, as a lower-case phrase.
    pub why: String,
}

/// What a glob is matched against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobScope {
    /// Object keys: `*` and `?` stop at `/`, `**` does not.
    Keys,
    /// Bucket names, which have no `/`.
    Buckets,
}

/// Reads one glob: `*`, `?` (one byte), `[a-z]`, `{a,b}`, `\` takes the next character as it is.
///
/// # Errors
/// [`BadGlob`] for a glob that is empty, malformed, over 2,048 bytes or nested over 16 deep.
pub fn read_glob(text: &str, scope: GlobScope) -> Result<Glob, BadGlob> {
    if text.is_empty() {
        return Err(bad("the glob is empty"));
    }
    if text.len() > LONGEST {
        return Err(bad(format!("the glob is longer than {LONGEST} bytes")));
    }
    if depth_of_braces(text) > DEEPEST {
        return Err(bad(format!("its braces nest more than {DEEPEST} deep")));
    }
    GlobBuilder::new(text)
        .literal_separator(scope == GlobScope::Keys)
        .backslash_escape(true)
        .empty_alternates(true)
        .build()
        .map_err(|error| bad(error.kind().to_string()))
}

/// The most braces that are open at once, escapes not considered: an upper bound is enough.
fn depth_of_braces(text: &str) -> usize {
    let mut open = 0_usize;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'{' => open += 1,
            b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

fn bad(why: impl Into<String>) -> BadGlob {
    BadGlob { why: why.into() }
}

/// The `include` and `exclude` globs of one archive, ready to be asked.
#[derive(Clone)]
pub struct KeyFilter {
    /// `None`: every key is included.
    include: Option<Regex>,
    /// `None`: no key is excluded.
    exclude: Option<Regex>,
}

impl KeyFilter {
    /// Compiles the globs. An empty `include` means every key; `exclude` wins over `include`.
    ///
    /// # Errors
    /// [`BadGlob`] for the first glob that cannot be used, or for more globs than fit 16 MiB.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, BadGlob> {
        Ok(Self { include: compile(include)?, exclude: compile(exclude)? })
    }

    /// Whether this key belongs to the archive.
    pub fn matches(&self, key: &str) -> bool {
        self.include.as_ref().is_none_or(|globs| globs.is_match(key))
            && !self.exclude.as_ref().is_some_and(|globs| globs.is_match(key))
    }
}

impl fmt::Debug for KeyFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFilter")
            .field("includes", &self.include.as_ref().map_or(0, Regex::pattern_len))
            .field("excludes", &self.exclude.as_ref().map_or(0, Regex::pattern_len))
            .finish()
    }
}

/// One expression for all globs; `None` where there are none.
fn compile(globs: &[String]) -> Result<Option<Regex>, BadGlob> {
    if globs.is_empty() {
        return Ok(None);
    }
    let mut patterns = Vec::with_capacity(globs.len());
    for glob in globs {
        patterns.push(read_glob(glob, GlobScope::Keys)?.regex().to_owned());
    }
    // The same settings as globset's: bytes that need not be UTF-8, and a dot takes newlines too.
    Regex::builder()
        .syntax(syntax::Config::new().utf8(false).dot_matches_new_line(true))
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(LARGEST)))
        .build_many(&patterns)
        .map(Some)
        .map_err(|error| match error.size_limit() {
            Some(_) => bad("the globs are too many or too long to be matched together"),
            None => bad(error.to_string()),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> KeyFilter {
        let owned = |globs: &[&str]| globs.iter().map(|&g| g.to_owned()).collect::<Vec<_>>();
        KeyFilter::new(&owned(include), &owned(exclude)).unwrap()
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        let one = filter(&["live/*"], &[]);
        assert!(one.matches("live/a") && one.matches("live/") && !one.matches("live/a/b"));
        let two = filter(&["live/**"], &[]);
        assert!(two.matches("live/a") && two.matches("live/a/b") && !two.matches("live"));
        let anywhere = filter(&["**/*.jpg"], &[]);
        assert!(anywhere.matches("x.jpg") && anywhere.matches("a/b/x.jpg"));
        assert!(!anywhere.matches("a/x.jpg/y"));
        assert!(!filter(&["*.jpg"], &[]).matches("a/x.jpg"));
    }

    #[test]
    fn exclude_wins_and_no_include_means_all() {
        let both = filter(&["a/**"], &["a/secret/**"]);
        assert!(both.matches("a/x") && !both.matches("a/secret/x") && !both.matches("b"));
        assert!(filter(&[], &[]).matches("anything"));
        assert!(!filter(&[], &["tmp/**"]).matches("tmp/x"));
    }

    #[test]
    fn keys_are_bytes_and_never_tidied() {
        assert!(filter(&["a/*/b"], &[]).matches("a//b"));
        assert!(!filter(&["a/b"], &[]).matches("a//b"));
        assert!(!filter(&["x"], &[]).matches("./x") && filter(&["./x"], &[]).matches("./x"));
        assert!(filter(&["a/**"], &[]).matches("a/line\nbreak/\u{1}"));
        assert!(filter(&["*"], &[]).matches("line\nbreak"));
        for odd in ["a/..", "..", "a/.", "a/", "/", "a/../b", "é/ü", ""] {
            assert!(filter(&["**"], &[]).matches(odd), "{odd:?}");
            assert!(filter(&["**/*"], &[]).matches(odd), "{odd:?}");
        }
        let nfd = "e\u{301}";
        assert!(filter(&[nfd], &[]).matches(nfd) && !filter(&["é"], &[]).matches(nfd));
    }

    #[test]
    fn a_backslash_takes_the_next_character_as_it_is() {
        let star = filter(&[r"a\*b"], &[]);
        assert!(star.matches("a*b") && !star.matches("axb"));
    }

    #[test]
    fn an_alternative_may_be_empty() {
        let either = filter(&["log{,.gz}"], &[]);
        assert!(either.matches("log") && either.matches("log.gz") && !either.matches("log.bz2"));
    }

    #[test]
    fn malformed_globs_are_errors_not_panics() {
        for glob in ["", "[a", "{a", "a}", "[z-a]", "\\"] {
            assert!(KeyFilter::new(&[glob.to_owned()], &[]).is_err(), "{glob:?}");
        }
        assert!(read_glob(&"{".repeat(2000), GlobScope::Keys).is_err());
        assert!(read_glob(&"a".repeat(3000), GlobScope::Keys).is_err());
    }

    proptest! {
        #[test]
        fn a_literal_glob_matches_itself_alone(key in "[a-z/.]{1,20}", other in "[a-z/.]{1,20}") {
            let only = filter(&[&key], &[]);
            prop_assert!(only.matches(&key));
            prop_assert_eq!(only.matches(&other), key == other);
        }

        #[test]
        fn no_glob_and_no_key_makes_it_panic(glob in ".{0,30}", key in "\\PC{0,30}") {
            if let Ok(filter) = KeyFilter::new(&[glob], &[]) {
                filter.matches(&key);
            }
        }
    }
}
