//! `download`: fetches objects into the archive, many at a time, and checkpoints them in batches.
//!
//! ```text
//!   rows of the inventory ─► fetch tasks ─► staged files ─► publish (sync, rename, sync) ─► rows
//!                            (bounded)                      one batch at a time             (one
//!                                                                                        commit)
//! ```
//!
//! A row is committed only after its file is durable under its final name, so a crash costs at most
//! the batch in flight and never leaves a row without its file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fetch::{self, Fetch, Fetched};
use super::readback::Early;
use crate::apply::end::{End, Trouble};
use crate::apply::fetchers::OBJECT;
use crate::apply::work::{Work, blocking, is_left_for_next_plan};
use crate::archive::{Archive, ArchiveError, Published, TakenBy, keymap, space};
use crate::event::Fact;
use crate::model::{Action, Number, ObjectHeaders, Proof, Takes};
use crate::proof::Digests;
use crate::state::{Batch, Readback, Row, Stored, With};

/// Files made durable together,
const BATCH: usize = 1000;
/// and their bytes: the disk is to work while others come, not behind them.
const BATCH_BYTES: u64 = 64 << 20;
/// A batch that does not fill up is made durable after this long.
const BATCH_AGE: Duration = Duration::from_millis(750);
/// An action with this many failed objects is not worth going on with.
const FAILURES: u64 = 100;

/// What the fetching left behind.
#[derive(Default)]
pub(super) struct Tally {
    objects: u64,
    bytes: u64,
    failed: u64,
}

impl Tally {
    /// Whether there was something to fetch, and all of it came.
    pub fn is_complete(&self) -> bool {
        self.objects > 0 && self.failed == 0
    }
}

pub(super) async fn run(work: &Arc<Work>, action: &Action) -> Result<End, Trouble> {
    let place = work.place().await?;
    let tally = fetch_all(work, &place, action, |row| wants(work, action, row)).await?;
    if tally.failed > 0 {
        return Ok(End::Failed(format!(
            "{} objects could not be brought home (each is named above); they are untouched in S3, \
             and the same command tries them again{}",
            tally.failed,
            room_missing(work, action)?
        )));
    }
    Ok(End::Done { objects: tally.objects, bytes: tally.bytes })
}

/// How much room the destination lacks for what is still to come, in words; empty where it has room.
fn room_missing(work: &Arc<Work>, action: &Action) -> Result<String, Trouble> {
    let mut wanted: u64 = 0;
    work.each_row::<Trouble>(With::Rows, |row| {
        if wants(work, action, &row) {
            wanted = wanted.saturating_add(row.object.size);
        }
        Ok(())
    })?;
    let free = blocking(|| space::free(&work.to))?.available_bytes;
    Ok(match wanted.checked_sub(free) {
        Some(missing) if missing > 0 => format!(
            "; {} are still to come and {} has room for {}: free at least {} more",
            bytesize::ByteSize::b(wanted),
            work.to.display(),
            bytesize::ByteSize::b(free),
            bytesize::ByteSize::b(missing),
        ),
        _ => String::new(),
    })
}

/// Fetches the objects of these rows anew, whatever the rows say.
pub(super) async fn again(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    action: &Action,
    numbers: &BTreeSet<Number>,
) -> Result<Tally, Trouble> {
    fetch_all(work, place, action, |row| numbers.contains(&row.number)).await
}

/// Fetches whatever should be in the archive and is not.
pub(super) async fn absent(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    action: &Action,
) -> Result<Tally, Trouble> {
    let is_absent = |row: &Row| {
        row.stored.is_none() && work.selection.takes(&row.object) && !is_left_for_next_plan(row)
    };
    fetch_all(work, place, action, is_absent).await
}

