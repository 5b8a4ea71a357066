//! Opening the state: the lock, the file's birth, its schema.
//!
//! The file is made under a temporary name and bears its own only when its schema row is durable:
//! a kill or a power cut in between leaves a leftover, never a state that cannot be opened.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use redb::{Builder, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, WriteTransaction};

use super::durable;
use super::error::StateError;
use super::table::{self, Fault, META};
use crate::failpoint;

/// The schema that this s3plan writes.
pub(super) const SCHEMA: u32 = 1;
/// Rows are read and written in their order, so that more brings nothing; what is cached is memory of
/// whichever thread read it. redb's own default is 1 GiB.
const CACHE_BYTES: usize = 12 << 20;
/// While every page is read once, none is worth keeping.
const CACHE_BYTES_OF_CHECK: usize = 4 << 20;
/// A process that was just killed gives its locks back a moment later.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// How the state is opened.
#[derive(Clone, Copy, Debug)]
pub enum Open<'a> {
    /// For reading and writing; made where it is missing. `holder` is what others are told of who
    /// holds it: command, process, host, since when.
    Write {
        /// Who holds it, in words.
        holder: &'a str,
    },
    /// The same, after every page of the file was checked: for runs that may delete.
    WriteChecked {
        /// Who holds it, in words.
        holder: &'a str,
    },
    /// For reading beside other readers; never made.
    Read,
}

/// The open file, in one of its two kinds.
pub(super) enum Db {
    Write(Database),
    Read(ReadOnlyDatabase),
}

impl Db {
    pub fn begin_read(&self) -> Result<ReadTransaction, Fault> {
        use redb::ReadableDatabase as _;
        Ok(match self {
            Self::Write(db) => db.begin_read()?,
            Self::Read(db) => db.begin_read()?,
        })
    }

    pub fn begin_write(&self) -> Result<WriteTransaction, Fault> {
        match self {
            Self::Write(db) => Ok(db.begin_write()?),
            Self::Read(_) => Err(StateError::ReadOnly.into()),
        }
    }
}

/// The open file with its lock, which goes when this is dropped.
pub(super) struct Opened {
    pub db: Db,
    pub lock: File,
}

/// Takes the lock, opens the file, and sees to its schema.
pub(super) fn open(path: &Path, how: Open<'_>) -> Result<Opened, StateError> {
    match how {
        Open::Read => open_to_read(path),
        Open::Write { holder } => open_to_write(path, holder, Check::Plain),
        Open::WriteChecked { holder } => open_to_write(path, holder, Check::EveryPage),
    }
}

/// How much of the file is looked at before it is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Plain,
    EveryPage,
}

fn open_to_write(path: &Path, holder: &str, check: Check) -> Result<Opened, StateError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| StateError::io(folder, error))?;
    }
    let mut lock = take_lock(path, Share::Alone)?;
    write_holder(&mut lock, holder).map_err(|error| StateError::io(&lock_path(path), error))?;
    if !path.try_exists().map_err(|error| StateError::io(path, error))? {
        create(path)?;
    }
    refuse_newer(path)?;
    if check == Check::EveryPage {
        drop(patiently(path, || builder(check).open(path))?);
    }
    let db = patiently(path, || builder(Check::Plain).open(path).map(Db::Write))?;
    migrate(path, &db)?;
    Ok(Opened { db, lock })
}

fn open_to_read(path: &Path) -> Result<Opened, StateError> {
    if !path.try_exists().map_err(|error| StateError::io(path, error))? {
        return Err(StateError::Missing { path: path.to_owned() });
    }
    let mut lock = take_lock(path, Share::WithReaders)?;
    let said = write_holder(&mut lock, "an s3plan that reads it");
    said.map_err(|error| StateError::io(&lock_path(path), error))?;
    let opened = patiently(path, || match builder(Check::Plain).open_read_only(path) {
        Ok(db) => Ok(Some(Db::Read(db))),
        // The last writer was killed: only a writer can put that right.
        Err(DatabaseError::RepairAborted) => Ok(None),
        Err(error) => Err(error),
    })?;
    match opened {
        Some(db) if schema_of(path, &db)? == SCHEMA => Ok(Opened { db, lock }),
        opened => {
            drop(opened);
            drop(lock);
            open_to_write(path, "a reader that repairs it", Check::Plain)
        }
    }
}

pub(super) fn builder(check: Check) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(match check {
        Check::Plain => CACHE_BYTES,
        Check::EveryPage => CACHE_BYTES_OF_CHECK,
    });
    builder.set_check_integrity_on_open(check == Check::EveryPage);
    builder
}

/// Opens, again and again while another handle is just going.
fn patiently<T>(
    path: &Path,
    mut open: impl FnMut() -> Result<T, DatabaseError>,
) -> Result<T, StateError> {
    let mut waited = Duration::ZERO;
    loop {
        match guarded(path, || Ok(open())) {
            Err(error) => return Err(error),
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(DatabaseError::DatabaseAlreadyOpen)) if waited < PATIENCE => {
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Ok(Err(error)) => return Err(sort(path, Fault::from(error))),
        }
    }
}

/// Runs redb's code so that its panic on a rotten file is an error of ours.
pub(super) fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, Fault>,
) -> Result<T, StateError> {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|fault| sort(path, fault)),
        Err(panic) => {
            let said = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(StateError::Damaged {
                path: path.to_owned(),
                what: format!("reading it broke off: {said}"),
            })
        }
    }
}

