//! One contract of what the program leans on, for every server alike: the sandbox must not be
//! kinder than third parties' servers, and a gap of theirs is known by name.
//!
//! Runs over the real SDK. A gap that is no longer one fails too: strike it from the table.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload,
    CompletedPart, Delete, EncodingType, ObjectIdentifier, OptionalObjectAttributes,
    RestoreRequest, StorageClass, VersioningConfiguration,
};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use md5::{Digest, Md5};
use s3plan_sandbox::{Sandbox, World};

use crate::support::account::{Account, HOME_REGION};
use crate::support::scene::account_of;
use crate::support::seed::{Bucket, MIB, PART};
use crate::support::servers::{ministack_account, moto_account};

type Verdict = Result<(), Box<dyn Error + Send + Sync>>;

/// One promise of S3.
struct Clause {
    promise: &'static str,
    check: for<'a> fn(&'a Ground) -> LocalBoxFuture<'a, Verdict>,
    /// The servers that do it otherwise.
    gaps: &'static [&'static str],
}

/// A new bucket to try a clause in.
struct Ground {
    account: Account,
    s3: Client,
    bucket: String,
}

/// Makes a clause of a promise, an async function, and the servers that do it otherwise.
macro_rules! clause {
    ($promise:literal, $check:ident $(, but_for $($gap:literal),+)?) => {
        Clause {
            promise: $promise,
            check: |ground| $check(ground).boxed_local(),
            gaps: &[$($($gap),+)?],
        }
    };
}

const CONTRACT: &[Clause] = &[
    clause!("the caller's account is told", caller_is_told),
    clause!("a bucket's region is told", region_is_told),
    clause!("a missing key is a 404, a missing bucket NoSuchBucket", missing_is_404),
    clause!("another owner than expected is a 403", expected_owner, but_for "moto", "ministack"),
    clause!("a listing is in byte order of keys", listing_order),
    clause!("pages leave nothing out and show nothing twice", listing_pages),
    clause!("url encoding brings every key through a listing", listing_url_encoding),
    clause!("a listing can show restores", listing_restores, but_for "moto", "ministack"),
    clause!("awkward keys are what they are", awkward_keys),
    clause!("a key may hold a line end", key_with_line_end, but_for "moto"),
    clause!("a versioned bucket lists every version and marker", versions),
    clause!("a range is a 206 of just these bytes", get_range),
    clause!("GET under another ETag is a 412", get_if_match),
    clause!("PUT under If-None-Match leaves what is there", put_if_none_match),
    clause!("an asked-for checksum is kept and shown", checksum_is_kept),
    clause!("a multipart ETag is the MD5 of the parts' MD5s", multipart_etag),
    clause!("HEAD of a part tells its size and how many there are", head_part, but_for "ministack"),
    clause!("GET of a part is just that part", get_part, but_for "moto"),
    clause!("unfinished uploads are listed until aborted", unfinished_uploads),
    clause!("an archived object is a 403 until restored", archived_is_403),
    clause!("a restore ends in a copy with an expiry date", restore_life),
    clause!("asking twice for a restore is a 409", restore_twice, but_for "moto"),
    clause!("there is no restore of what is not archived", restore_of_standard),
    clause!("DELETE under another ETag is a 412 and deletes nothing", delete_if_match),
    clause!("a batch honours each key's ETag", batch_if_match, but_for "moto"),
    clause!("a batch answers for every key, also one that is not there", batch_answers),
    clause!("a bucket with something in it stays", full_bucket_stays),
    clause!("no policy is NoSuchBucketPolicy", no_policy),
];

#[tokio::test]
async fn moto_keeps_the_contract_but_for_its_gaps() {
    hold_to_the_contract(&moto_account()).await;
}

#[tokio::test]
async fn ministack_keeps_the_contract_but_for_its_gaps() {
    hold_to_the_contract(&ministack_account()).await;
}

