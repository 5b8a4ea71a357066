//! The operations of S3, a file a group. Each takes a call that was let through, and gives an
//! answer or a refusal.

mod attributes;
mod buckets;
mod config;
mod delete;
mod listing;
mod locks;
mod multipart;
mod read;
mod restore;
mod uploaded;
mod write;

use s3s::xml::{Deserialize, Deserializer};

use crate::account::{Account, Bucket};
use crate::call::{Call, Outcome};
use crate::op::Op;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Does what the call asks for.
///
/// # Errors
/// The refusal that S3 would give.
pub async fn perform(shared: &Shared, call: &mut Call, op: Op) -> Outcome {
    match op {
        Op::ListBuckets => buckets::list(shared, call),
        Op::CreateBucket => buckets::create(shared, call).await,
        Op::HeadBucket => buckets::head(shared, call),
        Op::DeleteBucket => buckets::delete(shared, call),
        Op::GetBucketLocation => buckets::location(shared, call),
        Op::GetBucketVersioning => buckets::versioning(shared, call),
        Op::PutBucketVersioning => buckets::put_versioning(shared, call).await,
        Op::GetBucketPolicy => config::policy(shared, call),
        Op::PutBucketPolicy => config::put_policy(shared, call).await,
        Op::DeleteBucketPolicy => config::delete_policy(shared, call),
        Op::GetBucketPolicyStatus => config::policy_status(shared, call),
        Op::GetConfig(config) => config::get(shared, call, config),
        Op::PutConfig(config) => config::put(shared, call, config).await,
        Op::DeleteConfig(config) => config::delete(shared, call, config),
        Op::ListObjects => listing::objects_v1(shared, call),
        Op::ListObjectsV2 => listing::objects_v2(shared, call),
        Op::ListObjectVersions => listing::versions(shared, call),
        Op::HeadObject | Op::GetObject => read::object(shared, call),
        Op::GetObjectAttributes => attributes::get(shared, call),
        Op::GetObjectTagging => attributes::tagging(shared, call),
        Op::PutObjectTagging => attributes::put_tagging(shared, call).await,
        Op::DeleteObjectTagging => attributes::delete_tagging(shared, call),
        Op::GetObjectAcl => attributes::acl(shared, call),
        Op::ListObjectAnnotations => attributes::annotations(shared, call),
        Op::GetObjectAnnotation => attributes::annotation(shared, call),
        Op::GetObjectLockConfiguration => locks::configuration(shared, call),
        Op::PutObjectLockConfiguration => locks::put_configuration(shared, call).await,
        Op::GetObjectLegalHold => locks::legal_hold(shared, call),
        Op::PutObjectLegalHold => locks::put_legal_hold(shared, call).await,
        Op::GetObjectRetention => locks::retention(shared, call),
        Op::PutObjectRetention => locks::put_retention(shared, call).await,
        Op::PutObject => write::put(shared, call).await,
        Op::CopyObject => write::copy(shared, call),
        Op::DeleteObject => delete::one(shared, call),
        Op::DeleteObjects => delete::batch(shared, call).await,
        Op::RestoreObject => restore::restore(shared, call).await,
        Op::CreateMultipartUpload => multipart::create(shared, call),
        Op::UploadPart => multipart::put_part(shared, call).await,
        Op::CompleteMultipartUpload => multipart::complete(shared, call).await,
        Op::AbortMultipartUpload => multipart::abort(shared, call),
        Op::ListParts => multipart::list_parts(shared, call),
        Op::ListMultipartUploads => multipart::list(shared, call),
    }
}

/// The bucket of a call. It was there when the call was let through, but may be gone since.
fn bucket<'a>(account: &'a Account, call: &Call) -> Result<&'a Bucket, Refusal> {
    account.buckets.get(call.bucket()).ok_or_else(gone)
}

/// The same, to change it.
fn bucket_mut<'a>(account: &'a mut Account, call: &Call) -> Result<&'a mut Bucket, Refusal> {
    account.buckets.get_mut(call.bucket()).ok_or_else(gone)
}

fn gone() -> Refusal {
    Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist")
}

/// Reads a document that came as a request's body.
fn document<T: for<'xml> Deserialize<'xml>>(body: &[u8]) -> Result<T, Refusal> {
    let mut reader = Deserializer::new(body);
    let document = T::deserialize(&mut reader).map_err(|_| Refusal::malformed())?;
    reader.expect_eof().map_err(|_| Refusal::malformed())?;
    Ok(document)
}

/// The id that S3 shows for an account as the owner of things: 64 hex digits.
fn canonical_id(account: &str) -> String {
    let seed = crate::content::seed_of(account);
    (0..4).map(|word| format!("{:016x}", crate::content::mix(seed ^ word))).collect()
}
