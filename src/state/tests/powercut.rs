//! Power cuts: what was committed is there afterwards, whatever the disk made of the rest.
//!
//! The disk is one in memory that writes down every write and sync. At a cut only what was synced
//! exists; of what came later any part may have got through, in pieces of a sector, the new length
//! of the file or not. (The life of a state's file before it has its name, and of the files beside it,
//! is tried on the real program in `tests/it/faults/powercut.rs`.)

use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use redb::StorageBackend;

use super::super::open::{Check, Db, Opened, builder, guarded};
use super::super::*;
use super::{bucket, headers, list, object, open, plan_row, readback, stored};
use crate::event::Fact;
use crate::fuzz::Dice;
use crate::model::{ActionId, ActionKind, EvidenceId};

const SECTOR: usize = 512;

/// A disk that remembers what it was told, in order. Clones are the same disk.
#[derive(Clone, Debug, Default)]
struct Disk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What the disk held when it was switched on.
    first: Vec<u8>,
    /// What a reader sees.
    now: Vec<u8>,
    told: Vec<Told>,
}

#[derive(Clone, Debug)]
enum Told {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
    Sync,
}

impl Disk {
    fn with(bytes: Vec<u8>) -> Self {
        let inner = Inner { now: bytes.clone(), first: bytes, told: Vec::new() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// How much it was told so far.
    fn told(&self) -> usize {
        held(&self.inner).told.len()
    }

    /// What is on it when the power goes before the given word of what it was told.
    fn cut_at(&self, cut: usize, dice: &mut Dice, syncs: Syncs) -> Vec<u8> {
        let inner = held(&self.inner);
        let mut disk = inner.first.clone();
        let synced = inner.told[..cut].iter().rposition(|told| matches!(told, Told::Sync));
        let synced = synced.filter(|_| syncs == Syncs::Hold).unwrap_or(0);
        // Nothing of the rest, all of it, or any of it.
        let mood = dice.below(6);
        for (place, told) in inner.told[..cut].iter().enumerate() {
            let survives = |dice: &mut Dice| {
                place < synced
                    || match mood {
                        0 => false,
                        1 => true,
                        _ => dice.below(2) == 0,
                    }
            };
            match told {
                Told::Sync => {}
                Told::Length(length) if survives(dice) => disk.resize(*length, 0),
                Told::Length(_) => {}
                Told::Write { at, bytes } => {
                    let whole = survives(dice);
                    let torn = place >= synced && mood > 1 && dice.below(3) == 0;
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        if if torn { dice.below(2) == 0 } else { whole } {
                            put(&mut disk, at + number * SECTOR, sector);
                        }
                    }
                }
            }
        }
        disk
    }
}

/// Whether the disk does what it says when it is told to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncs {
    Hold,
    Lie,
}

