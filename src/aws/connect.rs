//! The connection to one account: settings, fresh credentials, patience.
//!
//! In: [`Settings`] and whatever the SDK finds in profiles and environment. Out: [`Aws`], a cheap
//! handle that every other part of this room asks through.
//!
//! All requests go through one funnel, [`Aws::ask`]: it counts them, waits and repeats where
//! patience can help, fetches a fresh identity once when the session has expired, and turns every
//! failure into an [`AwsError`].

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{About, AwsError, Effect, ErrorKind, classify};
use super::link::Link;
use super::retry::Backoff;
use super::wire::{Answers, Tally, http_client};
use crate::model::Endpoint;

/// How long a request is repeated, unless [`Aws::with_patience`] says otherwise.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the command line says of AWS; everything left out comes from where AWS tools take it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The profile in the shared configuration files.
    pub profile: Option<String>,
    /// The region for requests that are about no bucket.
    pub region: Option<String>,
    /// The server to ask instead of AWS, for every service.
    pub endpoint_url: Option<String>,
    /// Requests and bodies in flight at a time; `None` sets no limit here.
    pub max_connections: Option<u32>,
    /// How objects are fetched.
    pub data_plane: DataPlane,
}

/// How objects are fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataPlane {
    /// The short way where it is open, the SDK everywhere else.
    #[default]
    Thin,
    /// Everything through the SDK.
    Sdk,
}

/// Where bodies are considered stuck: fewer bytes a second than this over one window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    pub bytes_per_second: u64,
    pub window: Duration,
}

/// Limits that tests make smaller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    /// Attempts by the SDK, the first among them; more come from our own patience.
    pub attempts: u32,
    pub patience: Duration,
    pub read_timeout: Duration,
    pub floor: Floor,
    pub data_plane: DataPlane,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            attempts: 4,
            patience: PATIENCE,
            read_timeout: Duration::from_secs(30),
            floor: Floor { bytes_per_second: 1024, window: Duration::from_secs(60) },
            data_plane: DataPlane::Thin,
        }
    }
}

/// A connection to one account. Cheap to clone; clones share clients, credentials and counters.
#[derive(Clone)]
pub struct Aws {
    inner: Arc<Inner>,
    patience: Duration,
}

struct Inner {
    tuning: Tuning,
    endpoint_url: Option<String>,
    link: RwLock<Arc<Link>>,
    /// Held while a fresh identity is fetched, so that many failing requests fetch one.
    refreshing: tokio::sync::Mutex<()>,
    tally: Arc<Tally>,
    slots: Option<Arc<Semaphore>>,
    /// Reads profiles and environment anew.
    load: Load,
}

/// Reads the configuration, credentials and all.
pub(crate) type Load =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = SdkConfig> + Send>> + Send + Sync>;

impl Aws {
    /// Reads profiles and environment as every AWS tool does. Asks no service yet, except one that
    /// must be asked to learn the region.
    ///
    /// # Errors
    /// [`ErrorKind::Other`] where the endpoint URL is not one.
    pub async fn connect(settings: &Settings) -> Result<Self, AwsError> {
        let tuning = Tuning { data_plane: settings.data_plane, ..Tuning::default() };
        let own = settings.clone();
        let load: Load = Box::new(move || {
            let settings = own.clone();
            Box::pin(async move { load(&settings, tuning).await })
        });
        let aws = Self::with(load, settings.max_connections, tuning).await;
        match aws.inner.endpoint_url.as_deref() {
            Some(url) if !(url.starts_with("http://") || url.starts_with("https://")) => {
                let about = About::reads("Connect", "connect to AWS");
                let message = format!("the endpoint URL `{url}` is not http:// or https://");
                Err(about.error(ErrorKind::Other, message))
            }
            _ => Ok(aws),
        }
    }

    pub(crate) async fn with(load: Load, max_connections: Option<u32>, tuning: Tuning) -> Self {
        let sdk = load().await;
        let tally = Arc::<Tally>::default();
        let endpoint_url = s3_endpoint_url(&sdk);
        let link = Link::new(sdk, endpoint_url.is_some(), 0, &tally);
        let inner = Inner {
            tuning,
            endpoint_url,
            link: RwLock::new(Arc::new(link)),
            refreshing: tokio::sync::Mutex::default(),
            tally,
            slots: max_connections.map(|n| Arc::new(Semaphore::new(n.max(1) as usize))),
            load,
        };
        Self { inner: Arc::new(inner), patience: tuning.patience }
    }

