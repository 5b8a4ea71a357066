//! A shorter way for GETs: the SDK's own connections and credentials, without what the SDK does
//! around every request.
//!
//! A GET through the SDK costs some 160 µs of processor time, most of it spent on choosing
//! endpoints, schemes and retries anew each time. Here a bucket's address is learned once, from an
//! address that the SDK has signed; a request is then signed and sent, and the head of its answer
//! read.
//!
//! It promises nothing: whatever is not a plain success is `None`, and the caller asks the SDK,
//! which knows what to do about it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::Clock;

/// Credentials are fetched anew when they are good for less than this.
const SOON: Duration = Duration::from_secs(5 * 60);
/// How long the address that the SDK signs would be good for; nobody uses it.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// The key that such an address is made for.
const KEY: &str = "k";
/// What a key's bytes are written as in a path, but for these.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
/// The same in a query.
const IN_QUERY: &AsciiSet = &IN_PATH.add(b'/');

/// A region, and a bucket in it.
type Place = (String, String);

/// Who answers for one bucket, and how its requests are signed.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    /// All that stands before the key: `https://photos.s3.eu-west-1.amazonaws.com/`.
    base: String,
    host: String,
    region: String,
}

/// What is asked for.
pub(crate) struct Wish<'a> {
    pub key: &'a str,
    pub version_id: Option<&'a str>,
    /// Headers beside those of the signature.
    pub headers: &'a [(&'static str, &'a str)],
}

/// The shorter way, for one set of credentials.
pub(crate) struct Plane {
    connector: SharedHttpConnector,
    provider: SharedCredentialsProvider,
    identity: RwLock<Option<Identity>>,
    /// By region and bucket; `None` where the SDK's address is out of the ordinary.
    addresses: Mutex<HashMap<Place, Option<Arc<Address>>>>,
}

impl Plane {
    /// `None` where there are no credentials to sign with.
    pub fn new(sdk: &SdkConfig, connector: SharedHttpConnector) -> Option<Self> {
        Some(Self {
            connector,
            provider: sdk.credentials_provider()?,
            identity: RwLock::default(),
            addresses: Mutex::default(),
        })
    }

    /// Makes a signed GET. `None`: ask the SDK instead.
    pub async fn request(
        &self,
        s3: &aws_sdk_s3::Client,
        region: &str,
        bucket: &str,
        wish: &Wish<'_>,
    ) -> Option<HttpRequest> {
        let address = self.address(s3, region, bucket).await?;
        let identity = self.identity().await?;
        address.request(wish, &identity, SystemTime::from(Clock::default().now()))
    }

    /// Sends it. `None`: ask the SDK instead.
    pub async fn send(&self, request: HttpRequest) -> Option<HttpResponse> {
        let answer = self.connector.call(request).await;
        answer.inspect_err(|error| tracing::debug!(%error, "asking the SDK")).ok()
    }

    async fn address(
        &self,
        s3: &aws_sdk_s3::Client,
        region: &str,
        bucket: &str,
    ) -> Option<Arc<Address>> {
        let place = (region.to_owned(), bucket.to_owned());
        let known = |known: &HashMap<Place, Option<Arc<Address>>>| known.get(&place).cloned();
        let found = known(&self.addresses.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(found) = found {
            return found;
        }
        let config = PresigningConfig::expires_in(SIGNED_FOR).ok()?;
        // A failure here is told by the SDK when it is asked for the object itself.
        let signed = s3.get_object().bucket(bucket).key(KEY).presigned(config).await.ok()?;
        let plain = signed.headers().all(|(name, _)| name.eq_ignore_ascii_case("host"));
        let address = Address::read(signed.uri()).filter(|_| plain).map(Arc::new);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.insert(place, address.clone());
        address
    }

    async fn identity(&self) -> Option<Identity> {
        let known = self.identity.read().unwrap_or_else(PoisonError::into_inner).clone();
        let soon = SystemTime::from(Clock::default().now()) + SOON;
        if let Some(identity) = known
            && identity.expiration().is_none_or(|end| end > soon)
        {
            return Some(identity);
        }
        let credentials: Credentials = self.provider.provide_credentials().await.ok()?;
        let identity = Identity::from(credentials);
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(identity.clone());
        Some(identity)
    }
}

impl Address {
    /// Reads an address that the SDK has signed; `None` where it is not signed as S3's usually are.
    fn read(signed: &str) -> Option<Self> {
        let (path, query) = signed.split_once('?')?;
        let base = path.strip_suffix(KEY)?.to_owned();
        let host = base.split_once("://")?.1.split('/').next()?.to_owned();
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let ordinary = value("X-Amz-Algorithm")? == "AWS4-HMAC-SHA256"
            && value("X-Amz-SignedHeaders")? == "host"
            && value("X-Amz-S3session-Token").is_none();
        // KEYID/20260101/eu-west-1/s3/aws4_request, with its slashes encoded.
        let scope: Vec<&str> = value("X-Amz-Credential")?.split("%2F").collect();
        match scope.as_slice() {
            [.., region, "s3", "aws4_request"] if ordinary => {
                Some(Self { base, host, region: (*region).to_owned() })
            }
            _ => None,
        }
    }

    fn request(
        &self,
        wish: &Wish<'_>,
        identity: &Identity,
        now: SystemTime,
    ) -> Option<HttpRequest> {
        let mut uri = self.base.clone();
        uri.extend(utf8_percent_encode(wish.key, IN_PATH));
        uri.push_str("?x-id=GetObject");
        if let Some(version) = wish.version_id {
            uri.push_str("&versionId=");
            uri.extend(utf8_percent_encode(version, IN_QUERY));
        }
        let signed = [("host", self.host.as_str())].into_iter().chain(wish.headers.iter().copied());
        let signature = signature(&uri, signed, identity, &self.region, now)?;
        let mut request = HttpRequest::get(&uri).ok()?;
        let headers = request.headers_mut();
        headers.try_insert("user-agent", concat!("s3plan/", env!("CARGO_PKG_VERSION"))).ok()?;
        for (name, value) in wish.headers {
            headers.try_insert(*name, (*value).to_owned()).ok()?;
        }
        for (name, value) in signature {
            headers.try_insert(name, value).ok()?;
        }
        Some(request)
    }
}

/// The headers that sign a GET with these headers.
fn signature<'a>(
    uri: &'a str,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    identity: &Identity,
    region: &str,
    now: SystemTime,
) -> Option<Vec<(String, String)>> {
    // As the SDK signs for S3: a path stands as it is.
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params = SigningParams::builder()
        .identity(identity)
        .region(region)
        .name("s3")
        .time(now)
        .settings(settings)
        .build()
        .ok()?;
    let request = SignableRequest::new("GET", uri, headers, SignableBody::Bytes(b"")).ok()?;
    let (signing, _) = sign(request, &params.into()).ok()?.into_parts();
    Some(signing.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
#[path = "plane_tests.rs"]
mod tests;
