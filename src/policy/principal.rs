//! Who asks: principals, and what is known of their requests.
//!
//! Source: IAM User Guide, "AWS global condition context keys" and the table of `aws:userid` under
//! "IAM policy elements: Variables and tags".

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Principals, Sense};
use super::truth::Truth;
use crate::model::{AccountId, Caller, CallerKind, Identity};

/// Somebody who may ask for something in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// An IAM user of the bucket's account.
    User {
        /// Their ARN.
        arn: String,
        /// `AIDA…`; `None` where it is not known.
        user_id: Option<String>,
    },
    /// A session of a role of the bucket's account.
    Session {
        /// The role's name.
        role: String,
        /// The role's ARN; `None` where its path is not known.
        role_arn: Option<String>,
        /// The session's ARN; `None`: any session.
        arn: Option<String>,
        /// `AROA…`; `None` where it is not known.
        role_id: Option<String>,
    },
    /// A federated session of the account.
    Federated {
        /// Its ARN.
        arn: String,
        /// `ACCOUNT:NAME`.
        user_id: String,
    },
    /// The account's root.
    Root,
    /// Any IAM user of the account whom no policy names.
    AnotherUser,
    /// An AWS service acting for itself, such as `logging.s3.amazonaws.com`.
    Service(String),
    /// Whoever comes without credentials.
    Anonymous,
    /// An identity that s3plan does not know.
    Unknown,
}

/// What a condition key of a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Exactly this.
    Is(String),
    /// Some text that begins and ends like this, with anything or nothing in between: a role's ARN
    /// whose path is not known.
    Between(String, String),
    /// The request does not have the key.
    Absent,
    /// It depends on the request.
    Unknown,
}

/// What is known of a request beside who asks for what.
#[derive(Clone, Debug, Default)]
pub struct Context {
    values: BTreeMap<String, Value>,
}

impl Context {
    /// A key's value, by its name in lower case.
    pub(super) fn get(&self, key: &str) -> Value {
        self.values.get(key).cloned().unwrap_or(Value::Unknown)
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        self.values.insert(key.to_ascii_lowercase(), value);
    }

    /// Says that requests have this key with this value, or `None`: that they do not have it.
    #[must_use]
    pub fn with(mut self, key: &str, value: Option<&str>) -> Self {
        self.set(key, value.map_or(Value::Absent, |value| Value::Is(value.to_owned())));
        self
    }

