//! Policy outcomes with everything looked up: identities by IAM, files from disk, and what AWS
//! would say to the new policy.

use std::path::Path;

use crate::aws::{Aws, AwsError, Bucket, ErrorKind};
use crate::model::{
    BucketName, Caller, CallerKind, Desired, DesiredBucket, DesiredPolicy, Identity, LockTo,
    Observed, PolicySource, PolicyWish, Reason, WantedDocument,
};
use crate::policy::{self, Document, Realm, SIZE_LIMIT};

use super::exit::{Exit, Failure};

/// Looks up who people are, each of them once.
pub struct Lookups<'a> {
    aws: &'a Aws,
    caller: &'a Caller,
    known: Vec<(LockTo, Found)>,
}

/// Somebody that was looked up.
#[derive(Clone, Debug)]
struct Found {
    /// Or why a bucket cannot be locked to them, to follow the bucket's name.
    identity: Result<Identity, String>,
    /// What a reviewer should know.
    note: Option<String>,
}

impl From<Identity> for Found {
    fn from(identity: Identity) -> Self {
        Self { identity: Ok(identity), note: None }
    }
}

impl Found {
    fn no(why: impl Into<String>) -> Self {
        Self { identity: Err(why.into()), note: None }
    }
}

impl<'a> Lookups<'a> {
    pub fn new(aws: &'a Aws, caller: &'a Caller) -> Self {
        Self { aws, caller, known: Vec::new() }
    }

    /// What is wanted of each bucket's policy, in the same order; `None` where nothing is.
    ///
    /// # Errors
    /// IAM that does not answer; every file that holds no policy for its bucket, at once.
    pub async fn wishes(
        mut self,
        buckets: &[DesiredBucket],
    ) -> Result<Vec<Option<PolicyWish>>, Failure> {
        let (mut wishes, mut wrong) = (Vec::new(), Vec::new());
        for bucket in buckets {
            wishes.push(match &bucket.policy {
                None => None,
                Some(wanted) => match self.wish(bucket.name.as_str(), wanted).await? {
                    Ok(wish) => Some(wish),
                    Err(why) => {
                        wrong.push(why);
                        None
                    }
                },
            });
        }
        if wrong.is_empty() {
            return Ok(wishes);
        }
        let message = format!("not every policy file can be used:\n{}", wrong.join("\n"));
        Err(Failure::new(Exit::Usage, "policy/bad-file", message)
            .help("`s3plan policy render` writes files to begin with"))
    }

    /// The inner error is a file's.
    async fn wish(
        &mut self,
        bucket: &str,
        wanted: &DesiredPolicy,
    ) -> Result<Result<PolicyWish, String>, Failure> {
        let mut wish = PolicyWish {
            document: WantedDocument::Absent,
            lose_access: wanted.lose_access,
            reason: Reason::NoPolicyWanted,
            notes: Vec::new(),
            trouble: Vec::new(),
        };
        match &wanted.source {
            PolicySource::None => {}
            PolicySource::File(path) => match read(path, bucket) {
                Ok(text) => {
                    wish.document = WantedDocument::Text(text);
                    wish.reason = Reason::OtherPolicy;
                }
                Err(why) => return Ok(Err(why)),
            },
            PolicySource::Lock { to, mode, replace_statements } => {
                let mut identities = Vec::new();
                for who in to {
                    let found = self.identity(who).await?;
                    wish.notes.extend(found.note);
                    match found.identity {
                        Ok(identity) => identities.push(identity),
                        Err(why) => wish.trouble.push(why),
                    }
                }
                identities.sort();
                identities.dedup();
                wish.reason = Reason::NotLocked;
                wish.document = WantedDocument::Lock {
                    to: identities,
                    mode: *mode,
                    replace_statements: *replace_statements,
                };
            }
        }
        Ok(Ok(wish))
    }

    /// Who somebody is whom a bucket shall be locked to.
    async fn identity(&mut self, who: &LockTo) -> Result<Found, Failure> {
        if let Some((_, found)) = self.known.iter().find(|(known, _)| known == who) {
            return Ok(found.clone());
        }
        let found = match who {
            LockTo::Me => self.me().await?,
            LockTo::User(name) => self.user(name, None).await?,
            LockTo::Arn(arn) => self.by_arn(arn).await?,
        };
        self.known.push((who.clone(), found.clone()));
        Ok(found)
    }

