//! Lists a bucket's objects or versions, page by page, and believes no page unchecked.
//!
//! Our own loop: the SDK's paginator ends quietly where a token is repeated or missing, and its XML
//! reader takes a document that was cut in the middle for a whole one (see [`super::page`] for what
//! is checked on each page). Memory: one page, and eight bytes a page for tokens seen.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use aws_sdk_s3::types::{EncodingType, OptionalObjectAttributes};

use super::bucket::Bucket;
use super::error::{About, AwsError, ErrorKind};
use super::page::{self, Contents, Place};
use super::wire::Watch;
use crate::model::ObjectVersion;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// The current object of each key, without version ids.
    Current,
    /// Every version and every delete marker.
    Versions,
}

/// A place in a listing: it goes on behind this entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCursor {
    /// The last key that is already known.
    pub key: String,
    /// Its last version that is already known; `None` stands behind all versions of the key.
    pub version_id: Option<String>,
}

/// Some entries of a listing, in the listing's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most a thousand; may be empty although more pages follow.
    pub objects: Vec<ObjectVersion>,
    /// How many requests it took.
    pub requests: u32,
}

/// A listing in progress.
pub struct Pages {
    bucket: Bucket,
    listing: Listing,
    prefix: Option<String>,
    next: Next,
    /// The last entry's key; the next one may not stand before it.
    last: Option<Place>,
    seen: HashSet<u64>,
    hasher: RandomState,
}

enum Next {
    First(Option<ListCursor>),
    Token(String),
    Markers { key: String, version_id: Option<String> },
    End,
}

impl Bucket {
    /// Begins a listing, behind `after` where it is given.
    pub fn list(&self, listing: Listing, after: Option<ListCursor>) -> Pages {
        Pages {
            bucket: self.clone(),
            listing,
            prefix: None,
            last: after.as_ref().map(Place::behind),
            next: Next::First(after),
            seen: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    /// The error for listings of which each is right by itself, but not beside the others.
    pub fn odd_listing(&self, listing: Listing, message: impl Into<String>) -> AwsError {
        about(self, listing).bad_answer(message)
    }
}

fn about(bucket: &Bucket, listing: Listing) -> About<'_> {
    match listing {
        Listing::Current => bucket.reads("ListObjectsV2", "list the objects of"),
        Listing::Versions => bucket.reads("ListObjectVersions", "list the versions of"),
    }
}

impl Pages {
    /// Lists only keys that begin like this.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        Self { prefix: Some(prefix.to_owned()), ..self }
    }

    /// The next page; `None` once the listing is complete, and only then.
    ///
    /// # Errors
    /// Any; [`ErrorKind::BadAnswer`] where a page contradicts itself or the pages before it. A page
    /// that reads wrong is asked for once more before it is an error. After an error the listing
    /// has not ended: the same page may be asked for again.
    ///
    /// Source: S3 API Reference, ListObjectsV2 and ListObjectVersions; general purpose buckets list
    /// in the byte order of their keys.
    pub async fn next(&mut self) -> Result<Option<Page>, AwsError> {
        if matches!(self.next, Next::End) {
            return Ok(None);
        }
        let watch = Watch::default();
        let contents = match self.fetch(&watch).await {
            Err(error) if *error.kind() == ErrorKind::BadAnswer => self.fetch(&watch).await?,
            contents => contents?,
        };
        self.last = contents.last;
        self.seen.extend(contents.token_digest);
        self.next = contents.next;
        Ok(Some(Page { objects: contents.objects, requests: watch.attempts() }))
    }

    /// Asks for the next page and checks it; changes nothing.
    async fn fetch(&self, watch: &Watch) -> Result<Fetched, AwsError> {
        let about = about(&self.bucket, self.listing);
        let bad = |error: page::OddPage| about.bad_answer(error.to_string());
        let (objects, last, next) = match self.listing {
            Listing::Current => {
                let answer = self.fetch_current(&about, watch).await?;
                if !watch.closes("ListBucketResult") {
                    return Err(bad(page::OddPage::CutOff));
                }
                let contents = Contents::of_current(&answer).map_err(bad)?;
                let last = contents.check(self.last.as_ref()).map_err(bad)?;
                let next = match page::follows(answer.is_truncated()).map_err(bad)? {
                    page::Follows::Nothing => Next::End,
                    page::Follows::More => Next::Token(
                        page::token(answer.next_continuation_token()).map_err(bad)?.to_owned(),
                    ),
                };
                (contents.objects, last, next)
            }
            Listing::Versions => {
                let answer = self.fetch_versions(&about, watch).await?;
                if !watch.closes("ListVersionsResult") {
                    return Err(bad(page::OddPage::CutOff));
                }
                let contents = Contents::of_versions(&answer).map_err(bad)?;
                let last = contents.check(self.last.as_ref()).map_err(bad)?;
                let next = match page::follows(answer.is_truncated()).map_err(bad)? {
                    page::Follows::Nothing => Next::End,
                    page::Follows::More => Next::Markers {
                        key: page::marker(&answer).map_err(bad)?,
                        version_id: answer
                            .next_version_id_marker()
                            .filter(|id| !id.is_empty())
                            .map(str::to_owned),
                    },
                };
                (contents.objects, last, next)
            }
        };
        let token_digest = match &next {
            Next::Token(token) => Some(self.hasher.hash_one(token)),
            Next::Markers { key, version_id } => Some(self.hasher.hash_one((key, version_id))),
            Next::First(_) | Next::End => None,
        };
        if token_digest.is_some_and(|digest| self.seen.contains(&digest)) {
            return Err(bad(page::OddPage::Circle));
        }
        Ok(Fetched { objects, last, next, token_digest })
    }

    async fn fetch_current(
        &self,
        about: &About<'_>,
        watch: &Watch,
    ) -> Result<aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output, AwsError> {
        let (start_after, token) = match &self.next {
            Next::First(after) => (after.as_ref().map(|after| after.key.clone()), None),
            Next::Token(token) => (None, Some(token.clone())),
            Next::Markers { .. } | Next::End => (None, None),
        };
        self.bucket
            .ask(about, |_, s3| {
                s3.list_objects_v2()
                    .bucket(self.bucket.name.as_str())
                    .expected_bucket_owner(self.bucket.owner.as_str())
                    .encoding_type(EncodingType::Url)
                    .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
                    .set_prefix(self.prefix.clone())
                    .set_start_after(start_after.clone())
                    .set_continuation_token(token.clone())
                    .customize()
                    .interceptor(watch.clone())
                    .send()
            })
            .await
    }

    async fn fetch_versions(
        &self,
        about: &About<'_>,
        watch: &Watch,
    ) -> Result<aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput, AwsError>
    {
        let (key, version_id) = match &self.next {
            Next::First(Some(after)) => (Some(after.key.clone()), after.version_id.clone()),
            Next::Markers { key, version_id } => (Some(key.clone()), version_id.clone()),
            Next::First(None) | Next::Token(_) | Next::End => (None, None),
        };
        self.bucket
            .ask(about, |_, s3| {
                s3.list_object_versions()
                    .bucket(self.bucket.name.as_str())
                    .expected_bucket_owner(self.bucket.owner.as_str())
                    .encoding_type(EncodingType::Url)
                    .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
                    .set_prefix(self.prefix.clone())
                    .set_key_marker(key.clone())
                    .set_version_id_marker(version_id.clone())
                    .customize()
                    .interceptor(watch.clone())
                    .send()
            })
            .await
    }
}

/// A checked page.
struct Fetched {
    objects: Vec<ObjectVersion>,
    last: Option<Place>,
    next: Next,
    token_digest: Option<u64>,
}
