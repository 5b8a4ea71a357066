//! Where a body goes: through its digests into a file of the staging folder.
//!
//! A small one is collected, and written in one go by one of a few threads; a large one has a
//! thread of its own that takes it chunk by chunk, so that no more than a few chunks are in memory.
//!
//! Bytes that wait are copied. As they came, the least of them would keep the whole buffer that
//! their connection reads into, which hyper makes as large as 408 KiB, and has it make another.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};

use super::fetch::Pour;
use crate::apply::end::{End, Trouble};
use crate::apply::writers::Writers;
use crate::archive::{Archive, ArchiveError, Staged};
use crate::model::ObjectVersion;
use crate::proof::{Digests, Hasher};

/// Bodies up to this many bytes are collected.
const SMALL: u64 = 1 << 20;
/// Chunks of a large body that may wait for the disk,
const CHUNKS: usize = 8;
/// and how many bytes one has at most.
const CHUNK: usize = 64 << 10;

type Written = Result<(Staged, Digests), ArchiveError>;

/// How many bytes of a body of this size wait in memory at most.
pub(super) fn held(size: u64) -> u64 {
    if size <= SMALL { size } else { (CHUNKS * CHUNK) as u64 }
}

/// Takes one object's bytes.
pub(super) struct Sink {
    /// What its bytes hold in memory, given back with the sink.
    _room: Option<OwnedSemaphorePermit>,
    received: u64,
    way: Way,
}

enum Way {
    Small { writers: Arc<Writers>, body: Vec<u8>, file: Box<File> },
    Large { sender: mpsc::Sender<Vec<u8>>, thread: JoinHandle<Written> },
}

/// A file to be.
struct File {
    place: Arc<Archive>,
    hasher: Hasher,
    size: u64,
    mtime_ms: i64,
}

impl File {
    fn write(mut self, chunks: impl IntoIterator<Item = Vec<u8>>) -> Written {
        let mut staged = self.place.stage()?;
        if self.size > SMALL {
            staged.preallocate(self.size)?;
        }
        for chunk in chunks {
            self.hasher.update(&chunk);
            staged.append(&chunk)?;
        }
        staged.set_mtime(self.mtime_ms)?;
        staged.park()?;
        Ok((staged, self.hasher.finish()))
    }
}

impl Sink {
    pub fn open(
        writers: &Arc<Writers>,
        place: &Arc<Archive>,
        object: &ObjectVersion,
        hasher: Hasher,
        room: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let (size, mtime_ms) = (object.size, object.last_modified_ms);
        let file = File { place: Arc::clone(place), hasher, size, mtime_ms };
        let way = if size <= SMALL {
            let body = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            Way::Small { writers: Arc::clone(writers), body, file: Box::new(file) }
        } else {
            let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(CHUNKS);
            let chunks = std::iter::from_fn(move || receiver.blocking_recv());
            Way::Large { sender, thread: spawn_blocking(move || file.write(chunks)) }
        };
        Self { _room: room, received: 0, way }
    }

    /// Ends the body: the file is in the staging folder.
    pub async fn close(self) -> Result<(Staged, Digests), Trouble> {
        match self.way {
            Way::Small { writers, body, file } => {
                let written = writers.run(move || file.write([body])).await;
                written.map_or_else(|| Err(stopped()), |written| Ok(written?))
            }
            Way::Large { sender, thread } => {
                drop(sender);
                Ok(thread.await??)
            }
        }
    }

    /// Why no more bytes were taken.
    pub async fn fault(self) -> Trouble {
        match self.close().await {
            Err(trouble) => trouble,
            Ok(_) => stopped(),
        }
    }
}

impl Pour for Sink {
    fn received(&self) -> u64 {
        self.received
    }

    async fn pour(&mut self, chunk: Bytes) -> Result<(), ()> {
        match &mut self.way {
            Way::Small { body, .. } => body.extend_from_slice(&chunk),
            Way::Large { sender, .. } => {
                for piece in chunk.chunks(CHUNK) {
                    sender.send(piece.to_vec()).await.map_err(|_| ())?;
                }
            }
        }
        self.received += chunk.len() as u64;
        Ok(())
    }
}

fn stopped() -> Trouble {
    Trouble::Ends(End::Failed("the writer stopped early".into()))
}
