//! A bucket's policy and its other configuration documents, kept as text.

use http::HeaderValue;
use s3s::Body;

use super::{bucket, bucket_mut, canonical_id};
use crate::call::{Call, Outcome, empty, xml};
use crate::config_table::{Config, PAGE, Unset};
use crate::policy;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::xml::{S3_NAMESPACE, Xml};

/// A policy may be this long. Source: S3 User Guide, access-policy-alternatives-guidelines.
const POLICY_LIMIT: usize = 20 * 1024;

/// GetBucketPolicy: the text as it was put.
pub fn policy(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    let text = bucket(&account, call)?.policy.clone().ok_or_else(|| no_policy(call))?;
    let mut answer = http::Response::new(Body::from(text));
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
    Ok(answer)
}

/// PutBucketPolicy: JSON with statements, for this bucket, short enough.
pub async fn put_policy(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let text = check_policy(&body, call.bucket())?;
    let mut account = shared.account();
    policy::check_principals(&account, &text)?;
    bucket_mut(&mut account, call)?.policy = Some(text);
    Ok(empty(204))
}

/// DeleteBucketPolicy: 204 whether there was one or not.
pub fn delete_policy(shared: &Shared, call: &Call) -> Outcome {
    bucket_mut(&mut shared.account(), call)?.policy = None;
    Ok(empty(204))
}

/// GetBucketPolicyStatus: this account calls no policy public.
pub fn policy_status(shared: &Shared, call: &Call) -> Outcome {
    let account = shared.account();
    if bucket(&account, call)?.policy.is_none() {
        return Err(no_policy(call));
    }
    let mut page = Xml::document();
    page.open_root("PolicyStatus", S3_NAMESPACE).text("IsPublic", "false").close("PolicyStatus");
    Ok(xml(page.finish()))
}

/// The GET of a configuration document.
pub fn get(shared: &Shared, call: &Call, config: &Config) -> Outcome {
    let account = shared.account();
    let bucket = bucket(&account, call)?;
    if let Some(text) = bucket.config.get(config.query) {
        return match config.listed() {
            None => Ok(xml(text.clone())),
            Some(element) => Ok(xml(page_of(text, element, call)?)),
        };
    }
    match config.unset {
        Unset::Document(text) => Ok(xml(text)),
        Unset::Error(code, message) => {
            Err(Refusal::new(404, code, message).detail("BucketName", &bucket.name))
        }
        Unset::OwnersAcl => Ok(xml(owners_acl(&bucket.owner))),
    }
}

/// A page of a list of configurations, which is kept as one document.
fn page_of(text: &str, element: &str, call: &Call) -> Result<String, Refusal> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let mut each = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once(&open) {
        let (inside, behind) = behind.split_once(&close).ok_or_else(Refusal::malformed)?;
        each.push(format!("{open}{inside}{close}"));
        rest = behind;
    }
    let from: usize = match call.query("continuation-token") {
        None => 0,
        Some(token) => token
            .strip_prefix("page-")
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| Refusal::argument("The continuation token provided is incorrect"))?,
    };
    let end = (from + PAGE).min(each.len());
    let shown = each.get(from..end).unwrap_or_default().concat();
    let root = text.trim_start_matches(|c| c != '<').split(['<', '>', ' ']).nth(1);
    let root = root.ok_or_else(Refusal::malformed)?;
    let more = end < each.len();
    let next = if more {
        format!("<NextContinuationToken>page-{end}</NextContinuationToken>")
    } else {
        String::new()
    };
    Ok(format!(
        "<{root} xmlns=\"{S3_NAMESPACE}\">{shown}<IsTruncated>{more}</IsTruncated>{next}</{root}>"
    ))
}

/// The PUT of a configuration document: kept as it came.
pub async fn put(shared: &Shared, call: &mut Call, config: &Config) -> Outcome {
    let body = call.read_body().await?;
    let text = String::from_utf8(body.to_vec()).map_err(|_| Refusal::malformed())?;
    if text.is_empty() {
        return Err(Refusal::malformed());
    }
    let mut account = shared.account();
    bucket_mut(&mut account, call)?.config.insert(config.query.to_owned(), text);
    Ok(empty(if config.query == "tagging" { 204 } else { 200 }))
}

/// The DELETE of a configuration document.
pub fn delete(shared: &Shared, call: &Call, config: &Config) -> Outcome {
    bucket_mut(&mut shared.account(), call)?.config.remove(config.query);
    Ok(empty(204))
}

/// The ACL that gives everything to the owner and nothing to others.
pub fn owners_acl(owner: &str) -> String {
    let id = canonical_id(owner);
    let mut page = Xml::document();
    page.open_root("AccessControlPolicy", S3_NAMESPACE);
    page.open("Owner").text("ID", &id).close("Owner");
    page.open("AccessControlList").open("Grant");
    page.open_with(
        "Grantee",
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"",
    );
    page.text("ID", &id).close("Grantee").text("Permission", "FULL_CONTROL");
    page.close("Grant").close("AccessControlList").close("AccessControlPolicy");
    page.finish()
}

fn no_policy(call: &Call) -> Refusal {
    Refusal::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist")
        .detail("BucketName", call.bucket())
}

fn check_policy(body: &[u8], bucket: &str) -> Result<String, Refusal> {
    let malformed = |message: &'static str| Refusal::new(400, "MalformedPolicy", message);
    if body.len() > POLICY_LIMIT {
        return Err(malformed("Policies must not exceed 20 KB"));
    }
    let text = String::from_utf8(body.to_vec())
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let policy: serde_json::Value = serde_json::from_str(&text)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let statements = match policy.get("Statement") {
        Some(serde_json::Value::Array(statements)) => statements.clone(),
        Some(statement @ serde_json::Value::Object(_)) => vec![statement.clone()],
        _ => return Err(malformed("Missing required field Statement")),
    };
    for statement in &statements {
        let has = |name: &str| statement.get(name).is_some();
        if !matches!(statement.get("Effect").and_then(|e| e.as_str()), Some("Allow" | "Deny")) {
            return Err(malformed("Invalid effect"));
        }
        if !has("Principal") && !has("NotPrincipal") {
            return Err(malformed("Missing required field Principal"));
        }
        if !has("Action") && !has("NotAction") {
            return Err(malformed("Missing required field Action"));
        }
        if !has("Resource") && !has("NotResource") {
            return Err(malformed("Missing required field Resource"));
        }
        let resources = match statement.get("Resource") {
            Some(serde_json::Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let is_ours = |resource: &serde_json::Value| {
            resource.as_str().is_some_and(|arn| {
                let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
                arn.starts_with("arn:")
                    && crate::fault::glob_matches(
                        name.split('/').next().unwrap_or_default(),
                        bucket,
                    )
            })
        };
        if !resources.iter().all(is_ours) {
            return Err(malformed("Policy has invalid resource"));
        }
    }
    Ok(text)
}
