//! Gives staged files their names, and answers only when that is durable.
//!
//! The order is that of the crash model: data synced, then renamed, then the folders synced. Only
//! after that may anyone record that the files are there.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, linkat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::beneath::{create_in, is_not_a_folder};
use super::error::ArchiveError;
use super::medium::{Readback, sync_all};
use super::open::Archive;
use super::staged::Staged;
use crate::failpoint;

/// From how many files on one sync of the whole file system is cheaper than one a file.
pub(super) const ONE_SYNC_FROM: usize = 16;

/// What became of one staged file.
#[derive(Debug)]
pub enum Published {
    /// It has its name, and will have it after a power cut.
    Durable,
    /// Its name is taken; nothing was changed. The file comes back, to be published under another.
    Taken {
        /// The file, still staged.
        staged: Staged,
        /// What stands in the way.
        by: TakenBy,
    },
    /// It could not be made durable. It is gone, and its bytes have to be fetched again.
    Failed(ArchiveError),
}

/// What stands where a file should go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenBy {
    /// Something has the file's own name: perhaps this very file, from a run that was killed before
    /// it could record it; [`Archive::read_back`] tells. Otherwise see `keymap::with_twin`.
    Name,
    /// Something has a name that this file system takes for the file's own (`Foo` and `foo`): another
    /// key's file, even where its bytes are the same. See `keymap::with_twin`.
    Twin,
    /// Something that is no folder has the name of this folder of the path; see
    /// `keymap::with_twin_folder`.
    Folder(String),
}

impl Archive {
    /// Gives each staged file its path (from the bag's root), never over one that exists, and returns
    /// when all that is durable. Answers one outcome a file, in order.
    ///
    /// A failed sync is final: the kernel may call the lost bytes clean, so trying again could
    /// succeed for data that is gone.
    pub fn publish(&self, batch: Vec<(Staged, String)>) -> Vec<Published> {
        let group = batch.len() >= ONE_SYNC_FROM && self.medium() == Readback::Medium;
        let (staged, paths): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        failpoint::pass("sync of objects' files");
        let synced = self.sync_files(staged, group);
        let mut folder = None;
        let mut outcomes: Vec<Outcome> = synced
            .into_iter()
            .zip(&paths)
            .map(|(staged, path)| match staged {
                Ok(staged) => self.place(staged, path, &mut folder),
                Err(e) => Outcome::Failed(e),
            })
            .collect();
        self.sync_folders(&mut outcomes, &paths, group);
        outcomes.into_iter().map(Outcome::into_published).collect()
    }

    /// Step 1: the bytes.
    fn sync_files(&self, staged: Vec<Staged>, group: bool) -> Vec<Result<Staged, ArchiveError>> {
        if !group {
            let sync = |mut file: Staged| file.sync().map(|()| file);
            return staged.into_iter().map(sync).collect();
        }
        let error = sync_all(self.root().fd()).err();
        let judge = |file: Staged| match &error {
            None => file.check().map(|()| file),
            Some(e) => Err(self.sync_failed(e)),
        };
        staged.into_iter().map(judge).collect()
    }

    /// Step 2: the name.
    fn place(&self, staged: Staged, path: &str, last: &mut Option<(String, OwnedFd)>) -> Outcome {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name.is_empty() || name == "." || name == ".." {
            return Outcome::Failed(ArchiveError::BadPath(path.to_owned()));
        }
        if last.as_ref().is_none_or(|(open, _)| open != above) {
            match self.root().make_folder(above) {
                Ok(folder) => *last = Some((above.to_owned(), folder)),
                Err(e) if is_not_a_folder(&e) => {
                    let blocked = self.root().first_non_folder(above);
                    let folder = blocked.unwrap_or_else(|| above.to_owned());
                    return Outcome::Taken(staged, TakenBy::Folder(folder));
                }
                Err(e) => {
                    let at = self.to().join(above);
                    return Outcome::Failed(ArchiveError::io("make the folder", at)(e));
                }
            }
        }
        let Some((_, folder)) = last else {
            return Outcome::Failed(ArchiveError::BadPath(path.to_owned()));
        };
        failpoint::pass("naming of an object's file");
        match rename_new(&self.shared().staging, staged.name(), folder, name) {
            Ok(()) => {
                staged.release();
                Outcome::Placed
            }
            Err(Errno::EXIST) if self.shared().folds && !has_name(folder, name) => {
                Outcome::Taken(staged, TakenBy::Twin)
            }
            Err(Errno::EXIST) => Outcome::Taken(staged, TakenBy::Name),
            Err(e) => Outcome::Failed(ArchiveError::io("name", self.to().join(path))(e)),
        }
    }

