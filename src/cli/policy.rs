//! `s3plan policy`: lock policies without a manifest, their difference from live, the way back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::apply::Outcome;
use crate::aws::{Aws, AwsError, Bucket, Detail, ErrorKind};
use crate::event::Fact;
use crate::manifest;
use crate::model::{
    BucketName, Desired, DesiredBucket, DesiredPolicy, Limits, LockMode, LockTo, ManifestRef,
    Observed, PolicySource, PolicyWish, Reason, SeenBucket, Transfer, WantedDocument,
};
use crate::plan::prices::Prices;
use crate::plan::{self, Plan};
use crate::policy::{self, Realm};
use crate::report::{counted, shown};
use crate::state::{Open, State, StateError};

use super::account::Account;
use super::apply::confirm;
use super::ends::{exit_of, tell};
use super::exit::{Exit, Failure};
use super::perform::{Surroundings, perform, write_status};
use super::session::{Format, Session};
use super::wishes::Lookups;

/// Render, compare and roll back lock policies
#[derive(Debug, clap::Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PolicyCommand {
    /// Write the policy that locks each bucket as JSON: its live statements and the lock
    ///
    /// The policy of one bucket goes to stdout; several need a folder. A manifest takes such a file
    /// with `policy = { file = … }`, and other tools take it too.
    Render {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        lock: Lock,
        /// Write DIR/BUCKET.json for each bucket
        #[arg(short, long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Compare the policy that would lock each bucket with the live one
    Diff {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        lock: Lock,
    },
    /// Put back the policy that s3plan replaced last; run again, it takes that back
    Rollback {
        #[command(flatten)]
        which: Which,
        /// Do not ask before starting
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Buckets [default: picked from a list, on a terminal]
    #[arg(value_name = "BUCKET")]
    buckets: Vec<String>,
    /// Every bucket of the account
    #[arg(long, conflicts_with = "buckets")]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Lock {
    /// Who keeps access: `me`, a user's name, or an ARN; may be given several times
    #[arg(long, value_name = "WHO", default_value = "me")]
    lock_to: Vec<String>,
    /// What others lose: everything (`full`), or all but reading and repairing the policy (`data`)
    #[arg(long, value_name = "MODE", default_value = "full", value_parser = ["full", "data"])]
    lock_mode: String,
}

pub async fn run(args: &PolicyArgs, session: &Session) -> Result<Exit, Failure> {
    match &args.command {
        PolicyCommand::Render { which, lock, out } => {
            let locks = Locks::look(which, lock, session).await?;
            render(&locks, out.as_deref(), session)
        }
        PolicyCommand::Diff { which, lock } => {
            let locks = Locks::look(which, lock, session).await?;
            locks.list.iter().for_each(|lock| show_difference(lock, &locks.account, session));
            Ok(Exit::Done)
        }
        PolicyCommand::Rollback { which, yes } => roll_back(which, *yes, session).await,
    }
}

/// The named buckets, all, or those that a person picks.
fn pick(which: &Which, account: &Account, session: &Session) -> Result<Vec<BucketName>, Failure> {
    account.knows(&which.buckets)?;
    let mut names = match (which.all, which.buckets.as_slice()) {
        (true, _) => account.buckets.iter().map(|bucket| bucket.name.clone()).collect(),
        (false, []) if !session.can_ask() => {
            let message = "no bucket was named, and there is no terminal to pick some on";
            return Err(
                Failure::usage("cli/no-bucket", message).help("name buckets, or give --all")
            );
        }
        (false, []) => super::init::pick(account, session)?,
        (false, named) => named.to_vec(),
    };
    names.sort();
    names.dedup();
    Ok(names.into_iter().map(BucketName::new).collect())
}

/// The locks of some buckets, over their live policies.
struct Locks {
    account: Account,
    list: Vec<OneLock>,
}

struct OneLock {
    bucket: BucketName,
    live: Option<String>,
    wish: PolicyWish,
    text: String,
}

impl Locks {
    async fn look(which: &Which, lock: &Lock, session: &Session) -> Result<Self, Failure> {
        let aws = session.aws(None).await?;
        let to = lock.lock_to.iter().map(|who| whom(who)).collect::<Result<Vec<_>, _>>()?;
        let mode = if lock.lock_mode == "data" { LockMode::Data } else { LockMode::Full };
        let account = Account::look(&aws).await?;
        let names = pick(which, &account, session)?;
        let buckets: Vec<DesiredBucket> = names
            .into_iter()
            .map(|name| {
                let source = PolicySource::Lock { to: to.clone(), mode, replace_statements: false };
                let policy = Some(DesiredPolicy { source, lose_access: false });
                DesiredBucket { name, archive: None, policy }
            })
            .collect();
        let wishes = Lookups::new(&aws, &account.caller).wishes(&buckets).await?;
        let mut list = Vec::new();
        for (bucket, wish) in buckets.into_iter().zip(wishes.into_iter().flatten()) {
            if let Some(why) = wish.trouble.first() {
                let message = format!("{} {why}", bucket.name);
                return Err(Failure::new(Exit::Refused, "policy/no-lock", message));
            }
            let door = door(&aws, &account, &bucket.name);
            let live = live_policy(&door, session).await?;
            let text = {
                let realm = realm(&account, &bucket.name);
                policy::new_document(&realm, &wish, live.as_deref()).map_err(|error| {
                    let message = format!("{}: {error}", bucket.name);
                    Failure::new(Exit::Refused, "policy/no-lock", message)
                })?
            };
            let text = text.unwrap_or_default();
            list.push(OneLock { bucket: bucket.name, live, wish, text });
        }
        Ok(Self { account, list })
    }
}

fn whom(who: &str) -> Result<LockTo, Failure> {
    manifest::read_identity(who)
        .map_err(|why| Failure::usage("cli/bad-identity", format!("--lock-to {who}: {why}")))
}

fn realm<'a>(account: &'a Account, bucket: &'a BucketName) -> Realm<'a> {
    let caller = &account.caller;
    Realm { bucket: bucket.as_str(), account: &caller.account, partition: caller.partition() }
}

fn door(aws: &Aws, account: &Account, bucket: &BucketName) -> Bucket {
    aws.bucket(bucket, &account.region_of(bucket), &account.caller.account)
}

/// A lock can be rendered without knowing the live policy; then it stands alone.
async fn live_policy(door: &Bucket, session: &Session) -> Result<Option<String>, AwsError> {
    match door.policy().await {
        Err(error) if *error.kind() == ErrorKind::Denied => {
            let name = door.name();
            session.say(&format!(
                "warning: the policy of {name} cannot be read ({error}): its statements are not in \
                 the lock"
            ));
            Ok(None)
        }
        answer => answer,
    }
}

fn render(locks: &Locks, out: Option<&Path>, session: &Session) -> Result<Exit, Failure> {
    for note in locks.list.iter().flat_map(|lock| &lock.wish.notes) {
        session.say(&format!("warning: {}", shown(note)));
    }
    match (out, locks.list.as_slice()) {
        (None, [one]) => session.screen().out_line(&one.text),
        (None, several) => {
            let message =
                format!("{} do not fit on stdout", counted(several.len() as u64, "policy"));
            return Err(Failure::usage("cli/no-folder", message).help("name a folder with -o DIR"));
        }
        (Some(out), list) => {
            let folder = session.path(out);
            let unwritable = |path: &Path, error: std::io::Error| {
                let message = format!("cannot write {}: {error}", path.display());
                Failure::new(Exit::Failed, "cli/unwritable", message)
            };
            std::fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, error))?;
            for lock in list {
                let path = folder.join(format!("{}.json", lock.bucket));
                std::fs::write(&path, format!("{}\n", lock.text))
                    .map_err(|error| unwritable(&path, error))?;
                session.screen().out_line(&shown(&path.display().to_string()));
            }
        }
    }
    Ok(Exit::Done)
}

