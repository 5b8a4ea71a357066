//! Keys of nothing but white space, which the SDK takes for keys that were forgotten.
//!
//! The SDK is given a stand-in, and an interceptor puts the real key into the address before it is
//! signed. A request whose address does not end in the stand-in is not sent.

use std::fmt::Write as _;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// What the SDK is told instead; no key that it would take by itself ends like this by accident.
const STAND_IN: &str = "s3plan-stands-in-for-a-blank-key-5f0c1d7e9a";

/// The key as the SDK takes it. To be used only in requests of [`for_key`]'s client.
pub(super) fn sendable(key: &str) -> &str {
    if is_blank(key) { STAND_IN } else { key }
}

/// The client for requests about a key.
pub(super) fn for_key(client: aws_sdk_s3::Client, key: Option<&str>) -> aws_sdk_s3::Client {
    match key.filter(|key| is_blank(key)) {
        None => client,
        Some(key) => {
            let config = client.config().to_builder().interceptor(RealKey(encoded(key)));
            aws_sdk_s3::Client::from_conf(config.build())
        }
    }
}

/// What the SDK's endpoint rules take for no key at all.
fn is_blank(key: &str) -> bool {
    !key.is_empty() && key.trim().is_empty()
}

fn encoded(key: &str) -> String {
    key.bytes().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "%{byte:02X}");
        text
    })
}

#[derive(Debug)]
struct RealKey(String);

#[dyn_dispatch_hint]
impl Intercept for RealKey {
    fn name(&self) -> &'static str {
        "RealKey"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let (path, query) = match request.uri().split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (request.uri(), String::new()),
        };
        let before = path.strip_suffix(STAND_IN).ok_or("the address has no place for its key")?;
        let uri = format!("{before}{}{query}", self.0);
        request.set_uri(uri)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_the_sdk_forgets_are_stood_in_for() {
        for key in [" ", "\t \n", "\u{3000}", "\u{85}"] {
            assert_eq!(sendable(key), STAND_IN, "{key:?}");
        }
        for key in ["a", " a", "/", "\u{200b}", ".", ""] {
            assert_eq!(sendable(key), key);
        }
        assert_eq!(encoded(" \u{3000}"), "%20%E3%80%80");
    }
}
