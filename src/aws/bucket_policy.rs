//! A bucket's policy: read, replaced, removed, and whether a public one would be refused.

use aws_sdk_s3::operation::RequestId as _;

use super::bucket::Bucket;
use super::error::AwsError;
use crate::model::Endpoint;

impl Bucket {
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
}
