//! Writing a bucket's inventory from its listing, and carrying over what earlier runs achieved.
//!
//! A listing becomes a *generation* of rows. Until it is complete it belongs to no bucket, so that
//! a kill in between leaves the old inventory as it was; the step from one to the next is a single
//! transaction. As long as a listing repeats the old one row for row nothing is written at all:
//! planning twice costs reading.

use std::mem;

use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::bits::{self, Bit, Bits, NumberSet};
use super::cursor::RowCursor;
use super::digest::InventoryDigest;
use super::error::StateError;
use super::journal::{Intent, Subject};
use super::merge::Merge;
use super::pack;
use super::row::{Counts, Mark, Marks, Stored, Tally, With};
use super::rows;
use super::table::{
    self, COUNTS, FAILURES, Fault, HEADERS, INTENTS, INVENTORIES, LOOSE, MARKS, META, OBJECTS,
    STORED, row_key,
};
use super::{Care, ROWS_A_COMMIT, State, held};
use crate::model::{BucketName, Number, ObjectHeaders, ObjectVersion};

/// One bucket's complete listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Which set of rows; a number that is never used again.
    pub generation: u64,
    /// SHA-256 over the listing, 64 hex digits; see [`InventoryDigest`].
    pub digest: String,
    /// Object versions, without delete markers.
    pub objects: u64,
    /// Delete markers.
    pub delete_markers: u64,
    /// Bytes of all object versions.
    pub bytes: u64,
    /// When the listing was finished, in milliseconds since the Unix epoch.
    pub listed_at_ms: i64,
    /// Whether an archive of this bucket was ever begun, whatever the listing shows now: a place
    /// that is empty then is no new one.
    #[serde(default)]
    pub archived: bool,
}

impl Inventory {
    /// How many rows it has; their numbers run from 0 up to this.
    pub fn rows(&self) -> u64 {
        self.objects + self.delete_markers
    }
}

impl State {
    /// Begins a new inventory of a bucket. The old one stays until [`InventoryWriter::finish`].
    ///
    /// # Errors
    /// Where the file cannot be read or written.
    pub fn begin_inventory(&self, bucket: &BucketName) -> Result<InventoryWriter, StateError> {
        self.sweep()?;
        let old = self.inventory(bucket)?;
        let mode = match &old {
            Some(_) => Mode::Same {
                old: self.cursor(bucket, 0, With::Listing)?,
                beside: NumberSet::default(),
            },
            None => Mode::Writing { merge: None },
        };
        Ok(InventoryWriter {
            state: self.clone(),
            bucket: bucket.clone(),
            old,
            mode,
            digest: InventoryDigest::new(),
            last: None,
            generation: None,
            written: 0,
            rows: Vec::new(),
            beside: Vec::new(),
            counts: Counts::default(),
            archived: false,
        })
    }
}

/// Takes a listing row by row. Dropped before [`InventoryWriter::finish`], it leaves the old
/// inventory as it was; its rows are dropped when the next one begins or the state is opened.
pub struct InventoryWriter {
    state: State,
    bucket: BucketName,
    old: Option<Inventory>,
    mode: Mode,
    digest: InventoryDigest,
    /// Key and version id of the row before.
    last: Option<(String, Option<String>)>,
    /// `None` until the first row is written.
    generation: Option<u64>,
    /// Rows on disk in the new generation.
    written: u64,
    /// Rows not yet on disk.
    rows: Vec<NewRow>,
    /// Numbers not yet marked on disk.
    beside: Vec<Number>,
    counts: Counts,
    archived: bool,
}

enum Mode {
    /// So far every row is the old one's, number for number: nothing is written.
    Same {
        old: RowCursor,
        /// What the caller said in the meantime.
        beside: NumberSet,
    },
    /// Rows are written; `merge` where the old inventory has anything to carry over.
    Writing { merge: Option<Merge> },
}

/// A row of the new generation with what it inherits.
struct NewRow {
    object: ObjectVersion,
    stored: Option<Stored>,
    headers: Option<ObjectHeaders>,
    marks: Marks,
}

impl InventoryWriter {
    /// Takes the next row: keys rise, versions of one key come newest first. Returns its number.
    ///
    /// # Errors
    /// [`StateError::Misordered`] where the key falls or the row is the one before; and where the
    /// file cannot be read or written.
    pub fn push(&mut self, object: &ObjectVersion) -> Result<Number, StateError> {
        if let Some((key, version_id)) = &self.last
            && (*key > object.key || (*key == object.key && *version_id == object.version_id))
        {
            return Err(StateError::Misordered { key: object.key.clone() });
        }
        self.last = Some((object.key.clone(), object.version_id.clone()));
        let number = self.digest.rows();
        self.digest.push(object);
        if let Mode::Same { old, .. } = &mut self.mode {
            if old.peek()?.is_some_and(|row| row.object == *object) {
                old.take()?;
                return Ok(number);
            }
            self.part_from_old(number)?;
        }
        self.write(object.clone())?;
        Ok(number)
    }

