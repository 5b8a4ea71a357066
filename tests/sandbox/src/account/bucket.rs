//! A bucket: its keys with their versions, newest first, and what the rules of versioning make of
//! a write or a delete.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;

use super::Upload;
use super::series::{Series, default_modified, version_id};
use super::version::{Restore, Stored, Tier, Traits, Version};
use crate::clock::{days_after, midnight_after};
use crate::content::{mix, seed_of};
use crate::digest::ChecksumKind;
use crate::world::{
    BucketSpec, Deny, Modes, ObjectSpec, RestoreSpec, UploadSpec, Versioning, World,
};

/// A bucket of the account, or of a stranger.
#[derive(Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// The account that owns it.
    pub owner: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether deleting a version asks for MFA.
    pub mfa_delete: bool,
    /// Whether Object Lock is on.
    pub object_lock: bool,
    /// The policy's text.
    pub policy: Option<String>,
    /// Configuration documents by subresource.
    pub config: BTreeMap<String, String>,
    /// Who may not do what.
    pub deny: Vec<Deny>,
    /// How it misbehaves.
    pub modes: Modes,
    /// Uploads in progress by id.
    pub uploads: BTreeMap<String, Upload>,
    keys: BTreeMap<String, Vec<Version>>,
    series: Vec<Series>,
    writes: u64,
}

/// What a delete did.
#[derive(Clone, Debug, Default)]
pub struct Removed {
    /// The version that is gone for good.
    pub version: Option<Version>,
    /// The marker that was put.
    pub marker: Option<Version>,
}

