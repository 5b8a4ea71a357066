//! Everything in an archive is reached beneath one open folder, and no link is ever followed.
//!
//! A path that was checked and then opened by name could be swapped in between; a path that is
//! opened beneath a handle, link-free, cannot lead anywhere else.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// What the user's umask leaves of reading and writing.
const NEW_FILE: Mode = Mode::from_raw_mode(0o666);
const NEW_FOLDER: Mode = Mode::from_raw_mode(0o777);

/// An open folder that paths are resolved beneath.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
}

impl Root {
    /// Opens the folder; links on the way to it are the user's, and are followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { fd: fs::open(path, FOLDER, Mode::empty())? })
    }

    /// The folder itself.
    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Opens a folder beneath.
    pub(super) fn folder(&self, path: &str) -> io::Result<OwnedFd> {
        if path.is_empty() {
            return Ok(fs::openat(&self.fd, ".", FOLDER, Mode::empty())?);
        }
        self.resolve(path, FOLDER, Mode::empty())
    }

    /// Opens a plain file for reading, and never waits on a pipe or a device.
    ///
    /// `Err` of kind `InvalidInput` where something else stands there.
    pub(super) fn read(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(self.resolve(path, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(Errno::INVAL.into()) }
    }

    /// Makes the folder and those above it where they are missing, and opens it.
    pub(super) fn make_folder(&self, path: &str) -> io::Result<OwnedFd> {
        match self.folder(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !path.is_empty() => {}
            other => return other,
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above = self.make_folder(above)?;
        match fs::mkdirat(&above, name, NEW_FOLDER) {
            Ok(()) | Err(Errno::EXIST) => self.folder(path),
            Err(e) => Err(e.into()),
        }
    }

    /// The shortest beginning of a folder's path that is something other than a folder.
    pub(super) fn first_non_folder(&self, path: &str) -> Option<String> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.map(|end| &path[..end])
            .find(|part| self.folder(part).is_err_and(|e| is_not_a_folder(&e)))
            .map(str::to_owned)
    }

    /// What stands at a path, without following a link at its end.
    pub(super) fn stat(&self, path: &str) -> io::Result<fs::Stat> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(fs::statat(self.folder(above)?, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    #[cfg(target_os = "linux")]
    fn resolve(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        use rustix::fs::ResolveFlags;
        check(path)?;
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(&self.fd, path, flags | OFlags::NOFOLLOW, mode, how) {
            // Kernels before 5.6, and containers that forbid the call.
            Err(Errno::NOSYS | Errno::PERM) => self.walk(path, flags, mode),
            other => Ok(other?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn resolve(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        check(path)?;
        self.walk(path, flags, mode)
    }

    /// The same, part by part.
    fn walk(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let mut parts = path.split('/').peekable();
        let mut above: Option<OwnedFd> = None;
        while let Some(part) = parts.next() {
            let from = above.as_ref().unwrap_or(&self.fd);
            if parts.peek().is_none() {
                return Ok(fs::openat(from, part, flags | OFlags::NOFOLLOW, mode)?);
            }
            above = Some(fs::openat(from, part, FOLDER | OFlags::NOFOLLOW, Mode::empty())?);
        }
        Err(Errno::NOENT.into())
    }
}

/// Makes a new file in an open folder; never opens one that is there.
pub(super) fn create_in(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(folder, name, flags, NEW_FILE)?.into())
}

/// Opens a plain file in an open folder for reading and writing.
pub(super) fn reopen_in(folder: &OwnedFd, name: &str) -> io::Result<File> {
    Ok(fs::openat(folder, name, OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC, NEW_FILE)?
        .into())
}

/// Whether an error says that something other than a folder, or a link, stands in the way.
pub(super) fn is_not_a_folder(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(Errno::NOTDIR.raw_os_error()) || code == Some(Errno::LOOP.raw_os_error())
}

/// Turns away what the key map never makes; the kernel would only turn away what leaves the folder.
fn check(path: &str) -> io::Result<()> {
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.contains('\0') {
        return Err(Errno::INVAL.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The way without `openat2` must hold the same promise.
    #[test]
    fn neither_way_follows_a_link_or_climbs() {
        let outside = tempfile::tempdir().expect("a folder");
        std::fs::write(outside.path().join("secret"), "x").expect("a file");
        let dir = tempfile::tempdir().expect("a folder");
        symlink(outside.path(), dir.path().join("out")).expect("a link");
        symlink(outside.path().join("secret"), dir.path().join("file")).expect("a link");
        std::fs::create_dir(dir.path().join("in")).expect("a folder");
        std::fs::write(dir.path().join("in/x"), "x").expect("a file");
        symlink("in", dir.path().join("inner")).expect("a link that stays inside");
        let root = Root::open(dir.path()).expect("the folder");
        let flags = OFlags::RDONLY;
        for path in [
            "out/secret",
            "file",
            "out",
            "inner/x",
            "../x",
            "/etc/passwd",
            "in/../in/x",
            "in//x",
            "",
        ] {
            assert!(root.resolve(path, flags, Mode::empty()).is_err(), "{path}");
            let walked = check(path).and_then(|()| root.walk(path, flags, Mode::empty()));
            assert!(walked.is_err(), "{path}");
        }
        assert!(root.resolve("in/x", flags, Mode::empty()).is_ok());
        assert!(root.walk("in/x", flags, Mode::empty()).is_ok());
        assert!(root.make_folder("out/new").is_err());
        assert!(!outside.path().join("new").exists());
    }
}
