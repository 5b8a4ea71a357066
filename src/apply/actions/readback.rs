//! Reads files back from the medium, a few at a time, and holds each against what was received.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use tokio::task::{JoinSet, spawn_blocking};

use crate::apply::end::{End, Trouble, told};
use crate::apply::work::Work;
use crate::archive::{self, Archive, Settled};
use crate::model::Number;
use crate::state::{Batch, Readback, ReadbackKind, Stored};

/// Files read at a time: enough to keep a disk busy, few enough not to thrash one that turns.
const AT_A_TIME: usize = 4;
/// So many files at most are handed to one thread together,
const HANDFUL: usize = 32;
/// and only while they have fewer bytes than this.
const HANDFUL_BYTES: u64 = 1 << 20;
/// Lots of files read at a time while others are downloaded. More lots only wait in memory.
const EARLY_LOTS: usize = 2;

/// A file that was read, with whatever came along with it; `Err` says in words how it is not what
/// was received.
pub(super) type Read<T> = (T, Stored, Result<Readback, String>);

/// Reads files back. The answers come in no order.
///
/// # Errors
/// [`End::Parked`] where somebody asked to stop.
pub(super) async fn read<T: Send + 'static>(
    work: &Work,
    settled: &Settled,
    files: impl Iterator<Item = (T, Stored)>,
) -> Result<Vec<Read<T>>, Trouble> {
    let now = work.clock.now().as_millisecond();
    let reading = stream::iter(handfuls(files).into_iter().map(|files| {
        let settled = settled.clone();
        let read = move |(with, stored)| {
            let outcome = read_one(&settled, &stored, now);
            (with, stored, outcome)
        };
        spawn_blocking(move || files.into_iter().map(read).collect::<Vec<_>>())
    }));
    let all = async {
        let lots: Vec<_> = reading.buffer_unordered(AT_A_TIME).collect().await;
        let lots = lots.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(lots.into_iter().flatten().collect())
    };
    tokio::select! {
        all = all => all,
        // A file may take long; nothing is lost with it.
        () = work.stop.wait() => Err(Trouble::Ends(End::Parked)),
    }
}

fn read_one(settled: &Settled, stored: &Stored, at_ms: i64) -> Result<Readback, String> {
    let back = settled.read_back(&stored.path).map_err(|error| told(&error))?;
    if (back.fingerprint, back.size) != (stored.fingerprint, stored.size) {
        return Err("reads back differently from what was written".to_owned());
    }
    let kind = match back.medium {
        archive::Readback::Medium => ReadbackKind::Medium,
        archive::Readback::Client => ReadbackKind::Client,
    };
    Ok(Readback { kind, at_ms })
}

/// Files that are read one after the other by one thread: many small ones, few large ones.
fn handfuls<T>(files: impl Iterator<Item = (T, Stored)>) -> Vec<Vec<(T, Stored)>> {
    let mut handfuls: Vec<Vec<(T, Stored)>> = Vec::new();
    let mut bytes = HANDFUL_BYTES;
    for (with, stored) in files {
        bytes = bytes.saturating_add(stored.size);
        match handfuls.last_mut() {
            Some(files) if bytes < HANDFUL_BYTES && files.len() < HANDFUL => {
                files.push((with, stored));
            }
            _ => {
                bytes = stored.size;
                handfuls.push(vec![(with, stored)]);
            }
        }
    }
    handfuls
}

/// Reads files back while others still come, so that `verify` finds them done. What is wrong, and
/// whatever there was no time for, is left to `verify`.
#[derive(Default)]
pub(super) struct Early {
    lots: JoinSet<Result<Vec<Read<Number>>, Trouble>>,
}

impl Early {
    /// Begins to read files that are durable under their names.
    pub fn begin(&mut self, work: &Arc<Work>, place: &Archive, files: Vec<(Number, Stored)>) {
        if self.lots.len() < EARLY_LOTS {
            let (work, settled) = (Arc::clone(work), place.settled());
            self.lots.spawn(async move { read(&work, &settled, files.into_iter()).await });
        }
    }

    /// Notes what was read by now.
    pub fn note(&mut self, work: &Work, batch: &mut Batch) -> Result<(), Trouble> {
        while let Some(lot) = self.lots.try_join_next() {
            note_right(work, lot?, batch);
        }
        Ok(())
    }

    /// Waits for what is being read, and notes it.
    pub async fn finish(mut self, work: &Work, batch: &mut Batch) -> Result<(), Trouble> {
        while let Some(lot) = self.lots.join_next().await {
            note_right(work, lot?, batch);
        }
        Ok(())
    }
}

fn note_right(work: &Work, lot: Result<Vec<Read<Number>>, Trouble>, batch: &mut Batch) {
    for (number, _, outcome) in lot.into_iter().flatten() {
        if let Ok(how) = outcome {
            batch.read_back(work.name(), number, how);
        }
    }
}
