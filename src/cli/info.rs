//! `s3plan info` (being built).

use super::exit::{Exit, Failure};
use super::session::Session;

/// (being built)
#[derive(Debug, clap::Args)]
pub struct InfoArgs {}

pub async fn run(_args: &InfoArgs, _session: &Session) -> Result<Exit, Failure> {
    Err(Failure::not_offered("`info`"))
}
