//! Lists one bucket into the state.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::ObserveError;
use super::fresh::listing_for;
use crate::archive::keymap::FolderWatch;
use crate::aws::Bucket;
use crate::model::{BucketName, ObjectVersion, StorageClass, Versioning};
use crate::state::{Inventory, State};

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

/// Lists a bucket, stores the listing as its inventory, and gives it.
///
/// Progress of earlier runs is carried over by the state. An inventory that could not be finished
/// leaves the old one as it was.
///
/// # Errors
/// What AWS or the state could not do.
pub async fn take_inventory(
    door: &Bucket,
    state: &State,
    bucket: &BucketName,
    versioning: Versioning,
    now_ms: i64,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Inventory, ObserveError> {
    let mut pages = door.list(listing_for(versioning), None);
    let mut writer = tokio::task::block_in_place(|| state.begin_inventory(bucket))?;
    let mut folders = FolderWatch::default();
    let mut listed = 0;
    while let Some(page) = pages.next().await? {
        let objects = with_tiers(door, page.objects).await?;
        tokio::task::block_in_place(|| -> Result<(), ObserveError> {
            for object in &objects {
                let number = writer.push(object)?;
                for shadowed in folders.feed(&object.key, number) {
                    writer.mark_beside_folder(shadowed)?;
                }
            }
            Ok(())
        })?;
        listed += objects.len() as u64;
        progress(Progress { bucket, listed });
    }
    Ok(tokio::task::block_in_place(|| writer.finish(now_ms))?)
}

/// Finds out which INTELLIGENT_TIERING objects are archived: only a HEAD tells.
///
/// Source: S3 User Guide, "Managing S3 Intelligent-Tiering"; listings show no tier.
async fn with_tiers(
    door: &Bucket,
    mut objects: Vec<ObjectVersion>,
) -> Result<Vec<ObjectVersion>, ObserveError> {
    let hidden: Vec<usize> = objects
        .iter()
        .enumerate()
        .filter(|(_, object)| object.class.may_hide_archived() && !object.delete_marker)
        .map(|(place, _)| place)
        .collect();
    let heads: Vec<(usize, StorageClass)> = stream::iter(hidden.into_iter().map(|place| {
        let object = &objects[place];
        async move {
            let head = door.head(&object.key, object.version_id.as_deref(), None).await?;
            Ok::<_, ObserveError>(match head.headers.archive_status {
                Some(tier) => (place, StorageClass::intelligent_tier(&tier)),
                None => (place, object.class.clone()),
            })
        }
    }))
    .buffer_unordered(HEADS_AT_A_TIME)
    .try_collect()
    .await?;
    for (place, class) in heads {
        objects[place].class = class;
    }
    Ok(objects)
}
