//! Looks whether a bucket still is what the plan was made from, and tells what moved.

use super::end::{End, Trouble};
use super::work::{Work, blocking};
use crate::observe::{Drift, Listed, compare_with_inventory, take_inventory};

/// How many names of moved objects one sentence holds.
const NAMES: usize = 3;

/// Whether a run has done something to a bucket already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    Already,
    NotYet,
}

/// Looks whether the bucket still is what the plan was made from, before anything is done to it.
///
/// A bucket that this run has begun is compared object by object as it goes: by the condition on
/// every GET, by the listings before the gate and before the deletion.
///
/// # Errors
/// [`End::Stale`] where it is not; what AWS or the state could not do.
pub(super) async fn check_fresh(work: &Work, begun: Begun) -> Result<(), Trouble> {
    let stale = |why: String| Trouble::Ends(End::Stale(why));
    let Some(archive) = &work.bucket.archive else {
        // The policy is all that is wanted, and `set-policy` looks at the live one itself.
        return Ok(());
    };
    let (versioning, _) = work.door.versioning().await?;
    if versioning != work.bucket.versioning {
        return Err(stale(format!(
            "versioning was {} when the plan was made and is {} now",
            work.bucket.versioning.as_str(),
            versioning.as_str()
        )));
    }
    let known = blocking(|| work.state.inventory(work.name()))?;
    let Some(known) = known else {
        // The state was lost since: list again, and go on only if nothing else was reviewed.
        let now_ms = work.clock.now().as_millisecond();
        let found =
            take_inventory(&work.door, &work.state, work.name(), versioning, now_ms, &mut |_| {})
                .await?;
        if !matches!(found, Listed::Taken(found) if found.digest == archive.inventory) {
            return Err(stale(
                "the state does not know this plan's inventory, and a fresh listing differs from \
                 it"
                .into(),
            ));
        }
        return Ok(());
    };
    if known.digest != archive.inventory {
        return Err(stale("a newer plan has listed this bucket since".into()));
    }
    if begun == Begun::Already {
        return Ok(());
    }
    let mut moved = Moved::default();
    compare_with_inventory::<Trouble>(&work.door, &work.state, work.name(), versioning, |drift| {
        moved.add(&drift);
        Ok(())
    })
    .await?;
    match moved.sentence() {
        Some(why) => Err(stale(why)),
        None => Ok(()),
    }
}

/// Counts drift and keeps the first names of it.
#[derive(Default)]
pub(super) struct Moved {
    new: u64,
    changed: u64,
    missing: u64,
    names: Vec<String>,
}

impl Moved {
    pub(super) fn add(&mut self, drift: &Drift) {
        let key = match drift {
            Drift::New(object) => {
                self.new += 1;
                &object.key
            }
            Drift::Changed { now, .. } => {
                self.changed += 1;
                &now.key
            }
            Drift::Missing(row) => {
                self.missing += 1;
                &row.object.key
            }
        };
        if self.names.len() < NAMES {
            self.names.push(format!("{key:?}"));
        }
    }

    /// What moved, in words; `None` where nothing did.
    pub(super) fn sentence(&self) -> Option<String> {
        let counted = [(self.new, "new"), (self.changed, "changed"), (self.missing, "gone")];
        let parts: Vec<String> = counted
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!parts.is_empty()).then(|| {
            format!(
                "objects moved since the plan was made: {} (for example {})",
                parts.join(", "),
                self.names.join(", ")
            )
        })
    }
}
