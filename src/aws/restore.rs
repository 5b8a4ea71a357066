//! Asks S3 to thaw an object version.

use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, Tier as S3Tier};

use super::blank;
use super::bucket::Bucket;
use super::error::{About, AwsError, Effect, ErrorKind};
use super::wire::Watch;
use crate::model::{KeepDays, Tier};

/// How S3 answered a wish to restore.
///
/// Source: S3 API Reference, RestoreObject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreAnswer {
    /// 202: it will be thawed.
    Accepted,
    /// 200: a restored copy is there; its expiry was moved.
    AlreadyThere,
    /// 409: it is being thawed already; this wish's tier and days do not apply.
    InProgress,
    /// It is not archived, or of a class that cannot be restored: look at it again.
    NotArchived,
    /// 503: no capacity for expedited restores just now.
    NoExpeditedCapacity,
}

/// What came of a wish to restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// How S3 answered.
    pub answer: RestoreAnswer,
    /// AWS's id of the request; `None` where the server gives none.
    pub request_id: Option<String>,
}

impl Bucket {
    /// Asks S3 to thaw one archived object version. `days` must be `None` for
    /// INTELLIGENT_TIERING, and given for every other class.
    ///
    /// Sent once: where the answer is lost ([`AwsError::outcome_unknown`]) it must be looked up,
    /// since a second wish may be billed.
    ///
    /// # Errors
    /// [`ErrorKind::Throttled`] where patience ran out, and all others.
    ///
    /// Source: S3 API Reference, RestoreObject.
    pub async fn restore(
        &self,
        key: &str,
        version_id: Option<&str>,
        days: Option<KeepDays>,
        tier: Tier,
    ) -> Result<Wish, AwsError> {
        let about = self.changes("RestoreObject", "restore").key(key);
        let about = About { effect: Effect::ChangesOnce, ..about };
        let parameters = GlacierJobParameters::builder().tier(s3_tier(tier)).build();
        let parameters =
            parameters.map_err(|error| about.error(ErrorKind::Other, error.to_string()))?;
        let wish = RestoreRequest::builder()
            .set_days(days.map(|days| i32::from(days.get())))
            .glacier_job_parameters(parameters)
            .build();
        let watch = Watch::default();
        let answer = self
            .ask(&about, |link, s3| {
                s3.restore_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(key))
                    .set_version_id(version_id.map(str::to_owned))
                    .restore_request(wish.clone())
                    .customize()
                    .config_override(link.once())
                    .interceptor(watch.clone())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => Ok(Wish {
                // Only the status tells a new thaw from a moved expiry.
                answer: match watch.status() {
                    200 => RestoreAnswer::AlreadyThere,
                    _ => RestoreAnswer::Accepted,
                },
                request_id: answer.request_id().map(str::to_owned),
            }),
            Err(error) => {
                let request_id = error.request_id().map(str::to_owned);
                Ok(Wish { answer: restore_refusal(error)?, request_id })
            }
        }
    }
}

fn restore_refusal(error: AwsError) -> Result<RestoreAnswer, AwsError> {
    match error.code() {
        Some("RestoreAlreadyInProgress") => Ok(RestoreAnswer::InProgress),
        Some("InvalidObjectState" | "ObjectAlreadyInActiveTierError") => {
            Ok(RestoreAnswer::NotArchived)
        }
        Some("GlacierExpeditedRetrievalNotAvailable") => Ok(RestoreAnswer::NoExpeditedCapacity),
        _ => Err(error),
    }
}

fn s3_tier(tier: Tier) -> S3Tier {
    match tier {
        Tier::Bulk => S3Tier::Bulk,
        Tier::Standard => S3Tier::Standard,
        Tier::Expedited => S3Tier::Expedited,
    }
}
