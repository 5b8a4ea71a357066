use proptest::prelude::*;

use super::super::connect::{DataPlane, Tuning};
use super::super::raw::{Canned, Raw, answer, bucket_of, connect, quick};
use super::*;
use crate::model::ETag;

const KEYS: [&str; 14] = [
    "a",
    "/",
    "//",
    "a//b",
    "../x",
    "./r/.",
    "a b+c%20d",
    "ä/日本/🦀",
    "q?x=1&y#z",
    "\u{1}\r\n\t",
    "'\"<>\\^`{|}",
    "=,;:@!$*()[]~-_.",
    "e\u{301}\u{e9}",
    "%2F/%",
];

/// What the SDK asks for a key, as a server saw it: the path with its query, and the headers.
async fn asked_by_sdk(key: &str, version: Option<&str>) -> (String, Vec<(String, String)>) {
    let raw = Raw::always(answer("404 Not Found", "", "")).await;
    let bucket = bucket_of(&connect(&raw.url, quick()).await);
    let etag = ETag::new("0123456789abcdef0123456789abcdef");
    let _ = bucket.get(key, version, &etag, None).await;
    let asked = raw.asked().swap_remove(0);
    let mut lines = asked.split("\r\n");
    let line = lines.next().expect("a request line");
    let path = line.split(' ').nth(1).expect("a path").to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    (path, headers.collect())
}

/// Signs what the SDK has signed, and holds path and signature against its own.
async fn agrees_with_sdk(key: &str, version: Option<&str>) {
    let (path, headers) = asked_by_sdk(key, version).await;
    let value = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map_or("", |(_, value)| value.as_str())
    };
    let host = value("host").to_owned();
    let base = format!("http://{host}/photos/");
    let address = Address { base, host: host.clone(), region: "us-east-1".into() };
    let identity = Identity::from(Credentials::new("AKID1", "secret", None, None, "test"));
    let wish = Wish { key, version_id: version, headers: &[] };
    let now = SystemTime::now();
    let request = address.request(&wish, &identity, now).expect("a request");
    assert_eq!(request.uri().strip_prefix(&format!("http://{host}")), Some(path.as_str()));

    let authorization = value("authorization");
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(name).expect("a part");
        rest.split(',').next().unwrap_or_default().to_owned()
    };
    let names = part("SignedHeaders=");
    let own = ["x-amz-date", "x-amz-content-sha256"];
    let signed: Vec<(&str, &str)> = names
        .split(';')
        .filter(|name| !own.contains(name))
        .map(|name| (name, value(name)))
        .collect();
    let date = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", value("x-amz-date"));
    let date = date.expect("a date").to_zoned(jiff::tz::TimeZone::UTC).expect("a time");
    let signature = signature(
        request.uri(),
        signed.into_iter(),
        &identity,
        "us-east-1",
        SystemTime::from(date.timestamp()),
    )
    .expect("a signature");
    let own = signature.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value);
    assert_eq!(own.map(String::as_str), Some(authorization), "{key:?}");
}

