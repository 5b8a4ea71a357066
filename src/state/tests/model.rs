//! Whatever is listed and done, in whatever order, the state answers like a plain map in memory.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::*;
use super::{bucket, headers, object, open, readback, stored};
use crate::model::{ETag, ObjectVersion};

type Id = (String, Option<String>);

#[derive(Clone, Debug)]
enum Step {
    List { objects: Vec<ObjectVersion>, then: Then },
    Do { at: Index, what: What },
    Reopen,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Finish,
    Abandon,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Store,
    Unstore,
    ReadBack,
    Headers,
    Mark(Mark),
    Unmark(Mark),
    Fail,
    ClearFailure,
}

/// Few keys and tags, so that listings often agree.
fn listings() -> impl Strategy<Value = Vec<ObjectVersion>> {
    let version = (0..3u8, 0..2u64, 0..2i64);
    prop::collection::btree_map((0..7u8, 0..3u8), version, 0..12).prop_map(|rows| {
        rows.into_iter()
            .map(|((key, version), (tag, size, time))| ObjectVersion {
                version_id: (version > 0).then(|| format!("v{version}")),
                etag: ETag::new(&tag.to_string().repeat(32)),
                size,
                last_modified_ms: time,
                ..object(["a", "a!", "a/b", "b", "ä", "z/", "z//"][usize::from(key)])
            })
            .collect::<Vec<_>>()
    })
}

fn sorted(mut objects: Vec<ObjectVersion>) -> Vec<ObjectVersion> {
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    objects
}

fn steps() -> impl Strategy<Value = Step> {
    let mark = prop::sample::select(&Mark::ALL[..]);
    let what = prop_oneof![
        4 => Just(What::Store),
        1 => Just(What::Unstore),
        2 => Just(What::ReadBack),
        2 => Just(What::Headers),
        3 => mark.clone().prop_map(What::Mark),
        1 => mark.prop_map(What::Unmark),
        1 => Just(What::Fail),
        1 => Just(What::ClearFailure),
    ];
    let then = prop_oneof![4 => Just(Then::Finish), 1 => Just(Then::Abandon)];
    prop_oneof![
        3 => (listings(), then).prop_map(|(objects, then)| Step::List { objects: sorted(objects), then }),
        9 => (any::<Index>(), what).prop_map(|(at, what)| Step::Do { at, what }),
        1 => Just(Step::Reopen),
    ]
}

fn id(object: &ObjectVersion) -> Id {
    (object.key.clone(), object.version_id.clone())
}

/// What the rules of carrying over say, in the simplest words.
fn listed(old: &[Row], objects: &[ObjectVersion]) -> Vec<Row> {
    let old: BTreeMap<Id, &Row> = old.iter().map(|row| (id(&row.object), row)).collect();
    (0..)
        .zip(objects)
        .map(|(number, object)| {
            let mut row = Row {
                number,
                object: object.clone(),
                beside_folder: objects
                    .iter()
                    .any(|other| other.key.starts_with(&format!("{}/", object.key))),
                stored: None,
                headers: None,
                marks: Marks::default(),
                failure: None,
            };
            let same = old
                .get(&id(object))
                .filter(|old| (&old.object.etag, old.object.size) == (&object.etag, object.size));
            if let Some(old) = same {
                row.stored = old.stored.clone();
                for mark in [Mark::ReadBack, Mark::Sealed, Mark::Misfit] {
                    if old.marks.has(mark) {
                        row.marks = row.marks.with(mark);
                    }
                }
                if old.object.last_modified_ms == object.last_modified_ms {
                    row.headers = old.headers.clone();
                }
            }
            row
        })
        .collect()
}

fn done(row: &mut Row, what: What, batch: &mut Batch) {
    let (bucket, number) = (bucket(), row.number);
    match what {
        What::Store => {
            let stored = stored(&row.object.key, row.object.size);
            batch.store(&bucket, number, stored.clone());
            row.stored = Some(stored);
            row.marks = row.marks.without(Mark::ReadBack).without(Mark::Sealed);
            row.marks = row.marks.without(Mark::Misfit);
        }
        What::Unstore => {
            batch.unstore(&bucket, number);
            row.stored = None;
            row.marks = row.marks.without(Mark::ReadBack).without(Mark::Sealed);
        }
        What::ReadBack => {
            if let Some(stored) = &mut row.stored {
                batch.read_back(&bucket, number, readback());
                stored.readback = Some(readback());
                row.marks = row.marks.with(Mark::ReadBack);
            }
        }
        What::Headers => {
            batch.headers(&bucket, number, headers(&row.object.key));
            row.headers = Some(headers(&row.object.key));
        }
        What::Mark(mark) => {
            batch.mark(&bucket, number, mark);
            row.marks = row.marks.with(mark);
        }
        What::Unmark(mark) => {
            batch.unmark(&bucket, number, mark);
            row.marks = row.marks.without(mark);
        }
        What::Fail => {
            batch.fail(&bucket, number, "why");
            row.failure = Some("why".into());
        }
        What::ClearFailure => {
            batch.clear_failure(&bucket, number);
            row.failure = None;
        }
    }
}

fn sums(rows: &[Row]) -> Counts {
    let mut counts = Counts::default();
    for row in rows {
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Over random listings of few keys and versions, random progress, abandoned listings and
    /// reopenings in between.
    #[test]
    fn the_state_answers_like_a_map_in_memory(steps in prop::collection::vec(steps(), 1..40)) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut state = open(folder.path());
        let mut rows: Vec<Row> = Vec::new();
        for step in steps {
            match step {
                Step::List { objects, then } => {
                    let mut writer = state.begin_inventory(&bucket()).expect("begins");
                    let mut digest = InventoryDigest::new();
                    for object in &objects {
                        let number = writer.push(object).expect("pushes");
                        digest.push(object);
                        for (lower, above) in (0..).zip(&objects[..number as usize]) {
                            if object.key.starts_with(&format!("{}/", above.key)) {
                                writer.mark_beside_folder(lower).expect("marks");
                            }
                        }
                    }
                    if then == Then::Finish {
                        let inventory = writer.finish(1).expect("finishes");
                        prop_assert_eq!(inventory.digest, digest.finish().digest);
                        rows = listed(&rows, &objects);
                    }
                }
                Step::Do { at, what } if !rows.is_empty() => {
                    let mut batch = Batch::new();
                    let at = at.index(rows.len());
                    done(&mut rows[at], what, &mut batch);
                    state.commit(batch).expect("commits");
                }
                Step::Do { .. } => {}
                Step::Reopen => {
                    drop(state);
                    state = open(folder.path());
                }
            }
            let read = state.page(&bucket(), 0, usize::MAX, With::RowsAndHeaders).expect("reads");
            prop_assert_eq!(&read, &rows);
            prop_assert_eq!(state.counts(&bucket()).expect("reads"), sums(&rows));
        }
        for row in &rows {
            let version_id = row.object.version_id.as_deref();
            let found = state.find(&bucket(), &row.object.key, version_id).expect("reads");
            prop_assert_eq!(found, Some(row.number));
        }
    }
}