/// Whether this action is to bring a row's object home.
fn wants(work: &Arc<Work>, action: &Action, row: &Row) -> bool {
    let thawed = |row: &Row| row.object.is_frozen();
    row.stored.is_none()
        && work.selection.takes(&row.object)
        && !is_left_for_next_plan(row)
        && action.range.is_none_or(|range| range.contains(row.number))
        && match action.takes {
            None => true,
            Some(Takes::Ready) => !thawed(row),
            Some(Takes::Thawed) => thawed(row),
        }
}

async fn fetch_all(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    action: &Action,
    wants: impl Fn(&Row) -> bool,
) -> Result<Tally, Trouble> {
    let (sender, receiver) = mpsc::channel::<Fetch>(BATCH);
    let fetching = fetch_rows(work, place, wants, sender);
    let keeping = keep(work, place, action, receiver);
    let (fetched, kept) = tokio::join!(fetching, keeping);
    // What was kept is kept, whatever ended the fetching.
    let tally = kept?;
    fetched?;
    Ok(tally)
}

/// Hands out rows to fetch tasks, so many at a time.
async fn fetch_rows(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    wants: impl Fn(&Row) -> bool,
    sender: mpsc::Sender<Fetch>,
) -> Result<(), Trouble> {
    let mut tasks: JoinSet<Result<(), Trouble>> = JoinSet::new();
    let mut from = 0;
    let mut early = None;
    'rows: loop {
        let page = work.page(from, With::Rows)?;
        let Some(last) = page.last() else { break };
        from = last.number + 1;
        for row in page.into_iter().filter(&wants) {
            let turn = work.fetchers.enter().await;
            while let Some(ended) = tasks.try_join_next() {
                early = early.or(ended?.err());
            }
            if work.stop.asked() || early.is_some() || sender.is_closed() {
                break 'rows;
            }
            let (fetcher, place, sender) = (Arc::clone(work), Arc::clone(place), sender.clone());
            tasks.spawn(async move {
                let fetched = fetch::fetch(&fetcher, &place, row).await?;
                fetcher.brought(OBJECT);
                // A closed channel means that keeping failed, which is told from there.
                let _ = sender.send(fetched).await;
                drop(turn);
                Ok(())
            });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        early = early.or(ended?.err());
    }
    match early {
        Some(trouble) => Err(trouble),
        None => work.unless_stopped(),
    }
}

/// Makes what was fetched durable, batch by batch, and records it.
async fn keep(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    action: &Action,
    mut receiver: mpsc::Receiver<Fetch>,
) -> Result<Tally, Trouble> {
    let mut tally = Tally::default();
    let mut early = Early::default();
    loop {
        let Some(first) = receiver.recv().await else { break };
        let mut bytes = first.bytes();
        let mut batch = vec![first];
        let full = async {
            while batch.len() < BATCH && bytes < BATCH_BYTES {
                match receiver.recv().await {
                    Some(fetch) => {
                        bytes = bytes.saturating_add(fetch.bytes());
                        batch.push(fetch);
                    }
                    None => break,
                }
            }
        };
        tokio::select! {
            () = full => {}
            () = work.clock.sleep(BATCH_AGE) => {}
        }
        let kept = keep_batch(work, place, batch, &mut tally, &mut early)?;
        early.withdraw(work, place)?;
        early.begin(work, place, kept);
        work.tick(action, tally.objects, tally.bytes)?;
        if tally.failed >= FAILURES {
            break;
        }
    }
    early.finish(work, place).await?;
    Ok(tally)
}

