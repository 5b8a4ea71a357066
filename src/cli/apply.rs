//! `s3plan apply`: performs a reviewed plan and nothing else; run again, it goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::apply::stop::{self, Stopper};
use crate::apply::{
    self, BucketEnd, Doors, End, Options, Outcome, Patience, Recorder, Work, WorkError,
};
use crate::aws::Aws;
use crate::event::{Fact, WaitingFor};
use crate::manifest;
use crate::model::{Action, BucketName, Caller, EvidenceId};
use crate::plan::Plan;
use crate::report::{self, Screen};
use crate::state::{self, AuditEntry, AuditLog, Open, RunRow, State, StateError};

use super::account::right_account;
use super::exit::{Exit, Failure};
use super::project::Project;
use super::session::{Format, Session};

/// Perform a plan, or go on with one that stopped
///
/// Shows the plan and asks for `yes`. Deletions wait at a gate of their own, which opens for an
/// approval that names the evidence. Can be stopped at any time; the same command goes on.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
    /// Plan to perform [default: the one under plans/]
    pub plan: Option<PathBuf>,
    /// Do not ask before starting; deletions still wait for their approval
    #[arg(long)]
    pub yes: bool,
    /// Approve exactly this evidence for a bucket; may be given several times
    #[arg(long, value_name = "BUCKET@EVIDENCE")]
    pub approve: Vec<String>,
    /// Leave with code 3 instead of waiting for Glacier
    #[arg(long)]
    pub no_wait: bool,
    /// Perform this bucket's part only; may be given several times
    #[arg(long, value_name = "BUCKET")]
    pub target: Vec<String>,
    /// Give up this bucket's part of the run: files and objects stay, nothing more is paid for; may
    /// be given several times
    #[arg(long, value_name = "BUCKET", conflicts_with_all = ["approve", "target"])]
    pub abandon: Vec<String>,
    /// Tell what happens as JSON, one event a line
    #[arg(long)]
    pub json: bool,
}

/// How long a failing request is repeated once the run is on its way: a link that is cut for ten
/// minutes ends no run. Before that, a person waits for the first answers.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

pub async fn run(args: &ApplyArgs, session: &Session) -> Result<Exit, Failure> {
    let (project, path, plan) = session.plan(args.plan.as_deref())?;
    let plan = Arc::new(plan);
    if !args.abandon.is_empty() {
        return abandon(args, &plan, &project, project.named(&path), session);
    }
    let approvals = approvals_of(args, &plan)?;
    let targets = targets_of(args, &plan)?;
    check_manifest(&plan, &project)?;

    let aws = session.aws(plan.body.transfer.max_connections).await?;
    let caller = aws.caller().await?;
    check_place(&plan, &aws, &caller)?;

    let state = open_state(&plan, &project, session)?;
    state.bind(&plan.body.account)?;
    check_newest(&plan, &state)?;
    let abandoned = apply::status::abandoned(&state, &plan.digest)?;
    for bucket in &abandoned {
        session.say(&format!("{bucket}: abandoned; `s3plan plan` takes it up again"));
    }
    if is_finished(&plan, &state, &abandoned)? {
        session.screen().out_line("Nothing to do: this plan is done.");
        return Ok(Exit::Done);
    }
    let resumed = state.run(&plan.digest)?.is_some();
    if !resumed && !args.yes {
        confirm(&plan, session)?;
    }
    let again = format!("s3plan apply {}", project.named(&path));
    let outcome = perform(
        &plan,
        Surroundings {
            project: &project,
            state: &state,
            aws: &aws,
            caller,
            plan_path: project.named(&path),
            patience: if args.no_wait { Patience::LeavesInstead } else { Patience::Waits },
            format: Format::from_flag(args.json),
            targets,
            approvals,
        },
        session,
    )
    .await?;
    tell(&outcome, &again, session);
    tell_skipped(&outcome, &plan, &state, session)?;
    Ok(Exit::first(outcome.buckets.iter().map(|bucket| exit_of(&bucket.end))))
}

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

fn run_row(plan: &Plan, plan_path: String, session: &Session) -> RunRow {
    RunRow {
        run: plan.digest.clone(),
        plan_path,
        manifest_digest: plan.body.manifest.digest.clone(),
        started_at_ms: session.now().as_millisecond(),
        superseded: false,
        finished_at_ms: None,
    }
}

