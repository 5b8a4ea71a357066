//! Compares what the manifest wants with what was seen, and says what must change and why.
//!
//! In: [`Desired`], [`Observed`]. Out: [`Change`]s, each with its [`Reason`], in a stable order,
//! and the [`Blocker`]s that make the whole plan impossible. Pure: no clock, no network, no disk,
//! no randomness. The same inputs always give the same changes; `plans/` and the property tests
//! lean on that.
//!
//! Which change comes first is not decided here but in [`crate::graph`].

mod block;
mod waves;

pub use block::Blocker;

use crate::model::{
    ActionKind, BucketName, Change, Count, Desired, DesiredArchive, DesiredBucket, Endpoint,
    Observed, Reason, SeenBucket, Takes, Tally, UnconditionalDeletes, Unprovable, Versioning,
    VersionsWanted, Wave,
};
use crate::policy::{self, Realm};

/// All that [`compare`] found.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    /// What must change, bucket by bucket.
    pub changes: Vec<Change>,
    /// What makes the plan impossible.
    pub blockers: Vec<Blocker>,
}

/// Compares what is wanted with what was seen.
///
/// `observed_at_ms` (milliseconds since the Unix epoch) only decides whether an unfinished upload
/// is young enough to mean a live writer.
pub fn compare(desired: &Desired, observed: &Observed, observed_at_ms: i64) -> Differences {
    let mut found = Differences {
        blockers: block::find(desired, observed, observed_at_ms),
        ..Differences::default()
    };
    let mut waves = waves::Waves::default();
    for (wanted, seen) in desired.buckets.iter().zip(&observed.buckets) {
        of_policy(desired, wanted, seen, observed, &mut found);
        let (Some(archive), Some(tally)) = (&wanted.archive, &seen.tally) else { continue };
        match waves.lay_out(archive, tally) {
            Ok(waves) => {
                found.changes.extend(of_archive(archive, seen, tally, waves, observed.endpoint));
            }
            Err(why) => found.blockers.push(Blocker::new(&wanted.name, why)),
        }
    }
    found
}

/// A bucket is locked before anything else is done to it.
fn of_policy(
    desired: &Desired,
    wanted: &DesiredBucket,
    seen: &SeenBucket,
    observed: &Observed,
    found: &mut Differences,
) {
    let Some(wish) = &seen.policy else { return };
    let caller = &observed.caller;
    let realm = Realm {
        bucket: wanted.name.as_str(),
        account: &desired.account,
        partition: caller.partition(),
    };
    let archived = wanted.archive.as_ref().map(|archive| match archive.then.deletes() {
        true => policy::Deletes::Something,
        false => policy::Deletes::Nothing,
    });
    let live = seen.bucket.policy.as_deref();
    let compared = policy::compare(&realm, wish, live, caller, archived);
    let blockers = compared.blockers.into_iter().map(|why| Blocker::new(&wanted.name, why));
    found.blockers.extend(blockers);
    if let Some(policy) = compared.change {
        let mut changes = Changes { bucket: &wanted.name, list: Vec::new() };
        changes.add(ActionKind::SetPolicy, wish.reason, Count::default()).policy = Some(policy);
        found.changes.extend(changes.list);
    }
}

fn of_archive(
    archive: &DesiredArchive,
    seen: &SeenBucket,
    tally: &Tally,
    waves: Vec<Wave>,
    endpoint: Endpoint,
) -> Vec<Change> {
    let mut changes = Changes { bucket: &seen.bucket.name, list: Vec::new() };
    let sealed = seen.destination.as_ref().is_some_and(|place| place.sealed);
    let stored = tally.stored.objects;

    // What proves right needs neither a restore nor a download.
    if !tally.to_adopt.is_empty() {
        changes.add(ActionKind::Adopt, Reason::InPlace, tally.to_adopt);
    }
    // What is ready comes down while the first wave thaws, so its restores go out before.
    let mut waves = waves.into_iter();
    let first = waves.next();
    if let Some(wave) = &first {
        changes.restore(wave);
    }
    if !tally.ready.is_empty() {
        let reason = if tally.to_adopt.is_empty() { Reason::NotOnDisk } else { Reason::NotAdopted };
        let change = changes.add(ActionKind::Download, reason, tally.ready);
        change.present = tally.present_ready;
        change.takes = first.is_some().then_some(Takes::Ready);
        change.done = stored;
    }
    if let Some(wave) = first {
        let done = if tally.ready.is_empty() { stored } else { 0 };
        changes.thawed(wave, done);
    }
    for wave in waves {
        changes.restore(&wave);
        changes.thawed(wave, 0);
    }
    let unread = tally.unread + tally.missing;
    if !unread.is_empty() {
        changes.add(ActionKind::Verify, Reason::NotReadBack, unread).done =
            stored - tally.unread.objects;
    }
    if !unread.is_empty() || !tally.unsealed.is_empty() || !sealed {
        changes.add(ActionKind::Seal, Reason::NotSealed, tally.selected);
    }
    if archive.then.deletes() {
        of_deletion(archive, seen, tally, endpoint, &mut changes);
    }
    let probes = changes.list.iter().any(|change| change.kind == ActionKind::ProbeDeletes);
    if tally.probes_left > 0 && !probes {
        changes.add(ActionKind::ProbeDeletes, Reason::ProbeLeft, Count::default());
    }
    changes.list
}

