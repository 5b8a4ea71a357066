//! Brings one huge object home in pieces, several at a time, and goes on after a kill where it was.
//!
//! ```text
//!   pieces not noted yet ─► ranged GETs ─► written in place ─► synced ─► noted
//!                          (as many as there are            │         │
//!                           idle fetchers)                  │         └─► read back, in order
//!                                                           └─► digests, in order
//! ```
//!
//! The digests go by what the file holds, in the order of the object, whoever wrote it: pieces of an
//! earlier run are proven like those of this one. They read what was written a moment before, from
//! memory.

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::task::{JoinSet, spawn_blocking};

use super::fetch::{Pour, Poured, pour_range};
use crate::apply::end::{End, Trouble};
use crate::apply::stop::Stop;
use crate::apply::work::Work;
use crate::apply::writers::Writers;
use crate::archive::{Archive, ArchiveError, Partial, Range, ReadBack, Staged};
use crate::model::ObjectVersion;
use crate::proof::{Digests, Hasher};

/// From how many bytes on an object is fetched in pieces.
pub(super) const HUGE: u64 = 64 << 20;
/// About how large a piece is.
const PIECE: u64 = 16 << 20;
/// Pieces of one object under way at a time.
const AT_A_TIME: usize = 16;
/// Bytes of a piece that wait for the disk together.
const HANDFUL: usize = 256 << 10;
/// What came is synced and noted so often.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Fetches an object; its file is whole then, but not proven. Gives what the medium holds of it too,
/// where that could be read meanwhile.
pub(super) async fn receive(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    object: &ObjectVersion,
    part_sizes: &[u64],
    hasher: Hasher,
) -> Result<(Staged, Digests, Option<ReadBack>), Trouble> {
    let (name, size, archive) = (name_of(object), object.size, Arc::clone(place));
    let partial = spawn_blocking(move || archive.partial(&name, size)).await??;
    let partial = Arc::new(partial);
    let (there, missing) = sort(cut(size, part_sizes), partial.done());
    let (written, to_digest) = mpsc::channel();
    let (durable, to_read) = mpsc::channel();
    for piece in there {
        // The receivers live until the senders are gone, or want no more.
        let _ = (written.send(piece), durable.send(piece));
    }
    let digesting = {
        let (partial, stop) = (Arc::clone(&partial), work.stop.clone());
        spawn_blocking(move || digest(&partial, size, &to_digest, hasher, &stop))
    };
    let reading = {
        let (partial, stop) = (Arc::clone(&partial), work.stop.clone());
        spawn_blocking(move || read_back(&partial, size, &to_read, &stop))
    };
    let fetched = fetch(work, object, &partial, missing, &Progress { written, durable }).await;
    let (digests, read) = (digesting.await??, reading.await?);
    fetched?;
    let mtime_ms = object.last_modified_ms;
    let Some(digests) = digests else {
        work.unless_stopped()?;
        return Err(stopped());
    };
    let partial = Arc::into_inner(partial).ok_or_else(stopped)?;
    let staged = spawn_blocking(move || -> Result<Staged, ArchiveError> {
        let mut staged = partial.finish();
        staged.set_mtime(mtime_ms)?;
        staged.park()?;
        Ok(staged)
    });
    Ok((staged.await??, digests, read))
}

/// Who is told of pieces.
struct Progress {
    /// Of those that are in the file.
    written: mpsc::Sender<Range>,
    /// Of those that are durable.
    durable: mpsc::Sender<Range>,
}

