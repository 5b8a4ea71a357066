//! Takes files into the archive that are there already, once they are proven.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use super::error::{ArchiveError, is_shortage};
use super::medium::{Readback, Unwritten, drop_cache, sync_all};
use super::open::Archive;
use super::publish::{ONE_SYNC_FROM, rename_new, sync_folder};
use super::staged::set_mtime;

/// FAT keeps times to two seconds.
const TIME_STEP_MS: u64 = 2_000;

/// A plain file that lies somewhere below the archive's folder, open.
#[derive(Debug)]
pub struct Found {
    file: File,
    path: String,
    /// What it was when it was opened: what is proven has to be what is taken.
    then: Metadata,
}

/// What became of a file that was to be taken in.
#[derive(Debug)]
pub enum TakenIn {
    /// It has its place, and will have it after a power cut.
    Durable,
    /// It stays where it is: it was changed meanwhile, its place is taken, or it cannot be touched.
    /// Says why.
    Stays(String),
}

impl Archive {
    /// Opens a plain file below the archive's folder, by its path from there; `None` where none is.
    ///
    /// # Errors
    /// The system's, where something is there that cannot be opened, and where this process may
    /// open no more ([`ArchiveError::is_shortage`]).
    pub fn find(&self, path: &str) -> Result<Option<Found>, ArchiveError> {
        let failed = |e: io::Error| ArchiveError::io("open", self.to().join(path))(e);
        let file = match self.root().read(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied || is_shortage(&e) => {
                return Err(failed(e));
            }
            Err(_) => return Ok(None),
        };
        let then = file.metadata().map_err(failed)?;
        Ok(Some(Found { file, path: path.to_owned(), then }))
    }

    /// Gives a proven file its path in the bag and its object's time, never over one that exists,
    /// and returns when that is durable.
    ///
    /// # Errors
    /// Where a sync fails: nothing may be recorded then.
    pub fn take_in(&self, batch: Vec<(Found, String, i64)>) -> Result<Vec<TakenIn>, ArchiveError> {
        let group = batch.len() >= ONE_SYNC_FROM && self.medium() == Readback::Medium;
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut folders = BTreeSet::from([String::new()]);
        for (found, path, mtime_ms) in batch {
            outcomes.push(match self.place_found(&found, &path, mtime_ms) {
                Ok(()) => {
                    for path in [&found.path, &path] {
                        folders
                            .extend(path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
                    }
                    if !group {
                        let at = self.to().join(&path);
                        found.file.sync_all().map_err(ArchiveError::io("sync", at))?;
                    }
                    TakenIn::Durable
                }
                Err(why) => TakenIn::Stays(why.to_string()),
            });
        }
        if group {
            sync_all(self.root().fd()).map_err(ArchiveError::io("sync", self.to()))?;
            return Ok(outcomes);
        }
        for folder in folders.into_iter().rev() {
            sync_folder(self, &folder)
                .map_err(ArchiveError::io("sync", self.to().join(&folder)))?;
        }
        Ok(outcomes)
    }

    fn place_found(&self, found: &Found, path: &str, mtime_ms: i64) -> io::Result<()> {
        let changed = || io::Error::other("it was changed while it was read");
        if !found.is_same(&found.file.metadata()?) {
            return Err(changed());
        }
        let named = self.root().stat(&found.path)?;
        if (named.st_dev, named.st_ino) != (found.then.dev(), found.then.ino()) {
            return Err(changed());
        }
        if found.then.mtime_ms().abs_diff(mtime_ms) >= TIME_STEP_MS {
            set_mtime(&found.file, mtime_ms)?;
        }
        if found.path == path {
            return Ok(());
        }
        let (from, old) = found.path.rsplit_once('/').unwrap_or(("", &found.path));
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let from = self.root().folder(from)?;
        let folder = self.root().make_folder(above)?;
        Ok(rename_new(&from, old, &folder, name)?)
    }
}

impl Found {
    /// Where it was found, from the archive's folder.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.then.len()
    }

    /// Reads all of it from the medium, as near as this machine comes to that, in pieces.
    ///
    /// # Errors
    /// The system's: then nothing is proven.
    pub fn read(&self, mut on: impl FnMut(&[u8])) -> io::Result<()> {
        drop_cache(&self.file, Unwritten::Perhaps)?;
        let size = usize::try_from(self.size()).unwrap_or(usize::MAX);
        let mut buffer = vec![0; size.clamp(4 << 10, 256 << 10)];
        let mut file = &self.file;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => on(&buffer[..read]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn is_same(&self, now: &Metadata) -> bool {
        let of = |m: &Metadata| (m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        of(&self.then) == of(now)
    }
}

/// The time of last change in milliseconds since the Unix epoch.
trait MtimeMs {
    fn mtime_ms(&self) -> i64;
}

impl MtimeMs for Metadata {
    fn mtime_ms(&self) -> i64 {
        self.mtime() * 1_000 + self.mtime_nsec() / 1_000_000
    }
}
