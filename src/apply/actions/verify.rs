//! `verify`: reads every file back from the medium and holds it against what was received.
//!
//! A file that reads differently was never proven: it is withdrawn, fetched anew, and read again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::{download, readback};
use crate::apply::end::{End, Trouble};
use crate::apply::work::{Work, blocking};
use crate::archive::{Archive, Survey};
use crate::event::Fact;
use crate::model::{Action, Number};
use crate::state::{Batch, Mark, Row, Stored, With};

/// Files taken out of the archive together: for each lot the bag's manifest is read once.
const TOGETHER: usize = 65_536;
/// Rounds of fetching anew what read differently.
const ROUNDS: usize = 2;

pub(super) async fn run(work: &Arc<Work>, action: &Action) -> Result<End, Trouble> {
    let place = work.place().await?;
    let pending = |row: &Row| !row.marks.has(Mark::ReadBack);
    let mut round = 0;
    loop {
        let walk = read_rows(work, &place, action, pending).await?;
        match walk.absent {
            // An earlier try withdrew a file and was stopped before its object was fetched anew.
            Some(_) if round == 0 => {
                download::absent(work, &place, action).await?;
            }
            Some(key) if walk.wrong.is_empty() => {
                return Ok(End::Failed(format!(
                    "not every object is in the archive (for example {key:?}); it is untouched in \
                     S3, and the next plan fetches it"
                )));
            }
            None if walk.wrong.is_empty() => {
                return Ok(End::Done { objects: walk.objects, bytes: walk.bytes });
            }
            Some(_) | None => {}
        }
        if !walk.wrong.is_empty() {
            if round == ROUNDS {
                return Ok(End::Failed(format!(
                    "{} files read back differently from what was written, {ROUNDS} times over: \
                     the medium of {} is not to be trusted; nothing was deleted in S3",
                    walk.wrong.len(),
                    work.to.display()
                )));
            }
            download::again(work, &place, action, &walk.wrong).await?;
        }
        round += 1;
    }
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
            withdraw(work, place, &mut withdrawn)?;
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
            let why = match outcome {
                Ok(how) => {
                    walk.count(&stored);
                    batch.read_back(work.name(), row.number, how);
                    continue;
                }
                Err(why) => why,
            };
            if !row.marks.has(Mark::DeleteSent) {
                // Else it may be the only copy by now, however bad.
                withdrawn.push((row.number, stored.path.clone()));
            }
            walk.wrong.insert(row.number);
            let fact = Fact::ObjectFailed {
                bucket: work.name().clone(),
                key: row.object.key.clone(),
                version_id: row.object.version_id.clone(),
                why: format!("its file {} {why}; it is fetched anew", stored.path),
            };
            blocking(|| work.recorder.record(fact))?;
        }
        blocking(|| work.state.commit(batch))?;
        if withdrawn.len() >= TOGETHER {
            withdraw(work, place, &mut withdrawn)?;
        }
        work.tick(action, walk.objects, walk.bytes)?;
    }
}

/// Takes the files of these rows out of the archive; nothing is stored of them any more.
fn withdraw(work: &Work, place: &Archive, rows: &mut Vec<(Number, String)>) -> Result<(), Trouble> {
    let rows = std::mem::take(rows);
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
