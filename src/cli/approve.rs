//! `s3plan approve`: a person's yes to exactly one bucket's evidence.

use super::exit::{Exit, Failure};
use super::session::Session;

/// Open a bucket's gate: approve that what was proven is deleted from S3
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    /// The bucket, and the evidence that is approved; without it the evidence is shown and asked
    /// about, on a terminal only
    #[arg(value_name = "BUCKET[@EVIDENCE]")]
    pub gate: String,
}

pub async fn run(_args: &ApproveArgs, _session: &Session) -> Result<Exit, Failure> {
    Err(Failure::not_offered("`approve`"))
}
