//! DeleteObject and DeleteObjects, with their conditions.

use s3s::dto::Delete;

use super::{bucket_mut, document};
use crate::account::{Bucket, Removed};
use crate::call::{Call, Outcome, Target, empty, set_header, unquoted, xml};
use crate::fault::Effect;
use crate::gate::is_refused;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::witness::{Deletion, Pin};
use crate::world::Versioning;
use crate::xml::{S3_NAMESPACE, Xml};

/// So many entries a batch may have.
const MOST_ENTRIES: usize = 1000;

/// One thing to delete.
struct Wanted<'a> {
    key: &'a str,
    version: Option<&'a str>,
    etag: Option<&'a str>,
    obeys_etag: bool,
    bypass: bool,
}

/// DeleteObject. What is not there counts as deleted, unless a condition asks for it.
pub fn one(shared: &Shared, call: &Call) -> Outcome {
    let mut account = shared.account();
    let bucket = bucket_mut(&mut account, call)?;
    if call.target.version_id().is_some() {
        check_mfa(call, bucket)?;
    }
    let wanted = Wanted {
        key: call.key(),
        version: call.target.version_id(),
        etag: call.header("if-match"),
        obeys_etag: !bucket.modes.ignore_delete_condition,
        bypass: bypasses(call),
    };
    let removed = remove(shared, call, bucket, &wanted)?;
    let mut answer = empty(204);
    let shows_versions = bucket.versioning != Versioning::Off;
    if let Some(marker) = &removed.marker {
        set_header(&mut answer, "x-amz-delete-marker", "true");
        set_header(&mut answer, "x-amz-version-id", marker.id());
    } else if let (true, Some(id)) = (shows_versions, wanted.version) {
        set_header(&mut answer, "x-amz-version-id", id);
        if removed.version.is_some_and(|version| version.is_marker()) {
            set_header(&mut answer, "x-amz-delete-marker", "true");
        }
    }
    Ok(answer)
}

/// DeleteObjects: 200 whatever happens to the entries, each with its own word.
pub async fn batch(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let has_digest = call.header("content-md5").is_some()
        || call.headers.keys().any(|name| {
            let name = name.as_str();
            name.starts_with("x-amz-checksum-") && name != "x-amz-checksum-algorithm"
        });
    if !has_digest {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(Refusal::new(400, "InvalidRequest", message));
    }
    super::uploaded::verify(call, &body)?;
    let mut batch: Delete = document(stand_ins(&String::from_utf8_lossy(&body)).as_bytes())?;
    batch.objects.iter_mut().for_each(|object| object.key = originals(&object.key));
    if batch.objects.is_empty() || batch.objects.len() > MOST_ENTRIES {
        return Err(Refusal::malformed());
    }
    let quiet = batch.quiet.unwrap_or(false);
    // A rule may refuse one entry of a batch: it is met as an operation of its own.
    let struck: Vec<Option<Refusal>> =
        batch.objects.iter().map(|object| strike(shared, call, &object.key)).collect();
    let mut account = shared.account();
    let bucket = bucket_mut(&mut account, call)?;
    if batch.objects.iter().any(|object| object.version_id.is_some()) {
        check_mfa(call, bucket)?;
    }
    let bypass = bypasses(call);
    let mut page = Xml::document();
    page.open_root("DeleteResult", S3_NAMESPACE);
    for (object, struck) in batch.objects.iter().zip(struck) {
        let version = object.version_id.as_deref().filter(|id| !id.is_empty());
        let wanted = Wanted {
            key: &object.key,
            version,
            etag: object.e_tag.as_ref().map(s3s::dto::ETag::value),
            obeys_etag: !bucket.modes.ignore_batch_delete_condition,
            bypass,
        };
        let outcome = if let Some(refusal) = struck {
            Err(refusal)
        } else if is_carried_by_xml(&object.key) {
            allowed(call, bucket, &wanted).and_then(|()| remove(shared, call, bucket, &wanted))
        } else {
            Ok(Removed::default())
        };
        match outcome {
            Err(refusal) => {
                page.open("Error").text("Key", &object.key).maybe("VersionId", version);
                page.text("Code", &refusal.code).text("Message", &refusal.message).close("Error");
            }
            Ok(_) if quiet => {}
            Ok(removed) => {
                page.open("Deleted").text("Key", &object.key).maybe("VersionId", version);
                let was_marker = removed.version.as_ref().is_some_and(|gone| gone.is_marker());
                let marker = removed.marker.as_ref().map(|marker| marker.id());
                let marker = marker.or(version.filter(|_| was_marker));
                if let Some(id) = marker {
                    page.text("DeleteMarker", "true").text("DeleteMarkerVersionId", id);
                }
                page.close("Deleted");
            }
        }
    }
    page.close("DeleteResult");
    Ok(xml(page.finish()))
}

/// What the rules say about one entry of a batch.
fn strike(shared: &Shared, call: &Call, key: &str) -> Option<Refusal> {
    let target = Target { key: Some(key.to_owned()), ..call.target.clone() };
    let effects = shared.faults.strike("DeleteEntry", &target, &call.user);
    effects.into_iter().find_map(|effect| match effect {
        Effect::Answer { status, code, message } => Some(Refusal::new(status, code, message)),
        _ => None,
    })
}

