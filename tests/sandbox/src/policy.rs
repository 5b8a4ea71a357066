//! Policies as this account enforces them, buckets' and users': judged by iam-rs, not by s3plan's own
//! evaluator.
//!
//! A user without an IAM policy may do everything that no bucket policy denies; one with a policy may
//! do what it or the bucket's policy allows. What iam-rs does not know: that a Deny to an account
//! meets its users, and that the root keeps the calls about the policy (both added here).

use iam_rs::{
    Arn, Context, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId, evaluate_policy,
};

use crate::account::{Account, Bucket, Kind, User};
use crate::refusal::Refusal;

/// Source: S3 API Reference, PutBucketPolicy: the owner's root can always perform these.
const POLICY_CALLS: [&str; 3] =
    ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];

/// Whether the bucket's policy denies an action to somebody. A policy that cannot be judged denies
/// everything, so that no test passes for want of a judge.
pub fn denies(bucket: &Bucket, asker: Option<&User>, action: &str, key: Option<&str>) -> bool {
    let Some(text) = &bucket.policy else { return false };
    let Some(user) = asker else { return true };
    if user.kind == Kind::Root && POLICY_CALLS.contains(&action) {
        return false;
    }
    let account = format!("arn:aws:iam::{}:root", user.account);
    [&user.arn, &account].into_iter().any(|principal| {
        decide(text, user, principal, action, &arn_of(bucket, key)).is_none_or(is_deny)
    })
}

/// Whether a user who has an IAM policy is allowed an action neither by it nor by the bucket's, or is
/// denied it by their own.
pub fn lacks(bucket: &Bucket, user: &User, action: &str, key: Option<&str>) -> bool {
    let Some(own) = &user.policy else { return false };
    let resource = arn_of(bucket, key);
    let by_own = decide(own, user, &user.arn, action, &resource);
    let by_bucket = bucket.policy.as_ref().is_some_and(|text| {
        [user.arn.clone(), principal_arn(user)]
            .into_iter()
            .any(|name| decide(text, user, &name, action, &resource) == Some(Decision::Allow))
    });
    by_own.is_none_or(is_deny) || !(by_own == Some(Decision::Allow) || by_bucket)
}

/// Whether a user who has an IAM policy is not allowed an action that is about no bucket.
pub fn lacks_outside(user: &User, action: &str) -> bool {
    let Some(own) = &user.policy else { return false };
    decide(own, user, &user.arn, action, "arn:aws:s3:::*") != Some(Decision::Allow)
}

/// `None`: that cannot be judged.
fn decide(text: &str, user: &User, name: &str, action: &str, resource: &str) -> Option<Decision> {
    let policy = read(text)?;
    let principal = Principal::Aws(PrincipalId::String(name.to_owned()));
    let resource = Arn::parse(resource).ok()?;
    let request = IAMRequest::new_with_context(principal, action, resource, context_of(user));
    evaluate_policy(&policy, &request).ok()
}

fn is_deny(decision: Decision) -> bool {
    decision == Decision::Deny
}

fn arn_of(bucket: &Bucket, key: Option<&str>) -> String {
    match key {
        None => format!("arn:aws:s3:::{}", bucket.name),
        Some(key) => format!("arn:aws:s3:::{}/{key}", bucket.name),
    }
}

/// iam-rs asks for a version, which S3 does not.
fn read(text: &str) -> Option<IAMPolicy> {
    let mut policy: serde_json::Value = serde_json::from_str(text).ok()?;
    let version = policy.as_object_mut()?.entry("Version");
    version.or_insert_with(|| "2008-10-17".into());
    IAMPolicy::from_json(&policy.to_string()).ok()
}

fn context_of(user: &User) -> Context {
    let context = Context::new()
        .with_string("aws:userid", user.id.as_str())
        .with_string("aws:PrincipalAccount", user.account.as_str())
        .with_string("aws:PrincipalArn", principal_arn(user))
        .with_boolean("aws:PrincipalIsAWSService", false)
        .with_boolean("aws:SecureTransport", true);
    match user.kind {
        Kind::Role => context.with_string("aws:PrincipalType", "AssumedRole"),
        Kind::Federated => context.with_string("aws:PrincipalType", "FederatedUser"),
        Kind::Root => context.with_string("aws:PrincipalType", "Account"),
        Kind::User => context
            .with_string("aws:username", &*user.name)
            .with_string("aws:PrincipalType", "User"),
    }
}

/// The ARN in conditions: the role's, not the session's.
fn principal_arn(user: &User) -> String {
    match (user.kind, user.arn.split('/').nth(1)) {
        (Kind::Role, Some(role)) => format!("arn:aws:iam::{}:role/{role}", user.account),
        _ => user.arn.clone(),
    }
}

/// Refuses a policy for users that the account does not have, as S3 does.
///
/// # Errors
/// `MalformedPolicy`, "Invalid principal in policy".
pub fn check_principals(account: &Account, text: &str) -> Result<(), Refusal> {
    let policy: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let statements = match &policy["Statement"] {
        serde_json::Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let named = statements.iter().flat_map(|statement| match &statement["Principal"]["AWS"] {
        serde_json::Value::Array(names) => names.clone(),
        one => vec![one.clone()],
    });
    let named: Vec<String> = named.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let own_users = format!(":iam::{}:user/", account.id);
    let is_gone = |name: &&String| {
        let is_id = name.starts_with("AIDA") || name.starts_with("AROA");
        let is_own = name.contains(&own_users);
        is_id || (is_own && !account.users.iter().any(|user| user.arn == **name))
    };
    match named.iter().find(is_gone) {
        Some(_) => Err(Refusal::new(400, "MalformedPolicy", "Invalid principal in policy")),
        None => Ok(()),
    }
}
