//! Where a body goes: through its digests into a file of the staging folder.
//!
//! A small one is collected, and written in one go by one of a few threads; a large one has a
//! thread of its own that takes it chunk by chunk, so that no more than a few chunks are in memory.

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
/// and about how many bytes one has at most.
const CHUNK: u64 = 64 << 10;

type Written = Result<(Staged, Digests), ArchiveError>;

/// How many bytes of a body of this size wait in memory at most.
pub(super) fn held(size: u64) -> u64 {
    if size <= SMALL { size } else { CHUNKS as u64 * CHUNK }
}

/// Takes one object's bytes.
pub(super) struct Sink {
    /// What its bytes hold in memory, given back with the sink.
    _room: Option<OwnedSemaphorePermit>,
    received: u64,
    way: Way,
}

enum Way {
    Small { writers: Arc<Writers>, chunks: Vec<Bytes>, file: Box<File> },
    Large { sender: mpsc::Sender<Bytes>, thread: JoinHandle<Written> },
}

/// A file to be.
struct File {
    place: Arc<Archive>,
    hasher: Hasher,
    size: u64,
    mtime_ms: i64,
}

impl File {
    fn write(mut self, chunks: impl IntoIterator<Item = Bytes>) -> Written {
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
            Way::Small { writers: Arc::clone(writers), chunks: Vec::new(), file: Box::new(file) }
        } else {
            let (sender, mut receiver) = mpsc::channel::<Bytes>(CHUNKS);
            let chunks = std::iter::from_fn(move || receiver.blocking_recv());
            Way::Large { sender, thread: spawn_blocking(move || file.write(chunks)) }
        };
        Self { _room: room, received: 0, way }
    }

    /// Ends the body: the file is in the staging folder.
    pub async fn close(self) -> Result<(Staged, Digests), Trouble> {
        match self.way {
            Way::Small { writers, chunks, file } => {
                let written = writers.run(move || file.write(chunks)).await;
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
        let bytes = chunk.len() as u64;
        match &mut self.way {
            Way::Small { chunks, .. } => chunks.push(chunk),
            Way::Large { sender, .. } => sender.send(chunk).await.map_err(|_| ())?,
        }
        self.received += bytes;
        Ok(())
    }
}

fn stopped() -> Trouble {
    Trouble::Ends(End::Failed("the writer stopped early".into()))
}
