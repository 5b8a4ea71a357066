//! Reads `metadata/objects.jsonl` line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::OBJECTS;
use super::row::BagRow;
use crate::archive::ArchiveError;
use crate::archive::beneath::Root;
use crate::archive::open::open_plain;

/// Ten thousand part sizes, a key and metadata at their longest, and room.
const LONGEST_LINE: u64 = 4 << 20;

/// The rows of an archive, in the order of their keys. After an error it ends.
#[derive(Debug)]
pub struct Rows {
    at: PathBuf,
    file: Option<BufReader<File>>,
    line: u64,
    last_key: String,
}

impl Rows {
    /// Opens the rows of the archive beneath a root; an archive without the file has none.
    pub(in crate::archive) fn open(root: &Root, to: &Path) -> Result<Self, ArchiveError> {
        let file = match open_plain(root, to, OBJECTS) {
            Ok(file) => Some(BufReader::with_capacity(64 << 10, file)),
            Err(ArchiveError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                None
            }
            Err(e) => return Err(e),
        };
        Ok(Self { at: to.join(OBJECTS), file, line: 0, last_key: String::new() })
    }

    /// No rows at all.
    pub(in crate::archive) fn none(to: &Path) -> Self {
        Self { at: to.join(OBJECTS), file: None, line: 0, last_key: String::new() }
    }

    /// Whether the archive has a file of rows.
    pub(in crate::archive) fn exist(&self) -> bool {
        self.file.is_some()
    }

    fn read(&mut self) -> Result<Option<BagRow>, ArchiveError> {
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut line = Vec::new();
        file.take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(ArchiveError::io("read", &self.at))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let row: BagRow =
            serde_json::from_slice(&line).map_err(|e| self.damaged(&e.to_string()))?;
        if row.key < self.last_key {
            return Err(self.damaged("the keys are not in order"));
        }
        self.last_key.clone_from(&row.key);
        Ok(Some(row))
    }

    fn damaged(&self, why: &str) -> ArchiveError {
        ArchiveError::Damaged { path: OBJECTS.to_owned(), line: self.line, why: why.to_owned() }
    }
}

impl Iterator for Rows {
    type Item = Result<BagRow, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.read().transpose();
        if !matches!(row, Some(Ok(_))) {
            self.file = None;
        }
        row
    }
}
