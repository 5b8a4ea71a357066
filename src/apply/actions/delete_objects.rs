//! `delete-objects`: deletes exactly what was proven and approved, each under its own condition.
//!
//! Before the first delete: the evidence is gathered anew and must be the approved one, files that
//! were read back more than a day ago are read again, and the bucket is listed once more. What is
//! new or changed is left alone and named. "Sent" is recorded before each request and "deleted"
//! after it, so that a lost answer is a question to the next listing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::{approve, verify};
use crate::apply::end::{End, Trouble};
use crate::apply::evidence::{gather, is_deletable};
use crate::apply::work::{Work, blocking};
use crate::aws::{Condition, DeleteTarget, Deletion, ErrorKind};
use crate::event::{DeleteForm, Fact};
use crate::model::{Action, Endpoint, Number, Versioning};
use crate::observe::{Drift, compare_with_inventory};
use crate::proof::Evidence;
use crate::state::{Batch, Mark, Row, With};

/// Evidence older than this is read back again before it counts.
const FRESH_MS: i64 = 24 * 3600 * 1000;
/// Deletes in one request. Source: S3 API Reference, DeleteObjects.
const BATCH: usize = 1000;
/// More differences than this, and the world is not the one that was planned.
const DRIFT: usize = 100_000;
/// Times that deletes without an answer are sent, before they are left to the next apply.
const ROUNDS: u32 = 6;
/// The pause before they are sent again; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Objects that are named one by one.
const NAMED: u64 = 100;

pub(super) async fn run(work: &Arc<Work>, action: &Action) -> Result<End, Trouble> {
    let now_ms = work.clock.now().as_millisecond();
    verify::read_again(work, action, now_ms - FRESH_MS).await?;
    let evidence = blocking(|| gather(work))?;
    if approve::find(work, evidence.id())?.is_none() {
        return Ok(End::Refused(format!(
            "what is proven now ({}) is not what was approved; nothing was deleted, and the next \
             plan asks anew",
            evidence.id()
        )));
    }
    let mut deleter = Deleter {
        work,
        action,
        evidence: &evidence,
        form: form(work)?,
        moved: look_again(work, action).await?,
        tally: Tally::default(),
        rounds_left: ROUNDS,
    };
    let mut pause = PAUSE;
    loop {
        deleter.rounds_left -= 1;
        deleter.tally = Tally::default();
        // Data first, markers last: a marker that goes first brings an old version back to life.
        deleter.delete_all(Pass::Data).await?;
        deleter.delete_all(Pass::Markers).await?;
        if deleter.tally.unknown == 0 || deleter.rounds_left == 0 {
            return Ok(deleter.end());
        }
        // What S3 gave no answer for is looked up, and asked for again where it still stands.
        tokio::select! {
            () = work.clock.sleep(pause) => {}
            () = work.stop.wait() => return Err(Trouble::Ends(End::Parked)),
        }
        pause *= 2;
        deleter.moved = look_again(work, action).await?;
    }
}

/// Which rows a pass over the inventory takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Data,
    Markers,
}

#[derive(Default)]
struct Tally {
    objects: u64,
    bytes: u64,
    moved: u64,
    held: u64,
    denied: u64,
    unknown: u64,
    example: Option<String>,
}

struct Deleter<'a> {
    work: &'a Arc<Work>,
    action: &'a Action,
    /// Only the verifier can make one; deleting is not possible without.
    evidence: &'a Evidence,
    form: DeleteForm,
    /// Rows whose objects are not what they were: left alone.
    moved: BTreeSet<Number>,
    tally: Tally,
    /// After this one.
    rounds_left: u32,
}

/// The form of delete that this bucket's server honours.
fn form(work: &Work) -> Result<DeleteForm, Trouble> {
    if work.plan.body.endpoint == Endpoint::Aws || work.bucket.versioning == Versioning::Enabled {
        return Ok(DeleteForm::Batch);
    }
    let mut found = None;
    let mut after = 0;
    loop {
        let page = blocking(|| work.state.facts(work.recorder.run(), after, 1000))?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for event in page {
            if let Fact::DeleteFormFound { bucket, form } = event.fact
                && &bucket == work.name()
            {
                found = Some(form);
            }
        }
    }
    found.ok_or_else(|| {
        Trouble::Ends(End::Refused(
            "it was not found out whether this server honours conditional deletes".into(),
        ))
    })
}

