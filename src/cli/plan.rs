//! `s3plan plan`: says what an apply would do, and saves it for review. Changes nothing.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::apply;
use crate::aws::Aws;
use crate::event::Fact;
use crate::model::{ActionKind, BucketName, Desired, DesiredBucket, Observed, PolicyWish, Reason};
use crate::observe::{ObserveError, Observer, Progress};
use crate::plan::prices::Prices;
use crate::plan::{self, Plan};
use crate::report;
use crate::state::{Open, PlanRow, State, StateError};

use super::account::Account;
use super::drift;
use super::exit::{Exit, Failure};
use super::permissions;
use super::session::{Format, Session};
use super::wishes::{self, Lookups};

/// Compare the manifest with S3 and the archives, show what would change, and save that for review
///
/// It only reads: nothing in AWS is changed. The plan goes to plans/<manifest>.plan.toml.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Manifest to plan from
    pub manifest: PathBuf,
    /// Save the plan here instead of under plans/
    #[arg(long, short, value_name = "PLAN")]
    pub out: Option<PathBuf>,
    /// Plan this bucket only; may be given several times
    #[arg(long, value_name = "BUCKET")]
    pub target: Vec<String>,
    /// Leave this bucket out; may be given several times
    #[arg(long, value_name = "BUCKET")]
    pub exclude: Vec<String>,
    /// Exit with 2 when there are changes, 0 when there are none
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
    /// Estimate with the prices in this TOML file instead of the list prices in the program
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// List every permission that the apply will use, and whether you have it
    #[arg(long, conflicts_with = "json")]
    pub permissions: bool,
}

pub async fn run(args: &PlanArgs, session: &Session) -> Result<Exit, Failure> {
    let wanted = session.manifest(&args.manifest)?;
    let prices = prices(args, session)?;
    let project = session.project_of(&args.manifest);
    let aws = session.aws(None).await?;
    let account = Account::look_for(&aws, &wanted.account).await?;
    let state = session.state(&project, Open::Write { holder: &session.holder("plan") })?;
    state.bind(&account.caller.account)?;
    let resolved = account.resolve(&wanted, &project, Some(&state), session)?;
    for warning in &resolved.warnings {
        session.say(&format!("warning: {}", report::shown(warning)));
    }
    for bucket in &resolved.retired {
        session.say(&format!("{bucket}: retired already, nothing to plan"));
    }
    account.knows(&args.target)?;
    account.knows(&args.exclude)?;
    let desired = narrowed(resolved.desired, &args.target, &args.exclude)?;

    let now = session.now();
    let mut wishes = Lookups::new(&aws, &account.caller).wishes(&desired.buckets).await?;
    mark_drift(&state, &desired, &mut wishes)?;
    let (state, now_ms) = (&state, now.as_millisecond());
    let observer = Observer { aws: &aws, state, desired: &desired, now_ms };
    let mut observed = look(&observer, &account, session).await?;
    wishes::hold_against_live(&aws, &desired, &mut observed, wishes).await;
    let plan =
        plan::make(&desired, &observed, now_ms, &prices).map_err(|blockers| blocked(&blockers))?;

    let path = match &args.out {
        Some(out) => session.path(out),
        None => project.plan_of(&args.manifest),
    };
    plan::file::save(&plan, &path)?;
    remember(&plan, state, now)?;
    match Format::from_flag(args.json) {
        Format::Json => report::plan_json(session.screen(), &plan),
        Format::Words => report::plan(session.screen(), &plan),
    }
    tell_permissions(args, &aws, &account, state, &plan, session).await?;
    let saved = project.named(&path);
    session.say(&match plan.is_empty() {
        true => format!("Saved as {saved}."),
        false => format!(
            "Saved as {saved}. Nothing has been changed. After the review: s3plan apply {saved}"
        ),
    });
    Ok(match args.detailed_exitcode && !plan.is_empty() {
        true => Exit::Changes,
        false => Exit::Done,
    })
}

/// Gives the policies that drifted since the manifest was planned last that for a reason.
fn mark_drift(
    state: &State,
    desired: &Desired,
    wishes: &mut [Option<PolicyWish>],
) -> Result<(), StateError> {
    let settled = drift::settled_policies(state, &desired.manifest)?;
    for (bucket, wish) in desired.buckets.iter().zip(wishes) {
        if let Some(wish) = wish.as_mut().filter(|_| settled.contains(bucket.name.as_str())) {
            wish.reason = Reason::PolicyDrifted;
        }
    }
    Ok(())
}

/// Looks at everything that the desired buckets need, and says how far the listings are.
async fn look(
    observer: &Observer<'_>,
    account: &Account,
    session: &Session,
) -> Result<Observed, ObserveError> {
    let mut listed_before = 0;
    let mut tell = |progress: Progress<'_>| {
        // One line for every hundred thousand: enough to see that it goes on.
        if progress.listed / 100_000 > listed_before / 100_000 {
            session.say(&format!("{}: {} listed", progress.bucket, progress.listed));
        }
        listed_before = progress.listed;
    };
    let region_of = |bucket: &BucketName| account.region_of(bucket);
    observer.look(account.caller.clone(), region_of, &mut tell).await
}

