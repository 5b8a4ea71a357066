//! One page of a listing: from the SDK's types to ours, with every check that one page and the
//! place before it allow. Pure.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType as S3ChecksumType, DeleteMarkerEntry, EncodingType, Object,
    ObjectVersion as S3Version, RestoreStatus,
};
use aws_smithy_types::DateTime;

use super::listing::ListCursor;
use super::parse::{Unreadable, decode_key};
use crate::model::{ChecksumType, ETag, ObjectVersion, Standing, StorageClass, Thaw};

/// Why a page is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OddPage {
    #[error("the listing is cut off")]
    CutOff,
    #[error("it does not say whether more follows")]
    NoFlag,
    #[error("more follows, but it does not say where")]
    NoToken,
    #[error("the listing goes in circles: a continuation token came twice")]
    Circle,
    #[error("it says that it holds {said} entries and holds {held}")]
    Count { said: i32, held: usize },
    #[error("an entry has no key")]
    NoKey,
    #[error("`{key}` has no {what}")]
    Missing { key: String, what: &'static str },
    #[error("`{key}` has a size of {size}")]
    Size { key: String, size: i64 },
    #[error("`{key}` stands behind `{before}`: keys must rise")]
    Order { key: String, before: String },
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Where a listing stands: behind this entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    key: String,
    /// The last version id; `None` where nothing more of this key may follow.
    version_id: Option<String>,
}

impl Place {
    pub fn behind(cursor: &ListCursor) -> Self {
        Self { key: cursor.key.clone(), version_id: cursor.version_id.clone() }
    }

    fn of(object: &ObjectVersion) -> Self {
        Self { key: object.key.clone(), version_id: object.version_id.clone() }
    }

    /// Keys rise strictly; one key may have several versions, no two alike side by side.
    fn may_be_followed_by(&self, object: &ObjectVersion) -> bool {
        match object.key.as_bytes().cmp(self.key.as_bytes()) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => {
                self.version_id.is_some() && object.version_id != self.version_id
            }
        }
    }
}

/// What a page holds, in our own nouns and in order.
#[derive(Debug)]
pub(crate) struct Contents {
    pub objects: Vec<ObjectVersion>,
}

impl Contents {
    pub fn of_current(answer: &ListObjectsV2Output) -> Result<Self, OddPage> {
        let held = answer.contents().len() + answer.common_prefixes().len();
        if let Some(said) = answer.key_count()
            && usize::try_from(said) != Ok(held)
        {
            return Err(OddPage::Count { said, held });
        }
        let encoding = answer.encoding_type();
        let objects = answer.contents().iter().map(|object| current(object, encoding));
        Ok(Self { objects: objects.collect::<Result<_, _>>()? })
    }

    pub fn of_versions(answer: &ListObjectVersionsOutput) -> Result<Self, OddPage> {
        let encoding = answer.encoding_type();
        let versions = answer.versions().iter().map(|entry| version(entry, encoding));
        let markers = answer.delete_markers().iter().map(|entry| marker_entry(entry, encoding));
        let versions = versions.collect::<Result<Vec<_>, _>>()?;
        let markers = markers.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { objects: merge(versions, markers) })
    }

    /// Checks that keys rise, from `last` on; answers where the listing stands now.
    pub fn check(&self, last: Option<&Place>) -> Result<Option<Place>, OddPage> {
        let mut last = last.cloned();
        for object in &self.objects {
            if let Some(place) = &last
                && !place.may_be_followed_by(object)
            {
                let key = object.key.clone();
                return Err(OddPage::Order { key, before: place.key.clone() });
            }
            last = Some(Place::of(object));
        }
        Ok(last)
    }
}

/// Whether more pages follow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    Nothing,
    More,
}

pub(crate) fn follows(is_truncated: Option<bool>) -> Result<Follows, OddPage> {
    match is_truncated {
        Some(true) => Ok(Follows::More),
        Some(false) => Ok(Follows::Nothing),
        None => Err(OddPage::NoFlag),
    }
}

pub(crate) fn token(token: Option<&str>) -> Result<&str, OddPage> {
    token.filter(|token| !token.is_empty()).ok_or(OddPage::NoToken)
}

/// The next key marker of a versions listing, decoded: it is encoded like the keys are.
pub(crate) fn marker(answer: &ListObjectVersionsOutput) -> Result<String, OddPage> {
    decoded(token(answer.next_key_marker())?, answer.encoding_type())
}

/// Decodes only where the answer says so: some servers ignore the wish.
fn decoded(text: &str, encoding: Option<&EncodingType>) -> Result<String, OddPage> {
    match encoding {
        Some(EncodingType::Url) => Ok(decode_key(text)?),
        _ => Ok(text.to_owned()),
    }
}

fn key_of(key: Option<&str>, encoding: Option<&EncodingType>) -> Result<String, OddPage> {
    decoded(key.filter(|key| !key.is_empty()).ok_or(OddPage::NoKey)?, encoding)
}

fn need<T>(value: Option<T>, key: &str, what: &'static str) -> Result<T, OddPage> {
    value.ok_or_else(|| OddPage::Missing { key: key.to_owned(), what })
}

fn size_of(size: Option<i64>, key: &str) -> Result<u64, OddPage> {
    let size = need(size, key, "size")?;
    u64::try_from(size).map_err(|_| OddPage::Size { key: key.to_owned(), size })
}

