//! `s3plan plan`: says what an apply would do, and saves it for review. Changes nothing.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::session::Session;

/// Compare the manifest with what is, show what would change, and save that for review
///
/// Only reads; nothing in AWS is changed. The plan goes to plans/<manifest>.plan.toml.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Manifest to plan from
    pub manifest: PathBuf,
    /// Save the plan here instead of under plans/
    #[arg(long, short, value_name = "PLAN")]
    pub out: Option<PathBuf>,
    /// Plan this bucket only; may be given several times
    #[arg(long, value_name = "BUCKET")]
    pub target: Vec<String>,
    /// Leave this bucket out; may be given several times
    #[arg(long, value_name = "BUCKET")]
    pub exclude: Vec<String>,
    /// Exit with 2 when there are changes, 0 when there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

pub async fn run(_args: &PlanArgs, _session: &Session) -> Result<Exit, Failure> {
    Err(Failure::not_offered("`plan`"))
}
