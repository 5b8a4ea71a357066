//! Judges what the SDK or a server said of a failed request, and makes an [`AwsError`] of it.

use std::error::Error as _;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{About, AwsError, ErrorKind, chain, shortened};

/// The parts of an answer that say why a request failed.
#[derive(Debug, Default)]
struct Answer<'a> {
    status: u16,
    code: Option<&'a str>,
    message: Option<&'a str>,
    /// `x-amz-bucket-region`.
    region: Option<&'a str>,
    /// `x-amz-delete-marker: true`.
    delete_marker: bool,
    /// The body looks like a page for browsers.
    html: bool,
    /// The bucket is all that the request was about.
    about_bucket: bool,
}

/// Judges an answer by code first, then by status.
///
/// Source: S3 API Reference, "Error responses"; HEAD answers have no body, hence no code.
fn judge(answer: &Answer<'_>) -> ErrorKind {
    if answer.html {
        return ErrorKind::NotS3;
    }
    let region = || ErrorKind::WrongRegion { region: answer.region.map(str::to_owned) };
    match answer.code.unwrap_or_default() {
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => {
            return ErrorKind::ExpiredCredentials;
        }
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidToken"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken" => return ErrorKind::NoCredentials,
        "NoSuchBucket" => return ErrorKind::NoSuchBucket,
        "NoSuchKey" | "NoSuchVersion" => return ErrorKind::NoSuchKey,
        "NoSuchEntity" => return ErrorKind::NoSuchUser,
        "InvalidObjectState" => return ErrorKind::NotThawed,
        "PreconditionFailed" | "ConditionalRequestConflict" => return ErrorKind::Changed,
        "GlacierExpeditedRetrievalNotAvailable" | "RequestTimeTooSkewed" => {
            return ErrorKind::Other;
        }
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "ServiceUnavailable"
        | "OperationAborted" => return ErrorKind::Throttled,
        "RequestTimeout" | "RequestTimeoutException" => return ErrorKind::TimedOut,
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => return region(),
        "NotImplemented" => return ErrorKind::NotImplemented,
        "InvalidRequest" if answer.message.is_some_and(asks_for_key) => {
            return ErrorKind::CustomerKey;
        }
        _ => {}
    }
    match answer.status {
        200..=299 => ErrorKind::BadAnswer,
        301 | 302 | 307 | 308 => region(),
        400 if answer.code.is_none() && answer.region.is_some() => region(),
        401 | 403 => ErrorKind::Denied,
        404 if answer.code.is_none() || answer.code == Some("NotFound") => {
            if answer.about_bucket {
                ErrorKind::NoSuchBucket
            } else {
                ErrorKind::NoSuchKey
            }
        }
        405 if answer.delete_marker || (answer.code.is_none() && !answer.about_bucket) => {
            ErrorKind::NoSuchKey
        }
        405 | 501 => ErrorKind::NotImplemented,
        408 => ErrorKind::TimedOut,
        412 => ErrorKind::Changed,
        429 | 503 => ErrorKind::Throttled,
        _ => ErrorKind::Other,
    }
}

/// Whether S3 misses the customer's key in a request. The code alone stands for much else.
///
/// Source: S3 User Guide, "Using server-side encryption with customer-provided keys".
fn asks_for_key(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("server side encryption") || message.contains("server-side encryption")
}

/// Turns the SDK's error into ours.
pub(crate) fn classify<E>(about: &About<'_>, error: &SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => {
            let (kind, message) =
                credentials(error).unwrap_or_else(|| (ErrorKind::Other, chain(error)));
            about.error(kind, message)
        }
        SdkError::TimeoutError(_) => about.error(ErrorKind::TimedOut, ""),
        SdkError::DispatchFailure(failure) => {
            let (kind, message) = credentials(error).unwrap_or_else(|| {
                let kind = match failure.is_timeout() {
                    true => ErrorKind::TimedOut,
                    false => ErrorKind::Unreachable,
                };
                (kind, chain(error))
            });
            about.error(kind, message)
        }
        SdkError::ResponseError(failure) => {
            let kind =
                if is_html(failure.raw()) { ErrorKind::NotS3 } else { ErrorKind::Unreachable };
            with_answer(about.error(kind, chain(error)), failure.raw())
        }
        SdkError::ServiceError(failure) => {
            let raw = failure.raw();
            let answer = Answer {
                status: raw.status().as_u16(),
                code: failure.err().code().filter(|code| !code.is_empty()),
                message: failure.err().message(),
                region: raw.headers().get("x-amz-bucket-region"),
                delete_marker: raw.headers().get("x-amz-delete-marker") == Some("true"),
                html: is_html(raw),
                about_bucket: about.key.is_none(),
            };
            let kind = judge(&answer);
            let message = match failure.err().message() {
                Some(message) => message.to_owned(),
                None if kind == ErrorKind::BadAnswer => chain(failure.err()),
                None => String::new(),
            };
            let mut error = with_answer(about.error(kind, message), raw);
            error.0.code = answer.code.map(shortened);
            error
        }
        _ => about.error(ErrorKind::Other, chain(error)),
    }
}

fn with_answer(mut error: AwsError, raw: &HttpResponse) -> AwsError {
    let headers = raw.headers();
    error.0.status = Some(raw.status().as_u16());
    error.0.request_id =
        headers.get("x-amz-request-id").or_else(|| headers.get("x-amzn-requestid")).map(shortened);
    error
}