    async fn me(&self) -> Result<Found, Failure> {
        let caller = self.caller;
        let (arn, user_id) = (caller.arn.clone(), caller.user_id.clone());
        Ok(match caller.kind() {
            CallerKind::User => Identity::User { arn, user_id: Some(user_id) }.into(),
            CallerKind::Federated => Identity::Federated { arn, user_id }.into(),
            CallerKind::AssumedRole => self.role(caller.name(), None).await?,
            CallerKind::Root => Found::no(
                "cannot be locked to the account's root, whose credentials these are: every lock \
                 spares the root; name the user or role that is to keep access",
            ),
            CallerKind::Other => Found::no(format!(
                "cannot be locked to you: s3plan does not know what {arn} is; name a user or role"
            )),
        })
    }

    async fn by_arn(&self, arn: &str) -> Result<Found, Failure> {
        let mut parts = arn.splitn(6, ':');
        let partition = parts.nth(1).unwrap_or_default();
        let (account, resource) =
            (parts.nth(2).unwrap_or_default(), parts.next().unwrap_or_default());
        if account != self.caller.account.as_str() {
            return Ok(Found::no(format!(
                "cannot be locked to {arn}, which belongs to another account: s3plan cannot look \
                 it up there; write the policy yourself and name it with `file`"
            )));
        }
        if partition != self.caller.partition() {
            return Ok(Found::no(format!(
                "cannot be locked to {arn}: the account is in the partition `{}`",
                self.caller.partition()
            )));
        }
        let name = resource.rsplit('/').next().unwrap_or_default();
        match resource.split('/').next() {
            Some("user") => self.user(name, Some(arn)).await,
            Some("role") => self.role(name, Some(arn)).await,
            // The path of a session's role is lost; its name is not.
            Some("assumed-role") => {
                self.role(resource.split('/').nth(1).unwrap_or_default(), None).await
            }
            Some("federated-user") => {
                let user_id = format!("{account}:{name}");
                Ok(Identity::Federated { arn: arn.to_owned(), user_id }.into())
            }
            _ => Ok(Found::no(
                "cannot be locked to the account's root, which every lock spares anyway: name a \
                 user or role",
            )),
        }
    }