/// Lists the bucket once more: gives what is not what it was, and settles deletes whose answers
/// were lost.
async fn look_again(work: &Work, action: &Action) -> Result<BTreeSet<Number>, Trouble> {
    let mut moved = BTreeSet::new();
    let mut markers = Vec::new();
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
                Drift::Changed { number, now } => {
                    if now.delete_marker && was_sent(work, number)? {
                        markers.push((number, now));
                        return Ok(());
                    }
                    moved.insert(number);
                    (now.key, now.version_id, "changed since it was proven")
                }
                Drift::Missing(row) => {
                    if row.marks.has(Mark::Deleted) {
                        return Ok(());
                    }
                    if row.marks.has(Mark::DeleteSent) {
                        // Ours: the answer was lost, the effect is seen.
                        batch.mark(work.name(), row.number, Mark::Deleted);
                        return Ok(());
                    }
                    moved.insert(row.number);
                    (row.object.key, row.object.version_id, "gone, and not by this plan")
                }
            };
            if moved.len() > DRIFT {
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
    // Killed between the delete of a `null` version and that of the marker which it leaves.
    for (number, marker) in markers {
        let version_id = marker.version_id.or_else(|| Some("null".to_owned()));
        let target = DeleteTarget { key: marker.key, version_id, etag: None };
        work.door.delete_one(&target, Condition::IfMatch).await?;
        work.audit(action, "DeleteObject", 1, None)?;
        batch.mark(work.name(), number, Mark::Deleted);
    }
    blocking(|| work.state.commit(batch))?;
    Ok(moved)
}

/// Whether the delete of a row's object left, and its answer is not known.
fn was_sent(work: &Work, number: Number) -> Result<bool, Trouble> {
    let row = blocking(|| work.state.row(work.name(), number))?;
    Ok(row.is_some_and(|row| row.marks.has(Mark::DeleteSent) && !row.marks.has(Mark::Deleted)))
}