    /// What is always so in requests of `who`, sent over TLS as the SDKs do.
    pub fn of(who: &Who, account: &AccountId, partition: &str) -> Self {
        let mut context = Self::default();
        let is = |text: &str| Value::Is(text.to_owned());
        context.set("aws:securetransport", is("true"));
        context.set("aws:principalisawsservice", is("false"));
        context.set("aws:principalaccount", is(account.as_str()));
        context.set("aws:username", Value::Absent);
        context.set("aws:principalservicename", Value::Absent);
        context.set("aws:resourceaccount", is(account.as_str()));
        let maybe = |id: &Option<String>| id.as_deref().map_or(Value::Unknown, is);
        match who {
            Who::User { arn, user_id } => {
                context.set("aws:userid", maybe(user_id));
                context.set("aws:principalarn", is(arn));
                context.set("aws:username", is(arn.rsplit('/').next().unwrap_or(arn)));
                context.set("aws:principaltype", is("User"));
            }
            Who::Session { role, role_arn, arn, role_id } => {
                let session = arn.as_deref().and_then(|arn| arn.rsplit('/').next());
                context.set(
                    "aws:userid",
                    match (role_id, session) {
                        (Some(id), Some(session)) => is(&format!("{id}:{session}")),
                        (Some(id), None) => Value::Between(format!("{id}:"), String::new()),
                        (None, _) => Value::Unknown,
                    },
                );
                context.set(
                    "aws:principalarn",
                    match role_arn {
                        Some(arn) => is(arn),
                        None => Value::Between(
                            format!("arn:{partition}:iam::{account}:role/"),
                            role.clone(),
                        ),
                    },
                );
                context.set("aws:principaltype", is("AssumedRole"));
            }
            Who::Federated { arn, user_id } => {
                context.set("aws:userid", is(user_id));
                context.set("aws:principalarn", is(arn));
                context.set("aws:principaltype", is("FederatedUser"));
            }
            Who::Root => {
                context.set("aws:userid", is(account.as_str()));
                context
                    .set("aws:principalarn", is(&format!("arn:{partition}:iam::{account}:root")));
                context.set("aws:principaltype", is("Account"));
            }
            Who::AnotherUser => {
                // No id or name that a policy spells out is theirs; a pattern may well be.
                context.set("aws:userid", is("AIDA\u{f8ff}"));
                context.set(
                    "aws:principalarn",
                    is(&format!("arn:{partition}:iam::{account}:user/\u{f8ff}")),
                );
                context.set("aws:username", is("\u{f8ff}"));
                context.set("aws:principaltype", is("User"));
            }
            Who::Service(name) => {
                context.set("aws:principalisawsservice", is("true"));
                context.set("aws:principalservicename", is(name));
                for key in ["aws:userid", "aws:principalarn", "aws:principalaccount"] {
                    context.set(key, Value::Absent);
                }
                context.set("aws:principaltype", Value::Unknown);
                context.set("aws:securetransport", Value::Unknown);
            }
            Who::Anonymous => {
                context.set("aws:userid", is("anonymous"));
                context.set("aws:principaltype", is("Anonymous"));
                for key in ["aws:principalarn", "aws:principalaccount", "aws:principalorgid"] {
                    context.set(key, Value::Absent);
                }
                context.set("aws:securetransport", Value::Unknown);
            }
            Who::Unknown => {
                for key in ["aws:principalaccount", "aws:principalisawsservice", "aws:username"] {
                    context.set(key, Value::Unknown);
                }
            }
        }
        context
    }
}

impl Who {
    /// The identity behind the credentials.
    pub fn caller(caller: &Caller) -> Self {
        let arn = caller.arn.clone();
        match caller.kind() {
            CallerKind::User => Self::User { arn, user_id: Some(caller.user_id.clone()) },
            CallerKind::AssumedRole => Self::Session {
                role: caller.name().to_owned(),
                role_arn: None,
                arn: Some(arn),
                role_id: caller.user_id.split(':').next().map(str::to_owned),
            },
            CallerKind::Federated => Self::Federated { arn, user_id: caller.user_id.clone() },
            CallerKind::Root => Self::Root,
            CallerKind::Other => Self::Unknown,
        }
    }

    /// Somebody a bucket is locked to.
    pub fn identity(identity: &Identity) -> Self {
        match identity.clone() {
            Identity::User { arn, user_id } => Self::User { arn, user_id },
            Identity::Role { name, arn, role_id } => {
                Self::Session { role: name, role_arn: arn, arn: None, role_id }
            }
            Identity::Federated { arn, user_id } => Self::Federated { arn, user_id },
        }
    }

    /// Whether a list of principals means them.
    pub(super) fn is_meant(&self, by: &Principals, account: &AccountId) -> Meant {
        let named = by.by_kind.iter().flat_map(|(kind, names)| {
            names.iter().map(move |name| self.is_named(kind, name, account))
        });
        let named = named.fold(Meant::nobody(), Meant::or);
        match by.sense {
            Sense::These => named,
            // Whoever is listed is spared only where the account and the session are listed too;
            // AWS itself advises against it. Source: IAM User Guide, "NotPrincipal".
            Sense::AllBut => match named.denied {
                Truth::No => Meant { denied: Truth::Yes, allowed: Truth::Yes },
                Truth::Yes if *self == Self::Root => Meant::nobody(),
                _ => Meant { denied: Truth::CannotTell, allowed: Truth::CannotTell },
            },
        }
    }

