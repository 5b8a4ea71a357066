//! `s3plan apply`: performs a reviewed plan and nothing else; run again, it goes on.

use std::path::PathBuf;
use std::sync::Arc;

use crate::apply::{self, Patience, WorkError};
use crate::aws::Aws;
use crate::manifest;
use crate::model::{BucketName, Caller, EvidenceId};
use crate::plan::Plan;
use crate::report;
use crate::state::{Open, State};

use super::abandon;
use super::account::right_account;
use super::ends::{exit_of, tell, tell_skipped};
use super::exit::{Exit, Failure};
use super::perform::{Surroundings, is_finished, perform};
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

pub async fn run(args: &ApplyArgs, session: &Session) -> Result<Exit, Failure> {
    let (project, path, plan) = session.plan(args.plan.as_deref())?;
    let plan = Arc::new(plan);
    if !args.abandon.is_empty() {
        return abandon::run(args, &plan, &project, project.named(&path), session);
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

pub(super) fn in_plan(plan: &Plan, bucket: &BucketName) -> Result<(), Failure> {
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
pub(super) fn check_newest(plan: &Plan, state: &State) -> Result<(), Failure> {
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

impl From<WorkError> for Failure {
    fn from(error: WorkError) -> Self {
        Self::new(Exit::Failed, "apply/no-work", error.to_string())
    }
}
