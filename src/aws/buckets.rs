//! Which buckets the account has, and where they are.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_s3::types::Bucket as Listed;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::connect::Aws;
use super::error::{About, AwsError, ErrorKind};
use super::wire::Watch;

/// Buckets asked for at a time; AWS allows up to 10,000.
const PAGE: usize = 1000;

/// Bucket regions asked for at the same time, where the listing does not tell them.
const REGIONS_AT_ONCE: usize = 16;

/// One bucket of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketEntry {
    /// Its name.
    pub name: String,
    /// The region it lives in.
    pub region: String,
    /// When it was made, in milliseconds since the Unix epoch; a changed policy moves it. `None`
    /// where the server does not say.
    pub created_ms: Option<i64>,
}

impl Aws {
    /// Lists every bucket of the account, in every region, by name.
    ///
    /// # Errors
    /// Any of the listing's; a bucket whose region cannot be learnt is an error too.
    ///
    /// Source: S3 API Reference, ListBuckets: regions and tokens come only where a parameter was
    /// sent.
    pub async fn buckets(&self) -> Result<Vec<BucketEntry>, AwsError> {
        let listed = self.listed_buckets().await?;
        stream::iter(listed)
            .map(|(name, (created_ms, region))| async move {
                let region = match region {
                    Some(region) => region,
                    None => self.bucket_region(&name).await?,
                };
                Ok(BucketEntry { name, region, created_ms })
            })
            .buffered(REGIONS_AT_ONCE)
            .try_collect()
            .await
    }

    async fn listed_buckets(
        &self,
    ) -> Result<BTreeMap<String, (Option<i64>, Option<String>)>, AwsError> {
        let about = About::reads("ListBuckets", "list the account's buckets");
        let mut found = BTreeMap::new();
        let mut tokens = HashSet::new();
        let mut token: Option<String> = None;
        loop {
            let (page, next) = self.bucket_page(&about, Some(PAGE), token.clone()).await?;
            let full = page.len() >= PAGE;
            found.extend(page);
            match next {
                Some(next) if !tokens.insert(next.clone()) => {
                    return Err(about.bad_answer("a continuation token came twice"));
                }
                Some(next) => token = Some(next),
                None if full => {
                    // Some servers cut a page and give no token. Without a page size they give all.
                    let (all, next) = self.bucket_page(&about, None, None).await?;
                    if next.is_some() {
                        return Err(about.bad_answer("a token came for a listing without pages"));
                    }
                    for (name, (created_ms, region)) in all {
                        found.entry(name).or_insert((created_ms, region));
                    }
                    return Ok(found);
                }
                None => return Ok(found),
            }
        }
    }

    async fn bucket_page(
        &self,
        about: &About<'_>,
        size: Option<usize>,
        token: Option<String>,
    ) -> Result<(Vec<(String, (Option<i64>, Option<String>))>, Option<String>), AwsError> {
        let watch = Watch::default();
        let answer = self
            .ask(about, |link| {
                link.s3_home()
                    .list_buckets()
                    .set_max_buckets(size.and_then(|size| size.try_into().ok()))
                    .set_continuation_token(token.clone())
                    .customize()
                    .interceptor(watch.clone())
                    .send()
            })
            .await?;
        if !watch.closes("ListAllMyBucketsResult") {
            return Err(about.bad_answer("the listing is cut off"));
        }
        let entry = |bucket: &Listed| {
            let created_ms = bucket.creation_date().and_then(|date| date.to_millis().ok());
            let region = bucket.bucket_region().filter(|region| !region.is_empty());
            let name = bucket.name().filter(|name| !name.is_empty())?;
            Some((name.to_owned(), (created_ms, region.map(str::to_owned))))
        };
        let page: Option<Vec<_>> = answer.buckets().iter().map(entry).collect();
        let page = page.ok_or_else(|| about.bad_answer("it lists a bucket without a name"))?;
        let next = answer.continuation_token().filter(|token| !token.is_empty());
        Ok((page, next.map(str::to_owned)))
    }

    /// Asks where a bucket lives. Works for buckets that the caller may not otherwise touch.
    ///
    /// # Errors
    /// [`ErrorKind::NoSuchBucket`]; any other where the answer names no region.
    ///
    /// Source: S3 API Reference, HeadBucket: every region's endpoint answers
    /// `x-amz-bucket-region`, even with 301 and 403.
    pub async fn bucket_region(&self, name: &str) -> Result<String, AwsError> {
        let about = About::reads("HeadBucket", "find the region of").bucket(name);
        let home = self.region();
        let answer = self
            .ask(&about, |link| {
                let head = link.s3_home().head_bucket().bucket(name);
                let send = head.send();
                async move {
                    match send.await {
                        Ok(answer) => Ok(answer.bucket_region().map(str::to_owned)),
                        Err(error) => match error.raw_response().and_then(region_header) {
                            Some(region) => Ok(Some(region)),
                            None => Err(error),
                        },
                    }
                }
            })
            .await?;
        match answer {
            Some(region) => Ok(region),
            // Servers that are not AWS often have one region and no name for it.
            None if self.endpoint() == crate::model::Endpoint::Custom => Ok(home),
            None => Err(about.error(ErrorKind::BadAnswer, "it names no region")),
        }
    }
}

/// A refusal's `x-amz-bucket-region`; `None` on a 404, which tells of no bucket.
fn region_header(raw: &HttpResponse) -> Option<String> {
    let known = matches!(raw.status().as_u16(), 301 | 307 | 400 | 403);
    let region = raw.headers().get("x-amz-bucket-region").filter(|region| !region.is_empty());
    region.filter(|_| known).map(str::to_owned)
}
