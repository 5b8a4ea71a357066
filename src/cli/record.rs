//! The record of a run: written beside the audit log when an apply ends, and told again by
//! `s3plan show --record`.

use crate::apply;
use crate::plan::Plan;
use crate::report;
use crate::state::StateError;

use super::exit::{Exit, Failure};
use super::project::Project;
use super::session::{Format, Session};

/// Writes the record of a run, or says why it cannot: what was done is done, and in the audit log.
pub(super) fn write_or_say(plan: &Plan, project: &Project, session: &Session) {
    if let Err(failure) = write(plan, project, session) {
        failure.tell(session.screen());
    }
}

/// Writes it to `.s3plan/reports/`, as JSON and as Markdown, and says where.
fn write(plan: &Plan, project: &Project, session: &Session) -> Result<(), Failure> {
    let record = apply::record::of(plan, &project.state_folder())?;
    let folder = project.state_folder().join("reports");
    let name = plan.digest.get(..16).unwrap_or(&plan.digest);
    let json = serde_json::to_string_pretty(&record).unwrap_or_default() + "\n";
    let markdown = folder.join(format!("{name}.md"));
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        for (path, text) in [
            (&folder.join(format!("{name}.json")), json),
            (&markdown, report::record_markdown(&record)),
        ] {
            let beside = path.with_extension("tmp");
            std::fs::write(&beside, text)?;
            std::fs::rename(&beside, path)?;
        }
        Ok(())
    };
    write().map_err(|error| {
        Failure::new(
            Exit::Failed,
            "cli/record",
            format!("cannot write the record of this run to {}: {error}", folder.display()),
        )
        .help("what was done is in the audit log all the same: `s3plan show --record` tells it")
    })?;
    session.say(&format!("The record of this run: {}", project.named(&markdown)));
    Ok(())
}

/// Tells the record of a plan's run, from the plan file and the audit log alone.
pub(super) fn tell(
    plan: &Plan,
    project: &Project,
    format: Format,
    session: &Session,
) -> Result<(), StateError> {
    let record = apply::record::of(plan, &project.state_folder())?;
    match format {
        Format::Json => session.screen().json(&record),
        Format::Words => session.screen().out(&report::record_markdown(&record)),
    }
    Ok(())
}
