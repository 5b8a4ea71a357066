//! Reads files back from where they were written, not from memory.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::error::ArchiveError;
use super::open::Archive;
use super::publish::ONE_SYNC_FROM;
use crate::model::{Fingerprint, Fingerprinting};

/// Bytes read at a time.
const BUFFER: usize = 256 << 10;
/// What a disk's blocks, and memory that they are read into, are aligned to: a page, at the most.
const ALIGNED: usize = 4 << 10;

thread_local! {
    /// What a thread reads into.
    static SPACE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Past the kernel's cache where the file system lets us: a copy there of what nobody reads again
    /// takes more time than the reading.
    PastCache,
    /// The kernel reads ahead of what takes its time with the bytes.
    Ahead,
}

/// How near to the medium a read-back came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readback {
    /// From the local medium: this machine's cache of the file was dropped first.
    Medium,
    /// From a server of files, or on a system where the cache cannot be dropped: this machine's copy
    /// was dropped as far as possible, but others in between may have answered.
    Client,
}

/// What reading a file back gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBack {
    /// Of all bytes.
    pub fingerprint: Fingerprint,
    /// How many bytes there were.
    pub size: u64,
    /// How near to the medium they were read.
    pub medium: Readback,
}

/// Whether bytes of a file may still wait in memory to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwritten {
    Perhaps,
    Nothing,
}

/// An archive whose files are on the medium, so that many can be read back without syncing each: on a
/// disk that is a wait for the medium, however clean the file is.
#[derive(Clone, Debug)]
pub struct Settled {
    archive: Archive,
    unwritten: Unwritten,
}

impl Settled {
    /// As [`Archive::read_back`].
    ///
    /// # Errors
    /// The same.
    pub fn read_back(&self, path: &str) -> Result<ReadBack, ArchiveError> {
        self.archive.read_back_as(path, self.unwritten)
    }
}

impl Archive {
    /// Writes down whatever still waits in memory, for so many files to be read back: all at once
    /// where that is cheaper than one by one, and else when each is read. A failure is no trouble
    /// here: each file is then synced by itself, and what was lost reads back differently.
    pub fn settle(&self, files: usize) -> Settled {
        let unwritten = match files >= ONE_SYNC_FROM {
            true => settle(self.root().fd()),
            false => Unwritten::Perhaps,
        };
        Settled { archive: self.clone(), unwritten }
    }

    /// The archive for files to be read back of which each is durable: it was just published.
    pub fn settled(&self) -> Settled {
        Settled { archive: self.clone(), unwritten: Unwritten::Nothing }
    }

    /// Reads a file of the archive (a path from the bag's root) back from its medium.
    ///
    /// The file has to be durable already: what is not yet written cannot be dropped from memory.
    ///
    /// # Errors
    /// Where there is no plain file, and where reading fails: then nothing is proven.
    pub fn read_back(&self, path: &str) -> Result<ReadBack, ArchiveError> {
        self.read_back_as(path, Unwritten::Perhaps)
    }

    fn read_back_as(&self, path: &str, unwritten: Unwritten) -> Result<ReadBack, ArchiveError> {
        let file = self.open_plain(path)?;
        let mut running = Fingerprinting::default();
        let size = drop_cache(&file, unwritten)
            .and_then(|()| read(&file, Way::PastCache, &mut |bytes| running.update(bytes)))
            .map_err(ArchiveError::io("read back", self.to().join(path)))?;
        Ok(ReadBack { fingerprint: running.finish(), size, medium: self.medium() })
    }
}

/// Writes down whatever of a folder's file system still waits in memory, so that no file has to be
/// synced by itself before it is read back: each would wait for the medium, however clean it is.
pub(super) fn settle(folder: impl AsFd) -> Unwritten {
    match medium_of(&folder) {
        Readback::Medium if sync_all(folder).is_ok() => Unwritten::Nothing,
        Readback::Medium | Readback::Client => Unwritten::Perhaps,
    }
}

#[cfg(target_os = "linux")]
pub(super) fn sync_all(folder: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn sync_all(_: impl AsFd) -> io::Result<()> {
    // Never asked for: `medium_of` answers `Client` here.
    Err(io::ErrorKind::Unsupported.into())
}

/// The SHA-256 of a file and its size in bytes, after dropping what this machine has of it in
/// memory; says how many bytes more it has read.
pub(super) fn sha256_cold(
    file: &File,
    unwritten: Unwritten,
    on: &mut dyn FnMut(u64),
) -> io::Result<([u8; 32], u64)> {
    drop_cache(file, unwritten)?;
    let mut running = Sha256::new();
    let size = read(file, Way::Ahead, &mut |bytes| {
        running.update(bytes);
        on(bytes.len() as u64);
    })?;
    Ok((running.finalize().into(), size))
}

/// Reads a file to its end; its size.
fn read(mut file: &File, way: Way, on: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
    let mut past = way == Way::PastCache && past_cache(file, true);
    if !past && file.metadata()?.len() > BUFFER as u64 {
        read_ahead(file)?;
    }
    with_buffer(|buffer| {
        let mut size = 0;
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok(size),
                Ok(read) => {
                    on(&buffer[..read]);
                    size += read as u64;
                    // The end, most likely; there, nothing more can be read past the cache.
                    past = past && (read == BUFFER || past_cache(file, false));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A file system that takes the flag, and then not the reading.
                Err(e) if past && e.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                    past = past_cache(file, false);
                }
                Err(e) => return Err(e),
            }
        }
    })
}

