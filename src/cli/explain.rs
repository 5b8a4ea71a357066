//! `s3plan explain`: what an error's code means, from the page that lists them all.

use super::exit::{Exit, Failure};
use super::session::Session;

/// The page: a line for each code, `- \`room/what\`: …`. A test holds it against the sources.
const PAGE: &str = include_str!("errors.md");

/// Explain the code of an error
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// As an error shows it in brackets; without it, all of them
    code: Option<String>,
}

pub fn run(args: &ExplainArgs, session: &Session) -> Result<Exit, Failure> {
    let Some(code) = &args.code else {
        session.screen().out(PAGE);
        return Ok(Exit::Done);
    };
    let head = format!("- `{code}`: ");
    let line = PAGE.lines().find_map(|line| line.strip_prefix(&head));
    let line = line.ok_or_else(|| {
        Failure::usage("cli/unknown-code", format!("no error has the code `{code}`"))
            .help("`s3plan explain` lists them all")
    })?;
    session.screen().out_line(&format!("{code}: {line}"));
    Ok(Exit::Done)
}
