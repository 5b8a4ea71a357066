//! What is in the pretend account when it starts: the types behind `world.toml`, which tests may
//! also build in code.
//!
//! ```
//! use s3plan_sandbox::{BucketSpec, ObjectSpec, World};
//!
//! let world = World::default().with(
//!     BucketSpec::new("photos")
//!         .region("eu-west-1")
//!         .text("a.txt", "hello")
//!         .object(ObjectSpec::sized("big", "12MiB").parts("5MiB").class("GLACIER")),
//! );
//! assert_eq!(world.buckets.len(), 1);
//! ```

mod bucket;
mod object;
mod simulator;
mod size;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

pub use bucket::{BucketSpec, Deny, UploadSpec, Versioning};
pub use object::{ObjectSpec, RestoreSpec, RetentionMode, RetentionSpec};
pub use simulator::{Decision, Foresight, Simulator};
pub use size::{PartSizes, Size};

use crate::digest::Algorithm;
use crate::fault::Rule;

/// The account and everything in it at the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    /// The account's id, 12 digits.
    pub account: String,
    /// The account's alias, if it has one.
    pub account_alias: Option<String>,
    /// The region of buckets that name none, and of the users' settings.
    pub region: String,
    /// The account's time at the start; `None` for the machine's.
    pub now: Option<Timestamp>,
    /// How fast the account's clock runs: 1 is real time, 0 stands still.
    pub speed: f64,
    /// The checksum that the account adds to objects that come without one. AWS does so with
    /// CRC64NVME since December 2024; older objects have none, which is the default here.
    pub default_checksum: Option<Algorithm>,
    /// How long every answer takes, in milliseconds.
    pub latency_ms: u64,
    /// How the account misbehaves.
    pub modes: Modes,
    /// Who may ask. Without any there is `alice`.
    #[serde(rename = "user")]
    pub users: Vec<UserSpec>,
    /// What IAM's policy simulator answers; `None`: this account has no simulator.
    pub simulator: Option<Simulator>,
    /// The buckets by name.
    #[serde(rename = "bucket")]
    pub buckets: BTreeMap<String, BucketSpec>,
    /// What will go wrong.
    #[serde(rename = "fault")]
    pub faults: Vec<Rule>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            account: "123456789012".into(),
            account_alias: None,
            region: "us-east-1".into(),
            now: None,
            speed: 1.0,
            default_checksum: None,
            latency_ms: 0,
            modes: Modes::default(),
            users: Vec::new(),
            simulator: None,
            buckets: BTreeMap::new(),
            faults: Vec::new(),
        }
    }
}

impl World {
    /// Reads a world from TOML text.
    ///
    /// # Errors
    /// [`WorldError`] with the line that is wrong, or the name of what contradicts itself.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        let world: Self = toml::from_str(text)?;
        world.check()?;
        Ok(world)
    }

    /// Reads a world from a file.
    ///
    /// # Errors
    /// As [`World::parse`], or that the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, WorldError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| WorldError::Unreadable {
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Adds a bucket.
    pub fn with(mut self, bucket: BucketSpec) -> Self {
        self.buckets.insert(bucket.name.clone(), bucket);
        self
    }

    /// Adds a user. The first one added takes the place of the default `alice`.
    pub fn user(mut self, user: UserSpec) -> Self {
        self.users.push(user);
        self
    }

    /// Adds a rule for what goes wrong.
    pub fn fault(mut self, rule: Rule) -> Self {
        self.faults.push(rule);
        self
    }

    /// Sets the account's time at the start.
    ///
    /// # Panics
    /// When it is no date: worlds are written by hand.
    pub fn now(mut self, now: &str) -> Self {
        self.now = Some(now.parse().expect("a date such as 2024-06-01T00:00:00Z"));
        self
    }

    /// Sets how the account misbehaves.
    pub fn modes(mut self, modes: Modes) -> Self {
        self.modes = modes;
        self
    }

    /// Sets the checksum that objects without one get.
    pub fn default_checksum(mut self, algorithm: Algorithm) -> Self {
        self.default_checksum = Some(algorithm);
        self
    }

    /// The users, or the one that a world without users has.
    pub fn all_users(&self) -> Vec<UserSpec> {
        if self.users.is_empty() { vec![UserSpec::new("alice")] } else { self.users.clone() }
    }

    /// Finds what contradicts itself.
    ///
    /// # Errors
    /// [`WorldError::Contradiction`] that names the bucket and the key.
    pub fn check(&self) -> Result<(), WorldError> {
        if self.account.len() != 12 || !self.account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WorldError::contradiction("account", "an account id has 12 digits"));
        }
        for (name, bucket) in &self.buckets {
            bucket.check(name)?;
        }
        Ok(())
    }
}