fn put(disk: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if disk.len() < end {
        disk.resize(end, 0);
    }
    disk[at..end].copy_from_slice(bytes);
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(held(&self.inner).now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let at = offset as usize;
        let inner = held(&self.inner);
        let bytes = inner.now.get(at..at + out.len());
        out.copy_from_slice(bytes.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        let mut inner = held(&self.inner);
        inner.now.resize(len as usize, 0);
        inner.told.push(Told::Length(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        held(&self.inner).told.push(Told::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        let mut inner = held(&self.inner);
        put(&mut inner.now, offset as usize, data);
        inner.told.push(Told::Write { at: offset as usize, bytes: data.to_vec() });
        Ok(())
    }
}

fn within(dice: &mut Dice, range: Range<usize>) -> usize {
    range.start + dice.below(range.len())
}

/// Opens the state that is on a disk, as an apply that may delete does.
fn open_on(disk: &Disk, folder: &Path) -> Result<State, StateError> {
    let path = folder.join("state.redb");
    let backend = disk.clone();
    let db = guarded(&path, || Ok(builder(Check::EveryPage).create_with_backend(backend)?))?;
    let lock = File::create(folder.join("lock")).expect("a lock file");
    let state = State::of(Opened { db: Db::Write(db), lock }, path, folder)?;
    state.sweep()?;
    Ok(state)
}

/// All that a state can be asked, in words.
fn everything(state: &State) -> Result<String, StateError> {
    let rows = state.page(&bucket(), 0, usize::MAX, With::RowsAndHeaders)?;
    let (counts, inventory) = (state.counts(&bucket())?, state.inventory(&bucket())?);
    let inventory = inventory.map(|it| (it.digest, it.listed_at_ms));
    let facts = state.facts("run", 0, usize::MAX)?;
    let (intents, approvals) = (state.all_open_intents()?, state.approvals(&bucket())?);
    let (plans, account) = (state.plans()?, state.account()?);
    Ok(format!(
        "{rows:?} {counts:?} {inventory:?} {facts:?} {intents:?} {approvals:?} {plans:?} {account:?}"
    ))
}

fn intent(id: u64) -> Intent {
    Intent {
        id,
        run: "run".into(),
        action: ActionId::new(&bucket(), ActionKind::DeleteObjects, 1),
        bucket: bucket(),
        kind: IntentKind::DeleteObjects,
        subject: Subject::Numbers(vec![id]),
        at_ms: 9,
    }
}

/// The life of a state in small: listings, batches, intents and outcomes, approvals, a plan. Calls
/// `acked` whenever something was said to be durable.
fn live(state: &State, mut acked: impl FnMut(&State)) {
    let at = Timestamp::from_second(1).expect("a time");
    state.bind(&AccountId::new("123456789012").expect("twelve digits")).expect("binds");
    acked(state);
    let objects: Vec<_> = (0..150).map(|n| object(&format!("key-{n:04}"))).collect();
    list(state, &objects);
    acked(state);
    state.plan_made(&plan_row("plan")).expect("kept");
    acked(state);
    let action = ActionId::new(&bucket(), ActionKind::Download, 1);
    for (round, numbers) in (0..150_u64).collect::<Vec<_>>().chunks(25).enumerate() {
        let mut batch = Batch::new();
        for &number in numbers {
            let key = &objects[number as usize].key;
            batch.store(&bucket(), number, stored(key, 10));
            batch.headers(&bucket(), number, headers(&format!("text/{round}")));
        }
        batch.fact("run", Fact::Started { action: action.clone() }, at);
        state.commit(batch).expect("commits");
        acked(state);
    }
    let mut batch = Batch::new();
    (0..150).for_each(|number| {
        batch.read_back(&bucket(), number, readback());
    });
    batch.approval(Approval {
        bucket: bucket(),
        evidence: EvidenceId::new("0123456789abcdef").expect("sixteen digits"),
        caller_arn: "arn:aws:iam::123456789012:user/alice".into(),
        os_user: "alice".into(),
        at_ms: 11,
        run: Some("run".into()),
    });
    state.commit(batch).expect("commits");
    acked(state);
    for round in 0..6 {
        let id = state.new_intent_id();
        let mut batch = Batch::new();
        batch.intent(intent(id));
        state.commit(batch).expect("commits");
        acked(state);
        let mut batch = Batch::new();
        batch.outcome(id).mark(&bucket(), round, Mark::Deleted);
        state.commit(batch).expect("commits");
        acked(state);
    }
    // A shorter listing: what is left of the longer one is dropped.
    list(state, &objects[..100]);
    acked(state);
}

/// A disk on which a state lived, and what it had been told each time something was acknowledged.
struct Life {
    disk: Disk,
    folder: tempfile::TempDir,
    /// How much the disk was told by then, and all that the state then said.
    acked: Vec<(usize, String)>,
}

fn lived() -> Life {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    let born = fs::read(folder.path().join("state.redb")).expect("a state");
    let disk = Disk::with(born);
    let state = open_on(&disk, folder.path()).expect("opens");
    let mut acked = vec![(disk.told(), everything(&state).expect("reads"))];
    live(&state, |state| acked.push((disk.told(), everything(state).expect("reads"))));
    drop(state);
    Life { disk, folder, acked }
}

impl Life {
    /// Whether all that was acknowledged before the cut is there, and nothing by halves.
    fn holds(&self, found: &str, cut: usize) -> bool {
        let last = self.acked.iter().rposition(|(told, _)| *told <= cut).unwrap_or(0);
        // What was being written at the cut is there or not.
        self.acked[last..].iter().take(2).any(|(_, said)| said == found)
    }
}

/// Says how much was tried, also where all is well.
fn tell(words: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("{words}\n").as_bytes()).expect("a stderr");
}

fn cuts(usual: usize, long: usize) -> usize {
    // The long tiers are asked for in the same way as in `tests/it`.
    if std::env::var_os("S3PLAN_LONG").is_some() { long } else { usual }
}

#[test]
fn a_power_cut_at_any_write_loses_nothing_that_was_acknowledged() {
    let life = lived();
    let first = life.acked[0].0;
    let mut dice = Dice(1);
    let shots = cuts(1_000, 10_000);
    for shot in 0..shots {
        // Every place in turn, then anywhere.
        let places = life.disk.told() - first;
        let cut = if places > shots {
            within(&mut dice, first..life.disk.told())
        } else {
            first + shot % places
        };
        let left = life.disk.cut_at(cut, &mut dice, Syncs::Hold);
        let state = open_on(&Disk::with(left), life.folder.path());
        let found = state.and_then(|state| everything(&state));
        let found = found.unwrap_or_else(|error| panic!("shot {shot}, cut at {cut}: {error:?}"));
        assert!(life.holds(&found, cut), "shot {shot}, cut at {cut}");
    }
    tell(&format!("power cuts under the state: {shots}"));
}

/// The state repairs itself when it is opened after a cut; the power goes again while it does, up to
/// four times.
#[test]
fn a_power_cut_during_the_repair_after_a_power_cut_loses_nothing_either() {
    let life = lived();
    let mut dice = Dice(2);
    let mut repairs = 0;
    for shot in 0..cuts(200, 2_500) {
        let cut = within(&mut dice, life.acked[0].0..life.disk.told());
        let mut disk = Disk::with(life.disk.cut_at(cut, &mut dice, Syncs::Hold));
        for _ in 0..1 + dice.below(4) {
            let state = open_on(&disk, life.folder.path());
            drop(state.unwrap_or_else(|error| panic!("shot {shot}, cut at {cut}: {error:?}")));
            repairs += usize::from(disk.told() > 0);
            let again = within(&mut dice, 0..disk.told() + 1);
            disk = Disk::with(disk.cut_at(again, &mut dice, Syncs::Hold));
        }
        let state = open_on(&disk, life.folder.path());
        let found = state.and_then(|state| everything(&state));
        let found = found.unwrap_or_else(|error| panic!("shot {shot}, cut at {cut}: {error:?}"));
        assert!(life.holds(&found, cut), "shot {shot}, cut at {cut}");
    }
    assert!(repairs > 0, "no opening wrote anything: nothing was tried");
    tell(&format!("power cuts during repairs of the state: {repairs}"));
}

/// The tests above would notice: on a disk that does not keep what it synced, acknowledged rows go.
#[test]
fn a_disk_that_lies_about_its_syncs_is_what_these_tests_would_find() {
    let life = lived();
    let mut dice = Dice(3);
    let lost = (0..60).filter(|_| {
        let cut = within(&mut dice, life.acked[1].0..life.disk.told());
        let left = life.disk.cut_at(cut, &mut dice, Syncs::Lie);
        let found = open_on(&Disk::with(left), life.folder.path()).and_then(|it| everything(&it));
        !found.is_ok_and(|found| life.holds(&found, cut))
    });
    assert!(lost.count() > 10);
}

/// A state that was being born when the power went has no name yet: whatever is left of it is
/// recognised and begun again.
#[test]
fn a_state_that_was_being_born_is_born_again() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(open(folder.path()));
    let path = folder.path().join("state.redb");
    let whole = fs::read(&path).expect("a state");
    let born = folder.path().join("state.redb.new");
    let lengths = [0, 1, 511, 512, 4096, whole.len() / 2, whole.len()];
    let zeros = lengths.map(|length| vec![0; length]);
    let beginnings = lengths.map(|length| whole[..length].to_vec());
    for left in zeros.into_iter().chain(beginnings) {
        fs::remove_file(&path).expect("the state of before");
        fs::write(&born, &left).expect("a leftover");
        let state = open(folder.path());
        assert_eq!(state.buckets().expect("reads"), [], "{} bytes left", left.len());
        assert!(!born.exists(), "{} bytes left", left.len());
    }
}
