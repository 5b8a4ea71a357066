//! The lock: a Deny to everybody but those named, and an Allow for them, under Sids of our own.
//!
//! Keyed on unique ids in `aws:userid`, which stay when somebody is renamed and do not pass on to a
//! new user of an old name. The account's root is spared, so that there is a way back, and so are
//! AWS's own services, so that logs keep arriving. Never `NotPrincipal`: once its user is deleted,
//! it shuts out everybody.
//!
//! Sources: IAM User Guide, "IAM identifiers", "Condition operators"; S3 User Guide,
//! "Restrict access to a specific IAM user".

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::document::{BadPolicy, Document};
use super::realm::Realm;
use crate::model::{AccountId, Identity, LockMode};

const DENY: &str = "S3planDenyOthers";
const ALLOW: &str = "S3planAllowLocked";
const ID: &str = "s3plan-lock-1";

/// What those keep who lose the data only: the right to repair the policy.
const REPAIR: [&str; 3] = ["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"];

/// What becomes of the statements that are not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They stay as they are.
    Stay,
    /// They go.
    Go,
}

/// Why a lock cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadIdentity {
    /// Nobody would keep access.
    #[error("nobody is named to keep access")]
    Nobody,
    /// Nothing tells who they are.
    #[error("neither id nor ARN of the role `{0}` is known, so a lock cannot name it")]
    Faceless(String),
    /// The live policy cannot be added to.
    #[error("the live policy cannot be added to: {0}")]
    Live(#[from] BadPolicy),
}

/// Adds a lock to a live policy, or makes one; returns the whole new document.
///
/// An older lock of ours is replaced. Other statements stay as they are, unless they are to go.
///
/// # Errors
/// [`BadIdentity`].
pub fn locked(
    live: Option<&str>,
    realm: &Realm<'_>,
    to: &[Identity],
    mode: LockMode,
    others: Others,
) -> Result<String, BadIdentity> {
    let mut document = match live {
        Some(live) if others == Others::Stay => Document::parse(live)?.value,
        _ => Map::from_iter([
            ("Version".to_owned(), "2012-10-17".into()),
            ("Id".to_owned(), ID.into()),
        ]),
    };
    let mut statements = match document.remove("Statement") {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    statements.retain(|statement| {
        !matches!(statement.get("Sid").and_then(Value::as_str), Some(DENY | ALLOW))
    });
    let resources = [realm.bucket_arn(), format!("{}*", realm.objects_arn())];
    statements.push(deny(&resources, realm.account, to, mode)?);
    statements.extend(allow(&resources, to));
    document.insert("Statement".into(), Value::Array(statements));
    Ok(super::words::to_put(&Value::Object(document)))
}

fn deny(
    resources: &[String],
    account: &AccountId,
    to: &[Identity],
    mode: LockMode,
) -> Result<Value, BadIdentity> {
    if to.is_empty() {
        return Err(BadIdentity::Nobody);
    }
    // A root's `aws:userid` is the account's id.
    let mut ids = vec![account.as_str().to_owned()];
    let (mut sessions, mut arns) = (Vec::new(), Vec::new());
    for identity in to {
        match identity {
            Identity::User { user_id: Some(id), .. } | Identity::Federated { user_id: id, .. } => {
                ids.push(id.clone());
            }
            Identity::Role { role_id: Some(id), .. } => sessions.push(format!("{id}:*")),
            Identity::User { arn, user_id: None }
            | Identity::Role { arn: Some(arn), role_id: None, .. } => arns.push(arn.clone()),
            Identity::Role { name, arn: None, role_id: None } => {
                return Err(BadIdentity::Faceless(name.clone()));
            }
        }
    }
    // Conditions must all hold for the Deny to bite, so whoever one of them spares is spared.
    let mut not_equals = Map::from_iter([("aws:userid".to_owned(), list(ids))]);
    if !arns.is_empty() {
        not_equals.insert("aws:PrincipalArn".into(), list(arns));
    }
    let mut condition = Map::from_iter([
        ("StringNotEquals".to_owned(), Value::Object(not_equals)),
        ("BoolIfExists".to_owned(), json!({"aws:PrincipalIsAWSService": "false"})),
    ]);
    if !sessions.is_empty() {
        condition.insert("StringNotLike".into(), json!({"aws:userid": list(sessions)}));
    }
    let mut statement = Map::from_iter([
        ("Sid".to_owned(), DENY.into()),
        ("Effect".to_owned(), "Deny".into()),
        ("Principal".to_owned(), "*".into()),
        ("Resource".to_owned(), json!(resources)),
        ("Condition".to_owned(), Value::Object(condition)),
    ]);
    match mode {
        LockMode::Full => statement.insert("Action".into(), "s3:*".into()),
        LockMode::Data => statement.insert("NotAction".into(), json!(REPAIR)),
    };
    Ok(Value::Object(statement))
}

/// Those whose ARN is known may do everything, whatever IAM permissions they have. A role whose
/// path is not known has to have its own.
fn allow(resources: &[String], to: &[Identity]) -> Option<Value> {
    let arns = to.iter().filter_map(|identity| match identity {
        Identity::User { arn, .. } | Identity::Federated { arn, .. } => Some(arn.clone()),
        Identity::Role { arn, .. } => arn.clone(),
    });
    let arns: Vec<String> = arns.collect();
    (!arns.is_empty()).then(|| {
        json!({
            "Sid": ALLOW,
            "Effect": "Allow",
            "Principal": {"AWS": list(arns)},
            "Action": "s3:*",
            "Resource": resources,
        })
    })
}

fn list(mut names: Vec<String>) -> Value {
    names.sort();
    names.dedup();
    json!(names)
}
