//! `delete-objects`: deletes exactly what was proven and approved, each under its own condition.
//!
//! Before the first delete: files that were read back more than a day ago are read again, the
//! evidence is gathered anew and must be the approved one, and the bucket is listed once more. What
//! is new or changed is left alone and named. "Sent" is recorded before each request and "deleted"
//! after it, so that a lost answer is a question to the next listing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::verify;
use crate::apply::end::{End, Trouble};
use crate::apply::eraser::Eraser;
use crate::apply::evidence::{is_deletable, why_kept};
use crate::apply::work::{Work, blocking};
use crate::aws::{BATCH, Deletion};
use crate::event::Fact;
use crate::model::{Action, Number, ObjectVersion, Standing, Versioning};
use crate::observe::{Drift, compare_with_inventory};
use crate::state::{Batch, Mark, Row, With};

/// Evidence older than this is read back again before it counts.
const FRESH_MS: i64 = 24 * 3600 * 1000;
/// More differences than this, and the world is not the one that was planned.
const DRIFT: usize = 100_000;
/// Times that deletes without an answer are sent, before they are left to the next apply.
const ROUNDS: u32 = 6;
/// The pause before they are sent again; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Objects that are named one by one.
const NAMED: u64 = 100;
/// Rows whose deletes are settled together.
const SETTLED: usize = 10_000;

pub(super) async fn run(work: &Arc<Work>, action: &Action) -> Result<End, Trouble> {
    let counts = blocking(|| work.state.counts(work.name()))?;
    if counts.delete_sent.objects > counts.deleted.objects {
        // Some may be gone already: their files are the only copies now, and not to be fetched
        // anew.
        look_again(work, action).await?;
    }
    let now_ms = work.clock.now().as_millisecond();
    verify::read_again(work, action, now_ms - FRESH_MS).await?;
    let eraser = Eraser::new(work, action)?;
    eraser.check_versioning().await?;
    let mut deleter = Deleter {
        work,
        action,
        eraser,
        moved: BTreeSet::new(),
        tally: Tally::default(),
        rounds_left: ROUNDS,
    };
    let mut pause = PAUSE;
    loop {
        deleter.begin_round().await?;
        // Data first, markers last: a marker that goes first brings an old version back to life.
        deleter.delete_data().await?;
        deleter.delete_markers().await?;
        if deleter.tally.unknown == 0 || deleter.rounds_left == 0 {
            return Ok(deleter.end());
        }
        // What S3 gave no answer for is looked up, and asked for again where it still stands.
        tokio::select! {
            () = work.clock.sleep(pause) => {}
            () = work.stop.wait() => return Err(Trouble::Ends(End::Parked)),
        }
        pause *= 2;
    }
}

#[derive(Default)]
struct Tally {
    objects: u64,
    bytes: u64,
    moved: u64,
    held: u64,
    denied: u64,
    unknown: u64,
    /// Objects that were named one by one.
    named: u64,
    example: Option<String>,
}

struct Deleter<'a> {
    work: &'a Arc<Work>,
    action: &'a Action,
    eraser: Eraser<'a>,
    /// Rows whose objects are not what they were: left alone.
    moved: BTreeSet<Number>,
    tally: Tally,
    /// After this one.
    rounds_left: u32,
}

/// What the inventory has of one key. Of its versions, which can be many, none is kept.
#[derive(Default)]
struct OneKey {
    key: String,
    markers: Vec<Row>,
    /// Whether a version that is no marker is still there.
    data_stays: bool,
}

impl OneKey {
    fn see(&mut self, row: Row) {
        if row.object.delete_marker {
            self.markers.push(row);
        } else {
            self.data_stays |= !row.marks.has(Mark::Deleted);
        }
    }
}

/// What one more listing showed.
#[derive(Default)]
struct Look {
    /// Rows whose objects are not what they were.
    moved: BTreeSet<Number>,
    /// Rows and keys under which a delete of ours left a marker that should have followed it.
    leftovers: Vec<(Number, String)>,
}

