//! Looks for objects that only a customer's own key can read (SSE-C).
//!
//! No listing tells them apart, and a HEAD for every object would cost a request each. So a few are
//! looked at: those that an earlier apply failed on, and some that are spread over the inventory.
//! What these miss fails by name when it is fetched, and is found by the next plan.
//!
//! Source: S3 User Guide, "Using server-side encryption with customer-provided keys".

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use crate::aws::{Bucket, ErrorKind};
use crate::model::{BucketName, ObjectVersion, Selection};
use crate::state::{State, StateError, With};

/// Objects looked at of each of the two sorts.
const LOOKS: usize = 8;
/// Looks at the same time.
const AT_A_TIME: usize = 8;
/// A look that is not answered by then is done without.
const PATIENCE: Duration = Duration::from_secs(5);

/// A few of a stream of objects, spread evenly over it however long it is.
#[derive(Debug)]
pub(super) struct Spread {
    kept: Vec<ObjectVersion>,
    step: u64,
    seen: u64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { kept: Vec::new(), step: 1, seen: 0 }
    }
}

impl Spread {
    /// Takes the next object of the stream, or lets it pass.
    pub fn see(&mut self, object: &ObjectVersion) {
        if self.seen.is_multiple_of(self.step) {
            self.kept.push(object.clone());
            if self.kept.len() > LOOKS {
                let mut place = 0;
                self.kept.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
                self.step *= 2;
            }
        }
        self.seen += 1;
    }
}

/// The first objects that the last apply failed on. To be asked before the bucket is listed anew,
/// which forgets them.
///
/// # Errors
/// What the state could not do.
pub(super) fn failed_before(
    state: &State,
    bucket: &BucketName,
) -> Result<Vec<ObjectVersion>, StateError> {
    let mut failed = Vec::new();
    for (number, _) in state.failures(bucket, 0, LOOKS)? {
        let row = state.page(bucket, number, 1, With::Listing)?.into_iter().next();
        failed.extend(row.map(|row| row.object));
    }
    Ok(failed)
}

/// Looks at these objects, and gives the keys of those that need the customer's key. One that
/// cannot be looked at for another reason is none of them.
pub(super) async fn find(
    door: &Bucket,
    selection: &Selection,
    failed: Vec<ObjectVersion>,
    spread: Spread,
) -> Vec<String> {
    let door = &door.with_patience(PATIENCE);
    let mut asked = failed;
    asked.extend(spread.kept);
    asked.retain(|object| selection.takes(object));
    let mut keys: Vec<String> = stream::iter(asked.into_iter().map(|object| async move {
        let head = door.head(&object.key, object.version_id.as_deref(), None).await;
        let keyed = head.is_err_and(|error| *error.kind() == ErrorKind::CustomerKey);
        keyed.then_some(object.key)
    }))
    .buffer_unordered(AT_A_TIME)
    .filter_map(|key| async move { key })
    .collect()
    .await;
    keys.sort();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ETag, Standing, StorageClass, Thaw};

    fn object(n: u64) -> ObjectVersion {
        ObjectVersion {
            key: format!("{n:09}"),
            version_id: None,
            standing: Standing::Current,
            delete_marker: false,
            etag: ETag::new("e"),
            size: 1,
            last_modified_ms: 0,
            class: StorageClass::new(""),
            thaw: Thaw::NotAsked,
            checksums: Vec::new(),
            checksum_type: None,
        }
    }

    #[test]
    fn a_few_objects_stand_for_all_of_them_from_the_first_to_nearly_the_last() {
        for length in [0, 1, 7, 8, 9, 100, 12_345] {
            let mut spread = Spread::default();
            (0..length).for_each(|n| spread.see(&object(n)));
            let kept: Vec<u64> =
                spread.kept.iter().map(|object| object.key.parse().expect("a number")).collect();
            assert!(kept.len() as u64 >= length.min(4), "{length}: {kept:?}");
            assert!(kept.len() <= LOOKS, "{length}: {kept:?}");
            assert!(kept.first().is_none_or(|first| *first == 0), "{length}: {kept:?}");
            let most = length.div_ceil(4);
            assert!(kept.windows(2).all(|two| two[1] - two[0] <= most), "{length}: {kept:?}");
            assert!(kept.last().is_none_or(|last| length - last <= most), "{length}: {kept:?}");
        }
    }
}