    /// Step 3: the folders. A file whose folder cannot be synced loses its name again.
    fn sync_folders(&self, outcomes: &mut [Outcome], paths: &[String], group: bool) {
        let placed = || {
            let both = outcomes.iter().zip(paths);
            both.filter(|(outcome, _)| matches!(outcome, Outcome::Placed)).map(|(_, path)| path)
        };
        failpoint::pass("sync of objects' folders");
        let synced = if placed().next().is_none() {
            Ok(())
        } else if group {
            sync_all(self.root().fd())
        } else {
            // Up to the root, for any of them may be new, and made by another thread.
            let folders: BTreeSet<&str> = placed()
                .flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at]))
                .chain([""])
                .collect();
            if folders.len() >= ONE_SYNC_FROM && self.medium() == Readback::Medium {
                sync_all(self.root().fd())
            } else {
                folders.into_iter().rev().try_for_each(|folder| sync_folder(self, folder))
            }
        };
        let Err(error) = synced else { return };
        for (outcome, path) in outcomes.iter_mut().zip(paths) {
            if matches!(outcome, Outcome::Placed) {
                let _ = self.unname(path);
                *outcome = Outcome::Failed(self.sync_failed(&error));
            }
        }
    }

    fn unname(&self, path: &str) -> io::Result<()> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(unlinkat(self.root().folder(above)?, name, AtFlags::empty())?)
    }

    fn sync_failed(&self, error: &io::Error) -> ArchiveError {
        let again = match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::from(error.kind()),
        };
        ArchiveError::io("sync", self.to())(again)
    }
}

/// Whether a folder lists exactly this name. One that cannot be read counts as listing it not, so
/// that the file gets a name of its own.
fn has_name(folder: &OwnedFd, name: &str) -> bool {
    Dir::read_from(folder)
        .is_ok_and(|names| names.flatten().any(|e| e.file_name().to_bytes() == name.as_bytes()))
}

/// Whether a file system takes names for one another that differ in case or Unicode form, tried out
/// in the staging folder.
pub(super) fn folds(staging: &OwnedFd) -> io::Result<bool> {
    let name = "fold-\u{e9}";
    drop(create_in(staging, name)?);
    let folded = ["FOLD-\u{e9}", "fold-e\u{301}"]
        .into_iter()
        .any(|other| statat(staging, other, AtFlags::SYMLINK_NOFOLLOW).is_ok());
    unlinkat(staging, name, AtFlags::empty())?;
    Ok(folded)
}

enum Outcome {
    Placed,
    Taken(Staged, TakenBy),
    Failed(ArchiveError),
}

impl Outcome {
    fn into_published(self) -> Published {
        match self {
            Self::Placed => Published::Durable,
            Self::Taken(staged, by) => Published::Taken { staged, by },
            Self::Failed(error) => Published::Failed(error),
        }
    }
}

/// Puts a staged file over one of the bag's own files, durably. Never used below `data/`.
pub(super) fn replace(
    archive: &Archive,
    mut staged: Staged,
    path: &str,
) -> Result<(), ArchiveError> {
    staged.sync()?;
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let at = archive.to().join(path);
    let folder = archive
        .root()
        .make_folder(above)
        .map_err(|e| ArchiveError::io("make the folder", archive.to().join(above))(e))?;
    failpoint::pass("naming of one of the bag's own files");
    renameat(&archive.shared().staging, staged.name(), &folder, name)
        .map_err(ArchiveError::io("replace", &at))?;
    staged.release();
    failpoint::pass("sync of the bag's folders");
    let sync = |folder| sync_folder(archive, folder).map_err(ArchiveError::io("sync", &at));
    sync(above)?;
    sync("")
}

pub(super) fn sync_folder(archive: &Archive, folder: &str) -> io::Result<()> {
    std::fs::File::from(archive.root().folder(folder)?).sync_all()
}

/// Renames only to a name that nothing has.
pub(super) fn rename_new(
    from: &OwnedFd,
    name: &str,
    to: &OwnedFd,
    new: &str,
) -> rustix::io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(from, name, to, new, RenameFlags::NOREPLACE) {
            // File systems that do not know the flag: NFS, some FUSE ones.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            other => return other,
        }
    }
    rename_by_link(from, name, to, new)
}

/// The same by a second name; a link, too, never replaces.
fn rename_by_link(from: &OwnedFd, name: &str, to: &OwnedFd, new: &str) -> rustix::io::Result<()> {
    match linkat(from, name, to, new, AtFlags::empty()) {
        Ok(()) => return unlinkat(from, name, AtFlags::empty()),
        Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS) => {}
        Err(e) => return Err(e),
    }
    // No links either (FAT over FUSE). The lock keeps other writers of ours out meanwhile.
    match statat(to, new, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => renameat(from, name, to, new),
        Ok(_) => Err(Errno::EXIST),
        Err(e) => Err(e),
    }
}
