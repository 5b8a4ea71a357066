//! Finds, for each row of a new listing, the same object version in the old inventory.
//!
//! Both are in listing order, so the two are walked side by side. Memory is bounded: of one key at
//! most [`LOOK_AHEAD`] old versions are held; a match beyond that is not found, which costs a new
//! proof and nothing else.

use std::collections::{HashMap, VecDeque};

use super::State;
use super::error::StateError;
use super::inventory::Inventory;
use super::row::{Row, With};
use super::rows;
use crate::model::{Number, ObjectVersion};

/// Rows read from the old inventory at a time.
const PAGE: usize = 1_000;
/// Old versions of one key that are held at most.
const LOOK_AHEAD: usize = 10_000;

/// Walks over an inventory in order, a page at a time.
pub(super) struct Pages {
    state: State,
    inventory: Inventory,
    with: With,
    next: Number,
    page: VecDeque<Row>,
}

impl Pages {
    pub fn new(state: &State, inventory: Inventory, with: With) -> Self {
        Self { state: state.clone(), inventory, with, next: 0, page: VecDeque::new() }
    }

    /// The next row without taking it; `None` at the end.
    pub fn peek(&mut self) -> Result<Option<&Row>, StateError> {
        if self.page.is_empty() && self.next < self.inventory.rows() {
            let page = self
                .state
                .read(|tx| rows::page_in(tx, &self.inventory, self.next, PAGE, self.with))?;
            self.next += page.len() as u64;
            self.page = page.into();
        }
        Ok(self.page.front())
    }

    /// Takes the next row.
    pub fn take(&mut self) -> Result<Option<Row>, StateError> {
        self.peek()?;
        Ok(self.page.pop_front())
    }
}

/// The old inventory's side of the walk.
pub(super) struct Merge {
    old: Pages,
    /// The key whose old versions are held.
    key: Option<String>,
    held: HashMap<Option<String>, Row>,
}

impl Merge {
    pub fn new(old: Pages) -> Self {
        Self { old, key: None, held: HashMap::new() }
    }

    /// The old row of the same key, version, ETag and size; `None` where there was none. To be asked in
    /// listing order.
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