fn show_difference(lock: &OneLock, account: &Account, session: &Session) {
    let realm = realm(account, &lock.bucket);
    let live = lock.live.as_deref();
    let compared = policy::compare(&realm, &lock.wish, live, &account.caller, None);
    let screen = session.screen();
    match compared.change {
        None => screen.out_line(&format!("{}: locked like that already", lock.bucket)),
        Some(change) => {
            screen.out_line(&format!("{}:", lock.bucket));
            change.words.iter().for_each(|line| screen.out_line(&format!("  {}", shown(line))));
        }
    }
    for why in &compared.blockers {
        screen.out_line(&format!("  ! a plan of it is refused: {} {}", lock.bucket, shown(why)));
    }
}

/// Puts kept policies back, by a plan that is shown and performed like any other.
async fn roll_back(which: &Which, yes: bool, session: &Session) -> Result<Exit, Failure> {
    let project = session.project()?;
    let aws = session.aws(None).await?;
    let account = Account::look(&aws).await?;
    let state = session.state(&project, Open::Write { holder: &session.holder("policy") })?;
    state.bind(&account.caller.account)?;
    let names = pick(which, &account, session)?;
    let plan = way_back(&aws, &account, &state, names, session).await?;
    if plan.is_empty() {
        session.screen().out_line("Nothing to put back.");
        return Ok(Exit::Done);
    }
    if !yes {
        confirm(&plan, session)?;
    }
    // The same way back may have been gone before.
    state.forget_run(&plan.digest)?;
    let plan = Arc::new(plan);
    let surroundings = Surroundings {
        project: &project,
        state: &state,
        aws: &aws,
        caller: account.caller.clone(),
        plan_path: ROLLBACK.into(),
        patience: crate::apply::Patience::LeavesInstead,
        format: Format::Words,
        targets: Vec::new(),
        approvals: Vec::new(),
    };
    let outcome = perform(&plan, surroundings, session).await?;
    tell_older_plans(&plan, &outcome, &state, session)?;
    write_status(&project, &state, false)?;
    tell(&outcome, "s3plan policy rollback", session);
    Ok(Exit::first(outcome.buckets.iter().map(|bucket| exit_of(&bucket.end))))
}

