//! Takes a file that was never proven out of the archive again.

use std::io;

use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use super::bag::{Lines, MANIFEST};
use super::error::ArchiveError;
use super::open::Archive;
use crate::failpoint;

/// What became of a file that reads back differently from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It is gone; its name is free.
    Removed,
    /// A sealed bag lists it, so it stays: its object gets another place.
    Kept,
}

impl Archive {
    /// Removes a file (a path from the bag's root) that reads back differently from what was
    /// written, so that its object can be fetched anew. Gone already is fine.
    ///
    /// An archive only grows: what a bag lists, sealed or being sealed again, is not removed.
    ///
    /// # Errors
    /// [`ArchiveError::BadPath`] for what is not below `data/`; the system's; and where the bag's
    /// manifest does not read, since it may list the file.
    pub fn withdraw(&self, path: &str) -> Result<Withdrawn, ArchiveError> {
        let inside = path.strip_prefix("data/").filter(|rest| !rest.is_empty());
        let climbs = |rest: &str| rest.split('/').any(|part| matches!(part, "" | "." | ".."));
        if inside.is_none_or(climbs) {
            return Err(ArchiveError::BadPath(path.to_owned()));
        }
        if self.is_listed(path)? {
            return Ok(Withdrawn::Kept);
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let failed = |e: io::Error| ArchiveError::io("remove", self.to().join(path))(e);
        let folder = match self.root().folder(above) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Withdrawn::Removed),
            other => other.map_err(failed)?,
        };
        failpoint::pass("withdrawal of a file");
        match unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(failed(e.into())),
        }
        rustix::fs::fsync(&folder).map_err(|e| failed(e.into()))?;
        Ok(Withdrawn::Removed)
    }

    /// Whether the manifest of an earlier seal lists a file.
    fn is_listed(&self, path: &str) -> Result<bool, ArchiveError> {
        for line in Lines::open(self.root(), self.to(), MANIFEST) {
            match line {
                Ok((_, listed)) if listed == path => return Ok(true),
                Ok(_) => {}
                Err(ArchiveError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    return Ok(false);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }
}