/// Answers what is durable now and was not read back yet.
fn keep_batch(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    fetches: Vec<Fetch>,
    tally: &mut Tally,
    early: &mut Early,
) -> Result<Vec<(Number, Stored)>, Trouble> {
    let mut got = Vec::new();
    let mut batch = Batch::default();
    for fetch in fetches {
        match fetch {
            Fetch::Got(fetched) => got.push(*fetched),
            Fetch::Failed { row, why } => {
                tally.failed += 1;
                batch.fail(work.name(), row.number, &why);
                let fact = Fact::ObjectFailed {
                    bucket: work.name().clone(),
                    key: row.object.key.clone(),
                    version_id: row.object.version_id.clone(),
                    why,
                };
                blocking(|| work.recorder.record(fact))?;
            }
        }
    }
    let kept = blocking(|| publish(place, got))?;
    // Files that the path does not lead to any more are nowhere that anybody would look.
    blocking(|| place.check_in_place())?;
    let mut durable = Vec::with_capacity(kept.len());
    for Kept { number, stored, headers, read } in kept {
        tally.objects += 1;
        tally.bytes += stored.size;
        batch.headers(work.name(), number, headers);
        batch.store(work.name(), number, stored.clone());
        batch.clear_failure(work.name(), number);
        match read {
            Some(how) => {
                batch.read_back(work.name(), number, how);
            }
            None => durable.push((number, stored)),
        }
    }
    early.note(work, &mut batch)?;
    blocking(|| work.state.commit(batch))?;
    Ok(durable)
}

struct Kept {
    number: Number,
    stored: Stored,
    headers: ObjectHeaders,
    read: Option<Readback>,
}

/// Publishes staged files. A name that another file has already is never taken from it: equal bytes
/// are taken over, other bytes stay, and the new file gets a name among the versions.
fn publish(place: &Archive, fetched: Vec<Fetched>) -> Result<Vec<Kept>, Trouble> {
    let mut waiting = fetched;
    let mut kept = Vec::new();
    let mut round = 0;
    while !waiting.is_empty() {
        let mut files = Vec::with_capacity(waiting.len());
        let mut facts = Vec::with_capacity(waiting.len());
        for Fetched { row, staged, path, digests, proof, headers, read } in waiting {
            files.push((staged, path.clone()));
            facts.push((row, path, digests, proof, headers, read));
        }
        waiting = Vec::new();
        for (published, (row, path, digests, proof, headers, read)) in
            place.publish(files).into_iter().zip(facts)
        {
            let moved = match published {
                Published::Durable => None,
                Published::Failed(error) => return Err(error.into()),
                Published::Taken { by: TakenBy::Name, staged } => {
                    let same = match place.read_back(&path) {
                        Ok(there) => {
                            there.fingerprint == digests.fingerprint()
                                && there.size == digests.size()
                        }
                        // A folder, a link, a pipe: no file of ours.
                        Err(ArchiveError::Planted(_)) => false,
                        Err(error) => return Err(error.into()),
                    };
                    (!same).then(|| (staged, other_path(&row, round)))
                }
                Published::Taken { by: TakenBy::Twin, staged } => {
                    Some((staged, keymap::with_twin(&path, &row.object.key)))
                }
                Published::Taken { by: TakenBy::Folder(taken), staged } => {
                    Some((staged, keymap::with_twin_folder(&path, &taken)))
                }
            };
            match moved {
                // Where another file with the same bytes had the name, that one was read just now.
                None => {
                    let stored = stored(&row, path, &digests, proof);
                    kept.push(Kept { number: row.number, stored, headers, read });
                }
                Some((staged, path)) => {
                    waiting.push(Fetched { row, staged, path, digests, proof, headers, read });
                }
            }
        }
        round += 1;
    }
    Ok(kept)
}

/// A name for an object whose own name another file has: among the versions, then with a number.
fn other_path(row: &Row, round: u32) -> String {
    let payload = keymap::payload_path(&row.object.key, row.beside_folder);
    let version = keymap::version_name(&row.object);
    match round {
        0 => keymap::version_path(&payload, version),
        n => keymap::version_path(&payload, &format!("{version}~{n}")),
    }
}

fn stored(row: &Row, path: String, digests: &Digests, proof: Proof) -> Stored {
    Stored {
        path,
        sha256: *digests.sha256(),
        fingerprint: digests.fingerprint(),
        size: digests.size(),
        // The file bears the object's own time.
        mtime_ns: row.object.last_modified_ms.saturating_mul(1_000_000),
        proof,
        readback: None,
    }
}
