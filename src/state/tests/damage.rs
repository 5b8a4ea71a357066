//! A damaged file is an error that says so: never a panic, never a wrong row.

use std::fs;
use std::path::Path;

use super::super::*;
use super::{bucket, headers, list, object, open, plan_row, readback, reopen, stored};

/// Enough rows that the trees have branches.
const ROWS: u64 = 600;

fn fill(folder: &Path) {
    let state = open(folder);
    let objects: Vec<_> = (0..ROWS).map(|n| object(&format!("key-{n:05}"))).collect();
    list(&state, &objects);
    let mut batch = Batch::new();
    for (number, object) in (0..).zip(&objects) {
        batch
            .store(&bucket(), number, stored(&object.key, 10))
            .read_back(&bucket(), number, readback())
            .headers(&bucket(), number, headers(&format!("text/{number}")));
    }
    state.commit(batch).expect("commits");
}

fn everything(state: &State) -> Result<(Vec<Row>, Counts), StateError> {
    Ok((state.page(&bucket(), 0, usize::MAX, With::RowsAndHeaders)?, state.counts(&bucket())?))
}

/// Damages copies of a closed file in many ways and gives each to `judge`.
fn damaged_files(mut judge: impl FnMut(&Path, &str)) {
    let origin = tempfile::tempdir().expect("a folder");
    fill(origin.path());
    let whole = fs::read(origin.path().join("state.redb")).expect("reads");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state.redb");
    let mut damage = |what: String, bytes: &[u8]| {
        fs::write(&path, bytes).expect("writes");
        judge(folder.path(), &what);
    };
    // Used pages lie all over the file; a step that is no multiple of a page's size meets each part.
    let step = (whole.len() / 150) | 1;
    for at in (0..whole.len()).step_by(step) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        damage(format!("a bit flipped at {at}"), &bytes);
    }
    for at in 0..64 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        damage(format!("a byte of the header flipped at {at}"), &bytes);
    }
    let pages = whole.len() / 4096;
    for page in (1..pages).step_by((pages / 24).max(1)) {
        let (from, to) = (page * 4096, (page + 1) * 4096);
        let mut bytes = whole.clone();
        bytes[from..to].fill(0);
        damage(format!("page {page} zeroed"), &bytes);
        let mut bytes = whole.clone();
        bytes.copy_within(from..to, (page * 7 % pages) * 4096);
        damage(format!("page {page} copied elsewhere"), &bytes);
        damage(format!("cut at page {page}"), &whole[..from]);
    }
    damage("emptied".into(), &[]);
    damage("replaced by text".into(), b"[account]\nid = \"123456789012\"\n");
}

#[test]
fn a_damaged_file_is_refused_or_read_right_when_every_page_is_checked() {
    let origin = tempfile::tempdir().expect("a folder");
    fill(origin.path());
    let right = everything(&open(origin.path())).expect("reads");
    let (mut refused, mut harmless) = (0, 0);
    damaged_files(|folder, what| {
        let read = reopen(folder, Open::WriteChecked { holder: "a test" })
            .and_then(|state| everything(&state));
        match read {
            Ok(read) => {
                assert!(read == right, "{what}: read otherwise than it was written");
                harmless += 1;
            }
            Err(StateError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("{what}: {error:?}"),
        }
    });
    assert!(refused > 30, "{refused} refused, {harmless} harmless");
}

#[test]
fn a_plain_opening_of_a_damaged_file_neither_panics_nor_gives_a_wrong_row() {
    let origin = tempfile::tempdir().expect("a folder");
    fill(origin.path());
    let (right, _) = everything(&open(origin.path())).expect("reads");
    damaged_files(|folder, what| {
        let read = reopen(folder, Open::Write { holder: "a test" }).and_then(|state| {
            let read = everything(&state);
            if let Err(error) = &read {
                let later = state.inventory(&bucket()).expect_err("the handle is closed");
                assert!(matches!(later, StateError::Closed { .. }), "{what}: {error} {later}");
            }
            read
        });
        match read {
            // An inventory that cannot be found is listed anew; a row that is found must be right.
            Ok((rows, _)) => {
                assert!(rows.is_empty() || rows.len() == right.len(), "{what}");
                for (row, right) in rows.iter().zip(&right) {
                    assert_eq!(row.object, right.object, "{what}");
                    assert!(row.stored.is_none() || row.stored == right.stored, "{what}");
                    assert!(row.headers.is_none() || row.headers == right.headers, "{what}");
                }
            }
            Err(StateError::Damaged { .. }) => {}
            Err(error) => panic!("{what}: {error:?}"),
        }
    });
}

#[test]
fn a_damaged_state_says_what_is_unharmed_and_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("state.redb"), "no").expect("writes");
    let error = reopen(folder.path(), Open::Write { holder: "a test" }).expect_err("damaged");
    assert!(error.to_string().contains("archives and S3 are unharmed"), "{error}");
    assert!(error.help().is_some_and(|help| help.contains("s3plan state rebuild")));
    assert_eq!(fs::read(folder.path().join("state.redb")).expect("reads"), b"no");
}

#[test]
fn a_damaged_state_is_set_aside_whole_and_a_new_one_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("state.redb"), "no").expect("writes");
    let aside = State::set_aside(folder.path(), None, "a test", 7).expect("sets aside");
    assert_eq!(fs::read(aside).expect("reads"), b"no");
    let state = open(folder.path());
    assert_eq!(state.buckets().expect("reads"), []);
    let held = State::set_aside(folder.path(), None, "another test", 8);
    assert!(matches!(held, Err(StateError::Held { .. })));
}

#[test]
fn a_row_whose_check_fails_closes_the_handle() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = open(folder.path());
    list(&state, &[object("a")]);
    state
        .write(Care::Usual, |tx| {
            use redb::ReadableTable as _;
            let definition: redb::TableDefinition<'_, &[u8], &[u8]> =
                redb::TableDefinition::new("objects");
            let mut objects = tx.open_table(definition)?;
            let key = objects.first()?.map(|(key, _)| key.value().to_vec()).expect("a row");
            let mut value = objects.get(&*key)?.map(|value| value.value().to_vec()).expect("it");
            value[5] ^= 1;
            objects.insert(&*key, &*value)?;
            Ok(())
        })
        .expect("writes");
    let error = state.page(&bucket(), 0, 1, With::Rows).expect_err("rot");
    assert!(matches!(&error, StateError::Damaged { what, .. } if what.contains("objects")));
    assert!(matches!(state.plan_made(&plan_row("p")), Err(StateError::Closed { .. })));
    drop(state);
    open(folder.path());
}

#[test]
fn a_row_that_is_missing_is_damage_and_not_a_shorter_bucket() {
    for missing in [0, 1, 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let state = open(folder.path());
        let inventory = list(&state, &[object("a"), object("b"), object("c")]);
        state
            .write(Care::Usual, |tx| {
                let key = table::row_key(inventory.generation, missing);
                table::write(tx, table::OBJECTS)?.remove(&key)
            })
            .expect("writes");
        let error = state.page(&bucket(), 0, 9, With::Listing).expect_err("a gap");
        assert!(error.to_string().contains(&format!("row {missing} ")), "{error}");
    }
}

#[test]
fn a_full_disk_is_said_to_be_one() {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let fault = table::Fault::from(redb::StorageError::Io(full));
    let error = open::sort(Path::new("state.redb"), fault);
    assert!(matches!(error, StateError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("all that was recorded before is safe"), "{error}");
}
