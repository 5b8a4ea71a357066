//! Moves of the world that no request made: what rules, tests and the control endpoint do to the
//! account behind everyone's back. The witness does not count them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::account::{Restore, Stored, Tier, Traits, Upload, Version, version_id};
use crate::clock::{days_after, midnight_after};
use crate::content::{Content, mix, seed_of};
use crate::digest::ChecksumKind;
use crate::fault::Step;
use crate::shared::Shared;
use crate::world::Deny;

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
        Step::Expire { user } => {
            account.users.iter_mut().filter(|known| *known.name == **user).for_each(|known| {
                known.expired = true;
            });
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