    fn is_named(&self, kind: &str, name: &str, account: &AccountId) -> Meant {
        let exactly = |holds: Truth| Meant { denied: holds, allowed: holds };
        match kind {
            "AWS" if name == "*" => exactly(Truth::Yes),
            "AWS" => match account_in(name) {
                // To name an account is to leave it to that account whom it lets in; a Deny meets
                // everybody in it. Source: IAM User Guide, "AWS account principals".
                Some(named) => {
                    let inside = match self {
                        Self::Anonymous | Self::Service(_) => Truth::No,
                        Self::Unknown => Truth::CannotTell,
                        _ => (named == account.as_str()).into(),
                    };
                    let allowed = if *self == Self::Root { inside } else { Truth::No };
                    Meant { denied: inside, allowed }
                }
                None => exactly(self.is_arn(name)),
            },
            "Service" => exactly(match self {
                Self::Service(own) => (own == name).into(),
                Self::Unknown => Truth::CannotTell,
                _ => Truth::No,
            }),
            // A session of that identity provider, or the owner of that canonical id: neither can
            // be told from an ARN.
            _ => exactly(match self {
                Self::Service(_) | Self::Anonymous => Truth::No,
                Self::User { .. } | Self::Root | Self::AnotherUser if kind == "Federated" => {
                    Truth::No
                }
                _ => Truth::CannotTell,
            }),
        }
    }

    /// Whether an ARN or a unique id under `AWS` is theirs.
    fn is_arn(&self, name: &str) -> Truth {
        match self {
            Self::User { arn, user_id } => {
                let by_id = match user_id {
                    Some(id) => (id == name).into(),
                    None if name.starts_with("AIDA") => Truth::CannotTell,
                    None => Truth::No,
                };
                Truth::from(arn == name).or(by_id)
            }
            Self::Session { role, role_arn, arn, role_id } => {
                if role_arn.as_deref() == Some(name) || role_id.as_deref() == Some(name) {
                    return Truth::Yes;
                }
                let resource = name.splitn(6, ':').nth(5).unwrap_or_default();
                let last = resource.rsplit('/').next().unwrap_or_default();
                match resource.split('/').next() {
                    // Names of roles are unique in an account, whatever their path.
                    Some("role") => (last == role).into(),
                    Some("assumed-role") => match arn {
                        Some(own) => (own == name).into(),
                        None if resource.split('/').nth(1) == Some(role) => Truth::CannotTell,
                        None => Truth::No,
                    },
                    _ if name.starts_with("AROA") && role_id.is_none() => Truth::CannotTell,
                    _ => Truth::No,
                }
            }
            Self::Federated { arn, .. } => (arn == name).into(),
            Self::Root | Self::AnotherUser | Self::Service(_) | Self::Anonymous => Truth::No,
            Self::Unknown => Truth::CannotTell,
        }
    }
}

/// Whether a statement is about somebody, which differs between Deny and Allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meant {
    pub denied: Truth,
    pub allowed: Truth,
}

impl Meant {
    fn nobody() -> Self {
        Self { denied: Truth::No, allowed: Truth::No }
    }

    fn or(self, other: Self) -> Self {
        Self { denied: self.denied.or(other.denied), allowed: self.allowed.or(other.allowed) }
    }
}

/// The account that a principal names as a whole: by its bare id, or by its root's ARN.
pub(super) fn account_in(name: &str) -> Option<&str> {
    let is_id = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.splitn(6, ':');
    let by_arn = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("arn"), Some(_), Some("iam"), Some("")) => {
            parts.next().filter(|_| parts.next() == Some("root"))
        }
        _ => None,
    };
    by_arn.or(Some(name)).filter(|text| is_id(text))
}

/// The services that any of these documents names.
pub(super) fn services_in<'a>(
    principals: impl Iterator<Item = &'a Principals>,
) -> BTreeSet<String> {
    principals.flat_map(|p| p.by_kind.get("Service")).flatten().cloned().collect()
}