impl Bucket {
    /// An empty bucket.
    pub fn empty(name: &str, region: &str, owner: &str, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            region: region.to_owned(),
            owner: owner.to_owned(),
            created: now,
            versioning: Versioning::Off,
            mfa_delete: false,
            object_lock: false,
            policy: None,
            config: BTreeMap::new(),
            deny: Vec::new(),
            modes: Modes::default(),
            uploads: BTreeMap::new(),
            keys: BTreeMap::new(),
            series: Vec::new(),
            // Far from the ages that the ids of a world follow from.
            writes: 1 << 32,
        }
    }

    /// The bucket that a world describes.
    pub fn of(name: &str, spec: &BucketSpec, world: &World, now: Timestamp) -> Self {
        let region = spec.region.as_ref().unwrap_or(&world.region);
        let owner = spec.owner.as_ref().unwrap_or(&world.account);
        let created = spec.created.unwrap_or(Timestamp::constant(1_577_836_800, 0));
        let mut bucket = Self {
            versioning: spec.versioning,
            mfa_delete: spec.mfa_delete,
            object_lock: spec.object_lock,
            policy: spec.policy.clone(),
            config: spec.config.clone(),
            deny: spec.deny.clone(),
            modes: spec.modes.unwrap_or(world.modes),
            ..Self::empty(name, region, owner, created)
        };
        let mut ages: HashMap<&str, u64> = HashMap::new();
        for object in &spec.objects {
            let age = ages.entry(&object.key).or_default();
            bucket.add(object, *age, world, now);
            *age += 1;
        }
        for upload in &spec.uploads {
            let (id, upload) = upload_of(name, upload, now);
            bucket.uploads.insert(id, upload);
        }
        bucket
    }

    fn add(&mut self, spec: &ObjectSpec, age: u64, world: &World, now: Timestamp) {
        let seed = mix(seed_of(&format!("{}/{}", self.name, spec.key)).wrapping_add(age));
        let mut version = version_of(&self.name, spec, world, now);
        if let Some(count) = spec.count {
            let ids = (self.versioning != Versioning::Off).then_some(seed);
            self.series.extend(Series::new(&spec.key, count, version, ids, spec.same));
            return;
        }
        version.id = match spec.version_id.as_deref() {
            Some("null") => None,
            Some(id) => Some(id.into()),
            None if self.versioning == Versioning::Off => None,
            None => Some(version_id(seed)),
        };
        self.keys.entry(spec.key.clone()).or_default().insert(0, version);
    }

    /// The versions of a key, newest first; empty when there is no such key.
    pub fn versions(&self, key: &str) -> Vec<Version> {
        if let Some(versions) = self.keys.get(key) {
            return versions.clone();
        }
        let of_row = |series: &Series| series.number(key).map(|n| series.version(n));
        self.series.iter().find_map(of_row).into_iter().collect()
    }

    /// The newest version of a key, which may be a marker.
    pub fn current(&self, key: &str) -> Option<Version> {
        match self.keys.get(key) {
            Some(versions) => versions.first().cloned(),
            None => self.versions(key).into_iter().next(),
        }
    }

    /// A version by its id; without an id the newest.
    pub fn version(&self, key: &str, id: Option<&str>) -> Option<Version> {
        match id {
            None => self.current(key),
            Some(id) => self.versions(key).into_iter().find(|version| version.id() == id),
        }
    }

    /// The keys from a bound on, in byte order, each with its versions, newest first.
    pub fn walk(&self, from: Bound<&str>) -> impl Iterator<Item = (String, Vec<Version>)> {
        let mut plain = self.keys.range::<str, _>((from, Bound::Unbounded)).peekable();
        let mut rows: Vec<(&Series, Option<u64>)> = self
            .series
            .iter()
            .map(|series| {
                let first = match from {
                    Bound::Unbounded => 0,
                    Bound::Included(key) => series.first_from(key),
                    Bound::Excluded(key) => {
                        let first = series.first_from(key);
                        first + u64::from(first < series.count && series.key(first) == key)
                    }
                };
                (series, series.next(first))
            })
            .collect();
        let mut heads: Vec<Option<String>> =
            rows.iter().map(|(series, n)| n.map(|n| series.key(n))).collect();
        std::iter::from_fn(move || {
            let row = (0..rows.len())
                .filter(|&row| heads[row].is_some())
                .min_by(|&a, &b| heads[a].cmp(&heads[b]));
            let row_key = row.and_then(|row| heads[row].as_deref());
            match (plain.peek(), row, row_key) {
                (Some((key, _)), _, row_key) if row_key.is_none_or(|row| key.as_str() < row) => {
                    plain.next().map(|(key, versions)| (key.clone(), versions.clone()))
                }
                (_, Some(row), _) => {
                    let (series, n) = rows[row];
                    let n = n?;
                    let key = heads[row].take()?;
                    let version = series.version(n);
                    rows[row].1 = series.next(n + 1);
                    heads[row] = rows[row].1.map(|n| series.key(n));
                    Some((key, vec![version]))
                }
                _ => None,
            }
        })
    }

    /// Whether nothing is in it: no version, no marker.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.series.iter().all(|series| series.left() == 0)
    }

    /// Writes a new version, as the bucket's versioning wants it, and gives it back.
    pub fn put(&mut self, key: &str, mut version: Version) -> Version {
        self.take_out_of_row(key);
        self.writes += 1;
        let fresh = version_id(mix(seed_of(&format!("{}/{key}", self.name)) ^ self.writes));
        let versions = self.keys.entry(key.to_owned()).or_default();
        match self.versioning {
            Versioning::Off => versions.clear(),
            Versioning::Enabled => version.id = Some(fresh),
            Versioning::Suspended => versions.retain(|old| old.id.is_some()),
        }
        versions.insert(0, version.clone());
        version
    }

    /// Deletes, as the bucket's versioning wants it. With an id that version goes for good;
    /// without one a marker may come instead. Deleting what is not there changes nothing.
    pub fn delete(&mut self, key: &str, id: Option<&str>, now: Timestamp) -> Removed {
        match (id, self.versioning) {
            (Some(id), _) => Removed { version: self.forget(key, id), marker: None },
            (None, Versioning::Off) => Removed { version: self.forget(key, "null"), marker: None },
            (None, Versioning::Enabled) => {
                Removed { version: None, marker: Some(self.put(key, Version::marker(now))) }
            }
            (None, Versioning::Suspended) => {
                let version = self.forget(key, "null");
                Removed { version, marker: Some(self.put(key, Version::marker(now))) }
            }
        }
    }

    /// Changes a version in place; gives `None` when it is not there.
    pub fn edit<T>(
        &mut self,
        key: &str,
        id: Option<&str>,
        change: impl FnOnce(&mut Version) -> T,
    ) -> Option<T> {
        self.take_out_of_row(key);
        let versions = self.keys.get_mut(key)?;
        let version = match id {
            None => versions.first_mut(),
            Some(id) => versions.iter_mut().find(|version| version.id() == id),
        };
        version.map(change)
    }

    fn forget(&mut self, key: &str, id: &str) -> Option<Version> {
        if let Some(versions) = self.keys.get_mut(key) {
            let place = versions.iter().position(|version| version.id() == id)?;
            let version = versions.remove(place);
            if versions.is_empty() {
                self.keys.remove(key);
            }
            return Some(version);
        }
        for series in &mut self.series {
            if let Some(n) = series.number(key) {
                let version = series.version(n);
                if version.id() == id {
                    series.remove(n);
                    return Some(version);
                }
            }
        }
        None
    }

    fn take_out_of_row(&mut self, key: &str) {
        for series in &mut self.series {
            if let Some(n) = series.number(key) {
                let version = series.version(n);
                series.remove(n);
                self.keys.insert(key.to_owned(), vec![version]);
                return;
            }
        }
    }
}

