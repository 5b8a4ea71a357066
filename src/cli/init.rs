//! `s3plan init` (being built).

use super::exit::{Exit, Failure};
use super::session::Session;

/// (being built)
#[derive(Debug, clap::Args)]
pub struct InitArgs {}

pub async fn run(_args: &InitArgs, _session: &Session) -> Result<Exit, Failure> {
    Err(Failure::not_offered("`init`"))
}
