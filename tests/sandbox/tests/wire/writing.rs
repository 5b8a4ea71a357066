//! Uploads: checksums, conditions, multipart.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3plan_sandbox::{Algorithm, BucketSpec, Sandbox, World};
use sha2::{Digest as _, Sha256};

use crate::client::Client;

#[test]
fn a_checksum_that_was_sent_is_verified_and_kept() {
    let sandbox = Sandbox::start(World::default().with(BucketSpec::new("photos")));
    let alice = Client::alice(&sandbox);
    let right = BASE64.encode(Sha256::digest("hello"));
    let put =
        |sum: &str| alice.put("photos/a", "hello").header("x-amz-checksum-sha256", sum).send();
    assert_eq!(put(&BASE64.encode([0; 32])).refusal(), (400, "BadDigest".into()));
    assert_eq!(put(&right).status, 200);
    let head = alice.head("photos/a").header("x-amz-checksum-mode", "ENABLED").send();
    assert_eq!(head.header("x-amz-checksum-sha256"), Some(right.as_str()));
    let md5 = alice.put("photos/a", "hello").header("content-md5", &BASE64.encode([1; 16])).send();
    assert_eq!(md5.refusal(), (400, "BadDigest".into()));
}

#[test]
fn a_default_checksum_is_added_only_when_the_world_says_so() {
    for (default, shown) in [(None, false), (Some(Algorithm::Crc64nvme), true)] {
        let world = World { default_checksum: default, ..World::default() };
        let sandbox = Sandbox::start(world.with(BucketSpec::new("photos").text("old", "x")));
        let alice = Client::alice(&sandbox);
        alice.put("photos/new", "y").send();
        for key in ["photos/old", "photos/new"] {
            let head = alice.head(key).header("x-amz-checksum-mode", "ENABLED").send();
            assert_eq!(head.header("x-amz-checksum-crc64nvme").is_some(), shown);
        }
    }
}

#[test]
fn a_write_obeys_its_conditions() {
    let sandbox = Sandbox::start(World::default().with(BucketSpec::new("photos").text("a", "x")));
    let alice = Client::alice(&sandbox);
    let put =
        |name: &str, value: &str| alice.put("photos/a", "y").header(name, value).send().status;
    assert_eq!(put("if-none-match", "*"), 412);
    assert_eq!(put("if-match", "\"00\""), 412);
    assert_eq!(sandbox.content("photos", "a", None).unwrap(), b"x");
}

#[test]
fn versioning_decides_what_a_write_leaves_behind() {
    let sandbox = Sandbox::start(World::default().with(BucketSpec::new("photos").text("a", "0")));
    let alice = Client::alice(&sandbox);
    let set = |state: &str| {
        let body =
            format!("<VersioningConfiguration><Status>{state}</Status></VersioningConfiguration>");
        assert_eq!(alice.put("photos", body).query("versioning", "").send().status, 200);
    };
    let history = || {
        let snapshot = sandbox.snapshot();
        snapshot["photos"]
            .versions
            .iter()
            .map(|v| (v.version_id == "null", v.delete_marker))
            .collect::<Vec<_>>()
    };
    set("Enabled");
    alice.put("photos/a", "1").send();
    assert_eq!(history(), [(false, false), (true, false)]);
    set("Suspended");
    alice.put("photos/a", "2").send();
    assert_eq!(history(), [(true, false), (false, false)], "the null version is replaced");
    alice.delete("photos/a").send();
    assert_eq!(history(), [(true, true), (false, false)], "the null version is destroyed");
    let deletions = sandbox.witness().deletions();
    assert_eq!(deletions.len(), 1);
    assert_eq!(sandbox.witness().deleted_unserved().len(), 1);
    set("Enabled");
    alice.delete("photos/a").send();
    assert_eq!(history(), [(false, true), (true, true), (false, false)]);
    assert_eq!(sandbox.snapshot()["photos"].keys(), [""; 0]);
    assert_eq!(sandbox.witness().deletions().len(), 1, "a new marker deletes nothing");
}

#[test]
fn a_multipart_upload_keeps_its_parts() {
    let sandbox = Sandbox::start(World::default().with(BucketSpec::new("photos")));
    let alice = Client::alice(&sandbox);
    let begun = alice
        .post("photos/big", "")
        .query("uploads", "")
        .header("x-amz-checksum-algorithm", "CRC32")
        .header("x-amz-storage-class", "GLACIER")
        .send();
    let id = begun.first("UploadId");
    let big = vec![7_u8; 5 << 20];
    let part = |number: &str, body: &[u8]| {
        alice
            .put("photos/big", body)
            .query("partNumber", number)
            .query("uploadId", &id)
            .send()
            .header("etag")
            .unwrap()
            .to_owned()
    };
    let (one, two, small) = (part("1", &big), part("2", b"end"), part("3", b"more"));
    let complete = |parts: &[(u8, &str)]| {
        let parts: String = parts
            .iter()
            .map(|(n, etag)| {
                format!("<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>")
            })
            .collect();
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        alice.post("photos/big", body).query("uploadId", &id).send()
    };
    assert_eq!(complete(&[(1, &one), (2, &two), (3, &small)]).refusal().1, "EntityTooSmall");
    assert_eq!(complete(&[(2, &two), (1, &one)]).refusal().0, 400);
    assert_eq!(complete(&[(1, &two)]).refusal().1, "InvalidPart");
    let done = complete(&[(1, &one), (2, &two)]);
    assert_eq!(done.status, 200);
    assert!(done.first("ETag").contains("-2"));
    assert!(done.first("ChecksumCRC32").ends_with("-2"));
    let head = alice.head("photos/big").send();
    assert_eq!(head.header("x-amz-storage-class"), Some("GLACIER"));
    assert_eq!(head.header("content-length"), Some("5242883"));
    assert_eq!(complete(&[(1, &one)]).refusal().1, "NoSuchUpload");
}
