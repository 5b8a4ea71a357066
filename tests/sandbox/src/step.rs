//! Moves of the world that no request made: what rules, tests and the control endpoint do to the
//! account behind everyone's back. The witness does not count them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use crate::account::{Restore, Stored, Tier, Traits, Upload, Version, version_id};
use crate::clock::{days_after, midnight_after};
use crate::content::{Content, mix, seed_of};
use crate::digest::ChecksumKind;
use crate::shared::Shared;
use crate::world::{Deny, Versioning};

/// One move of the world.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Writes an object, over what is there.
    Put {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The text.
        #[serde(default)]
        body: String,
    },
    /// Deletes an object, or one version of it.
    Delete {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The version; `None` as a DELETE without one.
        #[serde(default)]
        version: Option<String>,
    },
    /// Ends a restore now: the copy is there, for a week.
    Restore {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Takes a restored copy away.
    Lapse {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Changes the storage class, as a lifecycle rule does.
    Class {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The new class.
        class: String,
    },
    /// Switches a legal hold on an object.
    LegalHold {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// On or off.
        on: bool,
    },
    /// Puts a bucket's policy, or takes it away.
    Policy {
        /// The bucket.
        bucket: String,
        /// The text.
        #[serde(default)]
        text: Option<String>,
    },
    /// Refuses actions to a user from now on.
    Deny {
        /// The bucket.
        bucket: String,
        /// The user, or `*`.
        user: String,
        /// The IAM actions.
        actions: Vec<String>,
    },
    /// Empties the bucket's table of refusals.
    Allow {
        /// The bucket.
        bucket: String,
    },
    /// Switches versioning.
    Versioning {
        /// The bucket.
        bucket: String,
        /// The new state.
        state: Versioning,
    },
    /// Gives the bucket to another account.
    Owner {
        /// The bucket.
        bucket: String,
        /// The account.
        account: String,
    },
    /// Begins a multipart upload.
    Upload {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// Takes a bucket away with all that is in it.
    DropBucket {
        /// The bucket.
        bucket: String,
    },
    /// Turns the clock forward.
    Advance {
        /// Seconds.
        seconds: u64,
    },
    /// Lets a user's credentials expire.
    Expire {
        /// The user.
        user: String,
    },
    /// Makes a user's credentials good again.
    Renew {
        /// The user.
        user: String,
    },
    /// Gives a user an IAM policy: from now on they may do what it allows, and nothing else.
    UserPolicy {
        /// The user.
        user: String,
        /// The text.
        text: String,
    },
}

/// Does one move. What it is about and is not there is left alone.
pub fn take(shared: &Shared, step: &Step) {
    let now = shared.now();
    if let Step::Advance { seconds } = step {
        return shared.clock.advance(Duration::from_secs(*seconds));
    }
    if let Step::Put { bucket, key, body } = step {
        put(shared, bucket, key, Bytes::copy_from_slice(body.as_bytes()));
        return;
    }
    let mut account = shared.account();
    match step {
        Step::Put { .. } | Step::Advance { .. } => {}
        Step::DropBucket { bucket } => {
            account.buckets.remove(bucket);
        }
        Step::Expire { user } | Step::Renew { user } => {
            for known in account.users.iter_mut().filter(|known| *known.name == **user) {
                known.expired = matches!(step, Step::Expire { .. });
            }
        }
        Step::UserPolicy { user, text } => {
            for known in account.users.iter_mut().filter(|known| *known.name == **user) {
                known.policy = Some(text.clone());
            }
        }
        Step::Delete { bucket, .. }
        | Step::Restore { bucket, .. }
        | Step::Lapse { bucket, .. }
        | Step::Class { bucket, .. }
        | Step::LegalHold { bucket, .. }
        | Step::Policy { bucket, .. }
        | Step::Deny { bucket, .. }
        | Step::Allow { bucket }
        | Step::Versioning { bucket, .. }
        | Step::Owner { bucket, .. }
        | Step::Upload { bucket, .. } => {
            let Some(bucket) = account.buckets.get_mut(bucket) else { return };
            match step {
                Step::Delete { key, version, .. } => {
                    bucket.delete(key, version.as_deref(), now);
                }
                Step::Restore { key, .. } => {
                    bucket.edit(key, None, |version| {
                        let moved = version.archived.is_some();
                        let end = midnight_after(days_after(now, 7));
                        version.restore = Some(Restore {
                            tier: Tier::Standard,
                            days: (!moved).then_some(7),
                            ready: now,
                            expires: (!moved).then_some(end),
                        });
                    });
                }
                Step::Lapse { key, .. } => {
                    bucket.edit(key, None, |version| version.restore = None);
                }
                Step::Class { key, class, .. } => {
                    bucket.edit(key, None, |version| {
                        let Some(stored) = &version.stored else { return };
                        let traits = Traits {
                            class: class.clone(),
                            stated_etag: Some(stored.etag().to_owned()),
                            ..Traits::clone(&stored.traits)
                        };
                        let (content, parts) = (stored.content.clone(), stored.parts.clone());
                        let changed = Stored::new(content, parts, Arc::new(traits));
                        (version.stored, version.restore) = (Some(Arc::new(changed)), None);
                    });
                }
                Step::LegalHold { key, on, .. } => {
                    bucket.edit(key, None, |version| version.legal_hold = *on);
                }
                Step::Policy { text, .. } => bucket.policy.clone_from(text),
                Step::Deny { user, actions, .. } => bucket.deny.push(Deny {
                    user: user.clone(),
                    except: Vec::new(),
                    actions: actions.clone(),
                    keys: None,
                }),
                Step::Allow { .. } => bucket.deny.clear(),
                Step::Versioning { state, .. } => bucket.versioning = *state,
                Step::Owner { account, .. } => bucket.owner.clone_from(account),
                Step::Upload { key, .. } => {
                    let traits = Traits { class: "STANDARD".into(), ..Traits::default() };
                    let id = version_id(mix(seed_of(key)));
                    bucket.uploads.insert(id.to_string(), Upload::new(key, traits, now));
                }
                _ => {}
            }
        }
    }
}

/// Writes an object with these bytes; `false` when there is no such bucket.
pub fn put(shared: &Shared, bucket: &str, key: &str, bytes: Bytes) -> bool {
    let now = shared.now();
    let mut account = shared.account();
    let checksum = account.default_checksum.map(|algorithm| (algorithm, ChecksumKind::FullObject));
    let Some(bucket) = account.buckets.get_mut(bucket) else { return false };
    let traits = Traits {
        class: "STANDARD".into(),
        sse: Some("AES256".into()),
        checksum,
        ..Traits::default()
    };
    let stored = Stored::new(Content::Bytes(bytes), None, Arc::new(traits));
    bucket.put(key, Version::of(Arc::new(stored), now));
    true
}
