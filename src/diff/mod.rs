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
    ActionKind, BucketName, Change, Count, DeleteDemand, Demands, Desired, DesiredArchive,
    DesiredBucket, Endpoint, Named, Observed, Reason, SeenBucket, Takes, Tally,
    UnconditionalDeletes, Versioning, Wave,
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
    let doomed = deletable(archive, seen.bucket.versioning, tally);
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

/// What may be deleted once proven: the selected objects less those that stay, and the markers of
/// keys of which nothing stays.
fn deletable(archive: &DesiredArchive, versioning: Versioning, tally: &Tally) -> Count {
    let stays = |demands: &&Demands| Stays::of(**demands, archive, versioning).is_some();
    let kept = tally.demanding.iter().filter(|(demands, _)| stays(demands));
    let kept = kept.fold(Count::default(), |sum, (_, named)| sum + named.count);
    let markers = tally.markers.iter().filter(|(demands, _)| !stays(demands));
    let markers: u64 = markers.map(|(_, named)| named.count.objects).sum();
    Count {
        objects: tally.selected.objects.saturating_sub(kept.objects) + markers,
        bytes: tally.selected.bytes.saturating_sub(kept.bytes),
    }
}

/// Why something stays in S3 although the outcome covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stays {
    /// Nothing that S3 holds proves its copy, and the outcome asks for more.
    ForWantOfProof,
    /// S3 has no conditional delete for it, and the outcome asks for one.
    ///
    /// Source: S3 API Reference, DeleteObject: `If-Match` is compared with the current version
    /// only.
    ForWantOfCondition,
}

impl Stays {
    /// `None`: it goes.
    fn of(demands: Demands, archive: &DesiredArchive, versioning: Versioning) -> Option<Self> {
        let refuses = versioning == Versioning::Suspended
            && archive.unconditional_deletes == UnconditionalDeletes::Refuse;
        if !demands.unprovable.is_met_by(archive.unprovable) {
            Some(Self::ForWantOfProof)
        } else if demands.deletes == DeleteDemand::CompareFirst && refuses {
            Some(Self::ForWantOfCondition)
        } else {
            None
        }
    }
}

/// What an outcome that deletes keeps in S3 all the same, by why it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Versions that nothing proves.
    pub for_want_of_proof: Named,
    /// Versions that S3 has no conditional delete for.
    pub for_want_of_condition: Named,
    /// Delete markers of keys of which a version stays.
    pub markers: Named,
}

/// Finds what of a bucket stays in S3 although the outcome covers it.
pub fn kept(archive: &DesiredArchive, versioning: Versioning, tally: &Tally) -> Kept {
    let mut kept = Kept::default();
    for (demands, named) in &tally.demanding {
        match Stays::of(*demands, archive, versioning) {
            Some(Stays::ForWantOfProof) => kept.for_want_of_proof.extend(named),
            Some(Stays::ForWantOfCondition) => kept.for_want_of_condition.extend(named),
            None => {}
        }
    }
    for (demands, named) in &tally.markers {
        if Stays::of(*demands, archive, versioning).is_some() {
            kept.markers.extend(named);
        }
    }
    kept
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
