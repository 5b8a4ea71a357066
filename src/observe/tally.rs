//! Counts one bucket's inventory under an outcome's filters.

use super::ObserveError;
use super::in_place::{InPlace, OnDisk};
use super::keyed::Spread;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{
    BucketName, DeleteDemand, Demand, Demands, ObjectVersion, ProofForecast, Selection, Standing,
    Stretch, Tally, Thaw,
};
use crate::state::{Mark, Row, State, With};

/// Rows read at a time.
const PAGE: usize = 4096;
/// How many bytes one stretch of archived objects may hold: small enough to lay out in waves.
const STRETCH_BYTES: u64 = 256 << 30;
/// How many objects one stretch may hold.
const STRETCH_OBJECTS: u64 = 1_000_000;

/// Counts a bucket's inventory, with what is on the disk of it, and picks a few of the objects that
/// are still to be fetched. Blocking; one pass over the rows, a page in memory at a time.
///
/// # Errors
/// What the state could not do, and an archive's record that does not read.
pub(super) fn tally(
    state: &State,
    bucket: &BucketName,
    selection: &Selection,
    mut on_disk: InPlace<'_>,
) -> Result<(Tally, Spread), ObserveError> {
    let (mut tally, mut missing) = (Tally::default(), Spread::default());
    let mut key = OneKey::default();
    if let Some(inventory) = state.inventory(bucket)? {
        tally.inventory_digest = inventory.digest;
    }
    let mut from = 0;
    loop {
        let page = state.page(bucket, from, PAGE, With::Rows)?;
        let Some(last) = page.last() else { break };
        from = last.number + 1;
        for row in &page {
            let missing_before = tally.missing;
            if key.name != row.object.key {
                std::mem::take(&mut key).settle(&mut tally);
                key.name.clone_from(&row.object.key);
            }
            count(&mut tally, row, selection, &mut on_disk, &mut key)?;
            if tally.missing != missing_before {
                missing.see(&row.object);
            }
        }
    }
    key.settle(&mut tally);
    Ok((tally, missing))
}

fn count(
    tally: &mut Tally,
    row: &Row,
    selection: &Selection,
    on_disk: &mut InPlace<'_>,
    key: &mut OneKey,
) -> Result<(), ObserveError> {
    let object = &row.object;
    if object.delete_marker {
        tally.delete_markers += 1;
        key.markers += u64::from(selection.takes_marker(object));
        return Ok(());
    }
    tally.listed.add(object.size);
    if object.standing == Standing::Noncurrent {
        tally.noncurrent.add(object.size);
    }
    if !selection.takes(object) {
        tally.left_out.add(object.size);
        return Ok(());
    }
    tally.selected.add(object.size);
    tally.by_class.entry(object.class.clone()).or_default().add(object.size);
    tally.folders.add(&object.key, object.size);
    if let Ok(at) = Timestamp::from_millisecond(object.last_modified_ms) {
        let year = at.to_zoned(TimeZone::UTC).year();
        tally.by_year.entry(year).or_default().add(object.size);
    }
    let newest = tally.newest_by_class.entry(object.class.clone()).or_insert(i64::MIN);
    *newest = (*newest).max(object.last_modified_ms);
    if !object.class.is_known() {
        let key = || object.key.clone();
        tally.unknown_classes.entry(object.class.as_str().to_owned()).or_insert_with(key);
    }
    tally.by_forecast.entry(object.proof_forecast()).or_default().add(object.size);
    let seen = on_disk.look(row)?;
    if seen.is_drift(row) {
        tally.drifted.add(&object.key, object.size);
    }
    let demands = demands(row, &seen);
    if demands != Demands::default() {
        tally.demanding.entry(demands).or_default().add(&object.key, object.size);
        key.demands = key.demands.and(demands);
    }
    match (&row.stored, &seen) {
        (Some(_), OnDisk::Whole) => {
            tally.stored.add(object.size);
            if !row.marks.has(Mark::ReadBack) {
                tally.unread.add(object.size);
            }
            if !row.marks.has(Mark::Sealed) {
                tally.unsealed.add(object.size);
            }
        }
        _ => {
            tally.missing.add(object.size);
            let present = matches!(seen, OnDisk::Alike(_));
            if present || seen.is_drift(row) {
                tally.to_adopt.add(object.size);
            }
            if present {
                tally.present.add(object.size);
            }
            // A file that is in place may spare its object the thaw.
            match (object.is_frozen(), present) {
                (true, true) => {}
                (true, false) => count_frozen(tally, row.number, object),
                (false, _) => {
                    tally.ready.add(object.size);
                    let class = object.class.clone();
                    let moved = if present { 0 } else { object.size };
                    tally.ready_by_class.entry(class).or_default().add(moved);
                    if present {
                        tally.present_ready.add(object.size);
                    }
                }
            }
        }
    }
    Ok(())
}

/// What has been seen of one key: its delete markers go only where all its versions do.
#[derive(Default)]
struct OneKey {
    name: String,
    demands: Demands,
    markers: u64,
}

impl OneKey {
    /// Counts its markers, once all its versions are known.
    fn settle(self, tally: &mut Tally) {
        for _ in 0..self.markers {
            tally.markers.entry(self.demands).or_default().add(&self.name, 0);
        }
    }
}

/// What the outcome must allow before a version may be deleted.
fn demands(row: &Row, seen: &OnDisk) -> Demands {
    let object = &row.object;
    let unprovable = match (&row.stored, seen) {
        (Some(stored), OnDisk::Whole) => Demand::of(&stored.proof.kind),
        _ if object.proof_forecast() == ProofForecast::Unknown => Demand::Twice,
        _ => Demand::Nothing,
    };
    let null = object.version_id.as_deref() == Some("null");
    let deletes = match object.standing {
        Standing::Noncurrent if null => DeleteDemand::CompareFirst,
        Standing::Noncurrent | Standing::Current => DeleteDemand::Nothing,
    };
    Demands { unprovable, deletes }
}

fn count_frozen(tally: &mut Tally, number: u64, object: &ObjectVersion) {
    let full = |stretch: &Stretch| {
        let count = stretch.count();
        count.bytes.saturating_add(object.size) > STRETCH_BYTES || count.objects >= STRETCH_OBJECTS
    };
    if tally.frozen.last().is_none_or(full) {
        tally.frozen.push(Stretch { first: number, ..Stretch::default() });
    }
    let Some(stretch) = tally.frozen.last_mut() else { return };
    stretch.end = number + 1;
    if object.thaw == Thaw::Ongoing {
        stretch.thawing.add(object.size);
        tally.thawing.add(object.size);
    } else {
        stretch.to_restore.entry(object.class.clone()).or_default().add(object.size);
    }
}
