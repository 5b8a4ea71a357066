//! One bucket: what it is, its policy, its unfinished uploads, its end.
//!
//! Every request names the expected owner, so that a bucket that was deleted and re-claimed by
//! another account answers 403 instead of being touched. Source: S3 User Guide, "Verifying bucket
//! ownership with bucket owner condition".

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::types::EncodingType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::blank;
use super::connect::{Aws, Link};
use super::error::{About, AwsError, ErrorKind};
use super::parse::decode_key;
use super::wire::Watch;
use crate::model::{
    AccountId, BucketName, Endpoint, Mfa, ObjectLock, ObservedBucket, UploadInProgress, Versioning,
};

/// One bucket of one owner. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    pub(crate) aws: Aws,
    pub(crate) name: Arc<BucketName>,
    pub(crate) owner: Arc<AccountId>,
    /// Corrected once a redirect names another region.
    region: Arc<RwLock<String>>,
}

/// What of a bucket is asked for only where an outcome needs it, each with its own permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Whether single versions may be held.
    ObjectLock,
    /// Unfinished multipart uploads.
    Uploads,
    /// The bucket's policy.
    Policy,
}

/// What became of a bucket that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketDeletion {
    /// It is gone now.
    Deleted {
        /// AWS's id of the request; `None` where the server gives none.
        request_id: Option<String>,
    },
    /// Something is still in it; it stays.
    NotEmpty,
    /// It was gone already.
    Gone,
}

impl Aws {
    /// A handle on one bucket. Asks nothing yet.
    pub fn bucket(&self, name: &BucketName, region: &str, owner: &AccountId) -> Bucket {
        Bucket {
            aws: self.clone(),
            name: Arc::new(name.clone()),
            owner: Arc::new(owner.clone()),
            region: Arc::new(RwLock::new(region.to_owned())),
        }
    }
}

impl Bucket {
    /// Its name.
    pub fn name(&self) -> &BucketName {
        &self.name
    }

    /// The region its requests go to.
    pub fn region(&self) -> String {
        self.region.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which service answers.
    pub fn endpoint(&self) -> Endpoint {
        self.aws.endpoint()
    }

    /// The account it must belong to.
    pub fn owner(&self) -> &AccountId {
        &self.owner
    }

    /// The same bucket with another patience; see [`Aws::with_patience`].
    #[must_use]
    pub fn with_patience(&self, patience: std::time::Duration) -> Self {
        Self { aws: self.aws.with_patience(patience), ..self.clone() }
    }

    /// A request that only looks at this bucket.
    pub(crate) fn reads(&self, operation: &'static str, doing: &'static str) -> About<'_> {
        About::reads(operation, doing).bucket(self.name.as_str())
    }

