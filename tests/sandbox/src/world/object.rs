//! An object version as a world describes it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::{PartSizes, Size, Versioning, WorldError};
use crate::content::Content;
use crate::digest::{Algorithm, ChecksumKind};

/// One version of an object, a delete marker, or with `count` a long row of objects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectSpec {
    /// The key. With `count` it holds `{n}`: the number from 0, with leading zeros so that all
    /// keys are of one length and sort as their numbers do.
    pub key: String,
    /// The content as text.
    pub body: Option<String>,
    /// The content in base64.
    pub body_base64: Option<String>,
    /// The size of a content that is made on the fly.
    pub size: Option<Size>,
    /// The seed of that content; default one that follows from bucket and key.
    pub seed: Option<u64>,
    /// How many objects; `None` for one.
    pub count: Option<u64>,
    /// Whether all objects of a row hold the same bytes, which spares the server their digests.
    pub same: bool,
    /// The storage class; default `STANDARD`.
    pub storage_class: Option<String>,
    /// The archive tier of an `INTELLIGENT_TIERING` object: `ARCHIVE_ACCESS` or
    /// `DEEP_ARCHIVE_ACCESS`.
    pub archive_status: Option<String>,
    /// A restore that was asked for before the start.
    pub restore: Option<RestoreSpec>,
    /// When a restore in progress is done; default after the Standard tier's time.
    pub restore_ready: Option<Timestamp>,
    /// When the restored copy ends; default a week after the start, at midnight.
    pub restore_expires: Option<Timestamp>,
    /// The part sizes of a multipart upload; `None` for a single PUT.
    pub parts: Option<PartSizes>,
    /// The additional checksum; `None` for the world's default.
    pub checksum: Option<Algorithm>,
    /// Whether that is of the whole object; default `full-object`.
    pub checksum_type: Option<ChecksumKind>,
    /// The checksum's stored value, when it is not to be computed.
    pub checksum_value: Option<String>,
    /// The ETag, when it is not to be computed.
    pub etag: Option<String>,
    /// Encryption: `AES256` (default), `aws:kms`, `aws:kms:dsse`, `customer` (SSE-C) or `none`.
    /// Where it is none of `AES256` and `none`, the ETag is no MD5.
    pub sse: Option<String>,
    /// Content headers such as `content-type`, and any other header that HEAD and GET show.
    pub headers: BTreeMap<String, String>,
    /// User metadata, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Annotations: names and texts.
    pub annotations: BTreeMap<String, String>,
    /// `LastModified`; default 2024-01-01, so that plans come out the same every time.
    pub last_modified: Option<Timestamp>,
    /// The version's id; default one that follows from bucket, key and its place in the history;
    /// `"null"` for what was there before versioning.
    pub version_id: Option<String>,
    /// Whether it is a delete marker.
    pub delete_marker: bool,
    /// Whether a legal hold is on.
    pub legal_hold: bool,
    /// Retention.
    pub retention: Option<RetentionSpec>,
}

/// Where a restore stands at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreSpec {
    /// A restored copy is there.
    Done,
    /// Asked for and not there yet.
    InProgress,
}

/// Until when a version is kept, and how strictly.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSpec {
    /// How strictly.
    pub mode: RetentionMode,
    /// Until when.
    pub until: Timestamp,
}

/// How strictly a retention holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetentionMode {
    /// May be bypassed by those who have the right.
    Governance,
    /// May not be bypassed by anyone.
    Compliance,
}

