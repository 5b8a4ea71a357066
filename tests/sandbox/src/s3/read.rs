//! HeadObject and GetObject.

use std::sync::Arc;

use http_body_util::StreamBody;
use jiff::Timestamp;
use s3s::Body;

use super::bucket;
use crate::account::{Stored, Version};
use crate::call::{Answer, Call, Outcome, empty, set_header, unquoted};
use crate::clock::http_date;
use crate::content::CHUNK;
use crate::digest::{self, ChecksumKind};
use crate::gate::is_refused;
use crate::outgoing::Serving;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::world::{Modes, Versioning};

/// A version that a request is about, with what the answer must know of its bucket.
pub struct Found {
    /// The version; no delete marker.
    pub version: Version,
    /// Its content.
    pub stored: Arc<Stored>,
    /// Whether answers show version ids.
    pub shows_versions: bool,
    /// Whether the caller may see a legal hold.
    pub shows_hold: bool,
    /// Whether the caller may see a retention.
    pub shows_retention: bool,
    /// How the bucket misbehaves.
    pub modes: Modes,
}

/// Finds the object version that a call is about.
///
/// # Errors
/// 404 or 405 as S3 tells them apart for missing keys, versions and markers; 403 for a missing key
/// where the caller may not list.
pub fn find(shared: &Shared, call: &Call) -> Result<Found, Refusal> {
    let account = shared.account();
    let bucket = bucket(&account, call)?;
    let key = call.key();
    let id = call.target.version_id();
    let Some(version) = bucket.version(key, id) else {
        return Err(match id {
            Some(id) => Refusal::new(404, "NoSuchVersion", "The specified version does not exist.")
                .detail("Key", key)
                .detail("VersionId", id),
            None if is_refused(bucket, call, "s3:ListBucket", None) => Refusal::denied(),
            None => Refusal::no_such_key(key),
        });
    };
    let Some(stored) = version.stored.clone() else {
        let refusal = match id {
            None => Refusal::no_such_key(key),
            Some(_) => Refusal::new(
                405,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            )
            .detail("ResourceType", "DeleteMarker")
            .header("allow", "DELETE")
            .header("last-modified", http_date(version.modified)),
        };
        return Err(refusal
            .header("x-amz-delete-marker", "true")
            .header("x-amz-version-id", version.id()));
    };
    if stored.traits.is_sse_c()
        && call.header("x-amz-server-side-encryption-customer-algorithm").is_none()
    {
        let message = "The object was stored using a form of Server Side Encryption. The correct \
                       parameters must be provided to retrieve the object.";
        return Err(Refusal::new(400, "InvalidRequest", message));
    }
    let may = |action| bucket.object_lock && !is_refused(bucket, call, action, Some(key));
    Ok(Found {
        shows_versions: bucket.versioning != Versioning::Off,
        shows_hold: may("s3:GetObjectLegalHold"),
        shows_retention: may("s3:GetObjectRetention"),
        modes: bucket.modes,
        version,
        stored,
    })
}

/// HeadObject and GetObject, told apart by the method.
pub fn object(shared: &Shared, call: &Call) -> Outcome {
    let now = shared.now();
    let found = find(shared, call)?;
    let etag = found.stored.etag();
    check_conditions(call, &found, etag)?;
    // Whether a HEAD of a part works on an archived object is not known; so it does not here.
    let needs_bytes = !call.target.is_head || call.query("partNumber").is_some();
    if needs_bytes && !found.version.is_readable(now) {
        return Err(archived(&found.version, now));
    }
    let total = found.stored.content.size();
    let window = window(call, &found.stored, total)?;
    let mut answer = empty(if window.is_partial { 206 } else { 200 });
    describe(&mut answer, &found, now);
    if let Some(number) = window.part {
        if let Some(parts) = &found.stored.parts {
            set_header(&mut answer, "x-amz-mp-parts-count", &parts.len().to_string());
        }
        show_part_checksum(&mut answer, call, &found.stored, number);
    } else if !window.is_partial {
        show_checksum(&mut answer, call, &found.stored);
    }
    set_header(&mut answer, "content-length", &window.length.to_string());
    if window.is_partial {
        let last = (window.offset + window.length).saturating_sub(1);
        let range = format!("bytes {}-{last}/{total}", window.offset);
        set_header(&mut answer, "content-range", &range);
    }
    if call.target.is_head {
        return Ok(answer);
    }
    for name in [
        "content-type",
        "content-language",
        "expires",
        "cache-control",
        "content-disposition",
        "content-encoding",
    ] {
        if let Some(value) = call.query(&format!("response-{name}")) {
            set_header(&mut answer, name, value);
        }
    }
    let content = &found.stored.content;
    *answer.body_mut() = if window.length <= CHUNK {
        Body::from(content.read(window.offset, window.length))
    } else {
        let chunks = content.chunks(window.offset, window.length);
        let frames =
            chunks.map(|chunk| Ok::<_, std::convert::Infallible>(http_body::Frame::data(chunk)));
        Body::http_body_unsync(StreamBody::new(futures_util::stream::iter(frames)))
    };
    let pin = crate::witness::Pin {
        bucket: call.bucket().to_owned(),
        key: call.key().to_owned(),
        version_id: found.version.id().to_owned(),
        etag: etag.to_owned(),
    };
    let serving = Serving { pin: Arc::new(pin), total, offset: window.offset };
    answer.extensions_mut().insert(serving);
    Ok(answer)
}