/// Someone who can sign requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// The user's name, or the session's name of a role.
    pub name: String,
    /// The IAM path; default `/`.
    pub path: Option<String>,
    /// The unique id; default `AIDA` and 16 letters that follow from the name.
    pub id: Option<String>,
    /// The access key; default one that follows from the name.
    pub access_key: Option<String>,
    /// The secret key; default one that follows from the name.
    pub secret_key: Option<String>,
    /// The session token that must come with the key, for temporary credentials.
    pub session_token: Option<String>,
    /// The name of a role: then this is an assumed role, as with SSO, and no IAM user.
    pub role: Option<String>,
    /// What else this is instead of an IAM user.
    pub kind: Option<UserKind>,
    /// The account that the user belongs to, when it is not the world's.
    pub account: Option<String>,
    /// Whether the credentials have expired: every request gets 400 `ExpiredToken`.
    #[serde(default)]
    pub expired: bool,
    /// Actions outside of buckets that are refused, as globs: `iam:*`, `s3:ListAllMyBuckets`.
    #[serde(default)]
    pub denied: Vec<String>,
    /// The IAM policy of the user: what neither it nor a bucket's policy allows is refused. Without
    /// one everything is allowed.
    pub policy: Option<String>,
}

/// Somebody with credentials who is neither an IAM user nor has a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserKind {
    /// The account's root.
    Root,
    /// A session of `sts:GetFederationToken`.
    Federated,
}

impl UserSpec {
    /// A user with everything that follows from the name.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// How an account or a bucket behaves worse than AWS. All off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Modes {
    /// DeleteObject takes `If-Match` and deletes anyway.
    pub ignore_delete_condition: bool,
    /// DeleteObjects takes an entry's `ETag` and deletes anyway.
    pub ignore_batch_delete_condition: bool,
    /// Listings never carry `RestoreStatus`.
    pub no_restore_status: bool,
    /// Restores are done at once.
    pub restore_at_once: bool,
    /// How long every restore takes, in seconds of the account's clock, instead of the tier's time.
    pub restore_seconds: Option<u64>,
    /// `x-amz-expected-bucket-owner` is not looked at.
    pub ignore_expected_owner: bool,
    /// GET does not look at `If-Match`.
    pub ignore_get_condition: bool,
    /// Listings ignore `encoding-type=url`.
    pub no_url_encoding: bool,
}

/// Why a world cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not a world.
    #[error("not a world: {0}")]
    Text(#[from] toml::de::Error),
    /// Two settings exclude each other.
    #[error("{place}: {why}")]
    Contradiction {
        /// The bucket and key.
        place: String,
        /// What is wrong there.
        why: String,
    },
}

impl WorldError {
    pub(crate) fn contradiction(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Contradiction { place: place.into(), why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_is_named_with_its_line() {
        let error =
            World::parse("[bucket.photos]\nregoin = \"eu-west-1\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("regoin"), "{error}");
    }

    #[test]
    fn the_same_key_twice_needs_versions() {
        let twice =
            "[[bucket.photos.object]]\nkey = \"a\"\n[[bucket.photos.object]]\nkey = \"a\"\n";
        assert!(World::parse(twice).unwrap_err().to_string().contains("photos/a"));
        let versioned = format!("bucket.photos.versioning = \"enabled\"\n{twice}");
        World::parse(&versioned).unwrap();
    }
}