/// Sorts what redb says by what a person can do about it.
pub(super) fn sort(path: &Path, fault: Fault) -> StateError {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let path = path.to_owned();
    match fault {
        Fault::Asked(error) => error,
        Fault::Rot(what) => StateError::Damaged { path, what },
        Fault::Redb(error) => match *error {
            redb::Error::Io(error) if !matches!(error.kind(), InvalidData | UnexpectedEof) => {
                StateError::io(&path, error)
            }
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                StateError::Held { path, by: "another process".into() }
            }
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                StateError::Closed { path, why: error.to_string() }
            }
            error => StateError::Damaged { path, what: error.to_string() },
        },
    }
}

/// Makes an empty state: all tables and the schema row, durable before it bears its name.
fn create(path: &Path) -> Result<(), StateError> {
    let born = with_suffix(path, ".new");
    match fs::remove_file(&born) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StateError::io(&born, error));
        }
        _ => {}
    }
    failpoint::pass("birth of the state");
    guarded(&born, || {
        let db = builder(Check::Plain).create(&born)?;
        let tx = db.begin_write()?;
        for name in table::ALL {
            table::write(&tx, name)?;
        }
        table::write(&tx, META)?.put_json(b"schema", &SCHEMA)?;
        tx.commit()?;
        db.close()?;
        Ok(())
    })?;
    let synced = File::open(&born).and_then(|file| file.sync_all());
    synced.map_err(|error| StateError::io(&born, error))?;
    failpoint::pass("naming of the state");
    fs::rename(&born, path).map_err(|error| StateError::io(path, error))?;
    durable::sync_folder_of(path)?;
    // The folder itself may be as new as the file.
    path.parent().map_or(Ok(()), durable::sync_folder_of)
}

/// Gives a state file another name, under its lock, so that a new one can be made.
pub(super) fn set_aside(path: &Path, holder: &str, at_ms: i64) -> Result<PathBuf, StateError> {
    if !path.try_exists().map_err(|error| StateError::io(path, error))? {
        return Err(StateError::Missing { path: path.to_owned() });
    }
    let mut lock = take_lock(path, Share::Alone)?;
    write_holder(&mut lock, holder).map_err(|error| StateError::io(&lock_path(path), error))?;
    let aside = with_suffix(path, &format!(".aside-{at_ms}"));
    fs::rename(path, &aside).map_err(|error| StateError::io(path, error))?;
    durable::sync_folder_of(path)?;
    Ok(aside)
}

/// Reads the schema, refuses a newer one, and brings an older one up to date.
fn migrate(path: &Path, db: &Db) -> Result<(), StateError> {
    let found = schema_of(path, db)?;
    if found == SCHEMA {
        return Ok(());
    }
    guarded(path, || {
        let tx = db.begin_write()?;
        for step in found..SCHEMA {
            upgrade(&tx, step)?;
        }
        table::write(&tx, META)?.put_json(b"schema", &SCHEMA)?;
        tx.commit()?;
        Ok(())
    })
}

/// One step from the schema `from` to the next, inside the transaction that records the step.
///
/// There is no older schema yet: a file that claims one is not ours.
fn upgrade(_tx: &WriteTransaction, from: u32) -> Result<(), Fault> {
    Err(Fault::Rot(format!("it claims the schema {from}, which never was")))
}

/// Looks at the schema before the file is opened for writing, which alone would change its bytes.
///
/// Whatever else is wrong with the file, opening it for writing finds out and can put right.
fn refuse_newer(path: &Path) -> Result<(), StateError> {
    let look = || match builder(Check::Plain).open_read_only(path) {
        Ok(db) => Ok(Some(Db::Read(db))),
        Err(_) => Ok(None),
    };
    match guarded(path, look) {
        Ok(Some(db)) => match schema_of(path, &db) {
            Err(newer @ StateError::Newer { .. }) => Err(newer),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn schema_of(path: &Path, db: &Db) -> Result<u32, StateError> {
    let found = guarded(path, || {
        let schema = table::read(&db.begin_read()?, META)?.json::<u32>(b"schema")?;
        schema.ok_or_else(|| Fault::Rot("its schema row is missing".into()))
    })?;
    if found > SCHEMA {
        return Err(StateError::Newer { path: path.to_owned(), found, known: SCHEMA });
    }
    Ok(found)
}

#[derive(Clone, Copy)]
enum Share {
    Alone,
    WithReaders,
}

/// Takes the kernel's lock on a file beside the state. It cannot outlive its holder.
fn take_lock(path: &Path, share: Share) -> Result<File, StateError> {
    let lock_path = lock_path(path);
    let io = |error| StateError::io(&lock_path, error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut lock = options.open(&lock_path).map_err(io)?;
    let mut waited = Duration::ZERO;
    loop {
        let taken = match share {
            Share::Alone => lock.try_lock(),
            Share::WithReaders => lock.try_lock_shared(),
        };
        match taken {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if waited < PATIENCE / 4 => {
                thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                // Only words for a person: where they cannot be read, the lock still counts.
                let _ = lock.read_to_string(&mut by);
                let by = match by.trim() {
                    "" => "another process".to_owned(),
                    by => by.to_owned(),
                };
                return Err(StateError::Held { path: path.to_owned(), by });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
}

fn write_holder(lock: &mut File, holder: &str) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{holder} (pid {})", std::process::id())
}

/// `state.redb` → `state.lock`.
fn lock_path(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
