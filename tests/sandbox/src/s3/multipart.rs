//! Multipart uploads: begun, filled, listed, finished or given up.

use std::sync::Arc;

use bytes::BytesMut;
use s3s::dto::CompletedMultipartUpload;

use super::{bucket, bucket_mut, canonical_id, document, uploaded, write};
use crate::account::{Account, Stored, Upload, Version, version_id};
use crate::call::{Call, Outcome, empty, set_header, unquoted, xml};
use crate::clock::xml_date;
use crate::content::{Content, mix, seed_of};
use crate::digest::{self, Algorithm, ChecksumKind};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::xml::{S3_NAMESPACE, Xml};

/// Every part but the last has at least this many bytes.
const LEAST_PART: u64 = 5 << 20;

/// CreateMultipartUpload.
pub fn create(shared: &Shared, call: &Call) -> Outcome {
    let checksum = asked_checksum(call)?;
    let traits = uploaded::traits(call, checksum)?;
    let now = shared.now();
    let mut account = shared.account();
    let bucket = bucket_mut(&mut account, call)?;
    let mut probe = Version::marker(now);
    uploaded::hold(call, bucket, &mut probe)?;
    let mut upload = Upload::new(call.key(), traits, now);
    upload.tags = probe.tags;
    let mut seed = mix(seed_of(&format!("{}/{}", call.bucket(), call.key())));
    while bucket.uploads.contains_key(&*version_id(seed)) {
        seed = mix(seed);
    }
    let id = version_id(seed);
    bucket.uploads.insert(id.to_string(), upload);
    let mut page = Xml::document();
    page.open_root("InitiateMultipartUploadResult", S3_NAMESPACE);
    page.text("Bucket", call.bucket()).text("Key", call.key()).text("UploadId", &id);
    page.close("InitiateMultipartUploadResult");
    let mut answer = xml(page.finish());
    if let Some((algorithm, kind)) = checksum {
        set_header(&mut answer, "x-amz-checksum-algorithm", algorithm.name());
        set_header(&mut answer, "x-amz-checksum-type", kind.name());
    }
    Ok(answer)
}

fn asked_checksum(call: &Call) -> Result<Option<(Algorithm, ChecksumKind)>, Refusal> {
    let Some(name) = call.header("x-amz-checksum-algorithm") else { return Ok(None) };
    let algorithm = Algorithm::named(name).ok_or_else(|| {
        Refusal::new(400, "InvalidRequest", "Checksum algorithm provided is unsupported.")
    })?;
    let kind = match call.header("x-amz-checksum-type") {
        Some("FULL_OBJECT") => ChecksumKind::FullObject,
        Some("COMPOSITE") => ChecksumKind::Composite,
        None if algorithm == Algorithm::Crc64nvme => ChecksumKind::FullObject,
        None => ChecksumKind::Composite,
        Some(_) => return Err(Refusal::argument("Value for x-amz-checksum-type is invalid")),
    };
    let is_offered = match kind {
        ChecksumKind::FullObject => algorithm.is_crc(),
        ChecksumKind::Composite => algorithm != Algorithm::Crc64nvme,
    };
    if !is_offered {
        let message = format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.name()
        );
        return Err(Refusal::new(400, "InvalidRequest", message));
    }
    Ok(Some((algorithm, kind)))
}

/// UploadPart.
pub async fn put_part(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let sent = uploaded::verify(call, &body)?;
    let number = call.query("partNumber").and_then(|number| number.parse().ok());
    let number: u64 = number.filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
        Refusal::argument("Part number must be an integer between 1 and 10000, inclusive")
    })?;
    let now = shared.now();
    let mut account = shared.account();
    let upload = upload_mut(&mut account, call)?;
    if let (Some(sent), Some((wanted, _))) = (sent, upload.checksum())
        && sent != wanted
    {
        let message = format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            wanted.name().to_lowercase(),
            sent.name().to_lowercase()
        );
        return Err(Refusal::new(400, "InvalidRequest", message));
    }
    let content = Content::Bytes(body);
    let mut answer = empty(200);
    if let Some(algorithm) = sent
        && let Some(value) = digest::part_checksum(&content, algorithm, 0, content.size())
    {
        set_header(&mut answer, &algorithm.header(), &value);
    }
    let etag = upload.put_part(number, content, now);
    set_header(&mut answer, "etag", &format!("\"{etag}\""));
    Ok(answer)
}

