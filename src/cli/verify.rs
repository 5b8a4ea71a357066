//! `s3plan verify`: reads archives back against their own record. Asks nobody but the disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::archive::{self, ArchiveError, Depth, Finding, VerifyReport, VerifyTick, What};
use crate::event::Tick;
use crate::model::{ActionId, ActionKind, BucketName};
use crate::plan::{Body, file};
use crate::report::{bytes, counted, shown};
use crate::state::Open;

use super::exit::{Exit, Failure};
use super::project::Project;
use super::session::{Format, Session};

/// Read archives back and compare them with their own record; no AWS needed
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Buckets, or archive folders [default: every archive of the project]
    #[arg(value_name = "BUCKET")]
    archives: Vec<String>,
    /// Compare sizes and times only
    #[arg(long)]
    quick: bool,
}

/// An archive and what it is called here.
struct Place {
    name: String,
    folder: PathBuf,
}

pub fn run(args: &VerifyArgs, session: &Session) -> Result<Exit, Failure> {
    let depth = if args.quick { Depth::Quick } else { Depth::Full };
    let mut ends = Vec::new();
    for place in &places(&args.archives, session)? {
        match check(place, depth, session) {
            Ok(report) => {
                session.screen().out_line(&summary(place, &report, depth));
                ends.push(if report.is_sound() { Exit::Done } else { Exit::Failed });
            }
            // A bucket of the plan that is not that far yet is no failure, unless it was named.
            Err(error) if args.archives.is_empty() && is_not_there_yet(&error) => {
                session.say(&format!("{}: not sealed yet, skipped", shown(&place.name)));
            }
            Err(error) => {
                let failure = Failure::from(error);
                failure.tell(session.screen());
                ends.push(failure.exit);
            }
        }
        if session.screen().is_closed() {
            break;
        }
    }
    if ends.is_empty() {
        return Err(Failure::new(Exit::Failed, "cli/no-archive", "no archive is sealed yet")
            .help("`s3plan status` shows how far each bucket is"));
    }
    Ok(Exit::first(ends))
}

