//! Buckets themselves: listed, made, asked for, emptied of nothing and removed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as TOKEN;
use s3s::dto::{CreateBucketConfiguration, VersioningConfiguration};

use super::{bucket, bucket_mut, canonical_id, document};
use crate::account::Bucket;
use crate::call::{Call, Outcome, empty, set_header, xml};
use crate::clock::xml_date;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::world::Versioning;
use crate::xml::{S3_NAMESPACE, Xml};

/// ListBuckets. `BucketRegion` is shown only when the request has a parameter, as on AWS.
pub fn list(shared: &Shared, call: &Call) -> Outcome {
    let most = call.number("max-buckets", 10_000, u64::MAX)?;
    if !(1..=10_000).contains(&most) {
        return Err(Refusal::argument("max-buckets is between 1 and 10000"));
    }
    let prefix = call.query("prefix").unwrap_or_default();
    let region = call.query("bucket-region");
    if region.is_some_and(|region| region != call.region) {
        return Err(Refusal::argument("bucket-region must be the region of the endpoint"));
    }
    let parameters = ["max-buckets", "prefix", "bucket-region", "continuation-token"];
    let show_region = parameters.iter().any(|&name| call.query(name).is_some());
    let after =
        match call.query("continuation-token") {
            None => None,
            Some(token) => Some(
                TOKEN.decode(token).ok().and_then(|name| String::from_utf8(name).ok()).ok_or_else(
                    || Refusal::argument("The continuation token provided is incorrect"),
                )?,
            ),
        };

    let account = shared.account();
    let owner = account.user(&call.user).map_or("", |user| user.account.as_str());
    let mut found = account
        .buckets
        .values()
        .filter(|bucket| bucket.owner == owner)
        .filter(|bucket| after.as_ref().is_none_or(|after| bucket.name > *after))
        .filter(|bucket| bucket.name.starts_with(prefix))
        .filter(|bucket| region.is_none_or(|region| bucket.region == region))
        .peekable();
    let mut page = Xml::document();
    page.open_root("ListAllMyBucketsResult", S3_NAMESPACE);
    page.open("Owner").text("ID", &canonical_id(owner)).close("Owner");
    page.open("Buckets");
    let mut last = None;
    for bucket in found.by_ref().take(most as usize) {
        page.open("Bucket").text("Name", &bucket.name);
        page.text("CreationDate", &xml_date(bucket.created));
        page.maybe("BucketRegion", show_region.then_some(bucket.region.as_str()));
        page.close("Bucket");
        last = Some(&bucket.name);
    }
    page.close("Buckets");
    if let (Some(last), true) = (last, found.peek().is_some()) {
        page.text("ContinuationToken", &TOKEN.encode(last));
    }
    page.maybe("Prefix", call.query("prefix"));
    page.close("ListAllMyBucketsResult");
    Ok(xml(page.finish()))
}

/// CreateBucket: the location constraint must be the region that was asked.
pub async fn create(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let constraint = if body.is_empty() {
        None
    } else {
        let wanted: CreateBucketConfiguration = document(&body)?;
        wanted.location_constraint.map(|region| region.as_str().to_owned())
    };
    let is_home = call.region == "us-east-1";
    let is_legal = match constraint.as_deref() {
        None | Some("") => is_home,
        Some(region) => region == call.region && !is_home,
    };
    if !is_legal {
        return Err(Refusal::new(
            400,
            "IllegalLocationConstraintException",
            "The location constraint is incompatible for the region specific endpoint this \
             request was sent to.",
        ));
    }
    let now = shared.now();
    let mut account = shared.account();
    let owner = account.user(&call.user).map(|user| user.account.clone()).unwrap_or_default();
    match account.buckets.get(call.bucket()) {
        Some(known) if known.owner == owner && is_home && known.region == "us-east-1" => {}
        Some(known) if known.owner == owner => {
            let message = "Your previous request to create the named bucket succeeded and you \
                           already own it.";
            return Err(Refusal::new(409, "BucketAlreadyOwnedByYou", message));
        }
        Some(_) => {
            let message = "The requested bucket name is not available. The bucket namespace is \
                           shared by all users of the system. Please select a different name and \
                           try again.";
            return Err(Refusal::new(409, "BucketAlreadyExists", message));
        }
        None => {
            let mut made = Bucket::empty(call.bucket(), &call.region, &owner, now);
            if call.header("x-amz-bucket-object-lock-enabled") == Some("true") {
                made.object_lock = true;
                made.versioning = Versioning::Enabled;
            }
            account.buckets.insert(call.bucket().to_owned(), made);
        }
    }
    let mut answer = empty(200);
    set_header(&mut answer, "location", &format!("/{}", call.bucket()));
    Ok(answer)
}

/// HeadBucket: tells the region.
pub fn head(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    let mut answer = empty(200);
    set_header(&mut answer, "x-amz-bucket-region", &bucket(&account, call)?.region);
    set_header(&mut answer, "x-amz-access-point-alias", "false");
    set_header(&mut answer, "content-type", "application/xml");
    Ok(answer)
}

/// DeleteBucket: only with no version, no marker and no upload left.
pub fn delete(shared: &Shared, call: &Call) -> Outcome {
    let mut account = shared.account();
    let doomed = bucket(&account, call)?;
    if !doomed.is_empty() || !doomed.uploads.is_empty() {
        let message = "The bucket you tried to delete is not empty";
        let message = if doomed.versioning == Versioning::Off {
            message
        } else {
            "The bucket you tried to delete is not empty. You must delete all versions in the \
             bucket."
        };
        return Err(Refusal::new(409, "BucketNotEmpty", message).detail("BucketName", &doomed.name));
    }
    account.buckets.remove(call.bucket());
    Ok(empty(204))
}

/// GetBucketLocation: says nothing for us-east-1.
pub fn location(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    let region = bucket(&account, call)?.region.as_str();
    let mut page = Xml::document();
    page.open_root("LocationConstraint", S3_NAMESPACE);
    let text = page.finish() + if region == "us-east-1" { "" } else { region };
    Ok(xml(text + "</LocationConstraint>"))
}

/// GetBucketVersioning: fields that were never set are not there.
pub fn versioning(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    let bucket = bucket(&account, call)?;
    let mut page = Xml::document();
    page.open_root("VersioningConfiguration", S3_NAMESPACE);
    page.maybe("Status", bucket.versioning.name());
    page.maybe("MfaDelete", bucket.mfa_delete.then_some("Enabled"));
    page.close("VersioningConfiguration");
    Ok(xml(page.finish()))
}

/// PutBucketVersioning: on or suspended, never off again.
pub async fn put_versioning(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let wanted: VersioningConfiguration = document(&body)?;
    let mut account = shared.account();
    let bucket = bucket_mut(&mut account, call)?;
    if bucket.mfa_delete && call.header("x-amz-mfa").is_none() {
        return Err(Refusal::denied());
    }
    let state = match wanted.status.as_ref().map(|status| status.as_str()) {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => return Err(Refusal::malformed()),
    };
    if bucket.object_lock && state == Versioning::Suspended {
        let message = "An Object Lock configuration is present on this bucket, so the versioning \
                       state cannot be changed.";
        return Err(Refusal::new(409, "InvalidBucketState", message));
    }
    bucket.versioning = state;
    Ok(empty(200))
}
