//! What was seen: the account, its buckets, their counts, and the places of their archives.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::{Caller, Endpoint};
use super::demand::Demands;
use super::name::{AccountId, BucketName, Number};
use super::object::{ProofForecast, StorageClass};
use super::policy::PolicyWish;
use super::rollup::Folders;

/// One bucket as AWS shows it at plan time, without its objects (they are in the inventory).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedBucket {
    /// Its name.
    pub name: BucketName,
    /// The region it lives in.
    pub region: String,
    /// Who owns it, where that could be told.
    pub owner: Option<AccountId>,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether deletions need a one-time code.
    pub mfa_delete: Mfa,
    /// Whether objects can be held; `Off` too where no outcome deletes, for then nobody asked.
    pub object_lock: ObjectLock,
    /// Unfinished multipart uploads, by key and upload id; empty too where the bucket stays, for
    /// then nobody asked.
    pub uploads: Vec<UploadInProgress>,
    /// The policy text as S3 gives it; `None`: the bucket has none, or no outcome is about it.
    pub policy: Option<String>,
}

/// Whether a bucket keeps versions. Source: S3 API Reference, GetBucketVersioning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Versioning {
    /// Never switched on.
    Never,
    /// On.
    Enabled,
    /// Was on once: old versions may remain.
    Suspended,
}

impl Versioning {
    /// The word in plan files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Enabled => "enabled",
            Self::Suspended => "suspended",
        }
    }
}

/// Whether deletions need a one-time code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mfa {
    /// They do: s3plan cannot give one.
    Required,
    /// They do not.
    NotRequired,
}

/// Whether Object Lock is configured on a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectLock {
    /// Never configured.
    Off,
    /// Configured: single versions may be held.
    On,
}

/// One unfinished multipart upload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadInProgress {
    /// The key it will have.
    pub key: String,
    /// S3's id of it.
    pub upload_id: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub initiated_ms: i64,
}

/// What was seen of the whole account, as far as the manifest covers it.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Who looked.
    pub caller: Caller,
    /// Where.
    pub endpoint: Endpoint,
    /// One for each desired bucket, in the same order.
    pub buckets: Vec<SeenBucket>,
}

/// One desired bucket as it was seen: in S3, on disk and in the state.
#[derive(Clone, Debug)]
pub struct SeenBucket {
    /// Its settings.
    pub bucket: ObservedBucket,
    /// The counts of its inventory under the manifest's filters; `None` where no archive is wanted.
    pub tally: Option<Tally>,
    /// What was found at `to`; `None` where no archive is wanted.
    pub destination: Option<Destination>,
    /// The policy that is wanted, looked up; `None` where none is wanted.
    pub policy: Option<PolicyWish>,
}

/// A number of object versions and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Object versions.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Count {
    /// Adds one object version of this size.
    pub fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        self.objects == 0
    }
}