/// What an object's file is called while it is fetched: the same in every run, as long as it is the
/// same object.
fn name_of(object: &ObjectVersion) -> String {
    let mut hash = Sha256::new();
    let version = object.version_id.as_deref().unwrap_or_default();
    for text in [object.key.as_str(), version, object.etag.as_str()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hex::encode(&hash.finalize()[..16])
}

/// Cuts an object into pieces: along the parts of its upload where those are alike, for that is how
/// it is stored. Small parts go together, large ones are cut again.
fn cut(size: u64, part_sizes: &[u64]) -> Vec<Range> {
    let part = match part_sizes {
        [part, _, ..] if *part > 0 => *part,
        _ => PIECE,
    };
    let block = if part < PIECE { PIECE / part * part } else { part };
    let piece = block.div_ceil((block / PIECE).max(1));
    let mut pieces = Vec::new();
    let mut first = 0;
    while first < size {
        let block_end = (first / block + 1) * block;
        let end = size.min(block_end).min(first + piece);
        pieces.push((first, end));
        first = end;
    }
    pieces
}

/// Tells the pieces that are noted from those that are missing.
fn sort(pieces: Vec<Range>, done: &[Range]) -> (Vec<Range>, Vec<Range>) {
    let noted = |(first, end): &Range| done.iter().any(|(from, to)| from <= first && end <= to);
    pieces.into_iter().partition(noted)
}

/// Fetches pieces in order, several at a time, and notes them.
async fn fetch(
    work: &Arc<Work>,
    object: &ObjectVersion,
    partial: &Arc<Partial>,
    missing: Vec<Range>,
    progress: &Progress,
) -> Result<(), Trouble> {
    let mut missing = missing.into_iter().peekable();
    let mut tasks: JoinSet<Result<Range, Trouble>> = JoinSet::new();
    let mut unnoted = Vec::new();
    let object = Arc::new(object.clone());
    let mut early = None;
    while early.is_none() {
        // The first goes by the turn that the object has; others where there are turns to spare.
        while missing.peek().is_some() && tasks.len() < AT_A_TIME {
            let turn = work.fetchers.try_enter();
            if turn.is_none() && !tasks.is_empty() {
                break;
            }
            let Some(piece) = missing.next() else { break };
            let (work, object) = (Arc::clone(work), Arc::clone(&object));
            let partial = Arc::clone(partial);
            tasks.spawn(async move {
                let fetched = fetch_piece(&work, &object, &partial, piece).await;
                drop(turn);
                fetched
            });
        }
        let note = !unnoted.is_empty();
        tokio::select! {
            ended = tasks.join_next() => match ended {
                None => break,
                Some(ended) => match ended? {
                    Ok(piece) => {
                        let _ = progress.written.send(piece);
                        unnoted.push(piece);
                    }
                    Err(trouble) => early = Some(trouble),
                },
            },
            () = work.clock.sleep(NOTE_EVERY), if note => {
                note_all(partial, &mut unnoted, progress).await?;
            }
        }
    }
    tasks.shutdown().await;
    if !unnoted.is_empty() {
        note_all(partial, &mut unnoted, progress).await?;
    }
    early.map_or(Ok(()), Err)
}

async fn note_all(
    partial: &Arc<Partial>,
    unnoted: &mut Vec<Range>,
    progress: &Progress,
) -> Result<(), Trouble> {
    let (partial, ranges) = (Arc::clone(partial), std::mem::take(unnoted));
    let noted = spawn_blocking(move || partial.note(&ranges).map(|()| ranges)).await??;
    for range in noted {
        let _ = progress.durable.send(range);
    }
    Ok(())
}

async fn fetch_piece(
    work: &Work,
    object: &ObjectVersion,
    partial: &Arc<Partial>,
    piece: Range,
) -> Result<Range, Trouble> {
    let _room = work.buffers.room(HANDFUL as u64).await;
    let mut sink = PieceSink {
        partial: Arc::clone(partial),
        writers: Arc::clone(&work.writers),
        at: piece.0,
        waiting: Vec::new(),
        bytes: 0,
        received: 0,
        fault: None,
    };
    let poured = pour_range(work, object, piece, None, &mut sink).await;
    match poured {
        Ok(()) if sink.flush().await.is_ok() => Ok(piece),
        Err(Poured::Trouble(trouble)) => Err(trouble),
        Ok(()) | Err(Poured::Disk) => Err(sink.fault.map_or_else(stopped, Trouble::from)),
    }
}

/// Where a piece's bytes go: into their place in the file, by one of the writers.
struct PieceSink {
    partial: Arc<Partial>,
    writers: Arc<Writers>,
    /// Where the bytes that wait belong.
    at: u64,
    waiting: Vec<Bytes>,
    bytes: usize,
    received: u64,
    fault: Option<ArchiveError>,
}

impl PieceSink {
    async fn flush(&mut self) -> Result<(), ()> {
        let (partial, chunks, at) =
            (Arc::clone(&self.partial), std::mem::take(&mut self.waiting), self.at);
        self.at += std::mem::take(&mut self.bytes) as u64;
        let written = self.writers.run(move || {
            let mut at = at;
            for chunk in chunks {
                partial.write_at(at, &chunk)?;
                at += chunk.len() as u64;
            }
            Ok(())
        });
        match written.await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                self.fault = Some(error);
                Err(())
            }
            None => Err(()),
        }
    }
}

