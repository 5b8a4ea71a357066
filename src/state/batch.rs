//! Changes that become durable together.
//!
//! One transaction, one sync, for as many changes as a caller gathers: what belongs together
//! (an outcome and the marks it explains) can never be torn apart.

use std::collections::HashMap;

use jiff::Timestamp;
use redb::WriteTransaction;

use super::bits::{Bit, Bits};
use super::buckets::Retired;
use super::error::StateError;
use super::inventory::Inventory;
use super::journal::{self, Approval, Intent};
use super::pack;
use super::row::{Counts, Mark, Readback, Stored};
use super::table::{
    self, APPROVALS, COUNTS, FAILURES, Fault, HEADERS, INTENTS, INVENTORIES, MARKS, META, OBJECTS,
    RETIRED, STORED, WriteRows, row_key, text_key_and,
};
use super::{Care, State};
use crate::event::{Event, Fact};
use crate::model::{BucketName, Number, ObjectHeaders};

/// Changes gathered for one [`State::commit`], in the order in which they are to be made.
#[derive(Debug, Default)]
pub struct Batch {
    changes: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Row { bucket: BucketName, number: Number, to: RowChange },
    Fact { run: String, fact: Fact, at: Timestamp },
    Intent(Intent),
    Outcome(u64),
    Approval(Approval),
    Retired(Retired),
}

#[derive(Debug)]
enum RowChange {
    Stored(Box<Stored>),
    NotStored,
    ReadBack(Readback),
    Headers(Box<ObjectHeaders>),
    Mark(Mark),
    Unmark(Mark),
    Failed(String),
    NotFailed,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The object's bytes are on disk and proven. It is another file now: takes back
    /// [`Mark::Sealed`], [`Mark::Misfit`], and [`Mark::ReadBack`] unless `stored` says when it was
    /// read back.
    pub fn store(&mut self, bucket: &BucketName, number: Number, stored: Stored) -> &mut Self {
        self.row(bucket, number, RowChange::Stored(Box::new(stored)))
    }

    /// The object's file is gone or no longer what it was: takes back all that rests on it.
    pub fn unstore(&mut self, bucket: &BucketName, number: Number) -> &mut Self {
        self.row(bucket, number, RowChange::NotStored)
    }

    /// The object's file was read back and found equal. Sets [`Mark::ReadBack`].
    pub fn read_back(&mut self, bucket: &BucketName, number: Number, how: Readback) -> &mut Self {
        self.row(bucket, number, RowChange::ReadBack(how))
    }

    /// What HEAD or GET said of the object.
    pub fn headers(
        &mut self,
        bucket: &BucketName,
        number: Number,
        headers: ObjectHeaders,
    ) -> &mut Self {
        self.row(bucket, number, RowChange::Headers(Box::new(headers)))
    }

    /// The object got so far.
    pub fn mark(&mut self, bucket: &BucketName, number: Number, mark: Mark) -> &mut Self {
        self.row(bucket, number, RowChange::Mark(mark))
    }

    /// It did not, after all.
    pub fn unmark(&mut self, bucket: &BucketName, number: Number, mark: Mark) -> &mut Self {
        self.row(bucket, number, RowChange::Unmark(mark))
    }

    /// The object failed; `why` is for people.
    pub fn fail(
        &mut self,
        bucket: &BucketName,
        number: Number,
        why: impl Into<String>,
    ) -> &mut Self {
        self.row(bucket, number, RowChange::Failed(why.into()))
    }

    /// The object's failure is overcome.
    pub fn clear_failure(&mut self, bucket: &BucketName, number: Number) -> &mut Self {
        self.row(bucket, number, RowChange::NotFailed)
    }

    /// Something happened in a run. [`State::commit`] returns it as an [`Event`].
    pub fn fact(&mut self, run: &str, fact: Fact, at: Timestamp) -> &mut Self {
        self.push(Change::Fact { run: run.to_owned(), fact, at })
    }

