//! What a command is handed: where it runs, who listens, and the rooms, opened when asked for.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::aws::{Aws, DataPlane, Settings};
use crate::clock::Clock;
use crate::event::Reporter;
use crate::manifest::{self, Wanted};
use crate::plan::Plan;
use crate::report::{self, Audience, Screen, Volume};
use crate::state::{Open, State, StateError};

use super::Global;
use super::exit::{Exit, Failure};
use super::project::Project;

/// One command's surroundings.
pub struct Session {
    global: Global,
    screen: Screen,
    terminals: Terminals,
    /// Absolute: where relative paths begin.
    from: PathBuf,
}

/// Which of the three streams are terminals.
#[derive(Clone, Copy, Debug)]
struct Terminals {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

/// What a command prints its result as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Words for people.
    Words,
    /// JSON for programs.
    Json,
}

impl Format {
    /// From a `--json` flag.
    pub fn from_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Words }
    }
}

/// A variable of the environment; `None` where it is unset, empty or no text.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Asks on stderr and reads one line of stdin, without blanks around it.
pub(super) fn ask_on(screen: &Screen, question: &str) -> std::io::Result<String> {
    screen.ask(&format!("{question} "), || {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim().to_owned())
    })
}

impl Session {
    /// Looks around.
    ///
    /// # Errors
    /// Where `-C` names no folder, or there is no current one.
    pub fn new(global: Global, screen: Screen) -> Result<Self, Failure> {
        let here = std::env::current_dir().map_err(|error| {
            Failure::new(Exit::Failed, "cli/no-folder", format!("no current folder: {error}"))
        })?;
        let from = match &global.folder {
            None => here,
            Some(folder) => {
                here.join(folder).canonicalize().ok().filter(|f| f.is_dir()).ok_or_else(|| {
                    Failure::usage("cli/no-folder", format!("{} is no folder", folder.display()))
                })?
            }
        };
        let terminals = Terminals {
            stdin: std::io::stdin().is_terminal(),
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        };
        Ok(Self { global, screen, terminals, from })
    }

    /// A session in a folder, with nobody at a terminal.
    #[cfg(test)]
    pub(super) fn in_folder(folder: &Path, screen: Screen) -> Self {
        let terminals = Terminals { stdin: false, stdout: false, stderr: false };
        let global = Global { folder: Some(folder.to_owned()), ..Global::default() };
        let from = folder.canonicalize().expect("a folder");
        Self { global, screen, terminals, from }
    }

    /// Where results and words go.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// The machine's clock.
    ///
    /// A build for tests takes the seconds by which it runs ahead from `S3PLAN_CLOCK_AHEAD`, and
    /// how many times shorter it sleeps from `S3PLAN_CLOCK_HURRY`.
    pub fn clock(&self) -> Clock {
        let set = |name| variable(name).filter(|_| cfg!(debug_assertions));
        let ahead = set("S3PLAN_CLOCK_AHEAD").and_then(|seconds| seconds.parse().ok());
        let hurry = set("S3PLAN_CLOCK_HURRY").and_then(|times| times.parse().ok());
        Clock::ahead_by(Duration::from_secs(ahead.unwrap_or(0))).hurried(hurry.unwrap_or(1))
    }

    /// The time in UTC.
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// How much is said on the way.
    pub fn volume(&self) -> Volume {
        match (self.global.quiet, self.global.verbose) {
            (true, _) => Volume::Quiet,
            (false, 0) => Volume::Normal,
            _ => Volume::Verbose,
        }
    }

    /// Says something on stderr that is no result, unless it shall be quiet.
    pub fn say(&self, words: &str) {
        if self.volume() != Volume::Quiet {
            self.screen.err_line(words);
        }
    }

    /// Who is told of an apply.
    pub fn reporter(&self, format: Format) -> Box<dyn Reporter> {
        let audience = match format {
            Format::Json => Audience::Program,
            Format::Words if self.terminals.stderr && !self.is_dumb() => Audience::Terminal,
            Format::Words => Audience::Lines,
        };
        let clock = self.clock();
        report::reporter(audience, &self.screen, self.volume(), Box::new(move || clock.now()))
    }

    fn is_dumb(&self) -> bool {
        variable("TERM").is_some_and(|term| term == "dumb")
    }

    /// The width of the terminal that results go to, in columns; `None` for a pipe.
    pub fn width(&self) -> Option<u16> {
        let size = dialoguer::console::Term::stdout().size_checked();
        size.filter(|_| self.terminals.stdout).map(|(_, columns)| columns)
    }

    /// Whether a person can be asked: they see the question on stderr and answer on stdin.
    pub fn can_ask(&self) -> bool {
        self.terminals.stdin && self.terminals.stderr
    }

    /// Whether results go to a terminal.
    pub fn shows_results(&self) -> bool {
        self.terminals.stdout
    }

    /// Asks for a typed word and returns the line without blanks around it. The end of input is
    /// an empty answer; so is Enter: neither may ever be taken for a yes.
    ///
    /// # Errors
    /// Where nobody can be asked (see [`Session::can_ask`]), or stdin cannot be read.
    pub fn ask(&self, question: &str) -> Result<String, Failure> {
        if !self.can_ask() {
            let message = "this needs an answer, and there is no terminal to ask on";
            return Err(Failure::usage("cli/no-terminal", message));
        }
        ask_on(&self.screen, question).map_err(|error| {
            Failure::new(Exit::Failed, "cli/no-terminal", format!("no answer: {error}"))
        })
    }

