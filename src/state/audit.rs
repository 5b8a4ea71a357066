//! The audit log: one JSON line for every mutation and approval, only ever appended.
//!
//! A line is durable before the call returns. A power cut can cut the last line short; the next
//! process begins on a fresh line, and reading reports the torn one instead of failing.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::durable;
use super::error::StateError;
use crate::failpoint;
use crate::model::{ActionId, BucketName, EvidenceId};

/// The format of the lines written today.
const FORMAT: u32 = 1;

/// One mutation or approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The format of this line.
    #[serde(default = "AuditEntry::format")]
    pub format: u32,
    /// When, UTC.
    pub at: Timestamp,
    /// What was done: the API operation, or in lower case a word of ours: `approve`, `abandon`,
    /// `run`, `done`, `failed`, `stale`, `gate`, `left-alone`, `object-failed`, `stopped`.
    pub operation: String,
    /// On which bucket; `None` for what is about a whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<BucketName>,
    /// The plan's digest; `None` outside of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The action it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionId>,
    /// How many objects, versions or uploads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// AWS's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// AWS's ids of the requests, where one line stands for several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_ids: Vec<String>,
    /// How many requests of each operation a process sent, retries included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, u64>,
    /// Whose credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_arn: Option<String>,
    /// Whose login on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_user: Option<String>,
    /// The evidence that was approved, or under which it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceId>,
    /// Anything else worth knowing, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl AuditEntry {
    /// An entry about a bucket, with nothing but what every such entry has.
    pub fn new(at: Timestamp, operation: impl Into<String>, bucket: &BucketName) -> Self {
        Self { bucket: Some(bucket.clone()), ..Self::of_run(at, operation) }
    }

    /// An entry about a whole run, with nothing but what every entry has.
    pub fn of_run(at: Timestamp, operation: impl Into<String>) -> Self {
        Self {
            format: FORMAT,
            at,
            operation: operation.into(),
            bucket: None,
            run: None,
            action: None,
            count: None,
            bytes: None,
            request_id: None,
            request_ids: Vec::new(),
            requests: BTreeMap::new(),
            caller_arn: None,
            os_user: None,
            evidence: None,
            detail: None,
        }
    }

    fn format() -> u32 {
        FORMAT
    }
}

/// The audit log, open for appending.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    file: File,
    /// Whether an append may have left half a line.
    torn: bool,
}

/// What reading the audit log gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditRead {
    /// In the order in which they were written.
    pub entries: Vec<AuditEntry>,
    /// Lines that cannot be read, counted from 1: torn by a power cut, or written by a newer
    /// s3plan.
    pub unreadable: Vec<usize>,
}

impl AuditLog {
    /// Opens `audit.jsonl` in a project's `.s3plan`, and makes it where it is missing.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        let path = folder.join("audit.jsonl");
        let open = || -> io::Result<(File, bool)> {
            fs::create_dir_all(folder)?;
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
            let torn = match file.seek(SeekFrom::End(0))? {
                0 => false,
                _ => {
                    let mut last = [0];
                    file.seek(SeekFrom::End(-1))?;
                    file.read_exact(&mut last)?;
                    last != *b"\n"
                }
            };
            Ok((file, torn))
        };
        let (file, torn) = open().map_err(|error| StateError::io(&path, error))?;
        durable::sync_folder_of(&path)?;
        Ok(Self { path, file, torn })
    }

    /// Appends a line and makes it durable.
    ///
    /// # Errors
    /// Where it may not have reached the disk.
    pub fn append(&mut self, entry: &AuditEntry) -> Result<(), StateError> {
        let io = |error| StateError::io(&self.path, error);
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, entry).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        self.torn = true;
        failpoint::pass("audit log");
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(io)?;
        self.torn = false;
        Ok(())
    }

    /// Reads the log of a project; empty where there is none.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn read(folder: &Path) -> Result<AuditRead, StateError> {
        let mut read = AuditRead::default();
        read.unreadable = Self::each(folder, |entry| read.entries.push(entry))?;
        Ok(read)
    }

    /// Reads the log of a project line by line, and gives the lines that cannot be read, counted
    /// from 1. A missing log has none.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn each(folder: &Path, mut take: impl FnMut(AuditEntry)) -> Result<Vec<usize>, StateError> {
        let path = folder.join("audit.jsonl");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StateError::io(&path, error)),
        };
        let mut unreadable = Vec::new();
        for (place, line) in BufReader::new(file).split(b'\n').enumerate() {
            let line = line.map_err(|error| StateError::io(&path, error))?;
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice::<AuditEntry>(&line) {
                Ok(entry) if entry.format <= FORMAT => take(entry),
                _ => unreadable.push(place + 1),
            }
        }
        Ok(unreadable)
    }
}
