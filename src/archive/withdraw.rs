//! Takes files that were never proven out of the archive again.

use std::collections::HashSet;
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
    /// Removes files (paths from the bag's root) that read back differently from what was written,
    /// so that their objects can be fetched anew. Gone already is fine. One outcome a file, in
    /// order.
    ///
    /// An archive only grows: what a bag lists, sealed or being sealed again, is not removed. The
    /// bag's manifest is read once for all of them: hand over many at a time.
    ///
    /// # Errors
    /// [`ArchiveError::BadPath`] for what is not below `data/`; the system's; and where the bag's
    /// manifest does not read, since it may list the files.
    pub fn withdraw(&self, paths: &[&str]) -> Result<Vec<Withdrawn>, ArchiveError> {
        for path in paths {
            let inside = path.strip_prefix("data/").filter(|rest| !rest.is_empty());
            let climbs = |rest: &str| rest.split('/').any(|part| matches!(part, "" | "." | ".."));
            if inside.is_none_or(climbs) {
                return Err(ArchiveError::BadPath((*path).to_owned()));
            }
        }
        let listed = self.listed_of(paths)?;
        let withdrawn = paths.iter().map(|path| match listed.contains(path) {
            true => Ok(Withdrawn::Kept),
            false => self.remove(path),
        });
        withdrawn.collect()
    }

    fn remove(&self, path: &str) -> Result<Withdrawn, ArchiveError> {
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

    /// Those of some files that the manifest of an earlier seal lists.
    fn listed_of<'a>(&self, paths: &[&'a str]) -> Result<HashSet<&'a str>, ArchiveError> {
        let asked: HashSet<&str> = paths.iter().copied().collect();
        let mut listed = HashSet::new();
        for line in Lines::open(self.root(), self.to(), MANIFEST) {
            match line {
                Ok((_, path)) => listed.extend(asked.get(path.as_str())),
                Err(ArchiveError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    return Ok(listed);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(listed)
    }
}
