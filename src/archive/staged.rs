//! A file that is being written and has no name in the archive yet.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT, unlinkat};

use super::beneath::{create_in, reopen_in};
use super::error::ArchiveError;
use super::medium::Readback;
use super::open::{Archive, Shared};

/// The folder of files that have no name in the archive yet, from the bag's root. One folder for
/// all: making files there is several times cheaper than in the folders that they end up in.
pub(super) const STAGING: &str = ".s3plan-staging";

/// A file in the archive's staging folder. It goes away unless it is published.
#[derive(Debug)]
pub struct Staged {
    shared: Arc<Shared>,
    name: String,
    /// `None` once it was parked.
    file: Option<File>,
    /// How much was appended.
    appended: u64,
    /// Whether a write or sync of it failed: the kernel may then call lost bytes clean, so a later
    /// success would mean nothing.
    broken: bool,
    /// Whether it still lies in the staging folder.
    kept: bool,
    /// A file beside it there that goes with it.
    notes: Option<String>,
}

impl Archive {
    /// Makes an empty file in the staging folder.
    pub fn stage(&self) -> Result<Staged, ArchiveError> {
        let shared = Arc::clone(self.shared());
        let name = format!("{:x}", shared.next_name.fetch_add(1, Ordering::Relaxed));
        let file = create_in(&shared.staging, &name)
            .map_err(ArchiveError::io("make a file in", shared.to.join(STAGING)))?;
        let file = Some(file);
        Ok(Staged { shared, name, file, appended: 0, broken: false, kept: true, notes: None })
    }
}

impl Staged {
    /// A file that was written as a partial one.
    pub(super) fn of_partial(shared: &Arc<Shared>, name: String, notes: String) -> Self {
        let shared = Arc::clone(shared);
        let notes = Some(notes);
        Self { shared, name, file: None, appended: 0, broken: false, kept: true, notes }
    }

    /// Appends at the position where the last append ended.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.write_at(self.appended, bytes)?;
        self.appended += bytes.len() as u64;
        Ok(())
    }

    /// Writes at an offset; what lies between reads as zeros until it is written.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.with_file("write", |file| file.write_all_at(bytes, offset))
    }

    /// Reads the file from its beginning: for digests of what was written at offsets.
    pub fn reread(&mut self, on: &mut dyn FnMut(&[u8])) -> Result<(), ArchiveError> {
        self.with_file("read", |file| {
            let mut buffer = vec![0; 256 << 10];
            let mut at = 0;
            loop {
                let read = file.read_at(&mut buffer, at)?;
                if read == 0 {
                    return Ok(());
                }
                on(&buffer[..read]);
                at += read as u64;
            }
        })
    }

    /// Reserves room, so that a full disk shows before the bytes come. Does nothing where the file
    /// system cannot.
    pub fn preallocate(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        if bytes == 0 {
            return Ok(());
        }
        self.with_file("reserve room for", |file| reserve(file, bytes))
    }

    /// Sets the time that the file will show as its last change, after the last write.
    pub fn set_mtime(&mut self, unix_ms: i64) -> Result<(), ArchiveError> {
        self.with_file("set the time of", |file| set_mtime(file, unix_ms))
    }

    /// Opens it for reading, from the beginning.
    pub(super) fn reader(&self) -> Result<File, ArchiveError> {
        let at = self.shared.to.join(STAGING).join(&self.name);
        reopen_in(&self.shared.staging, &self.name).map_err(|e| ArchiveError::io("open", at)(e))
    }

    /// Closes the file until it is published, so that a large batch needs few descriptors.
    ///
    /// On a file server it is synced first, for its errors may show at no other time.
    pub fn park(&mut self) -> Result<(), ArchiveError> {
        if self.shared.medium == Readback::Client {
            self.sync()?;
        }
        self.file = None;
        Ok(())
    }

    /// Makes the bytes durable, under the staging name.
    pub(super) fn sync(&mut self) -> Result<(), ArchiveError> {
        self.with_file("sync", |file| file.sync_all())
    }

    /// Turns a file away whose bytes were lost once.
    pub(super) fn check(&self) -> Result<(), ArchiveError> {
        if self.broken {
            let lost = io::Error::other("an earlier write or sync of it failed");
            return Err(ArchiveError::io("use", self.shared.to.join(STAGING))(lost));
        }
        Ok(())
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The file now has another name; it is no longer this value's to remove.
    pub(super) fn release(mut self) {
        self.kept = false;
    }

    fn with_file(
        &mut self,
        did: &'static str,
        act: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        self.check()?;
        let at = || self.shared.to.join(STAGING).join(&self.name);
        let file = match self.file.take() {
            Some(file) => file,
            None => reopen_in(&self.shared.staging, &self.name)
                .map_err(|e| ArchiveError::io("open", at())(e))?,
        };
        if let Err(e) = act(&file) {
            self.broken = true;
            return Err(ArchiveError::io(did, at())(e));
        }
        self.file = Some(file);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What is left behind is removed when the archive is opened again.
        let gone = |name: &str| unlinkat(&self.shared.staging, name, AtFlags::empty());
        if self.kept {
            let _ = gone(&self.name);
        }
        if let Some(notes) = &self.notes {
            let _ = gone(notes);
        }
    }
}

/// Sets a file's time of last change.
pub(super) fn set_mtime(file: &File, unix_ms: i64) -> io::Result<()> {
    let seconds = unix_ms.div_euclid(1_000);
    let nanoseconds = unix_ms.rem_euclid(1_000) * 1_000_000;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
    };
    Ok(rustix::fs::futimens(file, &times)?)
}

#[cfg(target_os = "linux")]
pub(super) fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}
