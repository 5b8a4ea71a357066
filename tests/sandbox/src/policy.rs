//! Bucket policies as this account enforces them: judged by iam-rs, not by s3plan's own evaluator.
//!
//! Only their Deny statements are felt, since users here may do everything else anyway. What iam-rs
//! does not know: that a Deny to an account meets its users (added here).

use iam_rs::{
    Arn, Context, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId, evaluate_policy,
};

use crate::account::{Account, Bucket, User};
use crate::refusal::Refusal;

/// Whether the bucket's policy denies an action to somebody. A policy that cannot be judged denies
/// everything, so that no test passes for want of a judge.
pub fn denies(bucket: &Bucket, asker: Option<&User>, action: &str, key: Option<&str>) -> bool {
    let Some(text) = &bucket.policy else { return false };
    let Some(user) = asker else { return true };
    let resource = match key {
        None => format!("arn:aws:s3:::{}", bucket.name),
        Some(key) => format!("arn:aws:s3:::{}/{key}", bucket.name),
    };
    let (Some(policy), Ok(resource)) = (read(text), Arn::parse(&resource)) else {
        return true;
    };
    let account = format!("arn:aws:iam::{}:root", user.account);
    [&user.arn, &account].into_iter().any(|principal| {
        let principal = Principal::Aws(PrincipalId::String(principal.clone()));
        let request =
            IAMRequest::new_with_context(principal, action, resource.clone(), context_of(user));
        evaluate_policy(&policy, &request).map_or(true, |decision| decision == Decision::Deny)
    })
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
    match user.is_role {
        true => context.with_string("aws:PrincipalType", "AssumedRole"),
        false => context
            .with_string("aws:username", &*user.name)
            .with_string("aws:PrincipalType", "User"),
    }
}

/// The ARN in conditions: the role's, not the session's.
fn principal_arn(user: &User) -> String {
    match (user.is_role, user.arn.split('/').nth(1)) {
        (true, Some(role)) => format!("arn:aws:iam::{}:role/{role}", user.account),
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