/// Lends this thread's [`BUFFER`] bytes, aligned.
fn with_buffer<T>(act: impl FnOnce(&mut [u8]) -> T) -> T {
    SPACE.with_borrow_mut(|space| {
        space.resize(BUFFER + ALIGNED, 0);
        let at = space.as_ptr().align_offset(ALIGNED).min(ALIGNED);
        act(&mut space[at..at + BUFFER])
    })
}

/// A file that is read back while it is still being written, as far as it is durable: past the
/// kernel's cache, which holds what was written.
#[derive(Debug)]
pub struct ReadAlong {
    file: File,
    /// Its bytes once it is whole.
    size: u64,
    at: u64,
    running: Fingerprinting,
}

impl ReadAlong {
    /// `None` where nothing is read past the cache, or the medium is elsewhere: such a file is read
    /// back once it is whole.
    pub(super) fn of(file: File, size: u64) -> Option<Self> {
        let local = medium_of(&file) == Readback::Medium;
        (local && past_cache(&file, true)).then(|| Self {
            file,
            size,
            at: 0,
            running: Fingerprinting::default(),
        })
    }

    /// Reads on, as far as the file is durable from its beginning on. Blocking.
    ///
    /// # Errors
    /// The system's; nothing is told of the file then.
    pub fn read_to(&mut self, durable: u64) -> io::Result<()> {
        with_buffer(|buffer| {
            // What is read past the cache has to be aligned, but for the end.
            while self.at < durable && (durable - self.at >= BUFFER as u64 || durable == self.size)
            {
                match self.file.read(buffer) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(read) => {
                        self.running.update(&buffer[..read]);
                        self.at += read as u64;
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            Ok(())
        })
    }

    /// What it gave; `None` where it was not read to its end.
    pub fn finish(self) -> Option<ReadBack> {
        (self.at == self.size).then(|| ReadBack {
            fingerprint: self.running.finish(),
            size: self.size,
            medium: Readback::Medium,
        })
    }
}

/// Sets whether a file is read past the kernel's cache. Answers whether it is.
///
/// Source: open(2), O_DIRECT: offsets, lengths and memory have to be aligned; file systems may not
/// know it, or fall back to their cache, from which the file was dropped.
#[cfg(target_os = "linux")]
fn past_cache(file: &File, past: bool) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let set = |flags: OFlags| {
        let flags = if past { flags | OFlags::DIRECT } else { flags - OFlags::DIRECT };
        fcntl_setfl(file, flags)
    };
    fcntl_getfl(file).and_then(set).is_ok() && past
}

#[cfg(not(target_os = "linux"))]
fn past_cache(_: &File, _: bool) -> bool {
    false
}

/// Pages that are clean are dropped; a file that was not synced yet is synced first.
#[cfg(target_os = "linux")]
pub(super) fn drop_cache(file: &File, unwritten: Unwritten) -> io::Result<()> {
    use rustix::fs::{Advice, fadvise};
    if unwritten == Unwritten::Perhaps {
        match file.sync_data() {
            // A read-only medium has nothing to sync.
            Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => {}
            other => other?,
        }
    }
    Ok(fadvise(file, 0, None, Advice::DontNeed)?)
}

/// Says that a file will be read from its beginning to its end.
#[cfg(target_os = "linux")]
fn read_ahead(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential)?)
}

#[cfg(not(target_os = "linux"))]
fn read_ahead(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn drop_cache(_: &File, _: Unwritten) -> io::Result<()> {
    Ok(())
}

/// Tells a local file system from one whose files are elsewhere.
///
/// Source: Linux, `include/uapi/linux/magic.h`, and the file systems' own headers.
#[cfg(target_os = "linux")]
pub(super) fn medium_of(fd: impl AsFd) -> Readback {
    const ELSEWHERE: [u64; 11] = [
        0x6969,      // NFS
        0x517b,      // SMB
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB2
        0x6573_5546, // FUSE: sshfs, rclone, s3fs and the like
        0x0102_1997, // 9P
        0x00c3_6400, // Ceph
        0x5346_414f, // AFS
        0x7375_7245, // Coda
        0x0bd0_0bd0, // Lustre
        0x4750_4653, // GPFS
    ];
    match rustix::fs::fstatfs(fd) {
        Ok(stat) if !ELSEWHERE.contains(&(stat.f_type as u64 & 0xffff_ffff)) => Readback::Medium,
        _ => Readback::Client,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn medium_of(_: impl AsFd) -> Readback {
    Readback::Client
}