    /// A user by name; `arn` is the ARN that the manifest gives, which must still be theirs.
    async fn user(&self, name: &str, arn: Option<&str>) -> Result<Found, Failure> {
        let caller = self.caller;
        if caller.kind() == CallerKind::User && caller.name() == name {
            let (own, user_id) = (caller.arn.clone(), Some(caller.user_id.clone()));
            return Ok(same_arn(Identity::User { arn: own.clone(), user_id }, arn, &own));
        }
        match self.aws.user(Some(name)).await {
            Ok(user) => {
                let identity =
                    Identity::User { arn: user.arn.clone(), user_id: Some(user.user_id) };
                Ok(same_arn(identity, arn, &user.arn))
            }
            Err(error) if *error.kind() == ErrorKind::NoSuchUser => {
                Ok(Found::no(format!("cannot be locked to `{name}`: there is no such IAM user")))
            }
            Err(error) if may_not_know(&error) => {
                let guessed = format!(
                    "arn:{}:iam::{}:user/{name}",
                    caller.partition(),
                    caller.account.as_str()
                );
                let arn = arn.unwrap_or(&guessed).to_owned();
                let note = format!(
                    "{name} could not be looked up ({}): the lock goes by the ARN {arn}, and a \
                     rename would lock them out",
                    error.code().unwrap_or("no answer")
                );
                let identity = Ok(Identity::User { arn, user_id: None });
                Ok(Found { identity, note: Some(note) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A role by name; `arn` as for a user.
    async fn role(&self, name: &str, arn: Option<&str>) -> Result<Found, Failure> {
        let caller = self.caller;
        let own_id = (caller.kind() == CallerKind::AssumedRole && caller.name() == name)
            .then(|| caller.user_id.split(':').next().unwrap_or_default().to_owned());
        match self.aws.role(name).await {
            Ok(role) => {
                let identity = Identity::Role {
                    name: name.to_owned(),
                    arn: Some(role.arn.clone()),
                    role_id: Some(role.role_id),
                };
                Ok(same_arn(identity, arn, &role.arn))
            }
            // Its sessions are known by their id, which is all that the lock itself needs.
            Err(_) if own_id.is_some() => {
                let arn = arn.map(str::to_owned);
                let note = arn.is_none().then(|| {
                    format!(
                        "the role {name} could not be looked up: it is spared by the lock, but \
                         needs IAM permissions of its own"
                    )
                });
                let identity = Ok(Identity::Role { name: name.to_owned(), arn, role_id: own_id });
                Ok(Found { identity, note })
            }
            Err(error) if *error.kind() == ErrorKind::NoSuchUser => {
                Ok(Found::no(format!("cannot be locked to the role `{name}`: there is none")))
            }
            Err(error) if may_not_know(&error) => Ok(match arn {
                Some(arn) => Found {
                    identity: Ok(Identity::Role {
                        name: name.to_owned(),
                        arn: Some(arn.to_owned()),
                        role_id: None,
                    }),
                    note: Some(format!(
                        "the role {name} could not be looked up: the lock goes by the ARN {arn}"
                    )),
                },
                None => Found::no(format!(
                    "cannot be locked to the role `{name}`, which may not be looked up \
                     (iam:GetRole): name it by its ARN"
                )),
            }),
            Err(error) => Err(error.into()),
        }
    }
}

/// An ARN in the manifest that is not what IAM knows under that name no longer resolves.
fn same_arn(identity: Identity, written: Option<&str>, known: &str) -> Found {
    match written {
        Some(written) if written != known => Found::no(format!(
            "cannot be locked to {written}, which does not exist: IAM knows {known} under that name"
        )),
        _ => identity.into(),
    }
}

/// Whether IAM keeps it to itself, or there is none: both leave the ARN.
fn may_not_know(error: &AwsError) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotImplemented)
        || error.code() == Some("InvalidAction")
}

/// Reads a policy file for a bucket.
fn read(path: &Path, bucket: &str) -> Result<String, String> {
    let at = |line: Option<usize>, what: &str| match line {
        Some(line) => format!("{}:{line}: {what}", path.display()),
        None => format!("{}: {what}", path.display()),
    };
    let size = std::fs::metadata(path).map_err(|error| at(None, &error.to_string()))?.len();
    // White space does not count against S3's limit, but a file of megabytes is none of ours.
    if size > 16 * SIZE_LIMIT as u64 {
        return Err(at(None, &format!("it has {size} bytes, which is no bucket policy")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| at(None, &error.to_string()))?;
    let text = policy::fill_in(&text, bucket);
    let document = Document::parse(&text).map_err(|error| at(error.line, &error.what))?;
    document.fits(&text, bucket).map_err(|error| at(error.line, &error.what))?;
    Ok(text)
}

/// Gives each seen bucket its wish, and asks AWS about those policies that would change: whether
/// public ones are refused there, and what the simulator says. Both only ever stop a plan.
pub async fn hold_against_live(
    aws: &Aws,
    desired: &Desired,
    observed: &mut Observed,
    wishes: Vec<Option<PolicyWish>>,
) {
    let caller = observed.caller.clone();
    for (seen, wish) in observed.buckets.iter_mut().zip(wishes) {
        let Some(mut wish) = wish else { continue };
        let name = &seen.bucket.name;
        let partition = caller.partition();
        let realm = Realm { bucket: name.as_str(), account: &desired.account, partition };
        let live = seen.bucket.policy.as_deref();
        let compared = policy::compare(&realm, &wish, live, &caller, None);
        if let Some(change) = compared.change {
            let door = aws.bucket(name, &seen.bucket.region, &desired.account);
            if compared.is_public {
                hold_against_block(&door, &mut wish).await;
            }
            if !wish.lose_access {
                hold_against_simulator(aws, &caller, name, change.document.as_deref(), &mut wish)
                    .await;
            }
        }
        seen.policy = Some(wish);
    }
}

/// Block Public Access has levels above the bucket, and the strictest wins; those are not asked
/// for.
///
/// Source: S3 User Guide, "Blocking public access".
async fn hold_against_block(door: &Bucket, wish: &mut PolicyWish) {
    let looked_at = match door.blocks_public_policies().await {
        Some(true) => {
            return wish.trouble.push(
                "would get a public policy, which its Block Public Access refuses: pin each Allow \
                 to fixed principals, or have the block taken off"
                    .into(),
            );
        }
        Some(false) => "only the bucket's own Block Public Access was looked at",
        None => "whether Block Public Access is on could not be found out",
    };
    wish.notes.push(format!(
        "the new policy is public; {looked_at}: where the account's or the organization's is on, \
         S3 will refuse it"
    ));
}

async fn hold_against_simulator(
    aws: &Aws,
    caller: &Caller,
    bucket: &BucketName,
    new: Option<&str>,
    wish: &mut PolicyWish,
) {
    let Some(way) = aws.own_way_under(caller, bucket, new).await else { return };
    if !way.lost.is_empty() {
        let (under, instead) = match new {
            Some(_) => ("get a policy under which", "name yourself in it"),
            None => ("have no policy any more, and then", "keep one that allows you that"),
        };
        wish.trouble.push(format!(
            "would {under} AWS's own simulator denies you {}: {instead}, or set `lose_access = \
             true`",
            way.lost.join(", ")
        ));
    } else if !way.depends_on.is_empty() {
        let keys: Vec<String> = way.depends_on.into_iter().collect();
        wish.notes.push(format!(
            "AWS's own simulator cannot tell whether you keep the way to the policy: that depends \
             on {} of the live request",
            keys.join(", ")
        ));
    }
}
