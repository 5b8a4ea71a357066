//! Whether the caller has what a plan's apply uses: known before the first action, by reads alone.
//!
//! What planning itself has read is allowed. The first object of each bucket is looked at, and its
//! tags. Whether something may be changed cannot be found out by reads: IAM's policy simulator is
//! asked, where the caller may; else that stays unknown.

use std::fmt::Write as _;

use crate::aws::{Aws, AwsError, Bucket, ErrorKind, Simulated};
use crate::model::{ActionKind, BucketName, Caller, CallerKind, Selection};
use crate::plan::permissions::{self, Need, Permission, Scope};
use crate::plan::{Body, PlannedBucket};
use crate::state::{Row, State, With};

use super::exit::Failure;

/// Rows read at a time.
const PAGE: usize = 1000;

/// Whether the caller has a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A read that needs it was answered.
    Allowed,
    /// A read that needs it was refused.
    Denied,
    /// The simulator says that it is allowed.
    AllowedBySimulator,
    /// The simulator says that it is denied, or that nothing allows it.
    DeniedBySimulator,
    /// Nothing that only reads can tell.
    Unknown,
}

impl Verdict {
    fn is_denied(self) -> bool {
        matches!(self, Self::Denied | Self::DeniedBySimulator)
    }
}

/// A permission that the plan's apply uses, and whether the caller has it.
pub struct Probed {
    /// Which one.
    pub permission: Permission,
    /// Whether the caller has it.
    pub verdict: Verdict,
}

/// Finds out what can be found out by reads.
///
/// # Errors
/// Where AWS or the state cannot be asked at all. A refusal is an answer, not an error.
pub async fn probe(aws: &Aws, state: &State, body: &Body) -> Result<Vec<Probed>, Failure> {
    let mut probed = Vec::new();
    let mut looked: Option<(BucketName, Verdict, Verdict)> = None;
    for permission in permissions::of(body) {
        let name = permission.action;
        let verdict = match (permission.scope, name) {
            // Planning has just read these.
            (Scope::Bucket, "s3:GetBucketVersioning" | "s3:ListBucket")
            | (Scope::Bucket, "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads") => {
                Verdict::Allowed
            }
            (Scope::Bucket, "s3:GetBucketPolicy")
                if permission.used_by.contains(&ActionKind::SetPolicy) =>
            {
                Verdict::Allowed
            }
            (Scope::Objects, _) if name.starts_with("s3:GetObject") => {
                if looked.as_ref().is_none_or(|(bucket, ..)| *bucket != permission.bucket) {
                    let (get, tags) = look_at_first(aws, state, body, &permission.bucket).await?;
                    looked = Some((permission.bucket.clone(), get, tags));
                }
                match &looked {
                    Some((_, _, tags)) if name.ends_with("Tagging") => *tags,
                    Some((_, get, _)) => *get,
                    None => Verdict::Unknown,
                }
            }
            _ => Verdict::Unknown,
        };
        probed.push(Probed { permission, verdict });
    }
    Ok(probed)
}

