//! What is in the account at one moment, for tests to compare.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;

use crate::account::{Bucket, Version};
use crate::digest::sha256_hex;
use crate::shared::Shared;

/// Every bucket of the account, strangers' too, by name.
pub type Snapshot = BTreeMap<String, BucketSnapshot>;

/// A bucket at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BucketSnapshot {
    /// Its region.
    pub region: String,
    /// The account that owns it.
    pub owner: String,
    /// Its policy.
    pub policy: Option<String>,
    /// The ids of uploads in progress.
    pub uploads: Vec<String>,
    /// Versions and delete markers, in order of key, newest first.
    pub versions: Vec<VersionSnapshot>,
}

/// A version at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionSnapshot {
    /// The key.
    pub key: String,
    /// The id, `null` where there are none.
    pub version_id: String,
    /// Whether it is the newest of its key.
    pub is_latest: bool,
    /// Whether it is a delete marker.
    pub delete_marker: bool,
    /// Size in bytes.
    pub size: u64,
    /// The ETag without quotes; empty for a marker.
    pub etag: String,
    /// The storage class; empty for a marker.
    pub storage_class: String,
}

impl BucketSnapshot {
    /// The keys whose newest version is no marker.
    pub fn keys(&self) -> Vec<&str> {
        let current = |version: &&VersionSnapshot| version.is_latest && !version.delete_marker;
        self.versions.iter().filter(current).map(|version| version.key.as_str()).collect()
    }

    fn of(bucket: &Bucket) -> Self {
        let mut versions = Vec::new();
        for (key, of_key) in bucket.walk(Bound::Unbounded) {
            for (place, version) in of_key.iter().enumerate() {
                versions.push(VersionSnapshot::of(&key, version, place == 0));
            }
        }
        Self {
            region: bucket.region.clone(),
            owner: bucket.owner.clone(),
            policy: bucket.policy.clone(),
            uploads: bucket.uploads.keys().cloned().collect(),
            versions,
        }
    }
}

impl VersionSnapshot {
    fn of(key: &str, version: &Version, is_latest: bool) -> Self {
        let stored = version.stored.as_ref();
        Self {
            key: key.to_owned(),
            version_id: version.id().to_owned(),
            is_latest,
            delete_marker: version.is_marker(),
            size: stored.map_or(0, |stored| stored.content.size()),
            etag: stored.map(|stored| stored.etag().to_owned()).unwrap_or_default(),
            storage_class: version.class().to_owned(),
        }
    }
}

/// What is in the account now.
pub fn snapshot(shared: &Shared) -> Snapshot {
    let account = shared.account();
    account
        .buckets
        .iter()
        .map(|(name, bucket)| (name.clone(), BucketSnapshot::of(bucket)))
        .collect()
}

/// The bytes of an object version; `None` when it is not there or a marker.
pub fn content(shared: &Shared, bucket: &str, key: &str, id: Option<&str>) -> Option<Vec<u8>> {
    let version = shared.account().buckets.get(bucket)?.version(key, id)?;
    let content = &version.stored?.content;
    Some(content.read(0, content.size()).to_vec())
}

/// The SHA-256 in hex of an object version; `None` when it is not there or a marker.
pub fn sha256(shared: &Shared, bucket: &str, key: &str, id: Option<&str>) -> Option<String> {
    let version = shared.account().buckets.get(bucket)?.version(key, id)?;
    Some(sha256_hex(&version.stored?.content))
}
