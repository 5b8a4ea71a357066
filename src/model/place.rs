//! Where an archive lies on this machine.

use std::path::{Path, PathBuf};

/// A path as the system takes it; `None` where it begins with `~` and there is no home folder.
///
/// `..` stays: what it leads to depends on links that are not looked at here.
pub fn absolute(path: &str, home: Option<&Path>, project: &Path) -> Option<PathBuf> {
    let path = match path.strip_prefix('~') {
        Some(rest) => home?.join(rest.trim_start_matches('/')),
        None => project.join(path),
    };
    // `components` drops `.` and doubled slashes.
    Some(path.components().collect())
}
