//! One object version: what S3 says of it, its parts, its tags, its restore.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{
    ChecksumMode, GlacierJobParameters, ObjectAttributes, ObjectLockLegalHoldStatus,
    RestoreRequest, Tier as S3Tier,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::blank;
use super::bucket::Bucket;
use super::error::{About, AwsError, Effect, ErrorKind};
use super::page::checksum_type;
use super::parse::read_restore_header;
use super::wire::Watch;
use crate::model::{
    ChecksumType, ETag, Endpoint, KeepDays, ObjectHeaders, StorageClass, Thaw, Tier,
};

/// The additional checksums that an SDK type carries, by S3's algorithm name.
macro_rules! checksums {
    ($from:expr) => {{
        let from = $from;
        let named = [
            ("CRC32", from.checksum_crc32()),
            ("CRC32C", from.checksum_crc32_c()),
            ("CRC64NVME", from.checksum_crc64_nvme()),
            ("SHA1", from.checksum_sha1()),
            ("SHA256", from.checksum_sha256()),
            ("SHA512", from.checksum_sha512()),
            ("MD5", from.checksum_md5()),
            ("XXHASH64", from.checksum_xxhash64()),
            ("XXHASH3", from.checksum_xxhash3()),
            ("XXHASH128", from.checksum_xxhash128()),
        ];
        named
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect::<std::collections::BTreeMap<String, String>>()
    }};
}
pub(crate) use checksums;

/// HEAD's and GET's answers are two SDK types with the same fields.
macro_rules! object_headers {
    ($from:expr) => {{
        let from = $from;
        let text = |value: Option<&str>| value.map(str::to_owned);
        let checksums = checksums!(from);
        let counted = |value: Option<i32>| value.and_then(|count| u32::try_from(count).ok());
        ObjectHeaders {
            content_type: text(from.content_type()),
            content_encoding: text(from.content_encoding()),
            content_language: text(from.content_language()),
            content_disposition: text(from.content_disposition()),
            cache_control: text(from.cache_control()),
            expires: text(from.expires_string()),
            website_redirect: text(from.website_redirect_location()),
            metadata: from
                .metadata()
                .map(|all| all.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
                .unwrap_or_default(),
            tag_count: counted(from.tag_count()).unwrap_or(0),
            tags: None,
            checksum_type: checksum_type(from.checksum_type())
                .or_else(|| super::object::suffix_type(&checksums)),
            checksums,
            encryption: from.server_side_encryption().map(|sse| sse.as_str().to_owned()),
            kms_key: text(from.ssekms_key_id()),
            customer_key: from.sse_customer_algorithm().is_some(),
            part_sizes: Vec::new(),
            lock_mode: from.object_lock_mode().map(|mode| mode.as_str().to_owned()),
            retain_until_ms: from
                .object_lock_retain_until_date()
                .and_then(|date| date.to_millis().ok()),
            legal_hold: from
                .object_lock_legal_hold_status()
                .map(|status| *status != ObjectLockLegalHoldStatus::Off),
            replication_status: from.replication_status().map(|status| status.as_str().to_owned()),
            archive_status: None,
        }
    }};
}
pub(crate) use object_headers;

/// Parts asked for at the same time.
const PARTS_AT_ONCE: usize = 8;

/// What a HEAD or the head of a GET says of one object version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its tag.
    pub etag: ETag,
    /// The whole object's size in bytes.
    pub size: u64,
    /// Milliseconds since the Unix epoch; whole seconds.
    pub last_modified_ms: i64,
    /// The storage class.
    pub class: StorageClass,
    /// Where its restore stands.
    pub thaw: Thaw,
    /// Everything else that dies with the object.
    pub headers: ObjectHeaders,
    /// `None` in a bucket that never was versioned.
    pub version_id: Option<String>,
    /// How many parts it was uploaded in; `None` where the answer does not say, which is usual
    /// unless a part was asked for.
    pub parts_count: Option<u32>,
}

/// What a HEAD of one part says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// The part's size in bytes; the whole object's where the server does not know parts.
    pub size: u64,
    /// How many parts there are; `None` for single uploads and where the server does not say.
    pub parts_count: Option<u32>,
}

