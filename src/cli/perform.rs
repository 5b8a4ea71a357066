//! Performs a plan that a person agreed to, from the opening of its run to the word that it is
//! over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::apply::stop;
use crate::apply::{self, Doors, Options, Outcome, Patience, Recorder, Work};
use crate::aws::Aws;
use crate::event::Fact;
use crate::model::{BucketName, Caller, EvidenceId};
use crate::plan::Plan;
use crate::state::{self, AuditEntry, AuditLog, RunRow, State, StateError};

use super::exit::Failure;
use super::project::Project;
use super::session::{Format, Session};
use super::signals::heed_signals;

/// How long a failing request is repeated once the run is on its way: a link that is cut for ten
/// minutes ends no run. Before that, a person waits for the first answers.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Where, as whom and how a plan is performed.
pub(super) struct Surroundings<'a> {
    pub project: &'a Project,
    pub state: &'a State,
    pub aws: &'a Aws,
    pub caller: Caller,
    /// As the run remembers it.
    pub plan_path: String,
    pub patience: Patience,
    pub format: Format,
    pub targets: Vec<BucketName>,
    pub approvals: Vec<(BucketName, EvidenceId)>,
}

/// Performs a plan that a person agreed to, and says how each bucket ended.
pub(super) async fn perform(
    plan: &Arc<Plan>,
    surroundings: Surroundings<'_>,
    session: &Session,
) -> Result<Outcome, Failure> {
    let Surroundings {
        project,
        state,
        aws,
        caller,
        plan_path,
        patience,
        format,
        targets,
        approvals,
    } = surroundings;
    let run = state.begin_run(&run_row(plan, plan_path, session))?;

    let recorder = Arc::new(recorder(plan, project, state, format, session)?);
    let (stopper, stop) = stop::pair();
    let watch = tokio::spawn(heed_signals(stopper, session.screen().clone()));
    let options = Options {
        patience,
        targets,
        project: project.folder().to_owned(),
        home: session.home(),
        approvals,
        os_user: session.person(),
        caller_arn: caller.arn.clone(),
        folder: project.state_folder(),
    };
    let person = super::person::present(session);
    let doors = Doors {
        aws: &aws.with_patience(PATIENCE),
        state,
        recorder: &recorder,
        clock: session.clock(),
        stop: &stop,
        person: &person,
    };
    let abandoned = apply::status::abandoned(state, &plan.digest)?;
    let mut works = Work::of_plan(plan, &doors, &options)?;
    works.retain(|work| !abandoned.contains(work.name()));
    recorder.record(Fact::RunStarted { run: run.run, caller_arn: caller.arn })?;
    let outcome = apply::run(works).await?;
    watch.abort();

    write_status(project, state, false)?;
    leave_word(&recorder, aws, session)?;
    if is_finished(plan, state, &abandoned)? {
        state.finish_run(&plan.digest, session.now().as_millisecond())?;
    }
    super::record::write_or_say(plan, project, session);
    Ok(outcome)
}

/// The last line of this process in the audit log: what it asked for in all.
fn leave_word(recorder: &Recorder, aws: &Aws, session: &Session) -> Result<(), StateError> {
    let mut entry = AuditEntry::of_run(session.now(), "stopped");
    entry.run = Some(recorder.run().to_owned());
    entry.requests = aws.requests();
    recorder.audit(&entry)
}

/// What the state keeps of the run, where it knows nothing of it yet.
pub(super) fn run_row(plan: &Plan, plan_path: String, session: &Session) -> RunRow {
    RunRow {
        run: plan.digest.clone(),
        plan_path,
        manifest_digest: plan.body.manifest.digest.clone(),
        started_at_ms: session.now().as_millisecond(),
        superseded: false,
        finished_at_ms: None,
    }
}

/// Whether every action of the plan is done already, but for those that somebody gave up.
pub(super) fn is_finished(
    plan: &Plan,
    state: &State,
    abandoned: &BTreeSet<BucketName>,
) -> Result<bool, StateError> {
    let done = state.done_actions(&plan.digest)?;
    let mut wanted = plan.body.actions.iter().filter(|action| !abandoned.contains(&action.bucket));
    Ok(wanted.all(|action| done.contains(&action.id)))
}

/// The funnel through which the facts of this run leave.
pub(super) fn recorder(
    plan: &Plan,
    project: &Project,
    state: &State,
    format: Format,
    session: &Session,
) -> Result<Recorder, Failure> {
    let reporter = session.reporter(format);
    let folder = project.clone();
    let status = Box::new(move |state: &State| write_status(&folder, state, true));
    Ok(Recorder::new(
        state.clone(),
        plan.digest.clone(),
        session.clock(),
        AuditLog::open(&project.state_folder())?,
        vec![reporter],
        status,
    ))
}

/// Writes `status.json`.
pub(super) fn write_status(
    project: &Project,
    state: &State,
    running: bool,
) -> Result<(), StateError> {
    let document = apply::status::document(state, running)?;
    // Text and numbers only: there is nothing in it that JSON cannot hold.
    let document = serde_json::to_value(&document).unwrap_or_default();
    state::write_status(&project.state_folder(), &document)
}
