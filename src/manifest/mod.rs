//! The TOML that a person wrote → what is wanted of the account.
//!
//! In: the file's text, later the account's real buckets. Out: [`Wanted`], checked and still with
//! globs in it, then [`Desired`](crate::model::Desired). [`parse`] and [`Wanted::resolve`] are
//! pure; [`load`] reads one file and nothing else.
//!
//! Promises: everything that is wrong is found in one go and points at its line and column
//! ([`Rejected`]); a hostile file costs bounded time and never a panic.
//!
//! Left to others: whether a policy file, an identity or a destination exists, and which class an
//! object has.

mod check;
mod draft;
mod error;
mod globs;
mod keys;
mod kind;
mod place;
mod read;
mod rejected;
mod resolve;
pub mod schema;
mod size;
mod table;
mod value;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use crate::model::AccountId;

pub use check::identity as read_identity;
pub use draft::draft;
pub use error::{ManifestError, Span};
pub use kind::Kind;
pub use rejected::Rejected;
pub use resolve::{Account, Resolved};
pub use schema::schema;

/// The largest manifest that is read, in bytes: 1 MiB.
const LARGEST: u64 = 1 << 20;

/// A checked manifest, with its globs not yet held against an account.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The only account that it is for.
    pub account: AccountId,
    /// The file as the user named it.
    pub path: PathBuf,
    /// SHA-256 of the text with its line ends normalised, 64 hex digits.
    pub digest: String,
    /// The text as it was read.
    pub text: String,
    file: table::File,
    /// Which of the file's tables names a bucket exactly.
    exact: HashMap<String, usize>,
    /// Those whose name is a glob.
    globs: globs::Globs,
}

/// Reads and checks a manifest.
///
/// # Errors
/// [`Rejected`] with everything that is wrong: a file that is missing, unreadable, no file, over
/// 1 MiB or not UTF-8 among them.
pub fn load(path: &Path) -> Result<Wanted, Rejected> {
    let name = path.to_string_lossy();
    let reject = |text: &str, error| Rejected::new(&name, text, vec![error]);
    let bytes = read_bounded(path).map_err(|error| reject("", error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        // What is not UTF-8 becomes U+FFFD from there on, so the place stays right.
        let text = String::from_utf8_lossy(error.as_bytes());
        reject(&text, ManifestError::NotUtf8 { at: at..at + '\u{fffd}'.len_utf8() })
    })?;
    parse(&text, &name)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, ManifestError> {
    let unreadable = |why: String| ManifestError::Unreadable { why };
    let failed = |error: std::io::Error| unreadable(error.to_string());
    // Asked before opening: opening a pipe that nobody writes to would wait for ever.
    let about = std::fs::metadata(path).map_err(failed)?;
    if about.is_dir() {
        return Err(unreadable("it is a folder; name the TOML file in it".to_owned()));
    }
    if !about.is_file() {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ManifestError::TooLarge { most: LARGEST });
    }
    Ok(bytes)
}

/// Checks a manifest's text; `file_name` is what messages call it.
///
/// # Errors
/// [`Rejected`] with everything that is wrong.
pub fn parse(text: &str, file_name: &str) -> Result<Wanted, Rejected> {
    let reject = |errors| Rejected::new(file_name, text, errors);
    if text.len() as u64 > LARGEST {
        return Err(reject(vec![ManifestError::TooLarge { most: LARGEST }]));
    }
    let (table, broken) = DeTable::parse_recoverable(text);
    let mut found = value::Findings::default();
    let file = read::file(table.get_ref(), &mut found);
    check::outcomes(&file.buckets, &file.defaults, &mut found);
    let globs = globs::Globs::new(&file.buckets).map_err(|n| {
        let glob = &file.buckets[n];
        found.push(ManifestError::BadGlob {
            glob: glob.pattern.clone(),
            why: "it is too large to be matched".to_owned(),
            at: glob.at.clone(),
        });
    });
    let errors = with_syntax(text, broken, found.0);
    match (&file.account, globs) {
        (Some(account), Ok(globs)) if errors.is_empty() => Ok(Wanted {
            account: account.get_ref().clone(),
            path: PathBuf::from(file_name),
            digest: digest(text),
            text: text.to_owned(),
            exact: resolve::exact_tables(&file.buckets),
            globs,
            file,
        }),
        _ => Err(reject(errors)),
    }
}

/// Syntax errors, and of the others those that a syntax error cannot have caused.
///
/// The reader goes on after a syntax error with what it could make of the line, so whatever else
/// is wrong on that line, or missing anywhere, may not be the writer's fault.
fn with_syntax(
    text: &str,
    broken: Vec<toml::de::Error>,
    mut found: Vec<ManifestError>,
) -> Vec<ManifestError> {
    if broken.is_empty() {
        return found;
    }
    let line_start = |at: usize| {
        text[..text.floor_char_boundary(at)].rfind('\n').map_or(0, |newline| newline + 1)
    };
    let mut broken_lines = HashSet::new();
    let mut errors = Vec::new();
    for error in broken {
        let at = error.span().unwrap_or(text.len()..text.len());
        // One line often breaks several rules of TOML's grammar at once; the first says it.
        if broken_lines.insert(line_start(at.start)) {
            errors.push(ManifestError::Syntax { why: error.message().to_owned(), at });
        }
    }
    let astray = lines_astray(text, &broken_lines);
    // A value that could not be read at all is replaced by one that stands nowhere.
    let nowhere = |error: &ManifestError| error.labels().iter().any(|(at, _)| at.end == 0);
    found.retain(|error| {
        !error.misses_something()
            && !nowhere(error)
            && !astray.contains(&line_start(error.position()))
    });
    errors.append(&mut found);
    errors
}

/// The starts of lines that are broken, or that stand below a broken `[table]` and so in no table.
fn lines_astray(text: &str, broken: &HashSet<usize>) -> HashSet<usize> {
    let mut astray = broken.clone();
    let mut below_broken_header = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            below_broken_header = broken.contains(&start);
        }
        if below_broken_header {
            astray.insert(start);
        }
        start += line.len();
    }
    astray
}

/// SHA-256 in hex, the same for a file with `\r\n` as for one with `\n`.
pub fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.replace("\r\n", "\n")))
}

impl Wanted {
    fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    fn reject(&self, errors: Vec<ManifestError>) -> Rejected {
        Rejected::new(&self.name(), &self.text, errors)
    }
}