/// CompleteMultipartUpload: every named part must be there, in order and large enough.
pub async fn complete(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let wanted: CompletedMultipartUpload = document(&body)?;
    let wanted = wanted.parts.filter(|parts| !parts.is_empty()).ok_or_else(Refusal::malformed)?;
    let now = shared.now();
    let mut account = shared.account();
    let default = account.default_checksum;
    let upload = upload_mut(&mut account, call)?.clone();

    let mut bytes = BytesMut::new();
    let mut sizes = Vec::new();
    let mut last = 0;
    for (place, part) in wanted.iter().enumerate() {
        let number = part.part_number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        let known = upload.parts.get(&number);
        let etag = part.e_tag.as_ref().map(s3s::dto::ETag::value).unwrap_or_default();
        let known = known.filter(|known| known.etag == unquoted(etag)).ok_or_else(|| {
            let message = "One or more of the specified parts could not be found.  The part may \
                           not have been uploaded, or the specified entity tag may not match the \
                           part's entity tag.";
            Refusal::new(400, "InvalidPart", message).detail("PartNumber", number.to_string())
        })?;
        if number <= last {
            let message = "The list of parts was not in ascending order. Parts must be ordered by \
                           part number.";
            return Err(Refusal::new(400, "InvalidPartOrder", message));
        }
        last = number;
        let size = known.content.size();
        if size < LEAST_PART && place + 1 < wanted.len() {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            return Err(Refusal::new(400, "EntityTooSmall", message)
                .detail("ProposedSize", size.to_string())
                .detail("PartNumber", number.to_string()));
        }
        bytes.extend_from_slice(&known.content.read(0, size));
        sizes.push(size);
    }
    let mut traits = upload.traits.clone();
    traits.checksum = traits.checksum.or(default.map(|algorithm| {
        let full = algorithm.is_crc();
        (algorithm, if full { ChecksumKind::FullObject } else { ChecksumKind::Composite })
    }));
    let content = Content::Bytes(bytes.freeze());
    let stored = Arc::new(Stored::new(content, Some(sizes), Arc::new(traits)));
    let bucket = bucket_mut(&mut account, call)?;
    write::check_write_conditions(call, bucket)?;
    bucket.uploads.remove(call.query("uploadId").unwrap_or_default());
    let mut version = Version::of(Arc::clone(&stored), now);
    version.tags = Arc::clone(&upload.tags);
    let version = bucket.put(call.key(), version);

    let mut page = Xml::document();
    page.open_root("CompleteMultipartUploadResult", S3_NAMESPACE);
    page.text("Location", &format!("/{}/{}", call.bucket(), call.key()));
    page.text("Bucket", call.bucket()).text("Key", call.key());
    page.text("ETag", &format!("\"{}\"", stored.etag()));
    if let Some((algorithm, kind, value)) = stored.checksum() {
        page.text(&format!("Checksum{}", algorithm.name()), value);
        page.text("ChecksumType", kind.name());
    }
    page.close("CompleteMultipartUploadResult");
    Ok(write::written(xml(page.finish()), bucket, &version, &stored))
}

/// AbortMultipartUpload.
pub fn abort(shared: &Shared, call: &Call) -> Outcome {
    let mut account = shared.account();
    upload_mut(&mut account, call)?;
    let id = call.query("uploadId").unwrap_or_default();
    bucket_mut(&mut account, call)?.uploads.remove(id);
    Ok(empty(204))
}

