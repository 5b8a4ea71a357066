//! ListObjectsV2, ListObjects and ListObjectVersions, in strict byte order of the keys.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as TOKEN;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{bucket, canonical_id};
use crate::account::{Bucket, Thaw, Version};
use crate::call::{Call, Outcome, xml};
use crate::clock::xml_date;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::xml::{S3_NAMESPACE, Xml};

/// What `encoding-type=url` leaves as it is; a space becomes `+`.
const LEFT_ALONE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// What all three listings are asked for.
struct Asked {
    prefix: String,
    delimiter: Option<String>,
    max_keys: usize,
    url: bool,
    restore_status: bool,
    owner: String,
    now: Timestamp,
}

/// A line of a listing.
enum Line {
    Version { key: String, version: Version, is_latest: bool },
    Prefix(String),
}

/// Where a listing goes on.
enum From {
    Start,
    /// After this key and all its versions.
    After(String),
    /// After this version of this key.
    AfterVersion(String, String),
    /// After all keys with this prefix.
    PastPrefix(String),
}

/// Which versions a listing shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Current,
    All,
}

/// ListObjectsV2.
pub fn objects_v2(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    let bucket = bucket(&account, call)?;
    let asked = Asked::of(call, bucket, shared.now())?;
    let from = match (call.query("continuation-token"), call.query("start-after")) {
        (Some(token), _) => read_token(token)?,
        (None, Some(key)) if !key.is_empty() => From::After(key.to_owned()),
        _ => From::Start,
    };
    let (lines, is_truncated) = collect(bucket, &asked, from, Which::Current);
    let owner = asked.owner.clone();
    drop(account);

    let mut page = Xml::document();
    page.open_root("ListBucketResult", S3_NAMESPACE);
    page.text("Name", call.bucket());
    page.text("Prefix", &asked.coded(&asked.prefix));
    page.maybe("StartAfter", call.query("start-after").map(|key| asked.coded(key)).as_deref());
    page.maybe("ContinuationToken", call.query("continuation-token"));
    page.show("KeyCount", lines.len()).show("MaxKeys", asked.max_keys);
    page.maybe("Delimiter", asked.delimiter.as_deref().map(|text| asked.coded(text)).as_deref());
    page.maybe("EncodingType", asked.url.then_some("url"));
    page.show("IsTruncated", is_truncated);
    if let (true, Some(last)) = (is_truncated, lines.last()) {
        page.text("NextContinuationToken", &make_token(last));
    }
    let shows_owner = call.query("fetch-owner") == Some("true");
    for line in &lines {
        asked.object(&mut page, line, shows_owner.then_some(owner.as_str()));
    }
    asked.prefixes(&mut page, &lines);
    page.close("ListBucketResult");
    Ok(xml(page.finish()))
}

/// ListObjects, the first version of the same.
pub fn objects_v1(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    let bucket = bucket(&account, call)?;
    let asked = Asked::of(call, bucket, shared.now())?;
    let marker = call.query("marker").unwrap_or_default();
    let from = match &asked.delimiter {
        _ if marker.is_empty() => From::Start,
        Some(delimiter) if marker.ends_with(delimiter.as_str()) => {
            From::PastPrefix(marker.to_owned())
        }
        _ => From::After(marker.to_owned()),
    };
    let (lines, is_truncated) = collect(bucket, &asked, from, Which::Current);
    let owner = asked.owner.clone();
    drop(account);

    let mut page = Xml::document();
    page.open_root("ListBucketResult", S3_NAMESPACE);
    page.text("Name", call.bucket()).text("Prefix", &asked.coded(&asked.prefix));
    page.text("Marker", &asked.coded(marker)).show("MaxKeys", asked.max_keys);
    page.maybe("Delimiter", asked.delimiter.as_deref().map(|text| asked.coded(text)).as_deref());
    page.maybe("EncodingType", asked.url.then_some("url"));
    page.show("IsTruncated", is_truncated);
    if let (true, true, Some(last)) = (is_truncated, asked.delimiter.is_some(), lines.last()) {
        page.text("NextMarker", &asked.coded(last.name()));
    }
    lines.iter().for_each(|line| asked.object(&mut page, line, Some(&owner)));
    asked.prefixes(&mut page, &lines);
    page.close("ListBucketResult");
    Ok(xml(page.finish()))
}

