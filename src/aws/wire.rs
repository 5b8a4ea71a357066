//! What is seen of the wire beside the SDK's typed answers: how many requests left, and the raw
//! status and body of single answers.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::Limited;

use crate::failpoint;

/// The one HTTP stack for all services: hyper with rustls on ring, through the proxy that the
/// environment names. Connectors, and with them their pools, are shared by all clients.
pub(crate) fn http_client() -> SharedHttpClient {
    type Timeouts = (Option<Duration>, Option<Duration>);
    let made: Mutex<HashMap<Timeouts, SharedHttpConnector>> = Mutex::default();
    http_client_fn(move |settings, components| {
        let timeouts = (settings.connect_timeout(), settings.read_timeout());
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || connector(settings.clone(), components.sleep_impl());
        made.entry(timeouts).or_insert_with(make).clone()
    })
}

/// A pool of connections.
pub(crate) fn connector(
    settings: HttpConnectorSettings,
    sleep: Option<SharedAsyncSleep>,
) -> SharedHttpConnector {
    let mut builder = Connector::builder()
        .connector_settings(settings)
        .enable_tcp_nodelay(true)
        .proxy_config(ProxyConfig::from_env());
    builder.set_sleep_impl(sleep);
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    SharedHttpConnector::new(builder.tls_provider(ring).build())
}

/// Counts requests as they leave, the SDK's own retries among them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    requests: Mutex<BTreeMap<String, u64>>,
    retries: AtomicU64,
    answers: AtomicU64,
    slow_downs: AtomicU64,
}

/// How many answers came since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// All of them.
    pub all: u64,
    /// Those that asked for fewer requests.
    pub slow_downs: u64,
}

impl Tally {
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    pub fn answers(&self) -> Answers {
        Answers {
            all: self.answers.load(Ordering::Relaxed),
            slow_downs: self.slow_downs.load(Ordering::Relaxed),
        }
    }

    /// Counts an answer, and whether it asks for fewer requests.
    ///
    /// Source: S3 API Reference, "Error responses": SlowDown and the like are 503; 429 is what
    /// other servers say.
    pub fn count_answer(&self, status: u16) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if matches!(status, 429 | 503) {
            self.slow_downs.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count(&self, operation: &str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        match requests.get_mut(operation) {
            Some(count) => *count += 1,
            None => drop(requests.insert(operation.to_owned(), 1)),
        }
    }
}

/// [`Tally`] as the SDK takes it, and a limit to what an answer may take.
#[derive(Debug)]
pub(crate) struct Counting(pub Arc<Tally>);

/// Answers are read into memory up to so many bytes: many times what a page of a thousand of the
/// longest keys takes. The bodies of objects are not answers in this sense.
const LARGEST: usize = 64 << 20;

/// In the query of an address that the SDK only signs: no such request ever leaves.
const SIGNED_ADDRESS: &str = "X-Amz-Signature=";

#[dyn_dispatch_hint]
impl Intercept for Counting {
    fn name(&self) -> &'static str {
        "Counting"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.request().uri().contains(SIGNED_ADDRESS) {
            return Ok(());
        }
        self.0.count(operation(cfg));
        if changes_something(cfg) {
            failpoint::pass(&format!("before {}", operation(cfg)));
        }
        if cfg.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1) {
            self.0.count_retry();
        }
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response_mut();
        if operation(cfg) != "GetObject" || !answer.status().is_success() {
            let body = mem::replace(answer.body_mut(), SdkBody::taken());
            *answer.body_mut() = SdkBody::from_body_1_x(Limited::new(body, LARGEST));
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.count_answer(context.response().status().as_u16());
        if changes_something(cfg) {
            failpoint::pass(&format!("after {}", operation(cfg)));
        }
        Ok(())
    }
}

fn operation(cfg: &ConfigBag) -> &str {
    cfg.load::<Metadata>().map_or("?", Metadata::name)
}

/// Of the services asked here only S3 is ever asked to change something.
fn changes_something(cfg: &ConfigBag) -> bool {
    let Some(request) = cfg.load::<Metadata>() else { return false };
    let only_reads = ["Get", "Head", "List"].iter().any(|verb| request.name().starts_with(verb));
    request.service() == "S3" && !only_reads
}

/// Keeps the raw status and body of one operation's last answer, and counts its attempts.
///
/// The SDK's typed answers do not tell 200 from 202 or 206, and its XML reader takes a document
/// that was cut in the middle for a whole one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    attempts: u32,
    status: u16,
    body: Option<bytes::Bytes>,
}

impl Watch {
    /// How many requests left.
    pub fn attempts(&self) -> u32 {
        self.seen(|seen| seen.attempts)
    }

    /// The last answer's HTTP status; 0 where none came.
    pub fn status(&self) -> u16 {
        self.seen(|seen| seen.status)
    }

    /// The last answer's body, where it is not a stream.
    pub fn body(&self) -> bytes::Bytes {
        self.seen(|seen| seen.body.clone().unwrap_or_default())
    }

    /// Whether the last answer's XML document is there to its end: it closes this root element.
    pub fn closes(&self, root: &str) -> bool {
        closes(&self.body(), root)
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The pure half of [`Watch::closes`].
pub(crate) fn closes(body: &[u8], root: &str) -> bool {
    let inside = body.trim_ascii_end().strip_suffix(b">").map(<[u8]>::trim_ascii_end);
    let inside = inside.and_then(|rest| rest.strip_suffix(root.as_bytes()));
    inside.is_some_and(|rest| rest.ends_with(b"</"))
}

#[dyn_dispatch_hint]
impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.seen(|seen| {
            *seen = Seen { attempts: seen.attempts + 1, ..Seen::default() };
        });
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.seen(|seen| seen.status = context.response().status().as_u16());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes();
        self.seen(|seen| seen.body = body.map(bytes::Bytes::copy_from_slice));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_whole_only_with_its_closing_root_tag() {
        let text = "<?xml version=\"1.0\"?><R><K>a</K></R>\n";
        for cut in 0..text.len() {
            let watch = Watch::default();
            watch.seen(|seen| seen.body = Some(bytes::Bytes::from(text[..cut].to_owned())));
            assert_eq!(watch.closes("R"), cut >= text.len() - 1, "cut at {cut}");
        }
    }
}