impl RetentionMode {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

impl ObjectSpec {
    /// An empty object.
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), ..Self::default() }
    }

    /// An object with a text.
    pub fn text(key: &str, text: &str) -> Self {
        Self { body: Some(text.to_owned()), ..Self::new(key) }
    }

    /// An object with these bytes.
    pub fn bytes(key: &str, bytes: &[u8]) -> Self {
        Self { body_base64: Some(BASE64.encode(bytes)), ..Self::new(key) }
    }

    /// An object of a size such as `"3MiB"`, with a content that is made on the fly.
    ///
    /// # Panics
    /// When that is no size: worlds are written by hand.
    pub fn sized(key: &str, size: &str) -> Self {
        Self { size: Some(Size::parse(size).expect("a size such as 3MiB")), ..Self::new(key) }
    }

    /// A delete marker.
    pub fn marker(key: &str) -> Self {
        Self { delete_marker: true, ..Self::new(key) }
    }

    /// Makes it a row of `count` objects; the key must hold `{n}`.
    pub fn count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Gives all objects of a row the same bytes.
    pub fn same(mut self) -> Self {
        self.same = true;
        self
    }

    /// Sets the storage class.
    pub fn class(mut self, class: &str) -> Self {
        self.storage_class = Some(class.to_owned());
        self
    }

    /// Sets where a restore stands at the start.
    pub fn restore(mut self, restore: RestoreSpec) -> Self {
        self.restore = Some(restore);
        self
    }

    /// Makes it a multipart upload with parts of this size.
    ///
    /// # Panics
    /// When that is no size: worlds are written by hand.
    pub fn parts(mut self, size: &str) -> Self {
        self.parts = Some(PartSizes::Equal(Size::parse(size).expect("a size such as 5MiB")));
        self
    }

    /// Makes it a multipart upload with parts of these sizes.
    pub fn part_sizes(mut self, sizes: &[u64]) -> Self {
        self.parts = Some(PartSizes::Listed(sizes.iter().map(|&size| Size(size)).collect()));
        self
    }

    /// Sets the additional checksum.
    pub fn checksum(mut self, algorithm: Algorithm, kind: ChecksumKind) -> Self {
        self.checksum = Some(algorithm);
        self.checksum_type = Some(kind);
        self
    }

    /// Sets the encryption.
    pub fn sse(mut self, sse: &str) -> Self {
        self.sse = Some(sse.to_owned());
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds user metadata.
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.metadata.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds an annotation.
    pub fn annotation(mut self, name: &str, text: &str) -> Self {
        self.annotations.insert(name.to_owned(), text.to_owned());
        self
    }

    /// Sets `LastModified`.
    ///
    /// # Panics
    /// When it is no date: worlds are written by hand.
    pub fn last_modified(mut self, at: &str) -> Self {
        self.last_modified = Some(at.parse().expect("a date such as 2024-01-01T00:00:00Z"));
        self
    }

    /// Sets the version's id.
    pub fn version_id(mut self, id: &str) -> Self {
        self.version_id = Some(id.to_owned());
        self
    }

    /// Puts a legal hold on it.
    pub fn legal_hold(mut self) -> Self {
        self.legal_hold = true;
        self
    }

    /// The content; `bucket` and key give the seed where none is named.
    pub fn content(&self, bucket: &str) -> Content {
        match (&self.body, &self.body_base64, self.size) {
            (Some(text), _, _) => Content::Bytes(Bytes::copy_from_slice(text.as_bytes())),
            (None, Some(base64), _) => {
                Content::Bytes(BASE64.decode(base64).unwrap_or_default().into())
            }
            (None, None, Some(Size(size))) => Content::Seeded {
                seed: self
                    .seed
                    .unwrap_or_else(|| crate::content::seed_of(&format!("{bucket}/{}", self.key))),
                size,
            },
            (None, None, None) => Content::Bytes(Bytes::new()),
        }
    }

    /// The storage class.
    pub fn class_name(&self) -> &str {
        self.storage_class.as_deref().unwrap_or("STANDARD")
    }

    pub(super) fn check(&self, place: &str, versioning: Versioning) -> Result<(), WorldError> {
        let wrong = |why: &str| Err(WorldError::contradiction(place, why));
        if self.key.is_empty() || self.key.len() > 1024 {
            return wrong("a key has 1 to 1024 bytes");
        }
        let contents = [self.body.is_some(), self.body_base64.is_some(), self.size.is_some()];
        if contents.into_iter().filter(|&given| given).count() > 1 {
            return wrong("only one of body, body_base64 and size");
        }
        if self.body_base64.as_ref().is_some_and(|base64| BASE64.decode(base64).is_err()) {
            return wrong("body_base64 is not base64");
        }
        if self.count.is_some() && !self.key.contains("{n}") {
            return wrong("count needs {n} in the key");
        }
        let content = self.content("");
        if self.parts.as_ref().is_some_and(|parts| parts.of(content.size()).is_none()) {
            return wrong("the parts do not add up to the size");
        }
        if versioning == Versioning::Off {
            if self.delete_marker {
                return wrong("a delete marker needs versioning");
            }
            if self.version_id.as_deref().is_some_and(|id| id != "null") {
                return wrong("a version id needs versioning");
            }
        }
        if self.restore.is_some()
            && self.archive_status.is_none()
            && !matches!(self.class_name(), "GLACIER" | "DEEP_ARCHIVE")
        {
            return wrong("only archived objects can be restored");
        }
        if self.archive_status.is_some() && self.class_name() != "INTELLIGENT_TIERING" {
            return wrong("archive_status is for INTELLIGENT_TIERING");
        }
        let sse = self.sse.as_deref().unwrap_or("AES256");
        if !["AES256", "aws:kms", "aws:kms:dsse", "customer", "none"].contains(&sse) {
            return wrong("sse is AES256, aws:kms, aws:kms:dsse, customer or none");
        }
        Ok(())
    }
}