fn allowed(call: &Call, bucket: &Bucket, wanted: &Wanted) -> Result<(), Refusal> {
    let action = match wanted.version {
        None => "s3:DeleteObject",
        Some(_) => "s3:DeleteObjectVersion",
    };
    if is_refused(bucket, call, action, Some(wanted.key)) {
        return Err(Refusal::denied());
    }
    Ok(())
}

fn remove(
    shared: &Shared,
    call: &Call,
    bucket: &mut Bucket,
    wanted: &Wanted,
) -> Result<Removed, Refusal> {
    let Wanted { key, version, etag, obeys_etag, bypass } = *wanted;
    if let (Some(etag), true) = (etag, obeys_etag) {
        check_condition(call, bucket, key, etag)?;
    }
    let now = shared.now();
    if let Some(doomed) = version.and_then(|id| bucket.version(key, Some(id))) {
        let may_bypass =
            bypass && !is_refused(bucket, call, "s3:BypassGovernanceRetention", Some(key));
        if doomed.is_held(now, may_bypass) {
            let message = "Access Denied because object protected by object lock.";
            return Err(Refusal::new(403, "AccessDenied", message));
        }
    }
    let removed = bucket.delete(key, version, now);
    if let Some(gone) = &removed.version {
        let stored = gone.stored.as_ref();
        shared.witness.deleted(Deletion {
            pin: Pin {
                bucket: bucket.name.clone(),
                key: key.to_owned(),
                version_id: gone.id().to_owned(),
                etag: stored.map(|stored| stored.etag().to_owned()).unwrap_or_default(),
            },
            size: stored.map_or(0, |stored| stored.content.size()),
            marker: gone.is_marker(),
            served_whole: false,
            condition: etag.map(|etag| unquoted(etag).to_owned()),
            by_version: version.is_some(),
            user: call.user.to_string(),
        });
    }
    Ok(removed)
}

/// A condition is about the current version, whatever version the request names, and needs the
/// right to read. Source: S3 User Guide, conditional-deletes.
fn check_condition(call: &Call, bucket: &Bucket, key: &str, etag: &str) -> Result<(), Refusal> {
    if is_refused(bucket, call, "s3:GetObject", Some(key)) {
        return Err(Refusal::denied());
    }
    let current = bucket.current(key).and_then(|version| version.stored);
    let current = current.ok_or_else(|| Refusal::no_such_key(key))?;
    if etag.trim() == "*" || unquoted(etag) == current.etag() {
        return Ok(());
    }
    Err(Refusal::precondition("If-Match"))
}

fn check_mfa(call: &Call, bucket: &Bucket) -> Result<(), Refusal> {
    if bucket.mfa_delete && call.header("x-amz-mfa").is_none() {
        let message = "Mfa Authentication must be used for this request";
        return Err(Refusal::new(403, "AccessDenied", message));
    }
    Ok(())
}

fn bypasses(call: &Call) -> bool {
    call.header("x-amz-bypass-governance-retention")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Where characters that XML cannot carry are put while the document is read.
const STAND_IN: u32 = 0x10_f000;

/// Puts stand-ins for characters that XML 1.0 has no place for, be they bare or references.
fn stand_ins(document: &str) -> String {
    let stand_in = |code: u32| char::from_u32(STAND_IN + (code & 0xff));
    let mut out = String::with_capacity(document.len());
    let mut rest = document;
    while let Some(place) = rest.find(|c: char| c == '&' || !is_carried(c)) {
        let (before, from) = rest.split_at(place);
        out.push_str(before);
        let reference = from.strip_prefix("&#").and_then(|inside| {
            let (digits, behind) = inside.split_once(';')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            (!is_carried(char::from_u32(code)?)).then_some((code, behind))
        });
        let first = from.chars().next().unwrap_or_default();
        let (code, behind) = match reference {
            Some((code, behind)) => (Some(code), behind),
            None if first == '&' => (None, &from[1..]),
            None => (Some(u32::from(first)), &from[first.len_utf8()..]),
        };
        out.push(code.map_or(Some('&'), stand_in).unwrap_or('&'));
        rest = behind;
    }
    out + rest
}

/// The key without its stand-ins.
fn originals(key: &str) -> String {
    let original = |c: char| match u32::from(c).checked_sub(STAND_IN) {
        Some(low @ (0xfe | 0xff)) => char::from_u32(0xff00 + low).unwrap_or(c),
        Some(low @ 0..0x20) => char::from_u32(low).unwrap_or(c),
        _ => c,
    };
    key.chars().map(original).collect()
}

/// XML 1.0 has no place for most control characters. A batch that names such a key does nothing to
/// it and reports it deleted all the same.
fn is_carried_by_xml(key: &str) -> bool {
    key.chars().all(is_carried)
}

fn is_carried(character: char) -> bool {
    !matches!(character, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}')
        && !matches!(character, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_carries_no_control_characters_but_three() {
        assert!(is_carried_by_xml("a\tb\nc\rd €"));
        assert!(!is_carried_by_xml("a\u{1}"));
        assert!(!is_carried_by_xml("\u{fffe}"));
    }

    #[test]
    fn a_document_is_readable_with_stand_ins_and_the_same_without() {
        let document = "a&#x1;b\u{1f}c&amp;&#65;&#xFFFE;&#; é";
        let readable = stand_ins(document);
        assert!(readable.chars().all(is_carried));
        assert_eq!(originals(&readable), "a\u{1}b\u{1f}c&amp;&#65;\u{fffe}&#; é");
    }
}
