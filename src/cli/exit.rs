//! Where answers become exit codes, and every room's errors become words with a code and help.

use std::process::ExitCode;

use crate::archive::ArchiveError;
use crate::aws::{AwsError, ErrorKind};
use crate::manifest;
use crate::plan::file::PlanFileError;
use crate::report::{Screen, shown};
use crate::state::StateError;

/// How a command ended. The numbers are a contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked is done.
    Done,
    /// An error, or some actions failed; the rest went on and the run can be resumed.
    Failed,
    /// `plan --detailed-exitcode` found changes.
    Changes,
    /// Stopped because it waits: for a thaw, an approval, a login.
    Waits,
    /// The world, the manifest or the plan file changed since the review.
    Stale,
    /// Refused: a limit, a blocker, another account, other evidence, a lock-out, a newer format.
    Refused,
    /// Another process holds the state or the archive.
    Held,
    /// A usage or manifest error, an unknown bucket.
    Usage,
    /// Interrupted after a checkpoint.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Waits => 3,
            Self::Stale => 4,
            Self::Refused => 5,
            Self::Held => 6,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }

    /// What several ends together come to: 130, 5, 4, 1, 3, 0 in that order.
    ///
    /// The others end a command before it has parts that could end differently; they stand where
    /// they hide nothing worse. Nothing at all is [`Exit::Done`].
    pub fn first(ends: impl IntoIterator<Item = Self>) -> Self {
        const ORDER: [Exit; 9] = [
            Exit::Interrupted,
            Exit::Usage,
            Exit::Held,
            Exit::Refused,
            Exit::Stale,
            Exit::Failed,
            Exit::Waits,
            Exit::Changes,
            Exit::Done,
        ];
        let rank = |exit: &Self| ORDER.iter().position(|other| other == exit);
        ends.into_iter().min_by_key(rank).unwrap_or(Self::Done)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command ended without its answer: what a person reads, and what a script sees.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// Stable for ever: people search for it.
    pub code: &'static str,
    /// What failed, on what, and what is unharmed: a lower-case phrase.
    pub message: String,
    /// What to do next; `None` where the message says it all.
    pub help: Option<String>,
    /// A manifest's errors bring excerpts of the file, which replace the message.
    rejected: Option<Box<manifest::Rejected>>,
}

impl Failure {
    /// A failure without help.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), help: None, rejected: None }
    }

    /// Wrong arguments, found later than the parser could.
    pub fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code, message)
    }

    /// Something that this version does not do.
    pub fn not_offered(what: &str) -> Self {
        Self::new(
            Exit::Refused,
            "cli/not-offered",
            format!("{what} is not offered by this version"),
        )
    }

    /// The same with something to type.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Tells it on stderr.
    pub fn tell(&self, screen: &Screen) {
        if let Some(rejected) = &self.rejected {
            screen.err_line(&rejected.render(screen.colored_err()));
            return;
        }
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let message = self.message.lines().map(shown).collect::<Vec<_>>().join("\n  ");
        screen.err_line(&format!("{red}error[{}]{red:#}: {message}", self.code));
        if let Some(help) = &self.help {
            let cyan = anstyle::AnsiColor::Cyan.on_default().bold();
            let help = help.lines().map(shown).collect::<Vec<_>>().join("\n  ");
            screen.err_line(&format!("  {cyan}help{cyan:#}: {help}"));
        }
    }
}

