//! Takes a file that was never proven out of the archive again.

use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use super::error::ArchiveError;
use super::open::Archive;

impl Archive {
    /// Removes a file (a path from the bag's root) that reads back differently from what was
    /// written, so that its object can be fetched anew. Gone already is fine.
    ///
    /// An archive only grows: this is for files that no bag lists and no evidence rests on.
    ///
    /// # Errors
    /// The system's.
    pub fn withdraw(&self, path: &str) -> Result<(), ArchiveError> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let failed = |e: std::io::Error| ArchiveError::io("remove", self.to().join(path))(e);
        let folder = match self.root().folder(above) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(failed)?,
        };
        match unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(failed(e.into())),
        }
        rustix::fs::fsync(&folder).map_err(|e| failed(e.into()))
    }
}