#[tokio::test]
async fn the_sandbox_keeps_the_contract_without_a_gap() {
    // Five hours of thaw in two seconds.
    let world = World { speed: 9_000.0, ..World::default() };
    let id = world.account.clone();
    let sandbox = Sandbox::start(world);
    hold_to_the_contract(&account_of(&sandbox, &id)).await;
}

async fn hold_to_the_contract(account: &Account) {
    let mut wrong = Vec::new();
    for (number, clause) in CONTRACT.iter().enumerate() {
        let bucket = format!("contract-{number:02}");
        let ground = Ground { account: account.clone(), s3: account.s3(HOME_REGION), bucket };
        let made = ground.s3.create_bucket().bucket(&ground.bucket).send().await;
        made.unwrap_or_else(|error| panic!("{}: no bucket: {error:?}", account.server));
        let verdict = (clause.check)(&ground).await;
        match (verdict, clause.gaps.contains(&account.server)) {
            (Ok(()), false) | (Err(_), true) => {}
            (Err(why), false) => wrong.push(format!("{}: {why:?}", clause.promise)),
            (Ok(()), true) => wrong.push(format!("{}: no longer a gap", clause.promise)),
        }
    }
    assert!(wrong.is_empty(), "{} breaks the contract: {wrong:#?}", account.server);
}

async fn caller_is_told(on: &Ground) -> Verdict {
    let caller = on.account.sts().get_caller_identity().send().await?;
    same(caller.account(), Some(on.account.id.as_str()))?;
    let arn = caller.arn().unwrap_or_default();
    holds(arn.contains(&on.account.id), arn)
}

async fn region_is_told(on: &Ground) -> Verdict {
    let name = format!("{}-abroad", on.bucket);
    Bucket::new(&name, "eu-west-1").fill(&on.account).await;
    let abroad = on.account.s3("eu-west-1");
    let location = abroad.get_bucket_location().bucket(&name).send().await?;
    same(location.location_constraint().map(|place| place.as_str()), Some("eu-west-1"))?;
    let head = abroad.head_bucket().bucket(&name).send().await?;
    same(head.bucket_region(), Some("eu-west-1"))
}

async fn missing_is_404(on: &Ground) -> Verdict {
    let head = on.s3.head_object().bucket(&on.bucket).key("nobody").send().await;
    refused(head, 404, None)?;
    let get = on.s3.get_object().bucket(&on.bucket).key("nobody").send().await;
    refused(get, 404, Some("NoSuchKey"))?;
    let list = on.s3.list_objects_v2().bucket("contract-nowhere").send().await;
    refused(list, 404, Some("NoSuchBucket"))
}

async fn expected_owner(on: &Ground) -> Verdict {
    let list = on.s3.list_objects_v2().bucket(&on.bucket).expected_bucket_owner("999999999999");
    refused(list.send().await, 403, None)
}

async fn listing_order(on: &Ground) -> Verdict {
    let mut keys = vec!["b", "a", "a/b", "é", "Z", "a+b", "~", "a-b", "🦀", "\u{ffee}"];
    for key in &keys {
        on.put(key, b"x").await?;
    }
    keys.sort_unstable_by_key(|key| key.as_bytes());
    same(on.list().await?, keys.into_iter().map(str::to_owned).collect())
}

async fn listing_pages(on: &Ground) -> Verdict {
    let keys = ["1", "2", "3", "4", "5"];
    for key in keys {
        on.put(key, b"x").await?;
    }
    let (mut seen, mut pages, mut token) = (Vec::new(), Vec::new(), None);
    loop {
        let page = on.s3.list_objects_v2().bucket(&on.bucket).max_keys(2);
        let page = page.set_continuation_token(token).send().await?;
        seen.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        pages.push(page.contents().len());
        same(page.key_count(), i32::try_from(page.contents().len()).ok())?;
        if page.is_truncated() != Some(true) {
            break;
        }
        token = page.next_continuation_token().map(str::to_owned);
        holds(token.is_some() && pages.len() < 9, "a page that goes on says where")?;
    }
    same(seen, keys.map(str::to_owned).to_vec())?;
    same(pages, vec![2, 2, 1])
}

