//! Which permissions a plan needs: every call that its apply will make, as IAM names them.
//!
//! In: the plan's [`Body`]. Out: [`Permission`]s in a stable order, and the smallest IAM policy
//! that lets somebody run exactly this plan. Pure. Whether a caller has them is not known here.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
//! What no listing tells is left out: objects encrypted with a KMS key also need `kms:Decrypt`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Body, PlannedBucket};
use crate::model::{Action, ActionKind, BucketName, Versioning};

/// One permission that a plan's apply uses on one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// IAM's name of it: `s3:GetObjectVersion`.
    pub action: &'static str,
    /// The bucket it is about.
    pub bucket: BucketName,
    /// Whether it is about the bucket itself or about objects in it.
    pub scope: Scope,
    /// What happens without it.
    pub need: Need,
    /// The kinds of actions that use it, in their order.
    pub used_by: BTreeSet<ActionKind>,
}

/// What of a bucket a permission is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The bucket itself.
    Bucket,
    /// Every object in it.
    Objects,
    /// The object on which the plan tries out conditional deletes.
    Probe,
}

/// What an apply does without a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It fails.
    Must,
    /// It goes on: notes in the archive what could not be read, or cannot see to it that a new
    /// policy keeps the caller in.
    Helps,
}

/// The name that probe objects begin with.
pub const PROBE_PREFIX: &str = ".s3plan-delete-probe-";

/// What sealing writes into `bucket.json`; what may not be read is noted there as unknown.
const SETTINGS: [&str; 22] = [
    "s3:GetAccelerateConfiguration",
    "s3:GetAnalyticsConfiguration",
    "s3:GetBucketAbac",
    "s3:GetBucketAcl",
    "s3:GetBucketCORS",
    "s3:GetBucketLogging",
    "s3:GetBucketMetadataTableConfiguration",
    "s3:GetBucketNotification",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPolicyStatus",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketRequestPayment",
    "s3:GetBucketTagging",
    "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetReplicationConfiguration",
];

/// Every permission that the plan's apply uses, by bucket and name.
///
/// `sts:GetCallerIdentity` comes before everything and needs none.
pub fn of(body: &Body) -> Vec<Permission> {
    let mut found = Found::default();
    for action in &body.actions {
        let Some(bucket) = body.buckets.iter().find(|bucket| bucket.name == action.bucket) else {
            continue;
        };
        for (scope, need, name) in used_by(action, bucket) {
            found.add(action, scope, need, name);
        }
    }
    found.list()
}

