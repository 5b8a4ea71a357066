//! The proof ladder on third parties' servers: objects as a real SDK uploads them, and the proof that
//! each gets by what that server says of it.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use serde_json::Value;

use crate::support::account::{Account, HOME_REGION};
use crate::support::bed::TestBed;
use crate::support::seed::PART;
use crate::support::servers::{Seaweed, ministack_account, moto_account};

const BUCKET: &str = "proof-ladder";

/// How an object is uploaded.
enum Upload {
    /// One PUT, with a checksum of this algorithm or with none.
    Single(Option<ChecksumAlgorithm>),
    /// In parts of these sizes, with a checksum or with none.
    Parts(&'static [usize], Option<(ChecksumAlgorithm, ChecksumType)>),
}

const EVEN: &[usize] = &[PART, PART, 1_000];
const UNEVEN: &[usize] = &[PART + 7, PART, 1_000];

fn uploads() -> Vec<(&'static str, Upload)> {
    use ChecksumAlgorithm::{Crc32, Crc32C, Crc64Nvme, Sha1, Sha256};
    use ChecksumType::{Composite, FullObject};
    use Upload::{Parts, Single};
    vec![
        ("single-crc32", Single(Some(Crc32))),
        ("single-crc32c", Single(Some(Crc32C))),
        ("single-crc64nvme", Single(Some(Crc64Nvme))),
        ("single-plain", Single(None)),
        ("single-sha1", Single(Some(Sha1))),
        ("single-sha256", Single(Some(Sha256))),
        ("parts-composite", Parts(UNEVEN, Some((Sha256, Composite)))),
        ("parts-full", Parts(EVEN, Some((Crc32, FullObject)))),
        ("parts-plain", Parts(EVEN, None)),
        ("parts-plain-uneven", Parts(UNEVEN, None)),
    ]
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n * 7 % 251) as u8).collect()
}

async fn put(s3: &Client, key: &str, upload: &Upload) -> Result<(), String> {
    let (sizes, sum) = match upload {
        Upload::Single(sum) => {
            let put = s3.put_object().bucket(BUCKET).key(key).body(content(1_000).into());
            let put = put.set_checksum_algorithm(sum.clone()).send().await;
            return put.map(drop).map_err(|error| format!("{}", DisplayErrorContext(error)));
        }
        Upload::Parts(sizes, sum) => (*sizes, sum.clone()),
    };
    let (algorithm, kind) = sum.unzip();
    let create = s3.create_multipart_upload().bucket(BUCKET).key(key);
    let create = create.set_checksum_algorithm(algorithm.clone()).set_checksum_type(kind.clone());
    let create = create.send().await.map_err(|error| format!("{}", DisplayErrorContext(error)))?;
    let id = create.upload_id().unwrap_or_default();
    let bytes = content(sizes.iter().sum());
    let (mut done, mut rest) = (CompletedMultipartUpload::builder(), bytes.as_slice());
    for (number, size) in (1..).zip(sizes) {
        let (part, behind) = rest.split_at(*size);
        rest = behind;
        let sent = s3.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number);
        let sent = sent.set_checksum_algorithm(algorithm.clone()).body(part.to_vec().into());
        let sent = sent.send().await.map_err(|error| format!("{}", DisplayErrorContext(error)))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag().map(str::to_owned))
            .set_checksum_crc32(sent.checksum_crc32().map(str::to_owned))
            .set_checksum_sha256(sent.checksum_sha256().map(str::to_owned));
        done = done.parts(part.build());
    }
    let complete = s3.complete_multipart_upload().bucket(BUCKET).key(key).upload_id(id);
    let complete = complete.set_checksum_type(kind).multipart_upload(done.build()).send().await;
    complete.map(drop).map_err(|error| format!("{}", DisplayErrorContext(error)))
}

/// Fills a bucket on a server and archives it up to the gate.
async fn archived(account: &Account, bed: &TestBed) {
    let s3 = account.s3(HOME_REGION);
    s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
    // As older tools upload: without a checksum that nobody asked for.
    let config = s3.config().to_builder();
    let config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    let s3 = Client::from_conf(config.build());
    for (key, upload) in uploads() {
        let put = put(&s3, key, &upload).await;
        put.unwrap_or_else(|error| panic!("{}: {key}: {error}", account.server));
    }
    bed.write_manifest(&format!(
        "[account]\nid = \"{}\"\n[bucket.{BUCKET}]\n\
         archive = {{ to = \"archive\", then = \"delete-objects\", \
         unconditional_deletes = \"compare-first\" }}\n",
        account.id
    ));
}