/// Which bytes an answer carries.
struct Window {
    offset: u64,
    length: u64,
    is_partial: bool,
    part: Option<u64>,
}

fn window(call: &Call, stored: &Stored, total: u64) -> Result<Window, Refusal> {
    let whole = Window { offset: 0, length: total, is_partial: false, part: None };
    let range = call.header("range");
    if let Some(number) = call.query("partNumber") {
        if range.is_some() {
            let message = "Cannot specify both Range header and partNumber query parameter";
            return Err(Refusal::new(400, "InvalidRequest", message));
        }
        let number: u64 = number
            .parse()
            .ok()
            .filter(|number| (1..=10_000).contains(number))
            .ok_or_else(|| {
                Refusal::argument("Part number must be an integer between 1 and 10000, inclusive")
            })?;
        let (offset, length) = stored.part(number).ok_or_else(|| {
            let count = stored.parts.as_ref().map_or(1, Vec::len);
            Refusal::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
                .detail("PartNumberRequested", number.to_string())
                .detail("ActualPartCount", count.to_string())
        })?;
        return Ok(Window { offset, length, is_partial: length > 0, part: Some(number) });
    }
    let Some((first, last)) = range.and_then(parse_range) else { return Ok(whole) };
    let (offset, end) = match (first, last) {
        (Some(first), Some(last)) => (first, last.saturating_add(1).min(total)),
        (Some(first), None) => (first, total),
        (None, last) => (total.saturating_sub(last.unwrap_or(0)), total),
    };
    if offset >= end {
        let message = "The requested range is not satisfiable";
        return Err(Refusal::new(416, "InvalidRange", message)
            .detail("RangeRequested", range.unwrap_or_default())
            .detail("ActualObjectSize", total.to_string())
            .header("content-range", format!("bytes */{total}")));
    }
    Ok(Window { offset, length: end - offset, is_partial: true, part: None })
}

/// A single byte range; what is none is ignored, as S3 does.
fn parse_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        digits => digits.parse().ok().map(Some),
    };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if first > last => None,
        range => Some(range),
    }
}

fn check_conditions(call: &Call, found: &Found, etag: &str) -> Result<(), Refusal> {
    let names = |list: &str| list.split(',').any(|one| one.trim() == "*" || unquoted(one) == etag);
    if let Some(wanted) = call.header("if-match")
        && !found.modes.ignore_get_condition
        && !names(wanted)
    {
        return Err(Refusal::precondition("If-Match"));
    }
    if call.header("if-none-match").is_some_and(names) {
        return Err(
            Refusal::new(304, "NotModified", "Not Modified").header("etag", format!("\"{etag}\""))
        );
    }
    Ok(())
}

/// 403 `InvalidObjectState`, with what the SDKs read out of it.
pub fn archived(version: &Version, now: Timestamp) -> Refusal {
    let message = "The operation is not valid for the object's storage class";
    let refusal =
        Refusal::new(403, "InvalidObjectState", message).detail("StorageClass", version.class());
    match version.archive_status(now) {
        Some(tier) => refusal.detail("AccessTier", tier),
        None => refusal,
    }
}

