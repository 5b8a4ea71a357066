//! s3plan next to the movers that people use, on the same work in one run.
//!
//! ```text
//! cargo bench --bench movers -- --small                  about a minute
//! cargo bench --bench movers                             the works at full size, for an hour or so
//! cargo bench --bench movers -- --scale 0.1 --runs 5 --only small,list --movers s3plan,s5cmd
//! ```
//!
//! Each run has an empty folder; movers take turns, in another order each time. The server is the
//! sandbox, as a process of its own. Whether it holds anybody up shows in two ways: a bare client
//! that keeps nothing gives the rate it can answer at, and each row has the processor time that it
//! used meanwhile. A bare writer that only writes, syncs and names the same files gives the floor.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table is what a benchmark is for"
)]
#![expect(clippy::disallowed_methods, reason = "a benchmark asks the machine the time")]

mod bare;
mod measured;
mod movers;
#[path = "../it/support/patience.rs"]
mod patience;
#[path = "../it/support/python.rs"]
mod python;
mod server;
mod table;
mod works;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use measured::Used;
use movers::{Mover, Room};
use server::Server;
use table::{Row, Run};
use works::{Kind, Work};

/// Works with at most so many bytes leave their files until all runs are over.
const KEPT: u64 = 1 << 30;

/// s3plan next to s5cmd, rclone and aws-cli
#[derive(Debug, Parser)]
struct Args {
    /// Everything at a fiftieth, once
    #[arg(long)]
    small: bool,
    /// Part of the full numbers of objects
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Times each mover does each work
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only these works
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these movers
    #[arg(long, value_delimiter = ',')]
    movers: Vec<String>,
    /// Folder that the files are written to; it must be on the disk that is meant
    #[arg(long, default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench"))]
    folder: PathBuf,
    /// Objects without checksums, as from before December 2024
    #[arg(long)]
    no_checksums: bool,
    #[arg(long, hide = true)]
    bench: bool,
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
    #[arg(long, hide = true)]
    bare_fetch: Option<String>,
    #[arg(long, hide = true)]
    bare_write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut args = Args::parse();
    if args.small {
        args.scale = 0.02;
        args.runs = 1;
    }
    match act(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn act(args: &Args) -> Result<(), String> {
    let works = works::all(args.scale);
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let mut works = works.into_iter().filter(|work| wanted(work.name));
    match (&args.serve, &args.bare_fetch, &args.bare_write) {
        (Some(world), _, _) => server::serve(world),
        (_, Some(address), _) => {
            let var = |name| std::env::var(name).map_err(|_| format!("{name} is not set"));
            let door = bare::Door {
                address: address.clone(),
                access_key: var("AWS_ACCESS_KEY_ID")?,
                secret_key: var("AWS_SECRET_ACCESS_KEY")?,
                region: var("AWS_REGION")?,
            };
            bare::fetch(&works.next().ok_or("no such work")?, &door)
        }
        (_, _, Some(to)) => bare::write(&works.next().ok_or("no such work")?, to),
        _ => compare(args, &works.collect::<Vec<_>>()),
    }
}

fn compare(args: &Args, works: &[Work]) -> Result<(), String> {
    let named = |mover: &Mover| {
        args.movers.is_empty() || args.movers.iter().any(|name| name == mover.name())
    };
    let movers: Vec<Mover> = Mover::ALL.into_iter().filter(named).collect();
    for mover in &movers {
        mover.install()?;
    }
    println!("{}\n\n{}", machine(args), table::HEADING);
    let start = Instant::now();
    for work in works {
        let bench = Bench::open(args, work)?;
        let rows = bench.rows(&movers)?;
        print!("{}", table::rows(work, &rows));
    }
    println!("\n`s3plan --version`: {:.1} ms.", start_up(args)?.as_secs_f64() * 1000.0);
    eprintln!("{:.0} minutes in all", start.elapsed().as_secs_f64() / 60.0);
    Ok(())
}

/// How long s3plan takes to say nothing but its version.
fn start_up(args: &Args) -> Result<Duration, String> {
    let log = args.folder.join("log");
    let mut took = Vec::new();
    for _ in 0..21 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3plan"));
        took.push(measured::run(command.arg("--version"), &log)?.wall.as_secs_f64());
    }
    Ok(Duration::from_secs_f64(table::median(took.into_iter())))
}

/// What it ran on, in a line.
fn machine(args: &Args) -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{cores} × {}, Linux {}, load {}, {} run(s) each at scale {}, objects {} CRC64NVME; \
         medians.",
        model.trim_start_matches([' ', '\t', ':']).trim(),
        kernel.trim(),
        load.split(' ').next().unwrap_or(""),
        args.runs,
        args.scale,
        if args.no_checksums { "without" } else { "with" },
    )
}

/// One work with its server.
struct Bench<'a> {
    args: &'a Args,
    work: &'a Work,
    server: Server,
    /// How many folders there were so far.
    rooms: Cell<u64>,
}

