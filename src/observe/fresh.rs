//! Holds a fresh listing of a bucket against its inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::ObserveError;
use super::wide::WideListing;
use crate::aws::{Bucket, Listing};
use crate::model::{BucketName, Number, ObjectVersion, Versioning};
use crate::state::{Intent, Row, State, StateError, With};

/// Rows read at a time.
const PAGE: usize = 4096;

/// One way in which the world left the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// A version that the inventory does not have.
    New(ObjectVersion),
    /// The same key (and version), with other bytes or another date.
    Changed {
        /// What the inventory has.
        then: Box<Row>,
        /// What is there now.
        now: ObjectVersion,
    },
    /// A version that is there no more.
    Missing(Box<Row>),
}

/// How a bucket with this versioning is listed: by version as soon as it ever kept any.
pub fn listing_for(versioning: Versioning) -> Listing {
    match versioning {
        Versioning::Never => Listing::Current,
        Versioning::Enabled | Versioning::Suspended => Listing::Versions,
    }
}

/// The keys of probe objects that runs of ours put into a bucket and may not have removed again.
/// They are no part of what the bucket holds; the next `probe-deletes` removes them.
pub(super) fn own_probes(
    state: &State,
    bucket: &BucketName,
) -> Result<BTreeSet<String>, StateError> {
    let intents = tokio::task::block_in_place(|| state.open_intents(bucket))?;
    Ok(intents.iter().filter_map(Intent::probe_key).map(str::to_owned).collect())
}

/// The folder of the state's file, where pages of a listing may wait.
pub(super) fn beside(state: &State) -> &Path {
    state.path().parent().unwrap_or(Path::new("."))
}

/// Lists a bucket again and reports every difference from its inventory, in key order.
///
/// One page of each in memory, and the versions of one key. Returns how many versions still are as
/// they were.
///
/// # Errors
/// What AWS or the state could not do, or what `on` could not.
pub async fn compare_with_inventory<E: From<ObserveError>>(
    door: &Bucket,
    state: &State,
    bucket: &BucketName,
    versioning: Versioning,
    mut on: impl FnMut(Drift) -> Result<(), E>,
) -> Result<u64, E> {
    let mut pages = WideListing::of(door, listing_for(versioning), beside(state));
    let mut rows = Rows { state, bucket, from: 0, page: Vec::new().into_iter().peekable() };
    let mut group: Vec<ObjectVersion> = Vec::new();
    let mut same = 0;
    let probes = own_probes(state, bucket).map_err(ObserveError::from)?;
    while let Some(objects) = pages.next().await? {
        for object in objects.into_iter().filter(|object| !probes.contains(&object.key)) {
            if group.first().is_some_and(|first| first.key != object.key) {
                same += rows.settle(&mut group, &mut on)?;
            }
            group.push(object);
        }
    }
    if !group.is_empty() {
        same += rows.settle(&mut group, &mut on)?;
    }
    while let Some(row) = rows.next().map_err(ObserveError::from)? {
        on(Drift::Missing(Box::new(row)))?;
    }
    Ok(same)
}

/// The inventory's rows, read as they are needed.
struct Rows<'a> {
    state: &'a State,
    bucket: &'a BucketName,
    from: Number,
    page: std::iter::Peekable<std::vec::IntoIter<Row>>,
}

impl Rows<'_> {
    fn fill(&mut self) -> Result<(), StateError> {
        if self.page.peek().is_none() {
            let page = tokio::task::block_in_place(|| {
                self.state.page(self.bucket, self.from, PAGE, With::Rows)
            })?;
            if let Some(last) = page.last() {
                self.from = last.number + 1;
            }
            self.page = page.into_iter().peekable();
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Row>, StateError> {
        self.fill()?;
        Ok(self.page.next())
    }

    fn next_if(&mut self, wanted: impl Fn(&Row) -> bool) -> Result<Option<Row>, StateError> {
        self.fill()?;
        Ok(self.page.next_if(wanted))
    }

    /// Matches all listed versions of one key with the rows up to and with that key.
    fn settle<E: From<ObserveError>>(
        &mut self,
        group: &mut Vec<ObjectVersion>,
        on: &mut impl FnMut(Drift) -> Result<(), E>,
    ) -> Result<u64, E> {
        let Some(key) = group.first().map(|first| first.key.clone()) else { return Ok(0) };
        while let Some(row) =
            self.next_if(|row| row.object.key < key).map_err(ObserveError::from)?
        {
            on(Drift::Missing(Box::new(row)))?;
        }
        let mut known: BTreeMap<Option<String>, Row> = BTreeMap::new();
        while let Some(row) =
            self.next_if(|row| row.object.key == key).map_err(ObserveError::from)?
        {
            known.insert(row.object.version_id.clone(), row);
        }
        let mut same = 0;
        for now in group.drain(..) {
            match known.remove(&now.version_id) {
                None => on(Drift::New(now))?,
                Some(row) if is_same(&row.object, &now) => same += 1,
                Some(row) => on(Drift::Changed { then: Box::new(row), now })?,
            }
        }
        for row in known.into_values() {
            on(Drift::Missing(Box::new(row)))?;
        }
        Ok(same)
    }
}

/// Whether two listings show the same version: what the inventory's digest covers.
fn is_same(then: &ObjectVersion, now: &ObjectVersion) -> bool {
    then.etag == now.etag
        && then.size == now.size
        && then.last_modified_ms == now.last_modified_ms
        && then.delete_marker == now.delete_marker
}
