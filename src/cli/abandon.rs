//! `s3plan apply --abandon`: gives up some buckets' part of a run.

use crate::apply;
use crate::event::Fact;
use crate::model::BucketName;
use crate::plan::Plan;
use crate::state::Open;

use super::apply::{ApplyArgs, check_newest, in_plan};
use super::exit::{Exit, Failure};
use super::perform::{recorder, run_row, write_status};
use super::project::Project;
use super::record;
use super::session::{Format, Session};

/// Gives up some buckets' part of a run, on record. Asks AWS nothing, and takes nothing back.
pub(super) fn run(
    args: &ApplyArgs,
    plan: &Plan,
    project: &Project,
    plan_path: String,
    session: &Session,
) -> Result<Exit, Failure> {
    let buckets: Vec<BucketName> =
        args.abandon.iter().map(|name| BucketName::new(name.as_str())).collect();
    for bucket in &buckets {
        in_plan(plan, bucket)?;
    }
    let state = session.state(project, Open::Write { holder: &session.holder("apply") })?;
    state.bind(&plan.body.account)?;
    check_newest(plan, &state)?;
    state.begin_run(&run_row(plan, plan_path, session))?;
    let recorder = recorder(plan, project, &state, Format::from_flag(args.json), session)?;
    let known = apply::status::abandoned(&state, &plan.digest)?;
    for bucket in buckets {
        if !known.contains(&bucket) {
            recorder.record(Fact::Abandoned { bucket: bucket.clone(), by: session.person() })?;
        }
        session.say(&format!(
            "{bucket}: abandoned. Files and objects stay as they are, and nothing more is paid for; \
             copies that S3 was already asked to thaw lapse by themselves. `s3plan plan {}` takes \
             it up again.",
            plan.body.manifest.path
        ));
    }
    write_status(project, &state, false)?;
    record::write_or_say(plan, project, session);
    Ok(Exit::Done)
}
