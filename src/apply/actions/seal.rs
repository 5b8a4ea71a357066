//! `seal`: completes the archive as a bag, streaming over the inventory.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::apply::end::{End, Trouble};
use crate::apply::work::{PAGE, Work, blocking};
use crate::archive::bag::{self, BagRow};
use crate::model::{Action, Number, counted};
use crate::state::{Batch, Mark, Row, State, StateError, With};

pub(super) async fn run(work: &Arc<Work>, action: &Action) -> Result<End, Trouble> {
    let place = work.place().await?;
    let configuration = work.door.configuration().await?;
    let rows = SealRows { work: Arc::clone(work), from: 0, page: Vec::new().into_iter() };
    let date = work.clock.now().strftime("%Y-%m-%d").to_string();
    let bag = Arc::clone(&place);
    let sealed =
        spawn_blocking(move || bag::seal(&bag, rows, &configuration, Some(&date))).await??;
    blocking(|| place.check_in_place())?;
    blocking(|| mark_sealed(work))?;
    blocking(|| place.forget_partials())?;
    work.tick(action, action.objects, action.bytes)?;
    work.recorder.note(&format!(
        "{}: the bag at {} lists {} ({}); check it any time with `sha256sum -c \
         manifest-sha256.txt` or `s3plan verify {}`",
        work.name(),
        work.archive()?.to,
        counted(sealed.files, "file"),
        bytesize::ByteSize::b(sealed.bytes),
        work.name(),
    ));
    if sealed.unlistable > 0 {
        work.recorder.note(&format!(
            "{}: {} things below {}/data are no plain files or have names that no bag can list; \
             move them away, or `bagit.py` will call the bag invalid",
            work.name(),
            sealed.unlistable,
            work.archive()?.to,
        ));
    }
    Ok(End::Done { objects: action.objects, bytes: action.bytes })
}

/// Whether the bag lists a row: what is in the archive, and the delete markers that go with it.
fn is_listed(work: &Work, row: &Row) -> bool {
    // Whatever is on disk, also what newer filters leave out.
    row.stored.is_some() || work.selection.takes_marker(&row.object)
}

/// The rows of the bag, read from the state as the bag is written.
struct SealRows {
    work: Arc<Work>,
    from: Number,
    page: std::vec::IntoIter<Row>,
}

impl Iterator for SealRows {
    type Item = Result<BagRow, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            for row in self.page.by_ref() {
                if is_listed(&self.work, &row) {
                    return Some(Ok(bag_row(&row)));
                }
            }
            let state: &State = &self.work.state;
            match state.page(self.work.name(), self.from, PAGE, With::RowsAndHeaders) {
                Ok(page) => {
                    self.from = page.last()?.number + 1;
                    self.page = page.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn bag_row(row: &Row) -> BagRow {
    let mut listed = BagRow::of(&row.object);
    row.object.class.s3_name().clone_into(&mut listed.storage_class);
    if let Some(headers) = &row.headers {
        listed = listed.with_headers(headers);
    }
    if let Some(stored) = &row.stored {
        listed = listed.with_file(&stored.path, &stored.sha256).with_proof(&stored.proof);
    }
    listed
}

fn mark_sealed(work: &Work) -> Result<(), Trouble> {
    let mut batch = Batch::new();
    work.each_row::<Trouble>(With::Rows, |row| {
        if row.stored.is_some() && !row.marks.has(Mark::Sealed) && is_listed(work, &row) {
            batch.mark(work.name(), row.number, Mark::Sealed);
        }
        if batch.len() >= 10_000 {
            work.state.commit(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    work.state.commit(batch)?;
    Ok(())
}