/// ListObjectVersions: versions and markers, newest first within a key.
pub fn versions(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    let bucket = bucket(&account, call)?;
    let asked = Asked::of(call, bucket, shared.now())?;
    let key_marker = call.query("key-marker").unwrap_or_default();
    let id_marker = call.query("version-id-marker").unwrap_or_default();
    let from = match (key_marker, id_marker) {
        ("", "") => From::Start,
        ("", _) => {
            let message = "A version-id marker cannot be specified without a key marker.";
            return Err(Refusal::argument(message));
        }
        (key, "") => match &asked.delimiter {
            Some(delimiter) if key.ends_with(delimiter.as_str()) => {
                From::PastPrefix(key.to_owned())
            }
            _ => From::After(key.to_owned()),
        },
        (key, id) => From::AfterVersion(key.to_owned(), id.to_owned()),
    };
    let (lines, is_truncated) = collect(bucket, &asked, from, Which::All);
    let owner = asked.owner.clone();
    drop(account);

    let mut page = Xml::document();
    page.open_root("ListVersionsResult", S3_NAMESPACE);
    page.text("Name", call.bucket()).text("Prefix", &asked.coded(&asked.prefix));
    page.text("KeyMarker", &asked.coded(key_marker)).text("VersionIdMarker", id_marker);
    if let (true, Some(last)) = (is_truncated, lines.last()) {
        page.text("NextKeyMarker", &asked.coded(last.name()));
        if let Line::Version { version, .. } = last {
            page.text("NextVersionIdMarker", version.id());
        }
    }
    page.show("MaxKeys", asked.max_keys);
    page.maybe("Delimiter", asked.delimiter.as_deref().map(|text| asked.coded(text)).as_deref());
    page.maybe("EncodingType", asked.url.then_some("url"));
    page.show("IsTruncated", is_truncated);
    lines.iter().for_each(|line| asked.version(&mut page, line, &owner));
    asked.prefixes(&mut page, &lines);
    page.close("ListVersionsResult");
    Ok(xml(page.finish()))
}

fn collect(bucket: &Bucket, asked: &Asked, from: From, which: Which) -> (Vec<Line>, bool) {
    let mut lines: Vec<Line> = Vec::new();
    let mut past = None;
    let mut after_version = None;
    let from = match from {
        From::Start => Bound::Included(String::new()),
        From::After(key) => Bound::Excluded(key),
        From::AfterVersion(key, id) => {
            after_version = Some((key.clone(), id));
            Bound::Included(key)
        }
        From::PastPrefix(prefix) => {
            past = Some(prefix.clone());
            Bound::Included(prefix)
        }
    };
    let start = match &from {
        Bound::Included(key) if *key < asked.prefix => Bound::Included(asked.prefix.as_str()),
        Bound::Excluded(key) if *key < asked.prefix => Bound::Included(asked.prefix.as_str()),
        bound => bound.as_ref().map(String::as_str),
    };
    if asked.max_keys == 0 {
        return (lines, false);
    }
    for (key, versions) in bucket.walk(start) {
        if !key.starts_with(&asked.prefix) {
            break;
        }
        if past.as_ref().is_some_and(|prefix| key.starts_with(prefix)) {
            continue;
        }
        let shown = match which {
            Which::All => versions.len(),
            Which::Current => {
                usize::from(versions.first().is_some_and(|version| !version.is_marker()))
            }
        };
        if shown == 0 {
            continue;
        }
        let common = asked.delimiter.as_ref().and_then(|delimiter| {
            let rest = &key[asked.prefix.len()..];
            let end = rest.find(delimiter.as_str())? + delimiter.len();
            Some(key[..asked.prefix.len() + end].to_owned())
        });
        if let Some(common) = common {
            if lines.len() == asked.max_keys {
                return (lines, true);
            }
            past = Some(common.clone());
            lines.push(Line::Prefix(common));
            continue;
        }
        let skip = match &after_version {
            Some((marker, id)) if *marker == key => versions
                .iter()
                .position(|version| version.id() == id)
                .map_or(versions.len(), |place| place + 1),
            _ => 0,
        };
        for (place, version) in versions.into_iter().take(shown).enumerate().skip(skip) {
            if lines.len() == asked.max_keys {
                return (lines, true);
            }
            let is_latest = place == 0;
            lines.push(Line::Version { key: key.clone(), version, is_latest });
        }
    }
    (lines, false)
}