async fn listing_url_encoding(on: &Ground) -> Verdict {
    let keys = ["a b", "a%2Bb", "a+b", "ctl\u{1}x", "é<&>"];
    for key in keys {
        on.put(key, b"x").await?;
    }
    let expected: BTreeSet<String> = keys.map(str::to_owned).into();
    same(on.list().await?.into_iter().collect(), expected)
}

async fn listing_restores(on: &Ground) -> Verdict {
    on.put_as("cold", StorageClass::Glacier).await?;
    on.restore("cold").await?;
    let list = on.s3.list_objects_v2().bucket(&on.bucket);
    let list = list.optional_object_attributes(OptionalObjectAttributes::RestoreStatus);
    let list = list.send().await?;
    let status = list.contents().first().and_then(|object| object.restore_status());
    holds(status.is_some(), "no RestoreStatus")
}

async fn awkward_keys(on: &Ground) -> Verdict {
    let (long, longest) = ("x".repeat(300), "y".repeat(1024));
    let keys = [
        "a",
        "a/b",
        "d/",
        "w/",
        "..",
        "../x",
        "x/../y",
        ".",
        "./r",
        "/lead",
        "u//v",
        "ctl\u{1f}",
        "cr\r",
        "back\\slash",
        "e\u{301}",
        "é",
        "Case",
        "case",
        "?#&=",
        "漢字",
        &long,
        &longest,
    ];
    for key in keys {
        on.put(key, key.as_bytes()).await?;
    }
    for key in keys {
        let got = on.s3.get_object().bucket(&on.bucket).key(key).send().await?;
        same(&got.body.collect().await?.into_bytes()[..], key.as_bytes())?;
    }
    let expected: BTreeSet<String> = keys.map(str::to_owned).into();
    same(on.list().await?.into_iter().collect(), expected)
}

async fn key_with_line_end(on: &Ground) -> Verdict {
    on.put("new\nline", b"x").await?;
    on.s3.head_object().bucket(&on.bucket).key("new\nline").send().await?;
    same(on.list().await?, vec!["new\nline".to_owned()])
}

async fn versions(on: &Ground) -> Verdict {
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let versioning = on.s3.put_bucket_versioning().bucket(&on.bucket);
    versioning.versioning_configuration(enabled.build()).send().await?;
    on.put("k", b"one").await?;
    on.put("k", b"two").await?;
    let marker = on.s3.delete_object().bucket(&on.bucket).key("k").send().await?;
    let list = on.s3.list_object_versions().bucket(&on.bucket).send().await?;
    let latest: Vec<_> = list.versions().iter().map(|version| version.is_latest()).collect();
    same(latest, vec![Some(false), Some(false)])?;
    same(list.delete_markers().len(), 1)?;
    same(list.delete_markers()[0].version_id(), marker.version_id())?;
    let head = on.s3.head_object().bucket(&on.bucket).key("k");
    refused(head.set_version_id(marker.version_id).send().await, 405, None)
}

async fn get_range(on: &Ground) -> Verdict {
    on.put("k", b"0123456789").await?;
    let got = on.s3.get_object().bucket(&on.bucket).key("k").range("bytes=2-4").send().await?;
    same(got.content_range(), Some("bytes 2-4/10"))?;
    same(&got.body.collect().await?.into_bytes()[..], b"234")?;
    let beyond = on.s3.get_object().bucket(&on.bucket).key("k").range("bytes=10-");
    refused(beyond.send().await, 416, None)
}

async fn get_if_match(on: &Ground) -> Verdict {
    let etag = on.put("k", b"word").await?;
    on.s3.get_object().bucket(&on.bucket).key("k").if_match(&etag).send().await?;
    let other = on.s3.get_object().bucket(&on.bucket).key("k").if_match(OTHER_ETAG);
    refused(other.send().await, 412, None)
}