    /// Says that objects of the bucket were brought home before, whatever the old inventory knows.
    pub fn mark_archived(&mut self) {
        self.archived = true;
    }

    /// Says of an earlier row that another key lies below its key (`a` beside `a/b`).
    ///
    /// # Errors
    /// [`StateError::NotKept`] for a number that was not given yet.
    pub fn mark_beside_folder(&mut self, number: Number) -> Result<(), StateError> {
        if number >= self.digest.rows() {
            return Err(StateError::NotKept { what: format!("row {number} in this listing") });
        }
        match &mut self.mode {
            Mode::Same { beside, .. } => beside.insert(number),
            Mode::Writing { .. } => {
                self.beside.push(number);
                if self.beside.len() as u64 >= ROWS_A_COMMIT {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    /// Makes the listing the bucket's inventory, in one step, and drops the old rows.
    ///
    /// Where the listing repeats the old one the old rows stay, with their progress. Either way
    /// failures are forgotten, and so is what was asked of S3: the listing has just shown these
    /// objects to be there, and where their restores stand. Where numbers moved, intents that speak
    /// in numbers are closed, for the listing is the answer to them.
    ///
    /// # Errors
    /// Where the file cannot be read or written; the old inventory stays then.
    pub fn finish(mut self, listed_at_ms: i64) -> Result<Inventory, StateError> {
        let rows = self.digest.rows();
        if let Mode::Same { old, .. } = &mut self.mode
            && old.peek()?.is_some()
        {
            self.part_from_old(rows)?;
        }
        let listing = mem::take(&mut self.digest).finish();
        let archived = match &self.old {
            _ if self.archived => true,
            None => false,
            Some(old) if old.archived => true,
            Some(old) => {
                let counts = self.state.read(|tx| rows::counts_in(tx, old.generation))?;
                counts.stored.objects > 0
            }
        };
        let inventory = |generation| Inventory {
            generation,
            digest: listing.digest,
            objects: listing.objects,
            delete_markers: listing.delete_markers,
            bytes: listing.bytes,
            listed_at_ms,
            archived,
        };
        if let (Mode::Same { beside, .. }, Some(old)) = (&self.mode, &self.old) {
            let inventory = inventory(old.generation);
            self.state.write(Care::Usual, |tx| keep_old(tx, &self.bucket, &inventory, beside))?;
            return Ok(inventory);
        }
        self.flush()?;
        let inventory = inventory(self.new_generation()?);
        let counts = self.counts;
        self.state.write(Care::Usual, |tx| take_over(tx, &self.bucket, &inventory, &counts))?;
        let state = self.state.clone();
        drop(self);
        state.sweep()?;
        Ok(inventory)
    }

    /// Leaves [`Mode::Same`]: writes the rows so far, which are the old inventory's first `rows`.
    fn part_from_old(&mut self, rows: u64) -> Result<(), StateError> {
        let Some(old) = &self.old else { return Ok(()) };
        let counts = self.state.read(|tx| rows::counts_in(tx, old.generation))?;
        let carries = Counts { failed: 0, ..counts } != Counts::default();
        let merge = if carries {
            Some(Merge::new(self.state.cursor(&self.bucket, 0, With::RowsAndHeaders)?))
        } else {
            None
        };
        let mut same = self.state.cursor(&self.bucket, 0, With::Listing)?;
        let before = mem::replace(&mut self.mode, Mode::Writing { merge });
        for _ in 0..rows {
            if let Some(row) = same.take()? {
                self.write(row.object)?;
            }
        }
        if let Mode::Same { beside, .. } = before {
            let generation = self.new_generation()?;
            self.flush()?;
            self.state.write(Care::Usual, |tx| {
                beside.save(&mut table::write(tx, MARKS)?, generation, Bit::BesideFolder)
            })?;
        }
        Ok(())
    }

    fn write(&mut self, object: ObjectVersion) -> Result<(), StateError> {
        let old = match &mut self.mode {
            Mode::Writing { merge: Some(merge) } => merge.find(&object)?,
            _ => None,
        };
        let mut row = NewRow { object, stored: None, headers: None, marks: Marks::default() };
        if let Some(old) = old {
            row.marks = old.marks.carried_over();
            row.stored = old.stored;
            if old.object.last_modified_ms == row.object.last_modified_ms {
                row.headers = old.headers;
            }
        }
        self.rows.push(row);
        if self.rows.len() as u64 >= ROWS_A_COMMIT {
            self.flush()?;
        }
        Ok(())
    }

    /// The new generation's number; takes one, and notes it as loose, where there is none yet.
    fn new_generation(&mut self) -> Result<u64, StateError> {
        if let Some(generation) = self.generation {
            return Ok(generation);
        }
        let mut live = held(&self.state.shared.live);
        let generation = self.state.write(Care::Usual, |tx| {
            let mut meta = table::write(tx, META)?;
            let generation = meta.json::<u64>(b"last-generation")?.unwrap_or(0) + 1;
            meta.put_json(b"last-generation", &generation)?;
            table::write(tx, LOOSE)?.put_json(&generation.to_be_bytes(), &self.bucket)?;
            Ok(generation)
        })?;
        live.insert(generation);
        self.generation = Some(generation);
        Ok(generation)
    }

    fn flush(&mut self) -> Result<(), StateError> {
        let generation = self.new_generation()?;
        if self.rows.is_empty() && self.beside.is_empty() {
            return Ok(());
        }
        let Self { state, rows, beside, counts, written, .. } = self;
        state.write(Care::Usual, |tx| {
            let mut objects = table::write(tx, OBJECTS)?;
            let mut stored = table::write(tx, STORED)?;
            let mut headers = table::write(tx, HEADERS)?;
            let mut marks = table::write(tx, MARKS)?;
            let mut bits = Bits::default();
            for (number, row) in (*written..).zip(rows.iter()) {
                let key = row_key(generation, number);
                objects.put(&key, &pack::pack_object(&row.object)?)?;
                if let Some(row_stored) = &row.stored {
                    stored.put(&key, &pack::pack_stored(row_stored, &row.object.key)?)?;
                    counts.stored.add(row_stored.size);
                }
                if let Some(row_headers) = &row.headers {
                    headers.put(&key, &pack::pack_headers(row_headers)?)?;
                    counts.headers += 1;
                }
                for mark in row.marks.iter() {
                    bits.set(&marks, generation, Bit::Mark(mark), number, true)?;
                    counts.of_mut(mark).add(row.object.size);
                }
            }
            for number in beside.iter() {
                bits.set(&marks, generation, Bit::BesideFolder, *number, true)?;
            }
            bits.save(&mut marks)
        })?;
        *written += rows.len() as u64;
        rows.clear();
        beside.clear();
        Ok(())
    }
}

impl Drop for InventoryWriter {
    fn drop(&mut self) {
        if let Some(generation) = self.generation {
            held(&self.state.shared.live).remove(&generation);
        }
    }
}

/// The new listing is the old one: only what it answers is put right.
fn keep_old(
    tx: &WriteTransaction,
    bucket: &BucketName,
    inventory: &Inventory,
    beside: &NumberSet,
) -> Result<(), Fault> {
    let generation = inventory.generation;
    let mut inventories = table::write(tx, INVENTORIES)?;
    let now = inventories.json::<Inventory>(bucket.as_str().as_bytes())?;
    if now.is_none_or(|now| now.generation != generation) {
        // Forgotten, or listed anew by another writer, while this listing was under way.
        return Err(StateError::NotKept { what: format!("old inventory of {bucket}") }.into());
    }
    inventories.put_json(bucket.as_str().as_bytes(), inventory)?;
    table::write(tx, FAILURES)?.clear(&row_key(generation, 0), &row_key(generation + 1, 0))?;
    let mut marks = table::write(tx, MARKS)?;
    bits::clear(&mut marks, generation, Bit::BesideFolder)?;
    beside.save(&mut marks, generation, Bit::BesideFolder)?;
    let mut table = table::write(tx, COUNTS)?;
    let key = generation.to_be_bytes();
    let mut counts = table.json::<Counts>(&key)?.unwrap_or_default();
    counts.failed = 0;
    for mark in Mark::ALL.into_iter().filter(|mark| !mark.is_carried_over()) {
        bits::clear(&mut marks, generation, Bit::Mark(mark))?;
        *counts.of_mut(mark) = Tally::default();
    }
    table.put_json(&key, &counts)?;
    Ok(())
}

/// The new generation becomes the inventory, the old one becomes loose.
fn take_over(
    tx: &WriteTransaction,
    bucket: &BucketName,
    inventory: &Inventory,
    counts: &Counts,
) -> Result<(), Fault> {
    let generation = inventory.generation.to_be_bytes();
    let mut inventories = table::write(tx, INVENTORIES)?;
    let old = inventories.json::<Inventory>(bucket.as_str().as_bytes())?;
    inventories.put_json(bucket.as_str().as_bytes(), inventory)?;
    table::write(tx, COUNTS)?.put_json(&generation, counts)?;
    let mut loose = table::write(tx, LOOSE)?;
    loose.remove(&generation)?;
    if let Some(old) = old {
        loose.put_json(&old.generation.to_be_bytes(), bucket)?;
    }
    let mut intents = table::write(tx, INTENTS)?;
    for intent in intents.all_json::<Intent>(&[])? {
        if intent.bucket == *bucket && matches!(intent.subject, Subject::Numbers(_)) {
            intents.remove(&intent.id.to_be_bytes())?;
        }
    }
    Ok(())
}