/// Sets all the headers that do not depend on the range.
fn describe(answer: &mut Answer, found: &Found, now: Timestamp) {
    let Found { version, stored, .. } = found;
    let traits = &stored.traits;
    set_header(answer, "accept-ranges", "bytes");
    set_header(answer, "content-type", "binary/octet-stream");
    set_header(answer, "last-modified", &http_date(version.modified));
    set_header(answer, "etag", &format!("\"{}\"", stored.etag()));
    match traits.sse.as_deref() {
        None => {}
        Some("customer") => {
            set_header(answer, "x-amz-server-side-encryption-customer-algorithm", "AES256");
        }
        Some(sse) => {
            set_header(answer, "x-amz-server-side-encryption", sse);
            if sse != "AES256" {
                let key = "arn:aws:kms:us-east-1:123456789012:key/sandbox";
                set_header(answer, "x-amz-server-side-encryption-aws-kms-key-id", key);
            }
        }
    }
    for (name, value) in &traits.headers {
        set_header(answer, name, value);
    }
    for (name, value) in &traits.metadata {
        set_header(answer, &format!("x-amz-meta-{name}"), &metadata_value(value));
    }
    if traits.class != "STANDARD" {
        set_header(answer, "x-amz-storage-class", &traits.class);
    }
    if let Some(restore) = version.restore_header(now) {
        set_header(answer, "x-amz-restore", &restore);
    }
    if let Some(tier) = version.archive_status(now) {
        set_header(answer, "x-amz-archive-status", tier);
    }
    if found.shows_versions {
        set_header(answer, "x-amz-version-id", version.id());
    }
    if !version.tags.is_empty() {
        set_header(answer, "x-amz-tagging-count", &version.tags.len().to_string());
    }
    if found.shows_hold && version.legal_hold {
        set_header(answer, "x-amz-object-lock-legal-hold", "ON");
    }
    if found.shows_retention
        && let Some(retention) = &version.retention
    {
        set_header(answer, "x-amz-object-lock-mode", retention.mode.name());
        let until = crate::clock::xml_date(retention.until);
        set_header(answer, "x-amz-object-lock-retain-until-date", &until);
    }
}

/// Metadata that is not ASCII comes back encoded as in mail headers (RFC 2047), as from S3.
fn metadata_value(value: &str) -> String {
    use base64::Engine as _;
    if value.is_ascii() {
        return value.to_owned();
    }
    format!("=?UTF-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(value))
}

fn show_checksum(answer: &mut Answer, call: &Call, stored: &Stored) {
    if !wants_checksum(call) {
        return;
    }
    if let Some((algorithm, kind, value)) = stored.checksum() {
        set_header(answer, &algorithm.header(), value);
        set_header(answer, "x-amz-checksum-type", kind.name());
    }
}

/// A part's own checksum, which S3 has only where the object's checksum is composite.
fn show_part_checksum(answer: &mut Answer, call: &Call, stored: &Stored, number: u64) {
    let Some((algorithm, kind, _)) = stored.checksum().filter(|_| wants_checksum(call)) else {
        return;
    };
    let part = stored.part(number);
    let value = match (kind, &stored.parts, part) {
        (ChecksumKind::Composite, Some(_), Some((offset, length))) => {
            digest::part_checksum(&stored.content, algorithm, offset, length)
        }
        (_, None, _) => stored.checksum().map(|(.., value)| value.to_owned()),
        _ => None,
    };
    if let Some(value) = value {
        set_header(answer, &algorithm.header(), &value);
        set_header(answer, "x-amz-checksum-type", kind.name());
    }
}

fn wants_checksum(call: &Call) -> bool {
    call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_range_is_ignored() {
        assert_eq!(parse_range("bytes=2-5"), Some((Some(2), Some(5))));
        assert_eq!(parse_range("bytes=2-"), Some((Some(2), None)));
        assert_eq!(parse_range("bytes=-5"), Some((None, Some(5))));
        assert_eq!(parse_range("bytes=5-2"), None);
        assert_eq!(parse_range("bytes=0-1,4-5"), None);
        assert_eq!(parse_range("lines=0-1"), None);
    }
}
