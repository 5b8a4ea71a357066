//! How a run ended, bucket by bucket: as an exit code, and in words with what to type next.

use crate::apply::{BucketEnd, End, Outcome};
use crate::event::WaitingFor;
use crate::plan::Plan;
use crate::report;
use crate::state::{State, StateError};

use super::exit::Exit;
use super::session::Session;

/// The exit code of one bucket's end.
pub(super) fn exit_of(end: &End) -> Exit {
    match end {
        End::Done { .. } => Exit::Done,
        End::Waits { .. } => Exit::Waits,
        End::Stale(_) => Exit::Stale,
        End::Refused(_) => Exit::Refused,
        End::Failed(_) => Exit::Failed,
        End::Held(_) => Exit::Held,
        End::Parked => Exit::Interrupted,
    }
}

/// Names the actions that were not come to, and the one that they wait for.
pub(super) fn tell_skipped(
    outcome: &Outcome,
    plan: &Plan,
    state: &State,
    session: &Session,
) -> Result<(), StateError> {
    let done = state.done_actions(&plan.digest)?;
    for BucketEnd { bucket, end } in &outcome.buckets {
        let why = match end {
            End::Failed(_) => "failed",
            End::Refused(_) => "was refused",
            End::Held(_) => "found the archive held",
            End::Stale(_) => "met a bucket that is not what was planned",
            End::Done { .. } | End::Waits { .. } | End::Parked => continue,
        };
        let mut left = plan.actions_of(bucket).filter(|action| !done.contains(&action.id));
        let Some(first) = left.next() else { continue };
        let names: Vec<&str> = left
            .map(|action| action.id.as_str().rsplit('/').next().unwrap_or(action.kind.as_str()))
            .collect();
        if !names.is_empty() {
            session.say(&format!(
                "{bucket}: skipped: {}; {} {why}",
                names.join(", "),
                first.kind.as_str()
            ));
        }
    }
    Ok(())
}

/// Says how each bucket ended and what to type next.
pub(super) fn tell(outcome: &Outcome, again: &str, session: &Session) {
    for BucketEnd { bucket, end } in &outcome.buckets {
        let line = match end {
            End::Done { .. } => format!("{bucket}: done"),
            End::Waits { on: WaitingFor::Thaw, until } => {
                let when = until.map(|until| report::until(until, session.now()));
                let when = when.map(|when| format!(" ({when})")).unwrap_or_default();
                format!("{bucket}: waits for Glacier{when}; then: {again}")
            }
            End::Waits { on: WaitingFor::Approval, .. } => {
                format!("{bucket}: waits for an approval; `s3plan status` shows the evidence")
            }
            End::Waits { on: WaitingFor::Login, .. } => {
                format!("{bucket}: the credentials ran out; log in again, then: {again}")
            }
            End::Stale(why) => {
                format!("{bucket}: stale: {why}; it was left alone. Plan again, review, apply")
            }
            End::Refused(why) => format!("{bucket}: refused: {why}"),
            End::Failed(why) => format!("{bucket}: failed: {why}; then: {again}"),
            End::Held(why) => format!("{bucket}: {why}"),
            End::Parked => format!("{bucket}: parked; to go on: {again}"),
        };
        let line = report::shown(&line);
        match exit_of(end) {
            Exit::Done => session.say(&line),
            _ => session.screen().err_line(&line),
        }
    }
}