/// ListParts.
pub fn list_parts(shared: &Shared, call: &Call) -> Outcome {
    let marker = call.number("part-number-marker", 0, u64::MAX)?;
    let most = call.number("max-parts", 1000, 1000)? as usize;
    let mut account = shared.account();
    let owner = canonical_id(&bucket(&account, call)?.owner);
    let upload = upload_mut(&mut account, call)?;
    let mut parts = upload.parts.range(marker + 1..).peekable();
    let mut page = Xml::document();
    page.open_root("ListPartsResult", S3_NAMESPACE);
    page.text("Bucket", call.bucket()).text("Key", call.key());
    page.text("UploadId", call.query("uploadId").unwrap_or_default());
    page.show("PartNumberMarker", marker).show("MaxParts", most);
    let mut last = marker;
    for (number, part) in parts.by_ref().take(most) {
        page.open("Part").show("PartNumber", number);
        page.text("LastModified", &xml_date(part.modified));
        page.text("ETag", &format!("\"{}\"", part.etag));
        page.show("Size", part.content.size()).close("Part");
        last = *number;
    }
    page.show("NextPartNumberMarker", last).show("IsTruncated", parts.peek().is_some());
    page.text("StorageClass", &upload.traits.class);
    page.open("Owner").text("ID", &owner).close("Owner").close("ListPartsResult");
    Ok(xml(page.finish()))
}

/// ListMultipartUploads, by key and then by age.
pub fn list(shared: &Shared, call: &Call) -> Outcome {
    let most = call.number("max-uploads", 1000, 1000)? as usize;
    let prefix = call.query("prefix").unwrap_or_default();
    let key_marker = call.query("key-marker").unwrap_or_default();
    let id_marker = call.query("upload-id-marker").unwrap_or_default();
    let url = call.query("encoding-type") == Some("url");
    let coded = |text: &str| {
        if url { super::listing::url_coded(text) } else { text.to_owned() }
    };
    let account = shared.account();
    let bucket = bucket(&account, call)?;
    let mut uploads: Vec<(&String, &Upload)> =
        bucket.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)).collect();
    uploads.sort_by(|(a_id, a), (b_id, b)| {
        (&a.key, a.initiated, a_id).cmp(&(&b.key, b.initiated, b_id))
    });
    if !key_marker.is_empty() {
        let at_marker = uploads.iter().position(|(id, upload)| {
            upload.key == key_marker && !id_marker.is_empty() && id.as_str() == id_marker
        });
        match at_marker {
            Some(place) => {
                uploads.drain(..=place);
            }
            None => uploads.retain(|(_, upload)| upload.key.as_str() > key_marker),
        }
    }
    let is_truncated = uploads.len() > most;
    uploads.truncate(most);
    let owner = canonical_id(&bucket.owner);
    let mut page = Xml::document();
    page.open_root("ListMultipartUploadsResult", S3_NAMESPACE);
    page.text("Bucket", call.bucket()).text("KeyMarker", &coded(key_marker));
    page.text("UploadIdMarker", id_marker);
    if let (true, Some((id, upload))) = (is_truncated, uploads.last()) {
        page.text("NextKeyMarker", &coded(&upload.key)).text("NextUploadIdMarker", id);
    }
    page.text("Prefix", &coded(prefix)).show("MaxUploads", most);
    page.maybe("EncodingType", url.then_some("url")).show("IsTruncated", is_truncated);
    for (id, upload) in uploads {
        page.open("Upload").text("Key", &coded(&upload.key)).text("UploadId", id);
        for who in ["Initiator", "Owner"] {
            page.open(who).text("ID", &owner).close(who);
        }
        page.text("StorageClass", &upload.traits.class);
        page.text("Initiated", &xml_date(upload.initiated)).close("Upload");
    }
    page.close("ListMultipartUploadsResult");
    Ok(xml(page.finish()))
}

fn upload_mut<'a>(account: &'a mut Account, call: &Call) -> Result<&'a mut Upload, Refusal> {
    let id = call.query("uploadId").unwrap_or_default();
    let upload = bucket_mut(account, call)?.uploads.get_mut(id);
    upload.filter(|upload| upload.key == call.key()).ok_or_else(|| {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the \
                       upload may have been aborted or completed.";
        Refusal::new(404, "NoSuchUpload", message).detail("UploadId", id)
    })
}
