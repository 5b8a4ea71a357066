//! The lines of a BagIt manifest.

use crate::archive::ArchiveError;

/// Writes one line. The key map leaves no character in a path that would need an escape here.
pub(in crate::archive) fn line(sha256: &str, path: &str) -> String {
    format!("{sha256}  {path}\n")
}

/// Reads one line, with or without its end; `file` and `number` are for the error.
pub(in crate::archive) fn parse(
    line: &str,
    file: &str,
    number: u64,
) -> Result<([u8; 32], String), ArchiveError> {
    let damaged = |why: &str| ArchiveError::Damaged {
        path: file.to_owned(),
        line: number,
        why: why.to_owned(),
    };
    let line = line.trim_end_matches(['\n', '\r']);
    let (digits, path) = line.split_once(' ').ok_or_else(|| damaged("neither digest nor path"))?;
    let mut sha256 = [0; 32];
    hex::decode_to_slice(digits, &mut sha256).map_err(|_| damaged("not a SHA-256 in hex"))?;
    // `sha256sum` marks binary mode by a `*`.
    let path = path.trim_start_matches(' ');
    let path = path.strip_prefix('*').unwrap_or(path);
    if path.is_empty() { Err(damaged("no path")) } else { Ok((sha256, path.to_owned())) }
}