/// Holds each object's proof against what its server keeps for it: in the record, and counted in the
/// evidence.
#[track_caller]
fn assert_proofs(server: &str, bed: &TestBed, expected: &[(&str, &str)]) {
    let rows = bed.read("archive/metadata/objects.jsonl");
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut proofs = BTreeMap::new();
    for row in rows {
        let (key, proof) = (row["key"].as_str().expect("a key"), &row["proof"]);
        assert!(!proof["expected"].as_str().unwrap_or_default().is_empty(), "{server}: {row}");
        assert_eq!(proof["expected"], proof["actual"], "{server}: {row}");
        proofs.insert(key.to_owned(), proof["kind"].as_str().expect("a kind").to_owned());
    }
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(key, proof)| ((*key).to_owned(), (*proof).to_owned())).collect();
    assert_eq!(proofs, expected, "{server}");

    let mut counts = BTreeMap::new();
    for proof in expected.into_values() {
        *counts.entry(proof).or_insert(0) += 1;
    }
    let status = bed.s3plan(["status", "--json"]).exits(0).json();
    assert_eq!(status["buckets"][0]["proofs"], serde_json::json!(counts), "{server}");
}

/// The proofs that every one of these servers has right.
const EVERYWHERE: [(&str, &str); 7] = [
    ("parts-composite", "composite SHA256"),
    ("parts-plain", "multipart-etag"),
    ("parts-plain-uneven", "multipart-etag"),
    ("single-crc32", "full CRC32"),
    ("single-plain", "md5-etag"),
    ("single-sha1", "full SHA1"),
    ("single-sha256", "full SHA256"),
];

fn with_these(others: [(&'static str, &'static str); 3]) -> Vec<(&'static str, &'static str)> {
    EVERYWHERE.into_iter().chain(others).collect()
}

/// SeaweedFS keeps every kind of checksum as AWS does, also of the whole of an upload in parts.
#[tokio::test(flavor = "multi_thread")]
async fn on_seaweed_every_upload_gets_the_strongest_proof() {
    // It has no STS: who is who, moto tells.
    let moto = moto_account();
    let weed = Seaweed::start(&[("weed", &moto.access_key, &moto.secret_key)]);
    let account = Account { server: "seaweed", endpoint: weed.endpoint(), ..moto.clone() };
    let bed = TestBed::on(&account)
        .env("AWS_ENDPOINT_URL_STS", &moto.endpoint)
        .env("AWS_ENDPOINT_URL_IAM", &moto.endpoint);
    archived(&account, &bed).await;
    // Its listings tell of no checksums.
    let plan = bed.s3plan(["plan", "manifest.toml"]).exits(0);
    plan.says("proof expected: MD5 6, MD5 of parts 4");
    let gate = bed.s3plan(["apply", "--yes"]).exits(3);
    gate.blames("proven by composite SHA256 (1), full CRC32 (2), full CRC32C (1)");
    let expected = with_these([
        ("parts-full", "full CRC32"),
        ("single-crc32c", "full CRC32C"),
        ("single-crc64nvme", "full CRC64NVME"),
    ]);
    assert_proofs("seaweed", &bed, &expected);
}

/// moto's listings tell of checksums. What it calls a CRC32C or CRC64NVME is a CRC32, of no stated
/// type: the ETag proves instead.
#[tokio::test]
async fn on_moto_a_wrong_checksum_of_no_stated_type_gives_way_to_the_etag() {
    let account = moto_account();
    let bed = TestBed::on(&account);
    archived(&account, &bed).await;
    let plan = bed.s3plan(["plan", "manifest.toml"]).exits(0);
    plan.says("proof expected: checksum 7, MD5 1, MD5 of parts 2");
    bed.s3plan(["apply", "--yes"]).exits(3);
    let expected = with_these([
        ("parts-full", "full CRC32"),
        ("single-crc32c", "md5-etag"),
        ("single-crc64nvme", "md5-etag"),
    ]);
    assert_proofs("moto", &bed, &expected);
}

/// MiniStack keeps a checksum of the parts' checksums where one of the whole was asked for, and says
/// so.
#[tokio::test]
async fn on_ministack_what_the_server_says_decides_and_not_what_was_asked_for() {
    let account = ministack_account();
    let bed = TestBed::on(&account);
    archived(&account, &bed).await;
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    bed.s3plan(["apply", "--yes"]).exits(3);
    let expected = with_these([
        ("parts-full", "composite CRC32"),
        ("single-crc32c", "full CRC32C"),
        ("single-crc64nvme", "full CRC64NVME"),
    ]);
    assert_proofs("ministack", &bed, &expected);
}