async fn put_if_none_match(on: &Ground) -> Verdict {
    let etag = on.put("k", b"word").await?;
    let put = on.s3.put_object().bucket(&on.bucket).key("k").if_none_match("*");
    refused(put.body(ByteStream::from_static(b"other")).send().await, 412, None)?;
    on.is_there("k", &etag).await
}

async fn checksum_is_kept(on: &Ground) -> Verdict {
    let put = on.s3.put_object().bucket(&on.bucket).key("k");
    let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256);
    put.body(ByteStream::from_static(b"word")).send().await?;
    let head = on.s3.head_object().bucket(&on.bucket).key("k");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await?;
    let digest = sha2::Sha256::digest(b"word");
    let expected = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    same(head.checksum_sha256(), Some(expected.as_str()))
}

async fn multipart_etag(on: &Ground) -> Verdict {
    let parts = [vec![1; PART], vec![2; PART], vec![3; 7]];
    let etag = on.put_parts("k", &parts).await?;
    let md5s: Vec<u8> = parts.iter().flat_map(|part| Md5::digest(part).to_vec()).collect();
    same(etag, format!("\"{}-3\"", hex::encode(Md5::digest(md5s))))
}

async fn head_part(on: &Ground) -> Verdict {
    on.put_parts("k", &[vec![1; PART], vec![2; MIB]]).await?;
    for (number, size) in [(1, PART), (2, MIB)] {
        let head = on.s3.head_object().bucket(&on.bucket).key("k").part_number(number);
        let head = head.send().await?;
        same(head.content_length(), i64::try_from(size).ok())?;
        same(head.parts_count(), Some(2))?;
    }
    Ok(())
}

async fn get_part(on: &Ground) -> Verdict {
    on.put_parts("k", &[vec![1; PART], vec![2; 10]]).await?;
    let got = on.s3.get_object().bucket(&on.bucket).key("k").part_number(2).send().await?;
    same(&got.body.collect().await?.into_bytes()[..], &[2; 10])
}

async fn unfinished_uploads(on: &Ground) -> Verdict {
    let begun = on.s3.create_multipart_upload().bucket(&on.bucket).key("k").send().await?;
    let list = on.s3.list_multipart_uploads().bucket(&on.bucket).send().await?;
    same(list.uploads().len(), 1)?;
    same(list.uploads()[0].upload_id(), begun.upload_id())?;
    let abort = on.s3.abort_multipart_upload().bucket(&on.bucket).key("k");
    abort.set_upload_id(begun.upload_id).send().await?;
    let list = on.s3.list_multipart_uploads().bucket(&on.bucket).send().await?;
    same(list.uploads().len(), 0)
}

async fn archived_is_403(on: &Ground) -> Verdict {
    for (key, class) in [("g", StorageClass::Glacier), ("d", StorageClass::DeepArchive)] {
        on.put_as(key, class.clone()).await?;
        let head = on.s3.head_object().bucket(&on.bucket).key(key).send().await?;
        same(head.storage_class(), Some(&class))?;
        same(head.restore(), None)?;
        let get = on.s3.get_object().bucket(&on.bucket).key(key).send().await;
        refused(get, 403, Some("InvalidObjectState"))?;
    }
    let list = on.s3.list_objects_v2().bucket(&on.bucket).send().await?;
    let classes = list.contents().iter().filter_map(|object| object.storage_class());
    same(classes.map(|class| class.as_str()).collect(), vec!["DEEP_ARCHIVE", "GLACIER"])
}

