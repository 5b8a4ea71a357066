//! What stays in S3 although the outcome deletes and covers it: named, so that nobody waits for it
//! to go.

use super::tell_named;
use crate::diff;
use crate::model::{DesiredArchive, Tally, Versioning, counted};

/// Tells what is kept and why: each line only where there is something.
pub fn tell(text: &mut String, archive: &DesiredArchive, versioning: Versioning, tally: &Tally) {
    if !archive.then.deletes() {
        return;
    }
    let kept = diff::kept(archive, versioning, tally);
    for (named, thing, why) in [
        (&kept.for_want_of_proof, "object", "nothing that S3 holds proves them"),
        (
            &kept.for_want_of_condition,
            "noncurrent `null` version",
            "S3 has no conditional delete for them",
        ),
        (&kept.markers, "delete marker", "a version below them stays"),
    ] {
        if !named.count.is_empty() {
            let count = counted(named.count.objects, thing);
            tell_named(text, format!("! kept in S3: {count}, {why}:"), named);
        }
    }
}