/// Lists the bucket once more: gives what is not what it was, and settles deletes whose answers
/// were lost.
async fn look_again(work: &Work, action: &Action) -> Result<Look, Trouble> {
    let mut look = Look::default();
    let mut named = 0;
    let mut batch = Batch::new();
    compare_with_inventory::<Trouble>(
        &work.door,
        &work.state,
        work.name(),
        work.bucket.versioning,
        |drift| {
            let (key, version_id, why) = match drift {
                Drift::New(now) => (now.key, now.version_id, "new since the plan was made"),
                Drift::Changed { then, now } if is_our_marker(work, &then, &now) => {
                    look.leftovers.push((then.number, now.key));
                    return Ok(());
                }
                Drift::Changed { then, now } => {
                    look.moved.insert(then.number);
                    let why = match then.marks.has(Mark::Deleted) {
                        true => "there again after it was deleted",
                        false => "changed since it was proven",
                    };
                    (now.key, now.version_id, why)
                }
                Drift::Missing(row) => {
                    if row.marks.has(Mark::Deleted) {
                        return Ok(());
                    }
                    if row.marks.has(Mark::DeleteSent) {
                        // Ours: the answer was lost, the effect is seen.
                        batch.mark(work.name(), row.number, Mark::Deleted);
                        if batch.len() >= SETTLED {
                            settle(work, action, std::mem::take(&mut batch))?;
                        }
                        return Ok(());
                    }
                    look.moved.insert(row.number);
                    (row.object.key, row.object.version_id, "gone, and not by this plan")
                }
            };
            if look.moved.len() > DRIFT {
                return Err(Trouble::Ends(End::Stale(format!(
                    "more than {DRIFT} objects are not what they were when they were proven"
                ))));
            }
            named += 1;
            if named <= NAMED {
                let bucket = work.name().clone();
                let fact = Fact::LeftAlone { bucket, key, version_id, why: why.to_owned() };
                blocking(|| work.recorder.record(fact))?;
            }
            Ok(())
        },
    )
    .await?;
    settle(work, action, batch)?;
    Ok(look)
}

/// Records deletes whose effect was seen and whose answers were lost: a mark in the batch for each.
fn settle(work: &Work, action: &Action, marks: Batch) -> Result<(), Trouble> {
    work.audit_seen(action, "DeleteObjects", marks.len() as u64)?;
    blocking(|| work.state.commit(marks))?;
    Ok(())
}

/// Whether a delete of ours put this marker in place of the `null` version that it deleted.
fn is_our_marker(work: &Work, then: &Row, now: &ObjectVersion) -> bool {
    work.bucket.versioning == Versioning::Suspended
        && now.delete_marker
        && now.version_id.as_deref() == Some("null")
        && !then.object.delete_marker
        && then.marks.has(Mark::DeleteSent)
        && !then.marks.has(Mark::Deleted)
}

