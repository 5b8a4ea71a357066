//! One of the bag's own files while it is being written.

use std::fs::File;

use sha2::{Digest, Sha256};

use super::manifest;
use crate::archive::ArchiveError;
use crate::archive::open::Archive;
use crate::archive::publish::replace;
use crate::archive::staged::Staged;

/// What is gathered before it is written.
const BUFFER: usize = 64 << 10;

/// A file of the bag's own: staged, hashed as it is written, put in its place at the end.
pub(super) struct TagFile {
    staged: Staged,
    path: &'static str,
    buffer: Vec<u8>,
    hash: Sha256,
}

impl TagFile {
    pub(super) fn new(archive: &Archive, path: &'static str) -> Result<Self, ArchiveError> {
        let (staged, buffer) = (archive.stage()?, Vec::with_capacity(BUFFER));
        Ok(Self { staged, path, buffer, hash: Sha256::new() })
    }

    pub(super) fn whole(
        archive: &Archive,
        path: &'static str,
        text: &str,
    ) -> Result<Written, ArchiveError> {
        let mut file = Self::new(archive, path)?;
        file.put(text.as_bytes())?;
        file.finish()
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> Result<Written, ArchiveError> {
        self.flush()?;
        self.staged.sync()?;
        let sha256 = hex::encode(self.hash.finalize());
        Ok(Written { staged: self.staged, path: self.path, sha256 })
    }

    /// Opens what was written so far, up to the last [`TagFile::flush`].
    pub(super) fn reader(&self) -> Result<File, ArchiveError> {
        self.staged.reader()
    }

    pub(super) fn flush(&mut self) -> Result<(), ArchiveError> {
        self.hash.update(&self.buffer);
        self.staged.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// A file of the bag's own, whole and synced, that has no name yet.
pub(super) struct Written {
    staged: Staged,
    path: &'static str,
    sha256: String,
}

impl Written {
    /// Its line in the tag manifest.
    pub(super) fn line(&self) -> String {
        manifest::line(&self.sha256, self.path)
    }

    /// Puts it in its place, durably.
    pub(super) fn place(self, archive: &Archive) -> Result<(), ArchiveError> {
        replace(archive, self.staged, self.path)
    }
}
