//! One bucket: how it is asked, what it is, its end.
//!
//! Every request names the expected owner, so that a bucket that was deleted and re-claimed by
//! another account answers 403 instead of being touched. Source: S3 User Guide, "Verifying bucket
//! ownership with bucket owner condition".

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_sdk_s3::operation::RequestId as _;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::blank;
use super::connect::Aws;
use super::error::{About, AwsError, ErrorKind};
use super::link::Link;
use crate::model::{AccountId, BucketName, Endpoint, ObjectLock, ObservedBucket};

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
    pub fn with_patience(&self, patience: Duration) -> Self {
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

    /// Whether a server that is not AWS says that it knows no such feature: then there is none.
    pub(crate) fn not_offered(&self, error: &AwsError) -> bool {
        self.aws.endpoint() == Endpoint::Custom && *error.kind() == ErrorKind::NotImplemented
    }
}
