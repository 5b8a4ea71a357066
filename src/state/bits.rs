//! Progress as bits: 4,096 numbers to a row, one row a mark and chunk.

use std::collections::BTreeMap;

use redb::ReadableTable;

use super::row::{Mark, Marks};
use super::table::{Fault, Sealed, WriteRows};
use crate::model::Number;

/// How many numbers one row of bits covers.
const CHUNK: u64 = 4_096;
const BYTES: usize = CHUNK as usize / 8;

/// What a bit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bit {
    /// Another key lies below this object's key.
    BesideFolder,
    /// A mark that callers set.
    Mark(Mark),
}

impl Bit {
    /// In keys. Never change: rows are found by it. [`Mark`] has those from 1 on.
    fn code(self) -> u8 {
        match self {
            Self::BesideFolder => 0,
            Self::Mark(mark) => mark as u8,
        }
    }
}

fn key(generation: u64, bit: Bit, chunk: u64) -> [u8; 17] {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&generation.to_be_bytes());
    key[8] = bit.code();
    key[9..].copy_from_slice(&chunk.to_be_bytes());
    key
}

fn load<T>(table: &Sealed<T>, key: &[u8]) -> Result<Option<[u8; BYTES]>, Fault>
where
    T: ReadableTable<&'static [u8], &'static [u8]>,
{
    table.look(key, |body| {
        body.try_into().map_err(|_| Fault::Rot("a row of marks has a wrong length".into()))
    })
}

/// Rows of bits held while many are read or changed, each loaded once.
#[derive(Default)]
pub(super) struct Bits {
    chunks: BTreeMap<(u64, Bit, u64), Chunk>,
}

struct Chunk {
    bits: [u8; BYTES],
    changed: bool,
}

impl Bits {
    fn chunk<T>(
        &mut self,
        table: &Sealed<T>,
        generation: u64,
        bit: Bit,
        number: Number,
    ) -> Result<&mut Chunk, Fault>
    where
        T: ReadableTable<&'static [u8], &'static [u8]>,
    {
        use std::collections::btree_map::Entry;
        match self.chunks.entry((generation, bit, number / CHUNK)) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(place) => {
                let bits = load(table, &key(generation, bit, number / CHUNK))?;
                Ok(place.insert(Chunk { bits: bits.unwrap_or([0; BYTES]), changed: false }))
            }
        }
    }

    /// Reads one bit.
    pub fn get<T>(
        &mut self,
        table: &Sealed<T>,
        generation: u64,
        bit: Bit,
        number: Number,
    ) -> Result<bool, Fault>
    where
        T: ReadableTable<&'static [u8], &'static [u8]>,
    {
        let chunk = self.chunk(table, generation, bit, number)?;
        let (byte, mask) = place(number);
        Ok(chunk.bits[byte] & mask != 0)
    }

    /// All marks of one number.
    pub fn marks<T>(
        &mut self,
        table: &Sealed<T>,
        generation: u64,
        number: Number,
    ) -> Result<Marks, Fault>
    where
        T: ReadableTable<&'static [u8], &'static [u8]>,
    {
        let mut marks = Marks::default();
        for mark in Mark::ALL {
            if self.get(table, generation, Bit::Mark(mark), number)? {
                marks = marks.with(mark);
            }
        }
        Ok(marks)
    }

    /// Changes one bit in memory; whether it was different before.
    pub fn set<T>(
        &mut self,
        table: &Sealed<T>,
        generation: u64,
        bit: Bit,
        number: Number,
        to: bool,
    ) -> Result<bool, Fault>
    where
        T: ReadableTable<&'static [u8], &'static [u8]>,
    {
        let chunk = self.chunk(table, generation, bit, number)?;
        let (byte, mask) = place(number);
        let before = chunk.bits[byte] & mask != 0;
        if before != to {
            chunk.bits[byte] ^= mask;
            chunk.changed = true;
        }
        Ok(before != to)
    }

    /// Writes what was changed.
    pub fn save(&mut self, table: &mut WriteRows<'_>) -> Result<(), Fault> {
        for ((generation, bit, chunk), held) in &mut self.chunks {
            if held.changed {
                table.put(&key(*generation, *bit, *chunk), &held.bits)?;
                held.changed = false;
            }
        }
        Ok(())
    }
}

/// Removes all bits of one kind from a generation.
pub(super) fn clear(table: &mut WriteRows<'_>, generation: u64, bit: Bit) -> Result<(), Fault> {
    table.clear_prefix(&key(generation, bit, 0)[..9])
}

fn place(number: Number) -> (usize, u8) {
    let within = (number % CHUNK) as usize;
    (within / 8, 1 << (within % 8))
}

/// Numbers remembered in memory as one bit each, for as long as nothing is written.
#[derive(Debug, Default)]
pub(super) struct NumberSet {
    chunks: BTreeMap<u64, Box<[u8; BYTES]>>,
}

impl NumberSet {
    /// Adds a number.
    pub fn insert(&mut self, number: Number) {
        let (byte, mask) = place(number);
        self.chunks.entry(number / CHUNK).or_insert_with(|| Box::new([0; BYTES]))[byte] |= mask;
    }

    /// Writes all of it as bits of one kind.
    pub fn save(&self, table: &mut WriteRows<'_>, generation: u64, bit: Bit) -> Result<(), Fault> {
        for (chunk, bits) in &self.chunks {
            table.put(&key(generation, bit, *chunk), bits.as_slice())?;
        }
        Ok(())
    }
}
