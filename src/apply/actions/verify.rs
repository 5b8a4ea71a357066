//! `verify`: reads every file back from the medium and holds it against what was received.
//!
//! A file that reads differently was never proven: it is withdrawn, fetched anew, and read again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::{download, readback};
use crate::apply::end::{End, Trouble};
use crate::apply::work::{Work, blocking};
use crate::archive::{Archive, Survey};
use crate::model::{Action, Number};
use crate::state::{Batch, Mark, Row, Stored, With};

/// Files taken out of the archive together: for each lot the bag's manifest is read once.
const TOGETHER: usize = 65_536;
/// Rounds of fetching anew what read differently.
const ROUNDS: usize = 2;

pub(super) async fn run(work: &Arc<Work>, action: &Action) -> Result<End, Trouble> {
    let place = work.place().await?;
    let pending = |row: &Row| !row.marks.has(Mark::ReadBack);
    // Whether what was absent could be fetched: then only the medium can have lost it again.
    let mut fetched = true;
    for round in 0.. {
        let Walk { objects, bytes, wrong, absent } =
            read_rows(work, &place, action, pending).await?;
        let tally = match absent {
            None if wrong.is_empty() => return Ok(End::Done { objects, bytes }),
            Some(key) if wrong.is_empty() && !fetched => {
                return Ok(End::Failed(format!(
                    "not every object is in the archive (for example {key:?}); it is untouched in \
                     S3, and the next plan fetches it"
                )));
            }
            _ if round == ROUNDS => break,
            // Withdrawn just now, while others came, or by an earlier try that was stopped.
            Some(_) => download::absent(work, &place, action).await?,
            None => download::again(work, &place, action, &wrong).await?,
        };
        fetched = tally.is_complete();
    }
    Ok(End::Failed(format!(
        "files read back differently from what was written, {ROUNDS} times over: the medium of {} \
         is not to be trusted; nothing was deleted in S3",
        work.to.display()
    )))
}

/// Reads back again whatever was last read before a moment, or has another size or date than it was
/// given, for a deletion that comes late.
pub(super) async fn read_again(
    work: &Arc<Work>,
    action: &Action,
    before_ms: i64,
) -> Result<(), Trouble> {
    let place = work.place().await?;
    let files = Mutex::new(blocking(|| Survey::open(place.to()))?);
    let looks_touched = |stored: &Stored| {
        let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = files.as_mut().and_then(|files| files.see(&stored.path));
        !seen.is_some_and(|seen| seen.is(stored.size, stored.mtime_ns / 1_000_000))
    };
    let doubtful = |row: &Row| {
        let Some(stored) = row.stored.as_ref().filter(|_| !row.marks.has(Mark::Deleted)) else {
            return false;
        };
        stored.readback.is_none_or(|read| read.at_ms < before_ms) || looks_touched(stored)
    };
    let walk = read_rows(work, &place, action, doubtful).await?;
    match walk.wrong.len() {
        0 => Ok(()),
        n => Err(Trouble::Ends(End::Failed(format!(
            "{n} files in {} are not what was proven any more, so nothing is deleted: the next \
             plan fetches them anew",
            work.to.display()
        )))),
    }
}

/// What a walk over all rows found.
#[derive(Default)]
struct Walk {
    /// Files that are right, whether they were read now or before.
    objects: u64,
    /// Their bytes.
    bytes: u64,
    /// Rows whose files are wrong. They are no longer stored, and their files no longer under their
    /// names.
    wrong: BTreeSet<Number>,
    /// The key of an object that should be in the archive and is not.
    absent: Option<String>,
}

impl Walk {
    fn count(&mut self, stored: &Stored) {
        self.objects += 1;
        self.bytes += stored.size;
    }
}

/// Reads the files of those stored rows that `wanted` picks.
async fn read_rows(
    work: &Work,
    place: &Arc<Archive>,
    action: &Action,
    wanted: impl Fn(&Row) -> bool,
) -> Result<Walk, Trouble> {
    let mut walk = Walk::default();
    let mut withdrawn = Vec::new();
    let mut from = 0;
    loop {
        work.unless_stopped()?;
        let page = work.page(from, With::Rows)?;
        let Some(last) = page.last() else {
            readback::withdraw(work, place, withdrawn)?;
            return Ok(walk);
        };
        from = last.number + 1;
        let mut files = Vec::new();
        for mut row in page {
            let is_wanted = wanted(&row);
            match row.stored.take() {
                Some(stored) if is_wanted => files.push((row, stored)),
                Some(stored) => walk.count(&stored),
                None if walk.absent.is_none() && work.selection.takes(&row.object) => {
                    walk.absent = Some(row.object.key);
                }
                None => {}
            }
        }
        if files.is_empty() {
            continue;
        }
        let settled = blocking(|| place.settle(files.len()));
        let mut batch = Batch::new();
        for (row, stored, outcome) in readback::read(work, &settled, files.into_iter()).await? {
            let fault = match outcome {
                Ok(how) => {
                    walk.count(&stored);
                    batch.read_back(work.name(), row.number, how);
                    continue;
                }
                Err(fault) => fault,
            };
            walk.wrong.insert(row.number);
            if readback::tell_wrong(work, &row, &stored.path, &fault)? {
                withdrawn.push((row.number, stored.path));
            }
        }
        blocking(|| work.state.commit(batch))?;
        if withdrawn.len() >= TOGETHER {
            readback::withdraw(work, place, std::mem::take(&mut withdrawn))?;
        }
        work.tick(action, walk.objects, walk.bytes)?;
    }
}
