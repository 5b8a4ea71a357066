//! `status.json`: where a running apply stands, for `status` beside it.
//!
//! Replaced atomically, so that a reader never sees half of it; not synced, for it is old a second
//! later. What is durable is in the state.

use std::fs;
use std::io;
use std::path::Path;

use super::durable::{self, Keep};
use super::error::StateError;

const NAME: &str = "status.json";

/// Replaces the status in a project's `.s3plan`.
///
/// # Errors
/// Where the operating system refuses.
pub fn write_status(folder: &Path, status: &serde_json::Value) -> Result<(), StateError> {
    durable::replace_json(&folder.join(NAME), status, Keep::Briefly)
}

/// Reads the status; `None` where there is none, or what a power cut left of one.
///
/// # Errors
/// Where the operating system refuses.
pub fn read_status(folder: &Path) -> Result<Option<serde_json::Value>, StateError> {
    let path = folder.join(NAME);
    match fs::read(&path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::io(&path, error)),
    }
}