/// Gives up some buckets' part of a run, on record. Asks AWS nothing, and takes nothing back.
fn abandon(
    args: &ApplyArgs,
    plan: &Plan,
    project: &Project,
    plan_path: String,
    session: &Session,
) -> Result<Exit, Failure> {
    let buckets: Vec<BucketName> =
        args.abandon.iter().map(|name| BucketName::new(name.as_str())).collect();
    for bucket in &buckets {
        in_plan(plan, bucket)?;
    }
    let state = session.state(project, Open::Write { holder: &session.holder("apply") })?;
    state.bind(&plan.body.account)?;
    check_newest(plan, &state)?;
    state.begin_run(&run_row(plan, plan_path, session))?;
    let recorder = recorder(plan, project, &state, Format::from_flag(args.json), session)?;
    let known = apply::status::abandoned(&state, &plan.digest)?;
    for bucket in buckets {
        if !known.contains(&bucket) {
            recorder.record(Fact::Abandoned { bucket: bucket.clone(), by: session.person() })?;
        }
        session.say(&format!(
            "{bucket}: abandoned. Files and objects stay as they are, and nothing more is paid for; \
             copies that S3 was already asked to thaw lapse by themselves. `s3plan plan {}` takes \
             it up again.",
            plan.body.manifest.path
        ));
    }
    write_status(project, &state, false)?;
    super::record::write_or_say(plan, project, session);
    Ok(Exit::Done)
}

/// Takes `BUCKET@EVIDENCE` apart, and holds the bucket against the plan.
fn approvals_of(args: &ApplyArgs, plan: &Plan) -> Result<Vec<(BucketName, EvidenceId)>, Failure> {
    args.approve
        .iter()
        .map(|text| {
            let (bucket, evidence) = super::approve::parse(text)?;
            let evidence = evidence.ok_or_else(|| {
                let message = format!("`--approve {text}` names no evidence");
                Failure::usage("cli/bad-approval", message)
                    .help("`s3plan status` shows the evidence of each open gate")
            })?;
            in_plan(plan, &bucket)?;
            Ok((bucket, evidence))
        })
        .collect()
}

fn targets_of(args: &ApplyArgs, plan: &Plan) -> Result<Vec<BucketName>, Failure> {
    args.target
        .iter()
        .map(|name| {
            let bucket = BucketName::new(name.as_str());
            in_plan(plan, &bucket)?;
            Ok(bucket)
        })
        .collect()
}

fn in_plan(plan: &Plan, bucket: &BucketName) -> Result<(), Failure> {
    if plan.bucket(bucket).is_some() {
        return Ok(());
    }
    let message = format!("the plan has no bucket `{bucket}`");
    Err(Failure::usage("cli/unknown-bucket", message))
}

/// Refuses a plan whose manifest was edited since.
fn check_manifest(plan: &Plan, project: &Project) -> Result<(), Failure> {
    let path = project.folder().join(&plan.body.manifest.path);
    let stale = |what: String| {
        Failure::new(Exit::Stale, "plan/stale-manifest", what)
            .help(format!("run `s3plan plan {}` again", plan.body.manifest.path))
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) {
            let message = format!("cannot read {}: {error}", path.display());
            return Failure::new(Exit::Failed, "manifest/unreadable", message)
                .help("the disk fails; nothing was done");
        }
        stale(format!(
            "the plan was made from {}, which cannot be read here: {error}",
            path.display()
        ))
    })?;
    if manifest::digest(&text) != plan.body.manifest.digest {
        return Err(stale(format!(
            "{} is not the manifest that the plan was made from: it was changed since",
            path.display()
        )));
    }
    Ok(())
}

/// Refuses another account, and another kind of endpoint, than the plan's.
fn check_place(plan: &Plan, aws: &Aws, caller: &Caller) -> Result<(), Failure> {
    right_account(caller, &plan.body.account)?;
    if aws.endpoint() != plan.body.endpoint {
        return Err(Failure::new(
            Exit::Refused,
            "aws/other-endpoint",
            "the plan was made against another endpoint (one of the two is AWS, one is not)",
        )
        .help("plan again against this endpoint, or take --endpoint-url or its variable away"));
    }
    Ok(())
}

fn open_state(plan: &Plan, project: &Project, session: &Session) -> Result<State, Failure> {
    let holder = session.holder("apply");
    let deletes = plan.body.actions.iter().any(|action| action.kind.is_irreversible());
    let how = match deletes {
        // What is to authorise deletions is checked page by page.
        true => Open::WriteChecked { holder: &holder },
        false => Open::Write { holder: &holder },
    };
    session.state(project, how)
}

/// Refuses a plan that a newer one of the same manifest has replaced.
fn check_newest(plan: &Plan, state: &State) -> Result<(), Failure> {
    match state.newest_plan_of(&plan.body.manifest.path)? {
        Some(newest) if newest.digest != plan.digest => Err(Failure::new(
            Exit::Stale,
            "plan/superseded",
            format!("a newer plan of {} was made since", plan.body.manifest.path),
        )
        .help("apply that one, or plan again")),
        Some(_) => Ok(()),
        // A state that was lost, or another machine's: the plan file is what was reviewed.
        None => Ok(state.plan_made(&super::plan::row(plan))?),
    }
}

/// Whether every action of the plan is done already, but for those that somebody gave up.
fn is_finished(
    plan: &Plan,
    state: &State,
    abandoned: &BTreeSet<BucketName>,
) -> Result<bool, StateError> {
    let standings = state.standings(&plan.digest)?;
    let done = |id| {
        standings
            .iter()
            .any(|(known, event)| known == id && matches!(event.fact, Fact::Done { .. }))
    };
    let mut wanted = plan.body.actions.iter().filter(|action| !abandoned.contains(&action.bucket));
    Ok(wanted.all(|action| done(&action.id)))
}

