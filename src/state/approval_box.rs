//! Approvals left for a running apply, which holds the state: one file each under `approvals/`.
//!
//! `approve` drops them in; apply keeps them in the state and only then removes the files, so that
//! a kill in between loses none. Taking one in twice is harmless.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::durable::{self, Keep};
use super::error::StateError;
use super::journal::Approval;
use crate::failpoint;

/// What was in the box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// By file name.
    pub approvals: Vec<Approval>,
    /// Files that are no approval; they stay where they are.
    pub unreadable: Vec<PathBuf>,
}

/// Leaves an approval in a project's `.s3plan`, durably.
///
/// # Errors
/// Where the operating system refuses.
pub fn drop_in(folder: &Path, approval: &Approval) -> Result<(), StateError> {
    let name = format!("{}@{}.json", durable::file_name(&approval.bucket), approval.evidence);
    let path = folder.join("approvals").join(name);
    durable::replace_json(&path, approval, Keep::Durably)?;
    durable::sync_folder_of(&folder.join("approvals"))
}

/// Takes all approvals out of the box, after `keep` has made them durable elsewhere.
///
/// `keep` is not called where there are none.
///
/// # Errors
/// Those of `keep`, with nothing taken out; and where the operating system refuses.
pub fn take_all<E: From<StateError>>(
    folder: &Path,
    keep: impl FnOnce(&[Approval]) -> Result<(), E>,
) -> Result<Taken, E> {
    let folder = folder.join("approvals");
    let mut taken = Taken::default();
    let mut paths = Vec::new();
    for path in files_in(&folder)? {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(StateError::io(&path, error).into()),
        };
        match serde_json::from_slice(&text) {
            Ok(approval) => {
                taken.approvals.push(approval);
                paths.push(path);
            }
            Err(_) => taken.unreadable.push(path),
        }
    }
    if taken.approvals.is_empty() {
        return Ok(taken);
    }
    keep(&taken.approvals)?;
    failpoint::pass("emptying of the approval box");
    for path in paths {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StateError::io(&path, error).into());
            }
            _ => {}
        }
    }
    Ok(taken)
}

/// The box's files by name, without those still being written.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, StateError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StateError::io(folder, error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| StateError::io(folder, error))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