#[tokio::test]
async fn awkward_keys_are_signed_as_the_sdk_signs_them() {
    for key in KEYS {
        agrees_with_sdk(key, None).await;
        agrees_with_sdk(key, Some("v/1+=?&")).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_key_is_signed_as_the_sdk_signs_it(key in "\\PC{1,40}|[ -~]{1,40}", version in ".{0,8}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let version = Some(version.as_str()).filter(|version| !version.is_empty());
        runtime.expect("a runtime").block_on(agrees_with_sdk(&key, version));
    }
}

async fn get(raw: &Raw, data_plane: DataPlane, range: Option<(u64, u64)>) -> String {
    let bucket = bucket_of(&connect(&raw.url, Tuning { data_plane, ..quick() }).await);
    let etag = ETag::new("0123456789abcdef0123456789abcdef");
    match bucket.get("a b", None, &etag, range).await {
        Ok(mut got) => {
            let mut bytes = Vec::new();
            while let Ok(Some(chunk)) = got.body.chunk().await {
                bytes.extend_from_slice(&chunk);
            }
            format!("{:?} {bytes:?}", got.head)
        }
        Err(error) => format!("{:?}: {error}", error.kind()).replace(&raw.url, "URL"),
    }
}

const PLAIN: &str = "\r\nETag: \"0123456789abcdef0123456789abcdef\"\
    \r\nLast-Modified: Sat, 01 Jun 2024 10:30:00 GMT";

/// Whether an answer is plain or odd, both ways make the same of it.
#[tokio::test]
async fn both_ways_read_every_head_alike() {
    let all = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Encoding: gzip\
        \r\nContent-Language: de\r\nContent-Disposition: attachment; filename=\"a.txt\"\
        \r\nCache-Control: no-store\r\nExpires: Sat, 01 Jun 2030 10:30:00 GMT\
        \r\nx-amz-website-redirect-location: /b\r\nx-amz-meta-Camera: Bolex\
        \r\nx-amz-meta-empty: \r\nx-amz-tagging-count: 2\r\nx-amz-checksum-crc64nvme: AAAAAAAAAAA=\
        \r\nx-amz-checksum-type: FULL_OBJECT\r\nx-amz-server-side-encryption: aws:kms\
        \r\nx-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:k\
        \r\nx-amz-server-side-encryption-customer-algorithm: AES256\
        \r\nx-amz-object-lock-mode: COMPLIANCE\
        \r\nx-amz-object-lock-retain-until-date: 2030-01-01T00:00:00.000Z\
        \r\nx-amz-object-lock-legal-hold: ON\r\nx-amz-replication-status: COMPLETED\
        \r\nx-amz-storage-class: GLACIER\r\nx-amz-version-id: v1\r\nx-amz-mp-parts-count: 3\
        \r\nx-amz-restore: ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2029 00:00:00 GMT\"";
    let heads = [
        PLAIN.to_owned(),
        format!("{PLAIN}{all}"),
        format!("{PLAIN}\r\nx-amz-checksum-sha256: AAAA-2"),
        format!("{PLAIN}\r\nx-amz-checksum-type: LATER\r\nx-amz-checksum-crc32: AAAAAA=="),
        format!("{PLAIN}\r\nx-amz-object-lock-legal-hold: OFF\r\nx-amz-meta-a: =?UTF-8?B?w6Q=?="),
        format!("{PLAIN}\r\nx-amz-meta-a: ä"),
        format!("{PLAIN}\r\nx-amz-tagging-count: many"),
        format!("{PLAIN}\r\nx-amz-restore: soon"),
        PLAIN.replace("2024", "then"),
        PLAIN.replace("0123", "3210"),
        String::new(),
    ];
    for head in heads {
        for (status, body) in [("200 OK", "hello"), ("206 Partial Content", "hello")] {
            for range in [None, Some((2, 7))] {
                let head = match range {
                    Some(_) => format!("{head}\r\nContent-Range: bytes 2-6/9"),
                    None => head.clone(),
                };
                let raw = Raw::always(answer(status, &head, body)).await;
                let [sdk, thin] = [DataPlane::Sdk, DataPlane::Thin];
                assert_eq!(get(&raw, sdk, range).await, get(&raw, thin, range).await, "{head}");
            }
        }
    }
}

#[tokio::test]
async fn a_plain_answer_takes_one_request_and_any_other_goes_to_the_sdk() {
    let raw = Raw::always(answer("200 OK", PLAIN, "hello")).await;
    assert!(get(&raw, DataPlane::Thin, None).await.contains("[104, 101"));
    assert_eq!(raw.asked().len(), 1);
    assert!(raw.asked()[0].contains("s3plan/"), "{:?}", raw.asked());

    let refused = answer("403 Forbidden", "", "<Error><Code>AccessDenied</Code></Error>");
    for odd in [refused, Canned::Bytes(b"HTTP/1.1 200".to_vec()), Canned::Bytes(Vec::new())] {
        let raw = Raw::always(odd).await;
        let told = get(&raw, DataPlane::Thin, None).await;
        assert_eq!(told, get(&raw, DataPlane::Sdk, None).await);
    }
}

#[test]
fn an_address_out_of_the_ordinary_is_left_to_the_sdk() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260101%2Feu-west-1%2F\
        s3%2Faws4_request&X-Amz-SignedHeaders=host";
    let read = |base: &str, query: &str| Address::read(&format!("{base}?{query}"));
    let usual = Address {
        base: "https://photos.s3.eu-west-1.amazonaws.com/".into(),
        host: "photos.s3.eu-west-1.amazonaws.com".into(),
        region: "eu-west-1".into(),
    };
    assert_eq!(read("https://photos.s3.eu-west-1.amazonaws.com/k", query), Some(usual));
    let base = "https://photos.s3.eu-west-1.amazonaws.com/k";
    for odd in [
        query.replace("HMAC", "ECDSA-P256"),
        query.replace("%2Fs3%2F", "%2Fs3express%2F"),
        query.replace("=host", "=host%3Bx-amz-key"),
        format!("{query}&X-Amz-S3session-Token=t"),
        String::new(),
    ] {
        assert_eq!(read(base, &odd), None, "{odd}");
    }
    assert_eq!(read("https://photos.s3.eu-west-1.amazonaws.com/other", query), None);
}