/// Takes the plan into the state, as the newest of its manifest.
fn remember(plan: &Plan, state: &State, now: Timestamp) -> Result<(), StateError> {
    forget_what_was_undone(plan, state)?;
    state.plan_made(&row(plan))?;
    // The same plan as before, perhaps: whoever plans a bucket takes it up again.
    let again = apply::status::left_behind(state, &plan.digest)?.into_iter();
    let again = again.map(|bucket| Fact::TakenUpAgain { bucket }).collect();
    state.append(&plan.digest, again, now).map(drop)
}

/// Warns of permissions that the caller lacks, and lists all that the apply will use where asked.
async fn tell_permissions(
    args: &PlanArgs,
    aws: &Aws,
    account: &Account,
    state: &State,
    plan: &Plan,
    session: &Session,
) -> Result<(), Failure> {
    let mut probed = permissions::probe(aws, state, &plan.body).await?;
    if args.permissions {
        permissions::simulate(aws, &account.caller, &plan.body, &mut probed).await;
    }
    for warning in permissions::warnings(&probed) {
        session.say(&format!("warning: {}", report::shown(&warning)));
    }
    if args.permissions {
        session.screen().out(&permissions::words(&plan.body, &probed));
    }
    Ok(())
}

fn prices(args: &PlanArgs, session: &Session) -> Result<Prices, Failure> {
    let Some(path) = &args.prices else { return Ok(Prices::built_in()) };
    let unusable = |why: String| {
        Failure::usage("plan/bad-prices", format!("{}: {why}", path.display())).help(
            "`s3plan schema prices` prints the table in the program, which has the right form",
        )
    };
    let text = std::fs::read_to_string(session.path(path));
    let text = text.map_err(|error| unusable(error.to_string()))?;
    Prices::parse(&text).map_err(|error| unusable(error.to_string()))
}

/// A policy that was set and taken back since is to be set again, although a run of the very same
/// plan has done it once. Everything else leaves marks in the plan as it progresses.
fn forget_what_was_undone(plan: &Plan, state: &State) -> Result<(), StateError> {
    let done = state.done_actions(&plan.digest)?;
    let mut policies = plan.body.actions.iter().filter(|a| a.kind == ActionKind::SetPolicy);
    let was_set = policies.any(|action| done.contains(&action.id));
    if was_set { state.forget_run(&plan.digest) } else { Ok(()) }
}

/// What the state keeps of a plan.
pub(super) fn row(plan: &Plan) -> PlanRow {
    PlanRow {
        digest: plan.digest.clone(),
        manifest: plan.body.manifest.path.clone(),
        // Text and numbers: there is nothing in a plan that JSON cannot hold.
        outline: serde_json::to_value(&plan.body).unwrap_or_default(),
    }
}

fn narrowed(desired: Desired, targets: &[String], excluded: &[String]) -> Result<Desired, Failure> {
    let covers = |name: &String| desired.buckets.iter().any(|b| b.name.as_str() == name);
    if let Some(name) = targets.iter().find(|name| !covers(name)) {
        let message = format!("the manifest has no outcome for the bucket `{name}`");
        return Err(Failure::usage("cli/not-covered", message));
    }
    let named = |names: &[String], bucket: &DesiredBucket| {
        names.iter().any(|name| name == bucket.name.as_str())
    };
    let buckets = desired
        .buckets
        .into_iter()
        .filter(|bucket| targets.is_empty() || named(targets, bucket))
        .filter(|bucket| !named(excluded, bucket))
        .collect();
    Ok(Desired { buckets, ..desired })
}

pub(super) fn blocked(blockers: &[crate::diff::Blocker]) -> Failure {
    let lines: Vec<String> =
        blockers.iter().map(|blocker| format!("{}: {}", blocker.bucket, blocker.why)).collect();
    let message = format!("this cannot be planned, and no plan was written:\n{}", lines.join("\n"));
    Failure::new(Exit::Refused, "plan/blocked", message)
}

impl From<ObserveError> for Failure {
    fn from(error: ObserveError) -> Self {
        match error {
            ObserveError::Aws(error) => error.into(),
            ObserveError::State(error) => error.into(),
            ObserveError::Archive(error) => error.into(),
            ObserveError::Glob(error) => Self::usage("manifest/bad-glob", error.to_string()),
            ObserveError::Spool(cause) => Self::new(
                Exit::Failed,
                "state/no-room",
                format!("a page of the listing could not be kept until its turn: {cause}"),
            )
            .help("free some space where the state is kept, then plan again"),
        }
    }
}