/// What GetObjectAttributes says of one object version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The whole object's size; `None` where it does not say.
    pub size: Option<u64>,
    /// Checksums by S3's algorithm name.
    pub checksums: BTreeMap<String, String>,
    /// What they cover.
    pub checksum_type: Option<ChecksumType>,
    /// How many parts it was uploaded in.
    pub parts_count: Option<u32>,
    /// The parts in order; empty for objects without an additional checksum.
    pub parts: Vec<PartAttributes>,
}

/// One part, as GetObjectAttributes tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartAttributes {
    /// Counted from 1.
    pub number: u32,
    /// In bytes.
    pub size: u64,
    /// Checksums by S3's algorithm name.
    pub checksums: BTreeMap<String, String>,
}

/// How S3 answered a wish to restore. Source: facts of S3 API Reference, RestoreObject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreAnswer {
    /// 202: it will be thawed.
    Accepted,
    /// 200: a restored copy is there; its expiry was moved.
    AlreadyThere,
    /// 409: it is being thawed already; this wish's tier and days do not apply.
    InProgress,
    /// It is not archived, or of a class that cannot be restored: look at it again.
    NotArchived,
    /// 503: no capacity for expedited restores just now.
    NoExpeditedCapacity,
}

/// What came of a wish to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How S3 answered.
    pub answer: RestoreAnswer,
    /// AWS's id of the request; `None` where the server gives none.
    pub request_id: Option<String>,
}

