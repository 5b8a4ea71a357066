//! Remembers: one redb file with inventories, progress, runs, intents and approvals, and a few
//! plain files beside it.
//!
//! In: listings in order, and batches of what was done. Out: the same, in order and in pages.
//! It promises that what [`State::commit`] returned for survives a kill or a power cut; that
//! nothing damaged is ever believed; that it never panics; that its memory does not grow with the
//! number of objects. It is a cache all the same: losing it loses no data and no safety, and a
//! deletion never rests on it alone.
//!
//! All of it is blocking: callers in async code wrap it in `spawn_blocking`. After any error of the
//! file itself a handle is closed for good, since redb cannot be trusted to go on; run again.
//! No clock is asked: times are handed in.
//!
//! ```text
//! .s3plan/state.redb       the file                       .s3plan/state.lock   who holds it
//! .s3plan/audit.jsonl      every mutation and approval    .s3plan/status.json  for `status`
//! .s3plan/policies/        policies that were replaced    .s3plan/approvals/   for a running apply
//! ```

mod approval_box;
mod audit;
mod batch;
mod bits;
mod buckets;
mod cursor;
mod digest;
mod durable;
mod error;
mod inventory;
mod journal;
mod merge;
mod open;
mod pack;
mod row;
mod rows;
mod status_file;
mod table;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{ReadTransaction, WriteTransaction};

pub use approval_box::{Taken, drop_in, take_all};
pub use audit::{AuditEntry, AuditLog, AuditRead};
pub use batch::Batch;
pub use buckets::{BucketRow, KeptPolicy, Reset, Retired};
pub use cursor::RowCursor;
pub use digest::{InventoryDigest, ListingDigest};
pub use error::StateError;
pub use inventory::{Inventory, InventoryWriter};
pub use journal::{Approval, Intent, IntentKind, PlanRow, RunRow, Subject};
pub use open::Open;
pub use row::{Counts, Mark, Marks, Readback, ReadbackKind, Row, Stored, Tally, With};
pub use status_file::{read_status, write_status};

use crate::failpoint;
use crate::model::AccountId;
use open::{Db, Opened};
use table::{Fault, INTENTS, META};

/// The state of one project: a cheap clone of one open file.
#[derive(Clone)]
pub struct State {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    /// `.s3plan`, where the plain files are.
    folder: PathBuf,
    /// Taken out only when dropped.
    db: Option<Db>,
    /// Why the handle is closed; `None` while it is good.
    closed: Mutex<Option<String>>,
    /// Generations that writers of this process still fill.
    live: Mutex<BTreeSet<u64>>,
    next_intent: AtomicU64,
    /// The kernel's lock; last, so that it goes after the file is closed.
    _lock: File,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

/// How careful a commit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// Data and checksums in one sync.
    Usual,
    /// Two syncs: for what precedes something that cannot be taken back.
    TwoPhase,
}

/// How often a batch of rows is committed while many are written or dropped.
const ROWS_A_COMMIT: u64 = 10_000;

impl State {
    /// Opens the state in `folder` (a project's `.s3plan`), or the file that is named instead.
    ///
    /// Takes the lock first. Opening for writing makes the file where there is none, brings an
    /// older schema up to date, and drops what an abandoned inventory left.
    ///
    /// # Errors
    /// Each variant of [`StateError`] but [`StateError::NotKept`] and
    /// [`StateError::Misordered`].
    pub fn open(folder: &Path, file: Option<&Path>, how: Open<'_>) -> Result<Self, StateError> {
        let path = path_of(folder, file);
        let opened = open::open(&path, how)?;
        let state = Self::of(opened, path, folder)?;
        if !matches!(how, Open::Read) {
            state.sweep()?;
        }
        Ok(state)
    }

