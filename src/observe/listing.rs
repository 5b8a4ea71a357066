//! Lists one bucket into the state.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::ObserveError;
use super::fresh::{beside, listing_for, own_probes};
use super::wide::WideListing;
use crate::archive::keymap::FolderWatch;
use crate::aws::{Bucket, ErrorKind, Head};
use crate::model::{BucketName, Endpoint, ObjectVersion, StorageClass, Thaw, Versioning};
use crate::state::{Inventory, State, StateError};

/// HEADs at a time for objects whose tier no listing shows.
const HEADS_AT_A_TIME: usize = 16;

/// How far a listing is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Which bucket.
    pub bucket: &'a BucketName,
    /// Object versions listed so far.
    pub listed: u64,
}

/// What a listing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It is the bucket's inventory now.
    Taken(Inventory),
    /// The bucket is listed as empty, but the state knew this many versions and markers that no run
    /// of ours deleted: the old inventory was left as it was.
    SuddenlyEmpty {
        /// How many.
        known: u64,
    },
}

/// Lists a bucket and stores the listing as its inventory.
///
/// Progress of earlier runs is carried over by the state. An inventory that could not be finished
/// leaves the old one as it was, and so does a bucket that is empty all of a sudden: a server that
/// lost its disk lists like that.
///
/// # Errors
/// What AWS or the state could not do.
pub async fn take_inventory(
    door: &Bucket,
    state: &State,
    bucket: &BucketName,
    versioning: Versioning,
    now_ms: i64,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Listed, ObserveError> {
    let mut pages = WideListing::of(door, listing_for(versioning), beside(state));
    let mut writer = tokio::task::block_in_place(|| state.begin_inventory(bucket))?;
    let mut folders = FolderWatch::default();
    let mut listed = 0;
    let probes = own_probes(state, bucket)?;
    while let Some(mut objects) = pages.next().await? {
        objects.retain(|object| !probes.contains(&object.key));
        let objects = with_restores(door, objects).await?;
        tokio::task::block_in_place(|| -> Result<(), ObserveError> {
            for object in &objects {
                let number = writer.push(object)?;
                for shadowed in folders.feed(&object.key, number).into_iter().flatten() {
                    writer.mark_beside_folder(shadowed)?;
                }
            }
            Ok(())
        })?;
        listed += objects.len() as u64;
        progress(Progress { bucket, listed });
    }
    tokio::task::block_in_place(|| {
        let known = if listed == 0 { known_to_be_there(state, bucket)? } else { 0 };
        if known > 0 {
            return Ok(Listed::SuddenlyEmpty { known });
        }
        Ok(Listed::Taken(writer.finish(now_ms)?))
    })
}

/// How many versions and markers of the last listing nobody here asked S3 to delete.
fn known_to_be_there(state: &State, bucket: &BucketName) -> Result<u64, StateError> {
    let known = state.inventory(bucket)?.map_or(0, |inventory| inventory.rows());
    let counts = state.counts(bucket)?;
    Ok(known.saturating_sub(counts.delete_sent.objects.max(counts.deleted.objects)))
}

/// Asks by HEAD for what a listing does not tell: whether INTELLIGENT_TIERING objects are archived,
/// and, on servers other than AWS, whether archived objects are thawed.
///
/// Source: S3 User Guide, "Managing S3 Intelligent-Tiering": listings show no tier. Of the servers
/// tried, none but AWS shows `RestoreStatus` in listings.
async fn with_restores(
    door: &Bucket,
    mut objects: Vec<ObjectVersion>,
) -> Result<Vec<ObjectVersion>, ObserveError> {
    let told = objects.iter().any(|object| object.thaw != Thaw::NotAsked);
    let untold = door.endpoint() == Endpoint::Custom && !told;
    let asked: Vec<usize> = (0..objects.len())
        .filter(|&place| {
            let object = &objects[place];
            object.class.may_hide_archived() || (untold && object.needs_restore())
        })
        .filter(|&place| !objects[place].delete_marker)
        .collect();
    let heads: Vec<(usize, Option<Head>)> = stream::iter(asked.into_iter().map(|place| {
        let object = &objects[place];
        async move {
            match door.head(&object.key, object.version_id.as_deref(), None).await {
                Ok(head) => Ok::<_, ObserveError>((place, Some(head))),
                Err(error) => match error.kind() {
                    // It cannot be archived whatever its tier: that is told where it is selected.
                    // One that went since it was listed is missed when the plan is applied.
                    ErrorKind::CustomerKey | ErrorKind::NoSuchKey => Ok((place, None)),
                    _ => Err(error.into()),
                },
            }
        }
    }))
    .buffer_unordered(HEADS_AT_A_TIME)
    .try_collect()
    .await?;
    for (place, head) in heads {
        let Some(head) = head else { continue };
        let object = &mut objects[place];
        if let Some(tier) = head.headers.archive_status {
            object.class = StorageClass::intelligent_tier(&tier);
        }
        object.thaw = head.thaw;
    }
    Ok(objects)
}
