//! `s3plan show`: a saved plan, with no network, state or credentials.

use std::path::PathBuf;

use crate::plan::permissions;
use crate::report;

use super::exit::{Exit, Failure};
use super::record;
use super::session::{Format, Session};

/// Show a saved plan: as it was printed, as JSON, or as Markdown for a pull request
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Plan to show [default: the one under plans/]
    plan: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// As Markdown that fits a pull-request comment
    #[arg(long, conflicts_with = "json")]
    md: bool,
    /// The smallest IAM policy that lets somebody apply it
    #[arg(long, conflicts_with_all = ["json", "md"])]
    iam: bool,
    /// What became of it so far, from the audit log: what was done, when, approved by whom
    #[arg(long, conflicts_with_all = ["md", "iam"])]
    record: bool,
}

pub fn run(args: &ShowArgs, session: &Session) -> Result<Exit, Failure> {
    let (project, _, plan) = session.plan(args.plan.as_deref())?;
    match (args.json, args.md) {
        _ if args.record => {
            record::tell(&plan, &project, Format::from_flag(args.json), session)?;
        }
        _ if args.iam => session.screen().json(&permissions::iam_policy(&plan.body)),
        (true, _) => report::plan_json(session.screen(), &plan),
        (_, true) => session.screen().out(&report::markdown(&plan)),
        _ => report::plan(session.screen(), &plan),
    }
    Ok(Exit::Done)
}
