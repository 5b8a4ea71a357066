//! A plan as a text file: versioned, digested, byte-identical for the same input.
//!
//! ```text
//! # the plan in words, one comment line each
//! format = "1.0"
//! digest = "…"            SHA-256 of all other bytes, line ends normalised
//! account = "123456789012"
//! …
//! ```
//!
//! Reviewers read the comments, so the digest binds them too.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{Body, FORMAT, Plan, audit};
use crate::failpoint;

/// Why a plan file cannot be used. Nothing was changed anywhere in any of these cases.
#[derive(Debug, Error)]
pub enum PlanFileError {
    /// No such file, or it cannot be read.
    #[error("cannot read the plan {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file could not be written.
    #[error("cannot write the plan {path}: {source}")]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was made by a newer program.
    #[error("{path} has plan format {found}, and this s3plan knows up to {known}")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: String,
        /// Ours.
        known: String,
    },
    /// Its bytes are not those that were planned.
    #[error("{path} was changed after it was made: {what}")]
    Edited {
        /// Which file.
        path: PathBuf,
        /// How that was noticed.
        what: String,
    },
    /// Its digest agrees, but it breaks a rule that every plan keeps.
    #[error("{path} is not a sound plan: {action} {what}")]
    Unsound {
        /// Which file.
        path: PathBuf,
        /// The first action that breaks a rule.
        action: String,
        /// Which rule.
        what: String,
    },
}

/// Gives a plan its digest.
pub(super) fn complete(body: Body, words: String) -> Plan {
    let mut plan = Plan { digest: String::new(), words, body };
    plan.digest = digest_of(&text_without_digest(&plan));
    plan
}

/// The whole file as text.
pub fn text(plan: &Plan) -> String {
    let bare = text_without_digest(plan);
    let format = format_line();
    let line = format!("{format}digest = \"{}\"\n", plan.digest);
    bare.replacen(&format, &line, 1)
}

/// Writes a plan beside its final name, syncs it and renames it into place.
///
/// # Errors
/// [`PlanFileError::Unwritable`]; an older plan of that name is then still whole.
pub fn save(plan: &Plan, path: &Path) -> Result<(), PlanFileError> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".tmp");
        failpoint::pass("writing of the plan");
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(text(plan).as_bytes())?;
        file.sync_all()?;
        failpoint::pass("naming of the plan");
        std::fs::rename(&beside, path)?;
        std::fs::File::open(folder)?.sync_all()?;
        // The folder may be as new as the plan.
        std::fs::File::open(folder.join(".."))?.sync_all()
    };
    write().map_err(|source| PlanFileError::Unwritable { path: path.to_owned(), source })
}

/// Reads a plan and holds it against its digest and the rules.
///
/// # Errors
/// Every variant of [`PlanFileError`] but `Unwritable`.
pub fn load(path: &Path) -> Result<Plan, PlanFileError> {
    let bytes = std::fs::read(path)
        .map_err(|source| PlanFileError::Unreadable { path: path.to_owned(), source })?;
    parse(&bytes, path)
}

/// The pure half of [`load`].
///
/// # Errors
/// As [`load`].
pub fn parse(bytes: &[u8], path: &Path) -> Result<Plan, PlanFileError> {
    let edited = |what: &str| PlanFileError::Edited { path: path.to_owned(), what: what.into() };
    let text = std::str::from_utf8(bytes).map_err(|_| edited("it is not UTF-8 text"))?;
    // Git may have turned the line ends on a checkout; that changes nothing that was reviewed.
    let text = text.replace("\r\n", "\n");
    let head: Head = toml::from_str(&text).map_err(|error| edited(error.message()))?;
    let major = head.format.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.ok_or_else(|| edited("its format is no version"))? > FORMAT.0 {
        return Err(newer(path, &head.format));
    }
    let line = format!("digest = \"{}\"\n", head.digest);
    if text.matches(&line).count() != 1 {
        return Err(edited("its digest line is not as it was written"));
    }
    let bare = text.replacen(&line, "", 1);
    if digest_of(&bare) != head.digest {
        return Err(edited("its digest does not agree with its text"));
    }
    let body = bare.replacen(&format!("format = \"{}\"\n", head.format), "", 1);
    let body: Body = toml::from_str(&body).map_err(|error| match is_newer(&head.format) {
        // A later minor version may have added something that an apply has to know.
        true => newer(path, &head.format),
        false => edited(error.message()),
    })?;
    if let Some(finding) = audit::audit(&body).into_iter().next() {
        return Err(PlanFileError::Unsound {
            path: path.to_owned(),
            action: finding.action.to_string(),
            what: finding.what,
        });
    }
    let words = bare.lines().map_while(|line| line.strip_prefix('#'));
    let words = words.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let words = words.fold(String::new(), |all, line| all + line + "\n");
    Ok(Plan { digest: head.digest, words, body })
}

/// What is read of a file before its format is known to be ours.
#[derive(Deserialize)]
struct Head {
    format: String,
    digest: String,
}

fn newer(path: &Path, found: &str) -> PlanFileError {
    PlanFileError::Newer {
        path: path.to_owned(),
        found: found.to_owned(),
        known: format!("{}.{}", FORMAT.0, FORMAT.1),
    }
}

/// Whether a format of our major version has a later minor one.
fn is_newer(format: &str) -> bool {
    let minor = format.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    minor.is_some_and(|minor| minor > FORMAT.1)
}

fn format_line() -> String {
    format!("format = \"{}.{}\"\n", FORMAT.0, FORMAT.1)
}

fn text_without_digest(plan: &Plan) -> String {
    let mut text = String::new();
    for line in plan.words.lines() {
        text.push('#');
        if !line.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format_line());
    // Serialising plain structs of text and numbers cannot fail; an empty body would be refused.
    text.push_str(&toml::to_string(&plan.body).unwrap_or_default());
    text
}

fn digest_of(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
