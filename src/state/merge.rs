//! Finds, for each row of a new listing, the same object version in the old inventory.
//!
//! Both are in listing order, so the two are walked side by side. Memory is bounded: of one key at
//! most [`LOOK_AHEAD`] old versions are held; a match beyond that is not found, which costs a new
//! proof and nothing else.

use std::collections::HashMap;

use super::cursor::RowCursor;
use super::error::StateError;
use super::row::Row;
use crate::model::ObjectVersion;

/// Old versions of one key that are held at most.
const LOOK_AHEAD: usize = 10_000;

/// The old inventory's side of the walk.
pub(super) struct Merge {
    old: RowCursor,
    /// The key whose old versions are held.
    key: Option<String>,
    held: HashMap<Option<String>, Row>,
}

impl Merge {
    pub fn new(old: RowCursor) -> Self {
        Self { old, key: None, held: HashMap::new() }
    }

    /// The old row of the same key, version, ETag and size; `None` where there was none. To be
    /// asked in listing order.
    pub fn find(&mut self, object: &ObjectVersion) -> Result<Option<Row>, StateError> {
        if self.key.as_deref() != Some(&object.key) {
            self.held.clear();
            self.key = Some(object.key.clone());
            while self.old.peek()?.is_some_and(|row| row.object.key < object.key) {
                self.old.take()?;
            }
        }
        while self.held.len() < LOOK_AHEAD
            && self.old.peek()?.is_some_and(|row| row.object.key == object.key)
        {
            if let Some(row) = self.old.take()? {
                self.held.insert(row.object.version_id.clone(), row);
            }
        }
        let found = self.held.remove(&object.version_id);
        Ok(found.filter(|row| {
            row.object.etag == object.etag
                && row.object.size == object.size
                && row.object.delete_marker == object.delete_marker
        }))
    }
}