impl Pour for PieceSink {
    fn received(&self) -> u64 {
        self.received
    }

    async fn pour(&mut self, chunk: Bytes) -> Result<(), ()> {
        self.received += chunk.len() as u64;
        self.bytes += chunk.len();
        self.waiting.push(chunk);
        if self.bytes >= HANDFUL { self.flush().await } else { Ok(()) }
    }
}

/// Ranges that come in any order, as far as they are joined from the beginning on.
#[derive(Debug, Default)]
struct Joined {
    end: u64,
    ahead: BTreeSet<Range>,
}

impl Joined {
    /// Takes one more; answers where the first gap is.
    fn add(&mut self, range: Range) -> u64 {
        self.ahead.insert(range);
        while let Some((_, end)) = self.ahead.first().copied().filter(|(at, _)| *at == self.end) {
            self.ahead.pop_first();
            self.end = end;
        }
        self.end
    }
}

/// Digests the file in order as its pieces are there. `None` where they were not all to be had, or
/// somebody asked to stop.
fn digest(
    partial: &Partial,
    size: u64,
    written: &mpsc::Receiver<Range>,
    mut hasher: Hasher,
    stop: &Stop,
) -> Result<Option<Digests>, ArchiveError> {
    let mut joined = Joined::default();
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    while at < size {
        let Ok(piece) = written.recv() else { return Ok(None) };
        let end = joined.add(piece);
        while at < end {
            let most = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let read = partial.read_at(at, &mut buffer[..most])?;
            if read == 0 || stop.asked() {
                return Ok(None);
            }
            hasher.update(&buffer[..read]);
            at += read as u64;
        }
    }
    Ok(Some(hasher.finish()))
}

/// Reads the file back in order as its pieces become durable. `None` where that has to wait until it
/// is whole, or somebody asked to stop.
fn read_back(
    partial: &Partial,
    size: u64,
    durable: &mpsc::Receiver<Range>,
    stop: &Stop,
) -> Option<ReadBack> {
    let mut along = partial.read_along(size)?;
    let mut joined = Joined::default();
    let mut at = 0;
    while let Ok(piece) = durable.recv() {
        let end = joined.add(piece);
        while at < end {
            at = end.min(at + PIECE);
            if let Err(error) = along.read_to(at) {
                tracing::debug!(%error, "it is read back once it is whole");
                return None;
            }
            if stop.asked() {
                return None;
            }
        }
    }
    along.finish()
}

/// Why, where nobody says.
pub(super) fn stopped() -> Trouble {
    Trouble::Ends(End::Failed("the writing of its file stopped early".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn pieces_cover_an_object_once_and_begin_where_parts_begin() {
        for (size, parts) in [
            (100 * MIB, vec![]),
            (100 * MIB + 1, vec![8 * MIB; 13]),
            (100 * MIB, vec![5 * MIB; 20]),
            (300 * MIB, vec![100 * MIB; 3]),
            (70 * MIB, vec![3; 2]),
        ] {
            let pieces = cut(size, &parts);
            assert_eq!(pieces.first().map(|piece| piece.0), Some(0));
            assert_eq!(pieces.last().map(|piece| piece.1), Some(size));
            assert!(pieces.windows(2).all(|two| two[0].1 == two[1].0));
            assert!(pieces.iter().all(|(first, end)| end - first <= 2 * PIECE));
        }
        assert_eq!(cut(100 * MIB, &[5 * MIB; 20])[1], (15 * MIB, 30 * MIB));
        assert_eq!(cut(200 * MIB, &[100 * MIB; 2]).iter().filter(|p| p.0 == 100 * MIB).count(), 1);
    }

    #[test]
    fn ranges_are_joined_as_far_as_there_is_no_gap() {
        let mut joined = Joined::default();
        let ends = [(10, 20), (0, 10), (30, 40), (20, 25), (25, 30)].map(|range| joined.add(range));
        assert_eq!(ends, [0, 20, 20, 25, 40]);
    }

    #[test]
    fn only_pieces_that_are_noted_whole_are_there() {
        let (there, missing) = sort(vec![(0, 10), (10, 20), (20, 30)], &[(0, 19), (20, 40)]);
        assert_eq!((there, missing), (vec![(0, 10), (20, 30)], vec![(10, 20)]));
    }
}
