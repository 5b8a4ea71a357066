//! One object version: what S3 says of it, its parts, its tags, its restore.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::head_object::builders::HeadObjectFluentBuilder;
use aws_sdk_s3::types::{ChecksumMode, ObjectLockLegalHoldStatus};

use super::blank;
use super::bucket::Bucket;
use super::error::{About, AwsError, ErrorKind};
use super::page::checksum_type;
use super::parse::read_restore_header;
use crate::model::{ChecksumType, ETag, ObjectHeaders, StorageClass, Thaw};

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
            .ask_head(&about, key, version_id, pin, |head| {
                head.checksum_mode(ChecksumMode::Enabled)
            })
            .await?;
        let head = Head::of(&answer, &about)?;
        head.check(&about, version_id, pin)?;
        Ok(head)
    }

    /// Sends a HEAD for what `about` is about, with what `more` adds to it.
    pub(super) async fn ask_head(
        &self,
        about: &About<'_>,
        key: &str,
        version_id: Option<&str>,
        pin: Option<&ETag>,
        more: impl Fn(HeadObjectFluentBuilder) -> HeadObjectFluentBuilder,
    ) -> Result<HeadObjectOutput, AwsError> {
        let answer = self
            .ask(about, |_, s3| {
                let head = s3
                    .head_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(key))
                    .set_version_id(version_id.map(str::to_owned))
                    .set_if_match(pin.map(ETag::quoted));
                more(head).send()
            })
            .await;
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.in_words(error, key, version_id).await),
        }
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
    fn a_checksum_with_a_suffix_covers_parts() {
        let of =
            |value: &str| suffix_type(&BTreeMap::from([("CRC32".to_owned(), value.to_owned())]));
        assert_eq!(of("AAAAAA==-3"), Some(ChecksumType::Composite));
        assert_eq!(of("AAAAAA=="), None);
    }
}
