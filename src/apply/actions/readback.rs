//! Reads files back from the medium, a few at a time, and holds each against what was received.

use std::fmt;
use std::mem;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use tokio::task::{JoinSet, spawn_blocking};

use crate::apply::end::{End, Trouble, told};
use crate::apply::work::{Work, blocking};
use crate::archive::{self, Archive, Settled};
use crate::event::Fact;
use crate::model::Number;
use crate::state::{Batch, Mark, Readback, ReadbackKind, Row, Stored};

/// Files read at a time: enough to keep a disk busy, few enough not to thrash one that turns.
const AT_A_TIME: usize = 4;
/// So many files at most are handed to one thread together,
const HANDFUL: usize = 32;
/// and only while they have fewer bytes than this.
const HANDFUL_BYTES: u64 = 1 << 20;
/// Lots of files read at a time while others are downloaded. More lots only wait in memory.
const EARLY_LOTS: usize = 2;

/// A file that was read, with whatever came along with it.
pub(super) type Read<T> = (T, Stored, Result<Readback, Fault>);

/// How a file is not what was received.
#[derive(Debug)]
pub(super) enum Fault {
    /// Other bytes came back.
    Differs,
    /// None did; why, in words.
    Unread(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs => f.write_str("reads back differently from what was written"),
            Self::Unread(why) => f.write_str(why),
        }
    }
}

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

fn read_one(settled: &Settled, stored: &Stored, at_ms: i64) -> Result<Readback, Fault> {
    let back = settled.read_back(&stored.path).map_err(|error| Fault::Unread(told(&error)))?;
    if (back.fingerprint, back.size) != (stored.fingerprint, stored.size) {
        return Err(Fault::Differs);
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

/// Records that a row's file is wrong. Answers whether it may be taken out of the archive: not where
/// a delete left for its object, for then it may be the only copy, however bad.
pub(super) fn tell_wrong(
    work: &Work,
    row: &Row,
    path: &str,
    fault: &Fault,
) -> Result<bool, Trouble> {
    let fact = Fact::ObjectFailed {
        bucket: work.name().clone(),
        key: row.object.key.clone(),
        version_id: row.object.version_id.clone(),
        why: format!("its file {path} {fault}; it is fetched anew"),
    };
    blocking(|| work.recorder.record(fact))?;
    Ok(!row.marks.has(Mark::DeleteSent))
}

/// Takes the files of these rows out of the archive; nothing is stored of them any more.
pub(super) fn withdraw(
    work: &Work,
    place: &Archive,
    rows: Vec<(Number, String)>,
) -> Result<(), Trouble> {
    if rows.is_empty() {
        return Ok(());
    }
    let paths: Vec<&str> = rows.iter().map(|(_, path)| path.as_str()).collect();
    blocking(|| place.withdraw(&paths))?;
    let mut batch = Batch::new();
    for (number, _) in &rows {
        batch.unstore(work.name(), *number);
    }
    Ok(blocking(|| work.state.commit(batch)).map(drop)?)
}

/// Reads files back while others still come, so that `verify` finds them done, or finds them gone
/// and fetches them anew: what read differently once is not trusted because it reads right later.
/// Whatever could not be read, or there was no time for, is left to `verify`.
#[derive(Default)]
pub(super) struct Early {
    lots: JoinSet<Result<Vec<Read<Number>>, Trouble>>,
    differs: Vec<(Number, String)>,
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
            self.note_lot(work, lot?, batch);
        }
        Ok(())
    }

    /// Waits for what is being read, notes it, and takes wrong files out of the archive.
    pub async fn finish(mut self, work: &Work, place: &Archive) -> Result<(), Trouble> {
        let mut batch = Batch::new();
        while let Some(lot) = self.lots.join_next().await {
            self.note_lot(work, lot?, &mut batch);
        }
        blocking(|| work.state.commit(batch))?;
        self.withdraw(work, place)
    }

    /// Takes files that were found wrong by now out of the archive, so that they are never more than
    /// a few lots: all files of a bad medium are wrong.
    pub fn withdraw(&mut self, work: &Work, place: &Archive) -> Result<(), Trouble> {
        let mut wrong = Vec::new();
        for (number, path) in mem::take(&mut self.differs) {
            let Some(row) = blocking(|| work.state.row(work.name(), number))? else { continue };
            if tell_wrong(work, &row, &path, &Fault::Differs)? {
                wrong.push((number, path));
            }
        }
        withdraw(work, place, wrong)
    }

    fn note_lot(
        &mut self,
        work: &Work,
        lot: Result<Vec<Read<Number>>, Trouble>,
        batch: &mut Batch,
    ) {
        // Somebody asked to stop: what was not read then is read by the next apply.
        for (number, stored, outcome) in lot.into_iter().flatten() {
            match outcome {
                Ok(how) => {
                    batch.read_back(work.name(), number, how);
                }
                Err(Fault::Differs) => self.differs.push((number, stored.path)),
                Err(Fault::Unread(_)) => {}
            }
        }
    }
}
