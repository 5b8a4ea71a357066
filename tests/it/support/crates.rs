//! Programs from crates.io, pinned, built on first use and kept beside those from PyPI.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::patience::run_within;
use super::python::{lock, shelf};

/// Servers of hundreds of thousands of lines take their time.
const BUILD_LIMIT: Duration = Duration::from_secs(2 * 3600);

/// Gives the path of a crate's program of its own name; builds it if that was not done yet.
///
/// # Errors
/// Cargo's last words.
#[expect(clippy::print_stderr, reason = "a step of a test run that takes half an hour")]
pub fn program(name: &str, version: &str) -> Result<PathBuf, String> {
    let shelf = shelf();
    fs::create_dir_all(&shelf).map_err(|error| format!("{}: {error}", shelf.display()))?;
    let folder = shelf.join(format!("{name}-{version}"));
    let _held = lock(&shelf.join(format!("{name}-{version}.lock")))?;
    let program = folder.join("bin").join(name);
    // Cargo puts the program there last.
    if !program.exists() {
        eprintln!("building {name} {version} into {}: this takes a while", folder.display());
        let log = shelf.join(format!("{name}-{version}.log"));
        let mut cargo = Command::new("cargo");
        cargo.args(["install", name, "--version", version, "--locked", "--quiet", "--root"]);
        cargo.arg(&folder).arg("--target-dir").arg(folder.join("target"));
        run_within(BUILD_LIMIT, &log, &mut cargo)?;
        // Gigabytes that nobody needs any more.
        let _ = fs::remove_dir_all(folder.join("target"));
    }
    Ok(program)
}
