//! One version of an object: its content, what S3 says of it, and what holds or thaws it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use crate::clock::http_date;
use crate::content::Content;
use crate::digest::{self, Algorithm, ChecksumKind};
use crate::world::{RetentionMode, RetentionSpec};

/// What many objects may share: everything about an object but its bytes and dates.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    /// The storage class, `STANDARD` included.
    pub class: String,
    /// The encryption as in the header; `None` for none.
    pub sse: Option<String>,
    /// Content headers and whatever else HEAD and GET show.
    pub headers: BTreeMap<String, String>,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// Annotations: names and texts.
    pub annotations: BTreeMap<String, String>,
    /// The additional checksum.
    pub checksum: Option<(Algorithm, ChecksumKind)>,
    /// The checksum's value, when it is not computed.
    pub stated_checksum: Option<String>,
    /// The ETag, when it is not computed.
    pub stated_etag: Option<String>,
}

impl Traits {
    /// Whether the object is encrypted with a key that only the customer has.
    pub fn is_sse_c(&self) -> bool {
        self.sse.as_deref() == Some("customer")
    }

    fn has_md5_etag(&self) -> bool {
        matches!(self.sse.as_deref(), None | Some("AES256"))
    }
}

/// The content of a version with its digests, which are made when first asked for.
#[derive(Debug)]
pub struct Stored {
    /// The bytes.
    pub content: Content,
    /// The part sizes; `None` for a single PUT.
    pub parts: Option<Vec<u64>>,
    /// Everything else.
    pub traits: Arc<Traits>,
    etag: OnceLock<String>,
    checksum: OnceLock<Option<String>>,
}

impl Stored {
    /// Puts a content and its traits together.
    pub fn new(content: Content, parts: Option<Vec<u64>>, traits: Arc<Traits>) -> Self {
        Self { content, parts, traits, etag: OnceLock::new(), checksum: OnceLock::new() }
    }

    /// The ETag without quotes.
    pub fn etag(&self) -> &str {
        self.etag.get_or_init(|| {
            if let Some(stated) = &self.traits.stated_etag {
                return stated.clone();
            }
            let md5 = digest::etag(&self.content, self.parts.as_deref());
            if self.traits.has_md5_etag() {
                return md5;
            }
            // Looks like an MD5 and is none, as with SSE-KMS.
            let opaque = digest::sha256_hex(&Content::Bytes(md5.clone().into()));
            let suffix = md5.split_once('-').map(|(_, parts)| format!("-{parts}"));
            format!("{}{}", &opaque[..32], suffix.unwrap_or_default())
        })
    }

    /// The additional checksum in base64; `None` when there is none.
    pub fn checksum(&self) -> Option<(Algorithm, ChecksumKind, &str)> {
        let (algorithm, kind) = self.traits.checksum?;
        let value = self.checksum.get_or_init(|| match &self.traits.stated_checksum {
            Some(stated) => Some(stated.clone()),
            None => digest::checksum(&self.content, algorithm, kind, self.parts.as_deref()),
        });
        value.as_deref().map(|value| (algorithm, kind, value))
    }

    /// Where part `number` (from 1) starts and how long it is.
    pub fn part(&self, number: u64) -> Option<(u64, u64)> {
        match &self.parts {
            None => (number == 1).then(|| (0, self.content.size())),
            Some(parts) => {
                let index = usize::try_from(number.checked_sub(1)?).ok()?;
                Some((parts.get(..index)?.iter().sum(), *parts.get(index)?))
            }
        }
    }
}

/// How fast a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Hours to days, cheapest.
    Bulk,
    /// Hours.
    Standard,
    /// Minutes.
    Expedited,
}

/// A restore that was asked for.
#[derive(Clone, Debug)]
pub struct Restore {
    /// How fast.
    pub tier: Tier,
    /// For how many days; `None` for `INTELLIGENT_TIERING`, which moves for good.
    pub days: Option<i64>,
    /// When it is done.
    pub ready: Timestamp,
    /// When the copy ends; `None` for `INTELLIGENT_TIERING`.
    pub expires: Option<Timestamp>,
}

/// Where a version stands between archive and copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thaw {
    /// Never asked for, or lapsed.
    No,
    /// Asked for.
    InProgress,
    /// A copy is there until then.
    Until(Timestamp),
}

/// A version of an object, or a delete marker.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its id; `None` for the `null` version.
    pub id: Option<Arc<str>>,
    /// `LastModified`.
    pub modified: Timestamp,
    /// Its content; `None` for a delete marker.
    pub stored: Option<Arc<Stored>>,
    /// The last restore that was asked for.
    pub restore: Option<Restore>,
    /// The archive tier of an `INTELLIGENT_TIERING` object.
    pub archived: Option<Arc<str>>,
    /// Whether a legal hold is on.
    pub legal_hold: bool,
    /// Until when it must be kept.
    pub retention: Option<RetentionSpec>,
    /// Its tags.
    pub tags: Arc<BTreeMap<String, String>>,
}

impl Version {
    /// A plain version with a content.
    pub fn of(stored: Arc<Stored>, modified: Timestamp) -> Self {
        Self {
            id: None,
            modified,
            stored: Some(stored),
            restore: None,
            archived: None,
            legal_hold: false,
            retention: None,
            tags: Arc::default(),
        }
    }

    /// A delete marker.
    pub fn marker(modified: Timestamp) -> Self {
        Self {
            id: None,
            modified,
            stored: None,
            restore: None,
            archived: None,
            legal_hold: false,
            retention: None,
            tags: Arc::default(),
        }
    }

    /// Its id on the wire.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("null")
    }

    /// Whether it is a delete marker.
    pub fn is_marker(&self) -> bool {
        self.stored.is_none()
    }

    /// Its storage class; empty for a delete marker.
    pub fn class(&self) -> &str {
        self.stored.as_ref().map_or("", |stored| stored.traits.class.as_str())
    }

    /// The archive tier in which an `INTELLIGENT_TIERING` object still lies.
    pub fn archive_status(&self, now: Timestamp) -> Option<&str> {
        let thawed = self.restore.as_ref().is_some_and(|restore| restore.ready <= now);
        self.archived.as_deref().filter(|_| !thawed)
    }

    /// Where its restore stands.
    pub fn thaw(&self, now: Timestamp) -> Thaw {
        match &self.restore {
            None => Thaw::No,
            Some(restore) if restore.ready > now => Thaw::InProgress,
            Some(Restore { expires: Some(expires), .. }) if *expires > now => Thaw::Until(*expires),
            Some(_) => Thaw::No,
        }
    }

    /// The `x-amz-restore` header.
    pub fn restore_header(&self, now: Timestamp) -> Option<String> {
        match self.thaw(now) {
            Thaw::No => None,
            Thaw::InProgress => Some("ongoing-request=\"true\"".to_owned()),
            Thaw::Until(end) => {
                Some(format!("ongoing-request=\"false\", expiry-date=\"{}\"", http_date(end)))
            }
        }
    }

    /// Whether GET gives its bytes.
    pub fn is_readable(&self, now: Timestamp) -> bool {
        match self.class() {
            "GLACIER" | "DEEP_ARCHIVE" => matches!(self.thaw(now), Thaw::Until(_)),
            _ => self.archive_status(now).is_none(),
        }
    }

    /// Why it may not be deleted, if so; `bypass` when the request bypasses governance.
    pub fn is_held(&self, now: Timestamp, bypass: bool) -> bool {
        let retained = self.retention.as_ref().is_some_and(|retention| {
            retention.until > now && !(bypass && retention.mode == RetentionMode::Governance)
        });
        self.legal_hold || retained
    }
}
