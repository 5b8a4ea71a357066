//! `s3plan status`: where every bucket stands, also beside a running apply.

use std::time::Duration;

use crate::apply;
use crate::model::StatusDoc;
use crate::report;
use crate::state::{self, Open, State, StateError};

use super::exit::{Exit, Failure};
use super::project::Project;
use super::session::{Format, Session};

/// How often `--watch` looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Show where every bucket stands, what it waits for, and for how long
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// As JSON; with --watch one document a line
    #[arg(long)]
    json: bool,
    /// Go on looking until interrupted
    #[arg(long)]
    watch: bool,
}

pub async fn run(args: &StatusArgs, session: &Session) -> Result<Exit, Failure> {
    let project = session.project()?;
    let format = Format::from_flag(args.json);
    if !args.watch {
        let document = look(&project, session)?;
        match format {
            Format::Json => session.screen().json(&document),
            Format::Words => session.screen().out(&words(&document, session)),
        }
        return Ok(Exit::Done);
    }
    let mut last = None;
    loop {
        let document = look(&project, session)?;
        // How long a wait still lasts changes by itself; a pipe is told only of what happened.
        if session.shows_results() || last.as_ref() != Some(&document) {
            show(&document, format, session);
            last = Some(document);
        }
        if session.screen().is_closed() {
            return Ok(Exit::Done);
        }
        session.clock().sleep(PAUSE).await;
    }
}

fn show(document: &StatusDoc, format: Format, session: &Session) {
    match format {
        Format::Json => session.screen().json_line(document),
        Format::Words if session.shows_results() => {
            session.screen().repaint(&words(document, session));
        }
        Format::Words => session.screen().out(&format!("{}\n", words(document, session))),
    }
}

fn words(document: &StatusDoc, session: &Session) -> String {
    report::status(document, session.now(), session.width())
}

/// From the state; where an apply holds it, from what that apply says of itself.
fn look(project: &Project, session: &Session) -> Result<StatusDoc, Failure> {
    let folder = project.state_folder();
    match State::open(&folder, session.state_file().as_deref(), Open::Read) {
        Ok(state) => Ok(apply::status::document(&state, false)?),
        Err(StateError::Missing { .. }) => Ok(nothing_yet()),
        Err(held @ StateError::Held { .. }) => {
            let said = state::read_status(&folder)?;
            let said = said.and_then(|said| serde_json::from_value::<StatusDoc>(said).ok());
            said.map(|said| StatusDoc { running: true, ..said }).ok_or_else(|| held.into())
        }
        Err(error) => Err(error.into()),
    }
}

fn nothing_yet() -> StatusDoc {
    StatusDoc {
        format: StatusDoc::FORMAT.into(),
        account: None,
        run: None,
        running: false,
        buckets: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_the_fields_that_others_lean_on() {
        let document = report::samples::status();
        let json = serde_json::to_value(&document).expect("JSON");
        for field in ["format", "account", "buckets"] {
            assert!(json.get(field).is_some(), "{field}");
        }
        let waiting = &json["buckets"][1];
        assert_eq!(waiting["bucket"], "photos-2019");
        assert_eq!(waiting["phase"], "awaiting-approval");
        assert_eq!(waiting["waiting_for"], "approval");
        assert_eq!(waiting["evidence"], "0123456789abcdef");
        for field in ["objects", "bytes", "verified_objects", "deleted_objects"] {
            assert!(waiting[field].is_u64(), "{field}");
        }
        assert!(json["buckets"][2]["waiting_for"].is_null());
    }
}