fn version_of(bucket: &str, spec: &ObjectSpec, world: &World, now: Timestamp) -> Version {
    let modified = spec.last_modified.unwrap_or_else(default_modified);
    if spec.delete_marker {
        return Version::marker(modified);
    }
    let content = spec.content(bucket);
    let parts = spec.parts.as_ref().and_then(|parts| parts.of(content.size()));
    let algorithm = spec.checksum.or(world.default_checksum);
    let kind = spec.checksum_type.unwrap_or(ChecksumKind::FullObject);
    let traits = Traits {
        class: spec.class_name().to_owned(),
        sse: Some(spec.sse.clone().unwrap_or_else(|| "AES256".into())).filter(|sse| sse != "none"),
        headers: spec.headers.clone(),
        metadata: spec.metadata.clone(),
        annotations: spec.annotations.clone(),
        checksum: algorithm.map(|algorithm| (algorithm, kind)),
        stated_checksum: spec.checksum_value.clone(),
        stated_etag: spec.etag.clone(),
    };
    Version {
        restore: spec.restore.map(|restore| restore_of(spec, restore, now)),
        archived: spec.archive_status.as_deref().map(Arc::from),
        legal_hold: spec.legal_hold,
        retention: spec.retention.clone(),
        tags: Arc::new(spec.tags.clone()),
        ..Version::of(Arc::new(Stored::new(content, parts, Arc::new(traits))), modified)
    }
}

fn restore_of(spec: &ObjectSpec, restore: RestoreSpec, now: Timestamp) -> Restore {
    let is_moved = spec.archive_status.is_some();
    let hours = if spec.class_name() == "GLACIER" { 5 } else { 12 };
    let later = Timestamp::from_second(now.as_second() + hours * 3600).unwrap_or(now);
    let expires = spec.restore_expires.unwrap_or_else(|| midnight_after(days_after(now, 7)));
    Restore {
        tier: Tier::Standard,
        days: (!is_moved).then_some(7),
        ready: match restore {
            RestoreSpec::Done => now,
            RestoreSpec::InProgress => spec.restore_ready.unwrap_or(later),
        },
        expires: (!is_moved).then_some(expires),
    }
}

fn upload_of(bucket: &str, spec: &UploadSpec, now: Timestamp) -> (String, Upload) {
    let seed = seed_of(&format!("{bucket}/{}?upload", spec.key));
    let id = spec.id.clone().unwrap_or_else(|| version_id(seed).to_string());
    let sizes = match &spec.parts {
        Some(crate::world::PartSizes::Listed(sizes)) => sizes.iter().map(|size| size.0).collect(),
        Some(crate::world::PartSizes::Equal(size)) => vec![size.0],
        None => Vec::new(),
    };
    let traits = Traits {
        class: spec.storage_class.clone().unwrap_or_else(|| "STANDARD".into()),
        ..Traits::default()
    };
    let mut upload = Upload::new(&spec.key, traits, spec.initiated.unwrap_or(now));
    for (number, size) in (1_u64..).zip(sizes) {
        let content = crate::content::Content::Seeded { seed: mix(seed ^ number), size };
        upload.put_part(number, content, now);
    }
    (id, upload)
}
