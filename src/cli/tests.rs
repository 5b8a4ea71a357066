use std::path::Path;

use clap::CommandFactory as _;
use clap::Parser as _;

use super::*;
use crate::plan::file;
use crate::report::{captured, samples};

/// Runs one command line in a folder with nobody at a terminal; gives its stdout.
fn answer(folder: &Path, line: &str) -> Result<(Exit, String), Failure> {
    let words = std::iter::once("s3plan").chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).expect(line);
    let (screen, out, _) = captured::plain();
    let session = Session::in_folder(folder, screen);
    dispatch(&cli.command, &session).map(|exit| (exit, out.text()))
}

fn failure(folder: &Path, line: &str) -> (u8, &'static str) {
    let failure = answer(folder, line).expect_err(line);
    (failure.exit.code(), failure.code)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn the_arguments_do_not_contradict_each_other() {
    Cli::command().debug_assert();
}

#[test]
fn a_wrong_argument_is_told_apart_from_help() {
    let wrong = ["", "no-such-command", "plan", "apply --no-such", "show --json --md", "-q -v man"];
    for line in wrong {
        let words = std::iter::once("s3plan").chain(line.split_whitespace());
        let error = Cli::try_parse_from(words).expect_err(line);
        assert!(error.use_stderr(), "{line}");
    }
    for line in ["--help", "--version", "plan --help", "help apply"] {
        let words = std::iter::once("s3plan").chain(line.split_whitespace());
        let shown = Cli::try_parse_from(words).expect_err(line);
        assert!(!shown.use_stderr(), "{line}");
    }
}

#[test]
fn options_may_stand_before_or_after_the_command() {
    for line in ["s3plan -C x --region eu-west-1 status", "s3plan status -C x --region eu-west-1"] {
        let cli = Cli::try_parse_from(line.split(' ')).expect(line);
        assert_eq!(cli.global.folder, Some(PathBuf::from("x")));
        assert_eq!(cli.global.region.as_deref(), Some("eu-west-1"));
    }
}

#[test]
fn what_is_not_there_is_told_with_its_code() {
    let temp = folder();
    let at = temp.path();
    for (line, told) in [
        ("show", (64, "cli/no-plan")),
        ("show nope.plan.toml", (64, "plan/unreadable")),
        ("validate nope.toml", (64, "manifest/unreadable")),
        ("state list", (1, "state/missing")),
        ("state show photos", (1, "state/missing")),
        ("state reset --yes", (1, "state/missing")),
        ("state rebuild", (64, "cli/no-archive")),
        ("verify", (64, "cli/no-archive")),
        ("verify photos", (64, "cli/unknown-bucket")),
        ("init", (64, "cli/no-bucket")),
    ] {
        assert_eq!(failure(at, line), told, "{line}");
    }
}

#[test]
fn a_plan_is_shown_with_nobody_asked() {
    let temp = folder();
    let plan = samples::plan();
    let path = temp.path().join("plans/manifest.plan.toml");
    file::save(&plan, &path).expect("saved");
    let saved = std::fs::read_to_string(&path).expect("a file");
    // The sample's digest is made up: that counts as an edit.
    assert_eq!(failure(temp.path(), "show"), (4, "plan/edited"));
    std::fs::write(&path, saved.replace("format = \"1.", "format = \"9.")).expect("a file");
    assert_eq!(failure(temp.path(), "show"), (5, "plan/newer"));
    std::fs::write(temp.path().join("plans/other.plan.toml"), saved).expect("a file");
    assert_eq!(failure(temp.path(), "show"), (64, "cli/several-plans"));
}

#[test]
fn before_the_first_plan_the_status_is_empty() {
    let temp = folder();
    let (exit, out) = answer(temp.path(), "status --json").expect("answers");
    assert_eq!(exit, Exit::Done);
    let status: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(status["format"], "1.0");
    assert_eq!(status["buckets"], serde_json::json!([]));
}

#[test]
fn a_manifest_is_checked_with_nobody_asked() {
    let temp = folder();
    let path = temp.path().join("manifest.toml");
    let text = "[account]\nid = \"123456789012\"\n[bucket.a]\narchive = { to = \"x\" }\n";
    std::fs::write(&path, text).expect("a file");
    assert_eq!(answer(temp.path(), "validate manifest.toml").expect("valid").0, Exit::Done);
    std::fs::write(&path, text.replace("to =", "too =")).expect("a file");
    assert_eq!(failure(temp.path(), "validate manifest.toml"), (64, "manifest/unknown-key"));
}

#[test]
fn a_folder_that_is_no_archive_does_not_verify() {
    let temp = folder();
    std::fs::create_dir(temp.path().join("files")).expect("a folder");
    let (exit, _) = answer(temp.path(), "verify files").unwrap_or((Exit::Failed, String::new()));
    assert_eq!(exit, Exit::Failed);
}

#[test]
fn the_manual_has_a_section_for_each_command() {
    let temp = folder();
    let (_, page) = answer(temp.path(), "man").expect("a page");
    for command in Cli::command().get_subcommands() {
        let heading = format!("S3PLAN {}", command.get_name().to_uppercase());
        assert!(page.contains(&heading), "{heading}");
    }
}