/// Asks IAM's policy simulator about what reads could not tell, a bucket and its objects at a time.
pub async fn simulate(aws: &Aws, caller: &Caller, body: &Body, probed: &mut [Probed]) {
    let unknown = |probed: &Probed| probed.verdict == Verdict::Unknown;
    let mut places: Vec<(BucketName, Scope)> = Vec::new();
    for Probed { permission, .. } in probed.iter().filter(|probed| unknown(probed)) {
        let place = (permission.bucket.clone(), permission.scope);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let mut live: Option<(BucketName, Live)> = None;
    for (name, scope) in places {
        if live.as_ref().is_none_or(|(known, _)| *known != name) {
            live = Some((name.clone(), live_policy(aws, caller, body, &name).await));
        }
        let Some((_, live)) = &live else { return };
        let mut of_place: Vec<&mut Probed> = probed
            .iter_mut()
            .filter(|probed| unknown(probed))
            .filter(|p| p.permission.bucket == name && p.permission.scope == scope)
            .collect();
        let actions: Vec<&str> = of_place.iter().map(|p| p.permission.action).collect();
        let Some(first) = of_place.first() else { continue };
        let resource = permissions::resource(body, &first.permission);
        let told = aws.simulate(caller, &resource, live.text(), &actions).await;
        // Whoever may not ask once may not ask at all.
        let Some(told) = told else { return };
        for probed in &mut of_place {
            probed.verdict = match (told.get(probed.permission.action), live) {
                // What the bucket's own policy says is not in the answer.
                (Some(Simulated::Allowed), Live::Unreadable) => Verdict::Unknown,
                (Some(Simulated::NotAllowed), Live::Unreadable) => Verdict::Unknown,
                (Some(Simulated::Allowed), _) => Verdict::AllowedBySimulator,
                (Some(Simulated::Denied | Simulated::NotAllowed), _) => Verdict::DeniedBySimulator,
                (Some(Simulated::CannotTell(_)) | None, _) => Verdict::Unknown,
            };
        }
    }
}

/// A bucket's policy, as far as the simulator can take it into account.
enum Live {
    /// There is none.
    Absent,
    /// The caller is a user, for whom it is simulated too.
    Text(String),
    /// It may not be read, or the caller is no user: the answer is about the rest alone.
    Unreadable,
}

impl Live {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

async fn live_policy(aws: &Aws, caller: &Caller, body: &Body, name: &BucketName) -> Live {
    let Some(bucket) = body.buckets.iter().find(|bucket| &bucket.name == name) else {
        return Live::Unreadable;
    };
    match aws.bucket(name, &bucket.region, &body.account).policy().await {
        Ok(None) => Live::Absent,
        Ok(Some(text)) if caller.kind() == CallerKind::User => Live::Text(text),
        Ok(Some(_)) | Err(_) => Live::Unreadable,
    }
}

/// Asks for the first object that the outcome covers, and for its tags.
async fn look_at_first(
    aws: &Aws,
    state: &State,
    body: &Body,
    name: &BucketName,
) -> Result<(Verdict, Verdict), Failure> {
    let unknown = (Verdict::Unknown, Verdict::Unknown);
    let Some(bucket) = body.buckets.iter().find(|bucket| &bucket.name == name) else {
        return Ok(unknown);
    };
    let Some(row) = tokio::task::block_in_place(|| first_row(state, bucket))? else {
        return Ok(unknown);
    };
    let door: Bucket = aws.bucket(name, &bucket.region, &body.account);
    let version = row.object.version_id.as_deref();
    let get = verdict(door.head(&row.object.key, version, None).await.map(drop))?;
    let tags = verdict(door.tags(&row.object.key, version).await.map(drop))?;
    Ok((get, tags))
}

fn first_row(state: &State, bucket: &PlannedBucket) -> Result<Option<Row>, Failure> {
    let Some(archive) = &bucket.archive else { return Ok(None) };
    let selection = Selection::new(&archive.include, &archive.exclude, archive.versions)
        .map_err(|error| Failure::usage("manifest/bad-glob", error.to_string()))?;
    let mut from = 0;
    loop {
        let page = state.page(&bucket.name, from, PAGE, With::Rows)?;
        let Some(last) = page.last() else { return Ok(None) };
        from = last.number + 1;
        if let Some(row) = page.into_iter().find(|row| selection.takes(&row.object)) {
            return Ok(Some(row));
        }
    }
}

fn verdict(answer: Result<(), AwsError>) -> Result<Verdict, Failure> {
    match answer {
        Ok(()) => Ok(Verdict::Allowed),
        Err(error) => match error.kind() {
            ErrorKind::Denied => Ok(Verdict::Denied),
            ErrorKind::NoCredentials | ErrorKind::ExpiredCredentials => Err(error.into()),
            // The object moved, the server does not know the call: nothing about permissions.
            _ => Ok(Verdict::Unknown),
        },
    }
}

/// One line for each permission that the plan's apply uses and the caller does not have.
pub fn warnings(probed: &[Probed]) -> Vec<String> {
    let missing = probed.iter().filter(|probed| probed.verdict.is_denied());
    missing
        .map(|Probed { permission, .. }| {
            let Permission { action, bucket, need, used_by, .. } = permission;
            let kinds: Vec<&str> = used_by.iter().map(|kind| kind.as_str()).collect();
            let what = match need {
                Need::Must => "would fail",
                Need::Helps => "would go on without",
            };
            format!("{bucket}: {action} is denied, so {} {what}", kinds.join(", "))
        })
        .collect()
}

/// The whole list, for people.
pub fn words(body: &Body, probed: &[Probed]) -> String {
    let mut text = format!("Permissions that the apply uses, for {}:\n", body.caller.arn);
    let widest = probed.iter().map(|probed| probed.permission.action.len()).max().unwrap_or(0);
    for Probed { permission, verdict } in probed {
        let word = match verdict {
            Verdict::Allowed | Verdict::AllowedBySimulator => "allowed",
            Verdict::Denied | Verdict::DeniedBySimulator => "DENIED",
            Verdict::Unknown => "unknown",
        };
        let by = match verdict {
            Verdict::AllowedBySimulator | Verdict::DeniedBySimulator => " (by IAM's simulator)",
            Verdict::Allowed | Verdict::Denied | Verdict::Unknown => "",
        };
        let need = match permission.need {
            Need::Must => "",
            Need::Helps => " (goes on without)",
        };
        let kinds: Vec<&str> = permission.used_by.iter().map(|kind| kind.as_str()).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {word:<8}{:<widest$}  {}  for {}{need}{by}",
            permission.action,
            permissions::resource(body, permission),
            kinds.join(", "),
        );
    }
    text.push_str(
        "Objects encrypted with a KMS key also need kms:Decrypt on it, which no listing tells.\n\
         `s3plan show --iam` prints a policy that allows exactly this.\n",
    );
    text
}