impl<'a> Bench<'a> {
    fn open(args: &'a Args, work: &'a Work) -> Result<Self, String> {
        fs::create_dir_all(&args.folder).map_err(|error| error.to_string())?;
        let checksum = if args.no_checksums { "" } else { "default_checksum = \"CRC64NVME\"\n" };
        let world = format!("latency_ms = {}\n{checksum}{}", work.latency_ms, work.world());
        let server = Server::start(&world, &args.folder)?;
        Ok(Self { args, work, server, rooms: Cell::new(0) })
    }

    fn rows(&self, movers: &[Mover]) -> Result<Vec<Row>, String> {
        let movers: Vec<Mover> =
            movers.iter().copied().filter(|mover| mover.does(self.work)).collect();
        let mut rows: Vec<Row> = movers
            .iter()
            .map(|mover| Row { title: mover.title(self.work.kind).to_owned(), runs: Vec::new() })
            .collect();
        let mut bounds = Vec::new();
        if self.work.kind == Kind::Copy {
            // First, for the server then has made what it makes only once.
            bounds.push(self.bare_fetch()?);
            bounds.push(self.bare_write()?);
        }
        let count = movers.len();
        for run in 0..self.args.runs {
            for turn in 0..count {
                // Forwards and backwards in turn, from another one each time.
                let turn = if run % 2 == 0 { turn } else { count - 1 - turn };
                let at = (turn + run / 2) % count;
                rows[at].runs.push(self.run(movers[at])?);
                eprintln!("{} {}: {:?}", self.work.name, movers[at].name(), rows[at].runs.last());
            }
        }
        rows.extend(bounds);
        Ok(rows)
    }

    fn run(&self, mover: Mover) -> Result<Run, String> {
        let folder = self.empty_folder()?;
        let room = Room { folder: &folder, server: &self.server };
        let run = self.watched(|| mover.work(self.work, &room))?;
        if self.work.kind == Kind::Copy {
            let (files, bytes) = weigh(&mover.files(&room)).map_err(|error| error.to_string())?;
            if (files, bytes) != (self.work.objects, self.work.total()) {
                return Err(format!(
                    "{} left {files} files with {bytes} bytes instead of {} with {}",
                    mover.name(),
                    self.work.objects,
                    self.work.total()
                ));
            }
        }
        self.leave(&folder);
        Ok(run)
    }

    /// Runs something while the server counts.
    fn watched(&self, act: impl FnOnce() -> Result<Used, String>) -> Result<Run, String> {
        self.server.forget()?;
        let before = self.server.cpu();
        let used = act()?;
        let server_cpu = self.server.cpu() - before;
        Ok(Run { used, server_cpu, requests: self.server.counts()? })
    }

    fn bare_fetch(&self) -> Result<Row, String> {
        let mut runs = Vec::new();
        for run in 0..=self.args.runs {
            let mut command = self.again()?;
            command.args(["--bare-fetch", self.server.address()]);
            command.envs(self.server.env.iter().map(|(name, value)| (name, value)));
            let log = self.args.folder.join("log");
            let measured = self.watched(|| measured::run(&mut command, &log))?;
            // The first one makes the server compute what it computes once.
            if run > 0 {
                runs.push(measured);
            }
        }
        Ok(Row { title: "(bare client: GETs, keeps nothing)".into(), runs })
    }

    fn bare_write(&self) -> Result<Row, String> {
        let mut runs = Vec::new();
        for _ in 0..self.args.runs {
            let folder = self.empty_folder()?;
            let mut command = self.again()?;
            command.arg("--bare-write").arg(folder.join("to"));
            let used = measured::run(&mut command, &self.args.folder.join("log"))?;
            let requests = BTreeMap::new();
            runs.push(Run { used, server_cpu: Duration::ZERO, requests });
            self.leave(&folder);
        }
        Ok(Row { title: "(bare writer: writes, syncs, names)".into(), runs })
    }

    /// This program again, for the same work.
    fn again(&self) -> Result<Command, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["--only", self.work.name, "--scale", &self.args.scale.to_string()]);
        Ok(command)
    }

    /// A folder with nothing in it, on a disk that has nothing left to write.
    fn empty_folder(&self) -> Result<PathBuf, String> {
        let number = self.rooms.get();
        self.rooms.set(number + 1);
        let folder = self.args.folder.join(format!("{}-{number}", self.work.name));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        rustix::fs::sync();
        Ok(folder)
    }

    /// Large files go at once. Many small ones stay until all runs are over: for minutes after they
    /// are gone ext4 looks at the place of each before it makes another, at the next one's expense.
    fn leave(&self, folder: &Path) {
        if self.work.total() > KEPT {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        for number in 0..self.rooms.get() {
            let folder = self.args.folder.join(format!("{}-{number}", self.work.name));
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Files and bytes below a folder.
fn weigh(folder: &Path) -> std::io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let (more, weight) = weigh(&entry.path())?;
            files += more;
            bytes += weight;
        } else {
            files += 1;
            bytes += entry.metadata()?.len();
        }
    }
    Ok((files, bytes))
}