/// The smallest IAM policy that runs exactly this plan, as JSON.
pub fn iam_policy(body: &Body) -> Value {
    let partition = partition(&body.caller.arn);
    // Buckets that need the same stand in one statement: policies have a limit of 6,144 characters.
    let mut of_place: BTreeMap<(Scope, BucketName), BTreeSet<&str>> = BTreeMap::new();
    for permission in of(body) {
        let place = (permission.scope, permission.bucket);
        of_place.entry(place).or_default().insert(permission.action);
    }
    let mut statements: Vec<(Scope, BTreeSet<&str>, Vec<String>)> = Vec::new();
    for ((scope, bucket), actions) in of_place {
        let arn = arn(partition, scope, &bucket);
        match statements.iter_mut().find(|(s, known, _)| *s == scope && *known == actions) {
            Some((_, _, resources)) => resources.push(arn),
            None => statements.push((scope, actions, vec![arn])),
        }
    }
    let statements: Vec<Value> = statements
        .into_iter()
        .map(|(_, actions, resources)| {
            json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The resource of a permission, as IAM names it.
pub fn resource(body: &Body, permission: &Permission) -> String {
    arn(partition(&body.caller.arn), permission.scope, &permission.bucket)
}

fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws")
}

fn arn(partition: &str, scope: Scope, bucket: &BucketName) -> String {
    match scope {
        Scope::Bucket => format!("arn:{partition}:s3:::{bucket}"),
        Scope::Objects => format!("arn:{partition}:s3:::{bucket}/*"),
        Scope::Probe => format!("arn:{partition}:s3:::{bucket}/{PROBE_PREFIX}*"),
    }
}

/// What one action asks of S3, the looks before it included.
fn used_by(action: &Action, bucket: &PlannedBucket) -> Vec<(Scope, Need, &'static str)> {
    use Need::{Helps, Must};
    use Scope::{Bucket, Objects, Probe};
    let versioned = bucket.versioning != Versioning::Never;
    let of_version = |plain, version| if versioned { version } else { plain };
    let list = (Bucket, Must, of_version("s3:ListBucket", "s3:ListBucketVersions"));
    let get = (Objects, Must, of_version("s3:GetObject", "s3:GetObjectVersion"));
    let mut used = Vec::new();
    if bucket.archive.is_some() {
        // Before the first action: is the bucket still what the plan was made from?
        used.extend([(Bucket, Must, "s3:GetBucketVersioning"), list]);
    }
    match action.kind {
        ActionKind::SetPolicy => {
            used.push((Bucket, Must, "s3:GetBucketPolicy"));
            let put = (Bucket, Must, "s3:PutBucketPolicy");
            let remove = (Bucket, Must, "s3:DeleteBucketPolicy");
            let helps = |(scope, _, name)| (scope, Helps, name);
            used.push(if action.policy.is_some() { put } else { remove });
            // The caller's access is tried before and after, and the old policy goes back where it
            // is gone.
            used.push((Bucket, Helps, "s3:ListBucket"));
            used.push(helps(if action.policy_before.is_some() { put } else { remove }));
        }
        ActionKind::Restore => used.extend([(Objects, Must, "s3:RestoreObject"), get]),
        ActionKind::AwaitRestore => used.push(get),
        ActionKind::Adopt | ActionKind::Download => {
            let tags = of_version("s3:GetObjectTagging", "s3:GetObjectVersionTagging");
            used.extend([get, (Objects, Must, tags)]);
        }
        ActionKind::Verify | ActionKind::Approve => {}
        ActionKind::Seal => used.extend(SETTINGS.map(|setting| (Bucket, Helps, setting))),
        ActionKind::ProbeDeletes => {
            used.extend([
                (Probe, Must, "s3:PutObject"),
                (Probe, Must, "s3:GetObject"),
                (Probe, Must, "s3:DeleteObject"),
                // Without it S3 does not tell an absent key from a forbidden one.
                (Bucket, Must, "s3:ListBucket"),
            ]);
            if versioned {
                used.push((Probe, Must, "s3:DeleteObjectVersion"));
            }
        }
        ActionKind::DeleteObjects => {
            if versioned {
                used.push((Objects, Must, "s3:DeleteObjectVersion"));
            }
            // A key that can be overwritten in place goes by its ETag, which S3 has to read first.
            if bucket.versioning != Versioning::Enabled {
                used.push((Objects, Must, "s3:DeleteObject"));
                used.push((Objects, Must, "s3:GetObject"));
            }
        }
        ActionKind::AbortUploads => used.extend([
            (Bucket, Must, "s3:ListBucketMultipartUploads"),
            (Objects, Must, "s3:AbortMultipartUpload"),
        ]),
        ActionKind::DeleteBucket => used.extend([
            (Bucket, Must, "s3:ListBucketMultipartUploads"),
            (Bucket, Must, "s3:DeleteBucket"),
        ]),
    }
    used
}

type Place = (BucketName, Scope, &'static str);

/// Permissions by place and name, each once.
#[derive(Default)]
struct Found(BTreeMap<Place, (Need, BTreeSet<ActionKind>)>);

impl Found {
    fn add(&mut self, action: &Action, scope: Scope, need: Need, name: &'static str) {
        let place = (action.bucket.clone(), scope, name);
        let (known, kinds) = self.0.entry(place).or_insert((need, BTreeSet::new()));
        // Needed by one action and only helpful to another: needed.
        *known = (*known).min(need);
        kinds.insert(action.kind);
    }

    fn list(self) -> Vec<Permission> {
        let each = self.0.into_iter();
        each.map(|((bucket, scope, action), (need, used_by))| Permission {
            action,
            bucket,
            scope,
            need,
            used_by,
        })
        .collect()
    }
}
