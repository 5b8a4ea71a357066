//! What a new inventory keeps of the old one, and what it does not.

use super::super::*;
use super::{bucket, has, headers, list, object, open, readback, stored};
use crate::model::{ETag, ObjectVersion, Thaw};

/// Two objects, `a` and `b`, with everything that can be known of `b`.
fn with_progress(state: &State) -> Inventory {
    let inventory = list(state, &[object("a"), object("b")]);
    let mut batch = Batch::new();
    batch
        .store(&bucket(), 1, stored("b", 10))
        .read_back(&bucket(), 1, readback())
        .headers(&bucket(), 1, headers("text/plain"))
        .mark(&bucket(), 1, Mark::Sealed)
        .mark(&bucket(), 1, Mark::RestoreAsked)
        .mark(&bucket(), 1, Mark::DeleteSent)
        .mark(&bucket(), 1, Mark::Deleted)
        .fail(&bucket(), 1, "it failed once");
    state.commit(batch).expect("commits");
    inventory
}

fn row(state: &State, key: &str) -> Row {
    let number = state.find(&bucket(), key, None).expect("reads").expect("is listed");
    let row = state.row(&bucket(), number).expect("reads").expect("is there");
    assert_eq!(row.object.key, key);
    row
}

/// The sums as they follow from the rows.
fn counted(state: &State) -> Counts {
    let mut counts = Counts::default();
    for row in state.page(&bucket(), 0, usize::MAX, With::RowsAndHeaders).expect("reads") {
        if let Some(stored) = &row.stored {
            counts.stored.add(stored.size);
        }
        for mark in row.marks.iter() {
            counts.of_mut(mark).add(row.object.size);
        }
        counts.failed += u64::from(row.failure.is_some());
        counts.headers += u64::from(row.headers.is_some());
    }
    counts
}

#[test]
fn progress_follows_an_object_whose_number_moved() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    with_progress(&state);
    list(&state, &[object("a"), object("aa"), object("b")]);
    let row = row(&state, "b");
    assert_eq!(row.number, 2);
    assert_eq!(row.stored, Some(Stored { readback: Some(readback()), ..stored("b", 10) }));
    assert_eq!(row.headers, Some(headers("text/plain")));
    assert_eq!(row.marks.iter().collect::<Vec<_>>(), [Mark::ReadBack, Mark::Sealed]);
    assert_eq!(row.failure, None, "a new listing is a new chance");
    assert_eq!(state.counts(&bucket()).expect("reads"), counted(&state));
    assert!(!has(&state, 1, Mark::ReadBack));
}

#[test]
fn an_object_that_changed_starts_anew() {
    for change in [
        (|object: &mut ObjectVersion| object.etag = ETag::new("other")) as fn(&mut _),
        |object| object.size += 1,
        |object| object.version_id = Some("v2".into()),
        |object| object.delete_marker = true,
        |object| object.key.push('x'),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let state = open(folder.path());
        with_progress(&state);
        let mut changed = object("b");
        change(&mut changed);
        list(&state, &[object("a"), changed.clone()]);
        let row = state.row(&bucket(), 1).expect("reads").expect("is there");
        assert_eq!((row.stored, row.headers, row.marks), (None, None, Marks::default()));
        assert_eq!(row.object, changed);
        assert_eq!(state.counts(&bucket()).expect("reads"), Counts::default());
    }
}

#[test]
fn the_same_bytes_written_anew_keep_the_file_but_not_the_headers() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    with_progress(&state);
    let mut touched = object("b");
    touched.last_modified_ms += 1;
    list(&state, &[object("a"), touched]);
    let row = row(&state, "b");
    assert!(row.stored.is_some());
    assert_eq!(row.headers, None);
    assert_eq!(row.marks.iter().collect::<Vec<_>>(), [Mark::ReadBack, Mark::Sealed]);
    assert_eq!(state.counts(&bucket()).expect("reads"), counted(&state));
}

#[test]
fn an_unchanged_listing_writes_no_rows_and_still_clears_what_it_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    let first = with_progress(&state);
    let second = list(&state, &[object("a"), object("b")]);
    assert_eq!(second, Inventory { archived: true, ..first });
    let row = row(&state, "b");
    assert!(row.stored.is_some() && row.headers.is_some());
    assert_eq!(row.marks.iter().collect::<Vec<_>>(), [Mark::ReadBack, Mark::Sealed]);
    assert_eq!(row.failure, None);
    assert_eq!(state.counts(&bucket()).expect("reads"), counted(&state));
}

