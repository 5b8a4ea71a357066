use clap::CommandFactory as _;
use clap::Parser as _;

use super::*;

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
