//! `await-restore`: waits until everything that was asked for can be read.
//!
//! Polls by listing: one request tells of a thousand objects. A poll goes on only as far as
//! everything before is thawed, so that it costs about one request however large the bucket is.
//! Where a listing shows no restore status, which only AWS does, a HEAD is asked instead.

use std::time::Duration;

use jiff::Timestamp;

use crate::apply::end::{End, Trouble};
use crate::apply::work::{Patience, Work, blocking, is_left_for_next_plan};
use crate::aws::{ListCursor, Listing};
use crate::event::{Fact, WaitingFor};
use crate::model::{Action, Number, ObjectVersion, Thaw};
use crate::observe::listing_for;
use crate::state::{Row, With};

/// The first pause between two looks; doubled up to [`PAUSE_MAX`]. Thaws take hours, but other
/// servers than AWS take seconds.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// The pause between two HEADs, where listings do not tell.
const HEAD_PAUSE: Duration = Duration::from_millis(5);

pub(super) async fn run(work: &Work, action: &Action) -> Result<End, Trouble> {
    let mut cursor = Cursor { next: action.range.map_or(0, |range| range.first), ready: 0 };
    let mut bytes = 0;
    let mut pause = PAUSE;
    let mut told = false;
    loop {
        let before = cursor.next;
        if cursor.advance(work, action, &mut bytes).await? {
            return Ok(End::Done { objects: cursor.ready, bytes });
        }
        work.tick(action, cursor.ready, bytes)?;
        let until = back_at(work, action);
        if work.options.patience == Patience::LeavesInstead {
            return Ok(End::Waits { on: WaitingFor::Thaw, until });
        }
        if !told {
            let waiting = Fact::Waiting { action: action.id.clone(), on: WaitingFor::Thaw, until };
            blocking(|| work.recorder.record(waiting))?;
            told = true;
        }
        pause = if cursor.next > before { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
        tokio::select! {
            () = work.clock.sleep(pause) => {}
            () = work.stop.wait() => return Err(Trouble::Ends(End::Parked)),
        }
    }
}

/// When it is worth looking again: by the longest that AWS says this takes, counted from the
/// wishes; `None` where the journal does not tell when they went out.
fn back_at(work: &Work, action: &Action) -> Option<Timestamp> {
    let standings = blocking(|| work.state.standings(work.recorder.run())).ok()?;
    // They went out when the action before was done.
    let asked = standings
        .iter()
        .filter(|(id, _)| action.needs.contains(id))
        .map(|(_, event)| event.at)
        .max()
        .unwrap_or_else(|| work.clock.now());
    let hours = action.hours.unwrap_or(48.0);
    asked.checked_add(jiff::SignedDuration::from_secs((hours * 3600.0) as i64)).ok()
}

/// How far everything is thawed, in inventory order.
struct Cursor {
    /// Everything before this number can be read.
    next: Number,
    ready: u64,
}

impl Cursor {
    /// Goes on as far as things are thawed; `true` once that is to the end.
    async fn advance(
        &mut self,
        work: &Work,
        action: &Action,
        bytes: &mut u64,
    ) -> Result<bool, Trouble> {
        loop {
            work.unless_stopped()?;
            let page = work.page(self.next, With::Rows)?;
            let awaited: Vec<&Row> = page.iter().filter(|row| awaits(work, action, row)).collect();
            let in_range = |row: &Row| action.range.is_none_or(|range| row.number < range.end);
            let Some(last) = page.last() else { return Ok(true) };
            if awaited.is_empty() {
                if !in_range(last) {
                    return Ok(true);
                }
                self.next = last.number + 1;
                continue;
            }
            let thaws = listed_thaws(work, &awaited).await?;
            for (row, listed) in awaited.into_iter().zip(thaws) {
                if !is_ready(work, row, listed).await? {
                    return Ok(false);
                }
                self.next = row.number + 1;
                self.ready += 1;
                *bytes += row.object.size;
            }
        }
    }
}

fn awaits(work: &Work, action: &Action, row: &Row) -> bool {
    row.stored.is_none()
        && row.object.is_frozen()
        && !is_left_for_next_plan(row)
        && work.selection.takes(&row.object)
        && action.range.is_none_or(|range| range.contains(row.number))
}

/// What a listing says of these rows, as far as one page of it goes; `None` where it says nothing.
async fn listed_thaws(work: &Work, rows: &[&Row]) -> Result<Vec<Option<Thaw>>, Trouble> {
    let mut thaws = vec![None; rows.len()];
    let Some(first) = rows.first() else { return Ok(thaws) };
    let before = first.number.checked_sub(1);
    let before = match before {
        Some(number) => blocking(|| work.state.row(work.name(), number))?,
        None => None,
    };
    let listing = listing_for(work.bucket.versioning);
    let after = before.map(|row| ListCursor {
        key: row.object.key,
        version_id: row.object.version_id.filter(|_| listing == Listing::Versions),
    });
    let mut pages = work.door.list(listing, after);
    let Some(page) = pages.next().await? else { return Ok(thaws) };
    let mut listed = page.objects.iter().peekable();
    for (row, thaw) in rows.iter().zip(&mut thaws) {
        let same = |object: &&ObjectVersion| {
            object.key == row.object.key && object.version_id == row.object.version_id
        };
        // Both come in the same order; what lies between is not awaited.
        let mut rest = listed.clone();
        if let Some(object) = rest.find(same) {
            *thaw = Some(object.thaw).filter(|thaw| *thaw != Thaw::NotAsked);
            listed = rest;
        }
    }
    Ok(thaws)
}

/// Whether a row's object can be read now.
async fn is_ready(work: &Work, row: &Row, listed: Option<Thaw>) -> Result<bool, Trouble> {
    match listed {
        Some(Thaw::ReadyUntil { .. }) => return Ok(true),
        Some(Thaw::Ongoing) => return Ok(false),
        Some(Thaw::NotAsked) | None => {}
    }
    work.clock.sleep(HEAD_PAUSE).await;
    let version = row.object.version_id.as_deref();
    let head = work.door.head(&row.object.key, version, Some(&row.object.etag)).await?;
    let readable = !head.class.is_archived() && head.headers.archive_status.is_none();
    match head.thaw {
        Thaw::ReadyUntil { .. } => Ok(true),
        Thaw::Ongoing => Ok(false),
        Thaw::NotAsked if readable => Ok(true),
        Thaw::NotAsked => Err(Trouble::Ends(End::Stale(format!(
            "{:?} is archived and no restore of it is under way: its copy lapsed, or it was never \
             asked for",
            row.object.key
        )))),
    }
}