#[test]
fn a_thaw_is_seen_although_the_digest_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    let first = with_progress(&state);
    let mut thawed = object("b");
    thawed.thaw = Thaw::ReadyUntil { until_ms: 5 };
    let second = list(&state, &[object("a"), thawed.clone()]);
    assert_eq!(second.digest, first.digest);
    assert_ne!(second.generation, first.generation);
    assert_eq!(row(&state, "b").object, thawed);
    assert!(row(&state, "b").stored.is_some());
}

#[test]
fn a_shorter_listing_loses_its_tail_and_an_empty_one_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    with_progress(&state);
    assert_eq!(list(&state, &[object("a")]).rows(), 1);
    assert_eq!(state.find(&bucket(), "b", None).expect("reads"), None);
    assert_eq!(list(&state, &[]).rows(), 0);
    assert_eq!(state.page(&bucket(), 0, 9, With::Rows).expect("reads"), []);
    assert_eq!(list(&state, &[]).rows(), 0);
}

#[test]
fn a_cursor_walks_over_all_rows_and_stops_when_they_are_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    assert_eq!(state.cursor(&bucket(), 0, With::Rows).expect("begins").take().expect("ends"), None);
    let objects: Vec<_> = (0..2_500).map(|n| object(&format!("k{n:05}"))).collect();
    list(&state, &objects);
    let mut cursor = state.cursor(&bucket(), 1, With::Rows).expect("begins");
    let mut numbers = 1..2_500;
    while let Some(row) = cursor.take().expect("reads") {
        assert_eq!(
            (Some(row.number), &row.object),
            (numbers.next(), &objects[row.number as usize])
        );
    }
    assert_eq!(numbers.next(), None);
    let mut cursor = state.cursor(&bucket(), 0, With::Rows).expect("begins");
    list(&state, &objects[1..]);
    assert!(matches!(cursor.take(), Err(StateError::NotKept { .. })));
    state.inventory(&bucket()).expect("the handle is still good");
}

#[test]
fn an_abandoned_listing_leaves_the_old_inventory() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    let first = with_progress(&state);
    let rows = state.page(&bucket(), 0, 9, With::RowsAndHeaders).expect("reads");
    let mut writer = state.begin_inventory(&bucket()).expect("begins");
    for n in 0..25_000 {
        writer.push(&object(&format!("k{n:09}"))).expect("pushes");
    }
    drop(writer);
    assert_eq!(state.inventory(&bucket()).expect("reads"), Some(first.clone()));
    drop(state);

    let state = open(folder.path());
    assert_eq!(state.inventory(&bucket()).expect("reads"), Some(first));
    assert_eq!(state.page(&bucket(), 0, 9, With::RowsAndHeaders).expect("reads"), rows);
    let left = state.read(|tx| {
        let mut left = 0;
        table::read(tx, table::OBJECTS)?.walk_all(|_, _| {
            left += 1;
            Ok(())
        })?;
        Ok(left)
    });
    assert_eq!(left.expect("reads"), 2, "no row is left of it");
}

#[test]
fn a_listing_under_way_is_not_swept_by_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    let mut slow = state.begin_inventory(&bucket()).expect("begins");
    for n in 0..12_000 {
        slow.push(&object(&format!("k{n:09}"))).expect("pushes");
    }
    let other = "other".into();
    let mut quick = state.begin_inventory(&other).expect("begins");
    quick.push(&object("x")).expect("pushes");
    quick.finish(2).expect("finishes");
    assert_eq!(slow.finish(3).expect("finishes").rows(), 12_000);
    assert_eq!(state.page(&bucket(), 0, 20_000, With::Rows).expect("reads").len(), 12_000);
    assert_eq!(state.page(&other, 0, 9, With::Rows).expect("reads").len(), 1);
}

#[test]
fn a_listing_whose_keys_fall_or_repeat_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    for next in ["a", "b"] {
        let mut writer = state.begin_inventory(&bucket()).expect("begins");
        writer.push(&object("b")).expect("pushes");
        let refused = writer.push(&object(next));
        assert!(matches!(refused, Err(StateError::Misordered { .. })), "{refused:?}");
    }
    assert_eq!(state.inventory(&bucket()).expect("reads"), None);
}

#[test]
fn a_key_beside_a_folder_is_marked_however_far_the_folder_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    let beside = |state: &State| -> Vec<u64> {
        let rows = state.page(&bucket(), 0, usize::MAX, With::Rows).expect("reads");
        rows.iter().filter(|row| row.beside_folder).map(|row| row.number).collect()
    };
    let list = |between: u64, last: &str| {
        let mut writer = state.begin_inventory(&bucket()).expect("begins");
        let first = writer.push(&object("a")).expect("pushes");
        for n in 0..between {
            writer.push(&object(&format!("a!{n:09}"))).expect("pushes");
        }
        writer.push(&object(last)).expect("pushes");
        if last == "a/b" {
            writer.mark_beside_folder(first).expect("marks");
        }
        assert!(writer.mark_beside_folder(between + 2).is_err());
        writer.finish(1).expect("finishes")
    };
    let inventory = list(12_000, "a/b");
    assert_eq!(beside(&state), [0]);
    assert_eq!(list(12_000, "a/b").generation, inventory.generation);
    assert_eq!(beside(&state), [0]);
    list(12_000, "b");
    assert_eq!(beside(&state), [] as [u64; 0], "the folder is gone");
    list(12_001, "a/b");
    assert_eq!(beside(&state), [0]);
}

