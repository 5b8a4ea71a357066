//! A large file that outlives a kill while it is being written: what of it is durable is noted
//! beside it.
//!
//! In the staging folder lie `NAME.part`, written at any offset and by several threads, and
//! `NAME.done`, to which a line is added for each range only after its bytes were synced. A line that
//! a crash tore counts for nothing. What the bytes are worth is not said here: whoever finishes the
//! file proves the whole of it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, Dir, unlinkat};

use super::beneath::{create_in, reopen_in};
use super::error::ArchiveError;
use super::medium::ReadAlong;
use super::open::{Archive, Shared};
use super::staged::{STAGING, Staged, reserve};
use crate::failpoint;

/// The file itself.
const PART: &str = ".part";
/// What is noted of it.
const DONE: &str = ".done";
/// Longer notes are nobody's.
const MOST_NOTES: u64 = 16 << 20;

/// A range of bytes: its first, and the one behind its last.
pub type Range = (u64, u64);

/// A file of the staging folder that stays there until it is finished, or broken.
#[derive(Debug)]
pub struct Partial {
    shared: Arc<Shared>,
    name: String,
    file: File,
    notes: Mutex<File>,
    done: Vec<Range>,
    /// Whether a write or sync failed: what is in memory of it then is not to be trusted.
    broken: AtomicBool,
}

impl Archive {
    /// Opens the partial file of this name as an earlier run left it, or makes it, for so many bytes.
    ///
    /// # Errors
    /// The system's; a full disk shows here.
    pub fn partial(&self, name: &str, bytes: u64) -> Result<Partial, ArchiveError> {
        let shared = Arc::clone(self.shared());
        let staging = &shared.staging;
        let at = shared.to.join(STAGING).join(format!("{name}{PART}"));
        let opened = match reopen(staging, name, bytes) {
            Some(found) => Ok(found),
            None => make(staging, name, bytes),
        };
        let (file, notes, done) = opened.map_err(ArchiveError::io("make", at))?;
        let name = name.to_owned();
        let broken = AtomicBool::new(false);
        Ok(Partial { shared, name, file, notes: Mutex::new(notes), done, broken })
    }

    /// Removes partial files: of objects that nobody wants any more.
    ///
    /// # Errors
    /// The system's.
    pub fn forget_partials(&self) -> Result<(), ArchiveError> {
        let staging = &self.shared().staging;
        let forget = || -> io::Result<()> {
            for name in names(staging)? {
                unlinkat(staging, name.as_slice(), AtFlags::empty())?;
            }
            Ok(())
        };
        forget().map_err(ArchiveError::io("clear", self.to().join(STAGING)))
    }
}

impl Partial {
    /// What an earlier run noted as durable, in order.
    pub fn done(&self) -> &[Range] {
        &self.done
    }

    /// Writes at an offset; several threads may at a time.
    ///
    /// # Errors
    /// The system's. The file is then lost.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.check("write", self.file.write_all_at(bytes, offset))
    }

    /// Reads from an offset as much as fits and is there.
    ///
    /// # Errors
    /// The system's.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        self.check("read", self.file.read_at(buffer, offset))
    }

    /// Makes the bytes written so far durable, and then notes that these ranges are.
    ///
    /// # Errors
    /// The system's. The file is then lost.
    pub fn note(&self, ranges: &[Range]) -> Result<(), ArchiveError> {
        failpoint::pass("sync of a part of an object's file");
        self.check("sync", self.file.sync_data())?;
        let lines: String = ranges.iter().map(|(first, end)| format!("{first} {end}\n")).collect();
        failpoint::pass("note of a part of an object's file");
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        self.check("note", notes.write_all(lines.as_bytes()).and_then(|()| notes.sync_data()))
    }

    /// The same file, of so many bytes, to be read back as far as it is noted; `None` where it has to
    /// be whole for that.
    pub fn read_along(&self, bytes: u64) -> Option<ReadAlong> {
        let file = reopen_in(&self.shared.staging, &format!("{}{PART}", self.name)).ok()?;
        ReadAlong::of(file, bytes)
    }

    /// Ends the writing: from here on it is a staged file like others. Its notes go when it goes.
    pub fn finish(self) -> Staged {
        let (part, done) = (format!("{}{PART}", self.name), format!("{}{DONE}", self.name));
        Staged::of_partial(&self.shared, part, done)
    }

    fn check<T>(&self, did: &'static str, result: io::Result<T>) -> Result<T, ArchiveError> {
        if self.broken.load(Ordering::SeqCst) {
            let lost = io::Error::other("an earlier write or sync of it failed");
            return Err(ArchiveError::io("use", self.shared.to.join(STAGING))(lost));
        }
        result.map_err(|error| {
            if self.broken.swap(true, Ordering::SeqCst) {
                tracing::debug!(%error, "a partial file is broken twice");
            }
            remove(&self.shared.staging, &self.name);
            let at = self.shared.to.join(STAGING).join(format!("{}{PART}", self.name));
            ArchiveError::io(did, at)(error)
        })
    }
}

