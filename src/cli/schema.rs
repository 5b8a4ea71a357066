//! `s3plan schema`: what the formats look like, for editors and programs.

use super::exit::{Exit, Failure};
use super::session::Session;
use crate::{manifest, plan, report};

/// Print a JSON Schema
#[derive(Debug, clap::Args)]
pub struct SchemaArgs {
    /// Which format
    #[arg(value_enum)]
    of: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// The manifest
    Manifest,
    /// A plan: what `show --json` prints, and the fields of the plan file
    Plan,
    /// The table of prices that estimates are made from: no schema, but the table itself
    Prices,
    /// The events of `apply --json`, one a line
    Events,
}

pub fn run(args: &SchemaArgs, session: &Session) -> Result<Exit, Failure> {
    let schema = match args.of {
        Format::Prices => {
            session.screen().out(plan::prices::TABLE);
            return Ok(Exit::Done);
        }
        Format::Manifest => manifest::schema(),
        Format::Plan => plan::schema(),
        Format::Events => report::events_schema(),
    };
    session.screen().out_line(&format!("{schema:#}"));
    Ok(Exit::Done)
}