#[test]
fn every_version_of_a_key_is_found_and_carried() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    let version = |id: &str| ObjectVersion { version_id: Some(id.into()), ..object("k") };
    list(&state, &[object("a"), version("3"), version("2"), version("null"), object("z")]);
    let mut batch = Batch::new();
    for (number, id) in [(1, "3"), (2, "2"), (3, "null")] {
        let mut stored = stored("k", 10);
        stored.path = format!("data/^versions/k/{id}");
        batch.store(&bucket(), number, stored);
    }
    state.commit(batch).expect("commits");
    list(&state, &[version("5"), version("4"), version("2"), version("null")]);
    let find = |id| state.find(&bucket(), "k", Some(id)).expect("reads");
    assert_eq!((find("5"), find("2"), find("null"), find("3")), (Some(0), Some(2), Some(3), None));
    let path = |number| {
        let row = state.row(&bucket(), number).expect("reads").expect("is there");
        row.stored.map(|stored| stored.path)
    };
    assert_eq!((path(0), path(1)), (None, None));
    assert_eq!(path(2).as_deref(), Some("data/^versions/k/2"));
    assert_eq!(path(3).as_deref(), Some("data/^versions/k/null"));
}

#[test]
fn a_file_stored_anew_must_be_read_back_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    with_progress(&state);
    let mut batch = Batch::new();
    batch.store(&bucket(), 1, stored("b", 7));
    state.commit(batch).expect("commits");
    assert!(!has(&state, 1, Mark::ReadBack) && !has(&state, 1, Mark::Sealed));
    let counts = state.counts(&bucket()).expect("reads");
    assert_eq!(
        (counts.stored, counts.read_back),
        (Tally { objects: 1, bytes: 7 }, Tally::default())
    );
    let mut batch = Batch::new();
    batch
        .unstore(&bucket(), 1)
        .unstore(&bucket(), 1)
        .unmark(&bucket(), 1, Mark::Deleted)
        .clear_failure(&bucket(), 1);
    state.commit(batch).expect("commits");
    assert_eq!(state.counts(&bucket()).expect("reads"), counted(&state));
    let mut batch = Batch::new();
    batch.read_back(&bucket(), 1, readback());
    assert!(matches!(state.commit(batch), Err(StateError::NotKept { .. })), "there is no file");
}

#[test]
fn fifty_thousand_rows_keep_their_order_numbers_and_sums() {
    const ROWS: u64 = 50_000;
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    let key = |n: u64| format!("logs/2019/{n:09}.gz");
    let mut writer = state.begin_inventory(&bucket()).expect("begins");
    let mut digest = InventoryDigest::new();
    for n in 0..ROWS {
        let object = object(&key(n));
        digest.push(&object);
        assert_eq!(writer.push(&object).expect("pushes"), n);
    }
    let inventory = writer.finish(1).expect("finishes");
    assert_eq!(digest.finish().digest, inventory.digest);
    for from in (0..ROWS).step_by(10_000) {
        let mut batch = Batch::new();
        for n in (from..from + 10_000).filter(|n| n % 2 == 0) {
            batch.store(&bucket(), n, stored(&key(n), 10)).mark(&bucket(), n, Mark::DeleteSent);
        }
        state.commit(batch).expect("commits");
    }
    let mut seen = 0;
    while seen < ROWS {
        let page = state.page(&bucket(), seen, 7_000, With::Rows).expect("reads");
        for row in &page {
            assert_eq!((row.number, &row.object.key), (seen, &key(seen)));
            assert_eq!(row.stored.is_some(), seen % 2 == 0);
            assert_eq!(row.marks.has(Mark::DeleteSent), seen % 2 == 0);
            seen += 1;
        }
    }
    let half = Tally { objects: ROWS / 2, bytes: ROWS / 2 * 10 };
    let counts = state.counts(&bucket()).expect("reads");
    assert_eq!((counts.stored, counts.delete_sent), (half, half));
    for n in [0, 1, ROWS / 3, ROWS - 1] {
        assert_eq!(state.find(&bucket(), &key(n), None).expect("reads"), Some(n));
    }
}
