//! HEAD and GET: ranges, parts, checksums, conditions, headers, versions.

use s3plan_sandbox::{Algorithm, BucketSpec, ChecksumKind, ObjectSpec, Sandbox, Versioning, World};
use sha2::{Digest as _, Sha256};

use crate::client::Client;

#[test]
fn a_range_is_a_range_of_the_whole() {
    let bucket = BucketSpec::new("photos").object(ObjectSpec::sized("big", "1MiB"));
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let whole = alice.get("photos/big").send();
    assert_eq!(whole.header("content-length"), Some("1048576"));
    assert_eq!(
        hex::encode(Sha256::digest(&whole.body)),
        sandbox.sha256("photos", "big", None).unwrap()
    );
    for (range, start, end) in [
        ("bytes=5-9", 5, 10),
        ("bytes=-3", 1_048_573, 1_048_576),
        ("bytes=1048570-", 1_048_570, 1_048_576),
        ("bytes=1048575-9999999", 1_048_575, 1_048_576),
    ] {
        let part = alice.get("photos/big").header("range", range).send();
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.body, whole.body[start..end], "{range}");
        let shown = format!("bytes {start}-{}/1048576", end - 1);
        assert_eq!(part.header("content-range"), Some(shown.as_str()));
    }
    let beyond = alice.get("photos/big").header("range", "bytes=1048576-").send();
    assert_eq!(beyond.refusal(), (416, "InvalidRange".into()));
}

#[test]
fn parts_can_be_told_apart_and_hold_their_own_checksum() {
    let bucket = BucketSpec::new("photos").object(
        ObjectSpec::sized("big", "12MiB")
            .parts("5MiB")
            .checksum(Algorithm::Crc32c, ChecksumKind::Composite),
    );
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let head = alice.head("photos/big").header("x-amz-checksum-mode", "ENABLED").send();
    assert!(head.header("etag").unwrap().ends_with("-3\""));
    assert!(head.header("x-amz-checksum-crc32c").unwrap().ends_with("-3"));
    assert_eq!(head.header("x-amz-checksum-type"), Some("COMPOSITE"));
    assert_eq!(head.header("x-amz-mp-parts-count"), None);
    assert_eq!(alice.head("photos/big").send().header("x-amz-checksum-crc32c"), None);
    let last = alice
        .head("photos/big")
        .query("partNumber", "3")
        .header("x-amz-checksum-mode", "ENABLED")
        .send();
    assert_eq!(last.header("content-length"), Some("2097152"));
    assert_eq!(last.header("x-amz-mp-parts-count"), Some("3"));
    let asked = "ObjectParts,Checksum,ETag,ObjectSize";
    let attributes = alice
        .get("photos/big")
        .query("attributes", "")
        .header("x-amz-object-attributes", asked)
        .send();
    assert_eq!(attributes.all("PartNumber"), ["1", "2", "3"]);
    assert_eq!(
        attributes.all("ChecksumCRC32C").last().map(String::as_str),
        last.header("x-amz-checksum-crc32c")
    );
    assert_eq!(attributes.first("PartsCount"), "3");
    assert_eq!(alice.get("photos/big").query("partNumber", "4").send().refusal().0, 416);
}

#[test]
fn the_list_of_parts_is_hidden_without_an_additional_checksum() {
    let bucket = BucketSpec::new("photos").object(ObjectSpec::sized("big", "6MiB").parts("5MiB"));
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let attributes = alice
        .get("photos/big")
        .query("attributes", "")
        .header("x-amz-object-attributes", "ObjectParts,Checksum,StorageClass")
        .send();
    assert!(attributes.all("Part").is_empty() && attributes.all("Checksum").is_empty());
    assert_eq!(attributes.first("PartsCount"), "2");
    assert!(attributes.all("StorageClass").is_empty());
}

#[test]
fn an_etag_is_an_md5_only_without_kms() {
    let bucket = BucketSpec::new("photos")
        .text("plain", "hello")
        .object(ObjectSpec::text("kms", "hello").sse("aws:kms"))
        .object(ObjectSpec::text("own", "hello").sse("customer"));
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let etag = |key: &str| alice.head(key).send().header("etag").unwrap_or_default().to_owned();
    assert_eq!(etag("photos/plain"), "\"5d41402abc4b2a76b9719d911017c592\"");
    let kms = etag("photos/kms");
    assert!(kms.len() == 34 && kms != etag("photos/plain"));
    assert_eq!(alice.head("photos/own").send().status, 400, "SSE-C needs the customer's key");
}

#[test]
fn everything_about_an_object_comes_back() {
    let bucket = BucketSpec::new("photos").object(
        ObjectSpec::text("a", "x")
            .header("content-type", "text/plain")
            .header("content-encoding", "gzip")
            .metadata("who", "Zoë")
            .tag("team", "x")
            .class("STANDARD_IA")
            .annotation("note", "old"),
    );
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let head = alice.head("photos/a").send();
    assert_eq!(head.header("content-type"), Some("text/plain"));
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert_eq!(head.header("x-amz-meta-who"), Some("=?UTF-8?B?Wm/Dqw==?="));
    assert_eq!(head.header("x-amz-tagging-count"), Some("1"));
    assert_eq!(head.header("x-amz-storage-class"), Some("STANDARD_IA"));
    assert_eq!(head.header("last-modified"), Some("Mon, 01 Jan 2024 00:00:00 GMT"));
    assert_eq!(head.header("x-amz-version-id"), None);
    assert_eq!(alice.get("photos/a").query("tagging", "").send().first("Value"), "x");
    assert_eq!(
        alice.get("photos/a").query("annotation", "").send().first("AnnotationName"),
        "note"
    );
}

#[test]
fn a_condition_that_does_not_hold_is_refused() {
    let sandbox =
        Sandbox::start(World::default().with(BucketSpec::new("photos").text("a", "hello")));
    let alice = Client::alice(&sandbox);
    let with = |name: &str, value: &str| alice.get("photos/a").header(name, value).send().status;
    assert_eq!(with("if-match", "\"5d41402abc4b2a76b9719d911017c592\""), 200);
    assert_eq!(with("if-match", "\"00000000000000000000000000000000\""), 412);
    assert_eq!(with("if-none-match", "\"5d41402abc4b2a76b9719d911017c592\""), 304);
}

#[test]
fn a_delete_marker_is_404_by_key_and_405_by_version() {
    let bucket = BucketSpec::new("photos")
        .versioning(Versioning::Enabled)
        .text("k", "one")
        .object(ObjectSpec::marker("k").version_id("m1"));
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let by_key = alice.get("photos/k").send();
    assert_eq!(by_key.refusal(), (404, "NoSuchKey".into()));
    assert_eq!(by_key.header("x-amz-delete-marker"), Some("true"));
    let by_version = alice.get("photos/k").query("versionId", "m1").send();
    assert_eq!(by_version.refusal(), (405, "MethodNotAllowed".into()));
    assert_eq!(
        alice.get("photos/k").query("versionId", "none").send().refusal().1,
        "NoSuchVersion"
    );
}

#[test]
fn the_witness_knows_what_was_served_whole() {
    let bucket = BucketSpec::new("photos").text("a", "hello").text("b", "world").text("empty", "");
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    alice.get("photos/a").header("range", "bytes=0-1").send();
    alice.head("photos/b").send();
    assert!(sandbox.witness().served_whole().is_empty());
    alice.get("photos/a").header("range", "bytes=2-4").send();
    alice.get("photos/empty").send();
    let keys: Vec<_> = sandbox.witness().served_whole().into_iter().map(|pin| pin.key).collect();
    assert_eq!(keys, ["a", "empty"]);
}
