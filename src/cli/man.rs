//! `s3plan man`: the manual page.

use clap::CommandFactory as _;

use super::Cli;
use super::exit::{Exit, Failure};
use super::session::Session;

/// Print the manual page
#[derive(Debug, clap::Args)]
pub struct ManArgs {}

pub fn run(_args: &ManArgs, session: &Session) -> Result<Exit, Failure> {
    session.screen().out(&text().map_err(|error| {
        Failure::new(Exit::Failed, "cli/output", format!("cannot write the manual: {error}"))
    })?);
    Ok(Exit::Done)
}

/// The program's page with a section for each command: one page is easier to search than fourteen.
fn text() -> std::io::Result<String> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
        let man = clap_mangen::Man::new(part.clone());
        let name = part.get_name().to_uppercase();
        page.extend_from_slice(format!(".SH \"S3PLAN {name}\"\n").as_bytes());
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}
