//! What makes a plan impossible: found while planning, not on the third day of an apply.
//!
//! One function a rule; each names the bucket and says what to do.

use std::collections::BTreeMap;

use bytesize::ByteSize;

use super::Kept;
use crate::model::{
    AfterArchive, BucketName, Desired, DesiredArchive, DesiredBucket, Mfa, ObjectLock, Observed,
    SeenBucket, Tally, Unprovable, VersionsWanted,
};

/// An unfinished upload younger than this means that somebody is writing right now.
const LIVE_WRITER_MS: i64 = 7 * 24 * 3600 * 1000;

/// Bytes on disk that one archived object costs beside its own: its lines in the bag, its block.
const OVERHEAD_PER_OBJECT: u64 = 4096 + 1024;

/// Why a plan cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Which bucket.
    pub bucket: BucketName,
    /// What is in the way and what to do about it, one sentence.
    pub why: String,
}

impl Blocker {
    pub(crate) fn new(bucket: &BucketName, why: impl Into<String>) -> Self {
        Self { bucket: bucket.clone(), why: why.into() }
    }
}

pub(super) fn find(desired: &Desired, observed: &Observed, observed_at_ms: i64) -> Vec<Blocker> {
    let mut found = Vec::new();
    for (wanted, seen) in desired.buckets.iter().zip(&observed.buckets) {
        let mut block = |why: Option<String>| {
            found.extend(why.map(|why| Blocker::new(&wanted.name, why)));
        };
        block(directory_bucket(wanted));
        block(another_owner(desired, seen));
        let (Some(archive), Some(tally)) = (&wanted.archive, &seen.tally) else { continue };
        block(suddenly_empty(wanted, tally));
        block(unknown_classes(tally));
        block(customer_keyed(tally));
        block(seen.destination.as_ref().and_then(|place| place.trouble.clone()));
        if archive.then.deletes() {
            block(mfa_delete(seen));
            block(versions_left_behind(archive, tally));
        }
        if archive.then == AfterArchive::DeleteBucket {
            block(object_lock(seen));
            let kept = super::kept(archive, seen.bucket.versioning, tally);
            block(objects_left_behind(archive, tally, &kept));
            block(nulls_left_behind(&kept));
            block(live_writers(seen, observed_at_ms));
        }
    }
    found.extend(disk_space(desired, observed));
    found
}

fn directory_bucket(wanted: &DesiredBucket) -> Option<String> {
    wanted.name.is_directory_bucket().then(|| {
        "is a directory bucket (S3 Express One Zone), which s3plan does not handle: take it out of \
         the manifest"
            .into()
    })
}

fn another_owner(desired: &Desired, seen: &SeenBucket) -> Option<String> {
    let owner = seen.bucket.owner.as_ref().filter(|owner| **owner != desired.account)?;
    Some(format!(
        "belongs to account {owner}, not to {}: take it out of the manifest",
        desired.account
    ))
}

fn suddenly_empty(wanted: &DesiredBucket, tally: &Tally) -> Option<String> {
    (tally.vanished > 0).then(|| {
        format!(
            "is listed as empty, but {} object versions that nobody here deleted were in it when \
             it was listed last, which is suspicious: look whether they are really gone, and by \
             whom; if that is right, `s3plan state reset {}` forgets them, then plan again",
            tally.vanished, wanted.name
        )
    })
}

fn unknown_classes(tally: &Tally) -> Option<String> {
    let (class, key) = tally.unknown_classes.iter().next()?;
    Some(format!(
        "holds objects of storage class `{class}` (for example {key:?}), which s3plan does not \
         know how to read: leave them out with `exclude`, or move them to another class"
    ))
}

fn customer_keyed(tally: &Tally) -> Option<String> {
    let key = tally.customer_keyed.first()?;
    Some(format!(
        "holds objects that a customer's own key encrypts (SSE-C; for example {key:?}): without \
         that key they can neither be archived nor proven; leave them out with `exclude`, or have \
         whoever holds the key copy them to objects without SSE-C"
    ))
}

fn mfa_delete(seen: &SeenBucket) -> Option<String> {
    (seen.bucket.mfa_delete == Mfa::Required).then(|| {
        "has MFA delete switched on, so every deletion needs a one-time code: have the account's \
         root switch it off, or use `then = \"keep\"`"
            .into()
    })
}

fn object_lock(seen: &SeenBucket) -> Option<String> {
    (seen.bucket.object_lock == ObjectLock::On).then(|| {
        "has Object Lock configured, so versions may be held and the bucket with them: use `then = \
         \"delete-objects\"`, which leaves what is held and names it, or `then = \"keep\"`, and \
         delete the bucket when the retention has run out"
            .into()
    })
}

