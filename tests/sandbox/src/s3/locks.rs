//! Object Lock: a bucket's configuration, legal holds and retentions.

use jiff::Timestamp;
use s3s::dto::{ObjectLockLegalHold, ObjectLockRetention};

use super::read::find;
use super::{bucket, bucket_mut, document};
use crate::call::{Call, Outcome, empty, xml};
use crate::clock::xml_date;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::world::{RetentionMode, RetentionSpec};
use crate::xml::{S3_NAMESPACE, Xml};

/// GetObjectLockConfiguration: 404 where it was never enabled.
pub fn configuration(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    let bucket = bucket(&account, call)?;
    if !bucket.object_lock {
        let message = "Object Lock configuration does not exist for this bucket";
        return Err(Refusal::new(404, "ObjectLockConfigurationNotFoundError", message)
            .detail("BucketName", &bucket.name));
    }
    let mut page = Xml::document();
    page.open_root("ObjectLockConfiguration", S3_NAMESPACE);
    page.text("ObjectLockEnabled", "Enabled").close("ObjectLockConfiguration");
    Ok(xml(page.finish()))
}

/// PutObjectLockConfiguration: switches it on; default retentions are not kept.
pub async fn put_configuration(shared: &Shared, call: &mut Call) -> Outcome {
    call.read_body().await?;
    let mut account = shared.account();
    let bucket = bucket_mut(&mut account, call)?;
    if bucket.versioning != crate::world::Versioning::Enabled {
        let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock \
                       configuration";
        return Err(Refusal::new(409, "InvalidBucketState", message));
    }
    bucket.object_lock = true;
    Ok(empty(200))
}

/// GetObjectLegalHold.
pub fn legal_hold(shared: &Shared, call: &Call) -> Outcome {
    needs_lock(shared, call)?;
    let found = find(shared, call)?;
    let mut page = Xml::document();
    page.open_root("LegalHold", S3_NAMESPACE);
    page.text("Status", if found.version.legal_hold { "ON" } else { "OFF" }).close("LegalHold");
    Ok(xml(page.finish()))
}

/// PutObjectLegalHold.
pub async fn put_legal_hold(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let wanted: ObjectLockLegalHold = document(&body)?;
    needs_lock(shared, call)?;
    find(shared, call)?;
    let on = match wanted.status.as_ref().map(|status| status.as_str()) {
        Some("ON") => true,
        Some("OFF") => false,
        _ => return Err(Refusal::malformed()),
    };
    let mut account = shared.account();
    bucket_mut(&mut account, call)?
        .edit(call.key(), call.target.version_id(), |version| version.legal_hold = on);
    Ok(empty(200))
}

/// GetObjectRetention.
pub fn retention(shared: &Shared, call: &Call) -> Outcome {
    needs_lock(shared, call)?;
    let found = find(shared, call)?;
    let retention = found.version.retention.ok_or_else(|| {
        let message = "The specified object does not have a ObjectLock configuration";
        Refusal::new(404, "NoSuchObjectLockConfiguration", message)
    })?;
    let mut page = Xml::document();
    page.open_root("Retention", S3_NAMESPACE).text("Mode", retention.mode.name());
    page.text("RetainUntilDate", &xml_date(retention.until)).close("Retention");
    Ok(xml(page.finish()))
}

/// PutObjectRetention: longer always, shorter only past governance with the bypass.
pub async fn put_retention(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let wanted: ObjectLockRetention = document(&body)?;
    needs_lock(shared, call)?;
    let known = find(shared, call)?.version.retention;
    let mode = match wanted.mode.as_ref().map(|mode| mode.as_str()) {
        Some("GOVERNANCE") => RetentionMode::Governance,
        Some("COMPLIANCE") => RetentionMode::Compliance,
        _ => return Err(Refusal::malformed()),
    };
    let until = wanted.retain_until_date.map(timestamp).ok_or_else(Refusal::malformed)?;
    let now = shared.now();
    if until <= now {
        return Err(Refusal::argument("The retain until date must be in the future!"));
    }
    let bypass = call.header("x-amz-bypass-governance-retention") == Some("true");
    if let Some(known) = known.filter(|known| known.until > now) {
        let is_weaker = until < known.until
            || (known.mode == RetentionMode::Compliance && mode == RetentionMode::Governance);
        let may = known.mode == RetentionMode::Governance && bypass;
        if is_weaker && !may {
            return Err(Refusal::denied());
        }
    }
    let mut account = shared.account();
    bucket_mut(&mut account, call)?.edit(call.key(), call.target.version_id(), |version| {
        version.retention = Some(RetentionSpec { mode, until });
    });
    Ok(empty(200))
}

/// The date of a document as this crate writes dates.
fn timestamp(date: s3s::dto::Timestamp) -> Timestamp {
    let mut text = Vec::new();
    let written = date.format(s3s::dto::TimestampFormat::DateTime, &mut text);
    let text = written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_default();
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn needs_lock(shared: &Shared, call: &Call) -> Result<(), Refusal> {
    let account = shared.account();
    if bucket(&account, call)?.object_lock {
        return Ok(());
    }
    let message = "Bucket is missing Object Lock Configuration";
    Err(Refusal::new(400, "InvalidRequest", message))
}