/// Whether an answer is a page for browsers: captive portals and proxies say 200 with one. Behind a
/// 5xx it is some gateway's way of saying the same as S3, and a header alone says nothing of a
/// refusal without a body.
fn is_html(raw: &HttpResponse) -> bool {
    let typed =
        || raw.headers().get("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let page = || raw.body().bytes().is_some_and(looks_like_html);
    match raw.status().as_u16() {
        200..=399 => typed() || page(),
        400..=499 => page(),
        _ => false,
    }
}

fn looks_like_html(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    [&b"<!doctype html"[..], b"<html"]
        .iter()
        .any(|tag| start.len() >= tag.len() && start[..tag.len()].eq_ignore_ascii_case(tag))
}

/// What the credentials' provider said, where it was the one that failed.
fn credentials<E>(error: &SdkError<E, HttpResponse>) -> Option<(ErrorKind, String)>
where
    E: std::error::Error + 'static,
{
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.downcast_ref::<CredentialsError>().is_some() {
            let text = chain(cause);
            return Some((credentials_kind(&text), text));
        }
        source = cause.source();
    }
    // Without any provider the SDK fails before it asks one.
    let text = chain(error);
    (text.contains("no credentials") || text.contains("NoMatchingAuthScheme"))
        .then_some((ErrorKind::NoCredentials, text))
}

/// An expired single sign-on session surfaces as a provider's error, known only by its words.
fn credentials_kind(text: &str) -> ErrorKind {
    let text = text.to_ascii_lowercase();
    let over = ["expired", "sso session", "cached sso token", "unauthorizedexception"];
    if over.iter().any(|words| text.contains(words)) {
        ErrorKind::ExpiredCredentials
    } else {
        ErrorKind::NoCredentials
    }
}

#[cfg(test)]
mod tests {
    use super::super::Effect;
    use super::*;

    fn of(status: u16, code: Option<&str>) -> ErrorKind {
        judge(&Answer { status, code, ..Answer::default() })
    }

    #[test]
    fn a_403_is_never_read_as_gone() {
        for code in [None, Some("AccessDenied"), Some("AccessDeniedException"), Some("Odd")] {
            for about_bucket in [true, false] {
                let answer = Answer { status: 403, code, about_bucket, ..Answer::default() };
                assert_eq!(judge(&answer), ErrorKind::Denied, "{code:?}");
            }
        }
        assert_eq!(of(403, Some("InvalidObjectState")), ErrorKind::NotThawed);
    }

    #[test]
    fn a_head_without_a_body_is_judged_by_its_status() {
        let bucket = Answer { status: 404, about_bucket: true, ..Answer::default() };
        assert_eq!(judge(&bucket), ErrorKind::NoSuchBucket);
        assert_eq!(of(404, None), ErrorKind::NoSuchKey);
        assert_eq!(of(412, None), ErrorKind::Changed);
        let moved = Answer { status: 301, region: Some("eu-west-1"), ..Answer::default() };
        assert_eq!(judge(&moved), ErrorKind::WrongRegion { region: Some("eu-west-1".into()) });
        assert_eq!(of(405, None), ErrorKind::NoSuchKey);
        assert_eq!(of(503, None), ErrorKind::Throttled);
    }

    #[test]
    fn a_missing_customer_key_is_told_from_other_invalid_requests() {
        let of = |message| {
            let code = Some("InvalidRequest");
            judge(&Answer { status: 400, code, message, ..Answer::default() })
        };
        let missing = "The object was stored using a form of Server Side Encryption. The correct \
                       parameters must be provided to retrieve the object.";
        assert_eq!(of(Some(missing)), ErrorKind::CustomerKey);
        assert_eq!(of(Some("Missing required header")), ErrorKind::Other);
        assert_eq!(of(None), ErrorKind::Other);
    }

    #[test]
    fn a_404_of_something_else_is_not_a_missing_key() {
        assert_eq!(of(404, Some("NoSuchBucketPolicy")), ErrorKind::Other);
        assert_eq!(of(404, Some("NoSuchTagSet")), ErrorKind::Other);
    }

    #[test]
    fn only_mutations_have_unknown_outcomes() {
        let lost = |effect| {
            About { effect, ..About::reads("X", "do x to") }.error(ErrorKind::TimedOut, "")
        };
        assert!(!lost(Effect::Reads).outcome_unknown());
        assert!(lost(Effect::Changes).outcome_unknown());
        let refused = About::changes("X", "do x to").error(ErrorKind::Denied, "");
        assert!(!refused.outcome_unknown() && !refused.is_retryable());
    }

    #[test]
    fn the_text_names_what_was_tried_and_on_what() {
        let about = About::reads("GetObject", "read").bucket("photos").key("a\nb");
        let mut error = about.error(ErrorKind::Denied, "Access Denied");
        error.0.status = Some(403);
        assert_eq!(
            error.to_string(),
            "could not read `a\\nb` in `photos`: access denied: Access Denied [HTTP 403]"
        );
    }

    #[test]
    fn an_expired_session_is_told_from_missing_credentials() {
        let expired = "an error occurred while loading credentials: the SSO session has expired";
        assert_eq!(credentials_kind(expired), ErrorKind::ExpiredCredentials);
        let none = "the credential provider was not enabled: no providers in chain";
        assert_eq!(credentials_kind(none), ErrorKind::NoCredentials);
    }

    #[test]
    fn a_page_for_browsers_is_not_s3() {
        assert!(looks_like_html(b"\n<!DOCTYPE html><html>"));
        assert!(!looks_like_html(b"<?xml version=\"1.0\"?><ListBucketResult/>"));
    }
}
