//! Sealed rows in redb tables: every value carries a format byte and a check of its own.
//!
//! redb's hot paths do not verify what they read, so each row ends in a CRC-64 over table name,
//! key and value. Keys and values are plain bytes: decoding them can fail, but never panic inside
//! redb. A row that does not check is a [`Fault::Rot`], never a value.

use crc_fast::{CrcAlgorithm, Digest};
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StateError;

/// A table's name. All tables map bytes to sealed bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name(&'static str);

impl Name {
    fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.0)
    }
}

/// Single values: schema, account, counters, the newest plan, the current run.
pub(super) const META: Name = Name("meta");
/// Bucket → [`super::Inventory`].
pub(super) const INVENTORIES: Name = Name("inventories");
/// Generation → bucket: rows of no inventory, being written or to be dropped.
pub(super) const LOOSE: Name = Name("loose");
/// (Generation, number) → what the listing said.
pub(super) const OBJECTS: Name = Name("objects");
/// (Generation, number) → where the object's bytes are, and their proof.
pub(super) const STORED: Name = Name("stored");
/// (Generation, number) → what HEAD or GET said besides.
pub(super) const HEADERS: Name = Name("headers");
/// (Generation, number) → why the object failed.
pub(super) const FAILURES: Name = Name("failures");
/// (Generation, mark, chunk) → 4,096 bits.
pub(super) const MARKS: Name = Name("marks");
/// Generation → [`super::Counts`].
pub(super) const COUNTS: Name = Name("counts");
/// (Run, sequence number) → an event.
pub(super) const FACTS: Name = Name("facts");
/// (Run, action) → the latest event of that action.
pub(super) const STANDINGS: Name = Name("standings");
/// Plan digest → a run.
pub(super) const RUNS: Name = Name("runs");
/// Intent id → an intent without outcome.
pub(super) const INTENTS: Name = Name("intents");
/// (Bucket, evidence) → an approval.
pub(super) const APPROVALS: Name = Name("approvals");
/// (Bucket, count) → a policy that was replaced.
pub(super) const POLICIES: Name = Name("policies");
/// Bucket → how it was retired.
pub(super) const RETIRED: Name = Name("retired");

/// Every table; all are made with the file, so that reading never meets a missing one.
pub(super) const ALL: [Name; 16] = [
    META,
    INVENTORIES,
    LOOSE,
    OBJECTS,
    STORED,
    HEADERS,
    FAILURES,
    MARKS,
    COUNTS,
    FACTS,
    STANDINGS,
    RUNS,
    INTENTS,
    APPROVALS,
    POLICIES,
    RETIRED,
];

/// The format of all values so far.
const FORMAT: u8 = 1;
/// Length of the check at the end of a value.
const CHECK: usize = 8;

/// What can go wrong inside a transaction.
#[derive(Debug)]
pub(super) enum Fault {
    /// redb says no. The handle is of no use any more.
    Redb(Box<redb::Error>),
    /// A row does not check or makes no sense. The handle is of no use any more.
    Rot(String),
    /// The caller asked for something impossible; the transaction is dropped, the handle lives.
    Asked(StateError),
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Redb(Box::new(error.into()))
            }
        }
    )*};
}
from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError
);

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        Self::Asked(error)
    }
}

/// One open table whose rows are sealed.
pub(super) struct Sealed<T> {
    name: &'static str,
    table: T,
}

/// A table open for reading.
pub(super) type ReadRows = Sealed<redb::ReadOnlyTable<&'static [u8], &'static [u8]>>;
/// A table open for writing.
pub(super) type WriteRows<'t> = Sealed<redb::Table<'t, &'static [u8], &'static [u8]>>;

/// Opens a table for reading.
pub(super) fn read(tx: &ReadTransaction, name: Name) -> Result<ReadRows, Fault> {
    Ok(Sealed { name: name.0, table: tx.open_table(name.definition())? })
}

/// Opens a table for writing, once a transaction.
pub(super) fn write(tx: &WriteTransaction, name: Name) -> Result<WriteRows<'_>, Fault> {
    Ok(Sealed { name: name.0, table: tx.open_table(name.definition())? })
}