/// Writes into the journals of the manifests' plans which of their buckets were rolled back, so
/// that `status` no longer calls those done.
fn tell_older_plans(
    plan: &Plan,
    outcome: &Outcome,
    state: &State,
    session: &Session,
) -> Result<(), StateError> {
    for older in state.plans()? {
        let covers = |bucket: &BucketName| {
            let buckets = older.outline["bucket"].as_array().into_iter().flatten();
            buckets.into_iter().any(|known| known["name"] == bucket.as_str())
        };
        let done = outcome.buckets.iter().filter(|end| exit_of(&end.end) == Exit::Done);
        let done = done.filter(|end| covers(&end.bucket));
        let facts = done.flat_map(|end| plan.actions_of(&end.bucket)).map(|action| {
            Fact::PolicyRolledBack {
                bucket: action.bucket.clone(),
                from: action.policy_before.clone(),
                to: policy::fingerprint(action.policy.as_deref()),
            }
        });
        state.append(&older.digest, facts.collect(), session.now())?;
    }
    Ok(())
}

/// What stands in for the manifest of such a plan.
const ROLLBACK: &str = "(policy rollback)";

/// A plan that puts back, on each bucket, the newest kept policy that means something else than
/// the live one.
async fn way_back(
    aws: &Aws,
    account: &Account,
    state: &State,
    names: Vec<BucketName>,
    session: &Session,
) -> Result<Plan, Failure> {
    let (mut buckets, mut seen) = (Vec::new(), Vec::new());
    for name in names {
        let kept = state.policies(&name)?;
        if kept.is_empty() {
            session.say(&format!("{name}: s3plan has replaced no policy of it"));
            continue;
        }
        let bucket = door(aws, account, &name).facts(&[Detail::Policy]).await?;
        let live = bucket.policy.as_deref();
        let other = kept.into_iter().rev().find(|k| !policy::is_same(k.text.as_deref(), live));
        let Some(other) = other else {
            session.say(&format!("{name}: what was there before is there now"));
            continue;
        };
        let wish = PolicyWish {
            document: other.text.map_or(WantedDocument::Absent, WantedDocument::Kept),
            lose_access: false,
            reason: Reason::RolledBack,
            notes: Vec::new(),
            trouble: Vec::new(),
        };
        buckets.push(DesiredBucket { name, archive: None, policy: None });
        seen.push(SeenBucket { bucket, tally: None, destination: None, policy: Some(wish) });
    }
    let desired = Desired {
        account: account.caller.account.clone(),
        manifest: ManifestRef { path: ROLLBACK.into(), digest: String::new() },
        buckets,
        transfer: Transfer::default(),
        limits: Limits::default(),
    };
    let observed =
        Observed { caller: account.caller.clone(), endpoint: aws.endpoint(), buckets: seen };
    plan::make(&desired, &observed, session.now().as_millisecond(), &Prices::built_in())
        .map_err(|blockers| super::plan::blocked(&blockers))
}
