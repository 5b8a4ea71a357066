//! One request, taken apart: operation, bucket, key, query, headers, who asks and from where.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use percent_encoding::percent_decode_str;
use s3s::{Body, TrailingHeaders};

use crate::account::User;
use crate::op::Op;
use crate::refusal::Refusal;

/// An answer on its way out.
pub type Answer = http::Response<Body>;

/// What handlers give back.
pub type Outcome = Result<Answer, Refusal>;

/// What the first line of a request says, before anybody is known to have signed it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The operation; `None` when the account has none for this request.
    pub op: Option<Op>,
    /// The bucket of the path.
    pub bucket: Option<String>,
    /// The key of the path, decoded.
    pub key: Option<String>,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Whether the request is a HEAD, whose answers have no body.
    pub is_head: bool,
    /// The path as it was sent.
    pub path: String,
}

impl Target {
    /// Reads method, path and query.
    pub fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = uri.path().strip_prefix('/').unwrap_or_default();
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query = uri.query().map(decode_query).unwrap_or_default();
        let is_copy = headers.contains_key("x-amz-copy-source");
        Self {
            op: Op::of(method, !bucket.is_empty(), !key.is_empty(), &query, is_copy),
            bucket: (!bucket.is_empty()).then(|| decode(bucket)),
            key: (!key.is_empty()).then(|| decode(key)),
            query,
            is_head: method == Method::HEAD,
            path: uri.path().to_owned(),
        }
    }

    /// The operation's name; `Unknown` when the account has none for this request.
    pub fn op_name(&self) -> String {
        self.op.map_or_else(|| "Unknown".to_owned(), Op::name)
    }

    /// A query parameter's value.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The version that the request names.
    pub fn version_id(&self) -> Option<&str> {
        self.query("versionId")
    }
}

/// A request that someone signed.
pub struct Call {
    /// What it asks for.
    pub target: Target,
    /// Its headers.
    pub headers: HeaderMap,
    /// Who signed it: the name of a user of the world.
    pub user: Arc<str>,
    /// The same, with all that policies may ask of them.
    pub asker: Option<User>,
    /// The region of its credential scope.
    pub region: String,
    /// Its body, free of chunk framing.
    pub body: Body,
    /// What follows the body.
    pub trailers: Option<TrailingHeaders>,
}

impl Call {
    /// A header's value, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The entries of a header that is a list. The SDKs send a line for each entry.
    pub fn list(&self, name: &str) -> Vec<&str> {
        list_of(&self.headers, name)
    }

    /// A query parameter's value.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.target.query(name)
    }

    /// The bucket of the path; empty when there is none.
    pub fn bucket(&self) -> &str {
        self.target.bucket.as_deref().unwrap_or_default()
    }

    /// The key of the path; empty when there is none.
    pub fn key(&self) -> &str {
        self.target.key.as_deref().unwrap_or_default()
    }

    /// A query parameter that is a number within bounds; `default` when absent.
    ///
    /// # Errors
    /// `InvalidArgument` when it is not a number, or negative.
    pub fn number(&self, name: &str, default: u64, most: u64) -> Result<u64, Refusal> {
        match self.query(name) {
            None | Some("") => Ok(default),
            Some(text) => text
                .parse::<i64>()
                .ok()
                .and_then(|number| u64::try_from(number).ok())
                .map(|number| number.min(most))
                .ok_or_else(|| {
                    Refusal::argument(format!("Provided {name} not an integer or within range"))
                }),
        }
    }

    /// The whole body, with the trailers that came after it added to the headers.
    ///
    /// # Errors
    /// Whatever the signature check finds wrong in the body.
    pub async fn read_body(&mut self) -> Result<Bytes, Refusal> {
        let body = std::mem::take(&mut self.body);
        let chunks: Vec<Bytes> = body.try_collect().await.map_err(|error| {
            let text = error.to_string();
            if text.contains("ignature") {
                Refusal::new(403, "SignatureDoesNotMatch", "A chunk's signature does not match")
            } else if text.contains("checksum") || text.contains("Checksum") {
                Refusal::new(
                    400,
                    "XAmzContentSHA256Mismatch",
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                )
            } else {
                Refusal::new(
                    400,
                    "IncompleteBody",
                    "You did not provide the number of bytes specified by the Content-Length HTTP \
                     header",
                )
            }
        })?;
        if let Some(trailers) = self.trailers.take().and_then(|trailers| trailers.take()) {
            self.headers.extend(trailers);
        }
        Ok(match <[Bytes; 1]>::try_from(chunks) {
            Ok([only]) => only,
            Err(chunks) => chunks.concat().into(),
        })
    }
}

fn list_of<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).collect()
}

/// Splits and decodes a query string; `+` is a space.
pub fn decode_query(query: &str) -> Vec<(String, String)> {
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// An empty answer with a status.
pub fn empty(status: u16) -> Answer {
    let mut answer = http::Response::new(Body::empty());
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    answer
}

/// A 200 answer with an XML document.
pub fn xml(document: impl Into<String>) -> Answer {
    let mut answer = http::Response::new(Body::from(document.into()));
    set_header(&mut answer, "content-type", "application/xml");
    answer
}

/// Sets a header; what HTTP cannot carry is left out.
pub fn set_header(answer: &mut Answer, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    let value = HeaderValue::from_bytes(value.as_bytes());
    if let (Ok(name), Ok(value)) = (name, value) {
        answer.headers_mut().insert(name, value);
    }
}

/// Strips the quotes that ETags wear on the wire.
pub fn unquoted(etag: &str) -> &str {
    let etag = etag.trim();
    etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_come_in_lines_or_between_commas() {
        let mut headers = HeaderMap::new();
        headers.append("x-list", HeaderValue::from_static("a, b"));
        headers.append("x-list", HeaderValue::from_static("c"));
        assert_eq!(list_of(&headers, "x-list"), ["a", "b", "c"]);
    }

    #[test]
    fn a_key_keeps_its_odd_characters() {
        let uri = "/photos//a%2F..%01/%E2%82%AC+b?versionId=x%2By".parse().unwrap();
        let target = Target::of(&Method::GET, &uri, &HeaderMap::new());
        assert_eq!(target.bucket.as_deref(), Some("photos"));
        assert_eq!(target.key.as_deref(), Some("/a/..\u{1}/€+b"));
        assert_eq!(target.version_id(), Some("x+y"));
    }
}
