//! The control endpoint: what a test in another process may ask of the account and do to it.
//!
//! | request | does |
//! |---|---|
//! | `GET /_sandbox/witness` | everything that the witness can tell |
//! | `GET /_sandbox/witness/counts` | only how often each operation was asked for |
//! | `DELETE /_sandbox/witness` | lets it forget |
//! | `GET /_sandbox/clock` | `{"now": …}` |
//! | `POST /_sandbox/clock/advance` `{"seconds": 3600}` | turns the clock |
//! | `POST /_sandbox/faults` a rule, or a list of them | adds rules |
//! | `DELETE /_sandbox/faults` | forgets all rules |
//! | `POST /_sandbox/step` a step, or a list of them | moves the world |
//! | `GET /_sandbox/snapshot` | every bucket with every version |
//! | `GET PUT DELETE /_sandbox/objects/BUCKET/KEY` | an object's bytes, past all rules |
//!
//! Nobody signs here, and the witness does not count it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use s3s::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::call::Answer;
use crate::fault::Rule;
use crate::shared::Shared;
use crate::step::Step;
use crate::{snapshot, step};

/// Where the control endpoint lives. No bucket can have this name.
pub const PREFIX: &str = "/_sandbox/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

/// Answers a control request.
pub fn answer(shared: &Shared, method: &Method, path: &str, body: &Bytes) -> Answer {
    let path = path.strip_prefix(PREFIX).unwrap_or_default();
    if let Some(object) = path.strip_prefix("objects/") {
        return self::object(shared, method, object, body);
    }
    let outcome = match (method.as_str(), path) {
        ("GET", "witness") => serde_json::to_value(shared.witness.testimony()),
        ("GET", "witness/counts") => serde_json::to_value(shared.witness.counts()),
        ("DELETE", "witness") => {
            shared.witness.clear();
            Ok(Value::Null)
        }
        ("GET", "clock") => Ok(json!({ "now": shared.now() })),
        ("POST", "clock/advance") => serde_json::from_slice(body).map(|Advance { seconds }| {
            shared.clock.advance(Duration::from_secs(seconds));
            json!({ "now": shared.now() })
        }),
        ("POST", "faults") => one_or_many::<Rule>(body).map(|rules| {
            rules.into_iter().for_each(|rule| shared.faults.add(rule));
            Value::Null
        }),
        ("DELETE", "faults") => {
            shared.faults.clear();
            Ok(Value::Null)
        }
        ("POST", "step") => one_or_many::<Step>(body).map(|steps| {
            steps.iter().for_each(|step| step::take(shared, step));
            Value::Null
        }),
        ("GET", "snapshot") => serde_json::to_value(snapshot::snapshot(shared)),
        _ => return status(404, json!({ "error": "no such control request" })),
    };
    match outcome {
        Ok(value) => status(200, value),
        Err(error) => status(400, json!({ "error": error.to_string() })),
    }
}

fn one_or_many<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<Vec<T>> {
    match serde_json::from_slice(body)? {
        Value::Array(many) => many.into_iter().map(serde_json::from_value).collect(),
        one => serde_json::from_value(one).map(|one| vec![one]),
    }
}

fn object(shared: &Shared, method: &Method, object: &str, body: &Bytes) -> Answer {
    let Some((bucket, key)) = object.split_once('/') else {
        return status(404, json!({ "error": "objects/BUCKET/KEY" }));
    };
    let key = percent_decode_str(key).decode_utf8_lossy();
    match method.as_str() {
        "GET" => match snapshot::content(shared, bucket, &key, None) {
            Some(bytes) => Response::new(Body::from(bytes)),
            None => status(404, json!({ "error": "no such object" })),
        },
        "PUT" if step::put(shared, bucket, &key, body.clone()) => status(200, Value::Null),
        "PUT" => status(404, json!({ "error": "no such bucket" })),
        "DELETE" => {
            let (bucket, key) = (bucket.to_owned(), key.into_owned());
            step::take(shared, &Step::Delete { bucket, key, version: None });
            status(200, Value::Null)
        }
        _ => status(405, json!({ "error": "GET, PUT or DELETE" })),
    }
}

fn status(status: u16, value: Value) -> Answer {
    let mut answer = Response::new(Body::from(value.to_string()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    crate::call::set_header(&mut answer, "content-type", "application/json");
    answer
}