    fn of(Opened { db, lock }: Opened, path: PathBuf, folder: &Path) -> Result<Self, StateError> {
        let state = Self {
            shared: Arc::new(Shared {
                path,
                folder: folder.to_owned(),
                db: Some(db),
                closed: Mutex::default(),
                live: Mutex::default(),
                next_intent: AtomicU64::new(0),
                _lock: lock,
            }),
        };
        let next = state.read(|tx| {
            let last = table::read(tx, META)?.json::<u64>(b"last-intent")?.unwrap_or(0);
            let open = table::read(tx, INTENTS)?.last_key(&[], &[0xff; 9])?;
            let open = open.as_deref().map_or(Ok(0), table::number_in)?;
            Ok(last.max(open).saturating_add(1))
        })?;
        state.shared.next_intent.store(next, Ordering::Relaxed);
        Ok(state)
    }

    /// Gives a state that cannot be used another name, so that the next opening makes a new one:
    /// how a rebuilding begins. Nothing of it is lost. Returns where it is now.
    ///
    /// # Errors
    /// [`StateError::Held`], [`StateError::Missing`], and where the operating system refuses.
    pub fn set_aside(
        folder: &Path,
        file: Option<&Path>,
        holder: &str,
        at_ms: i64,
    ) -> Result<PathBuf, StateError> {
        open::set_aside(&path_of(folder, file), holder, at_ms)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The schema of the open file.
    pub fn schema(&self) -> u32 {
        open::SCHEMA
    }

    /// Ties the state to an account at its first use, and refuses any other later.
    ///
    /// # Errors
    /// [`StateError::Foreign`] where the state is another account's.
    pub fn bind(&self, account: &AccountId) -> Result<(), StateError> {
        match self.account()? {
            Some(found) if found == *account => Ok(()),
            Some(found) => Err(StateError::Foreign { expected: account.clone(), found }),
            None => self.write(Care::Usual, |tx| {
                table::write(tx, META)?.put_json(b"account", account)?;
                Ok(())
            }),
        }
    }

    /// The account the state is tied to; `None` before the first [`State::bind`].
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn account(&self) -> Result<Option<AccountId>, StateError> {
        self.read(|tx| table::read(tx, META)?.json(b"account"))
    }

    /// The id for the next intent; never given twice in the life of a file.
    pub fn new_intent_id(&self) -> u64 {
        self.shared.next_intent.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs one reading transaction.
    fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, StateError> {
        self.guarded(|db| work(&db.begin_read()?))
    }

    /// Runs one writing transaction; durable when it returns, without effect when it fails.
    fn write<T>(
        &self,
        care: Care,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, StateError> {
        failpoint::pass("commit of the state");
        self.guarded(|db| {
            let mut tx = db.begin_write()?;
            tx.set_two_phase_commit(care == Care::TwoPhase);
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        })
    }

    /// The one way to the file: turns panics into errors, and closes the handle after any error
    /// that is not merely the caller's.
    fn guarded<T>(&self, work: impl FnOnce(&Db) -> Result<T, Fault>) -> Result<T, StateError> {
        let shared = &*self.shared;
        let closed = |why: String| StateError::Closed { path: shared.path.clone(), why };
        if let Some(why) = &*held(&shared.closed) {
            return Err(closed(why.clone()));
        }
        let Some(db) = &shared.db else { return Err(closed("it was dropped".into())) };
        let result = open::guarded(&shared.path, || work(db));
        if let Err(
            error @ (StateError::Damaged { .. }
            | StateError::Full { .. }
            | StateError::Io { .. }
            | StateError::Closed { .. }),
        ) = &result
        {
            held(&shared.closed).get_or_insert_with(|| error.to_string());
        }
        result
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // redb writes while it closes; on a rotten file that may panic, and there is nobody to
        // tell.
        let db = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }
}

fn path_of(folder: &Path, file: Option<&Path>) -> PathBuf {
    file.map_or_else(|| folder.join("state.redb"), Path::to_owned)
}

/// Locks a mutex whose contents are valid at every instant, so that a panic elsewhere is no matter.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
