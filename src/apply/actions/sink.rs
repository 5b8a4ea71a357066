//! Where a body goes: through its digests into a file of the staging folder.
//!
//! A small one is collected, and written in one go by one of a few threads; a large one has a
//! thread of its own that takes it chunk by chunk, so that no more than a few chunks are in memory.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};

use super::fetch::Pour;
use crate::apply::buffers::{BUFFER, Buffers, Waiting};
use crate::apply::end::{End, Trouble};
use crate::apply::writers::Writers;
use crate::archive::{Archive, ArchiveError, Staged};
use crate::model::ObjectVersion;
use crate::proof::{Digests, Hasher};

/// Bodies up to this many bytes are collected.
const SMALL: u64 = 1 << 20;
/// Chunks of a large body that may wait for the disk; each fills a buffer, and may take a second.
const CHUNKS: usize = 4;

type Written = Result<(Staged, Digests), ArchiveError>;

/// How many bytes of a body of this size wait in memory at most.
pub(super) fn held(size: u64) -> u64 {
    // One more is being filled, and one written.
    if size <= SMALL { size } else { ((CHUNKS + 2) * 2 * BUFFER) as u64 }
}

/// Takes one object's bytes.
pub(super) struct Sink {
    /// What its bytes hold in memory, given back with the sink.
    _room: Option<OwnedSemaphorePermit>,
    received: u64,
    waiting: Waiting,
    way: Way,
}

enum Way {
    Small { writers: Arc<Writers>, file: Box<File> },
    Large { sender: mpsc::Sender<Waiting>, thread: JoinHandle<Written> },
}

/// A file to be.
struct File {
    place: Arc<Archive>,
    hasher: Hasher,
    size: u64,
    mtime_ms: i64,
}

impl File {
    fn write(mut self, chunks: impl IntoIterator<Item = Waiting>) -> Written {
        let mut staged = self.place.stage()?;
        if self.size > SMALL {
            staged.preallocate(self.size)?;
        }
        for chunk in chunks {
            for piece in chunk.pieces() {
                self.hasher.update(piece);
                staged.append(piece)?;
            }
        }
        staged.set_mtime(self.mtime_ms)?;
        staged.park()?;
        Ok((staged, self.hasher.finish()))
    }
}

impl Sink {
    pub fn open(
        (writers, buffers): (&Arc<Writers>, &Arc<Buffers>),
        place: &Arc<Archive>,
        object: &ObjectVersion,
        hasher: Hasher,
        room: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let (size, mtime_ms) = (object.size, object.last_modified_ms);
        let file = File { place: Arc::clone(place), hasher, size, mtime_ms };
        let way = if size <= SMALL {
            Way::Small { writers: Arc::clone(writers), file: Box::new(file) }
        } else {
            let (sender, mut receiver) = mpsc::channel::<Waiting>(CHUNKS);
            let chunks = std::iter::from_fn(move || receiver.blocking_recv());
            Way::Large { sender, thread: spawn_blocking(move || file.write(chunks)) }
        };
        Self { _room: room, received: 0, waiting: Waiting::new(buffers), way }
    }

    /// Ends the body: the file is in the staging folder.
    pub async fn close(self) -> Result<(Staged, Digests), Trouble> {
        match self.way {
            Way::Small { writers, file } => {
                let body = self.waiting;
                let written = writers.run(move || file.write([body])).await;
                written.map_or_else(|| Err(stopped()), |written| Ok(written?))
            }
            Way::Large { sender, thread } => {
                // Where it is not taken, the thread says why.
                let _ = sender.send(self.waiting).await;
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
        match &self.way {
            Way::Small { .. } => self.waiting.extend(&chunk),
            Way::Large { sender, .. } => {
                for piece in chunk.chunks(BUFFER) {
                    self.waiting.extend(piece);
                    if self.waiting.len() >= BUFFER {
                        sender.send(self.waiting.take()).await.map_err(|_| ())?;
                    }
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
