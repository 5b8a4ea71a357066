//! Holds the pages of a listing that came before their turn: a few in memory, the rest in a file.
//!
//! However many places a bucket is listed at, they share one file and one allowance of memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all spools of a listing keep in memory before they take a file, in bytes.
const IN_MEMORY: usize = 8 << 20;

/// What the spools of one listing share.
#[derive(Clone, Debug)]
pub(super) struct Pile(Arc<Mutex<Heap>>);

#[derive(Debug)]
struct Heap {
    folder: PathBuf,
    /// Bytes that wait in memory.
    held: usize,
    /// Has no name any more, so that nothing is left behind however the program ends.
    file: Option<File>,
    /// Pages in the file that are still to be taken.
    pages: usize,
    end: u64,
}

/// Pages in the order in which they were put in.
#[derive(Debug)]
pub(super) struct Spool {
    pile: Pile,
    pages: VecDeque<Kept>,
}

#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    Disk { at: u64, length: usize },
}

impl Pile {
    /// An empty one, whose file would be made in this folder.
    pub fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self(Arc::new(Mutex::new(Heap { folder, held: 0, file: None, pages: 0, end: 0 })))
    }

    fn heap(&self) -> MutexGuard<'_, Heap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    /// An empty one.
    pub fn new(pile: &Pile) -> Self {
        Self { pile: pile.clone(), pages: VecDeque::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Puts a page behind the others.
    ///
    /// # Errors
    /// What the disk did not take.
    pub fn put(&mut self, page: Vec<u8>) -> io::Result<()> {
        let mut heap = self.pile.heap();
        if heap.held + page.len() <= IN_MEMORY {
            heap.held += page.len();
            self.pages.push_back(Kept::Memory(page));
            return Ok(());
        }
        let (at, length) = (heap.end, page.len());
        if heap.file.is_none() {
            heap.file = Some(nameless(&heap.folder)?);
        }
        if let Some(file) = &heap.file {
            file.write_all_at(&page, at)?;
        }
        heap.end += length as u64;
        heap.pages += 1;
        self.pages.push_back(Kept::Disk { at, length });
        Ok(())
    }

    /// Takes the page in front; `None` where there is none.
    ///
    /// # Errors
    /// Where it cannot be read back.
    pub fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut heap = self.pile.heap();
        match self.pages.pop_front() {
            None => Ok(None),
            Some(Kept::Memory(page)) => {
                heap.held -= page.len();
                Ok(Some(page))
            }
            Some(Kept::Disk { at, length }) => {
                let mut page = vec![0; length];
                if let Some(file) = &heap.file {
                    file.read_exact_at(&mut page, at)?;
                    give_back(file, at, length);
                }
                heap.pages -= 1;
                if heap.pages == 0 {
                    heap.end = 0;
                }
                Ok(Some(page))
            }
        }
    }
}

/// Gives the disk back what was read, where it can take it; else it waits for the end.
#[cfg(target_os = "linux")]
fn give_back(file: &File, at: u64, length: usize) {
    use rustix::fs::{FallocateFlags, fallocate};
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    if let Err(error) = fallocate(file, flags, at, length as u64) {
        tracing::trace!(%error, "room is given back at the end");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_back(_: &File, _: u64, _: usize) {}

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
    fn pages_come_out_in_the_order_they_went_in_however_many_spools_there_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let pile = Pile::new(folder.path());
        let mut spools = [Spool::new(&pile), Spool::new(&pile)];
        let page = |n: usize| vec![n as u8; 500 << 10];
        let mut expected = [0, 1];
        for n in 0..60 {
            spools[n % 2].put(page(n)).expect("room");
            if n % 3 == 2 {
                let at = n % 2;
                assert_eq!(spools[at].take().expect("readable"), Some(page(expected[at])));
                expected[at] += 2;
            }
            assert!(pile.heap().held <= IN_MEMORY);
        }
        assert!(pile.heap().pages > 0, "some had to wait on the disk");
        for (at, spool) in spools.iter_mut().enumerate() {
            for n in (expected[at]..60).step_by(2) {
                assert_eq!(spool.take().expect("readable"), Some(page(n)));
            }
            assert!(spool.is_empty() && spool.take().expect("readable").is_none());
        }
        let heap = pile.heap();
        assert_eq!((heap.held, heap.pages, heap.end), (0, 0, 0));
        drop(heap);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