impl Asked {
    fn of(call: &Call, bucket: &Bucket, now: Timestamp) -> Result<Self, Refusal> {
        let url = match call.query("encoding-type") {
            None => false,
            Some("url") => !bucket.modes.no_url_encoding,
            Some(_) => {
                return Err(Refusal::argument("Invalid Encoding Method specified in Request"));
            }
        };
        let attributes = call.list("x-amz-optional-object-attributes");
        Ok(Self {
            prefix: call.query("prefix").unwrap_or_default().to_owned(),
            delimiter: call.query("delimiter").filter(|text| !text.is_empty()).map(str::to_owned),
            max_keys: call.number("max-keys", 1000, 1000)? as usize,
            url,
            restore_status: !bucket.modes.no_restore_status
                && attributes.contains(&"RestoreStatus"),
            owner: canonical_id(&bucket.owner),
            now,
        })
    }

    fn coded(&self, text: &str) -> String {
        if self.url { url_coded(text) } else { text.to_owned() }
    }

    fn object(&self, page: &mut Xml, line: &Line, owner: Option<&str>) {
        if let Line::Version { key, version, .. } = line {
            page.open("Contents").text("Key", &self.coded(key));
            self.details(page, version);
            if let Some(owner) = owner {
                page.open("Owner").text("ID", owner).close("Owner");
            }
            page.close("Contents");
        }
    }

    fn version(&self, page: &mut Xml, line: &Line, owner: &str) {
        if let Line::Version { key, version, is_latest } = line {
            let element = if version.is_marker() { "DeleteMarker" } else { "Version" };
            page.open(element).text("Key", &self.coded(key)).text("VersionId", version.id());
            page.show("IsLatest", is_latest);
            self.details(page, version);
            page.open("Owner").text("ID", owner).close("Owner").close(element);
        }
    }

    fn details(&self, page: &mut Xml, version: &Version) {
        page.text("LastModified", &xml_date(version.modified));
        let Some(stored) = &version.stored else { return };
        page.text("ETag", &format!("\"{}\"", stored.etag()));
        if let Some((algorithm, kind)) = stored.traits.checksum {
            page.text("ChecksumAlgorithm", algorithm.name()).text("ChecksumType", kind.name());
        }
        page.show("Size", stored.content.size()).text("StorageClass", &stored.traits.class);
        if self.restore_status {
            match version.thaw(self.now) {
                Thaw::No => {}
                Thaw::InProgress => {
                    page.open("RestoreStatus").text("IsRestoreInProgress", "true");
                    page.close("RestoreStatus");
                }
                Thaw::Until(end) => {
                    page.open("RestoreStatus").text("IsRestoreInProgress", "false");
                    page.text("RestoreExpiryDate", &xml_date(end)).close("RestoreStatus");
                }
            }
        }
    }

    fn prefixes(&self, page: &mut Xml, lines: &[Line]) {
        for line in lines {
            if let Line::Prefix(prefix) = line {
                page.open("CommonPrefixes").text("Prefix", &self.coded(prefix));
                page.close("CommonPrefixes");
            }
        }
    }
}

impl Line {
    fn name(&self) -> &str {
        match self {
            Self::Version { key, .. } => key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// A continuation token: opaque to clients, the last line to us.
fn make_token(last: &Line) -> String {
    let sort = if matches!(last, Line::Prefix(_)) { 'p' } else { 'k' };
    TOKEN.encode(format!("{sort}{}", last.name()))
}

fn read_token(token: &str) -> Result<From, Refusal> {
    let wrong = || Refusal::argument("The continuation token provided is incorrect");
    let text = TOKEN.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(wrong)?;
    match text.split_at_checked(1) {
        Some(("k", key)) => Ok(From::After(key.to_owned())),
        Some(("p", prefix)) => Ok(From::PastPrefix(prefix.to_owned())),
        _ => Err(wrong()),
    }
}

/// A key as `encoding-type=url` shows it.
pub fn url_coded(text: &str) -> String {
    utf8_percent_encode(text, LEFT_ALONE).to_string().replace("%20", "+")
}
