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

/// Takes the lock, or says who has it. The kernel gives it up with the process, however it ends;
/// the file stays, since removing it could take it from a third one.
pub(super) fn take(to: &Path, bucket: &str) -> Result<File, ArchiveError> {
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
    Ok(file)
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