impl From<manifest::Rejected> for Failure {
    /// Another account than the manifest's is refused; anything else is the manifest's error.
    fn from(rejected: manifest::Rejected) -> Self {
        let (exit, code) = match rejected.has("manifest/other-account") {
            true => (Exit::Refused, "manifest/other-account"),
            false => {
                let first = rejected.errors().first();
                (Exit::Usage, first.map_or("manifest/rejected", |error| error.code()))
            }
        };
        let message = rejected.to_string();
        Self { exit, code, message, help: None, rejected: Some(Box::new(rejected)) }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let exit = match &error {
            StateError::Held { .. } => Exit::Held,
            StateError::Newer { .. } | StateError::Foreign { .. } => Exit::Refused,
            _ => Exit::Failed,
        };
        let failure = Self::new(exit, error.code(), error.to_string());
        match error.help() {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        let (exit, code) = match error.kind() {
            ErrorKind::NoCredentials => (Exit::Failed, "aws/no-credentials"),
            ErrorKind::ExpiredCredentials => (Exit::Failed, "aws/expired-credentials"),
            ErrorKind::Denied => (Exit::Failed, "aws/denied"),
            ErrorKind::OtherOwner => (Exit::Refused, "aws/other-owner"),
            ErrorKind::NoSuchBucket => (Exit::Failed, "aws/no-such-bucket"),
            ErrorKind::NoSuchKey => (Exit::Failed, "aws/no-such-key"),
            ErrorKind::NoSuchUser => (Exit::Failed, "aws/no-such-user"),
            ErrorKind::Changed => (Exit::Stale, "aws/changed"),
            ErrorKind::NotThawed => (Exit::Waits, "aws/not-thawed"),
            ErrorKind::CustomerKey => (Exit::Failed, "aws/customer-key"),
            ErrorKind::Throttled => (Exit::Failed, "aws/throttled"),
            ErrorKind::Unreachable => (Exit::Failed, "aws/unreachable"),
            ErrorKind::TimedOut => (Exit::Failed, "aws/timed-out"),
            ErrorKind::Stalled => (Exit::Failed, "aws/stalled"),
            ErrorKind::WrongRegion { .. } => (Exit::Failed, "aws/wrong-region"),
            ErrorKind::NotS3 => (Exit::Failed, "aws/not-s3"),
            ErrorKind::BadAnswer => (Exit::Failed, "aws/bad-answer"),
            ErrorKind::NotImplemented => (Exit::Failed, "aws/not-implemented"),
            ErrorKind::Other => (Exit::Failed, "aws/other"),
        };
        let failure = Self::new(exit, code, error.to_string());
        match error.hint() {
            Some(hint) => failure.help(hint),
            None => failure,
        }
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let (exit, code) = match &error {
            ArchiveError::Held { .. } => (Exit::Held, "archive/held"),
            ArchiveError::NotAFolder(_) => (Exit::Refused, "archive/not-a-folder"),
            ArchiveError::NotWritable { .. } => (Exit::Refused, "archive/not-writable"),
            ArchiveError::Foreign { .. } => (Exit::Refused, "archive/foreign"),
            ArchiveError::NotAnArchive(_) => (Exit::Refused, "archive/not-an-archive"),
            ArchiveError::Vanished { .. } => (Exit::Refused, "archive/vanished"),
            ArchiveError::Planted(_) => (Exit::Refused, "archive/planted"),
            ArchiveError::NotSealed(_) => (Exit::Failed, "archive/not-sealed"),
            ArchiveError::Damaged { .. } => (Exit::Failed, "archive/damaged"),
            _ if error.is_full() => (Exit::Failed, "archive/full"),
            _ => (Exit::Failed, "archive/io"),
        };
        let failure = Self::new(exit, code, with_causes(&error));
        match code {
            "archive/held" => failure.help("wait for it or stop it"),
            "archive/full" => failure.help("free some space and run the same command again"),
            "archive/vanished" => failure.help("mount it, then run the same command again"),
            "archive/not-sealed" => failure.help("`s3plan status` shows how far it is"),
            _ => failure,
        }
    }
}

/// An error and what led to it, as one phrase.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

impl From<PlanFileError> for Failure {
    fn from(error: PlanFileError) -> Self {
        let (exit, code, help) = match &error {
            PlanFileError::Unreadable { source, .. }
                if source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) =>
            {
                (Exit::Failed, "plan/unreadable", "the disk fails; nothing was done")
            }
            PlanFileError::Unreadable { .. } => {
                (Exit::Usage, "plan/unreadable", "`s3plan plan MANIFEST` makes one")
            }
            PlanFileError::Unwritable { .. } => (
                Exit::Failed,
                "plan/unwritable",
                "an older plan of that name is still whole; free space or choose another place \
                 with -o",
            ),
            PlanFileError::Newer { .. } => {
                (Exit::Refused, "plan/newer", "use the s3plan that made it, or plan again")
            }
            PlanFileError::Edited { .. } => (
                Exit::Stale,
                "plan/edited",
                "plans are not edited: change the manifest and run `s3plan plan` again",
            ),
            PlanFileError::Unsound { .. } => (Exit::Refused, "plan/unsound", "plan again"),
        };
        Self::new(exit, code, error.to_string()).help(help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_end_is_the_one_that_the_shell_sees() {
        use Exit::{Done, Failed, Interrupted, Refused, Stale, Waits};
        let order = [Interrupted, Refused, Stale, Failed, Waits, Done];
        for (place, worse) in order.into_iter().enumerate() {
            for better in &order[place..] {
                assert_eq!(Exit::first([*better, worse]), worse);
                assert_eq!(Exit::first([worse, *better]), worse);
            }
        }
        assert_eq!(Exit::first(order.into_iter().rev()), Interrupted);
        assert_eq!(Exit::first([]), Done);
    }

    #[test]
    fn the_numbers_are_those_that_scripts_know() {
        use Exit::*;
        let all = [Done, Failed, Changes, Waits, Stale, Refused, Held, Usage, Interrupted];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 64, 130]);
    }

    #[test]
    fn a_key_in_a_message_cannot_move_the_cursor() {
        let (screen, _, err) = crate::report::captured::plain();
        Failure::new(Exit::Failed, "aws/denied", "could not read a\u{202e}b\u{7f}")
            .help("ask for the permission")
            .tell(&screen);
        insta::assert_snapshot!(err.text());
    }
}
