//! Reads a manifest of the bag line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::manifest;
use crate::archive::ArchiveError;
use crate::archive::beneath::Root;
use crate::archive::open::open_plain;

/// A path of the longest kind and its digest.
const LONGEST_LINE: u64 = 8 << 10;

/// One line, or why it cannot be had.
pub(in crate::archive) type Line = Result<([u8; 32], String), ArchiveError>;

/// The lines of a manifest; after an error it ends.
pub(in crate::archive) struct Lines {
    path: &'static str,
    at: PathBuf,
    file: Option<Result<BufReader<File>, ArchiveError>>,
    number: u64,
}

impl Lines {
    pub(in crate::archive) fn open(root: &Root, to: &Path, path: &'static str) -> Self {
        let file = open_plain(root, to, path).map(|file| BufReader::with_capacity(64 << 10, file));
        Self { path, at: to.join(path), file: Some(file), number: 0 }
    }

    /// Reads a manifest that has no name yet.
    pub(in crate::archive) fn of(file: File, to: &Path, path: &'static str) -> Self {
        let file = Some(Ok(BufReader::with_capacity(64 << 10, file)));
        Self { path, at: to.join(path), file, number: 0 }
    }

    fn read(
        &mut self,
        file: &mut BufReader<File>,
    ) -> Result<Option<([u8; 32], String)>, ArchiveError> {
        let mut line = Vec::new();
        file.take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(ArchiveError::io("read", &self.at))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let text = std::str::from_utf8(&line).map_err(|_| ArchiveError::Damaged {
            path: self.path.to_owned(),
            line: self.number,
            why: "not UTF-8".to_owned(),
        })?;
        manifest::parse(text, self.path, self.number).map(Some)
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let mut file = match self.file.take()? {
            Ok(file) => file,
            Err(e) => return Some(Err(e)),
        };
        let line = self.read(&mut file).transpose();
        if matches!(line, Some(Ok(_))) {
            self.file = Some(Ok(file));
        }
        line
    }
}
