//! A fact in one line for people; shared by the terminal and the pipe.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use crate::event::{DeleteForm, Fact, WaitingFor};
use crate::model::ActionId;

use super::evidence::proofs_told;
use super::text::{bytes, counted, moment, shown, until};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Told only to those who want every step.
    Step,
    /// Told usually.
    News,
    /// Told always.
    Trouble,
}

/// One line about a fact.
pub(super) struct Line {
    pub weight: Weight,
    pub style: Style,
    pub text: String,
}

pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const CYAN: Style = AnsiColor::Cyan.on_default();
pub(super) const BOLD: Style = Style::new().bold();

/// Text in a style; the screen takes the style away where colours are not wanted.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

impl Line {
    /// Tells a fact.
    pub fn of(fact: &Fact, now: Timestamp) -> Self {
        let plain = Style::new();
        let (weight, style, text) = match fact {
            Fact::RunStarted { run, caller_arn } => {
                let run = run.get(..16).unwrap_or(run);
                (Weight::Step, plain, format!("run {run} taken up by {}", shown(caller_arn)))
            }
            Fact::Started { action } => (Weight::Step, plain, format!("{action}: started")),
            Fact::Waiting { action, on, until } => {
                (Weight::News, CYAN, format!("{action}: {}", waiting(*on, *until, now)))
            }
            Fact::Done { action, objects, bytes } => {
                (Weight::News, GREEN, format!("{action}: done{}", amount(*objects, *bytes)))
            }
            Fact::Failed { action, why, retry } => {
                let next = if *retry { "; apply again to go on" } else { "" };
                (Weight::Trouble, RED, format!("{action}: failed: {}{next}", shown(why)))
            }
            Fact::Stale { bucket, why } => {
                let why = shown(why);
                let text = format!("{bucket}: stale: {why}; it is left alone and needs a new plan");
                (Weight::Trouble, YELLOW, text)
            }
            Fact::ObjectFailed { bucket, key, version_id, why } => {
                let object = object(bucket.as_str(), key, version_id.as_deref());
                (Weight::Trouble, RED, format!("{object}: stays in S3: {}", shown(why)))
            }
            Fact::LeftAlone { bucket, key, version_id, why } => {
                let object = object(bucket.as_str(), key, version_id.as_deref());
                (Weight::News, YELLOW, format!("{object}: left alone: {}", shown(why)))
            }
            Fact::DeleteFormFound { bucket, form } => {
                (Weight::Step, plain, format!("{bucket}: {}", delete_form(*form)))
            }
            Fact::GateOpened { bucket, evidence, proofs, caveats } => {
                let by = proofs_told(proofs);
                let weaker: String =
                    caveats.iter().map(|caveat| format!(" ({})", shown(caveat))).collect();
                let text = format!(
                    "{bucket}: proven{by}{weaker}; to delete it: s3plan approve \
                     {bucket}@{evidence}"
                );
                (Weight::News, CYAN, text)
            }
            Fact::Abandoned { bucket, by } => {
                let text =
                    format!("{bucket}: abandoned by {}; everything stays as it is", shown(by));
                (Weight::News, YELLOW, text)
            }
            Fact::TakenUpAgain { bucket } => {
                (Weight::Step, plain, format!("{bucket}: taken up again by a new plan"))
            }
            Fact::PolicyRolledBack { bucket, .. } => {
                (Weight::News, YELLOW, format!("{bucket}: its policy was rolled back"))
            }
            Fact::Approved { bucket, evidence, by } => {
                let text = format!("{bucket}: evidence {evidence} approved by {}", shown(by));
                (Weight::News, GREEN, text)
            }
        };
        Self { weight, style, text }
    }
}

fn waiting(on: WaitingFor, until_when: Option<Timestamp>, now: Timestamp) -> String {
    let on = match on {
        WaitingFor::Thaw => "waits for S3 to thaw its objects",
        WaitingFor::Approval => "waits for a person's approval",
        WaitingFor::Login => "waits for fresh credentials",
    };
    match until_when {
        Some(at) => format!("{on}; look again {} ({})", until(at, now), moment(at)),
        None => on.into(),
    }
}

fn amount(objects: u64, size: u64) -> String {
    match (objects, size) {
        (0, 0) => String::new(),
        (n, 0) => format!(" ({n})"),
        (n, size) => format!(", {}, {}", counted(n, "object"), bytes(size)),
    }
}

fn object(bucket: &str, key: &str, version_id: Option<&str>) -> String {
    let version = version_id.map(|id| format!(" (version {})", shown(id))).unwrap_or_default();
    format!("{bucket}: {}{version}", shown(key))
}

/// The action that a fact ends for now; `None` where it ends none.
pub(super) fn ended(fact: &Fact) -> Option<&ActionId> {
    match fact {
        Fact::Done { action, .. } | Fact::Failed { action, .. } => Some(action),
        _ => None,
    }
}

fn delete_form(form: DeleteForm) -> &'static str {
    match form {
        DeleteForm::Batch => "the server honours conditions on deletes, also in batches",
        DeleteForm::Single => "the server honours conditions on single deletes only",
        DeleteForm::CompareFirst => {
            "the server ignores conditions on deletes: each object is compared right before its \
             own, which is a weaker guarantee"
        }
    }
}
