//! `s3plan state`: looks into what s3plan remembers, and makes it forget.

use serde::Serialize;

use crate::model::{BucketName, Number};
use crate::report::{Table, bytes, counted, shown};
use crate::state::{Mark, Open, Reset, Row, State, StateError, With};

use super::exit::{Exit, Failure};
use super::session::{Format, Session};

/// Rows read at a time: bounds memory, whatever a bucket holds.
const ROWS_AT_ONCE: usize = 1000;

/// Look into the state, or make it forget
///
/// The state is a cache: losing it loses no data, and nothing is deleted without a new approval.
#[derive(Debug, clap::Args)]
pub struct StateArgs {
    #[command(subcommand)]
    command: StateCommand,
}

#[derive(Debug, clap::Subcommand)]
enum StateCommand {
    /// List the buckets that the state knows
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the state knows of each object of a bucket
    Show {
        /// Which bucket
        bucket: String,
        /// As JSON, one object version a line
        #[arg(long)]
        json: bool,
    },
    /// Set the state aside and begin a new one with what the sealed archives record
    ///
    /// Nothing of it counts as proven: the next plan finds the files, and its apply proves them
    /// against S3 by hashing. Nothing is deleted without a new approval.
    Rebuild {
        /// Archive folders [default: every archive that the project knows]
        #[arg(value_name = "FOLDER")]
        archives: Vec<std::path::PathBuf>,
    },
    /// Forget a bucket, or everything; archives, audit log and replaced policies stay
    Reset {
        /// Which bucket [default: everything]
        bucket: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(args: &StateArgs, session: &Session) -> Result<Exit, Failure> {
    match &args.command {
        StateCommand::List { json } => list(Format::from_flag(*json), session),
        StateCommand::Show { bucket, json } => show(bucket, Format::from_flag(*json), session),
        StateCommand::Rebuild { archives } => super::rebuild::run(archives, session),
        StateCommand::Reset { bucket, yes } => reset(bucket.as_deref(), *yes, session),
    }
}

#[derive(Serialize)]
struct ListDoc {
    format: &'static str,
    account: Option<String>,
    buckets: Vec<ListedDoc>,
}

#[derive(Serialize)]
struct ListedDoc {
    bucket: BucketName,
    objects: u64,
    bytes: u64,
    stored_objects: u64,
    verified_objects: u64,
    deleted_objects: u64,
    failed_objects: u64,
    retired: bool,
}

fn list(format: Format, session: &Session) -> Result<Exit, Failure> {
    let state = session.state(&session.project()?, Open::Read)?;
    let mut listed = Vec::new();
    for row in state.buckets()? {
        let seen = row.inventory.as_ref();
        listed.push(ListedDoc {
            bucket: row.name,
            objects: seen.map_or(0, |inventory| inventory.objects),
            bytes: seen.map_or(0, |inventory| inventory.bytes),
            stored_objects: row.counts.stored.objects,
            verified_objects: row.counts.read_back.objects,
            deleted_objects: row.counts.deleted.objects,
            failed_objects: row.counts.failed,
            retired: row.retired.is_some(),
        });
    }
    let account = state.account()?.map(|account| account.to_string());
    match format {
        Format::Json => {
            session.screen().json(&ListDoc { format: "1.0", account, buckets: listed });
        }
        Format::Words => {
            let account = account.as_deref().unwrap_or("none yet");
            session.screen().out(&list_words(account, &listed, session.width()));
        }
    }
    Ok(Exit::Done)
}

fn list_words(account: &str, listed: &[ListedDoc], width: Option<u16>) -> String {
    let mut text = format!("Account {account}\n");
    if listed.is_empty() {
        return text + "no buckets\n";
    }
    let headings = ["Bucket", "Objects", "Size", "Stored", "Verified", "Deleted", "Failed", ""];
    let mut table = Table::new(&headings).numbers(&[1, 2, 3, 4, 5, 6]);
    for bucket in listed {
        table.row([
            bucket.bucket.to_string(),
            bucket.objects.to_string(),
            bytes(bucket.bytes),
            bucket.stored_objects.to_string(),
            bucket.verified_objects.to_string(),
            bucket.deleted_objects.to_string(),
            bucket.failed_objects.to_string(),
            if bucket.retired { "retired".into() } else { String::new() },
        ]);
    }
    text.push('\n');
    text.push_str(&table.text(width));
    text
}

fn show(bucket: &str, format: Format, session: &Session) -> Result<Exit, Failure> {
    let state = session.state(&session.project()?, Open::Read)?;
    let bucket = BucketName::new(bucket);
    if state.inventory(&bucket)?.is_none() {
        return Err(unknown(&state, &bucket)?);
    }
    let mut next: Number = 0;
    loop {
        let rows = state.page(&bucket, next, ROWS_AT_ONCE, With::Rows)?;
        let Some(last) = rows.last() else { return Ok(Exit::Done) };
        next = last.number + 1;
        let lines: String = rows.iter().map(|row| row_line(row, format)).collect();
        session.screen().out(&lines);
        if session.screen().is_closed() {
            return Ok(Exit::Done);
        }
    }
}

#[derive(Serialize)]
struct RowDoc<'a> {
    key: &'a str,
    version_id: Option<&'a str>,
    size: u64,
    etag: &'a str,
    storage_class: &'a str,
    delete_marker: bool,
    path: Option<&'a str>,
    sha256: Option<String>,
    proof: Option<String>,
    read_back: bool,
    deleted: bool,
    failure: Option<&'a str>,
}

fn row_line(row: &Row, format: Format) -> String {
    let object = &row.object;
    let stored = row.stored.as_ref();
    if format == Format::Json {
        let document = RowDoc {
            key: &object.key,
            version_id: object.version_id.as_deref(),
            size: object.size,
            etag: object.etag.as_str(),
            storage_class: object.class.as_str(),
            delete_marker: object.delete_marker,
            path: stored.map(|stored| stored.path.as_str()),
            sha256: stored.map(|stored| hex::encode(stored.sha256)),
            proof: stored.map(|stored| stored.proof.kind.to_string()),
            read_back: row.marks.has(Mark::ReadBack),
            deleted: row.marks.has(Mark::Deleted),
            failure: row.failure.as_deref(),
        };
        return crate::report::json_line(&document);
    }
    let far = match (stored, &row.failure) {
        _ if row.marks.has(Mark::Deleted) => "deleted".to_owned(),
        (_, Some(failure)) => format!("failed: {}", shown(failure)),
        (Some(stored), _) if row.marks.has(Mark::ReadBack) => {
            format!("verified, {}", stored.proof.kind)
        }
        (Some(stored), _) => format!("stored, {}", stored.proof.kind),
        _ if object.delete_marker => "delete marker".to_owned(),
        _ => "listed".to_owned(),
    };
    let version = object.version_id.as_deref().map(|id| format!(" @{}", shown(id)));
    let version = version.unwrap_or_default();
    let (key, size, class) = (shown(&object.key), bytes(object.size), &object.class);
    format!("{key}{version}  {size}, {class}, {far}\n")
}

fn unknown(state: &State, bucket: &BucketName) -> Result<Failure, StateError> {
    let known: Vec<String> = state.buckets()?.iter().map(|row| row.name.to_string()).collect();
    let message = format!("the state knows no bucket `{bucket}`");
    let failure = Failure::usage("cli/unknown-bucket", message);
    Ok(match known.is_empty() {
        true => failure.help("it knows none: run `s3plan plan` first"),
        false => failure.help(format!("it knows {}", known.join(", "))),
    })
}

fn reset(bucket: Option<&str>, yes: bool, session: &Session) -> Result<Exit, Failure> {
    let project = session.project()?;
    let file = session.state_file().unwrap_or_else(|| project.state_folder().join("state.redb"));
    if !file.exists() {
        return Err(StateError::Missing { path: file }.into());
    }
    let bucket = bucket.map(BucketName::new);
    let (what, word) = match &bucket {
        Some(bucket) => (format!("all that is known of {bucket}"), bucket.as_str()),
        None => ("the inventory, progress and approvals of every bucket".to_owned(), "reset"),
    };
    if !yes {
        session.screen().err_line(&format!(
            "This forgets {}. Archives, audit log and replaced policies stay; the next plan finds \
             the files that are there.",
            shown(&what)
        ));
        if session.ask(&format!("Type `{}` to go on:", shown(word)))? != word {
            return Err(Failure::new(Exit::Refused, "cli/declined", "nothing was forgotten"));
        }
    }
    let holder = session.holder("state reset");
    let state = match session.state(&project, Open::Write { holder: &holder }) {
        Ok(state) => state,
        // What cannot be read cannot be emptied: it makes room for a new one.
        Err(failure) if failure.code == "state/damaged" && bucket.is_none() => {
            let (given, now_ms) = (session.state_file(), session.now().as_millisecond());
            let aside =
                State::set_aside(&project.state_folder(), given.as_deref(), &holder, now_ms)?;
            session.say(&format!("the damaged state is now {}", shown(&aside.to_string_lossy())));
            return Ok(Exit::Done);
        }
        Err(failure) => return Err(failure),
    };
    let what = match bucket {
        None => Reset::Everything,
        Some(bucket) => {
            if !state.buckets()?.iter().any(|row| row.name == bucket) {
                return Err(unknown(&state, &bucket)?);
            }
            Reset::Bucket(bucket)
        }
    };
    let known = state.buckets()?.len() as u64;
    state.reset(&what)?;
    session.say(&match what {
        Reset::Everything => format!("forgotten: {}", counted(known, "bucket")),
        Reset::Bucket(bucket) => format!("forgotten: {}", shown(bucket.as_str())),
    });
    Ok(Exit::Done)
}
