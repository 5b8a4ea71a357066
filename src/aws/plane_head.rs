//! Reads the head of a GET's answer from its headers, as the SDK would.

use std::collections::BTreeMap;

use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::object::{Head, suffix_type};
use super::parse::{read_content_range, read_restore_header};
use crate::model::{ChecksumType, ETag, ObjectHeaders, StorageClass};

/// S3's checksum headers and the algorithms' names.
const CHECKSUMS: [(&str, &str); 10] = [
    ("x-amz-checksum-crc32", "CRC32"),
    ("x-amz-checksum-crc32c", "CRC32C"),
    ("x-amz-checksum-crc64nvme", "CRC64NVME"),
    ("x-amz-checksum-sha1", "SHA1"),
    ("x-amz-checksum-sha256", "SHA256"),
    ("x-amz-checksum-sha512", "SHA512"),
    ("x-amz-checksum-md5", "MD5"),
    ("x-amz-checksum-xxhash64", "XXHASH64"),
    ("x-amz-checksum-xxhash3", "XXHASH3"),
    ("x-amz-checksum-xxhash128", "XXHASH128"),
];
/// Before the names of a user's own metadata.
const METADATA: &str = "x-amz-meta-";

/// What an answer says of the object, and the length of its body. `None` where it is not what was
/// asked for, or where anything in it is odd.
pub(crate) fn read(
    headers: &Headers,
    status: u16,
    range: Option<(u64, u64)>,
) -> Option<(Head, u64)> {
    let length: u64 = headers.get("content-length")?.parse().ok()?;
    let size = match range {
        None => (status == 200).then_some(length)?,
        Some((first, end)) => {
            let got = read_content_range(headers.get("content-range")?).ok()?;
            let right = status == 206 && (got.first, got.end) == (first, end);
            (right && length == end - first).then_some(got.total)?
        }
    };
    // A header that is no text would read otherwise through the SDK.
    if headers.iter_bytes().any(|(_, value)| !value.is_ascii()) {
        return None;
    }
    let etag = ETag::new(headers.get("etag")?);
    let head = Head {
        etag: (!etag.as_str().is_empty()).then_some(etag)?,
        size,
        last_modified_ms: millis(headers.get("last-modified")?, Format::HttpDate)?,
        class: StorageClass::new(headers.get("x-amz-storage-class").unwrap_or_default()),
        thaw: read_restore_header(headers.get("x-amz-restore")).ok()?,
        headers: object_headers(headers)?,
        version_id: text(headers, "x-amz-version-id"),
        parts_count: number(headers, "x-amz-mp-parts-count")?,
    };
    Some((head, length))
}

fn object_headers(headers: &Headers) -> Option<ObjectHeaders> {
    let checksums: BTreeMap<String, String> = CHECKSUMS
        .into_iter()
        .filter_map(|(header, name)| Some((name.to_owned(), text(headers, header)?)))
        .collect();
    let metadata = headers.iter().filter_map(|(name, value)| {
        Some((name.strip_prefix(METADATA)?.to_owned(), value.to_owned()))
    });
    let checksum_type = match headers.get("x-amz-checksum-type") {
        None => suffix_type(&checksums),
        Some("FULL_OBJECT") => Some(ChecksumType::FullObject),
        Some("COMPOSITE") => Some(ChecksumType::Composite),
        Some(_) => return None,
    };
    let retain_until = headers.get("x-amz-object-lock-retain-until-date");
    Some(ObjectHeaders {
        content_type: text(headers, "content-type"),
        content_encoding: text(headers, "content-encoding"),
        content_language: text(headers, "content-language"),
        content_disposition: text(headers, "content-disposition"),
        cache_control: text(headers, "cache-control"),
        expires: text(headers, "expires"),
        website_redirect: text(headers, "x-amz-website-redirect-location"),
        metadata: metadata.collect(),
        tag_count: number(headers, "x-amz-tagging-count")?.unwrap_or(0),
        tags: None,
        checksum_type,
        checksums,
        encryption: text(headers, "x-amz-server-side-encryption"),
        kms_key: text(headers, "x-amz-server-side-encryption-aws-kms-key-id"),
        customer_key: headers.contains_key("x-amz-server-side-encryption-customer-algorithm"),
        part_sizes: Vec::new(),
        lock_mode: text(headers, "x-amz-object-lock-mode"),
        retain_until_ms: match retain_until {
            Some(date) => Some(millis(date, Format::DateTime)?),
            None => None,
        },
        legal_hold: headers.get("x-amz-object-lock-legal-hold").map(|hold| hold != "OFF"),
        replication_status: text(headers, "x-amz-replication-status"),
        archive_status: None,
    })
}

fn text(headers: &Headers, name: &str) -> Option<String> {
    headers.get(name).map(str::to_owned)
}

/// `None` where there is something that is no number.
fn number(headers: &Headers, name: &str) -> Option<Option<u32>> {
    match headers.get(name) {
        Some(value) => value.parse().ok().map(Some),
        None => Some(None),
    }
}

fn millis(date: &str, format: Format) -> Option<i64> {
    DateTime::from_str(date, format).ok()?.to_millis().ok()
}
