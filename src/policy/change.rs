//! Compares the policy that is wanted with the live one: what to set, why not, and in which words.

use std::collections::BTreeSet;

use super::access;
use super::canonical::{fingerprint, is_same};
use super::document::{BadPolicy, Document};
use super::evaluate::Says;
use super::guard::{self, Loss};
use super::lock::{BadIdentity, Others, locked};
use super::principal::{Who, account_in};
use super::public::is_public;
use super::realm::{Reading, Realm};
use super::truth::Truth;
use super::words;
use crate::model::{Caller, Identity, PolicyChange, PolicyWish, WantedDocument};

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// `None`: the live policy means what is wanted.
    pub change: Option<PolicyChange>,
    /// What forbids the change, one sentence each.
    pub blockers: Vec<String>,
    /// Whether Block Public Access, where it is on, would refuse the new policy.
    pub is_public: bool,
}

/// The whole document that a wish comes to; `None` is no policy.
///
/// # Errors
/// Where a lock cannot be made, or the document is not one that the bucket can have.
pub fn new_document(
    realm: &Realm<'_>,
    wish: &PolicyWish,
    live: Option<&str>,
) -> Result<Option<String>, BadIdentity> {
    let text = match &wish.document {
        WantedDocument::Absent => return Ok(None),
        WantedDocument::Kept(text) => return Ok(Some(text.clone())),
        WantedDocument::Text(text) => {
            words::to_put(&serde_json::Value::Object(Document::parse(text)?.value))
        }
        WantedDocument::Lock { to, mode, replace_statements } => {
            let others = if *replace_statements { Others::Go } else { Others::Stay };
            locked(live, realm, to, *mode, others)?
        }
    };
    Document::parse(&text)?.fits(&text, realm.bucket)?;
    Ok(Some(text))
}

/// Compares a wish with the live policy, for the caller who would set it. `archived` says whether
/// an archive of the bucket is wanted too, and whether things are deleted then.
pub fn compare(
    realm: &Realm<'_>,
    wish: &PolicyWish,
    live: Option<&str>,
    caller: &Caller,
    archived: Option<Deletes>,
) -> Compared {
    let mut found = Compared { blockers: wish.trouble.clone(), ..Compared::default() };
    let new = match new_document(realm, wish, live) {
        Ok(new) => new,
        Err(error) => {
            found.blockers.push(format!("cannot get its policy: {}", why_not(&error)));
            return found;
        }
    };
    if is_same(live, new.as_deref()) {
        return found;
    }
    let new = new.as_deref();
    let who = Who::caller(caller);
    found.blockers.extend(in_the_way(realm, wish, live, new, &who, archived));
    let document = new.and_then(|new| Document::parse(new).ok());
    found.is_public = document.as_ref().is_some_and(is_public);
    found.change = Some(PolicyChange {
        document: new.map(str::to_owned),
        before: fingerprint(live),
        lose_access: wish.lose_access,
        words: tell(realm, wish, live, new, caller),
    });
    found
}

/// Whether an archive's outcome deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletes {
    /// It does.
    Something,
    /// It keeps everything.
    Nothing,
}

fn why_not(error: &BadIdentity) -> String {
    match error {
        BadIdentity::Live(BadPolicy { .. }) => {
            format!("{error}; look at it, then set `replace_statements = true` to replace it whole")
        }
        other => other.to_string(),
    }
}

fn in_the_way(
    realm: &Realm<'_>,
    wish: &PolicyWish,
    live: Option<&str>,
    new: Option<&str>,
    caller: &Who,
    archived: Option<Deletes>,
) -> Vec<String> {
    let mut blockers = Vec::new();
    let lost = guard::takes_away(realm, live, new, caller);
    if !lost.is_empty() && !wish.lose_access {
        blockers.push(format!(
            "would get a policy under which you {}: name yourself in it, use `lock_mode = \
             \"data\"`, or set `lose_access = true` if that is what you want",
            told(&lost)
        ));
    }
    if let Some(deletes) = archived {
        let lost = guard::shut_out(realm, live, new, caller, deletes == Deletes::Something);
        if !lost.is_empty() {
            blockers.push(format!(
                "would be archived under a policy under which you {}: name yourself in it, or \
                 archive first and lock in a second plan",
                told(&lost)
            ));
        }
    }
    if guard::denies_setting(realm, live, caller) {
        blockers.push(
            "has a policy that keeps you from replacing it: plan as somebody whom it lets, or as \
             the account's root"
                .into(),
        );
    }
    if let Some(name) = new.and_then(|new| deleted_principal(&Document::parse(new).ok()?)) {
        blockers.push(format!(
            "would get a policy for `{name}`, which is what S3 makes of a user or role that was \
             deleted; S3 does not take it back: remove that statement from the live policy, or set \
             `replace_statements = true`"
        ));
    }
    if let Some(id) = new_canonical_user(live, new) {
        blockers.push(format!(
            "would get a policy for the canonical user id `{id}`, which S3 keeps as the ARN of its \
             account or origin access identity, so that what is put could not be told from what \
             somebody else put: write that ARN under `AWS` instead"
        ));
    }
    blockers.extend(shut_in_vain(realm, wish, new));
    blockers
}

