//! `s3plan verify` (being built).

use super::exit::{Exit, Failure};
use super::session::Session;

/// (being built)
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {}

pub fn run(_args: &VerifyArgs, _session: &Session) -> Result<Exit, Failure> {
    Err(Failure::not_offered("`verify`"))
}
