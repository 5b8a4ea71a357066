//! Checks an archive against its own record, years later, with no AWS, state or manifest.
//!
//! In: the folder. Out: findings as they are made, and their counts. Nothing is written, no lock is
//! taken. Memory does not grow with the archive: names go to the caller, not into a list.

pub(super) mod extra;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::bag::{BAGIT, BagRow, Line, Lines, MANIFEST, OBJECTS, Rows, TAG_MANIFEST, identity};
use super::beneath::{Root, is_not_a_folder};
use super::error::ArchiveError;
use super::keymap::PAYLOAD;
use super::medium::{Unwritten, settle, sha256_cold};
use super::open::{Owner, open_plain};

/// The bag's own files that every archive has.
const OWN_FILES: [&str; 4] = [BAGIT, identity::BAG_INFO, MANIFEST, OBJECTS];
/// FAT keeps times to two seconds.
const TIME_STEP_MS: u64 = 2_000;

/// How closely the files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Every byte is read back from the medium and hashed.
    Full,
    /// Size and time of last change only.
    Quick,
}

/// What a check says while it goes on.
#[derive(Debug)]
pub enum VerifyTick<'a> {
    /// How much there is to check, where the bag says so; once, at the beginning.
    Begun {
        /// Payload files.
        files: u64,
        /// Their sizes together.
        bytes: u64,
    },
    /// How much was checked so far.
    Checked {
        /// Payload files.
        files: u64,
        /// Bytes read; with [`Depth::Quick`] bytes compared by size.
        bytes: u64,
    },
    /// Something is not as it was recorded.
    Found(&'a Finding),
}

/// One thing that is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// From the bag's root.
    pub path: String,
    /// Of the object, where the record names one.
    pub key: Option<String>,
    /// What is wrong with it.
    pub what: What,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Its bytes changed: SHA-256 in hex.
    Wrong {
        /// As recorded.
        expected: String,
        /// As read.
        actual: String,
    },
    /// Its size changed, in bytes.
    WrongSize {
        /// As recorded.
        expected: u64,
        /// As found.
        actual: u64,
    },
    /// It was changed after it was archived (milliseconds since the Unix epoch); its size is right.
    Touched {
        /// As recorded.
        expected_ms: i64,
        /// As found.
        actual_ms: i64,
    },
    /// It is recorded, and not there.
    Missing,
    /// It is there, and not recorded.
    Extra,
    /// A link, a pipe, a folder or a device stands in its place.
    NotAFile,
    /// It could not be read.
    Unreadable(String),
    /// The record itself is damaged or contradicts itself.
    BadRecord(String),
}

/// The counts of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Whose archive it is; `None` where it does not say.
    pub owner: Option<Owner>,
    /// Lines of `objects.jsonl`.
    pub rows: u64,
    /// Payload files that were checked, whatever came of it.
    pub files: u64,
    /// Bytes of those that were found right.
    pub bytes: u64,
    /// Files whose bytes, size or time are not as recorded, that could not be read, or are no
    /// files.
    pub wrong: u64,
    /// Files that are recorded, and not there.
    pub missing: u64,
    /// Files that are there, and not recorded.
    pub extra: u64,
    /// Findings about the bag's own files.
    pub bad_records: u64,
}

impl VerifyReport {
    /// Whether everything is as it was recorded.
    pub fn is_sound(&self) -> bool {
        self.wrong + self.missing + self.extra + self.bad_records == 0
    }
}