    /// A mutating request is about to leave.
    pub fn intent(&mut self, intent: Intent) -> &mut Self {
        self.push(Change::Intent(intent))
    }

    /// The outcome of an intent is known, and recorded by the rest of this batch.
    pub fn outcome(&mut self, intent: u64) -> &mut Self {
        self.push(Change::Outcome(intent))
    }

    /// A person approved exactly this evidence.
    pub fn approval(&mut self, approval: Approval) -> &mut Self {
        self.push(Change::Approval(approval))
    }

    /// A bucket was deleted as planned.
    pub fn retire(&mut self, retired: Retired) -> &mut Self {
        self.push(Change::Retired(retired))
    }

    fn row(&mut self, bucket: &BucketName, number: Number, to: RowChange) -> &mut Self {
        self.push(Change::Row { bucket: bucket.clone(), number, to })
    }

    fn push(&mut self, change: Change) -> &mut Self {
        self.changes.push(change);
        self
    }

    /// Whether it precedes something that cannot be taken back.
    fn care(&self) -> Care {
        let weighty = |change: &Change| matches!(change, Change::Intent(_) | Change::Approval(_));
        if self.changes.iter().any(weighty) { Care::TwoPhase } else { Care::Usual }
    }
}

impl State {
    /// Makes a batch durable, all of it or nothing. Returns its facts as events, numbered in order.
    ///
    /// # Errors
    /// [`StateError::NotKept`] where a row or a bucket's inventory does not exist: nothing of the
    /// batch was done, and the handle is still good. After any other error the handle is closed,
    /// and whether the batch is durable is known only after opening again.
    pub fn commit(&self, batch: Batch) -> Result<Vec<Event>, StateError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let care = batch.care();
        self.write(care, |tx| {
            let mut rows = None;
            let mut events = Vec::new();
            let mut facts = Vec::new();
            for change in batch.changes {
                match change {
                    Change::Row { bucket, number, to } => {
                        let rows = match &mut rows {
                            Some(rows) => rows,
                            None => rows.insert(Rows::open(tx)?),
                        };
                        rows.change(&bucket, number, to)?;
                    }
                    Change::Fact { run, fact, at } => facts.push((run, fact, at)),
                    Change::Intent(intent) => {
                        let id = intent.id;
                        table::write(tx, INTENTS)?.put_json(&id.to_be_bytes(), &intent)?;
                        let mut meta = table::write(tx, META)?;
                        let last = meta.json::<u64>(b"last-intent")?.unwrap_or(0);
                        meta.put_json(b"last-intent", &last.max(id))?;
                    }
                    Change::Outcome(id) => {
                        table::write(tx, INTENTS)?.remove(&id.to_be_bytes())?;
                    }
                    Change::Approval(approval) => {
                        let evidence = approval.evidence.as_str().as_bytes();
                        let key = text_key_and(approval.bucket.as_str(), evidence);
                        table::write(tx, APPROVALS)?.put_json(&key, &approval)?;
                    }
                    Change::Retired(retired) => {
                        let key = retired.bucket.as_str().as_bytes();
                        table::write(tx, RETIRED)?.put_json(key, &retired)?;
                    }
                }
            }
            rows.map_or(Ok(()), Rows::save)?;
            if !facts.is_empty() {
                journal::append_in(tx, facts, &mut events)?;
            }
            Ok(events)
        })
    }
}

/// The tables of rows, open for one transaction.
struct Rows<'t> {
    inventories: WriteRows<'t>,
    objects: WriteRows<'t>,
    stored: WriteRows<'t>,
    headers: WriteRows<'t>,
    failures: WriteRows<'t>,
    marks: WriteRows<'t>,
    counts: WriteRows<'t>,
    bits: Bits,
    /// The buckets met so far: their inventories and sums.
    known: HashMap<BucketName, (Inventory, Counts)>,
}

