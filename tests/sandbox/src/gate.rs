//! Who may: whether a signed request is let through to its operation.
//!
//! In this order: the bucket exists; the request came to its region; the expected owner owns it;
//! the caller's account owns it; neither the bucket's table of refusals nor its policy denies it; a
//! user with an IAM policy is allowed it. Users without one may do everything else.

use crate::account::Bucket;
use crate::call::Call;
use crate::fault::glob_matches;
use crate::op::Op;
use crate::policy;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Lets a call through, or says why not.
///
/// # Errors
/// The answer that S3 would give.
pub fn check(shared: &Shared, call: &Call) -> Result<(), Refusal> {
    let op = call.target.op.ok_or_else(|| {
        Refusal::new(501, "NotImplemented", "This account has no operation for this request")
    })?;
    let account = shared.account();
    let Some(user) = account.user(&call.user) else { return Err(Refusal::denied()) };
    if user.session_token.as_deref() != call.header("x-amz-security-token") {
        return Err(Refusal::new(
            400,
            "InvalidToken",
            "The provided token is malformed or otherwise invalid.",
        ));
    }
    if matches!(op, Op::ListBuckets | Op::CreateBucket) {
        let action = op.action(false);
        let is_denied = user.denied.iter().any(|glob| glob_matches(glob, action));
        return if is_denied || policy::lacks_outside(user, action) {
            Err(Refusal::denied())
        } else {
            Ok(())
        };
    }
    let name = call.bucket();
    let Some(bucket) = account.buckets.get(name) else {
        let refusal = Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist");
        return Err(refusal.detail("BucketName", name));
    };
    let is_located = op == Op::GetBucketLocation && call.region == "us-east-1";
    if bucket.region != call.region && !is_located {
        let message = "The bucket you are attempting to access must be addressed using the \
                       specified endpoint. Please send all future requests to this endpoint.";
        let endpoint = format!("{name}.s3.{}.amazonaws.com", bucket.region);
        return Err(Refusal::new(301, "PermanentRedirect", message)
            .detail("Endpoint", endpoint)
            .detail("Bucket", name)
            .header("x-amz-bucket-region", &bucket.region));
    }
    let denied = || Refusal::denied().header("x-amz-bucket-region", &bucket.region);
    let expected = call.header("x-amz-expected-bucket-owner");
    if !bucket.modes.ignore_expected_owner && expected.is_some_and(|owner| owner != bucket.owner) {
        return Err(denied());
    }
    if bucket.owner != user.account {
        return Err(denied());
    }
    // What a batch may delete is asked for every entry of it.
    let is_batch = op == Op::DeleteObjects;
    let action = op.action(call.target.version_id().is_some());
    if !is_batch && is_refused(bucket, call, action, call.target.key.as_deref()) {
        return Err(denied());
    }
    Ok(())
}

/// Whether the bucket's table or its policy refuses an action to whoever calls.
pub fn is_refused(bucket: &Bucket, call: &Call, action: &str, key: Option<&str>) -> bool {
    let user = &*call.user;
    policy::denies(bucket, call.asker.as_ref(), action, key)
        || call.asker.as_ref().is_some_and(|user| policy::lacks(bucket, user, action, key))
        || bucket.deny.iter().any(|row| {
            let keys = match (&row.keys, key) {
                (None, _) => true,
                (Some(glob), Some(key)) => glob_matches(glob, key),
                (Some(_), None) => false,
            };
            (row.user == "*" || row.user == user)
                && !row.except.iter().any(|spared| spared == user)
                && keys
                && row.actions.iter().any(|glob| glob_matches(glob, action))
        })
}