fn versions_left_behind(archive: &DesiredArchive, tally: &Tally) -> Option<String> {
    let hidden = tally.noncurrent.objects + tally.delete_markers;
    (archive.versions == VersionsWanted::Current && hidden > 0).then(|| {
        format!(
            "has {} noncurrent versions and {} delete markers that `versions = \"current\"` would \
             leave behind: set `versions = \"all\"`, or `then = \"keep\"`",
            tally.noncurrent.objects, tally.delete_markers
        )
    })
}

fn objects_left_behind(archive: &DesiredArchive, tally: &Tally, kept: &Kept) -> Option<String> {
    if !tally.left_out.is_empty() && tally.noncurrent.is_empty() {
        return Some(format!(
            "cannot be deleted: filters leave {} objects in it; use `then = \"delete-objects\"`",
            tally.left_out.objects
        ));
    }
    let kept = kept.for_want_of_proof.count;
    let way = match archive.unprovable {
        Unprovable::Keep => "set `unprovable = \"twice\"` to prove them by two downloads",
        // They are in the archive already, from when the outcome allowed less.
        Unprovable::Twice | Unprovable::Size => {
            "forget what is known of them with `s3plan state reset`, so that the next plan fetches \
             and proves them anew"
        }
    };
    (!kept.is_empty()).then(|| {
        format!(
            "cannot be deleted: S3 holds nothing that proves {} of its objects, and such objects \
             are kept; {way}, or use `then = \"delete-objects\"`",
            kept.objects
        )
    })
}

fn nulls_left_behind(kept: &Kept) -> Option<String> {
    let kept = kept.for_want_of_condition.count;
    (!kept.is_empty()).then(|| {
        format!(
            "cannot be deleted: {} of its noncurrent versions are called `null`, and S3 has no \
             conditional delete for those while versioning is suspended; use `then = \
             \"delete-objects\"` first, after which nothing lies above them, or set \
             `unconditional_deletes = \"compare-first\"` to have each compared right before",
            kept.objects
        )
    })
}

fn live_writers(seen: &SeenBucket, observed_at_ms: i64) -> Option<String> {
    let young = |initiated_ms: i64| observed_at_ms.saturating_sub(initiated_ms) < LIVE_WRITER_MS;
    let upload = seen.bucket.uploads.iter().find(|upload| young(upload.initiated_ms))?;
    Some(format!(
        "has an upload of {:?} that began less than 7 days ago: somebody may still be writing; \
         stop the writer, then abort or complete the upload",
        upload.key
    ))
}

/// What is needed on one file system, and what it has.
struct Room<'a> {
    needed_bytes: u64,
    available_bytes: u64,
    buckets: Vec<&'a BucketName>,
}

/// What the archive of a bucket still needs on disk, in bytes. A server may claim any size.
fn needed_bytes(tally: &Tally) -> u64 {
    let overhead = tally.selected.objects.saturating_mul(OVERHEAD_PER_OBJECT);
    tally.missing.bytes.saturating_add(overhead)
}

/// Sums what all buckets need over the file systems that their archives are on.
fn disk_space(desired: &Desired, observed: &Observed) -> Vec<Blocker> {
    let mut rooms: BTreeMap<u64, Room<'_>> = BTreeMap::new();
    for (wanted, seen) in desired.buckets.iter().zip(&observed.buckets) {
        let (Some(tally), Some(place)) = (&seen.tally, &seen.destination) else { continue };
        if tally.missing.is_empty() || place.trouble.is_some() {
            continue;
        }
        let none = Room { needed_bytes: 0, available_bytes: place.available, buckets: Vec::new() };
        let room = rooms.entry(place.device).or_insert(none);
        room.needed_bytes = room.needed_bytes.saturating_add(needed_bytes(tally));
        room.available_bytes = room.available_bytes.min(place.available);
        room.buckets.push(&wanted.name);
    }
    rooms.into_values().filter_map(too_small).collect()
}

fn too_small(room: Room<'_>) -> Option<Blocker> {
    let missing_bytes = room.needed_bytes.checked_sub(room.available_bytes)?;
    let (first, others) = room.buckets.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        n => format!(" together with {n} more on the same file system"),
    };
    (missing_bytes > 0).then(|| {
        Blocker::new(
            first,
            format!(
                "needs {} on disk{others}, but only {} are free: {} are missing; free them or \
                 choose another `to`",
                ByteSize::b(room.needed_bytes),
                ByteSize::b(room.available_bytes),
                ByteSize::b(missing_bytes),
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Count;

    #[test]
    fn sizes_that_no_disk_has_do_not_wrap_around() {
        let missing = Count { objects: 1, bytes: u64::MAX };
        let tally = Tally { missing, selected: missing, ..Tally::default() };
        assert_eq!(needed_bytes(&tally), u64::MAX);
    }
}
