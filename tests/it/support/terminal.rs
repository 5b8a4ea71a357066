//! The program at a terminal, with somebody who reads and types.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::time::Duration;

use tempfile::TempDir;

use super::bed::{Answer, Running, TestBed};
use super::patience::wait_for;

/// Nothing in these tests takes anywhere near as long to come up.
const LIMIT: Duration = Duration::from_secs(120);

/// A run under a terminal of its own.
pub struct AtTerminal {
    run: Running,
    keys: File,
    folder: TempDir,
}

impl TestBed {
    /// Starts `s3plan` with these words of a shell under a terminal of 120 columns.
    pub fn at_terminal(&self, args: &str) -> AtTerminal {
        let folder = TempDir::new().expect("a temporary folder");
        // A pipe by name, so that what is typed can wait for what is said.
        let script = "mkfifo \"$TTY/keys\" && exec script -qefc \
                      \"stty cols 120 rows 40; $S3PLAN $ARGS\" \"$TTY/said\" < \"$TTY/keys\"";
        let tty = folder.path().display().to_string();
        let env = [("TTY", tty.as_str()), ("ARGS", args), ("TERM", "xterm")];
        let run = self.spawn_shell(script, &env);
        let keys = folder.path().join("keys");
        let made = wait_for(LIMIT, || keys.exists().then_some(()));
        assert!(made.is_some(), "there is no terminal");
        // Comes back once the other end is open.
        let keys = OpenOptions::new().write(true).open(keys).expect("a pipe");
        AtTerminal { run, keys, folder }
    }
}

impl AtTerminal {
    /// Waits until this stands on the terminal.
    #[track_caller]
    pub fn reads(&self, words: &str) {
        let seen = wait_for(LIMIT, || self.said().contains(words).then_some(()));
        assert!(seen.is_some(), "no `{words}` on the terminal: {}", self.said());
    }

    /// Presses keys.
    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("somebody reads the keys");
    }

    /// Waits for its end; all that it said is on stdout.
    pub fn wait(self) -> Answer {
        let Self { run, keys, folder } = self;
        let mut answer = run.wait();
        drop(keys);
        answer.stdout = said_in(&folder).replace('\r', "");
        answer
    }

    fn said(&self) -> String {
        said_in(&self.folder)
    }
}

fn said_in(folder: &TempDir) -> String {
    let said = fs::read(folder.path().join("said")).unwrap_or_default();
    String::from_utf8_lossy(&said).into_owned()
}
