//! The unfinished multipart uploads of a bucket: all of them, and the end of one.

use std::collections::HashSet;

use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::types::{EncodingType, MultipartUpload};

use super::blank;
use super::bucket::Bucket;
use super::error::{About, AwsError};
use super::parse::decode_key;
use super::wire::Watch;
use crate::model::UploadInProgress;

/// A place in the listing: it goes on behind this upload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Marker {
    key: String,
    /// `None`: behind all uploads of the key.
    upload_id: Option<String>,
}

/// Some uploads, in the listing's order.
struct Page {
    uploads: Vec<UploadInProgress>,
    /// Where the next page begins; `None`: that was the last one.
    next: Option<Marker>,
}

impl Bucket {
    /// Lists every unfinished multipart upload. A server that knows no such uploads has none.
    ///
    /// # Errors
    /// Any; a listing that repeats itself or is cut off is a [`super::ErrorKind::BadAnswer`].
    ///
    /// Source: S3 API Reference, ListMultipartUploads.
    pub async fn list_uploads(&self) -> Result<Vec<UploadInProgress>, AwsError> {
        let about = self.reads("ListMultipartUploads", "list the unfinished uploads of");
        let mut uploads = Vec::new();
        let mut behind: Option<Marker> = None;
        let mut seen = HashSet::new();
        loop {
            let page = match self.uploads_behind(behind.as_ref(), &about).await {
                Err(error) if behind.is_none() && self.not_offered(&error) => return Ok(uploads),
                page => page?,
            };
            uploads.extend(page.uploads);
            let Some(next) = page.next else { return Ok(uploads) };
            if !seen.insert(next.clone()) {
                return Err(about.bad_answer("the listing goes in circles"));
            }
            behind = Some(next);
        }
    }

    /// One page of that listing.
    async fn uploads_behind(
        &self,
        behind: Option<&Marker>,
        about: &About<'_>,
    ) -> Result<Page, AwsError> {
        let watch = Watch::default();
        let answer = self
            .ask(about, |_, s3| {
                s3.list_multipart_uploads()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .encoding_type(EncodingType::Url)
                    .set_key_marker(behind.map(|marker| marker.key.clone()))
                    .set_upload_id_marker(behind.and_then(|marker| marker.upload_id.clone()))
                    .customize()
                    .interceptor(watch.clone())
                    .send()
            })
            .await?;
        if !watch.closes("ListMultipartUploadsResult") {
            return Err(about.bad_answer("the listing is cut off"));
        }
        Page::of(&answer, about)
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
}

impl Page {
    fn of(answer: &ListMultipartUploadsOutput, about: &About<'_>) -> Result<Self, AwsError> {
        // Decoded only where the answer says so: some servers ignore the wish.
        let decoded = |key: &str| match answer.encoding_type() {
            Some(EncodingType::Url) => {
                decode_key(key).map_err(|error| about.bad_answer(error.to_string()))
            }
            _ => Ok(key.to_owned()),
        };
        let upload = |listed: &MultipartUpload| {
            let (Some(key), Some(upload_id)) = (listed.key(), listed.upload_id()) else {
                return Err(about.bad_answer("it lists an upload without key or id"));
            };
            let initiated_ms = listed.initiated().and_then(|date| date.to_millis().ok());
            Ok(UploadInProgress {
                key: decoded(key)?,
                upload_id: upload_id.to_owned(),
                initiated_ms: initiated_ms
                    .ok_or_else(|| about.bad_answer("it lists an upload without a date"))?,
            })
        };
        let uploads = answer.uploads().iter().map(upload).collect::<Result<_, _>>()?;
        let next = match answer.is_truncated() {
            Some(false) => None,
            None => return Err(about.bad_answer("it does not say whether more follows")),
            Some(true) => {
                let key = answer
                    .next_key_marker()
                    .filter(|marker| !marker.is_empty())
                    .ok_or_else(|| about.bad_answer("more follows, but it does not say where"))?;
                let upload_id = answer.next_upload_id_marker().filter(|id| !id.is_empty());
                Some(Marker { key: decoded(key)?, upload_id: upload_id.map(str::to_owned) })
            }
        };
        Ok(Self { uploads, next })
    }
}
