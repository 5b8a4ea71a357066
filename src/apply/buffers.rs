//! Memory for bodies on their way from their connections to the disk: so much for all of them
//! together, in buffers that are used again.
//!
//! Bytes are copied into them. As they came, the least of them would keep the whole buffer that
//! their connection reads into, which hyper makes as large as 408 KiB. And buffers that go back to
//! the allocator, from another thread than they came from, stay in one of its many heaps: the same
//! work takes three times the memory.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes a buffer takes.
pub const BUFFER: usize = 64 << 10;
/// Buffers in all: 32 MiB. However many bodies are under way, memory stays flat.
const BUFFERS: usize = 512;
/// What the connection of a body that comes fast reads into at most.
///
/// Source: hyper, `DEFAULT_MAX_BUFFER_SIZE` of `proto/h1/io.rs`.
const READ: u64 = 408 << 10;

/// The buffers of an apply.
#[derive(Debug)]
pub struct Buffers {
    spare: Mutex<Vec<Vec<u8>>>,
    room: Arc<Semaphore>,
}

impl Buffers {
    /// None of them takes memory before it is used.
    pub fn new() -> Arc<Self> {
        let room = Arc::new(Semaphore::new(BUFFERS));
        Arc::new(Self { spare: Mutex::default(), room })
    }

    /// Waits until there is room for a body of which so many bytes wait here at most, and for what
    /// its connection reads of it; they are its own as long as the answer lives. To be asked for
    /// before the body is, for a body holds its connection.
    pub async fn room(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let held = bytes.saturating_add(bytes.min(READ));
        let buffers = held.div_ceil(BUFFER as u64).clamp(1, BUFFERS as u64);
        // Never closed, hence always granted.
        Arc::clone(&self.room).acquire_many_owned(u32::try_from(buffers).ok()?).await.ok()
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that wait for the disk.
#[derive(Debug)]
pub struct Waiting {
    home: Arc<Buffers>,
    buffers: Vec<Vec<u8>>,
    len: usize,
}

impl Waiting {
    /// No bytes yet.
    pub fn new(home: &Arc<Buffers>) -> Self {
        Self { home: Arc::clone(home), buffers: Vec::new(), len: 0 }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Copies bytes to the end.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.buffers.last().is_none_or(|last| last.len() == BUFFER) {
                let spare = self.home.spare().pop();
                self.buffers.push(spare.unwrap_or_else(|| Vec::with_capacity(BUFFER)));
            }
            let Some(last) = self.buffers.last_mut() else { return };
            let (now, later) = rest.split_at(rest.len().min(BUFFER - last.len()));
            last.extend_from_slice(now);
            rest = later;
        }
    }

    /// Hands out what is there; nothing stays.
    pub fn take(&mut self) -> Self {
        let nothing = Self::new(&self.home);
        mem::replace(self, nothing)
    }

    /// The bytes in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.buffers.iter().map(Vec::as_slice)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.home.spare().extend(self.buffers.drain(..).map(|mut buffer| {
            buffer.clear();
            buffer
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn bodies_wait_for_room_and_one_that_is_larger_than_all_of_it_gets_it_all() {
        let buffers = Buffers::new();
        let all = buffers.room(u64::MAX).await.expect("room");
        assert!(tokio::time::timeout(Duration::from_millis(1), buffers.room(1)).await.is_err());
        drop(all);
        assert!(buffers.room(1).await.is_some());
    }

    #[tokio::test]
    async fn a_body_takes_room_for_what_its_connection_reads_too() {
        let buffers = Buffers::new();
        let mut bodies = Vec::new();
        for _ in 0..BUFFERS / 2 {
            bodies.push(buffers.room(BUFFER as u64).await);
        }
        assert_eq!(buffers.room.available_permits(), 0);
    }

    #[test]
    fn bytes_come_out_as_they_went_in_and_their_buffers_are_used_again() {
        let buffers = Buffers::new();
        let bytes: Vec<u8> = (0..3 * BUFFER + 5).map(|at| (at % 251) as u8).collect();
        for step in [1000, BUFFER, bytes.len()] {
            let mut waiting = Waiting::new(&buffers);
            bytes.chunks(step).for_each(|chunk| waiting.extend(chunk));
            assert_eq!(waiting.len(), bytes.len());
            let taken = waiting.take();
            assert_eq!((waiting.len(), waiting.pieces().count()), (0, 0));
            assert_eq!(taken.pieces().collect::<Vec<_>>().concat(), bytes);
            drop(taken);
            let spare = buffers.spare();
            assert_eq!(spare.len(), 4);
            assert!(spare.iter().all(|buffer| buffer.is_empty() && buffer.capacity() == BUFFER));
        }
    }
}
