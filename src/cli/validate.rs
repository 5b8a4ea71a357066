//! `s3plan validate`: checks a manifest alone. Asks nobody.

use std::path::PathBuf;

use crate::report::shown;

use super::exit::{Exit, Failure};
use super::session::Session;

/// Check a manifest without asking AWS
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    /// Manifest to check
    manifest: PathBuf,
}

pub fn run(args: &ValidateArgs, session: &Session) -> Result<Exit, Failure> {
    let wanted = session.manifest(&args.manifest)?;
    let name = args.manifest.to_string_lossy();
    session.say(&format!("{}: valid, for account {}", shown(&name), wanted.account));
    Ok(Exit::Done)
}
