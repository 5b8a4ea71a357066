//! Looks at live AWS, the archives and the state, and touches none of them.
//!
//! In: [`Desired`] and open doors to AWS and the state. Out: [`Observed`], with the listing of each
//! bucket stored as its inventory. Memory is bounded by a page of a listing, whatever the bucket
//! holds. Writes only to the state, but for one probe file in `to` that is removed again.

mod destination;
mod fresh;
mod in_place;
mod keyed;
mod listing;
mod segment;
mod split;
mod spool;
mod tally;
mod wide;

pub use fresh::{Drift, compare_with_inventory, listing_for};
pub use in_place::{InPlace, OnDisk};
pub use listing::{Listed, Progress, take_inventory};

use keyed::Spread;
use tally::tally;
use thiserror::Error;
use tokio::task::block_in_place;

use crate::archive::ArchiveError;
use crate::aws::{Aws, AwsError, Bucket, Detail};
use crate::model::{
    AccountId, AfterArchive, BadGlob, BucketName, Caller, Desired, DesiredArchive, DesiredBucket,
    Destination, FoundAt, Observed, SeenBucket, Selection, Tally,
};
use crate::state::{State, StateError};

/// Why the world could not be observed. Nothing was changed anywhere.
#[derive(Debug, Error)]
pub enum ObserveError {
    /// AWS did not answer, or not as it should.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The archive's place cannot be looked at.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Pages of a listing that wait for their turn could not be kept.
    #[error("a page of the listing could not be kept until its turn")]
    Spool(#[source] std::io::Error),
    /// A key glob does not compile.
    #[error("a key glob does not compile: {0}")]
    Glob(#[from] BadGlob),
}

/// One who looks at everything that the desired buckets need.
pub struct Observer<'a> {
    /// The account.
    pub aws: &'a Aws,
    /// What is remembered, and where listings go.
    pub state: &'a State,
    /// What is wanted.
    pub desired: &'a Desired,
    /// When the inventories are dated, in milliseconds since the Unix epoch.
    pub now_ms: i64,
}

impl Observer<'_> {
    /// Looks. `region_of` tells where a bucket lives; `progress` is told after every page of a
    /// listing.
    ///
    /// # Errors
    /// The first thing that could not be looked at; inventories of other buckets may be newer by
    /// then.
    pub async fn look(
        &self,
        caller: Caller,
        region_of: impl Fn(&BucketName) -> String,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<Observed, ObserveError> {
        let mut buckets = Vec::with_capacity(self.desired.buckets.len());
        for wanted in &self.desired.buckets {
            let door = self.aws.bucket(&wanted.name, &region_of(&wanted.name), self.account());
            buckets.push(self.look_at(&door, wanted, progress).await?);
        }
        Ok(Observed { caller, endpoint: self.aws.endpoint(), buckets })
    }

    async fn look_at(
        &self,
        door: &Bucket,
        wanted: &DesiredBucket,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<SeenBucket, ObserveError> {
        let (state, name) = (self.state, &wanted.name);
        let bucket = door.facts(&details(wanted)).await?;
        let Some(archive) = &wanted.archive else {
            return Ok(SeenBucket { bucket, tally: None, destination: None, policy: None });
        };
        let selection = Selection::new(&archive.include, &archive.exclude, archive.versions)?;
        let failed = block_in_place(|| keyed::failed_before(state, name))?;
        let listed =
            take_inventory(door, state, name, bucket.versioning, self.now_ms, progress).await?;
        let (mut tally, missing, destination) =
            block_in_place(|| self.look_on_disk(name, archive, &selection))?;
        if let Listed::SuddenlyEmpty { known } = listed {
            tally.vanished = known;
        }
        tally.customer_keyed = keyed::find(door, &selection, failed, missing).await;
        Ok(SeenBucket { bucket, tally: Some(tally), destination: Some(destination), policy: None })
    }

    /// Counts a bucket's inventory with what is on the disk of it, and picks a few of the objects
    /// that are still to be fetched.
    fn look_on_disk(
        &self,
        name: &BucketName,
        archive: &DesiredArchive,
        selection: &Selection,
    ) -> Result<(Tally, Spread, Destination), ObserveError> {
        let (state, to) = (self.state, &archive.to_path);
        let known = state.was_archived(name)?;
        let mut place = destination::look(to, self.account(), name, known)?;
        let on_disk = match place.found {
            _ if place.trouble.is_some() => InPlace::nowhere(state, name),
            FoundAt::Nothing => InPlace::nowhere(state, name),
            FoundAt::Archive | FoundAt::Files => InPlace::open(to, state, name)?,
        };
        let (mut tally, missing) = match tally(state, name, selection, on_disk) {
            Err(ObserveError::Archive(error)) => {
                place.trouble = Some(destination::unreadable(&error));
                tally(state, name, selection, InPlace::nowhere(state, name))?
            }
            other => other?,
        };
        tally.probes_left = fresh::own_probes(state, name)?.len() as u64;
        if place.found == FoundAt::Files && tally.present.is_empty() {
            place.trouble.get_or_insert_with(|| destination::others_files(to));
        }
        Ok((tally, missing, place))
    }

    fn account(&self) -> &AccountId {
        &self.desired.account
    }
}

/// What has to be known of a bucket for its outcomes. What is not needed is not asked for, so that
/// a permission that the plan does without cannot stop it.
fn details(wanted: &DesiredBucket) -> Vec<Detail> {
    let then = wanted.archive.as_ref().map(|archive| archive.then);
    let mut details = Vec::new();
    if then.is_some_and(AfterArchive::deletes) {
        details.push(Detail::ObjectLock);
    }
    if then == Some(AfterArchive::DeleteBucket) {
        details.push(Detail::Uploads);
    }
    if wanted.policy.is_some() {
        details.push(Detail::Policy);
    }
    details
}