pub(super) fn confirm(plan: &Plan, session: &Session) -> Result<(), Failure> {
    report::plan(session.screen(), plan);
    if !session.can_ask() {
        let message = "apply asks before it starts, and there is no terminal to ask on";
        return Err(Failure::usage("cli/no-terminal", message)
            .help("after the review, apply with --yes; deletions still wait for their approval"));
    }
    let answer = session.ask("Perform this plan? Only `yes` is a yes:")?;
    if answer == "yes" {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, "cli/declined", "not applied: the answer was not `yes`")
        .help("nothing was done"))
}

fn recorder(
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

/// Once: park. Twice: leave at once; what is recorded is durable either way. Signals are heeded from
/// the call on, before the future is first polled.
fn heed_signals(stopper: Stopper, screen: Screen) -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).ok();
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    let mut hangup = listen(SignalKind::hangup());
    async move {
        let mut next = async || {
            let never = std::future::pending::<()>;
            tokio::select! {
                () = async { match &mut interrupt { Some(s) => { s.recv().await; } None => never().await } } => {}
                () = async { match &mut terminate { Some(s) => { s.recv().await; } None => never().await } } => {}
                () = async { match &mut hangup { Some(s) => { s.recv().await; } None => never().await } } => {}
            }
        };
        next().await;
        stopper.ask();
        screen.err_line("Stopping: what is in flight is parked; once more leaves at once.");
        next().await;
        leave_at_once();
    }
}

#[expect(clippy::exit, reason = "a person asked twice; the journal is durable up to its last fact")]
fn leave_at_once() -> ! {
    std::process::exit(Exit::Interrupted.code().into())
}

pub(super) fn exit_of(end: &End) -> Exit {
    match end {
        End::Done { .. } => Exit::Done,
        End::Waits { .. } => Exit::Waits,
        End::Stale(_) => Exit::Stale,
        End::Refused(_) => Exit::Refused,
        End::Failed(_) => Exit::Failed,
        End::Held(_) => Exit::Held,
        End::Parked => Exit::Interrupted,
    }
}

/// Names the actions that were not come to, and the one that they wait for.
fn tell_skipped(
    outcome: &Outcome,
    plan: &Plan,
    state: &State,
    session: &Session,
) -> Result<(), StateError> {
    let standings = state.standings(&plan.digest)?;
    let is_done = |action: &Action| {
        let mut known = standings.iter();
        known.any(|(id, event)| *id == action.id && matches!(event.fact, Fact::Done { .. }))
    };
    for BucketEnd { bucket, end } in &outcome.buckets {
        let why = match end {
            End::Failed(_) => "failed",
            End::Refused(_) => "was refused",
            End::Held(_) => "found the archive held",
            End::Stale(_) => "met a bucket that is not what was planned",
            End::Done { .. } | End::Waits { .. } | End::Parked => continue,
        };
        let mut left = plan.actions_of(bucket).filter(|action| !is_done(action));
        let Some(first) = left.next() else { continue };
        let names: Vec<&str> = left
            .map(|action| action.id.as_str().rsplit('/').next().unwrap_or(action.kind.as_str()))
            .collect();
        if !names.is_empty() {
            session.say(&format!(
                "{bucket}: skipped: {}; {} {why}",
                names.join(", "),
                first.kind.as_str()
            ));
        }
    }
    Ok(())
}

/// Says how each bucket ended and what to type next.
pub(super) fn tell(outcome: &Outcome, again: &str, session: &Session) {
    for BucketEnd { bucket, end } in &outcome.buckets {
        let line = match end {
            End::Done { .. } => format!("{bucket}: done"),
            End::Waits { on: WaitingFor::Thaw, until } => {
                let when = until.map(|until| report::until(until, session.now()));
                let when = when.map(|when| format!(" ({when})")).unwrap_or_default();
                format!("{bucket}: waits for Glacier{when}; then: {again}")
            }
            End::Waits { on: WaitingFor::Approval, .. } => {
                format!("{bucket}: waits for an approval; `s3plan status` shows the evidence")
            }
            End::Waits { on: WaitingFor::Login, .. } => {
                format!("{bucket}: the credentials ran out; log in again, then: {again}")
            }
            End::Stale(why) => {
                format!("{bucket}: stale: {why}; it was left alone. Plan again, review, apply")
            }
            End::Refused(why) => format!("{bucket}: refused: {why}"),
            End::Failed(why) => format!("{bucket}: failed: {why}; then: {again}"),
            End::Held(why) => format!("{bucket}: {why}"),
            End::Parked => format!("{bucket}: parked; to go on: {again}"),
        };
        let line = report::shown(&line);
        match exit_of(end) {
            Exit::Done => session.say(&line),
            _ => session.screen().err_line(&line),
        }
    }
}

impl From<WorkError> for Failure {
    fn from(error: WorkError) -> Self {
        Self::new(Exit::Failed, "apply/no-work", error.to_string())
    }
}
