//! Opens an archive for writing, and makes sure that it is the right one.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rustix::fs::{AtFlags, Dir};
use serde::{Deserialize, Serialize};

use super::bag::identity;
use super::beneath::Root;
use super::error::ArchiveError;
use super::lock::{self, Lock};
use super::medium::{Readback, medium_of};
use super::partial;
use super::publish::{Published, folds, replace};
use super::staged::STAGING;
use super::survey::in_the_way;
use crate::failpoint;
use crate::model::{AccountId, BucketName};

/// Whose objects an archive holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The account that owns the bucket.
    pub account: AccountId,
    /// The bucket.
    pub bucket: BucketName,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {} of account {}", self.bucket, self.account)
    }
}

/// What is expected at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing, an empty folder, or an archive of this owner that was begun before.
    New,
    /// An archive of this owner: an empty folder means that its file system is not mounted.
    Existing,
    /// An archive of this owner, or a folder that another tool filled, which becomes an archive. An
    /// empty folder means that its file system is not mounted.
    Adopt,
}

/// An archive that is open for writing, by this process alone. Clones share it.
#[derive(Clone, Debug)]
pub struct Archive {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) to: PathBuf,
    pub(super) root: Root,
    pub(super) staging: OwnedFd,
    pub(super) medium: Readback,
    /// Whether names that differ in case or Unicode form are one here.
    pub(super) folds: bool,
    pub(super) next_name: AtomicU64,
    owner: Owner,
    /// Held as long as any clone, or any staged file, lives.
    _lock: Lock,
}

/// The staging folder is nobody's business once the archive is closed; a run that was killed leaves
/// it to the next one.
impl Drop for Shared {
    fn drop(&mut self) {
        // Only an empty folder can be removed so.
        let _ = rustix::fs::unlinkat(self.root.fd(), STAGING, AtFlags::REMOVEDIR);
    }
}