    /// A request that may change something in this bucket.
    pub(crate) fn changes(&self, operation: &'static str, doing: &'static str) -> About<'_> {
        About::changes(operation, doing).bucket(self.name.as_str())
    }

    /// Asks in the bucket's region; where an answer names another region, asks there, once.
    pub(crate) async fn ask<T, E, F, Answer>(
        &self,
        about: &About<'_>,
        send: F,
    ) -> Result<T, AwsError>
    where
        F: Fn(&Link, &aws_sdk_s3::Client) -> Answer,
        Answer: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let _slot = self.aws.slot().await;
        self.ask_holding_slot(about, send).await
    }

    /// As [`Bucket::ask`], for a caller that keeps a slot of its own.
    pub(crate) async fn ask_holding_slot<T, E, F, Answer>(
        &self,
        about: &About<'_>,
        send: F,
    ) -> Result<T, AwsError>
    where
        F: Fn(&Link, &aws_sdk_s3::Client) -> Answer,
        Answer: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let (mut moved, mut doubted) = (false, false);
        loop {
            let region = self.region();
            let ask = |link: &Link| send(link, &blank::for_key(link.s3(&region), about.key));
            let error = match self.aws.ask_holding_slot(about, ask).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::WrongRegion { region: Some(there) } if *there != region && !moved => {
                    moved = true;
                    there.clone_into(
                        &mut self.region.write().unwrap_or_else(PoisonError::into_inner),
                    );
                }
                // A HEAD's 400 is usually an expired session, and has no body to say so.
                _ if error.status() == Some(400) && error.code().is_none() && !doubted => {
                    doubted = true;
                    match self.aws.caller().await {
                        Ok(_) => {}
                        Err(who) if *who.kind() == ErrorKind::ExpiredCredentials => {
                            return Err(error.of(ErrorKind::ExpiredCredentials, who.message()));
                        }
                        Err(_) => return Err(error),
                    }
                }
                _ => return Err(error),
            }
        }
    }

    /// Looks at everything but the objects: region and owner, versioning, and of the rest what is
    /// wanted. What is not asked for cannot be denied: it is as if the bucket had none.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchBucket`], [`ErrorKind::OtherOwner`], [`ErrorKind::Denied`] (its operation
    /// says which permission is missing) and all others. A denial is never read as "has none".
    pub async fn facts(&self, wanted: &[Detail]) -> Result<ObservedBucket, AwsError> {
        self.look().await?;
        let (versioning, mfa_delete) = self.versioning().await?;
        let object_lock = match wanted.contains(&Detail::ObjectLock) {
            true => self.object_lock().await?,
            false => ObjectLock::Off,
        };
        let uploads = match wanted.contains(&Detail::Uploads) {
            true => self.list_uploads().await?,
            false => Vec::new(),
        };
        let policy = match wanted.contains(&Detail::Policy) {
            true => self.policy().await?,
            false => None,
        };
        // Other servers take the expected owner and ignore it.
        let owner = (self.aws.endpoint() == Endpoint::Aws).then(|| self.owner.as_ref().clone());
        Ok(ObservedBucket {
            name: self.name.as_ref().clone(),
            region: self.region(),
            owner,
            versioning,
            mfa_delete,
            object_lock,
            uploads,
            policy,
        })
    }

    /// Asks whether the bucket is there, is ours, and lives where we think; learns its region.
    ///
    /// # Errors
    /// As [`Bucket::facts`].
    pub async fn look(&self) -> Result<(), AwsError> {
        let about = self.reads("HeadBucket", "look at the bucket");
        let owned = self.head_as(&about, Some(self.owner.as_str().to_owned())).await;
        match owned {
            Err(error) if *error.kind() == ErrorKind::Denied => {
                // Without an expected owner a bucket of somebody else who lets us look answers.
                match self.head_as(&about, None).await {
                    Ok(_) => Err(error.of(ErrorKind::OtherOwner, "")),
                    Err(_) => Err(error),
                }
            }
            Err(error) => Err(error),
            Ok(Some(region)) if region != self.region() => {
                // AWS answers HeadBucket from every region's endpoint.
                *self.region.write().unwrap_or_else(PoisonError::into_inner) = region;
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    async fn head_as(
        &self,
        about: &About<'_>,
        owner: Option<String>,
    ) -> Result<Option<String>, AwsError> {
        let answer = self
            .ask(about, |_, s3| {
                s3.head_bucket()
                    .bucket(self.name.as_str())
                    .set_expected_bucket_owner(owner.clone())
                    .send()
            })
            .await?;
        Ok(answer.bucket_region().filter(|region| !region.is_empty()).map(str::to_owned))
    }

    /// Asks whether it keeps versions, and whether deletions need a one-time code.
    ///
    /// # Errors
    /// Any; an unknown status is a [`ErrorKind::BadAnswer`].
    pub async fn versioning(&self) -> Result<(Versioning, Mfa), AwsError> {
        let about = self.reads("GetBucketVersioning", "ask for the versioning of");
        let watch = Watch::default();
        let answer = self
            .ask(&about, |_, s3| {
                s3.get_bucket_versioning()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .customize()
                    .interceptor(watch.clone())
                    .send()
            })
            .await;
        match answer {
            // Some servers name the root element otherwise, which the SDK does not take.
            Err(error) if *error.kind() != ErrorKind::BadAnswer => Err(error),
            _ => read_versioning(&watch.body()).map_err(|message| about.bad_answer(message)),
        }
    }

    /// Asks whether single versions may be held.
    ///
    /// # Errors
    /// Any but "not configured".
    pub async fn object_lock(&self) -> Result<ObjectLock, AwsError> {
        let about = self.reads("GetObjectLockConfiguration", "ask for the object lock of");
        let answer = self
            .ask(&about, |_, s3| {
                s3.get_object_lock_configuration()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => {
                let lock = answer.object_lock_configuration();
                let enabled = lock.is_some_and(|lock| lock.object_lock_enabled().is_some());
                Ok(if enabled { ObjectLock::On } else { ObjectLock::Off })
            }
            Err(error) if error.code() == Some("ObjectLockConfigurationNotFoundError") => {
                Ok(ObjectLock::Off)
            }
            Err(error) if self.not_offered(&error) => Ok(ObjectLock::Off),
            Err(error) => Err(error),
        }
    }

    /// Lists every unfinished multipart upload.
    ///
    /// # Errors
    /// Any; a listing that repeats itself or is cut off is a [`ErrorKind::BadAnswer`].
    pub async fn list_uploads(&self) -> Result<Vec<UploadInProgress>, AwsError> {
        let about = self.reads("ListMultipartUploads", "list the unfinished uploads of");
        let mut uploads = Vec::new();
        let mut markers: Option<(String, Option<String>)> = None;
        let mut seen = HashSet::new();
        loop {
            let watch = Watch::default();
            let answer = self
                .ask(&about, |_, s3| {
                    let (key, upload_id) = markers.clone().unzip();
                    s3.list_multipart_uploads()
                        .bucket(self.name.as_str())
                        .expected_bucket_owner(self.owner.as_str())
                        .encoding_type(EncodingType::Url)
                        .set_key_marker(key)
                        .set_upload_id_marker(upload_id.flatten())
                        .customize()
                        .interceptor(watch.clone())
                        .send()
                })
                .await;
            let answer = match answer {
                Err(error) if self.not_offered(&error) => return Ok(uploads),
                answer => answer?,
            };
            if !watch.closes("ListMultipartUploadsResult") {
                return Err(about.bad_answer("the listing is cut off"));
            }
            let decode = |text: &str| match answer.encoding_type() {
                Some(EncodingType::Url) => decode_key(text),
                _ => Ok(text.to_owned()),
            };
            for upload in answer.uploads() {
                let (Some(key), Some(upload_id)) = (upload.key(), upload.upload_id()) else {
                    return Err(about.bad_answer("it lists an upload without key or id"));
                };
                let initiated_ms = upload.initiated().and_then(|date| date.to_millis().ok());
                let initiated_ms = initiated_ms
                    .ok_or_else(|| about.bad_answer("it lists an upload without a date"))?;
                let key = decode(key).map_err(|error| about.bad_answer(error.to_string()))?;
                uploads.push(UploadInProgress {
                    key,
                    upload_id: upload_id.to_owned(),
                    initiated_ms,
                });
            }
            match answer.is_truncated() {
                Some(false) => return Ok(uploads),
                None => return Err(about.bad_answer("it does not say whether more follows")),
                Some(true) => {}
            }
            let key = answer.next_key_marker().filter(|marker| !marker.is_empty());
            let key =
                key.ok_or_else(|| about.bad_answer("more follows, but it does not say where"))?;
            let key = decode(key).map_err(|error| about.bad_answer(error.to_string()))?;
            let id = answer.next_upload_id_marker().filter(|marker| !marker.is_empty());
            let next = (key, id.map(str::to_owned));
            if !seen.insert(next.clone()) {
                return Err(about.bad_answer("the listing goes in circles"));
            }
            markers = Some(next);
        }
    }

    /// Aborts one unfinished upload. One that is gone already counts as aborted. Gives AWS's id of
    /// the request; `None` where the server gives none.
    ///
    /// # Errors
    /// Any other.
    pub async fn abort_upload(
        &self,
        upload: &UploadInProgress,
    ) -> Result<Option<String>, AwsError> {
        let about = self.changes("AbortMultipartUpload", "abort the upload of").key(&upload.key);
        let answer = self
            .ask(&about, |_, s3| {
                s3.abort_multipart_upload()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(&upload.key))
                    .upload_id(&upload.upload_id)
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => Ok(answer.request_id().map(str::to_owned)),
            Err(error) if error.code() == Some("NoSuchUpload") => {
                Ok(error.request_id().map(str::to_owned))
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes the bucket if it is empty.
    ///
    /// The name may then be claimed by anyone. A caller that never recorded its intent must not
    /// read [`BucketDeletion::Gone`] as its own success.
    ///
    /// # Errors
    /// Any other answer; look at [`AwsError::outcome_unknown`].
    pub async fn delete_bucket(&self) -> Result<BucketDeletion, AwsError> {
        let about = self.changes("DeleteBucket", "delete the bucket");
        let answer = self
            .ask(&about, |_, s3| {
                s3.delete_bucket()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => {
                let request_id = answer.request_id().map(str::to_owned);
                Ok(BucketDeletion::Deleted { request_id })
            }
            Err(error) if *error.kind() == ErrorKind::NoSuchBucket => Ok(BucketDeletion::Gone),
            Err(error) if error.code() == Some("BucketNotEmpty") => Ok(BucketDeletion::NotEmpty),
            Err(error) => Err(error),
        }
    }

    /// Reads the policy, exactly as S3 keeps it; `None`: the bucket has none.
    ///
    /// # Errors
    /// Any but "has none".
    pub async fn policy(&self) -> Result<Option<String>, AwsError> {
        let about = self.reads("GetBucketPolicy", "read the policy of");
        let answer = self
            .ask(&about, |_, s3| {
                s3.get_bucket_policy()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => match answer.policy() {
                Some(policy) if policy.trim_start().starts_with('{') => Ok(Some(policy.to_owned())),
                // Servers without policies may answer with a listing.
                _ if self.aws.endpoint() == Endpoint::Custom => Ok(None),
                _ => Err(about.bad_answer("it holds no policy")),
            },
            Err(error) if error.code() == Some("NoSuchBucketPolicy") => Ok(None),
            Err(error) if self.not_offered(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks whether public policies are refused here. `None`: that cannot be told, and the account
    /// may refuse them all the same.
    ///
    /// Source: S3 API Reference, GetPublicAccessBlock.
    pub async fn blocks_public_policies(&self) -> Option<bool> {
        let about = self.reads("GetPublicAccessBlock", "read the public access block of");
        let answer = self
            .ask(&about, |_, s3| {
                s3.get_public_access_block()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .send()
            })
            .await;
        let block = answer.ok()?.public_access_block_configuration?;
        Some(block.block_public_policy().unwrap_or(false))
    }

    /// Replaces the policy. There is no condition on it: look right before, and look again after.
    /// Never confirms the removal of one's own access. Gives AWS's id of the request; `None` where
    /// the server gives none.
    ///
    /// # Errors
    /// Any; `MalformedPolicy` in [`AwsError::code`] where S3 does not take the document.
    pub async fn put_policy(&self, policy: &str) -> Result<Option<String>, AwsError> {
        let about = self.changes("PutBucketPolicy", "replace the policy of");
        let answer = self.ask(&about, |_, s3| {
            s3.put_bucket_policy()
                .bucket(self.name.as_str())
                .expected_bucket_owner(self.owner.as_str())
                .policy(policy)
                .send()
        });
        Ok(answer.await?.request_id().map(str::to_owned))
    }

    /// Removes the policy. One that is gone already counts as removed. Gives AWS's id of the
    /// request; `None` where the server gives none.
    ///
    /// # Errors
    /// Any other.
    pub async fn delete_policy(&self) -> Result<Option<String>, AwsError> {
        let about = self.changes("DeleteBucketPolicy", "remove the policy of");
        let answer = self
            .ask(&about, |_, s3| {
                s3.delete_bucket_policy()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => Ok(answer.request_id().map(str::to_owned)),
            Err(error) if error.code() == Some("NoSuchBucketPolicy") => {
                Ok(error.request_id().map(str::to_owned))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a server that is not AWS says that it knows no such feature: then there is none.
    pub(crate) fn not_offered(&self, error: &AwsError) -> bool {
        self.aws.endpoint() == Endpoint::Custom && *error.kind() == ErrorKind::NotImplemented
    }
}

/// Reads the whole document, not the SDK's view of it: a document that was cut off would read as
/// "never", and deletions would then do something else than what they are meant to.
fn read_versioning(body: &[u8]) -> Result<(Versioning, Mfa), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let root = document.root_element().tag_name().name();
    if !matches!(root, "VersioningConfiguration" | "GetBucketVersioningResponse") {
        return Err(format!("it is a `{root}`"));
    }
    let field = |name: &str| {
        let mut fields = document.root_element().children().filter(|node| node.is_element());
        fields
            .find(|node| node.tag_name().name() == name)
            .map(|node| node.text().unwrap_or_default())
    };
    let versioning = match field("Status") {
        None | Some("") => Versioning::Never,
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(other) => return Err(format!("unknown status `{other}`")),
    };
    let mfa = match field("MfaDelete") {
        None | Some("" | "Disabled") => Mfa::NotRequired,
        Some(_) => Mfa::Required,
    };
    Ok((versioning, mfa))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioning_is_read_from_whole_documents_only() {
        let xml = "<VersioningConfiguration><Status>Suspended</Status>\
                   <MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
        assert_eq!(read_versioning(xml.as_bytes()), Ok((Versioning::Suspended, Mfa::Required)));
        for cut in 0..xml.len() {
            assert!(read_versioning(&xml.as_bytes()[..cut]).is_err(), "cut at {cut}");
        }
        let never = Ok((Versioning::Never, Mfa::NotRequired));
        assert_eq!(read_versioning(b"<GetBucketVersioningResponse xmlns=\"x\"/>"), never);
        let odd = xml.replace("Suspended", "Odd");
        assert!(read_versioning(odd.as_bytes()).is_err());
        assert!(read_versioning(b"<ListBucketResult/>").is_err());
    }
}