    /// The same connection with another patience: how long failing requests are repeated before
    /// they fail for good. Zero leaves it to the SDK's few quick attempts.
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self { inner: Arc::clone(&self.inner), patience }
    }

    /// Whether AWS itself is asked, or a server that an endpoint URL names.
    pub fn endpoint(&self) -> Endpoint {
        if self.inner.endpoint_url.is_some() { Endpoint::Custom } else { Endpoint::Aws }
    }

    /// The server that is asked, for people: `AWS` or the endpoint URL.
    pub fn endpoint_label(&self) -> &str {
        self.inner.endpoint_url.as_deref().unwrap_or("AWS")
    }

    /// The region for requests that are about no bucket.
    pub fn region(&self) -> String {
        self.link().region()
    }

    /// How many requests left so far, by operation; retries count.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.inner.tally.requests()
    }

    /// How many of them were repeats of failed ones.
    pub fn retries(&self) -> u64 {
        self.inner.tally.retries()
    }

    /// How many answers came so far.
    pub fn answers(&self) -> Answers {
        self.inner.tally.answers()
    }

    pub(crate) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.inner.link.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn tuning(&self) -> Tuning {
        self.inner.tuning
    }

    /// Waits for a free connection where their number is limited.
    pub(crate) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        match &self.inner.slots {
            Some(slots) => Arc::clone(slots).acquire_owned().await.ok(),
            None => None,
        }
    }

    /// Asks, and repeats as long as patience allows and repeating is harmless.
    ///
    /// # Errors
    /// The last attempt's error.
    pub(crate) async fn ask<T, E, F, Answer>(
        &self,
        about: &About<'_>,
        send: F,
    ) -> Result<T, AwsError>
    where
        F: Fn(&Link) -> Answer,
        Answer: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let _slot = self.slot().await;
        self.ask_holding_slot(about, send).await
    }

    /// As [`Aws::ask`], for a caller that keeps a slot of its own.
    pub(crate) async fn ask_holding_slot<T, E, F, Answer>(
        &self,
        about: &About<'_>,
        send: F,
    ) -> Result<T, AwsError>
    where
        F: Fn(&Link) -> Answer,
        Answer: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut backoff = Backoff::new(self.patience);
        let mut refreshed = false;
        loop {
            let link = self.link();
            let (bucket, key) = (about.bucket, about.key);
            tracing::debug!(operation = about.operation, bucket, key, "asking");
            let answer = send(&link).await;
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => classify(about, &error).asked_at(self.endpoint_label()),
            };
            if *error.kind() == ErrorKind::ExpiredCredentials && !refreshed {
                refreshed = true;
                self.refresh(link.generation()).await;
                self.inner.tally.count_retry();
                continue;
            }
            let harmless = about.effect != Effect::ChangesOnce || !error.outcome_unknown();
            if !(error.is_retryable() && harmless && backoff.wait().await) {
                return Err(error);
            }
            self.inner.tally.count_retry();
            tracing::debug!(%error, "asking again");
        }
    }

    /// Repeats an operation made of several steps, such as reading a body, while its error is
    /// retryable and the budget lasts; counts each repeat.
    ///
    /// # Errors
    /// The last attempt's error.
    pub async fn retry<T, F, Answer>(&self, budget: Duration, attempt: F) -> Result<T, AwsError>
    where
        F: Fn() -> Answer,
        Answer: Future<Output = Result<T, AwsError>>,
    {
        let mut backoff = Backoff::new(budget);
        loop {
            match attempt().await {
                Err(error) if error.is_retryable() && backoff.wait().await => {
                    self.inner.tally.count_retry();
                }
                answer => return answer,
            }
        }
    }

    /// Reads the credentials anew, since the SDK keeps an identity for as long as it claims to be
    /// good. Many callers at once cause one reading.
    ///
    /// `generation` is that of the identity which has expired.
    async fn refresh(&self, generation: u64) {
        let _one_at_a_time = self.inner.refreshing.lock().await;
        if self.link().generation() != generation {
            return;
        }
        let Inner { load, endpoint_url, tally, .. } = &*self.inner;
        let fresh = Link::new(load().await, endpoint_url.is_some(), generation + 1, tally);
        *self.inner.link.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
    }
}

/// Profiles, environment, single sign-on: all of it is the SDK's own loading.
async fn load(settings: &Settings, tuning: Tuning) -> SdkConfig {
    // Pinned, so that an update of the SDK cannot move retries and timeouts under us.
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .identity_cache(IdentityCache::lazy().build());
    loader = with_limits(tuning, loader);
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

fn with_limits(tuning: Tuning, loader: aws_config::ConfigLoader) -> aws_config::ConfigLoader {
    loader
        .retry_config(retry_config(tuning))
        .timeout_config(timeout_config(tuning))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

pub(crate) fn retry_config(tuning: Tuning) -> RetryConfig {
    RetryConfig::standard().with_max_attempts(tuning.attempts)
}

/// An attempt ends when its headers are there, so that no limit is set on a body's length in time;
/// bodies have a floor of their own (see [`super::get`]), which unlike the SDK's stalled-stream
/// protection does not count the time that a slow disk takes.
pub(crate) fn timeout_config(tuning: Tuning) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(tuning.read_timeout)
        .operation_attempt_timeout(tuning.read_timeout * 2)
        .build()
}

/// The endpoint URL that the S3 client will use; `None` is AWS itself.
///
/// The same order as the SDK's own: the flag, then `AWS_ENDPOINT_URL_S3` and its form in profiles,
/// then `AWS_ENDPOINT_URL` and its form.
fn s3_endpoint_url(sdk: &SdkConfig) -> Option<String> {
    if sdk.get_origin("endpoint_url").is_client_config() {
        return sdk.endpoint_url().map(str::to_owned);
    }
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok();
    let of_s3 = sdk.service_config().zip(key).and_then(|(config, key)| config.load_config(key));
    of_s3.or_else(|| sdk.endpoint_url().map(str::to_owned))
}
