//! GetObjectAttributes, an object's tags, annotations and ACL.

use std::collections::BTreeMap;
use std::sync::Arc;

use s3s::dto::Tagging;

use super::config::owners_acl;
use super::read::find;
use super::{bucket, bucket_mut, document};
use crate::account::Stored;
use crate::call::{Answer, Call, Outcome, empty, set_header, xml};
use crate::clock::{http_date, xml_date};
use crate::digest::{self, ChecksumKind};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::world::Versioning;
use crate::xml::{S3_NAMESPACE, Xml};

/// GetObjectAttributes. The list of parts is there only for objects with an additional checksum.
pub fn get(shared: &Shared, call: &Call) -> Outcome {
    let names = call.list("x-amz-object-attributes");
    const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
    if names.is_empty() || !names.iter().all(|name| KNOWN.contains(name)) {
        return Err(Refusal::argument("Invalid attribute name specified."));
    }
    let found = find(shared, call)?;
    let stored = &found.stored;
    let mut page = Xml::document();
    page.open_root("GetObjectAttributesResponse", S3_NAMESPACE);
    if names.contains(&"ETag") {
        page.text("ETag", stored.etag());
    }
    if names.contains(&"Checksum")
        && let Some((algorithm, kind, value)) = stored.checksum()
    {
        page.open("Checksum").text(&format!("Checksum{}", algorithm.name()), value);
        page.text("ChecksumType", kind.name()).close("Checksum");
    }
    if names.contains(&"ObjectParts")
        && let Some(parts) = &stored.parts
    {
        object_parts(&mut page, call, stored, parts)?;
    }
    if names.contains(&"StorageClass") && stored.traits.class != "STANDARD" {
        page.text("StorageClass", &stored.traits.class);
    }
    if names.contains(&"ObjectSize") {
        page.show("ObjectSize", stored.content.size());
    }
    page.close("GetObjectAttributesResponse");
    let mut answer = xml(page.finish());
    set_header(&mut answer, "last-modified", &http_date(found.version.modified));
    if found.shows_versions {
        set_header(&mut answer, "x-amz-version-id", found.version.id());
    }
    Ok(answer)
}

fn object_parts(
    page: &mut Xml,
    call: &Call,
    stored: &Stored,
    parts: &[u64],
) -> Result<(), Refusal> {
    let number = |name: &str, default: usize| match call.header(name) {
        None => Ok(default),
        Some(text) => {
            text.parse::<usize>().map_err(|_| Refusal::argument(format!("{name} is not a number")))
        }
    };
    page.open("ObjectParts");
    if let Some((algorithm, kind, _)) = stored.checksum() {
        let marker = number("x-amz-part-number-marker", 0)?;
        let most = number("x-amz-max-parts", 1000)?.min(1000);
        let shown = parts.len().saturating_sub(marker).min(most);
        page.show("PartNumberMarker", marker).show("NextPartNumberMarker", marker + shown);
        page.show("MaxParts", most).show("IsTruncated", marker + shown < parts.len());
        let mut offset: u64 = parts.iter().take(marker).sum();
        for (place, size) in parts.iter().enumerate().skip(marker).take(shown) {
            page.open("Part").show("PartNumber", place + 1).show("Size", size);
            if kind == ChecksumKind::Composite {
                let value = digest::part_checksum(&stored.content, algorithm, offset, *size);
                page.maybe(&format!("Checksum{}", algorithm.name()), value.as_deref());
            }
            page.close("Part");
            offset += size;
        }
    }
    page.show("PartsCount", parts.len()).close("ObjectParts");
    Ok(())
}

/// GetObjectTagging.
pub fn tagging(shared: &Shared, call: &Call) -> Outcome {
    let found = find(shared, call)?;
    let mut page = Xml::document();
    page.open_root("Tagging", S3_NAMESPACE).open("TagSet");
    for (key, value) in &*found.version.tags {
        page.open("Tag").text("Key", key).text("Value", value).close("Tag");
    }
    page.close("TagSet").close("Tagging");
    let mut answer = xml(page.finish());
    if found.shows_versions {
        set_header(&mut answer, "x-amz-version-id", found.version.id());
    }
    Ok(answer)
}

/// PutObjectTagging.
pub async fn put_tagging(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let tagging: Tagging = document(&body)?;
    let mut tags = BTreeMap::new();
    for tag in tagging.tag_set {
        let key = tag.key.filter(|key| !key.is_empty()).ok_or_else(Refusal::malformed)?;
        if tags.insert(key, tag.value.unwrap_or_default()).is_some() {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(Refusal::new(400, "InvalidTag", message));
        }
    }
    if tags.len() > 10 {
        return Err(Refusal::new(400, "BadRequest", "Object tags cannot be greater than 10"));
    }
    retag(shared, call, tags, 200)
}

/// DeleteObjectTagging.
pub fn delete_tagging(shared: &Shared, call: &Call) -> Outcome {
    retag(shared, call, BTreeMap::new(), 204)
}

fn retag(shared: &Shared, call: &Call, tags: BTreeMap<String, String>, status: u16) -> Outcome {
    find(shared, call)?;
    let mut account = shared.account();
    let bucket = bucket_mut(&mut account, call)?;
    let shows_versions = bucket.versioning != Versioning::Off;
    let id = bucket.edit(call.key(), call.target.version_id(), |version| {
        version.tags = Arc::new(tags);
        version.id().to_owned()
    });
    Ok(with_version(empty(status), id.filter(|_| shows_versions)))
}

/// GetObjectAcl: everything to the owner.
pub fn acl(shared: &Shared, call: &Call) -> Outcome {
    find(shared, call)?;
    let account = shared.account();
    Ok(xml(owners_acl(&bucket(&account, call)?.owner)))
}

/// ListObjectAnnotations, all on one page.
pub fn annotations(shared: &Shared, call: &Call) -> Outcome {
    let found = find(shared, call)?;
    let prefix = call.query("annotation-prefix").unwrap_or_default();
    let all = &found.stored.traits.annotations;
    let shown: Vec<_> = all.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    let mut page = Xml::document();
    page.open_root("ListObjectAnnotationsOutput", S3_NAMESPACE);
    page.text("Bucket", call.bucket()).text("Key", call.key());
    page.show("AnnotationCount", shown.len()).open("Annotations");
    for (name, text) in shown {
        page.open("AnnotationEntry").text("AnnotationName", name);
        page.text("LastModified", &xml_date(found.version.modified));
        page.show("Size", text.len()).close("AnnotationEntry");
    }
    page.close("Annotations").close("ListObjectAnnotationsOutput");
    Ok(xml(page.finish()))
}

/// GetObjectAnnotation.
pub fn annotation(shared: &Shared, call: &Call) -> Outcome {
    let found = find(shared, call)?;
    let name = call.query("annotationName").unwrap_or_default();
    let text = found.stored.traits.annotations.get(name).ok_or_else(|| {
        Refusal::new(404, "NoSuchAnnotation", "The specified annotation does not exist.")
    })?;
    Ok(http::Response::new(s3s::Body::from(text.clone())))
}

fn with_version(mut answer: Answer, id: Option<String>) -> Answer {
    if let Some(id) = id {
        set_header(&mut answer, "x-amz-version-id", &id);
    }
    answer
}
