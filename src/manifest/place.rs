//! Paths of the manifest: placeholders filled in, made absolute, made comparable. Touches no disk.

use std::path::{Component, Path, PathBuf};

/// Whether a name can be one component of a path and nothing else.
pub(super) fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('/') && !name.contains(char::is_control)
}

/// Fills in the placeholders in one pass, so that a name with braces in it is not filled again.
pub(super) fn fill(template: &str, bucket: &str, account: &str, region: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(b, tail)| Some((b, tail.split_once('}')?)))
    {
        filled.push_str(before);
        match name {
            "bucket" => filled.push_str(bucket),
            "account" => filled.push_str(account),
            "region" => filled.push_str(region),
            _ => {}
        }
        rest = after;
    }
    filled + rest
}

/// The path with each `..` taken back, for comparing.
pub(super) fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The manifest's path from the project's folder, which it is in.
pub(super) fn relative(path: &Path, project: &Path) -> String {
    let inside = path.strip_prefix(project).ok().or_else(|| path.file_name().map(Path::new));
    inside.unwrap_or(path).to_string_lossy().into_owned()
}
