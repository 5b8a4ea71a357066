//! What comes with an upload: checksums to verify, and the traits that the object will have.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

use crate::account::{Bucket, Traits, Version};
use crate::call::Call;
use crate::content::Content;
use crate::digest::{self, Algorithm, ChecksumKind};
use crate::refusal::Refusal;
use crate::world::{RetentionMode, RetentionSpec};

/// Checks Content-MD5 and every checksum that came along; tells which algorithm that was.
///
/// # Errors
/// 400 `BadDigest`, `InvalidDigest` or `InvalidRequest`.
pub fn verify(call: &Call, body: &Bytes) -> Result<Option<Algorithm>, Refusal> {
    let content = Content::Bytes(body.clone());
    if let Some(md5) = call.header("content-md5") {
        let wanted = BASE64.decode(md5).ok().filter(|digest| digest.len() == 16);
        let wanted = wanted.ok_or_else(|| {
            Refusal::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
        })?;
        if digest::digest(&content, Algorithm::Md5, 0, content.size()) != Some(wanted) {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(Refusal::new(400, "BadDigest", message));
        }
    }
    let mut found = None;
    for algorithm in Algorithm::ALL {
        let Some(value) = call.header(&algorithm.header()) else { continue };
        let computed = digest::part_checksum(&content, algorithm, 0, content.size());
        if computed.is_some_and(|computed| computed != value) {
            let message = format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            );
            return Err(Refusal::new(400, "BadDigest", message));
        }
        found = Some(algorithm);
    }
    let announced = call
        .header("x-amz-sdk-checksum-algorithm")
        .or_else(|| call.header("x-amz-checksum-algorithm"))
        .and_then(Algorithm::named);
    if found.is_none() && announced.is_some() {
        let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding \
                       x-amz-checksum-* or x-amz-trailer headers were found.";
        return Err(Refusal::new(400, "InvalidRequest", message));
    }
    Ok(found)
}

/// The storage classes that may be written.
const CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "GLACIER_IR",
];

/// What the headers of an upload say the object will be like.
///
/// # Errors
/// 400 for a storage class that S3 has not.
pub fn traits(call: &Call, checksum: Option<(Algorithm, ChecksumKind)>) -> Result<Traits, Refusal> {
    let class = call.header("x-amz-storage-class").unwrap_or("STANDARD");
    if !CLASSES.contains(&class) {
        let message = "The storage class you specified is not valid";
        return Err(Refusal::new(400, "InvalidStorageClass", message));
    }
    let mut headers = BTreeMap::new();
    for name in [
        "content-type",
        "content-encoding",
        "content-disposition",
        "content-language",
        "cache-control",
        "expires",
        "x-amz-website-redirect-location",
    ] {
        if let Some(value) = call.header(name) {
            // The SDKs mark their own framing of the body, which is none of the object's.
            let value = value.strip_prefix("aws-chunked").unwrap_or(value);
            let value = value.trim_start_matches(',').trim();
            if !value.is_empty() {
                headers.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    let metadata = call.headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("x-amz-meta-")?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    let sse_c = call.header("x-amz-server-side-encryption-customer-algorithm").map(|_| "customer");
    let sse = sse_c.or_else(|| call.header("x-amz-server-side-encryption")).unwrap_or("AES256");
    Ok(Traits {
        class: class.to_owned(),
        sse: Some(sse.to_owned()),
        headers,
        metadata: metadata.collect(),
        annotations: BTreeMap::new(),
        checksum,
        stated_checksum: None,
        stated_etag: None,
    })
}

/// Puts the tags and locks of an upload's headers on a version.
///
/// # Errors
/// 400 for locks in a bucket without Object Lock, or half a retention.
pub fn hold(call: &Call, bucket: &Bucket, version: &mut Version) -> Result<(), Refusal> {
    version.tags = tags(call);
    let hold = call.header("x-amz-object-lock-legal-hold");
    let mode = call.header("x-amz-object-lock-mode");
    let until = call.header("x-amz-object-lock-retain-until-date");
    if !bucket.object_lock && (hold.is_some() || mode.is_some() || until.is_some()) {
        let message = "Bucket is missing Object Lock Configuration";
        return Err(Refusal::new(400, "InvalidRequest", message));
    }
    version.legal_hold = hold == Some("ON");
    version.retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => Some(RetentionSpec {
            mode: match mode {
                "GOVERNANCE" => RetentionMode::Governance,
                "COMPLIANCE" => RetentionMode::Compliance,
                _ => return Err(Refusal::argument("Unknown wormMode directive.")),
            },
            until: until
                .parse()
                .map_err(|_| Refusal::argument("The retain until date is no date"))?,
        }),
        _ => {
            let message = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must \
                           both be supplied";
            return Err(Refusal::argument(message));
        }
    };
    Ok(())
}

/// The tags of an upload's header.
pub fn tags(call: &Call) -> Arc<BTreeMap<String, String>> {
    let header = call.header("x-amz-tagging").unwrap_or_default();
    Arc::new(crate::call::decode_query(header).into_iter().collect())
}
