//! Reading rows: in pages, by key, and their sums.

use redb::ReadTransaction;

use super::bits::{Bit, Bits};
use super::error::StateError;
use super::inventory::Inventory;
use super::pack;
use super::row::{Counts, Marks, Row, With};
use super::table::{
    self, COUNTS, FAILURES, Fault, HEADERS, INVENTORIES, MARKS, OBJECTS, ReadRows, STORED, Walk,
    number_in, row_key,
};
use super::{Care, State};
use crate::model::{BucketName, Number};

impl State {
    /// The bucket's inventory; `None` where it was never listed to the end.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn inventory(&self, bucket: &BucketName) -> Result<Option<Inventory>, StateError> {
        self.read(|tx| inventory_in(tx, bucket))
    }

    /// Whether an archive of the bucket was ever begun: it is somewhere.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn was_archived(&self, bucket: &BucketName) -> Result<bool, StateError> {
        self.read(|tx| match inventory_in(tx, bucket)? {
            Some(inventory) => {
                Ok(inventory.archived || counts_in(tx, inventory.generation)?.stored.objects > 0)
            }
            None => Ok(false),
        })
    }

    /// Remembers that the bucket's archive was begun, before anything is in it: an empty folder in
    /// its place is no new one from here on.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn archive_begun(&self, bucket: &BucketName) -> Result<(), StateError> {
        let key = bucket.as_str().as_bytes();
        self.write(Care::Usual, |tx| {
            let mut inventories = table::write(tx, INVENTORIES)?;
            if let Some(inventory) = inventories.json::<Inventory>(key)? {
                inventories.put_json(key, &Inventory { archived: true, ..inventory })?;
            }
            Ok(())
        })
    }

    /// Up to `limit` rows in order, from one number on; fewer only at the inventory's end.
    ///
    /// Empty also where the bucket has no inventory.
    ///
    /// # Errors
    /// Where the file cannot be read, or a row in the middle is missing.
    pub fn page(
        &self,
        bucket: &BucketName,
        from: Number,
        limit: usize,
        with: With,
    ) -> Result<Vec<Row>, StateError> {
        self.read(|tx| match inventory_in(tx, bucket)? {
            Some(inventory) => page_in(tx, &inventory, from, limit, with),
            None => Ok(Vec::new()),
        })
    }

    /// One row with everything; `None` past the inventory's end.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn row(&self, bucket: &BucketName, number: Number) -> Result<Option<Row>, StateError> {
        Ok(self.page(bucket, number, 1, With::RowsAndHeaders)?.pop())
    }

    /// The number of a key's first row; `None` where the inventory does not have the key.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn find_key(&self, bucket: &BucketName, key: &str) -> Result<Option<Number>, StateError> {
        self.read(|tx| {
            let Some(inventory) = inventory_in(tx, bucket)? else { return Ok(None) };
            let objects = table::read(tx, OBJECTS)?;
            let number = first_from(&objects, &inventory, key)?;
            let at = row_key(inventory.generation, number);
            let same = objects.look(&at, |body| Ok(pack::peek_object(body)?.0 == key))?;
            Ok(same.unwrap_or(false).then_some(number))
        })
    }

    /// The number of one object version; `None` where the inventory does not have it.
    ///
    /// A binary search, so that no second table holds the keys.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn find(
        &self,
        bucket: &BucketName,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Option<Number>, StateError> {
        self.read(|tx| {
            let Some(inventory) = inventory_in(tx, bucket)? else { return Ok(None) };
            let objects = table::read(tx, OBJECTS)?;
            let low = first_from(&objects, &inventory, key)?;
            let mut found = None;
            let from = row_key(inventory.generation, low);
            objects.walk(&from, &row_key(inventory.generation, inventory.rows()), |at, body| {
                let (row_key, row_version, _) = pack::peek_object(body)?;
                if row_key != key {
                    return Ok(Walk::Stop);
                }
                if row_version.as_deref() == version_id {
                    found = Some(number_in(at)?);
                    return Ok(Walk::Stop);
                }
                Ok(Walk::On)
            })?;
            Ok(found)
        })
    }

    /// The sums over a bucket's inventory; zeros where it has none.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn counts(&self, bucket: &BucketName) -> Result<Counts, StateError> {
        self.read(|tx| match inventory_in(tx, bucket)? {
            Some(inventory) => counts_in(tx, inventory.generation),
            None => Ok(Counts::default()),
        })
    }

    /// Up to `limit` failures in order, from one number on, without walking over the rest.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn failures(
        &self,
        bucket: &BucketName,
        from: Number,
        limit: usize,
    ) -> Result<Vec<(Number, String)>, StateError> {
        self.read(|tx| {
            let Some(inventory) = inventory_in(tx, bucket)? else { return Ok(Vec::new()) };
            let mut failures = Vec::new();
            let from = row_key(inventory.generation, from);
            let end = row_key(inventory.generation, inventory.rows());
            table::read(tx, FAILURES)?.walk(&from, &end, |key, body| {
                if failures.len() >= limit {
                    return Ok(Walk::Stop);
                }
                failures.push((number_in(key)?, failure_text(body)?));
                Ok(Walk::On)
            })?;
            Ok(failures)
        })
    }
}

