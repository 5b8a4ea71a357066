//! Fills buckets over the real SDK, and later compares an archive with what was put in.
//!
//! Contents follow from bucket, key and size, so nothing has to be kept to compare with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, StalledStreamProtectionConfig};
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CompletedMultipartUpload, CompletedPart, CreateBucketConfiguration,
    StorageClass,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::account::{Account, HOME_REGION};

pub const MIB: usize = 1024 * 1024;

/// The smallest part that S3 takes, but for the last one.
pub const PART: usize = 5 * MIB;

/// How many uploads are under way at once.
const LANES: usize = 16;

/// A bucket to be made and filled.
pub struct Bucket {
    pub name: String,
    pub region: &'static str,
    objects: BTreeMap<String, Upload>,
}

/// How one object is uploaded.
struct Upload {
    size: usize,
    class: StorageClass,
    parts: Parts,
}

enum Parts {
    /// One PUT; its ETag is an MD5.
    Single,
    /// Parts of 5 MiB and a last one.
    Multi,
}

impl Bucket {
    pub fn new(name: &str, region: &'static str) -> Self {
        Self { name: name.to_owned(), region, objects: BTreeMap::new() }
    }

    /// An object uploaded with one PUT.
    pub fn single(self, key: &str, size: usize, class: StorageClass) -> Self {
        self.object(key, Upload { size, class, parts: Parts::Single })
    }

    /// An object uploaded in parts of 5 MiB.
    pub fn multipart(self, key: &str, size: usize, class: StorageClass) -> Self {
        self.object(key, Upload { size, class, parts: Parts::Multi })
    }

    /// `count` small objects, of different sizes, the first of them empty.
    pub fn many(self, prefix: &str, count: usize) -> Self {
        (0..count).fold(self, |bucket, n| {
            bucket.single(&format!("{prefix}{n:05}"), n % 97, StorageClass::Standard)
        })
    }

    fn object(mut self, key: &str, upload: Upload) -> Self {
        self.objects.insert(key.to_owned(), upload);
        self
    }

    /// The bytes of one of its objects.
    pub fn content(&self, key: &str) -> Vec<u8> {
        content(&self.name, key, self.objects[key].size)
    }

    pub fn keys(&self) -> BTreeSet<String> {
        self.objects.keys().cloned().collect()
    }

    /// Makes the bucket on a server, and everything in it.
    pub async fn fill(&self, account: &Account) {
        let s3 = account.s3(self.region);
        let mut create = s3.create_bucket().bucket(&self.name);
        if self.region != HOME_REGION {
            let region = BucketLocationConstraint::from(self.region);
            let region = CreateBucketConfiguration::builder().location_constraint(region).build();
            create = create.create_bucket_configuration(region);
        }
        create.send().await.unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)));

        // Every other object is uploaded as older tools did: with no checksum but the ETag.
        let plain = s3.config().to_builder();
        let plain = plain.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let plain = plain.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let plain = Client::from_conf(plain.build());

        stream::iter(self.objects.iter().enumerate())
            .map(|(n, (key, upload))| {
                let s3 = if n % 2 == 0 { &s3 } else { &plain };
                async move {
                    let put = self.put(s3, key, upload).await;
                    put.map_err(|error| format!("{}/{key}: {error}", self.name))
                }
            })
            .buffer_unordered(LANES)
            .try_collect::<()>()
            .await
            .unwrap_or_else(|error| panic!("seeding {}: {error}", account.server));
    }

    async fn put(&self, s3: &Client, key: &str, upload: &Upload) -> Result<(), String> {
        let shown = |error| format!("{}", DisplayErrorContext(error));
        let body = content(&self.name, key, upload.size);
        let class = upload.class.clone();
        let Parts::Multi = upload.parts else {
            let put = s3.put_object().bucket(&self.name).key(key).storage_class(class);
            let put = put.body(body.into()).send().await;
            return put.map(drop).map_err(|error| shown(aws_sdk_s3::Error::from(error)));
        };
        let create = s3.create_multipart_upload().bucket(&self.name).key(key).storage_class(class);
        let create = create.send().await.map_err(|error| shown(error.into()))?;
        let id = create.upload_id().unwrap_or_default();
        let mut done = CompletedMultipartUpload::builder();
        for (number, part) in (1..).zip(body.chunks(PART)) {
            let sent = s3.upload_part().bucket(&self.name).key(key).upload_id(id);
            let sent = sent.part_number(number).body(part.to_vec().into()).send().await;
            let sent = sent.map_err(|error| shown(error.into()))?;
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag().map(str::to_owned))
                .set_checksum_crc32(sent.checksum_crc32().map(str::to_owned));
            done = done.parts(part.build());
        }
        let complete = s3.complete_multipart_upload().bucket(&self.name).key(key).upload_id(id);
        let complete = complete.multipart_upload(done.build()).send().await;
        complete.map(drop).map_err(|error| shown(error.into()))
    }

    /// Compares an archive with what was uploaded: every object is there, byte for byte, under
    /// the path that the bag's own record gives for its key, and nothing else is.
    pub fn assert_archived(&self, archive: &Path) {
        let record = read_record(archive);
        let recorded: BTreeSet<String> = record.keys().cloned().collect();
        assert_eq!(recorded, self.keys(), "the keys in objects.jsonl of {}", self.name);
        for (key, entry) in &record {
            let content = self.content(key);
            let found = fs::read(archive.join(&entry.path));
            let found = found.unwrap_or_else(|error| panic!("{key:?} at {}: {error}", entry.path));
            assert!(found == content, "{key:?} at {} is not what was uploaded", entry.path);
            assert_eq!(entry.sha256, hex::encode(Sha256::digest(&content)), "{key:?}");
        }
        let paths: BTreeSet<PathBuf> = record.values().map(|row| archive.join(&row.path)).collect();
        assert_eq!(paths.len(), record.len(), "two keys share a file");
        assert_eq!(files_below(&archive.join("data")), paths, "the files below data/");
    }
}

/// What the bag says of one object.
struct Entry {
    path: String,
    sha256: String,
}

fn read_record(archive: &Path) -> BTreeMap<String, Entry> {
    let path = archive.join("metadata/objects.jsonl");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let entry = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let word = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("{name} in {line}"));
        let entry = Entry { path: word("path").to_owned(), sha256: word("sha256").to_owned() };
        (word("key").to_owned(), entry)
    };
    text.lines().map(entry).collect()
}

fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
            let entry = entry.expect("an entry of a folder");
            if entry.file_type().expect("its type").is_dir() {
                folders.push(entry.path());
            } else {
                files.insert(entry.path());
            }
        }
    }
    files
}

/// The bytes of an object, the same ones every time.
fn content(bucket: &str, key: &str, size: usize) -> Vec<u8> {
    let seed = Sha256::digest(format!("{bucket}\0{key}"));
    let mut word = seed.iter().fold(1_u64, |seed, byte| seed.rotate_left(8) ^ u64::from(*byte));
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64: any noise will do that does not repeat and does not compress.
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
