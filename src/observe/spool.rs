//! Holds the pages of a listing that came before their turn: some in memory, the rest in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What one spool keeps in memory before it takes a file, in bytes.
const IN_MEMORY: usize = 256 << 10;

/// Pages in the order in which they were put in.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    memory: VecDeque<Vec<u8>>,
    held: usize,
    /// Has no name any more, so that nothing is left behind however the program ends.
    file: Option<File>,
    /// Where the pages in the file lie that are still to be taken.
    on_disk: VecDeque<(u64, usize)>,
    end: u64,
}

impl Spool {
    /// An empty one, whose file would be made in this folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            memory: VecDeque::new(),
            held: 0,
            file: None,
            on_disk: VecDeque::new(),
            end: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.on_disk.is_empty()
    }

    /// Puts a page behind the others.
    ///
    /// # Errors
    /// What the disk did not take.
    pub fn put(&mut self, page: Vec<u8>) -> io::Result<()> {
        if self.on_disk.is_empty() && self.held + page.len() <= IN_MEMORY {
            self.held += page.len();
            self.memory.push_back(page);
            return Ok(());
        }
        if self.on_disk.is_empty() {
            self.end = 0;
        }
        let file = match &mut self.file {
            Some(file) => file,
            file => file.insert(nameless(&self.folder)?),
        };
        file.write_all_at(&page, self.end)?;
        self.on_disk.push_back((self.end, page.len()));
        self.end += page.len() as u64;
        Ok(())
    }

    /// Takes the page in front; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read back.
    pub fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Some(page) = self.memory.pop_front() {
            self.held -= page.len();
            return Ok(Some(page));
        }
        let (Some((at, length)), Some(file)) = (self.on_disk.pop_front(), &self.file) else {
            return Ok(None);
        };
        let mut page = vec![0; length];
        file.read_exact_at(&mut page, at)?;
        Ok(Some(page))
    }
}

/// Makes a file and takes its name away.
fn nameless(folder: &Path) -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!(".listing-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_out_in_the_order_they_went_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut spool = Spool::new(folder.path());
        let page = |n: u8| vec![n; 100 << 10];
        let mut expected = 0;
        for n in 0..20 {
            spool.put(page(n)).expect("room");
            if n % 3 == 2 {
                assert_eq!(spool.take().expect("readable"), Some(page(expected)));
                expected += 1;
            }
        }
        for n in expected..20 {
            assert_eq!(spool.take().expect("readable"), Some(page(n)));
        }
        assert!(spool.is_empty() && spool.take().expect("readable").is_none());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
