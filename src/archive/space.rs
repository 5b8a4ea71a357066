//! Whether a destination can take an archive: room, rights, and what is there already.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Access, OFlags};

use super::bag::identity;
use super::beneath::Root;
use super::error::ArchiveError;
use super::open::{Owner, is_empty};
use super::survey::in_the_way;

/// What a file system has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// Tells file systems apart: destinations with the same number share the room.
    pub device: u64,
    /// What this user may still write.
    pub available_bytes: u64,
    /// How many more files fit; `None` where the file system sets no limit.
    pub available_inodes: Option<u64>,
}

/// What a writable destination holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writable {
    /// Nothing is there; it can be made.
    Absent,
    /// An empty folder.
    Empty,
    /// The archive of this bucket.
    Archive(Owner),
    /// Somebody's files, which may be this bucket's objects, brought home by another tool.
    Files,
    /// Somebody's bag, or files in the way of what an archive writes.
    Other,
}

/// Says what the file system of a destination has left; the destination need not be there yet.
pub fn free(to: &Path) -> Result<Free, ArchiveError> {
    let there = nearest(to)?;
    let device = fs::metadata(there).map_err(ArchiveError::io("look at", there))?.dev();
    let stat = rustix::fs::statvfs(there).map_err(ArchiveError::io("look at", there))?;
    Ok(Free {
        device,
        available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        // Btrfs and the like make inodes as they need them, and count none.
        available_inodes: (stat.f_files > 0).then_some(stat.f_favail),
    })
}

/// Finds out what is at a destination and whether it can be written to, by a probe file in it (or
/// in the folder that it would be made in) that is gone again at once.
///
/// # Errors
/// [`ArchiveError::NotAFolder`], [`ArchiveError::NotWritable`], or the system's.
pub fn probe_writable(to: &Path) -> Result<Writable, ArchiveError> {
    let there = nearest(to)?;
    if !fs::metadata(there).map_err(ArchiveError::io("look at", there))?.is_dir() {
        return Err(ArchiveError::NotAFolder(there.to_owned()));
    }
    write_probe(there)
        .map_err(|source| ArchiveError::NotWritable { path: there.to_owned(), source })?;
    if there != to {
        return Ok(Writable::Absent);
    }
    // The lock file lies beside the archive.
    if let Some(above) = fs::canonicalize(to).ok().as_deref().and_then(Path::parent) {
        rustix::fs::access(above, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|e| ArchiveError::NotWritable { path: above.to_owned(), source: e.into() })?;
    }
    let root = Root::open(to).map_err(ArchiveError::io("open", to))?;
    match identity::read(&root, to) {
        Ok(Some(owner)) => Ok(Writable::Archive(owner)),
        Ok(None) if is_empty(&root, to)? => Ok(Writable::Empty),
        Ok(None) if in_the_way(&root).is_none() => Ok(Writable::Files),
        Ok(None) | Err(ArchiveError::NotAnArchive(_)) => Ok(Writable::Other),
        Err(e) => Err(e),
    }
}

/// The destination, or the nearest folder above it that is there.
fn nearest(to: &Path) -> Result<&Path, ArchiveError> {
    for path in to.ancestors() {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match fs::symlink_metadata(path) {
            Ok(_) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => {}
            Err(e) => return Err(ArchiveError::io("look at", path)(e)),
        }
    }
    Ok(Path::new("/"))
}

fn write_probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".s3plan-probe-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)?;
    let written = file.write_all(b"s3plan was here for a moment\n").and_then(|()| file.sync_all());
    fs::remove_file(&path)?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::{archive, owner};

    #[test]
    fn a_probe_says_what_is_there_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let count = || fs::read_dir(dir.path()).expect("the folder").count();
        assert_eq!(probe_writable(&dir.path().join("a/b")).expect("absent"), Writable::Absent);
        assert_eq!(probe_writable(dir.path()).expect("empty"), Writable::Empty);
        assert_eq!(count(), 0);
        fs::write(dir.path().join("file"), "").expect("a file");
        assert_eq!(probe_writable(dir.path()).expect("not empty"), Writable::Files);
        for path in ["file", "file/x"] {
            let found = probe_writable(&dir.path().join(path));
            assert!(matches!(found, Err(ArchiveError::NotAFolder(_))), "{path}");
        }
        assert!(matches!(
            probe_writable(Path::new("/proc/s3plan")),
            Err(ArchiveError::NotWritable { .. })
        ));
        let (_dir, archive) = archive();
        let found = probe_writable(archive.to()).expect("an archive");
        assert_eq!(found, Writable::Archive(owner("photos")));
    }

    #[test]
    fn room_is_told_for_a_destination_that_is_not_there_yet() {
        let dir = tempfile::tempdir().expect("a folder");
        let [here, below] = [free(dir.path()), free(&dir.path().join("a/b/c"))];
        let [here, below] = [here.expect("room"), below.expect("room")];
        assert_eq!(here.device, below.device);
        assert!(here.available_bytes > 0);
    }
}
