//! RestoreObject: out of the archive, in the time that the tier takes by the account's clock.

use jiff::Timestamp;
use s3s::dto::RestoreRequest;

use super::{bucket_mut, document};
use crate::account::{Restore, Thaw, Tier, Version};
use crate::call::{Call, Outcome, empty};
use crate::clock::{days_after, midnight_after};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::world::Modes;

/// RestoreObject.
///
/// 202: accepted. 200: a copy was there, its end has moved. 409: one is running; only a faster tier
/// with the same days is taken. Source: S3 API Reference, RestoreObject; S3 User Guide,
/// restoring-objects-retrieval-options.
pub async fn restore(shared: &Shared, call: &mut Call) -> Outcome {
    let body = call.read_body().await?;
    let wanted: RestoreRequest = document(&body)?;
    super::read::find(shared, call)?;
    let tier = match wanted.glacier_job_parameters.as_ref().map(|job| job.tier.as_str()) {
        None | Some("Standard") => Tier::Standard,
        Some("Bulk") => Tier::Bulk,
        Some("Expedited") => Tier::Expedited,
        Some(_) => return Err(Refusal::malformed()),
    };
    let days = wanted.days.map(i64::from);
    let now = shared.now();
    let mut account = shared.account();
    let bucket = bucket_mut(&mut account, call)?;
    let modes = bucket.modes;
    let id = call.target.version_id();
    let status = bucket.edit(call.key(), id, |version| begin(version, tier, days, modes, now));
    status.unwrap_or_else(|| Err(Refusal::no_such_key(call.key()))).map(empty)
}

fn begin(
    version: &mut Version,
    tier: Tier,
    days: Option<i64>,
    modes: Modes,
    now: Timestamp,
) -> Result<u16, Refusal> {
    let is_deep = match (version.class(), version.archive_status(now)) {
        ("GLACIER", _) => false,
        ("DEEP_ARCHIVE", _) => true,
        ("INTELLIGENT_TIERING", Some(archived)) => archived.starts_with("DEEP"),
        ("INTELLIGENT_TIERING", None) => {
            let message = "Restore is not allowed, as object's access tier is not ARCHIVE_ACCESS \
                           or DEEP_ARCHIVE_ACCESS";
            return Err(Refusal::new(403, "ObjectAlreadyInActiveTierError", message));
        }
        (class, _) => {
            let message = "Restore is not allowed for the object's current storage class";
            return Err(
                Refusal::new(403, "InvalidObjectState", message).detail("StorageClass", class)
            );
        }
    };
    let moves = version.class() == "INTELLIGENT_TIERING";
    match days {
        Some(_) if moves => {
            return Err(Refusal::argument("Days is not supported for INTELLIGENT_TIERING objects"));
        }
        None if !moves => return Err(Refusal::malformed()),
        Some(days) if days < 1 => {
            return Err(Refusal::argument("restoration days should be at least 1"));
        }
        _ => {}
    }
    if is_deep && tier == Tier::Expedited {
        let message = "Retrieval option is not supported by this storage class";
        return Err(Refusal::argument(message));
    }
    let expires = days.map(|days| midnight_after(days_after(now, days)));
    match (version.thaw(now), &mut version.restore) {
        (Thaw::InProgress, Some(running)) => {
            if tier <= running.tier || days != running.days {
                let message = "Object restore is already in progress";
                return Err(Refusal::new(409, "RestoreAlreadyInProgress", message));
            }
            running.tier = tier;
            running.ready = running.ready.min(ready_at(tier, is_deep, modes, now));
            Ok(202)
        }
        (Thaw::Until(_), Some(done)) => {
            (done.days, done.expires) = (days, expires);
            Ok(200)
        }
        _ => {
            let ready = ready_at(tier, is_deep, modes, now);
            version.restore = Some(Restore { tier, days, ready, expires });
            Ok(202)
        }
    }
}

/// The longest that the tier takes. Source: S3 User Guide, restoring-objects-retrieval-options.
fn ready_at(tier: Tier, is_deep: bool, modes: Modes, now: Timestamp) -> Timestamp {
    const HOUR: i64 = 3600;
    let seconds = match (modes.restore_at_once, modes.restore_seconds) {
        (true, _) => return now,
        (false, Some(seconds)) => i64::try_from(seconds).unwrap_or(i64::MAX),
        (false, None) => match (tier, is_deep) {
            (Tier::Expedited, _) => 300,
            (Tier::Standard, false) => 5 * HOUR,
            (Tier::Standard, true) | (Tier::Bulk, false) => 12 * HOUR,
            (Tier::Bulk, true) => 48 * HOUR,
        },
    };
    // Not by whole seconds: with a fast clock two looks in one second must not both be too early.
    now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