fn of_deletion(
    archive: &DesiredArchive,
    seen: &SeenBucket,
    tally: &Tally,
    endpoint: Endpoint,
    changes: &mut Changes<'_>,
) {
    let then = archive.then;
    let retires = then == crate::model::AfterArchive::DeleteBucket;
    let mut doomed = deletable(archive, seen, tally);
    if archive.versions == VersionsWanted::All {
        doomed.objects += tally.delete_markers;
    }
    if doomed.is_empty() && !retires {
        return;
    }
    // Versions are immutable and deleted by their id; only a plain key's delete needs a condition.
    let by_etag = seen.bucket.versioning != Versioning::Enabled;
    if !doomed.is_empty() && by_etag && endpoint == Endpoint::Custom {
        changes.add(ActionKind::ProbeDeletes, Reason::NotAws, Count::default());
    }
    changes.add(ActionKind::Approve, Reason::DeletionFollows, doomed);
    if !doomed.is_empty() {
        changes.add(ActionKind::DeleteObjects, Reason::Then(then), doomed);
    }
    if retires {
        if !seen.bucket.uploads.is_empty() {
            let uploads = Count { objects: seen.bucket.uploads.len() as u64, bytes: 0 };
            changes.add(ActionKind::AbortUploads, Reason::Then(then), uploads);
        }
        changes.add(ActionKind::DeleteBucket, Reason::Then(then), Count::default());
    }
}

/// What may be deleted once proven: the selected objects less those that nothing can prove, or that
/// no condition would protect.
fn deletable(archive: &DesiredArchive, seen: &SeenBucket, tally: &Tally) -> Count {
    // An object may be among both; counting it twice would make the ceiling too low.
    let kept = kept_for_want_of_proof(archive, tally)
        .max_of(kept_for_want_of_condition(archive, seen, tally));
    Count {
        objects: tally.selected.objects.saturating_sub(kept.objects),
        bytes: tally.selected.bytes.saturating_sub(kept.bytes),
    }
}

/// The selected objects that stay in S3 because nothing there proves their copies.
pub(crate) fn kept_for_want_of_proof(archive: &DesiredArchive, tally: &Tally) -> Count {
    match archive.unprovable {
        Unprovable::Keep => tally.unproven,
        Unprovable::Twice | Unprovable::Size => Count::default(),
    }
}

/// The selected objects that stay in S3 because it has no conditional delete for them.
///
/// Source: S3 API Reference, DeleteObject: `If-Match` is compared with the current version only.
pub(crate) fn kept_for_want_of_condition(
    archive: &DesiredArchive,
    seen: &SeenBucket,
    tally: &Tally,
) -> Count {
    let refuses = archive.unconditional_deletes == UnconditionalDeletes::Refuse;
    match seen.bucket.versioning == Versioning::Suspended && refuses {
        true => tally.noncurrent_null,
        false => Count::default(),
    }
}

impl Count {
    fn max_of(self, other: Self) -> Self {
        if other.objects > self.objects { other } else { self }
    }
}

struct Changes<'a> {
    bucket: &'a BucketName,
    list: Vec<Change>,
}

impl Changes<'_> {
    fn restore(&mut self, wave: &Wave) {
        let asked = wave.to_restore.values().fold(Count::default(), |sum, count| sum + *count);
        if !asked.is_empty() {
            self.add(ActionKind::Restore, Reason::Archived, asked).wave = Some(wave.clone());
        }
    }

    fn thawed(&mut self, wave: Wave, done: u64) {
        self.add(ActionKind::AwaitRestore, Reason::MustThaw, wave.count).wave = Some(wave.clone());
        let change = self.add(ActionKind::Download, Reason::NotOnDisk, wave.count);
        change.takes = Some(Takes::Thawed);
        change.done = done;
        change.wave = Some(wave);
    }

    fn add(&mut self, kind: ActionKind, reason: Reason, count: Count) -> &mut Change {
        self.list.push(Change {
            bucket: self.bucket.clone(),
            kind,
            reason,
            count,
            done: 0,
            present: Count::default(),
            wave: None,
            takes: None,
            policy: None,
        });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }
}