/// Checks the archive at `to` against its own record.
///
/// # Errors
/// [`ArchiveError::NotSealed`] where no bag is, or an unfinished one; [`ArchiveError::NotAFolder`];
/// the system's where the folder itself cannot be read. What is wrong inside is a finding, no
/// error.
pub fn verify(
    to: &Path,
    depth: Depth,
    on: &mut dyn FnMut(VerifyTick<'_>),
) -> Result<VerifyReport, ArchiveError> {
    let found = std::fs::metadata(to).map_err(ArchiveError::io("look at", to))?;
    if !found.is_dir() {
        return Err(ArchiveError::NotAFolder(to.to_owned()));
    }
    let root = Rc::new(Root::open(to).map_err(ArchiveError::io("open", to))?);
    if root.stat(MANIFEST).is_err() && root.stat(TAG_MANIFEST).is_err() {
        return Err(ArchiveError::NotSealed(to.to_owned()));
    }
    let unwritten = match depth {
        Depth::Quick => Unwritten::Perhaps,
        Depth::Full => settle(root.fd()),
    };
    let (to, report) = (to.to_owned(), VerifyReport::default());
    let mut check = Check { root, to, depth, unwritten, on, report, read: 0, present: 0 };
    check.description();
    check.tag_files();
    check.payload();
    extra::find(&mut check);
    Ok(check.report)
}

struct Check<'a> {
    root: Rc<Root>,
    to: PathBuf,
    depth: Depth,
    unwritten: Unwritten,
    on: &'a mut dyn FnMut(VerifyTick<'_>),
    report: VerifyReport,
    /// Bytes read so far, for the ticks.
    read: u64,
    /// Recorded paths at which something stands.
    present: u64,
}

/// What is recorded of one payload file.
struct Recorded<'a> {
    path: &'a str,
    sha256: [u8; 32],
    row: Option<&'a BagRow>,
}

