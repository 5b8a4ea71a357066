//! `s3plan apply`: performs a reviewed plan and nothing else; run again, it goes on.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::session::Session;

/// Perform a plan, or go on with one that stopped
///
/// Shows the plan and asks for `yes`. Deletions wait at a gate of their own, which opens for an
/// approval that names the evidence. Can be stopped at any time; the same command goes on.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
    /// Plan to perform [default: the one under plans/]
    pub plan: Option<PathBuf>,
    /// Do not ask before starting; deletions still wait for their approval
    #[arg(long)]
    pub yes: bool,
    /// Approve exactly this evidence for a bucket; may be given several times
    #[arg(long, value_name = "BUCKET@EVIDENCE")]
    pub approve: Vec<String>,
    /// Leave with code 3 instead of waiting for Glacier
    #[arg(long)]
    pub no_wait: bool,
    /// Perform this bucket's part only; may be given several times
    #[arg(long, value_name = "BUCKET")]
    pub target: Vec<String>,
    /// Tell what happens as JSON, one event a line
    #[arg(long)]
    pub json: bool,
}

pub async fn run(_args: &ApplyArgs, _session: &Session) -> Result<Exit, Failure> {
    Err(Failure::not_offered("`apply`"))
}
