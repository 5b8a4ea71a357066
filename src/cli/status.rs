//! `s3plan status` (being built).

use super::exit::{Exit, Failure};
use super::session::Session;

/// (being built)
#[derive(Debug, clap::Args)]
pub struct StatusArgs {}

pub async fn run(_args: &StatusArgs, _session: &Session) -> Result<Exit, Failure> {
    Err(Failure::not_offered("`status`"))
}