fn millis(date: Option<&DateTime>, key: &str) -> Result<i64, OddPage> {
    need(date.and_then(|date| date.to_millis().ok()), key, "date")
}

fn etag_of(etag: Option<&str>, key: &str) -> Result<ETag, OddPage> {
    let etag = ETag::new(need(etag, key, "ETag")?);
    need((!etag.as_str().is_empty()).then_some(etag), key, "ETag")
}

/// Source: S3 API Reference, `RestoreStatus`; absent means never asked for, or lapsed.
fn thaw_of(status: Option<&RestoreStatus>) -> Thaw {
    match status {
        Some(status) if status.is_restore_in_progress() == Some(true) => Thaw::Ongoing,
        Some(status) => match status.restore_expiry_date().and_then(|date| date.to_millis().ok()) {
            Some(until_ms) => Thaw::ReadyUntil { until_ms },
            None => Thaw::NotAsked,
        },
        None => Thaw::NotAsked,
    }
}

pub(crate) fn checksum_type(kind: Option<&S3ChecksumType>) -> Option<ChecksumType> {
    match kind? {
        S3ChecksumType::Composite => Some(ChecksumType::Composite),
        S3ChecksumType::FullObject => Some(ChecksumType::FullObject),
        _ => None,
    }
}

fn names(algorithms: &[ChecksumAlgorithm]) -> Vec<String> {
    algorithms.iter().map(|algorithm| algorithm.as_str().to_owned()).collect()
}

fn current(object: &Object, encoding: Option<&EncodingType>) -> Result<ObjectVersion, OddPage> {
    let key = key_of(object.key(), encoding)?;
    Ok(ObjectVersion {
        version_id: None,
        standing: Standing::Current,
        delete_marker: false,
        etag: etag_of(object.e_tag(), &key)?,
        size: size_of(object.size(), &key)?,
        last_modified_ms: millis(object.last_modified(), &key)?,
        // By text: the SDK's enums lag behind S3's classes.
        class: StorageClass::new(object.storage_class().map_or("", |class| class.as_str())),
        thaw: thaw_of(object.restore_status()),
        checksums: names(object.checksum_algorithm()),
        checksum_type: checksum_type(object.checksum_type()),
        key,
    })
}

fn standing(is_latest: Option<bool>, key: &str) -> Result<Standing, OddPage> {
    match need(is_latest, key, "word on whether it is the latest version")? {
        true => Ok(Standing::Current),
        false => Ok(Standing::Noncurrent),
    }
}

fn version(entry: &S3Version, encoding: Option<&EncodingType>) -> Result<ObjectVersion, OddPage> {
    let key = key_of(entry.key(), encoding)?;
    Ok(ObjectVersion {
        version_id: Some(need(entry.version_id(), &key, "version id")?.to_owned()),
        standing: standing(entry.is_latest(), &key)?,
        delete_marker: false,
        etag: etag_of(entry.e_tag(), &key)?,
        size: size_of(entry.size(), &key)?,
        last_modified_ms: millis(entry.last_modified(), &key)?,
        class: StorageClass::new(entry.storage_class().map_or("", |class| class.as_str())),
        thaw: thaw_of(entry.restore_status()),
        checksums: names(entry.checksum_algorithm()),
        checksum_type: checksum_type(entry.checksum_type()),
        key,
    })
}

fn marker_entry(
    entry: &DeleteMarkerEntry,
    encoding: Option<&EncodingType>,
) -> Result<ObjectVersion, OddPage> {
    let key = key_of(entry.key(), encoding)?;
    Ok(ObjectVersion {
        version_id: Some(need(entry.version_id(), &key, "version id")?.to_owned()),
        standing: standing(entry.is_latest(), &key)?,
        delete_marker: true,
        etag: ETag::new(""),
        size: 0,
        last_modified_ms: millis(entry.last_modified(), &key)?,
        class: StorageClass::new(""),
        thaw: Thaw::NotAsked,
        checksums: Vec::new(),
        checksum_type: None,
        key,
    })
}

/// Puts versions and delete markers, which the SDK keeps apart, back into S3's order: by key, then
/// the current one, then newest first. The order inside each list is left as it came, so that a
/// list out of order is still seen to be.
fn merge(versions: Vec<ObjectVersion>, markers: Vec<ObjectVersion>) -> Vec<ObjectVersion> {
    let mut merged = Vec::with_capacity(versions.len() + markers.len());
    let (mut versions, mut markers) =
        (versions.into_iter().peekable(), markers.into_iter().peekable());
    loop {
        let marker_first = match (versions.peek(), markers.peek()) {
            (None, None) => return merged,
            (Some(_), None) => false,
            (None, Some(_)) => true,
            (Some(version), Some(marker)) => stands_before(marker, version),
        };
        merged.extend(if marker_first { markers.next() } else { versions.next() });
    }
}

fn stands_before(a: &ObjectVersion, b: &ObjectVersion) -> bool {
    let rank = |object: &ObjectVersion| {
        (object.standing != Standing::Current, std::cmp::Reverse(object.last_modified_ms))
    };
    (a.key.as_bytes(), rank(a)) < (b.key.as_bytes(), rank(b))
}
