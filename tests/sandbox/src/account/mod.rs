//! What is in the account now: users, buckets, versions, uploads. Changed by requests, by faults
//! that move the world, and by tests; never by anything else.

mod bucket;
mod series;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use bucket::{Bucket, Removed};
pub use series::version_id;
pub use version::{Restore, Stored, Thaw, Tier, Traits, Version};

use crate::content::{Content, mix, seed_of};
use crate::digest::{self, Algorithm, ChecksumKind};
use crate::world::{Simulator, UserKind, UserSpec, World};

/// The account.
#[derive(Debug)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its alias.
    pub alias: Option<String>,
    /// The region of what names none.
    pub region: String,
    /// The checksum that objects without one get.
    pub default_checksum: Option<Algorithm>,
    /// Who may ask.
    pub users: Vec<User>,
    /// What IAM's simulator answers.
    pub simulator: Option<Simulator>,
    /// All buckets that there are, strangers' too.
    pub buckets: BTreeMap<String, Bucket>,
}

/// Someone who can sign requests.
#[derive(Clone, Debug)]
pub struct User {
    /// The name, or the session's name of a role.
    pub name: Arc<str>,
    /// The IAM path.
    pub path: String,
    /// The unique id: `AIDA…`, or `AROA…:session`.
    pub id: String,
    /// The account.
    pub account: String,
    /// The ARN that GetCallerIdentity tells.
    pub arn: String,
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The session token that must come with the key.
    pub session_token: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Whether the credentials have expired.
    pub expired: bool,
    /// Actions outside of buckets that are refused, as globs.
    pub denied: Vec<String>,
    /// What it may do; `None`: everything.
    pub policy: Option<String>,
}

/// What somebody with credentials is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IAM user.
    User,
    /// A session of a role.
    Role,
    /// A federated session.
    Federated,
    /// The account's root.
    Root,
}

/// A multipart upload in progress.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The key that it will have.
    pub key: String,
    /// What the object will be like.
    pub traits: Traits,
    /// The tags that it will have.
    pub tags: Arc<BTreeMap<String, String>>,
    /// When it began.
    pub initiated: Timestamp,
    /// The parts by number.
    pub parts: BTreeMap<u64, Part>,
}

/// A part of an upload.
#[derive(Clone, Debug)]
pub struct Part {
    /// The bytes.
    pub content: Content,
    /// Their MD5.
    pub etag: String,
    /// When it came.
    pub modified: Timestamp,
}

impl Account {
    /// The account that a world describes.
    pub fn of(world: &World, now: Timestamp) -> Self {
        let buckets = world
            .buckets
            .iter()
            .map(|(name, spec)| (name.clone(), Bucket::of(name, spec, world, now)));
        Self {
            id: world.account.clone(),
            alias: world.account_alias.clone(),
            region: world.region.clone(),
            default_checksum: world.default_checksum,
            users: world.all_users().iter().map(|user| User::of(user, world)).collect(),
            simulator: world.simulator.clone(),
            buckets: buckets.collect(),
        }
    }

    /// Whose access key that is.
    pub fn by_access_key(&self, access_key: &str) -> Option<&User> {
        self.users.iter().find(|user| user.access_key == access_key)
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| &*user.name == name)
    }
}

impl User {
    fn of(spec: &UserSpec, world: &World) -> Self {
        let account = spec.account.clone().unwrap_or_else(|| world.account.clone());
        let path = spec.path.clone().unwrap_or_else(|| "/".into());
        let letters = |prefix: &str, salt: u64, count: usize| {
            let mut seed = mix(seed_of(&spec.name) ^ salt);
            let tail = std::iter::repeat_with(|| {
                seed = mix(seed);
                char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(seed & 31) as usize])
            });
            tail.take(count).fold(prefix.to_owned(), |mut text, letter| {
                text.push(letter);
                text
            })
        };
        let (arn, id, kind) = match (&spec.role, spec.kind) {
            (None, None) => {
                let arn = format!("arn:aws:iam::{account}:user{path}{}", spec.name);
                (arn, spec.id.clone().unwrap_or_else(|| letters("AIDA", 1, 17)), Kind::User)
            }
            (Some(role), _) => {
                let arn = format!("arn:aws:sts::{account}:assumed-role/{role}/{}", spec.name);
                let id = spec.id.clone().unwrap_or_else(|| letters("AROA", 1, 17));
                (arn, format!("{id}:{}", spec.name), Kind::Role)
            }
            (None, Some(UserKind::Federated)) => {
                let arn = format!("arn:aws:sts::{account}:federated-user/{}", spec.name);
                (arn, format!("{account}:{}", spec.name), Kind::Federated)
            }
            (None, Some(UserKind::Root)) => {
                (format!("arn:aws:iam::{account}:root"), account.clone(), Kind::Root)
            }
        };
        let key_prefix = if spec.session_token.is_some() { "ASIA" } else { "AKIA" };
        Self {
            name: spec.name.as_str().into(),
            path,
            id,
            arn,
            account,
            access_key: spec.access_key.clone().unwrap_or_else(|| letters(key_prefix, 2, 16)),
            secret_key: spec.secret_key.clone().unwrap_or_else(|| letters("", 3, 40)),
            session_token: spec.session_token.clone(),
            kind,
            expired: spec.expired,
            denied: spec.denied.clone(),
            policy: spec.policy.clone(),
        }
    }
}

impl Upload {
    /// An upload with no parts yet.
    pub fn new(key: &str, traits: Traits, initiated: Timestamp) -> Self {
        Self {
            key: key.to_owned(),
            traits,
            tags: Arc::default(),
            initiated,
            parts: BTreeMap::new(),
        }
    }

    /// Takes a part in, in the place of an older one of that number, and gives its ETag.
    pub fn put_part(&mut self, number: u64, content: Content, now: Timestamp) -> String {
        let etag = digest::etag(&content, None);
        self.parts.insert(number, Part { content, etag: etag.clone(), modified: now });
        etag
    }

    /// The checksum that parts must carry, if the upload was begun with one.
    pub fn checksum(&self) -> Option<(Algorithm, ChecksumKind)> {
        self.traits.checksum
    }
}