impl Deleter<'_> {
    /// Lists the bucket once more, and removes the markers that deletes of ours left behind.
    async fn begin_round(&mut self) -> Result<(), Trouble> {
        let work = self.work;
        self.rounds_left -= 1;
        self.tally = Tally::default();
        let look = look_again(work, self.action).await?;
        self.moved = look.moved;
        for (number, key) in &look.leftovers {
            self.eraser.erase_null_marker(key).await?;
            let mut batch = Batch::new();
            batch.mark(work.name(), *number, Mark::Deleted);
            settle(work, self.action, batch)?;
        }
        Ok(())
    }

    async fn delete_data(&mut self) -> Result<(), Trouble> {
        let mut together = Vec::new();
        let mut from = 0;
        loop {
            let page = self.work.page(from, With::Rows)?;
            let Some(last) = page.last() else { break };
            from = last.number + 1;
            for row in page {
                if row.marks.has(Mark::Deleted) {
                    if !row.object.delete_marker {
                        self.count(&row);
                    }
                } else if is_deletable(self.work, &row) {
                    self.take(row, &mut together).await?;
                } else if self.work.selection.takes(&row.object) {
                    let why = why_kept(self.work, &row).unwrap_or("it is not part of the evidence");
                    self.name(&row, format!("kept: {why}"))?;
                }
            }
        }
        self.send(together).await
    }

    /// Deletes the markers of keys of which nothing else is left: without its marker, a version
    /// that stays would come back to life.
    async fn delete_markers(&mut self) -> Result<(), Trouble> {
        let mut together = Vec::new();
        let mut of_key = OneKey::default();
        let mut from = 0;
        loop {
            let page = self.work.page(from, With::Rows)?;
            let Some(last) = page.last() else { break };
            from = last.number + 1;
            for row in page {
                if of_key.key != row.object.key {
                    self.take_markers(std::mem::take(&mut of_key), &mut together).await?;
                    of_key.key.clone_from(&row.object.key);
                }
                of_key.see(row);
            }
        }
        self.take_markers(of_key, &mut together).await?;
        self.send(together).await
    }

    async fn take_markers(
        &mut self,
        of_key: OneKey,
        together: &mut Vec<Row>,
    ) -> Result<(), Trouble> {
        for row in of_key.markers {
            if !self.work.selection.takes_marker(&row.object) {
                continue;
            }
            if row.marks.has(Mark::Deleted) {
                self.count(&row);
            } else if !of_key.data_stays {
                self.take(row, together).await?;
            } else {
                self.name(
                    &row,
                    "kept: without this marker a version that stays would show".into(),
                )?;
            }
        }
        Ok(())
    }

    /// Adds a row to the next request, which leaves once it is full.
    async fn take(&mut self, row: Row, together: &mut Vec<Row>) -> Result<(), Trouble> {
        if self.moved.contains(&row.number) {
            // Named already, when it was listed.
            self.tally.moved += 1;
            self.tally.example.get_or_insert(row.object.key);
            return Ok(());
        }
        together.push(row);
        match together.len() >= BATCH {
            true => self.send(std::mem::take(together)).await,
            false => Ok(()),
        }
    }

    fn count(&mut self, row: &Row) {
        self.tally.objects += 1;
        self.tally.bytes += row.object.size;
    }

    fn name(&mut self, row: &Row, why: String) -> Result<(), Trouble> {
        self.tally.named += 1;
        if self.tally.named <= NAMED {
            let bucket = self.work.name().clone();
            let (key, version_id) = (row.object.key.clone(), row.object.version_id.clone());
            let fact = Fact::LeftAlone { bucket, key, version_id, why };
            blocking(|| self.work.recorder.record(fact))?;
        }
        Ok(())
    }

    async fn send(&mut self, rows: Vec<Row>) -> Result<(), Trouble> {
        let work = self.work;
        work.unless_stopped()?;
        if rows.is_empty() {
            return Ok(());
        }
        if self.tally.objects + rows.len() as u64 > self.action.objects {
            return Err(Trouble::Ends(End::Stale(format!(
                "more objects are to be deleted than the {} that the plan allows",
                self.action.objects
            ))));
        }
        let mut intent = Batch::new();
        for row in &rows {
            intent.mark(work.name(), row.number, Mark::DeleteSent);
        }
        blocking(|| work.state.commit(intent))?;
        let erased = self.eraser.erase(&rows).await?;

        let mut batch = Batch::new();
        for (row, outcome) in rows.into_iter().zip(erased.outcomes) {
            match outcome {
                outcome if self.rounds_left > 0 && self.is_a_question(&row, &outcome) => {
                    // It stays marked as sent; said only once nothing more is tried.
                    self.tally.unknown += 1;
                }
                Deletion::Deleted { .. } => {
                    batch.mark(work.name(), row.number, Mark::Deleted);
                    self.count(&row);
                }
                Deletion::Gone => {
                    // Present in the listing above, and ours to delete: our own earlier request.
                    batch.mark(work.name(), row.number, Mark::Deleted);
                    self.count(&row);
                }
                other => {
                    if !matches!(other, Deletion::Unknown(_)) {
                        batch.unmark(work.name(), row.number, Mark::DeleteSent);
                    }
                    self.leave(&row, other)?;
                }
            }
        }
        blocking(|| work.state.commit(batch))?;
        work.tick(self.action, self.tally.objects, self.tally.bytes)?;
        match erased.versioning_moved {
            false => Ok(()),
            true => Err(Trouble::Ends(End::Stale(
                "versioning was switched on while objects were deleted; what only hid behind new \
                 delete markers is back"
                    .into(),
            ))),
        }
    }

    /// Whether only another listing can tell what became of a delete: because S3 did not say, or
    /// because an answer was lost and the delete sent again, so that the second request met the
    /// marker that the first one left.
    fn is_a_question(&self, row: &Row, outcome: &Deletion) -> bool {
        let leaves_marker = self.work.bucket.versioning == Versioning::Suspended
            && row.object.standing == Standing::Current
            && row.object.version_id.as_deref() == Some("null")
            && !row.object.delete_marker;
        match outcome {
            Deletion::Unknown(_) => true,
            Deletion::Changed | Deletion::Gone | Deletion::Deleted { marker: None, .. } => {
                leaves_marker
            }
            _ => false,
        }
    }

    /// Counts and names an object that stays.
    fn leave(&mut self, row: &Row, outcome: Deletion) -> Result<(), Trouble> {
        let tally = &mut self.tally;
        let (count, why) = match outcome {
            Deletion::Held(words) => (&mut tally.held, format!("held by Object Lock: {words}")),
            Deletion::Denied(words) => {
                (&mut tally.denied, format!("S3 refused the delete: {words}"))
            }
            Deletion::Unknown(words) => {
                (&mut tally.unknown, format!("S3 did not say what became of the delete: {words}"))
            }
            _ => (&mut tally.moved, "changed since it was proven".to_owned()),
        };
        *count += 1;
        tally.example.get_or_insert_with(|| row.object.key.clone());
        self.name(row, why)
    }

    fn end(self) -> End {
        let Tally { objects, bytes, moved, held, denied, unknown, example, .. } = self.tally;
        let example = example.map(|key| format!(" (for example {key:?})")).unwrap_or_default();
        if moved > 0 {
            return End::Stale(format!(
                "{moved} objects are not what was proven and were left alone{example}"
            ));
        }
        if held + denied + unknown > 0 {
            return End::Failed(format!(
                "{} objects could not be deleted{example}: {held} held, {denied} refused, \
                 {unknown} without an answer; the same command tries again",
                held + denied + unknown
            ));
        }
        End::Done { objects, bytes }
    }
}
