//! Nobody is locked out by mistake: what a new policy would take away from its caller.
//!
//! Only statements that are new count. Those that stand already cannot take away anything: the
//! caller has just read the policy under them. Cannot tell counts as lost.

use super::evaluate::Says;
use super::principal::Who;
use super::realm::{Action, Reading, Realm};
use super::truth::Truth;

/// Something that somebody may do now, and could not do, or could not surely do, any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// `GetBucketPolicy`
    pub action: &'static str,
    /// Denied, or cannot tell.
    pub says: Says,
}

const OWN_WAY: [Action; 2] =
    [Action::bucket("s3:GetBucketPolicy"), Action::bucket("s3:PutBucketPolicy")];

const ARCHIVE: [Action; 5] = [
    Action::bucket("s3:ListBucket"),
    Action::bucket("s3:ListBucketVersions"),
    Action::objects("s3:GetObject"),
    Action::objects("s3:GetObjectVersion"),
    Action::objects("s3:RestoreObject"),
];

const DELETE: [Action; 4] = [
    Action::objects("s3:DeleteObject"),
    Action::objects("s3:DeleteObjectVersion"),
    Action::objects("s3:AbortMultipartUpload"),
    Action::bucket("s3:DeleteBucket"),
];

/// What of reading and replacing the policy a new one would take away from `who`. Texts are whole
/// policies; `None` is no policy, and a text that cannot be read may deny anything.
pub fn takes_away(
    realm: &Realm<'_>,
    live: Option<&str>,
    new: Option<&str>,
    who: &Who,
) -> Vec<Loss> {
    losses(realm, live, new, who, &OWN_WAY)
}

/// What of archiving the bucket, and of deleting it where that is wanted, it would take away.
pub fn shut_out(
    realm: &Realm<'_>,
    live: Option<&str>,
    new: Option<&str>,
    who: &Who,
    deletes: bool,
) -> Vec<Loss> {
    let mut losses_of_all = losses(realm, live, new, who, &ARCHIVE);
    if deletes {
        losses_of_all.extend(losses(realm, live, new, who, &DELETE));
    }
    losses_of_all
}

/// Whether the live policy surely keeps `who` from replacing it.
pub fn denies_setting(realm: &Realm<'_>, live: Option<&str>, who: &Who) -> bool {
    realm.verdict(&Reading::of(live), who, &OWN_WAY[1]).denied == Truth::Yes
}

fn losses(
    realm: &Realm<'_>,
    live: Option<&str>,
    new: Option<&str>,
    who: &Who,
    actions: &[Action],
) -> Vec<Loss> {
    let (live, new) = (Reading::of(live), Reading::of(new));
    let mut losses = Vec::new();
    for action in actions {
        let verdict = match &new {
            Reading::Policy(policy) => realm.verdict_of_news(policy, &live, who, action),
            other => realm.verdict(other, who, action),
        };
        if verdict.may_deny() {
            let says = if verdict.denied == Truth::Yes { Says::Denies } else { Says::CannotTell };
            losses.push(Loss { action: action.short(), says });
        }
    }
    losses
}
