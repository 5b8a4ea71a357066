//! A project folder of its own and the real program, run in it with a cleared environment.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::account::Account;
use super::patience::{wait_for, wait_for_end};

/// No run in these tests takes anywhere near as long.
const RUN_LIMIT: Duration = Duration::from_secs(240);

/// A clean room: a project folder, a home folder, and the environment that the program gets.
pub struct TestBed {
    folder: TempDir,
    env: BTreeMap<String, String>,
    runs: AtomicU32,
}

/// How a run ended, and what it said.
pub struct Answer {
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// The command line, for messages.
    told: String,
    project: PathBuf,
}

/// A run that goes on while the test does something else. Killed when dropped.
pub struct Running {
    child: Child,
    told: String,
    stdout: PathBuf,
    stderr: PathBuf,
    project: PathBuf,
}

impl TestBed {
    /// A bed whose program knows of no AWS account at all.
    pub fn without_aws() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        for name in ["project", "home", "streams"] {
            fs::create_dir(folder.path().join(name)).expect("a folder in it");
        }
        let home = folder.path().join("home").display().to_string();
        let env = [("HOME", home.as_str()), ("LANG", "C.UTF-8"), ("TZ", "UTC")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        // The metadata service of a cloud machine must not lend its keys to a test.
        Self { folder, env, runs: AtomicU32::new(0) }.env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// A bed whose program finds this account.
    pub fn on(account: &Account) -> Self {
        account
            .env()
            .into_iter()
            .fold(Self::without_aws(), |bed, (name, value)| bed.env(name, &value))
    }

    /// The same, with one more variable, or another value for it.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The project folder: where the manifest is, and where the program runs.
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// A file or folder in the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.project().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file in the project")).expect("its folder");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    pub fn write_manifest(&self, text: &str) {
        self.write("manifest.toml", text);
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Runs the program to its end. Whatever else a test looks at, the program never panics.
    pub fn s3plan<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Answer {
        self.spawn(args).wait()
    }

    /// Runs the program to its end on a clock that runs so far ahead of the machine's.
    pub fn s3plan_ahead_by<S: AsRef<OsStr>>(
        &self,
        ahead: Duration,
        args: impl IntoIterator<Item = S>,
    ) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3plan"));
        command.args(args).env("S3PLAN_CLOCK_AHEAD", ahead.as_secs().to_string());
        self.start(command).wait()
    }

    /// Runs the program to its end with pauses that are a hundred times shorter.
    pub fn s3plan_hurried<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3plan"));
        command.args(args).env("S3PLAN_CLOCK_HURRY", "100");
        self.start(command).wait()
    }

    /// Starts the program and does not wait.
    pub fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3plan"));
        command.args(args);
        self.start(command)
    }

    /// Starts the program with more in its environment, and does not wait.
    pub fn spawn_with(&self, env: &[(&str, &str)], args: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3plan"));
        command.args(args).envs(env.iter().copied());
        self.start(command)
    }

    /// Runs a shell script in which `$S3PLAN` is the program, in the same clean room.
    pub fn shell(&self, script: &str) -> Answer {
        self.spawn_shell(script, &[]).wait()
    }

    /// Starts such a script with more in its environment, and does not wait.
    pub fn spawn_shell(&self, script: &str, env: &[(&str, &str)]) -> Running {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env("S3PLAN", env!("CARGO_BIN_EXE_s3plan"));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(env.iter().copied());
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Running {
        let told =
            command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        let stream = |name: &str| self.folder.path().join(format!("streams/{run}.{name}"));
        let (stdout, stderr) = (stream("stdout"), stream("stderr"));
        let explicit: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let child = command
            .env_clear()
            .envs(&self.env)
            .envs(explicit)
            .current_dir(self.project())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("a file for stdout"))
            .stderr(File::create(&stderr).expect("a file for stderr"))
            .spawn()
            .unwrap_or_else(|error| panic!("{told}: {error}"));
        Running { child, told, stdout, stderr, project: self.project() }
    }
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Waits until it has said something on stderr, or has ended without a word.
    pub fn hear(&mut self) {
        let spoke = wait_for(RUN_LIMIT, || {
            (self.has_ended() || !self.stderr_so_far().is_empty()).then_some(())
        });
        assert!(spoke.is_some(), "not a word in {RUN_LIMIT:?}: {}", self.told);
    }

    /// Whether it has ended by itself, or by a signal.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub fn signal(&self, signal: Signal) {
        // A run that has ended by itself in the meantime is no error of the test.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Answer {
        let status = wait_for_end(&mut self.child, RUN_LIMIT);
        let text =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).expect("a stream")).into_owned();
        let answer = Answer {
            code: status.and_then(|status| status.code()),
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
            told: self.told.clone(),
            project: self.project.clone(),
        };
        assert!(status.is_some(), "still runs after {RUN_LIMIT:?}: {answer}");
        for stream in [&answer.stdout, &answer.stderr] {
            assert!(!stream.contains("panicked at"), "a panic: {answer}");
        }
        answer
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// Goes on only if the run ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Goes on only if stderr names this, in whatever case.
    #[track_caller]
    pub fn blames(self, what: &str) -> Self {
        let found = self.stderr.to_lowercase().contains(&what.to_lowercase());
        assert!(found, "stderr does not name `{what}`: {self}");
        self
    }

    /// Goes on only if stdout says this, in whatever case.
    #[track_caller]
    pub fn says(self, what: &str) -> Self {
        let found = self.stdout.to_lowercase().contains(&what.to_lowercase());
        assert!(found, "stdout does not say `{what}`: {self}");
        self
    }

    /// Stdout as one JSON document.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document: {error}: {self}"))
    }
}

/// The whole answer as a person would see it, with what differs from run to run replaced: fit for
/// a snapshot.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or("a signal".to_owned(), |code| code.to_string());
        let project = self.project.display().to_string();
        let shown = |text: &str| without_ports(&text.replace(&project, "[project]"));
        writeln!(f, "s3plan {}", shown(&self.told))?;
        writeln!(f, "exit: {code}\n----- stdout -----\n{}", shown(&self.stdout))?;
        write!(f, "----- stderr -----\n{}", shown(&self.stderr))
    }
}

/// `127.0.0.1:40123` → `127.0.0.1:[port]`
fn without_ports(text: &str) -> String {
    let mut pieces = text.split("127.0.0.1:");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |shown, piece| {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        shown + "127.0.0.1:[port]" + rest
    })
}