impl Deleter<'_> {
    async fn delete_all(&mut self, pass: Pass) -> Result<(), Trouble> {
        let mut together = Vec::new();
        let mut from = 0;
        loop {
            let page = self.work.page(from, With::Rows)?;
            let Some(last) = page.last() else { break };
            from = last.number + 1;
            for row in page {
                let mine = match pass {
                    Pass::Data => is_deletable(self.work, &row),
                    Pass::Markers => self.work.selection.takes_marker(&row.object),
                };
                if !mine {
                    continue;
                }
                if row.marks.has(Mark::Deleted) {
                    self.count(&row);
                } else if self.moved.contains(&row.number) {
                    self.tally.moved += 1;
                    self.tally.example.get_or_insert(row.object.key);
                } else {
                    together.push(row);
                }
                if together.len() >= BATCH {
                    self.send(std::mem::take(&mut together)).await?;
                }
            }
        }
        self.send(together).await
    }

    fn count(&mut self, row: &Row) {
        self.tally.objects += 1;
        self.tally.bytes += row.object.size;
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
        let outcomes = self.ask(&rows).await?;

        let mut batch = Batch::new();
        let mut confirmed: std::collections::BTreeMap<String, u64> =
            std::collections::BTreeMap::new();
        let mut left = Vec::new();
        for (row, outcome) in rows.into_iter().zip(outcomes) {
            match outcome {
                Deletion::Deleted { request_id, .. } => {
                    *confirmed.entry(request_id).or_default() += 1;
                    batch.mark(work.name(), row.number, Mark::Deleted);
                    self.count(&row);
                }
                Deletion::Gone if self.leaves_marker(&row) && self.rounds_left > 0 => {
                    left.push((row, Deletion::Changed));
                }
                Deletion::Gone => {
                    // Present in the listing above, and ours to delete: our own earlier request.
                    batch.mark(work.name(), row.number, Mark::Deleted);
                    self.count(&row);
                }
                other => left.push((row, other)),
            }
        }
        for (row, outcome) in left {
            if self.rounds_left > 0 && self.may_be_ours(&row, &outcome) {
                // Said only once nothing more is tried.
                self.tally.unknown += 1;
                continue;
            }
            let (why, sent) = match outcome {
                Deletion::Held(words) => {
                    self.tally.held += 1;
                    (format!("held by Object Lock: {words}"), false)
                }
                Deletion::Denied(words) => {
                    self.tally.denied += 1;
                    (format!("S3 refused the delete: {words}"), false)
                }
                Deletion::Unknown(words) => {
                    self.tally.unknown += 1;
                    (format!("S3 did not say what became of the delete: {words}"), true)
                }
                _ => {
                    self.tally.moved += 1;
                    ("changed since it was proven".to_owned(), false)
                }
            };
            if !sent {
                batch.unmark(work.name(), row.number, Mark::DeleteSent);
            }
            self.tally.example.get_or_insert_with(|| row.object.key.clone());
            let bucket = work.name().clone();
            let (key, version_id) = (row.object.key, row.object.version_id);
            let fact = Fact::LeftAlone { bucket, key, version_id, why };
            blocking(|| work.recorder.record(fact))?;
        }
        blocking(|| work.state.commit(batch))?;
        for (request_id, count) in confirmed {
            let id = Some(request_id).filter(|id| !id.is_empty());
            work.audit_under(self.action, "DeleteObjects", count, id, self.evidence.id())?;
        }
        work.tick(self.action, self.tally.objects, self.tally.bytes).map_err(Trouble::from)
    }

    /// Whether a delete whose answer was lost, and which was then sent again, may look like this.
    fn may_be_ours(&self, row: &Row, outcome: &Deletion) -> bool {
        match outcome {
            Deletion::Unknown(_) => true,
            // Not the object that we knew: perhaps only the marker that our first request left.
            Deletion::Changed => self.leaves_marker(row),
            _ => false,
        }
    }

    /// Whether deleting a row's object puts a marker in its place.
    fn leaves_marker(&self, row: &Row) -> bool {
        self.work.bucket.versioning == Versioning::Suspended && self.target(row).etag.is_some()
    }

    /// Sends the deletes of these rows, in the form that the server honours.
    async fn ask(&self, rows: &[Row]) -> Result<Vec<Deletion>, Trouble> {
        let targets: Vec<DeleteTarget> = rows.iter().map(|row| self.target(row)).collect();
        let together = |target: &DeleteTarget| {
            target.fits_xml() && (self.form == DeleteForm::Batch || target.etag.is_none())
        };
        let batch: Vec<DeleteTarget> = targets.iter().filter(|t| together(t)).cloned().collect();
        let mut answers = self.work.door.delete_batch(&batch).await?.into_iter();
        let mut outcomes = Vec::with_capacity(rows.len());
        for (row, target) in rows.iter().zip(&targets) {
            let outcome = if together(target) {
                answers.next().unwrap_or_else(|| Deletion::Unknown("no answer".into()))
            } else {
                self.ask_one(row, target).await?
            };
            outcomes.push(self.follow_up(row, outcome).await?);
        }
        Ok(outcomes)
    }

    async fn ask_one(&self, row: &Row, target: &DeleteTarget) -> Result<Deletion, Trouble> {
        if self.form != DeleteForm::CompareFirst || target.version_id.is_some() {
            return Ok(self.work.door.delete_one(target, Condition::IfMatch).await?);
        }
        match self.work.door.head(&target.key, None, Some(&row.object.etag)).await {
            Ok(head) if head.size == row.object.size => {}
            Ok(_) => return Ok(Deletion::Changed),
            Err(error) if *error.kind() == ErrorKind::Changed => return Ok(Deletion::Changed),
            Err(error) if *error.kind() == ErrorKind::NoSuchKey => return Ok(Deletion::Gone),
            Err(error) => return Err(error.into()),
        }
        Ok(self.work.door.delete_one(target, Condition::Unconditional).await?)
    }

    /// Versions go by their id, which never names another object; a key that can be overwritten in
    /// place (`null`, or no versions at all) goes by its ETag.
    fn target(&self, row: &Row) -> DeleteTarget {
        let object = &row.object;
        let in_place = !object.delete_marker
            && match object.version_id.as_deref() {
                None => true,
                Some("null") => self.work.bucket.versioning == Versioning::Suspended,
                Some(_) => false,
            };
        DeleteTarget {
            key: object.key.clone(),
            version_id: object.version_id.clone().filter(|_| !in_place),
            etag: in_place.then(|| object.etag.clone()),
        }
    }

    /// Deleting the current `null` version by its key leaves a marker, which goes by its id.
    async fn follow_up(&self, row: &Row, outcome: Deletion) -> Result<Deletion, Trouble> {
        let Deletion::Deleted { marker: Some(marker), .. } = &outcome else { return Ok(outcome) };
        let target = DeleteTarget {
            key: row.object.key.clone(),
            version_id: Some(marker.clone()),
            etag: None,
        };
        self.work.door.delete_one(&target, Condition::IfMatch).await?;
        self.work.audit(self.action, "DeleteObject", 1, None)?;
        Ok(outcome)
    }

    fn end(self) -> End {
        let Tally { objects, bytes, moved, held, denied, unknown, example } = self.tally;
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
