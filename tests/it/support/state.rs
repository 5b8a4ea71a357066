//! Writes into a state file as the program itself would not.

use std::path::Path;

use crc_fast::{CrcAlgorithm, Digest};
use redb::{Database, TableDefinition};
use s3plan::model::BucketName;
use s3plan::state::{Batch, Open, Row, State, With};

use super::bed::TestBed;

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

/// Makes the state say of one object that something else proved it, as if its set had changed since a
/// person said yes to it. Nothing else tells: file, size, date and SHA-256 stay.
pub fn reword_a_proof(bed: &TestBed, bucket: &str, key: &str) {
    change_rows(bed, bucket, |batch, bucket, row| {
        if row.object.key == key {
            let mut stored = row.stored.expect("it is in the archive");
            stored.proof.actual.push('!');
            batch.store(bucket, row.number, stored);
        }
    });
}

/// How many requests about a bucket are on record without what became of them.
pub fn open_questions(bed: &TestBed, bucket: &str) -> usize {
    let state = State::open(&bed.path(".s3plan"), None, Open::Write { holder: "a test" });
    let intents = state.expect("the state").open_intents(&BucketName::new(bucket));
    intents.expect("intents").len()
}

/// Changes what the state says of a bucket's objects, of whichever `change` wants to.
pub fn change_rows(bed: &TestBed, bucket: &str, change: impl Fn(&mut Batch, &BucketName, Row)) {
    let folder = bed.path(".s3plan");
    let state = State::open(&folder, None, Open::Write { holder: "a test" }).expect("the state");
    let bucket = BucketName::new(bucket);
    let mut batch = Batch::new();
    for row in state.page(&bucket, 0, 1_000, With::Rows).expect("rows") {
        change(&mut batch, &bucket, row);
    }
    assert!(!batch.is_empty(), "nothing is changed");
    state.commit(batch).expect("it is kept");
}
