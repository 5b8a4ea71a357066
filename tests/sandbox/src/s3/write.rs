//! PutObject and CopyObject.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{bucket_mut, uploaded};
use crate::account::{Bucket, Stored, Version};
use crate::call::{Answer, Call, Outcome, empty, set_header, unquoted, xml};
use crate::clock::xml_date;
use crate::content::Content;
use crate::digest::ChecksumKind;
use crate::gate::is_refused;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::world::Versioning;
use crate::xml::{S3_NAMESPACE, Xml};

/// PutObject: what comes with a checksum is verified and keeps it; what comes without gets the
/// account's default.
pub async fn put(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let sent = uploaded::verify(call, &body)?;
    let now = shared.now();
    let mut account = shared.account();
    let checksum = sent.or(account.default_checksum);
    let bucket = bucket_mut(&mut account, call)?;
    check_write_conditions(call, bucket)?;
    let checksum = checksum.map(|algorithm| (algorithm, ChecksumKind::FullObject));
    let traits = uploaded::traits(call, checksum)?;
    let stored = Arc::new(Stored::new(Content::Bytes(body), None, Arc::new(traits)));
    let mut version = Version::of(Arc::clone(&stored), now);
    uploaded::hold(call, bucket, &mut version)?;
    let version = bucket.put(call.key(), version);
    Ok(written(empty(200), bucket, &version, &stored))
}

/// CopyObject within the account: a single PUT of the source's bytes.
pub fn copy(shared: &Shared, call: &Call) -> Outcome {
    let source = call.header("x-amz-copy-source").unwrap_or_default();
    let (path, id) = match source.split_once("?versionId=") {
        Some((path, id)) => (path, Some(id)),
        None => (source, None),
    };
    let path = percent_decode_str(path).decode_utf8_lossy();
    let (from, key) = path
        .trim_start_matches('/')
        .split_once('/')
        .ok_or_else(|| Refusal::argument("Invalid copy source object key"))?;
    let now = shared.now();
    let mut account = shared.account();
    let account_id = account.id.clone();
    let default = account.default_checksum;
    let source_bucket = account
        .buckets
        .get(from)
        .ok_or_else(|| Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist"))?;
    if source_bucket.owner != account_id
        || is_refused(source_bucket, call, "s3:GetObject", Some(key))
    {
        return Err(Refusal::denied());
    }
    let found = source_bucket.version(key, id);
    let version = found.ok_or_else(|| Refusal::no_such_key(key))?;
    let source = version.stored.clone().ok_or_else(|| Refusal::no_such_key(key))?;
    if !version.is_readable(now) {
        return Err(super::read::archived(&version, now));
    }
    let mut traits = uploaded::traits(call, None)?;
    if call.header("x-amz-metadata-directive") != Some("REPLACE") {
        traits.headers = source.traits.headers.clone();
        traits.metadata = source.traits.metadata.clone();
    }
    traits.checksum = source
        .traits
        .checksum
        .map(|(algorithm, _)| algorithm)
        .or(default)
        .map(|algorithm| (algorithm, ChecksumKind::FullObject));
    let stored = Arc::new(Stored::new(source.content.clone(), None, Arc::new(traits)));
    let bucket = bucket_mut(&mut account, call)?;
    check_write_conditions(call, bucket)?;
    let mut copy = Version::of(Arc::clone(&stored), now);
    uploaded::hold(call, bucket, &mut copy)?;
    if call.header("x-amz-tagging-directive") != Some("REPLACE") {
        copy.tags = Arc::clone(&version.tags);
    }
    let copy = bucket.put(call.key(), copy);
    let mut page = Xml::document();
    page.open_root("CopyObjectResult", S3_NAMESPACE);
    page.text("ETag", &format!("\"{}\"", stored.etag()));
    page.text("LastModified", &xml_date(now)).close("CopyObjectResult");
    Ok(written(xml(page.finish()), bucket, &copy, &stored))
}

/// If-None-Match: * and If-Match on writes.
///
/// # Errors
/// 412, or 404 for If-Match on a key that is not there.
pub fn check_write_conditions(call: &Call, bucket: &Bucket) -> Result<(), Refusal> {
    let current = bucket.current(call.key());
    let stored = current.as_ref().and_then(|version| version.stored.as_ref());
    if call.header("if-none-match") == Some("*") && stored.is_some() {
        return Err(Refusal::precondition("If-None-Match"));
    }
    match (call.header("if-match"), stored) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Refusal::no_such_key(call.key())),
        (Some(wanted), Some(stored)) if unquoted(wanted) == stored.etag() => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::precondition("If-Match")),
    }
}

/// The headers of an answer to a write.
pub fn written(mut answer: Answer, bucket: &Bucket, version: &Version, stored: &Stored) -> Answer {
    set_header(&mut answer, "etag", &format!("\"{}\"", stored.etag()));
    if bucket.versioning != Versioning::Off {
        set_header(&mut answer, "x-amz-version-id", version.id());
    }
    if let Some((algorithm, kind, value)) = stored.checksum() {
        set_header(&mut answer, &algorithm.header(), value);
        set_header(&mut answer, "x-amz-checksum-type", kind.name());
    }
    if let Some(sse) = stored.traits.sse.as_deref().filter(|&sse| sse != "customer") {
        set_header(&mut answer, "x-amz-server-side-encryption", sse);
    }
    answer
}
