//! `s3plan state` (being built).

use super::exit::{Exit, Failure};
use super::session::Session;

/// (being built)
#[derive(Debug, clap::Args)]
pub struct StateArgs {}

pub fn run(_args: &StateArgs, _session: &Session) -> Result<Exit, Failure> {
    Err(Failure::not_offered("`state`"))
}
