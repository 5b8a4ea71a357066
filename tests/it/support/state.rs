//! Writes into a state file as a newer s3plan would.

use std::path::Path;

use crc_fast::{CrcAlgorithm, Digest};
use redb::{Database, TableDefinition};

/// Sets the schema that a state file claims to have.
///
/// The row is written by hand: a format byte, JSON, and a CRC-64 over table, key and row. Should
/// the program no longer read it, it will no longer read its users' files either.
pub fn write_schema(path: &Path, schema: u32) {
    const META: TableDefinition<&[u8], &[u8]> = TableDefinition::new("meta");
    let key = b"schema";
    let mut row = vec![1];
    row.extend_from_slice(schema.to_string().as_bytes());
    let mut crc = Digest::new(CrcAlgorithm::Crc64Nvme);
    for piece in [&b"meta"[..], &(key.len() as u64).to_le_bytes(), key, &row] {
        crc.update(piece);
    }
    row.extend_from_slice(&crc.finalize().to_le_bytes());

    let state = Database::open(path).expect("a state that redb can open");
    let write = state.begin_write().expect("a transaction");
    let mut meta = write.open_table(META).expect("the table of single values");
    meta.insert(&key[..], &row[..]).expect("a row");
    drop(meta);
    write.commit().expect("the row is kept");
}
