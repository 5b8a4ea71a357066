//! A bucket as a world describes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;

use super::{Modes, ObjectSpec, PartSizes, WorldError};
use crate::config_table::CONFIGS;

/// A bucket of the world.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BucketSpec {
    /// The name; in TOML it stands in the table's header.
    #[serde(skip)]
    pub name: String,
    /// The region; `None` for the world's.
    pub region: Option<String>,
    /// The account that owns it; `None` for the world's. A stranger's bucket answers 403.
    pub owner: Option<String>,
    /// When it was made; default 2020-01-01.
    pub created: Option<Timestamp>,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// Whether deleting a version asks for MFA.
    pub mfa_delete: bool,
    /// Whether Object Lock is on. Needs `versioning = "enabled"`.
    pub object_lock: bool,
    /// The bucket policy's text.
    pub policy: Option<String>,
    /// Configuration documents as XML text, by subresource: `lifecycle`, `cors`, `website`,
    /// `tagging`, `encryption`, `acl`, `replication`, `logging`, `notification`,
    /// `requestPayment`, `publicAccessBlock`, `ownershipControls`, `intelligent-tiering`,
    /// `accelerate`, `inventory`, `analytics`, `metrics`, `abac`, `metadataConfiguration`,
    /// `metadataTable`. Where a bucket can have many configurations of a kind, the document is the
    /// whole list; it is answered page by page.
    pub config: BTreeMap<String, String>,
    /// The objects. The same key again is the next version of it.
    #[serde(rename = "object")]
    pub objects: Vec<ObjectSpec>,
    /// Multipart uploads in progress.
    #[serde(rename = "upload")]
    pub uploads: Vec<UploadSpec>,
    /// A fixed table of who may not do what; it stands in for an evaluated policy.
    pub deny: Vec<Deny>,
    /// How this bucket misbehaves; `None` for the world's modes.
    pub modes: Option<Modes>,
}

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versioning {
    /// Never switched on.
    #[default]
    Off,
    /// On.
    Enabled,
    /// Was on, and is suspended: what is written now is the `null` version.
    Suspended,
}

impl Versioning {
    /// The word in GetBucketVersioning's answer; `None` when never switched on.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::Enabled => Some("Enabled"),
            Self::Suspended => Some("Suspended"),
        }
    }
}

/// A multipart upload that nobody has finished.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadSpec {
    /// The key that it will have.
    pub key: String,
    /// The upload's id; default one that follows from the key.
    pub id: Option<String>,
    /// When it began; default the account's time at the start.
    pub initiated: Option<Timestamp>,
    /// The sizes of the parts that are there.
    pub parts: Option<PartSizes>,
    /// The storage class that it will have; default `STANDARD`.
    pub storage_class: Option<String>,
}

impl UploadSpec {
    /// An upload with no parts yet.
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), id: None, initiated: None, parts: None, storage_class: None }
    }
}

/// A row of a bucket's table of refusals.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// The user's name, or `*` for everyone.
    pub user: String,
    /// Users whom the row spares.
    #[serde(default)]
    pub except: Vec<String>,
    /// IAM actions, `*` allowed: `s3:GetObject`, `s3:Delete*`.
    pub actions: Vec<String>,
    /// The keys that it is about, as a glob; `None` for the bucket and all keys.
    #[serde(default)]
    pub keys: Option<String>,
}

impl BucketSpec {
    /// An empty bucket.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Sets the region.
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Sets the account that owns it.
    pub fn owner(mut self, account: &str) -> Self {
        self.owner = Some(account.to_owned());
        self
    }

    /// Sets whether it keeps versions.
    pub fn versioning(mut self, versioning: Versioning) -> Self {
        self.versioning = versioning;
        self
    }

    /// Switches Object Lock on, and versioning with it.
    pub fn object_lock(mut self) -> Self {
        self.versioning = Versioning::Enabled;
        self.object_lock = true;
        self
    }

    /// Sets the policy's text.
    pub fn policy(mut self, text: &str) -> Self {
        self.policy = Some(text.to_owned());
        self
    }

    /// Sets a configuration document.
    pub fn config(mut self, subresource: &str, xml: &str) -> Self {
        self.config.insert(subresource.to_owned(), xml.to_owned());
        self
    }

    /// Adds an object; the same key again is the next version.
    pub fn object(mut self, object: ObjectSpec) -> Self {
        self.objects.push(object);
        self
    }

    /// Adds an object with a text.
    pub fn text(self, key: &str, text: &str) -> Self {
        self.object(ObjectSpec::text(key, text))
    }

    /// Adds an object with these bytes.
    pub fn bytes(self, key: &str, bytes: &[u8]) -> Self {
        self.object(ObjectSpec::bytes(key, bytes))
    }

    /// Adds an upload in progress.
    pub fn upload(mut self, upload: UploadSpec) -> Self {
        self.uploads.push(upload);
        self
    }

    /// Refuses these actions to a user (`*` for everyone).
    pub fn deny(mut self, user: &str, actions: &[&str]) -> Self {
        self.deny.push(Deny {
            user: user.to_owned(),
            except: Vec::new(),
            actions: actions.iter().map(|&action| action.to_owned()).collect(),
            keys: None,
        });
        self
    }

    /// Sets how it misbehaves.
    pub fn modes(mut self, modes: Modes) -> Self {
        self.modes = Some(modes);
        self
    }

    /// Finds what contradicts itself.
    pub(super) fn check(&self, name: &str) -> Result<(), WorldError> {
        if !s3s::path::check_bucket_name(name) {
            return Err(WorldError::contradiction(name, "not a bucket name that S3 would take"));
        }
        if self.object_lock && self.versioning != Versioning::Enabled {
            return Err(WorldError::contradiction(name, "object_lock needs versioning"));
        }
        for subresource in self.config.keys() {
            if !CONFIGS.iter().any(|config| config.query == subresource) {
                let known: Vec<_> = CONFIGS.iter().map(|config| config.query).collect();
                let why =
                    format!("no configuration `{subresource}`; there are {}", known.join(", "));
                return Err(WorldError::contradiction(name, why));
            }
        }
        let mut keys = BTreeSet::new();
        for object in &self.objects {
            let place = format!("{name}/{}", object.key);
            object.check(&place, self.versioning)?;
            if !keys.insert(&object.key) && self.versioning == Versioning::Off {
                let why = "is there twice, and the bucket keeps no versions";
                return Err(WorldError::contradiction(place, why));
            }
        }
        Ok(())
    }
}