fn is_not_there_yet(error: &ArchiveError) -> bool {
    match error {
        ArchiveError::NotSealed(_) => true,
        ArchiveError::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn check(place: &Place, depth: Depth, session: &Session) -> Result<VerifyReport, ArchiveError> {
    let mut reporter = session.reporter(Format::Words);
    let action = ActionId::new(&BucketName::new(shown(&place.name)), ActionKind::Verify, 1);
    let mut tick = Tick { action, objects: 0, of_objects: 0, bytes: 0, of_bytes: 0, retries: 0 };
    archive::verify(&place.folder, depth, &mut |said| match said {
        VerifyTick::Begun { files, bytes } => {
            (tick.of_objects, tick.of_bytes) = (files, bytes);
        }
        VerifyTick::Checked { files, bytes } => {
            (tick.objects, tick.bytes) = (files, bytes);
            reporter.tick(&tick);
        }
        VerifyTick::Found(finding) => session.screen().out_line(&finding_line(place, finding)),
    })
}

fn finding_line(place: &Place, finding: &Finding) -> String {
    let what = match &finding.what {
        What::Wrong { expected, actual } => {
            format!("WRONG: SHA-256 {actual}, recorded {expected}")
        }
        What::WrongSize { expected, actual } => {
            format!("WRONG: {actual} bytes, recorded {expected}")
        }
        What::Touched { .. } => "TOUCHED: changed after it was archived, its size is right".into(),
        What::Missing => "MISSING".into(),
        What::Extra => "EXTRA: not in the record".into(),
        What::NotAFile => "WRONG: no plain file stands there".into(),
        What::Unreadable(why) => format!("UNREADABLE: {}", shown(why)),
        What::BadRecord(why) => format!("BAD RECORD: {}", shown(why)),
    };
    let key = match &finding.key {
        Some(key) => format!(" (key {})", shown(key)),
        None => String::new(),
    };
    format!("{}: {}{key}: {what}", shown(&place.name), shown(&finding.path))
}

fn summary(place: &Place, report: &VerifyReport, depth: Depth) -> String {
    let name = shown(&place.name);
    let looked = match depth {
        Depth::Full => "read back",
        Depth::Quick => "looked at",
    };
    let amount =
        format!("{} {looked}, {} right", counted(report.files, "file"), bytes(report.bytes));
    if report.is_sound() {
        return format!("{name}: sound: {amount}");
    }
    let (wrong, missing, extra) = (report.wrong, report.missing, report.extra);
    let records = counted(report.bad_records, "bad record");
    format!(
        "{name}: NOT SOUND: {wrong} wrong, {missing} missing, {extra} extra, {records}; {amount}"
    )
}

/// The archives that were asked for.
fn places(asked: &[String], session: &Session) -> Result<Vec<Place>, Failure> {
    let folder = |name: &String| {
        let folder = session.path(Path::new(name));
        (name.contains('/') || folder.is_dir()).then(|| Place { name: name.clone(), folder })
    };
    // Folders alone need no project.
    let named: Vec<Option<Place>> = asked.iter().map(folder).collect();
    if !asked.is_empty() && named.iter().all(Option::is_some) {
        return Ok(named.into_iter().flatten().collect());
    }
    let known = known_archives(&session.project()?, session)?;
    if asked.is_empty() {
        let place =
            |(name, folder): (BucketName, PathBuf)| Place { name: name.to_string(), folder };
        let places: Vec<Place> = known.into_iter().map(place).collect();
        return match places.is_empty() {
            true => {
                Err(Failure::usage("cli/no-archive", "no plan of this project archives anything")
                    .help("name an archive's folder"))
            }
            false => Ok(places),
        };
    }
    let mut places = Vec::new();
    for name in asked {
        match (known.get(&BucketName::new(name.as_str())), folder(name)) {
            (Some(folder), _) => places.push(Place { name: name.clone(), folder: folder.clone() }),
            (None, Some(place)) => places.push(place),
            (None, None) => {
                let known: Vec<&str> = known.keys().map(BucketName::as_str).collect();
                let message = format!("this project knows no archive of `{name}`");
                let failure = Failure::usage("cli/unknown-bucket", message);
                return Err(match known.is_empty() {
                    true => failure.help("name the archive's folder"),
                    false => failure.help(format!("it knows {}", known.join(", "))),
                });
            }
        }
    }
    Ok(places)
}

/// Where every bucket of the project is archived: from what the state remembers of retired buckets
/// and of plans, and from the plan files, which win.
pub(super) fn known_archives(
    project: &Project,
    session: &Session,
) -> Result<BTreeMap<BucketName, PathBuf>, Failure> {
    let mut known = BTreeMap::new();
    let place = |to: &str| project.place(to, session.home().as_deref());
    // A state that is held or damaged is no reason not to read archives.
    if let Ok(state) = session.state(project, Open::Read) {
        for retired in state.buckets()?.into_iter().filter_map(|row| row.retired) {
            known.extend(place(&retired.archive).map(|to| (retired.bucket, to)));
        }
        for plan in state.plans()? {
            if let Ok(body) = serde_json::from_value::<Body>(plan.outline) {
                known.extend(archives_of(&body, &place));
            }
        }
    }
    for path in project.plans()? {
        match file::load(&path) {
            Ok(plan) => known.extend(archives_of(&plan.body, &place)),
            Err(error) => session.say(&format!("warning: {}", shown(&error.to_string()))),
        }
    }
    Ok(known)
}

fn archives_of(
    body: &Body,
    place: impl Fn(&str) -> Option<PathBuf>,
) -> impl Iterator<Item = (BucketName, PathBuf)> {
    body.buckets.iter().filter_map(move |bucket| {
        let archive = bucket.archive.as_ref()?;
        Some((bucket.name.clone(), place(&archive.to)?))
    })
}
