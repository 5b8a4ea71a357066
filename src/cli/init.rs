//! `s3plan init`: looks which buckets there are and writes a first manifest. Changes nothing else.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dialoguer::MultiSelect;
use dialoguer::console::Term;
use tokio::signal::unix::{SignalKind, signal};

use crate::manifest;
use crate::model::BucketName;
use crate::report::{counted, shown};

use super::account::Account;
use super::exit::{Exit, Failure};
use super::session::Session;

/// Where archives go when nothing is said, as `manifest::draft` has it.
const ARCHIVE_TO: &str = "./archive";

/// Write a first manifest for some of the account's buckets
///
/// Without arguments, on a terminal, the buckets are picked from a list. Nothing that the manifest
/// asks for deletes; edit it, then run `s3plan plan`.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// Buckets to write into it
    #[arg(value_name = "BUCKET")]
    buckets: Vec<String>,
    /// Every bucket of the account
    #[arg(long, conflicts_with = "buckets")]
    all: bool,
    /// Where the archives go, relative to the manifest [default: ./archive]
    #[arg(long, value_name = "DIR")]
    archive_to: Option<String>,
    /// Who alone keeps access: `me`, an IAM user's name, or an ARN
    #[arg(long, value_name = "WHO")]
    lock_to: Option<String>,
    /// Write the manifest here
    #[arg(long, short, value_name = "FILE", default_value = "manifest.toml")]
    out: PathBuf,
}

pub async fn run(args: &InitArgs, session: &Session) -> Result<Exit, Failure> {
    let path = session.path(&args.out);
    if path.symlink_metadata().is_ok() {
        let message = format!("{} is there already; nothing was written", args.out.display());
        return Err(Failure::usage("cli/exists", message).help("choose another name with -o"));
    }
    if args.buckets.is_empty() && !args.all && !session.can_ask() {
        let message = "no bucket was named, and there is no terminal to pick some on";
        return Err(Failure::usage("cli/no-bucket", message).help("name buckets, or give --all"));
    }
    let account = Account::look(&session.aws(None).await?).await?;
    account.knows(&args.buckets)?;
    let mut names = match (args.all, args.buckets.as_slice()) {
        (true, _) => account.buckets.iter().map(|bucket| bucket.name.clone()).collect(),
        (false, []) => pick(&account, session)?,
        (false, named) => named.to_vec(),
    };
    names.sort();
    names.dedup();
    let buckets: Vec<BucketName> = names.into_iter().map(BucketName::new).collect();
    let (archive_to, lock_to) = (args.archive_to.as_deref(), args.lock_to.as_deref());
    let text = manifest::draft(&account.caller.account, &buckets, archive_to, lock_to);
    // A wrong --lock-to or --archive-to shows itself here, before anything is written.
    manifest::parse(&text, &args.out.to_string_lossy())?;
    write_new(&path, &text).map_err(|error| unwritable(&path, &error))?;
    let folder = path.parent().unwrap_or(session.from());
    let archive = match (archive_to, lock_to) {
        (None, None) => Some(ARCHIVE_TO),
        (given, _) => given,
    };
    ignore(&folder.join(".gitignore"), &ignored(archive))
        .map_err(|error| unwritable(&folder.join(".gitignore"), &error))?;
    let name = args.out.to_string_lossy();
    let (name, count) = (shown(&name), counted(buckets.len() as u64, "bucket"));
    session.say(&format!("wrote {name}: {count}\nnext: s3plan plan {name}"));
    Ok(Exit::Done)
}

/// Lets a person pick from the list. None picked is no manifest.
pub(super) fn pick(account: &Account, session: &Session) -> Result<Vec<String>, Failure> {
    let items: Vec<String> = account
        .buckets
        .iter()
        .map(|bucket| format!("{}  ({})", shown(&bucket.name), shown(&bucket.region)))
        .collect();
    let none = || Failure::usage("cli/no-bucket", "no bucket was picked; nothing was written");
    if items.is_empty() {
        let message = format!("account {} has no buckets", account.caller.account);
        return Err(Failure::usage("cli/no-bucket", message));
    }
    // The list hides the cursor: an interruption must come back to us, not end the process there.
    let _listener = signal(SignalKind::interrupt());
    let picked = session.screen().ask("", || {
        MultiSelect::new()
            .with_prompt("Which buckets? Space picks, Enter ends, Esc leaves")
            .items(&items)
            .max_length(20)
            .report(false)
            .interact_opt()
    });
    let picked = picked.map_err(|error| {
        let _ = Term::stderr().show_cursor();
        let message = format!("no bucket was picked ({error}); nothing was written");
        Failure::new(Exit::Interrupted, "cli/interrupted", message)
    })?;
    let picked = picked.filter(|picked| !picked.is_empty()).ok_or_else(none)?;
    Ok(picked.into_iter().map(|place| account.buckets[place].name.clone()).collect())
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write {}: {error}", path.display());
    Failure::new(Exit::Failed, "cli/unwritable", message)
}

