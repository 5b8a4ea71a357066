//! `s3plan policy`: lock policies without a manifest, their difference from live, the way back.

use std::path::PathBuf;

use super::exit::{Exit, Failure};
use super::session::Session;

/// Render, compare and roll back lock policies
#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PolicyCommand {
    /// Write the lock policy of each bucket as a JSON file
    Render {
        #[command(flatten)]
        which: Which,
        /// Write the files here
        #[arg(short, long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Compare the lock policy with the live one
    Diff {
        #[command(flatten)]
        which: Which,
    },
    /// Put back the policies that s3plan replaced
    Rollback {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Buckets [default: asked for, on a terminal]
    #[arg(value_name = "BUCKET")]
    buckets: Vec<String>,
    /// Every bucket of the account
    #[arg(long, conflicts_with = "buckets")]
    all: bool,
    /// Who keeps access: `me`, a user's name, or an ARN
    #[arg(long, value_name = "WHO")]
    lock_to: Vec<String>,
}

pub fn run(args: &PolicyArgs, _session: &Session) -> Result<Exit, Failure> {
    let (name, which, folder) = match &args.command {
        PolicyCommand::Render { which, out } => ("render", which, out.as_ref()),
        PolicyCommand::Diff { which } => ("diff", which, None),
        PolicyCommand::Rollback { which } => ("rollback", which, None),
    };
    tracing::debug!(?which.buckets, which.all, ?which.lock_to, ?folder, "asked for");
    Err(Failure::not_offered(&format!("`policy {name}`"))
        .help("a manifest's `policy` keys are checked already"))
}
