//! Policies that drifted: what they were as wanted when the same manifest was planned last, and no
//! plan asked for what they are now.

use std::collections::BTreeSet;

use crate::apply;
use crate::model::{ActionKind, ManifestRef, Reason};
use crate::plan::Body;
use crate::state::{State, StateError};

/// The buckets whose policy was known to be as this very manifest wants it: its newest plan found
/// nothing to set there, or was applied. A policy of theirs that is to be set has drifted.
///
/// What was found to have drifted stays so until it is set again, so that planning twice gives the
/// same bytes. A bucket whose policy was rolled back has not drifted: a person asked for that.
///
/// # Errors
/// What the state could not do.
pub fn settled_policies(
    state: &State,
    manifest: &ManifestRef,
) -> Result<BTreeSet<String>, StateError> {
    let Some(last) = state.newest_plan_of(&manifest.path)? else { return Ok(BTreeSet::new()) };
    // An outline of another format is not ours to tell.
    let Ok(body) = serde_json::from_value::<Body>(last.outline) else {
        return Ok(BTreeSet::new());
    };
    if body.manifest.digest != manifest.digest {
        return Ok(BTreeSet::new());
    }
    let done = state.done_actions(&last.digest)?;
    let drifted = Reason::PolicyDrifted.to_string();
    let rolled_back = apply::status::left_behind(state, &last.digest)?;
    let mut settled = BTreeSet::new();
    for bucket in body.buckets.iter().filter(|bucket| !rolled_back.contains(&bucket.name)) {
        let mut set = body
            .actions
            .iter()
            .filter(|action| action.bucket == bucket.name && action.kind == ActionKind::SetPolicy);
        if set.all(|action| done.contains(&action.id) || action.reason == drifted) {
            settled.insert(bucket.name.as_str().to_owned());
        }
    }
    Ok(settled)
}