/// Writes a file that must not be there yet, durably.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What git should not see: the state, and an archive that lies in the project.
fn ignored(archive_to: Option<&str>) -> Vec<String> {
    let mut lines = vec![".s3plan/".to_owned()];
    let Some(to) = archive_to else { return lines };
    let outside = to.starts_with(['/', '~']) || to.split('/').any(|part| part == "..");
    if outside {
        return lines;
    }
    let parts: Vec<&str> = to.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let fixed = parts.iter().take_while(|part| !part.contains('{')).count();
    match (fixed, parts.first()) {
        (0, None) => {
            // Each bucket has its folder beside the manifest; only the locks have a common name.
            lines.push("/*.s3plan-lock".into());
        }
        (0, Some(first)) => {
            let glob = placeholders_as_globs(first);
            lines.push(format!("/{glob}/"));
            lines.push(format!("/{glob}.s3plan-lock"));
        }
        (fixed, _) => {
            let folder = parts[..fixed].iter().map(|part| literal(part));
            let folder = folder.collect::<Vec<_>>().join("/");
            lines.push(format!("/{folder}/"));
            lines.push(format!("/{folder}.s3plan-lock"));
        }
    }
    lines
}

/// `cold-{bucket}` → `cold-*`.
fn placeholders_as_globs(part: &str) -> String {
    let mut glob = String::new();
    let mut rest = part;
    while let Some((before, inside)) = rest.split_once('{') {
        glob.push_str(&literal(before));
        glob.push('*');
        rest = inside.split_once('}').map_or("", |(_, after)| after);
    }
    glob + &literal(rest)
}

/// A name in which git sees no pattern.
fn literal(name: &str) -> String {
    let mut safe = String::new();
    for c in name.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | ' ') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

/// Adds the lines that a `.gitignore` lacks, and leaves the rest as it is.
fn ignore(path: &Path, lines: &[String]) -> io::Result<()> {
    let old = match std::fs::read_to_string(path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let missing: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| !old.lines().any(|other| other.trim() == *line))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut added = String::new();
    if !old.is_empty() && !old.ends_with('\n') {
        added.push('\n');
    }
    for line in missing {
        added.push_str(line);
        added.push('\n');
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(added.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountId;

    #[test]
    fn git_does_not_see_what_lies_in_the_project() {
        let of = |to| ignored(Some(to)).join(" ");
        assert_eq!(of("./archive"), ".s3plan/ /archive/ /archive.s3plan-lock");
        assert_eq!(of("a b/x/{bucket}"), ".s3plan/ /a\\ b/x/ /a\\ b/x.s3plan-lock");
        assert_eq!(of("cold-{bucket}"), ".s3plan/ /cold-*/ /cold-*.s3plan-lock");
        for outside in ["/mnt/nas", "~/archive", "../archive/{bucket}"] {
            assert_eq!(of(outside), ".s3plan/", "{outside}");
        }
        assert_eq!(ignored(None), [".s3plan/"]);
    }

    #[test]
    fn a_gitignore_keeps_its_lines_and_gets_each_once() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join(".gitignore");
        std::fs::write(&path, "target/\n.s3plan/").expect("a file");
        for _ in 0..2 {
            ignore(&path, &ignored(Some("./archive"))).expect("written");
            assert_eq!(
                std::fs::read_to_string(&path).expect("a file"),
                "target/\n.s3plan/\n/archive/\n/archive.s3plan-lock\n"
            );
        }
    }

    #[test]
    fn what_is_written_validates() {
        let account = AccountId::new("123456789012").expect("12 digits");
        let buckets = [BucketName::new("photos-2019"), BucketName::new("logs*odd")];
        for (to, who) in [(None, None), (Some("/mnt/nas"), Some("me")), (None, Some("alice"))] {
            let text = manifest::draft(&account, &buckets, to, who);
            let wanted = manifest::parse(&text, "manifest.toml").expect("a valid manifest");
            assert_eq!(wanted.account, account);
        }
    }

    #[test]
    fn a_file_that_is_there_is_never_overwritten() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("manifest.toml");
        std::fs::write(&path, "mine").expect("a file");
        assert!(write_new(&path, "other").is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "mine");
    }
}
