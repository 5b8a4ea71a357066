//! The commands: arguments, dispatch, and the one place where answers become exit codes.
//!
//! In: the arguments and the environment, which no other room reads. Out: an exit code, with the
//! results on stdout and everything else on stderr. It promises that a wrong argument is told apart
//! from a failure ([`exit::Exit`]), and that a panic is told as our bug and leaves everything as
//! an interruption would.

mod abandon;
pub mod account;
mod apply;
mod approve;
mod completions;
mod drift;
mod ends;
pub mod exit;
mod explain;
mod info;
mod init;
mod man;
mod panics;
mod perform;
mod permissions;
pub mod person;
mod plan;
mod policy;
pub mod project;
mod rebuild;
mod record;
mod schema;
pub mod session;
mod show;
mod signals;
mod state;
mod status;
mod validate;
mod verify;
mod wishes;

use std::ffi::OsString;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::failpoint::{self, Fate};
use crate::report::{Color, Screen};
use exit::{Exit, Failure};
use session::Session;

/// Retire S3 buckets from a reviewed plan: restore, download, prove, archive, ask, delete
///
/// Write the outcome you want into a manifest, let `plan` say what it takes, review that, and let
/// `apply` do exactly that. Nothing is deleted before its copy is proven and a person has approved.
#[derive(Debug, Parser)]
#[command(name = "s3plan", version, max_term_width = 100, subcommand_required = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Options everywhere")]
pub struct Global {
    /// Work as if started in DIR, which is the project's folder
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub folder: Option<PathBuf>,
    /// AWS profile
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// AWS region for requests that are about no bucket
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// A server to ask instead of AWS
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// The state file [default: .s3plan/state.redb in the project]
    #[arg(long, global = true, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Say only what went wrong
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say every step; twice: log requests too
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum Command {
    Info(info::InfoArgs),
    Init(init::InitArgs),
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    Show(show::ShowArgs),
    Apply(apply::ApplyArgs),
    Approve(approve::ApproveArgs),
    Status(status::StatusArgs),
    Verify(verify::VerifyArgs),
    Policy(policy::PolicyArgs),
    State(state::StateArgs),
    Schema(schema::SchemaArgs),
    Explain(explain::ExplainArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Runs one command line, program name first, and says how it ended.
///
/// The whole program, so that an example can be s3plan by calling this.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too. A closed pipe is not worth a word.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let screen = Screen::new(cli.global.color);
    panics::remember();
    arm_failpoints();
    log_to(&screen, cli.global.verbose);
    let answered = catch_unwind(AssertUnwindSafe(|| {
        let session = Session::new(cli.global, screen.clone())?;
        dispatch(&cli.command, &session)
    }));
    let answer = answered.unwrap_or_else(|_| Err(panics::failure()));
    if session::variable("S3PLAN_FAILPOINTS").is_some() {
        for (place, times) in failpoint::passed() {
            screen.err_line(&format!("passed {times} times: {place}"));
        }
    }
    let exit = match answer {
        Ok(exit) => exit,
        Err(failure) => {
            failure.tell(&screen);
            failure.exit
        }
    };
    match screen.trouble() {
        Some(error) => {
            Failure::new(Exit::Failed, "cli/output", format!("cannot write the answer: {error}"))
                .tell(&screen);
            Exit::first([exit, Exit::Failed])
        }
        None => exit,
    }
    .into()
}

fn dispatch(command: &Command, session: &Session) -> Result<Exit, Failure> {
    match command {
        Command::Info(args) => wait(info::run(args, session)),
        Command::Init(args) => wait(init::run(args, session)),
        Command::Validate(args) => validate::run(args, session),
        Command::Plan(args) => wait(plan::run(args, session)),
        Command::Show(args) => show::run(args, session),
        Command::Apply(args) => wait(apply::run(args, session)),
        Command::Approve(args) => wait(approve::run(args, session)),
        Command::Status(args) => wait(status::run(args, session)),
        Command::Verify(args) => verify::run(args, session),
        Command::Policy(args) => wait(policy::run(args, session)),
        Command::State(args) => state::run(args, session),
        Command::Schema(args) => schema::run(args, session),
        Command::Explain(args) => explain::run(args, session),
        Command::Completions(args) => completions::run(args, session),
        Command::Man(args) => man::run(args, session),
    }
}

/// Runs a command that waits for the world; the runtime is made only now, so that the others start
/// at once.
fn wait(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = try_threads()
        .and_then(|()| tokio::runtime::Builder::new_multi_thread().enable_all().build());
    let runtime = runtime.map_err(|error| {
        Failure::new(Exit::Failed, "cli/runtime", format!("cannot start threads: {error}"))
    })?;
    let answer = runtime.block_on(command);
    // A thread that is still busy holds nothing that the answer needs.
    runtime.shutdown_timeout(Duration::from_secs(1));
    answer
}

/// Threads for what blocks that there has to be room for. Where one cannot be started later, what
/// waits for it would wait for ever.
const BLOCKING: usize = 40;

/// Starts as many threads as the runtime will, all at once, and lets them go again.
///
/// # Errors
/// Where the machine does not give them. The runtime itself would then wait for ever for those that
/// it got.
fn try_threads() -> std::io::Result<()> {
    let workers = std::thread::available_parallelism()?.get();
    let gate = std::sync::RwLock::new(());
    std::thread::scope(|scope| {
        let closed = gate.write();
        let pass = || drop(gate.read());
        let tried = (0..workers + BLOCKING)
            .try_for_each(|_| std::thread::Builder::new().spawn_scoped(scope, pass).map(drop));
        drop(closed);
        tried
    })
}

/// For tests of crashes: `S3PLAN_DIE_AT` and `S3PLAN_PANIC_AT` take a [`failpoint::Place`], and
/// `S3PLAN_FAILPOINTS` has the counts told at the end. Builds without debug assertions pass none.
fn arm_failpoints() {
    let place = |name| session::variable(name).and_then(|place| place.parse().ok());
    let fates = [place("S3PLAN_DIE_AT").map(Fate::Die), place("S3PLAN_PANIC_AT").map(Fate::Panic)];
    fates.into_iter().flatten().for_each(failpoint::arm);
}

/// `S3PLAN_LOG` takes what `RUST_LOG` takes elsewhere: `debug`, `s3plan=trace`.
fn log_to(screen: &Screen, verbose: u8) {
    let wanted = session::variable("S3PLAN_LOG");
    let wanted = match (wanted, verbose) {
        (Some(wanted), _) => wanted,
        (None, 2..) => format!("s3plan=debug,{}", crate::aws::REQUESTS_IN_LOG),
        (None, _) => return,
    };
    let screen = screen.clone();
    // A second `run` in one process keeps the first one's log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(wanted))
        .with_writer(move || screen.clone())
        .with_ansi(false)
        .try_init();
}

#[cfg(test)]
mod tests;