    /// A path on the command line, absolute.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.from.join(path)
    }

    /// Where relative paths begin.
    pub fn from(&self) -> &Path {
        &self.from
    }

    /// The project of commands that work on one: `-C`, or the nearest folder upwards with
    /// `.s3plan/`.
    ///
    /// # Errors
    /// Where there is none.
    pub fn project(&self) -> Result<Project, Failure> {
        if self.global.folder.is_some() {
            return Ok(Project::at(&self.from));
        }
        Project::upwards(&self.from).ok_or_else(|| {
            let message = "no project here: neither this folder nor one above it has .s3plan/";
            Failure::usage("cli/no-project", message)
                .help("run `s3plan plan MANIFEST` first, or name the project's folder with -C DIR")
        })
    }

    /// The project of a manifest: its folder.
    pub fn project_of(&self, manifest: &Path) -> Project {
        Project::of_manifest(manifest, &self.from)
    }

    /// The project that a plan is applied in, and the plan file: the given one, or the one under
    /// `plans/`; of several, the one that a person picks.
    ///
    /// A fresh checkout has no `.s3plan/` yet: then the plan's place tells the project, or a
    /// `plans/` folder here.
    ///
    /// # Errors
    /// No project, no plan, or several and nobody to ask.
    pub fn plan_file(&self, given: Option<&Path>) -> Result<(Project, PathBuf), Failure> {
        let given = given.map(|path| self.path(path));
        let by_plan = || given.as_deref().and_then(Project::of_plan);
        let here = || Some(Project::at(&self.from)).filter(|p| p.folder().join("plans").is_dir());
        let project = self.project().or_else(|none| by_plan().or_else(here).ok_or(none));
        if let Some(plan) = given {
            let beside = || Project::at(plan.parent().unwrap_or(&self.from));
            return Ok((project.unwrap_or_else(|_| beside()), plan));
        }
        let project = project?;
        let plans = project.plans()?;
        let plan = match plans.as_slice() {
            [] => {
                let message = format!("no plan under {}", project.folder().join("plans").display());
                return Err(
                    Failure::usage("cli/no-plan", message).help("`s3plan plan MANIFEST` makes one")
                );
            }
            [one] => one.clone(),
            several => self.pick(several)?,
        };
        Ok((project, plan))
    }

    fn pick(&self, plans: &[PathBuf]) -> Result<PathBuf, Failure> {
        let list = |plan: &PathBuf| format!("  {}", plan.display());
        let listed: Vec<String> = plans.iter().map(list).collect();
        if !self.can_ask() {
            let message = format!("there are several plans:\n{}", listed.join("\n"));
            return Err(Failure::usage("cli/several-plans", message).help("name the one you mean"));
        }
        for (number, plan) in listed.iter().enumerate() {
            self.screen.err_line(&format!("{:>3}{}", number + 1, report::shown(plan)));
        }
        let answer = self.ask("Which plan? Type its number:")?;
        let number = answer.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        number.and_then(|n| plans.get(n)).cloned().ok_or_else(|| {
            Failure::usage("cli/no-plan", "none of them was picked; nothing was done")
        })
    }

    /// Loads the plan that a command works on, see [`Session::plan_file`].
    ///
    /// # Errors
    /// As there, and all that can be wrong with a plan file.
    pub fn plan(&self, given: Option<&Path>) -> Result<(Project, PathBuf, Plan), Failure> {
        let (project, path) = self.plan_file(given)?;
        let plan = crate::plan::file::load(&path)?;
        Ok((project, path, plan))
    }

    /// Reads and checks a manifest named on the command line.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn manifest(&self, path: &Path) -> Result<Wanted, Failure> {
        // Messages name it as the person did, as long as that leads to it.
        let named = match self.global.folder {
            Some(_) => self.path(path),
            None => path.to_owned(),
        };
        Ok(manifest::load(&named)?)
    }

    /// Connects to AWS by the options; what they leave out comes from where every AWS tool takes
    /// it. `max_connections` bounds the requests in flight; `None` leaves it to s3plan.
    ///
    /// # Errors
    /// Where the endpoint URL is none. Credentials are looked for with the first request.
    pub async fn aws(&self, max_connections: Option<u32>) -> Result<Aws, Failure> {
        let settings = Settings {
            profile: self.global.profile.clone(),
            region: self.global.region.clone(),
            endpoint_url: self.global.endpoint_url.clone(),
            max_connections,
            data_plane: match variable("S3PLAN_DATA_PLANE").as_deref() {
                Some("sdk") => DataPlane::Sdk,
                _ => DataPlane::Thin,
            },
        };
        Ok(Aws::connect(&settings).await?)
    }

    /// Opens a project's state, or the file that `--state` names.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn state(&self, project: &Project, how: Open<'_>) -> Result<State, Failure> {
        Ok(self.open_state(project, how)?)
    }

    /// The same, for commands that go on where another process holds it.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn open_state(&self, project: &Project, how: Open<'_>) -> Result<State, StateError> {
        State::open(&project.state_folder(), self.state_file().as_deref(), how)
    }

    /// The state file named by `--state`, absolute; `None` leaves it to the project.
    pub fn state_file(&self) -> Option<PathBuf> {
        self.global.state.as_deref().map(|path| self.path(path))
    }

    /// What `~` stands for; `None` where that is not known.
    pub fn home(&self) -> Option<PathBuf> {
        variable("HOME").map(PathBuf::from)
    }

    /// The operating system's name of who runs this, for approvals.
    pub fn person(&self) -> String {
        let by_name = variable("USER").or_else(|| variable("LOGNAME"));
        by_name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
    }

    /// What another process is told of who holds a lock: the command, the process, since when.
    pub fn holder(&self, command: &str) -> String {
        let since = self.now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        let person = self.person();
        format!("s3plan {command} by {person} (process {}, since {since})", std::process::id())
    }
}
