//! `s3plan schema`: what the formats look like, for editors and programs.

use super::exit::{Exit, Failure};
use super::session::Session;
use crate::manifest;

/// Print a JSON Schema
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// Of which format
    #[arg(value_enum)]
    of: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// The manifest
    Manifest,
    /// The plan file
    Plan,
    /// The events of `apply --json`
    Events,
}

pub fn run(args: &SchemaArgs, session: &Session) -> Result<Exit, Failure> {
    let schema = match args.of {
        Format::Manifest => manifest::schema(),
        Format::Plan => return Err(not_yet("plan")),
        Format::Events => return Err(not_yet("events")),
    };
    session.screen().out_line(&format!("{schema:#}"));
    Ok(Exit::Done)
}

fn not_yet(what: &str) -> Failure {
    let message = format!("`schema {what}` is not offered by this version");
    Failure::usage("cli/not-offered", message).help("`schema manifest` is")
}