/// The bucket's inventory inside a transaction.
pub(super) fn inventory_in(
    tx: &ReadTransaction,
    bucket: &BucketName,
) -> Result<Option<Inventory>, Fault> {
    table::read(tx, INVENTORIES)?.json(bucket.as_str().as_bytes())
}

/// A generation's sums inside a transaction.
pub(super) fn counts_in(tx: &ReadTransaction, generation: u64) -> Result<Counts, Fault> {
    Ok(table::read(tx, COUNTS)?.json(&generation.to_be_bytes())?.unwrap_or_default())
}

pub(super) fn failure_text(body: &[u8]) -> Result<String, Fault> {
    String::from_utf8(body.to_vec()).map_err(|_| Fault::Rot("a failure is not text".into()))
}

/// One page of an inventory inside a transaction. Numbers are dense: a gap is damage.
pub(super) fn page_in(
    tx: &ReadTransaction,
    inventory: &Inventory,
    from: Number,
    limit: usize,
    with: With,
) -> Result<Vec<Row>, Fault> {
    let end = inventory.rows().min(from.saturating_add(limit as u64));
    if from >= end {
        return Ok(Vec::new());
    }
    let first_key = row_key(inventory.generation, from);
    let end_key = row_key(inventory.generation, end);
    let mut rows: Vec<Row> = Vec::with_capacity((end - from) as usize);
    table::read(tx, OBJECTS)?.walk(&first_key, &end_key, |key, body| {
        let number = from + rows.len() as u64;
        if number_in(key)? != number {
            return Err(missing(number));
        }
        rows.push(Row {
            number,
            object: pack::unpack_object(body)?,
            beside_folder: false,
            stored: None,
            headers: None,
            marks: Marks::default(),
            failure: None,
        });
        Ok(Walk::On)
    })?;
    if rows.len() as u64 != end - from {
        return Err(missing(from + rows.len() as u64));
    }
    if with == With::Listing {
        return Ok(rows);
    }

    let marks = table::read(tx, MARKS)?;
    let mut bits = Bits::default();
    for row in &mut rows {
        row.marks = bits.marks(&marks, inventory.generation, row.number)?;
        row.beside_folder =
            bits.get(&marks, inventory.generation, Bit::BesideFolder, row.number)?;
    }
    let span = Span { first_key, end_key, from };
    span.fill(&mut rows, &table::read(tx, STORED)?, |row, body| {
        row.stored = Some(pack::unpack_stored(body, &row.object.key)?);
        Ok(())
    })?;
    span.fill(&mut rows, &table::read(tx, FAILURES)?, |row, body| {
        row.failure = Some(failure_text(body)?);
        Ok(())
    })?;
    if with == With::RowsAndHeaders {
        span.fill(&mut rows, &table::read(tx, HEADERS)?, |row, body| {
            row.headers = Some(pack::unpack_headers(body)?);
            Ok(())
        })?;
    }
    Ok(rows)
}

/// The stretch of numbers that a page covers.
struct Span {
    first_key: [u8; 16],
    end_key: [u8; 16],
    from: Number,
}

impl Span {
    /// Lays the rows of another table over the page.
    fn fill(
        &self,
        rows: &mut [Row],
        table: &ReadRows,
        mut lay: impl FnMut(&mut Row, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        table.walk(&self.first_key, &self.end_key, |key, body| {
            let place = number_in(key)?.saturating_sub(self.from) as usize;
            let row =
                rows.get_mut(place).ok_or_else(|| Fault::Rot("a row has no object".into()))?;
            lay(row, body)?;
            Ok(Walk::On)
        })
    }
}

fn missing(number: Number) -> Fault {
    Fault::Rot(format!("row {number} of an inventory is missing"))
}

/// The number of the first row whose key is not before this one; the inventory's end where none is.
fn first_from(objects: &ReadRows, inventory: &Inventory, key: &str) -> Result<Number, Fault> {
    let (mut low, mut high) = (0, inventory.rows());
    while low < high {
        let middle = low + (high - low) / 2;
        let at = row_key(inventory.generation, middle);
        let below = objects.look(&at, |body| Ok(pack::peek_object(body)?.0 < key))?;
        if below.ok_or_else(|| missing(middle))? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
