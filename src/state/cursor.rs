//! Walking over a bucket's rows in order, a page at a time.

use std::collections::VecDeque;

use super::State;
use super::error::StateError;
use super::row::{Row, With};
use super::rows::{inventory_in, page_in};
use crate::model::{BucketName, Number};

/// Rows read at a time.
const PAGE: usize = 1_000;

/// A place in a bucket's inventory. Holds one page of rows, and sees changes made meanwhile from
/// the next page on.
#[derive(Debug)]
pub struct RowCursor {
    state: State,
    bucket: BucketName,
    /// `None`: the bucket has no inventory, and the cursor nothing to give.
    generation: Option<u64>,
    with: With,
    next: Number,
    page: VecDeque<Row>,
}

impl State {
    /// Begins to walk over a bucket's rows, from one number on.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn cursor(
        &self,
        bucket: &BucketName,
        from: Number,
        with: With,
    ) -> Result<RowCursor, StateError> {
        Ok(RowCursor {
            state: self.clone(),
            bucket: bucket.clone(),
            generation: self.inventory(bucket)?.map(|inventory| inventory.generation),
            with,
            next: from,
            page: VecDeque::new(),
        })
    }
}

impl RowCursor {
    /// The next row without taking it; `None` at the end.
    ///
    /// # Errors
    /// [`StateError::NotKept`] where the bucket was listed anew or forgotten meanwhile; and where
    /// the file cannot be read.
    pub fn peek(&mut self) -> Result<Option<&Row>, StateError> {
        if self.page.is_empty()
            && let Some(generation) = self.generation
        {
            let page = self.state.read(|tx| match inventory_in(tx, &self.bucket)? {
                Some(inventory) if inventory.generation == generation => {
                    page_in(tx, &inventory, self.next, PAGE, self.with)
                }
                _ => {
                    let what = format!("old inventory of {}", self.bucket);
                    Err(StateError::NotKept { what }.into())
                }
            })?;
            self.next += page.len() as u64;
            self.page = page.into();
        }
        Ok(self.page.front())
    }

    /// Takes the next row; `None` at the end.
    ///
    /// # Errors
    /// Those of [`RowCursor::peek`].
    pub fn take(&mut self) -> Result<Option<Row>, StateError> {
        self.peek()?;
        Ok(self.page.pop_front())
    }
}