impl Check<'_> {
    fn found(&mut self, path: &str, key: Option<&str>, what: What) {
        let counter = match what {
            What::Missing => &mut self.report.missing,
            What::Extra => &mut self.report.extra,
            _ => &mut self.report.wrong,
        };
        *counter += 1;
        let (path, key) = (path.to_owned(), key.map(str::to_owned));
        (self.on)(VerifyTick::Found(&Finding { path, key, what }));
    }

    fn bad_record(&mut self, path: &str, what: What) {
        self.report.bad_records += 1;
        let finding = Finding { path: path.to_owned(), key: None, what };
        (self.on)(VerifyTick::Found(&finding));
    }

    /// Who it belongs to and how much it should hold.
    fn description(&mut self) {
        match identity::read(&self.root, &self.to) {
            Ok(owner) => self.report.owner = owner,
            Err(e) => {
                self.bad_record(identity::BAG_INFO, What::BadRecord(e.to_string()));
            }
        }
        if let Some((bytes, files)) = identity::read_oxum(&self.root, &self.to) {
            (self.on)(VerifyTick::Begun { files, bytes });
        }
    }

    /// The bag's own files against the tag manifest.
    fn tag_files(&mut self) {
        let mut listed = Vec::new();
        for line in Lines::open(&self.root, &self.to, TAG_MANIFEST) {
            match line {
                Ok((sha256, path)) => {
                    self.tag_file(&path, &sha256);
                    listed.push(path);
                }
                Err(e) => self.bad_record(TAG_MANIFEST, unreadable(e)),
            }
        }
        for path in OWN_FILES {
            if !listed.iter().any(|listed| listed == path) {
                let what = What::BadRecord(format!("is not listed in {TAG_MANIFEST}"));
                self.bad_record(path, what);
            }
        }
    }

    fn tag_file(&mut self, path: &str, expected: &[u8; 32]) {
        let read = open_plain(&self.root, &self.to, path).and_then(|file| {
            let at = self.to.join(path);
            sha256_cold(&file, self.unwritten, &mut |_| {}).map_err(ArchiveError::io("read", at))
        });
        match read {
            Ok((sha256, _)) if sha256 == *expected => {}
            Ok((sha256, _)) => self.bad_record(path, wrong(expected, &sha256)),
            Err(e) => self.bad_record(path, unreadable(e)),
        }
    }

    /// Every recorded file, by the rows and the manifest side by side.
    fn payload(&mut self) {
        let mut lines = Lines::open(&self.root, &self.to, MANIFEST);
        let rows = match Rows::open(&self.root, &self.to) {
            Ok(rows) => rows,
            Err(e) => {
                self.bad_record(OBJECTS, unreadable(e));
                Rows::none(&self.to)
            }
        };
        let mut agree = true;
        for row in rows {
            let row = match row {
                Ok(row) => row,
                Err(e) => {
                    self.bad_record(OBJECTS, unreadable(e));
                    break;
                }
            };
            self.report.rows += 1;
            let Some(path) = &row.path else { continue };
            let mut sha256 = [0; 32];
            let digits = row.sha256.as_deref().unwrap_or_default();
            if hex::decode_to_slice(digits, &mut sha256).is_err() {
                self.bad_record(OBJECTS, What::BadRecord(format!("no SHA-256 of {path}")));
                continue;
            }
            if agree && !self.agrees(lines.next(), sha256, path) {
                agree = false;
            }
            self.file(&Recorded { path, sha256, row: Some(&row) });
        }
        // Behind the rows' files come those that no object is known of.
        for line in lines.filter(|_| agree) {
            match line {
                Ok((sha256, path)) => {
                    self.file(&Recorded { path: &path, sha256, row: None });
                }
                Err(e) => self.bad_record(MANIFEST, unreadable(e)),
            }
        }
    }

    /// Whether the manifest's next line says the same as a row.
    fn agrees(&mut self, line: Option<Line>, sha256: [u8; 32], path: &str) -> bool {
        let why = match line {
            Some(Ok((listed, at))) if at == path && listed == sha256 => return true,
            Some(Err(e)) => unreadable(e),
            Some(Ok((_, at))) if at == path => {
                What::BadRecord(format!("its digest in {MANIFEST} is not that in {OBJECTS}"))
            }
            Some(Ok(_)) | None => {
                What::BadRecord(format!("{MANIFEST} and {OBJECTS} part ways here"))
            }
        };
        self.bad_record(path, why);
        false
    }

    fn file(&mut self, recorded: &Recorded<'_>) {
        self.report.files += 1;
        let key = recorded.row.map(|row| row.key.as_str());
        match self.look(recorded) {
            Ok(bytes) => self.report.bytes += bytes,
            Err(what) => self.found(recorded.path, key, what),
        }
        (self.on)(VerifyTick::Checked { files: self.report.files, bytes: self.read });
    }

    /// Looks at one file; its size where all is well.
    fn look(&mut self, recorded: &Recorded<'_>) -> Result<u64, What> {
        let Recorded { path, sha256, row } = recorded;
        if !path.starts_with("data/") {
            return Err(What::BadRecord(format!("is not under {PAYLOAD}/")));
        }
        let file = self.open_recorded(path)?;
        let found = file.metadata().map_err(|e| What::Unreadable(e.to_string()))?;
        let expected = row.map_or(found.len(), |row| row.size);
        if found.len() != expected {
            return Err(What::WrongSize { expected, actual: found.len() });
        }
        if self.depth == Depth::Quick {
            self.read += found.len();
            let actual_ms = found.mtime() * 1_000 + found.mtime_nsec() / 1_000_000;
            let expected_ms = row.and_then(BagRow::last_modified_ms).unwrap_or(actual_ms);
            let same = expected_ms.abs_diff(actual_ms) < TIME_STEP_MS;
            return if same { Ok(expected) } else { Err(What::Touched { expected_ms, actual_ms }) };
        }
        let (on, read, files) = (&mut self.on, &mut self.read, self.report.files - 1);
        let back = sha256_cold(&file, self.unwritten, &mut |bytes| {
            *read += bytes;
            on(VerifyTick::Checked { files, bytes: *read });
        });
        let (found, size) = back.map_err(|e| What::Unreadable(e.to_string()))?;
        if found == *sha256 { Ok(size) } else { Err(wrong(sha256, &found)) }
    }

    fn open_recorded(&mut self, path: &str) -> Result<File, What> {
        let opened = self.root.read(path);
        match self.root.stat(path) {
            Ok(_) => self.present += 1,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound || is_not_a_folder(&e) => {
                return Err(What::Missing);
            }
            Err(e) => return Err(What::Unreadable(e.to_string())),
        }
        opened.map_err(|_| match open_plain(&self.root, &self.to, path) {
            Err(ArchiveError::Io { source, .. }) => What::Unreadable(source.to_string()),
            _ => What::NotAFile,
        })
    }
}

fn wrong(expected: &[u8; 32], actual: &[u8; 32]) -> What {
    What::Wrong { expected: hex::encode(expected), actual: hex::encode(actual) }
}

fn unreadable(error: ArchiveError) -> What {
    match error {
        ArchiveError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            What::Missing
        }
        ArchiveError::Io { source, .. } => What::Unreadable(source.to_string()),
        ArchiveError::Planted(_) => What::NotAFile,
        ArchiveError::Damaged { line, why, .. } => What::BadRecord(format!("line {line}: {why}")),
        other => What::BadRecord(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