impl<'t> Rows<'t> {
    fn open(tx: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            inventories: table::write(tx, INVENTORIES)?,
            objects: table::write(tx, OBJECTS)?,
            stored: table::write(tx, STORED)?,
            headers: table::write(tx, HEADERS)?,
            failures: table::write(tx, FAILURES)?,
            marks: table::write(tx, MARKS)?,
            counts: table::write(tx, COUNTS)?,
            bits: Bits::default(),
            known: HashMap::new(),
        })
    }

    fn change(&mut self, bucket: &BucketName, number: Number, to: RowChange) -> Result<(), Fault> {
        if !self.known.contains_key(bucket) {
            let inventory: Inventory = self
                .inventories
                .json(bucket.as_str().as_bytes())?
                .ok_or_else(|| not_kept(format!("inventory of {bucket}")))?;
            let counts = self.counts.json(&inventory.generation.to_be_bytes())?;
            self.known.insert(bucket.clone(), (inventory, counts.unwrap_or_default()));
        }
        let Some((inventory, counts)) = self.known.get_mut(bucket) else { return Ok(()) };
        let generation = inventory.generation;
        let key = row_key(generation, number);
        let object = self.objects.look(&key, |body| {
            let (key, _, size) = pack::peek_object(body)?;
            Ok((key.to_owned(), size))
        })?;
        let (name, bytes) =
            object.ok_or_else(|| not_kept(format!("row {number} in the inventory of {bucket}")))?;
        let mut set = |mark: Mark, on: bool, counts: &mut Counts| -> Result<(), Fault> {
            if self.bits.set(&self.marks, generation, Bit::Mark(mark), number, on)? {
                let tally = counts.of_mut(mark);
                if on { tally.add(bytes) } else { tally.take(bytes) }
            }
            Ok(())
        };
        match to {
            RowChange::Stored(stored) => {
                if let Some(size) = self.stored.look(&key, pack::peek_stored)? {
                    counts.stored.take(size);
                }
                self.stored.put(&key, &pack::pack_stored(&stored, &name)?)?;
                counts.stored.add(stored.size);
                set(Mark::ReadBack, stored.readback.is_some(), counts)?;
                set(Mark::Sealed, false, counts)?;
                set(Mark::Misfit, false, counts)?;
            }
            RowChange::NotStored => {
                if let Some(size) = self.stored.look(&key, pack::peek_stored)? {
                    counts.stored.take(size);
                    self.stored.remove(&key)?;
                }
                set(Mark::ReadBack, false, counts)?;
                set(Mark::Sealed, false, counts)?;
            }
            RowChange::ReadBack(how) => {
                let mut stored =
                    self.stored
                        .look(&key, |body| pack::unpack_stored(body, &name))?
                        .ok_or_else(|| not_kept(format!("file for {name:?} of {bucket}")))?;
                stored.readback = Some(how);
                self.stored.put(&key, &pack::pack_stored(&stored, &name)?)?;
                set(Mark::ReadBack, true, counts)?;
            }
            RowChange::Headers(headers) => {
                if !self.headers.put(&key, &pack::pack_headers(&headers)?)? {
                    counts.headers += 1;
                }
            }
            RowChange::Mark(mark) => set(mark, true, counts)?,
            RowChange::Unmark(mark) => set(mark, false, counts)?,
            RowChange::Failed(why) => {
                if !self.failures.put(&key, why.as_bytes())? {
                    counts.failed += 1;
                }
            }
            RowChange::NotFailed => {
                if self.failures.remove(&key)? {
                    counts.failed = counts.failed.saturating_sub(1);
                }
            }
        }
        Ok(())
    }

    fn save(mut self) -> Result<(), Fault> {
        self.bits.save(&mut self.marks)?;
        for (inventory, counts) in self.known.values() {
            self.counts.put_json(&inventory.generation.to_be_bytes(), counts)?;
        }
        Ok(())
    }
}

fn not_kept(what: String) -> Fault {
    StateError::NotKept { what }.into()
}