/// A canonical user id that the live policy does not name. Source: S3 User Guide, "Principals":
/// such an id may come back as an account's ARN.
fn new_canonical_user(live: Option<&str>, new: Option<&str>) -> Option<String> {
    let ids = |text: Option<&str>| -> BTreeSet<String> {
        let policy = text.and_then(|text| Document::parse(text).ok());
        let statements = policy.iter().flat_map(|policy| &policy.statements);
        let named = statements.filter_map(|s| s.principals.by_kind.get("CanonicalUser"));
        named.flatten().cloned().collect()
    };
    let known = ids(live);
    ids(new).into_iter().find(|id| !known.contains(id))
}

/// A lock's own people, kept out by a statement that stays.
fn shut_in_vain(realm: &Realm<'_>, wish: &PolicyWish, new: Option<&str>) -> Option<String> {
    let WantedDocument::Lock { to, .. } = &wish.document else { return None };
    let new = Reading::of(new);
    let is_denied = |identity: &&Identity| {
        let who = Who::identity(identity);
        let denied = |action| realm.verdict(&new, &who, action).denied == Truth::Yes;
        access::ACTIONS.iter().any(denied)
    };
    let identity = to.iter().find(is_denied)?;
    Some(format!(
        "would be locked to {}, but a statement that stays denies them access: set \
         `replace_statements = true`, or remove that statement from the live policy",
        name_of(identity)
    ))
}

/// `denied GetBucketPolicy; cannot tell about PutBucketPolicy`
fn told(lost: &[Loss]) -> String {
    let of = |says: Says| {
        let actions: Vec<&str> =
            lost.iter().filter(|loss| loss.says == says).map(|loss| loss.action).collect();
        (!actions.is_empty()).then(|| actions.join(", "))
    };
    let denied = of(Says::Denies).map(|actions| format!("are denied {actions}"));
    let unknown = of(Says::CannotTell)
        .map(|actions| format!("may be denied {actions}, which cannot be told beforehand"));
    denied.into_iter().chain(unknown).collect::<Vec<_>>().join(" and ")
}

/// A unique id where a principal should be. Source: S3 User Guide, "Principals": an ARN reads back
/// as the id once its user is deleted.
fn deleted_principal(policy: &Document) -> Option<String> {
    let names = policy.statements.iter().filter_map(|s| s.principals.by_kind.get("AWS")).flatten();
    names
        .into_iter()
        .find(|name| {
            let is_id = name.len() >= 16 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_id && account_in(name).is_none() && name.starts_with('A')
        })
        .cloned()
}

fn name_of(identity: &Identity) -> String {
    match identity {
        Identity::User { arn, .. } | Identity::Federated { arn, .. } => {
            arn.rsplit('/').next().unwrap_or(arn).to_owned()
        }
        Identity::Role { name, .. } => format!("the role {name}"),
    }
}

fn tell(
    realm: &Realm<'_>,
    wish: &PolicyWish,
    live: Option<&str>,
    new: Option<&str>,
    caller: &Caller,
) -> Vec<String> {
    let who = Who::caller(caller);
    let mut people = vec![(format!("you ({})", caller.name()), who.clone())];
    if let WantedDocument::Lock { to, .. } = &wish.document {
        let others = to.iter().filter(|identity| !is_caller(identity, caller));
        people.extend(others.map(|identity| (name_of(identity), Who::identity(identity))));
    }
    let table = access::table(realm, &people, &Reading::of(live), &Reading::of(new));
    let mut lines: Vec<String> = wish.notes.iter().map(|note| format!("! {note}")).collect();
    if wish.lose_access {
        let lost = guard::takes_away(realm, live, new, &who);
        if !lost.is_empty() {
            lines.push(format!("! you {}, and `lose_access = true` accepts that", told(&lost)));
        }
    }
    lines.push("who may do what by this policy, before → after:".into());
    lines.extend(words::tell_access(&table).into_iter().map(|line| format!("  {line}")));
    lines.extend(words::difference(live, new).lines().map(|line| format!("| {line}")));
    lines
}

fn is_caller(identity: &Identity, caller: &Caller) -> bool {
    match identity {
        Identity::User { arn, .. } | Identity::Federated { arn, .. } => *arn == caller.arn,
        Identity::Role { role_id: Some(id), .. } => {
            caller.user_id.split(':').next() == Some(id.as_str())
        }
        Identity::Role { name, role_id: None, .. } => {
            caller.kind() == crate::model::CallerKind::AssumedRole && caller.name() == name
        }
    }
}
