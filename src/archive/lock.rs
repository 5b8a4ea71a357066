//! Keeps two writers of one archive apart.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::error::{ArchiveError, Holder};

/// The path of an archive's lock file, beside it, so that the bag stays free of it.
pub(super) fn lock_path(to: &Path) -> PathBuf {
    let mut path = OsString::from(to.as_os_str());
    path.push(".s3plan-lock");
    path.into()
}

/// An archive's lock; given back when it is dropped. The kernel gives it back with the process,
/// however that ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would not do: a child that is being started has it open too, until it
        // becomes another program. Where it cannot be given back, the end of the process does it.
        let _ = self.0.unlock();
    }
}

/// Takes the lock, or says who has it. The file stays for good, since removing it could take it
/// from a third one.
///
/// # Errors
/// [`ArchiveError::Held`], [`ArchiveError::Planted`] where no plain file has its name, or the
/// system's.
pub(super) fn take(to: &Path, bucket: &str) -> Result<Lock, ArchiveError> {
    let path = lock_path(to);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut file: File = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o644))
        .map_err(ArchiveError::io("open the lock file", &path))?
        .into();
    let metadata = file.metadata().map_err(ArchiveError::io("read", &path))?;
    if !metadata.is_file() {
        return Err(ArchiveError::Planted(path));
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(ArchiveError::Held { to: to.to_owned(), holder: read_holder(&mut file) });
        }
        Err(TryLockError::Error(e)) => return Err(ArchiveError::io("lock", &path)(e)),
    }
    let host = rustix::system::uname();
    let text = format!(
        "pid {}\nhost {}\nbucket {bucket}\n",
        std::process::id(),
        host.nodename().to_string_lossy(),
    );
    file.set_len(0)
        .and_then(|()| file.write_all(text.as_bytes()))
        .map_err(ArchiveError::io("write", &path))?;
    Ok(Lock(file))
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    // Who holds it is a courtesy: a file that cannot be read only means "another process".
    let _ = file.take(4_096).read_to_string(&mut text);
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_default().to_owned()
    };
    Holder { pid: field("pid"), host: field("host"), bucket: field("bucket") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_is_being_started_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().expect("a folder");
        let to = dir.path().join("photos");
        let lock = take(&to, "photos").expect("free");
        assert!(matches!(take(&to, "photos"), Err(ArchiveError::Held { .. })));
        let childs = lock.0.try_clone().expect("a descriptor");
        drop(lock);
        drop(take(&to, "photos").expect("given back"));
        drop(childs);
    }
}