/// The names in the staging folder that belong to partial files; what is there without the other
/// half of its pair is nobody's.
pub(super) fn names(staging: &OwnedFd) -> io::Result<BTreeSet<Vec<u8>>> {
    let mut all = BTreeSet::new();
    for entry in Dir::read_from(staging)? {
        all.insert(entry?.file_name().to_bytes().to_vec());
    }
    let other = |name: &[u8]| {
        let text = std::str::from_utf8(name).ok()?;
        let part = text.strip_suffix(PART).map(|stem| format!("{stem}{DONE}"));
        part.or_else(|| text.strip_suffix(DONE).map(|stem| format!("{stem}{PART}")))
    };
    let paired = |name: &&Vec<u8>| other(name).is_some_and(|other| all.contains(other.as_bytes()));
    Ok(all.iter().filter(paired).cloned().collect())
}

/// The first line of the notes.
fn heading(bytes: u64) -> String {
    format!("s3plan partial 1 {bytes}\n")
}

/// What an earlier run left; `None` where that is nothing to go on with.
fn reopen(staging: &OwnedFd, name: &str, bytes: u64) -> Option<(File, File, Vec<Range>)> {
    let file = reopen_in(staging, &format!("{name}{PART}")).ok()?;
    let mut notes = reopen_in(staging, &format!("{name}{DONE}")).ok()?;
    let plain = |file: &File| file.metadata().ok().filter(std::fs::Metadata::is_file);
    let (length, _) = (plain(&file)?.len(), plain(&notes).filter(|m| m.len() <= MOST_NOTES)?);
    let mut text = String::new();
    notes.read_to_string(&mut text).ok()?;
    let lines = text.strip_prefix(&heading(bytes))?;
    let done = read_notes(lines, length.min(bytes));
    if !lines.is_empty() && !lines.ends_with('\n') {
        // What comes next must not be taken for the rest of a torn line.
        notes.write_all(b"\n").ok()?;
    }
    Some((file, notes, done))
}

/// The ranges in some notes, joined and in order, up to `length`.
fn read_notes(lines: &str, length: u64) -> Vec<Range> {
    let whole = lines.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let range = |line: &str| {
        let (first, end) = line.split_once(' ')?;
        let (first, end): Range = (first.parse().ok()?, end.parse().ok()?);
        (first < end && end <= length).then_some((first, end))
    };
    let mut ranges: Vec<Range> = whole.lines().filter_map(range).collect();
    ranges.sort_unstable();
    let mut joined: Vec<Range> = Vec::new();
    for (first, end) in ranges {
        match joined.last_mut() {
            Some(last) if first <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((first, end)),
        }
    }
    joined
}

fn make(staging: &OwnedFd, name: &str, bytes: u64) -> io::Result<(File, File, Vec<Range>)> {
    remove(staging, name);
    let file = create_in(staging, &format!("{name}{PART}"))?;
    if let Err(error) = reserve(&file, bytes) {
        remove(staging, name);
        return Err(error);
    }
    let mut notes = create_in(staging, &format!("{name}{DONE}"))?;
    notes.write_all(heading(bytes).as_bytes())?;
    notes.sync_data()?;
    rustix::fs::fsync(staging)?;
    Ok((file, notes, Vec::new()))
}

fn remove(staging: &OwnedFd, name: &str) {
    for end in [PART, DONE] {
        // What is left behind is removed when the archive is opened again.
        let _ = unlinkat(staging, format!("{name}{end}"), AtFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_believed_line_by_line_and_never_beyond_the_file() {
        assert_eq!(read_notes("0 10\n20 30\n10 20\n", 100), [(0, 30)]);
        assert_eq!(read_notes("0 10\n20 3", 100), [(0, 10)]);
        assert_eq!(read_notes("0 10\n20 30", 100), [(0, 10)]);
        assert_eq!(read_notes("0 10\n5 4\nx\n-1 3\n50 101\n40 50\n", 100), [(0, 10), (40, 50)]);
        assert_eq!(read_notes("", 100), []);
    }
}