/// Whether a walk over rows goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    On,
    Stop,
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Sealed<T> {
    /// Looks at one row's body; `None` where there is no such row.
    pub fn look<R>(
        &self,
        key: &[u8],
        see: impl FnOnce(&[u8]) -> Result<R, Fault>,
    ) -> Result<Option<R>, Fault> {
        match self.table.get(key)? {
            Some(value) => see(unseal(self.name, key, value.value())?).map(Some),
            None => Ok(None),
        }
    }

    /// Reads a row that is kept as JSON.
    pub fn json<R: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<R>, Fault> {
        self.look(key, |body| from_json(self.name, body))
    }

    /// Walks over the rows with `from <= key < end`, in order of their keys.
    pub fn walk(
        &self,
        from: &[u8],
        end: &[u8],
        mut see: impl FnMut(&[u8], &[u8]) -> Result<Walk, Fault>,
    ) -> Result<(), Fault> {
        for row in self.table.range::<&[u8]>(from..end)? {
            let (key, value) = row?;
            let key = key.value();
            if see(key, unseal(self.name, key, value.value())?)? == Walk::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Walks over all rows.
    pub fn walk_all(
        &self,
        mut see: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for row in self.table.range::<&[u8]>(..)? {
            let (key, value) = row?;
            let key = key.value();
            see(key, unseal(self.name, key, value.value())?)?;
        }
        Ok(())
    }

    /// All rows of a table that is kept as JSON and holds few, from one key on.
    pub fn all_json<R: DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<R>, Fault> {
        let mut rows = Vec::new();
        for row in self.table.range::<&[u8]>(prefix..)? {
            let (key, value) = row?;
            let key = key.value();
            if !key.starts_with(prefix) {
                break;
            }
            rows.push(from_json(self.name, unseal(self.name, key, value.value())?)?);
        }
        Ok(rows)
    }

    /// The greatest key with `from <= key < end`.
    pub fn last_key(&self, from: &[u8], end: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.table.range::<&[u8]>(from..end)?.next_back() {
            Some(row) => Ok(Some(row?.0.value().to_vec())),
            None => Ok(None),
        }
    }
}

impl WriteRows<'_> {
    /// Writes a row; whether it replaced one.
    pub fn put(&mut self, key: &[u8], body: &[u8]) -> Result<bool, Fault> {
        let sealed = seal(self.name, key, body);
        Ok(self.table.insert(key, sealed.as_slice())?.is_some())
    }

    /// Writes a row as JSON: for rows that are few and may grow fields over the years.
    pub fn put_json<R: Serialize>(&mut self, key: &[u8], row: &R) -> Result<bool, Fault> {
        let body = serde_json::to_vec(row).map_err(|error| {
            Fault::Rot(format!("a {} row cannot be written: {error}", self.name))
        })?;
        self.put(key, &body)
    }

    /// Removes a row; whether there was one.
    pub fn remove(&mut self, key: &[u8]) -> Result<bool, Fault> {
        Ok(self.table.remove(key)?.is_some())
    }

    /// Removes all rows with `from <= key < end`, without reading their values.
    pub fn clear(&mut self, from: &[u8], end: &[u8]) -> Result<(), Fault> {
        Ok(self.table.retain_in::<&[u8], _>(from..end, |_, _| false)?)
    }

    /// Removes every row whose key begins so.
    pub fn clear_prefix(&mut self, prefix: &[u8]) -> Result<(), Fault> {
        Ok(self.table.retain_in::<&[u8], _>(prefix.., |key, _| !key.starts_with(prefix))?)
    }
}

fn from_json<R: DeserializeOwned>(name: &str, body: &[u8]) -> Result<R, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| Fault::Rot(format!("a row of {name} makes no sense: {error}")))
}

fn seal(name: &str, key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(1 + body.len() + CHECK);
    sealed.push(FORMAT);
    sealed.extend_from_slice(body);
    let check = check(name, key, &sealed);
    sealed.extend_from_slice(&check);
    sealed
}

fn unseal<'v>(name: &str, key: &[u8], sealed: &'v [u8]) -> Result<&'v [u8], Fault> {
    let rot = || Fault::Rot(format!("a row of {name} does not match its check"));
    let (value, stored) = sealed.split_last_chunk::<CHECK>().ok_or_else(rot)?;
    if &check(name, key, value) != stored {
        return Err(rot());
    }
    match value.split_first() {
        Some((&FORMAT, body)) => Ok(body),
        _ => Err(Fault::Rot(format!("a row of {name} has an unknown format"))),
    }
}

/// Over name, key and value; the lengths keep one from running into the next.
fn check(name: &str, key: &[u8], value: &[u8]) -> [u8; CHECK] {
    let mut crc = Digest::new(CrcAlgorithm::Crc64Nvme);
    crc.update(name.as_bytes());
    crc.update(&(key.len() as u64).to_le_bytes());
    crc.update(key);
    crc.update(value);
    crc.finalize().to_le_bytes()
}

/// The key of a row by generation and number: sorts as the two do.
pub(super) fn row_key(generation: u64, number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&generation.to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The number in a key of [`row_key`].
pub(super) fn number_in(key: &[u8]) -> Result<u64, Fault> {
    key.last_chunk::<8>()
        .map(|number| u64::from_be_bytes(*number))
        .ok_or_else(|| Fault::Rot("a row's key is too short".into()))
}

/// The beginning of keys that start with a text of any length.
pub(super) fn text_key(text: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + text.len());
    key.extend_from_slice(&(text.len() as u32).to_be_bytes());
    key.extend_from_slice(text.as_bytes());
    key
}

/// A key of a text and what follows it.
pub(super) fn text_key_and(text: &str, rest: &[u8]) -> Vec<u8> {
    let mut key = text_key(text);
    key.extend_from_slice(rest);
    key
}