impl Bucket {
    /// Asks for everything S3 says of one object version, without its bytes.
    ///
    /// With a `pin`, another object under this key is [`ErrorKind::Changed`].
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchKey`] also for delete markers; [`ErrorKind::Denied`] where S3 does not
    /// even tell whether the key exists; [`ErrorKind::CustomerKey`] under SSE-C; all others.
    ///
    /// Source: S3 API Reference, HeadObject; works on archived objects.
    pub async fn head(
        &self,
        key: &str,
        version_id: Option<&str>,
        pin: Option<&ETag>,
    ) -> Result<Head, AwsError> {
        let about = self.reads("HeadObject", "look at").key(key);
        let answer = self
            .ask(&about, |_, s3| {
                s3.head_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(key))
                    .set_version_id(version_id.map(str::to_owned))
                    .set_if_match(pin.map(ETag::quoted))
                    .checksum_mode(ChecksumMode::Enabled)
                    .send()
            })
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.in_words(error, key, version_id).await),
        };
        let head = Head::of(&answer, &about)?;
        head.check(&about, version_id, pin)?;
        Ok(head)
    }

    /// Asks for the size of one part, counted from 1.
    ///
    /// A `pin` holds on AWS only: other servers compare it with the part's own tag. Sizes of another
    /// object's parts prove nothing, so that no harm comes of it.
    ///
    /// # Errors
    /// As [`Bucket::head`].
    pub async fn head_part(
        &self,
        key: &str,
        version_id: Option<&str>,
        pin: Option<&ETag>,
        part: u32,
    ) -> Result<PartHead, AwsError> {
        let about = self.reads("HeadObject", "look at a part of").key(key);
        let pin = pin.filter(|_| self.aws.endpoint() == Endpoint::Aws);
        let number = i32::try_from(part)
            .map_err(|_| about.error(ErrorKind::Other, format!("there is no part {part}")))?;
        let answer = self
            .ask(&about, |_, s3| {
                s3.head_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(key))
                    .set_version_id(version_id.map(str::to_owned))
                    .set_if_match(pin.map(ETag::quoted))
                    .part_number(number)
                    .send()
            })
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.in_words(error, key, version_id).await),
        };
        let size = answer.content_length().and_then(|size| u64::try_from(size).ok());
        if let (Some(pin), Some(etag)) = (pin, answer.e_tag())
            && ETag::new(etag) != *pin
        {
            return Err(about.error(ErrorKind::Changed, "its ETag is another one"));
        }
        Ok(PartHead {
            size: size.ok_or_else(|| about.bad_answer("it has no length"))?,
            parts_count: answer.parts_count().and_then(|count| u32::try_from(count).ok()),
        })
    }

    /// Finds out why a HEAD was refused with a bare 400: a GET of a byte is refused in words.
    async fn in_words(&self, error: AwsError, key: &str, version_id: Option<&str>) -> AwsError {
        if error.status() != Some(400) || error.code().is_some() {
            return error;
        }
        let about = self.reads("GetObject", "read").key(key);
        let answer = self
            .ask(&about, |_, s3| {
                s3.get_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(key))
                    .set_version_id(version_id.map(str::to_owned))
                    .range("bytes=0-0")
                    .send()
            })
            .await;
        match answer {
            Err(words) if *words.kind() == ErrorKind::CustomerKey => {
                error.of(ErrorKind::CustomerKey, words.message())
            }
            // The session is alive, the region is right, and the archived bytes come first here: of
            // all that a HEAD can be refused for with 400, only the key is left.
            Err(words) if *words.kind() == ErrorKind::NotThawed => {
                error.of(ErrorKind::CustomerKey, "by all signs: S3 does not let it be looked at")
            }
            _ => error,
        }
    }

    /// Learns the sizes of the `count` parts of an object of `total` bytes. Where parts of part 1's
    /// size would fit, with a smaller last one, they are taken to be so: a mismatch of the digest
    /// is then worth [`Bucket::each_part_size`].
    ///
    /// `None` where the server does not tell parts apart.
    ///
    /// # Errors
    /// As [`Bucket::head`].
    pub async fn part_sizes(
        &self,
        key: &str,
        version_id: Option<&str>,
        etag: &ETag,
        total: u64,
        count: u32,
    ) -> Result<Option<Vec<u64>>, AwsError> {
        if count <= 1 {
            return Ok(Some(vec![total]));
        }
        let first = self.head_part(key, version_id, Some(etag), 1).await?;
        let told = first.parts_count.is_none_or(|said| said == count) && first.size < total;
        if told && let Some(sizes) = uniform(total, first.size, count) {
            return Ok(Some(sizes));
        }
        // One request for a thousand parts, where S3 lists them.
        match self.attributes(key, version_id).await {
            Ok(attributes) => {
                let sizes: Vec<u64> = attributes.parts.iter().map(|part| part.size).collect();
                if sizes.len() == count as usize && sums_to(&sizes, total) {
                    return Ok(Some(sizes));
                }
            }
            Err(error) if error.is_retryable() => return Err(error),
            // It needs a permission of its own, and not every server has it.
            Err(_) => {}
        }
        match told {
            true => self.each_part_size(key, version_id, etag, total, count).await,
            false => Ok(None),
        }
    }

    /// Asks for every part's size. `None` where they do not add up to `total`: the server does not
    /// tell parts apart.
    ///
    /// # Errors
    /// As [`Bucket::head`].
    pub async fn each_part_size(
        &self,
        key: &str,
        version_id: Option<&str>,
        etag: &ETag,
        total: u64,
        count: u32,
    ) -> Result<Option<Vec<u64>>, AwsError> {
        let sizes: Vec<u64> = stream::iter(1..=count)
            .map(|part| async move {
                let head = self.head_part(key, version_id, Some(etag), part).await?;
                Ok::<_, AwsError>(head.size)
            })
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(sums_to(&sizes, total).then_some(sizes))
    }

    /// Asks for checksums and parts.
    ///
    /// # Errors
    /// As [`Bucket::head`]; [`ErrorKind::NotImplemented`] on some servers.
    ///
    /// Source: S3 API Reference, GetObjectAttributes: parts are listed only for objects with an
    /// additional checksum.
    pub async fn attributes(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Attributes, AwsError> {
        let about = self.reads("GetObjectAttributes", "ask for the parts of").key(key);
        let mut found = Attributes::default();
        let mut marker: Option<String> = None;
        loop {
            let answer = self
                .ask(&about, |_, s3| {
                    s3.get_object_attributes()
                        .bucket(self.name.as_str())
                        .expected_bucket_owner(self.owner.as_str())
                        .key(blank::sendable(key))
                        .set_version_id(version_id.map(str::to_owned))
                        .object_attributes(ObjectAttributes::Checksum)
                        .object_attributes(ObjectAttributes::ObjectParts)
                        .object_attributes(ObjectAttributes::ObjectSize)
                        .set_part_number_marker(marker.clone())
                        .send()
                })
                .await?;
            found.size = answer.object_size().and_then(|size| u64::try_from(size).ok());
            if let Some(checksum) = answer.checksum() {
                found.checksums = checksums!(checksum);
                found.checksum_type = checksum_type(checksum.checksum_type());
            }
            let Some(parts) = answer.object_parts() else { return Ok(found) };
            found.parts_count = parts.total_parts_count().and_then(|count| count.try_into().ok());
            for part in parts.parts() {
                let number = part.part_number().and_then(|number| u32::try_from(number).ok());
                let size = part.size().and_then(|size| u64::try_from(size).ok());
                let (Some(number), Some(size)) = (number, size) else {
                    return Err(about.bad_answer("it lists a part without number or size"));
                };
                if found.parts.last().is_some_and(|last| last.number >= number) {
                    return Err(about.bad_answer("its parts are out of order"));
                }
                found.parts.push(PartAttributes { number, size, checksums: checksums!(part) });
            }
            if parts.is_truncated() != Some(true) {
                return Ok(found);
            }
            let next = parts.next_part_number_marker().map(str::to_owned);
            if parts.parts().is_empty() || next.is_none() {
                return Err(about.bad_answer("more parts follow, but it does not say where"));
            }
            marker = next;
        }
    }

    /// Asks for the tags.
    ///
    /// # Errors
    /// As [`Bucket::head`].
    pub async fn tags(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<BTreeMap<String, String>, AwsError> {
        let about = self.reads("GetObjectTagging", "ask for the tags of").key(key);
        let answer = self
            .ask(&about, |_, s3| {
                s3.get_object_tagging()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(key))
                    .set_version_id(version_id.map(str::to_owned))
                    .send()
            })
            .await?;
        let tags = answer.tag_set().iter();
        Ok(tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
    }

    /// Asks S3 to thaw one archived object version. `days` must be `None` for
    /// INTELLIGENT_TIERING, and given for every other class.
    ///
    /// Sent once: where the answer is lost ([`AwsError::outcome_unknown`]) it must be looked up,
    /// since a second wish may be billed.
    ///
    /// # Errors
    /// [`ErrorKind::Throttled`] where patience ran out, and all others.
    ///
    /// Source: S3 API Reference, RestoreObject.
    pub async fn restore(
        &self,
        key: &str,
        version_id: Option<&str>,
        days: Option<KeepDays>,
        tier: Tier,
    ) -> Result<Wish, AwsError> {
        let about = self.changes("RestoreObject", "restore").key(key);
        let about = About { effect: Effect::ChangesOnce, ..about };
        let parameters = GlacierJobParameters::builder().tier(s3_tier(tier)).build();
        let parameters =
            parameters.map_err(|error| about.error(ErrorKind::Other, error.to_string()))?;
        let wish = RestoreRequest::builder()
            .set_days(days.map(|days| i32::from(days.get())))
            .glacier_job_parameters(parameters)
            .build();
        let watch = Watch::default();
        let answer = self
            .ask(&about, |link, s3| {
                s3.restore_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(key))
                    .set_version_id(version_id.map(str::to_owned))
                    .restore_request(wish.clone())
                    .customize()
                    .config_override(link.once())
                    .interceptor(watch.clone())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => Ok(Wish {
                // Only the status tells a new thaw from a moved expiry.
                answer: match watch.status() {
                    200 => RestoreAnswer::AlreadyThere,
                    _ => RestoreAnswer::Accepted,
                },
                request_id: answer.request_id().map(str::to_owned),
            }),
            Err(error) => {
                let request_id = error.request_id().map(str::to_owned);
                Ok(Wish { answer: restore_refusal(error)?, request_id })
            }
        }
    }
}

fn restore_refusal(error: AwsError) -> Result<RestoreAnswer, AwsError> {
    match error.code() {
        Some("RestoreAlreadyInProgress") => Ok(RestoreAnswer::InProgress),
        Some("InvalidObjectState" | "ObjectAlreadyInActiveTierError") => {
            Ok(RestoreAnswer::NotArchived)
        }
        Some("GlacierExpeditedRetrievalNotAvailable") => Ok(RestoreAnswer::NoExpeditedCapacity),
        _ => Err(error),
    }
}

fn s3_tier(tier: Tier) -> S3Tier {
    match tier {
        Tier::Bulk => S3Tier::Bulk,
        Tier::Standard => S3Tier::Standard,
        Tier::Expedited => S3Tier::Expedited,
    }
}

fn sums_to(sizes: &[u64], total: u64) -> bool {
    sizes.iter().try_fold(0u64, |sum, &size| sum.checked_add(size)) == Some(total)
}

/// Parts of `first` bytes each and a last one of at most as many; `None` where that does not fit.
fn uniform(total: u64, first: u64, count: u32) -> Option<Vec<u64>> {
    let before = first.checked_mul(u64::from(count) - 1)?;
    let last = total.checked_sub(before).filter(|&last| last > 0 && last <= first)?;
    let mut sizes = vec![first; count as usize - 1];
    sizes.push(last);
    Some(sizes)
}

/// A checksum that ends in `-N` covers parts, also where the answer does not say so.
pub(crate) fn suffix_type(checksums: &BTreeMap<String, String>) -> Option<ChecksumType> {
    let composite = checksums.values().any(|value| value.contains('-'));
    composite.then_some(ChecksumType::Composite)
}

impl Head {
    fn of(answer: &HeadObjectOutput, about: &About<'_>) -> Result<Self, AwsError> {
        if answer.delete_marker() == Some(true) {
            return Err(about.error(ErrorKind::NoSuchKey, "it is a delete marker"));
        }
        let size = answer.content_length().and_then(|size| u64::try_from(size).ok());
        let mut headers = object_headers!(answer);
        headers.archive_status = answer.archive_status().map(|status| status.as_str().to_owned());
        Ok(Self {
            etag: etag_of(answer.e_tag(), about)?,
            size: size.ok_or_else(|| about.bad_answer("it has no length"))?,
            last_modified_ms: answer
                .last_modified()
                .and_then(|date| date.to_millis().ok())
                .ok_or_else(|| about.bad_answer("it has no date"))?,
            class: StorageClass::new(answer.storage_class().map_or("", |class| class.as_str())),
            thaw: read_restore_header(answer.restore())
                .map_err(|error| about.bad_answer(error.to_string()))?,
            headers,
            version_id: answer.version_id().map(str::to_owned),
            parts_count: answer.parts_count().and_then(|count| u32::try_from(count).ok()),
        })
    }

    /// Whether this is the object version that was asked for.
    pub(crate) fn check(
        &self,
        about: &About<'_>,
        version_id: Option<&str>,
        pin: Option<&ETag>,
    ) -> Result<(), AwsError> {
        if let Some(pin) = pin
            && self.etag != *pin
        {
            let message = format!("its ETag is `{}`, expected was `{pin}`", self.etag);
            return Err(about.error(ErrorKind::Changed, message));
        }
        match (version_id, self.version_id.as_deref()) {
            (Some(asked), Some(got)) if asked != got => {
                let message = format!("version `{got}` came, asked for was `{asked}`");
                Err(about.bad_answer(message))
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn etag_of(etag: Option<&str>, about: &About<'_>) -> Result<ETag, AwsError> {
    let etag = ETag::new(etag.unwrap_or_default());
    if etag.as_str().is_empty() { Err(about.bad_answer("it has no ETag")) } else { Ok(etag) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_are_taken_only_where_they_fit_exactly() {
        assert_eq!(uniform(25, 10, 3), Some(vec![10, 10, 5]));
        assert_eq!(uniform(30, 10, 3), Some(vec![10, 10, 10]));
        assert_eq!(uniform(20, 10, 3), None);
        assert_eq!(uniform(31, 10, 3), None);
        assert_eq!(uniform(u64::MAX, u64::MAX, 3), None);
    }

    #[test]
    fn a_checksum_with_a_suffix_covers_parts() {
        let of =
            |value: &str| suffix_type(&BTreeMap::from([("CRC32".to_owned(), value.to_owned())]));
        assert_eq!(of("AAAAAA==-3"), Some(ChecksumType::Composite));
        assert_eq!(of("AAAAAA=="), None);
    }
}