impl std::ops::Add for Count {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// The counts of one bucket's inventory; its size does not grow with the number of objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Digest of the inventory, 64 hex digits.
    pub inventory_digest: String,
    /// All object versions listed, delete markers not counted.
    pub listed: Count,
    /// Delete markers listed.
    pub delete_markers: u64,
    /// Probe objects of earlier runs that may still be in the bucket. They are ours, and not
    /// listed.
    pub probes_left: u64,
    /// Noncurrent versions listed.
    pub noncurrent: Count,
    /// Versions and markers that the state knew, and that no run of ours deleted, where the bucket
    /// is listed as empty now; 0 where it is not.
    pub vanished: u64,
    /// What the outcome covers: passes the filters, is of a wanted version.
    pub selected: Count,
    /// The selected ones by storage class.
    pub by_class: BTreeMap<StorageClass, Count>,
    /// The selected ones by the year in which they were uploaded.
    pub by_year: BTreeMap<i16, Count>,
    /// The selected ones by first folder.
    pub folders: Folders,
    /// When the newest of them was uploaded, by storage class, in milliseconds since the Unix
    /// epoch.
    pub newest_by_class: BTreeMap<StorageClass, i64>,
    /// The selected ones by the proof that the listing lets one expect.
    pub by_forecast: BTreeMap<ProofForecast, Count>,
    /// What filters or `versions = "current"` leave out.
    pub left_out: Count,
    /// Selected and not in the archive yet: to be downloaded.
    pub missing: Count,
    /// Selected, not in the archive, and readable now.
    pub ready: Count,
    /// Those by storage class; what is in place already counts without its bytes.
    pub ready_by_class: BTreeMap<StorageClass, Count>,
    /// Selected, not in the archive, and a restore is under way already.
    pub thawing: Count,
    /// Selected, not in the archive, archived in S3, in inventory order.
    pub frozen: Vec<Stretch>,
    /// Selected, not known to be in the archive, and a file of the right size is in place: hashing
    /// decides whether it has to be fetched. Part of `missing`.
    pub present: Count,
    /// Those of `present` that can be read now: part of `ready`.
    pub present_ready: Count,
    /// Stored once, and the file has changed or is gone since. Part of `missing`.
    pub drifted: Named,
    /// Selected, and a file of it is to be looked at: `present` and `drifted` together.
    pub to_adopt: Count,
    /// Selected and in the archive.
    pub stored: Count,
    /// Of those, the ones that were not yet read back from the medium.
    pub unread: Count,
    /// Of those, the ones that the bag does not list yet.
    pub unsealed: Count,
    /// The selected ones that may only be deleted where the outcome allows something, by what that
    /// is: by their proof where they are stored, by its forecast where they are missing.
    pub demanding: BTreeMap<Demands, Named>,
    /// The delete markers that go with their versions, by what those ask for.
    pub markers: BTreeMap<Demands, Named>,
    /// Storage classes that s3plan does not know, with one key each.
    pub unknown_classes: BTreeMap<String, String>,
    /// Keys of selected objects that are missing and that only the customer's own key can read
    /// (SSE-C): those that a few looks found, for no listing tells.
    pub customer_keyed: Vec<String>,
}

/// Some object versions, counted, and the first of them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// How many, and their bytes.
    pub count: Count,
    /// The keys of the first ones.
    pub names: Vec<String>,
}

impl Named {
    /// How many names are kept.
    pub const NAMES: usize = 10;

    /// Adds one object.
    pub fn add(&mut self, key: &str, bytes: u64) {
        self.count.add(bytes);
        if self.names.len() < Self::NAMES {
            self.names.push(key.to_owned());
        }
    }

    /// Adds others.
    pub fn extend(&mut self, others: &Self) {
        self.count = self.count + others.count;
        let room = Self::NAMES.saturating_sub(self.names.len());
        self.names.extend(others.names.iter().take(room).cloned());
    }
}

/// What was found at an archive's place, before anything is done there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FoundAt {
    /// Nothing, or an empty folder.
    #[default]
    Nothing,
    /// This bucket's archive, sealed or not.
    Archive,
    /// Files that look like this bucket's objects, in a folder that is no archive yet.
    Files,
}

impl FoundAt {
    /// Whether there was nothing; then plan files do not say so.
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// A stretch of the inventory with archived objects that this plan must have thawed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// The first number in it.
    pub first: Number,
    /// The first number behind it.
    pub end: Number,
    /// What needs a RestoreObject, by storage class.
    pub to_restore: BTreeMap<StorageClass, Count>,
    /// What needs none because a restore is under way.
    pub thawing: Count,
}

impl Stretch {
    /// Everything in it that has to be waited for.
    pub fn count(&self) -> Count {
        self.to_restore.values().fold(self.thawing, |sum, count| sum + *count)
    }
}

/// What was found at an archive's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The file system it is on, by the device's number.
    pub device: u64,
    /// Bytes that can still be written there.
    pub available: u64,
    /// Why nothing can be archived there; `None` where it can.
    pub trouble: Option<String>,
    /// What is there.
    pub found: FoundAt,
    /// Whether a complete bag of this bucket is there.
    pub sealed: bool,
}