async fn restore_life(on: &Ground) -> Verdict {
    on.put_as("cold", StorageClass::Glacier).await?;
    on.restore("cold").await?;
    for _ in 0..100 {
        let head = on.s3.head_object().bucket(&on.bucket).key("cold").send().await?;
        let restore = head.restore().unwrap_or_default();
        if restore.contains(r#"ongoing-request="false""#) {
            holds(restore.contains("expiry-date="), restore)?;
            same(head.storage_class(), Some(&StorageClass::Glacier))?;
            let got = on.s3.get_object().bucket(&on.bucket).key("cold").send().await?;
            return same(&got.body.collect().await?.into_bytes()[..], b"cold");
        }
        same(restore, r#"ongoing-request="true""#)?;
        wait(Duration::from_millis(100)).await;
    }
    Err("the restore never ends".into())
}

async fn restore_twice(on: &Ground) -> Verdict {
    on.put_as("cold", StorageClass::Glacier).await?;
    on.restore("cold").await?;
    let again = on.s3.restore_object().bucket(&on.bucket).key("cold");
    let again = again.restore_request(RestoreRequest::builder().days(1).build()).send().await;
    refused(again, 409, Some("RestoreAlreadyInProgress"))
}

async fn restore_of_standard(on: &Ground) -> Verdict {
    on.put("warm", b"x").await?;
    let restore = on.s3.restore_object().bucket(&on.bucket).key("warm");
    let restore = restore.restore_request(RestoreRequest::builder().days(1).build());
    // The code differs from server to server.
    refused(restore.send().await, 403, None)
}

async fn delete_if_match(on: &Ground) -> Verdict {
    let etag = on.put("k", b"word").await?;
    let delete = on.s3.delete_object().bucket(&on.bucket).key("k").if_match(OTHER_ETAG);
    refused(delete.send().await, 412, Some("PreconditionFailed"))?;
    on.is_there("k", &etag).await?;
    on.s3.delete_object().bucket(&on.bucket).key("k").if_match(&etag).send().await?;
    same(on.list().await?, vec![])
}

async fn batch_if_match(on: &Ground) -> Verdict {
    let etag = on.put("changed", b"word").await?;
    let right = on.put("same", b"word").await?;
    let answer = on.delete(&[("changed", Some(OTHER_ETAG)), ("same", Some(&right))]).await?;
    same(answer.errors().len(), 1)?;
    same(answer.errors()[0].key(), Some("changed"))?;
    same(answer.errors()[0].code(), Some("PreconditionFailed"))?;
    same(answer.deleted().len(), 1)?;
    on.is_there("changed", &etag).await?;
    same(on.list().await?, vec!["changed".to_owned()])
}

async fn batch_answers(on: &Ground) -> Verdict {
    on.put("a", b"x").await?;
    on.put("b", b"x").await?;
    let answer = on.delete(&[("a", None), ("b", None), ("never", None)]).await?;
    let deleted: BTreeSet<_> = answer.deleted().iter().filter_map(|gone| gone.key()).collect();
    same(deleted, BTreeSet::from(["a", "b", "never"]))?;
    same(answer.errors().len(), 0)
}

async fn full_bucket_stays(on: &Ground) -> Verdict {
    let etag = on.put("k", b"x").await?;
    let delete = on.s3.delete_bucket().bucket(&on.bucket).send().await;
    refused(delete, 409, Some("BucketNotEmpty"))?;
    on.is_there("k", &etag).await
}

async fn no_policy(on: &Ground) -> Verdict {
    let policy = on.s3.get_bucket_policy().bucket(&on.bucket).send().await;
    refused(policy, 404, Some("NoSuchBucketPolicy"))
}

/// The ETag of nothing that is uploaded here.
const OTHER_ETAG: &str = "\"00000000000000000000000000000000\"";

impl Ground {
    /// Uploads an object; its ETag.
    async fn put(&self, key: &str, body: &[u8]) -> Result<String, Box<dyn Error + Send + Sync>> {
        let put = self.s3.put_object().bucket(&self.bucket).key(key);
        let put = put.body(body.to_vec().into()).send().await?;
        Ok(put.e_tag().ok_or("a PUT tells no ETag")?.to_owned())
    }

    /// Uploads an object into a storage class; its content is its key.
    async fn put_as(&self, key: &str, class: StorageClass) -> Verdict {
        let put = self.s3.put_object().bucket(&self.bucket).key(key).storage_class(class);
        put.body(key.as_bytes().to_vec().into()).send().await?;
        Ok(())
    }

    /// Uploads an object in parts; its ETag, as HEAD tells it.
    async fn put_parts(
        &self,
        key: &str,
        parts: &[Vec<u8>],
    ) -> Result<String, Box<dyn Error + Send + Sync>> {
        let begun = self.s3.create_multipart_upload().bucket(&self.bucket).key(key).send().await?;
        let id = begun.upload_id().ok_or("an upload has no id")?;
        let mut done = CompletedMultipartUpload::builder();
        for (number, part) in (1..).zip(parts) {
            let sent = self.s3.upload_part().bucket(&self.bucket).key(key).upload_id(id);
            let sent = sent.part_number(number).body(part.clone().into()).send().await?;
            let part = CompletedPart::builder().part_number(number);
            let part = part.set_e_tag(sent.e_tag).set_checksum_crc32(sent.checksum_crc32);
            done = done.parts(part.build());
        }
        let complete = self.s3.complete_multipart_upload().bucket(&self.bucket).key(key);
        complete.upload_id(id).multipart_upload(done.build()).send().await?;
        let head = self.s3.head_object().bucket(&self.bucket).key(key).send().await?;
        Ok(head.e_tag().unwrap_or_default().to_owned())
    }

    async fn restore(&self, key: &str) -> Verdict {
        let restore = self.s3.restore_object().bucket(&self.bucket).key(key);
        restore.restore_request(RestoreRequest::builder().days(1).build()).send().await?;
        Ok(())
    }

    /// Deletes in one batch, each key under an ETag or under none.
    async fn delete(
        &self,
        keys: &[(&str, Option<&str>)],
    ) -> Result<
        aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput,
        Box<dyn Error + Send + Sync>,
    > {
        let mut delete = Delete::builder();
        for (key, etag) in keys {
            let object = ObjectIdentifier::builder().key(*key);
            delete = delete.objects(object.set_e_tag(etag.map(str::to_owned)).build()?);
        }
        let delete = delete.build()?;
        Ok(self.s3.delete_objects().bucket(&self.bucket).delete(delete).send().await?)
    }

    /// All keys of the bucket in the order of the listing, decoded as the answer says.
    async fn list(&self) -> Result<Vec<String>, Box<dyn Error + Send + Sync>> {
        let list = self.s3.list_objects_v2().bucket(&self.bucket);
        let list = list.encoding_type(EncodingType::Url).send().await?;
        let is_encoded = list.encoding_type() == Some(&EncodingType::Url);
        let keys = list.contents().iter().filter_map(|object| object.key());
        keys.map(|key| if is_encoded { decoded(key) } else { Ok(key.to_owned()) }).collect()
    }

    async fn is_there(&self, key: &str, etag: &str) -> Verdict {
        let head = self.s3.head_object().bucket(&self.bucket).key(key).send().await?;
        same(head.e_tag(), Some(etag))
    }
}

fn decoded(key: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let spaced = key.replace('+', " ");
    Ok(percent_encoding::percent_decode_str(&spaced).decode_utf8()?.into_owned())
}

/// Real time, for servers whose clock cannot be turned.
async fn wait(duration: Duration) {
    let wait = tokio::task::spawn_blocking(move || std::thread::sleep(duration));
    wait.await.expect("a sleep ends");
}

fn holds(it_does: bool, otherwise: &str) -> Verdict {
    if it_does { Ok(()) } else { Err(otherwise.to_owned().into()) }
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Verdict {
    holds(found == expected, &format!("found {found:?}, expected {expected:?}"))
}

/// Holds if the server said no with this status, and with this code where one is named.
fn refused<T: std::fmt::Debug, E>(
    answer: Result<T, aws_sdk_s3::error::SdkError<E>>,
    status: u16,
    code: Option<&str>,
) -> Verdict
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match answer {
        Ok(answer) => Err(format!("not refused: {answer:?}").into()),
        Err(error) => {
            let found = error.raw_response().map(|response| response.status().as_u16());
            same(found, Some(status))?;
            code.map_or(Ok(()), |code| same(error.code(), Some(code)))
        }
    }
}