impl Archive {
    /// Takes the archive's lock and opens it, after making it where nothing is there.
    ///
    /// What a killed run left in the staging folder is removed, but for [`super::Partial`] files.
    ///
    /// # Errors
    /// [`ArchiveError::Held`], [`ArchiveError::Foreign`], [`ArchiveError::NotAnArchive`],
    /// [`ArchiveError::NotAFolder`], [`ArchiveError::Vanished`], or the system's. Nothing was
    /// changed then, apart from the lock file.
    pub fn open(to: &Path, owner: &Owner, expected: Expect) -> Result<Self, ArchiveError> {
        let (to, fresh) = settle(to, owner, expected)?;
        let lock = lock::take(&to, owner.bucket.as_str())?;
        if fresh {
            failpoint::pass("making of the archive's folder");
            match fs::create_dir(&to) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => other.map_err(ArchiveError::io("make the folder", &to))?,
            }
        }
        let root = Root::open(&to).map_err(ArchiveError::io("open", &to))?;
        let marked = is_marked(&root, &to, owner, expected)?;
        failpoint::pass("making of the staging folder");
        let staging = root
            .make_folder(STAGING)
            .map_err(|e| ArchiveError::io("make the folder", to.join(STAGING))(e))?;
        clear(&staging).map_err(ArchiveError::io("clear", to.join(STAGING)))?;
        let folds = folds(&staging).map_err(ArchiveError::io("write to", to.join(STAGING)))?;
        // What was removed must not come back with a power cut: nobody may look here again.
        rustix::fs::fsync(&staging)
            .map_err(|e| ArchiveError::io("sync", to.join(STAGING))(io::Error::from(e)))?;
        let shared = Shared {
            folds,
            medium: medium_of(root.fd()),
            to,
            root,
            staging,
            next_name: AtomicU64::new(0),
            owner: owner.clone(),
            _lock: lock,
        };
        let archive = Self { shared: Arc::new(shared) };
        if !marked {
            archive.mark()?;
        }
        Ok(archive)
    }

    /// The archive's folder, absolute and free of links.
    pub fn to(&self) -> &Path {
        &self.shared.to
    }

    /// Whose objects it holds.
    pub fn owner(&self) -> &Owner {
        &self.shared.owner
    }

    /// How near to the medium its files can be read back.
    pub fn medium(&self) -> Readback {
        self.shared.medium
    }

    /// Looks whether the folder that is open is still the one that the path leads to; it is not
    /// after an unmount, or when someone moved it away.
    ///
    /// # Errors
    /// [`ArchiveError::Vanished`] where it is not: what is written now would be looked for in vain.
    pub fn check_in_place(&self) -> Result<(), ArchiveError> {
        let open = rustix::fs::fstat(self.shared.root.fd());
        let named = rustix::fs::stat(&self.shared.to);
        match (open, named) {
            (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino) => Ok(()),
            _ => Err(ArchiveError::Vanished {
                to: self.to().to_owned(),
                owner: self.owner().clone(),
            }),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn root(&self) -> &Root {
        &self.shared.root
    }

    /// Opens a plain file of the archive for reading.
    pub(super) fn open_plain(&self, path: &str) -> Result<File, ArchiveError> {
        open_plain(&self.shared.root, &self.shared.to, path)
    }

    /// Writes the mark by which an archive is told from an empty mount point.
    fn mark(&self) -> Result<(), ArchiveError> {
        let mut staged = self.stage()?;
        staged.append(identity::text(self.owner(), None, None).as_bytes())?;
        replace(self, staged, identity::BAG_INFO)?;
        sync_names_above(self.to())
    }
}

/// Makes a folder's own name durable, and those of the folders above it, any of which may be as
/// new.
fn sync_names_above(to: &Path) -> Result<(), ArchiveError> {
    let device = |path: &Path| -> io::Result<u64> { Ok(fs::metadata(path)?.dev()) };
    let here = device(to).map_err(ArchiveError::io("look at", to))?;
    for above in to.ancestors().skip(1) {
        match File::open(above) {
            // What is not ours to look into was not made by us either.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => break,
            folder => folder
                .and_then(|folder| folder.sync_all())
                .map_err(ArchiveError::io("sync", above))?,
        }
        // The mount point's own name is another file system's.
        if !device(above).is_ok_and(|there| there == here) {
            break;
        }
    }
    Ok(())
}

/// Opens a plain file beneath a root; anything else that stands there is turned away.
pub(super) fn open_plain(root: &Root, to: &Path, path: &str) -> Result<File, ArchiveError> {
    root.read(path).map_err(|e| {
        let planted = match root.stat(path) {
            Ok(stat) => !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file(),
            Err(e) => super::beneath::is_not_a_folder(&e),
        };
        if planted {
            ArchiveError::Planted(to.join(path))
        } else {
            ArchiveError::io("open", to.join(path))(e)
        }
    })
}

/// Finds the folder's one true path, and whether it has to be made.
fn settle(to: &Path, owner: &Owner, expected: Expect) -> Result<(PathBuf, bool), ArchiveError> {
    let vanished = || ArchiveError::Vanished { to: to.to_owned(), owner: owner.clone() };
    match fs::metadata(to) {
        Ok(found) if found.is_dir() => {
            let to = fs::canonicalize(to).map_err(ArchiveError::io("find", to))?;
            return if to.parent().is_some() {
                Ok((to, false))
            } else {
                Err(ArchiveError::NotAnArchive(to))
            };
        }
        Ok(_) => return Err(ArchiveError::NotAFolder(to.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            return Err(ArchiveError::NotAFolder(to.to_owned()));
        }
        Err(e) => return Err(ArchiveError::io("look at", to)(e)),
    }
    if expected != Expect::New {
        return Err(vanished());
    }
    let name = to.file_name().ok_or_else(|| ArchiveError::NotAFolder(to.to_owned()))?;
    let above = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(above).map_err(ArchiveError::io("make the folder", above))?;
    let above = fs::canonicalize(above).map_err(ArchiveError::io("find", above))?;
    Ok((above.join(name), true))
}

/// Whether the folder has this owner's mark; an error where it has another's, or should have one.
fn is_marked(
    root: &Root,
    to: &Path,
    owner: &Owner,
    expected: Expect,
) -> Result<bool, ArchiveError> {
    match identity::read(root, to)? {
        Some(found) if found == *owner => return Ok(true),
        Some(found) => {
            let (to, wanted) = (to.to_owned(), owner.clone());
            return Err(ArchiveError::Foreign { to, found, wanted });
        }
        None => {}
    }
    match (expected, is_empty(root, to)?) {
        (Expect::Existing, _) | (Expect::Adopt, true) => {
            Err(ArchiveError::Vanished { to: to.to_owned(), owner: owner.clone() })
        }
        (Expect::New, false) => Err(ArchiveError::NotAnArchive(to.to_owned())),
        // What the archive itself writes would go over these.
        (Expect::Adopt, false) if in_the_way(root).is_some() => {
            Err(ArchiveError::NotAnArchive(to.to_owned()))
        }
        (Expect::New, true) | (Expect::Adopt, false) => Ok(false),
    }
}

/// Whether a folder holds nothing of anybody's. A new file system has `lost+found`; a run that was
/// killed while it made the archive left the staging folder.
pub(super) fn is_empty(root: &Root, to: &Path) -> Result<bool, ArchiveError> {
    let read = ArchiveError::io("read", to);
    let names = || -> io::Result<bool> {
        for entry in Dir::read_from(root.fd())? {
            let entry = entry?;
            if !matches!(entry.file_name().to_bytes(), b"." | b".." | b"lost+found")
                && entry.file_name().to_bytes() != STAGING.as_bytes()
            {
                return Ok(false);
            }
        }
        Ok(true)
    };
    names().map_err(read)
}

/// Removes what a killed run left in the staging folder, but for files that can be gone on with.
fn clear(staging: &OwnedFd) -> io::Result<()> {
    let partial = partial::names(staging)?;
    for entry in Dir::read_from(staging)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if !matches!(name, b"." | b"..") && !partial.contains(name) {
            rustix::fs::unlinkat(staging, entry.file_name(), AtFlags::empty())?;
        }
    }
    Ok(())
}

impl Archive {
    /// Publishes one file; see [`Archive::publish`].
    pub fn publish_one(&self, staged: super::Staged, path: &str) -> Published {
        let mut outcomes = self.publish(vec![(staged, path.to_owned())]);
        // One in, one out; the list is never empty.
        outcomes.pop().unwrap_or_else(|| Published::Failed(ArchiveError::BadPath(path.to_owned())))
    }
}
