//! GETs, refusals and silences from a server that writes raw bytes.

use std::time::Duration;

use super::connect::{Floor, Tuning};
use super::raw::{Canned, Raw, answer, bucket_of, connect, connect_with, head_and, quick};
use super::{
    AwsError, BucketDeletion, Condition, DeleteTarget, Deletion, ErrorKind, Listing, RestoreAnswer,
};
use crate::model::{ETag, KeepDays, Tier};

const OBJECT: &str = "\r\nETag: \"e\"\r\nLast-Modified: Thu, 02 Jan 2020 03:04:05 GMT";

fn pin() -> ETag {
    ETag::new("e")
}

async fn fetch(raw: &Raw, range: Option<(u64, u64)>) -> Result<Vec<u8>, AwsError> {
    let mut get = raw.bucket().await.get("k", None, &pin(), range).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = get.body.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn fetch_error(canned: Canned, range: Option<(u64, u64)>) -> AwsError {
    fetch(&Raw::always(canned).await, range).await.expect_err("this answer must not be believed")
}

#[tokio::test]
async fn a_whole_get_is_pinned_and_asks_for_checksums() {
    let checksum = format!("{OBJECT}\r\nx-amz-checksum-crc32: AAAAAA==\r\nx-amz-meta-Who: me");
    let raw = Raw::always(answer("200 OK", &checksum, "wrong but ours to judge")).await;
    assert_eq!(fetch(&raw, None).await.expect("all bytes"), b"wrong but ours to judge");
    let asked = raw.asked()[0].to_ascii_lowercase();
    assert!(asked.contains("if-match: \"e\""), "{asked}");
    assert!(asked.contains("x-amz-checksum-mode: enabled"), "{asked}");
    assert!(asked.contains("x-amz-expected-bucket-owner: 123456789012"), "{asked}");
    let get = raw.bucket().await.get("k", None, &pin(), None).await.expect("a head");
    assert_eq!(get.head.headers.checksums["CRC32"], "AAAAAA==");
    assert_eq!(get.head.headers.metadata["who"], "me");
}

#[tokio::test]
async fn a_range_is_answered_by_exactly_that_range() {
    let part = |range: &str| format!("{OBJECT}\r\nContent-Range: bytes {range}");
    let right = Raw::always(answer("206 Partial Content", &part("2-4/10"), "cde")).await;
    assert_eq!(fetch(&right, Some((2, 5))).await.expect("a range"), b"cde");
    let asked = right.asked()[0].to_ascii_lowercase();
    assert!(asked.contains("range: bytes=2-4"), "{asked}");
    assert!(!asked.contains("x-amz-checksum-mode"), "{asked}");
    for wrong in [
        answer("200 OK", OBJECT, "abcdefghij"),
        answer("200 OK", &part("2-4/10"), "cde"),
        answer("206 Partial Content", OBJECT, "cde"),
        answer("206 Partial Content", &part("3-5/10"), "def"),
        answer("206 Partial Content", &part("2-5/10"), "cdef"),
        answer("206 Partial Content", &part("2-4/10"), "cdef"),
    ] {
        let error = fetch_error(wrong, Some((2, 5))).await;
        assert_eq!(*error.kind(), ErrorKind::BadAnswer, "{error}");
    }
}

#[tokio::test]
async fn an_answer_without_a_length_is_refused() {
    let bytes = head_and(&format!("200 OK{OBJECT}"), b"abc");
    let error = fetch_error(Canned::Bytes(bytes), None).await;
    assert_eq!(*error.kind(), ErrorKind::BadAnswer, "{error}");
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_an_error() {
    let bytes = head_and(&format!("200 OK\r\nContent-Length: 10{OBJECT}"), b"abc");
    let error = fetch_error(Canned::Bytes(bytes), None).await;
    assert_eq!(*error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.is_retryable() && !error.outcome_unknown());
}

#[tokio::test]
async fn a_length_that_lies_shows_in_the_head() {
    let raw = Raw::always(answer("200 OK", OBJECT, "half")).await;
    let get = raw.bucket().await.get("k", None, &pin(), None).await.expect("a head");
    assert_eq!(get.head.size, 4, "to be compared with the inventory");
}

#[tokio::test]
async fn another_etag_than_the_pin_is_a_changed_object() {
    let other = OBJECT.replace("\"e\"", "\"f\"");
    let error = fetch_error(answer("200 OK", &other, "abc"), None).await;
    assert_eq!(*error.kind(), ErrorKind::Changed, "{error}");
    let refused = "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>";
    let error = fetch_error(answer("412 Precondition Failed", "", refused), None).await;
    assert_eq!(*error.kind(), ErrorKind::Changed, "{error}");
}

#[tokio::test]
async fn an_archived_object_says_so() {
    let refused = "<Error><Code>InvalidObjectState</Code><Message>no</Message>\
                   <StorageClass>GLACIER</StorageClass></Error>";
    let error = fetch_error(answer("403 Forbidden", "", refused), None).await;
    assert_eq!(*error.kind(), ErrorKind::NotThawed, "{error}");
}

/// The longest that these take to end is far below what anything else here would end them at.
const SOON: Duration = Duration::from_secs(50);

#[tokio::test]
async fn a_stall_and_a_drip_end_within_their_limit() {
    let head = head_and(&format!("200 OK\r\nContent-Length: 100000{OBJECT}"), b"abc");
    let floor = Floor { bytes_per_second: 1000, window: Duration::from_millis(300) };
    for canned in [Canned::ThenSilence(head.clone()), Canned::ThenDrip(head)] {
        let raw = Raw::always(canned).await;
        let tuning = Tuning { patience: Duration::ZERO, floor, ..quick() };
        let bucket = bucket_of(&connect(&raw.url, tuning).await);
        let fetch = async {
            let mut get = bucket.get("k", None, &pin(), None).await?;
            while get.body.chunk().await?.is_some() {}
            Ok::<_, AwsError>(())
        };
        let ended = tokio::time::timeout(SOON, fetch).await.expect("within its limit");
        let error = ended.expect_err("this answer must not be believed");
        assert_eq!(*error.kind(), ErrorKind::Stalled, "{error}");
    }
}

#[tokio::test]
async fn no_answer_at_all_ends_within_its_limit() {
    let raw = Raw::always(Canned::ThenSilence(Vec::new())).await;
    let read_timeout = Duration::from_millis(300);
    let tuning = Tuning { patience: Duration::ZERO, read_timeout, ..quick() };
    let bucket = bucket_of(&connect(&raw.url, tuning).await);
    let ended = tokio::time::timeout(SOON, bucket.delete_bucket()).await;
    let error = ended.expect("within its limit").expect_err("nothing came");
    assert_eq!(*error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.outcome_unknown());
}

#[tokio::test]
async fn a_head_404_is_a_missing_key_and_a_403_is_not() {
    let of = async |status: &str| {
        let raw = Raw::always(Canned::Bytes(head_and(status, b""))).await;
        let error = raw.bucket().await.head("k", None, None).await.expect_err("refused");
        error.kind().clone()
    };
    assert_eq!(of("404 Not Found").await, ErrorKind::NoSuchKey);
    assert_eq!(of("403 Forbidden").await, ErrorKind::Denied);
    assert_eq!(of("412 Precondition Failed").await, ErrorKind::Changed);
    assert_eq!(
        of("405 Method Not Allowed\r\nx-amz-delete-marker: true").await,
        ErrorKind::NoSuchKey
    );
}

#[tokio::test]
async fn a_redirect_is_followed_once_to_the_right_region() {
    let moved = head_and("301 Moved\r\nx-amz-bucket-region: eu-west-1", b"");
    let found = head_and(&format!("200 OK\r\nContent-Length: 3{OBJECT}"), b"");
    let raw = Raw::in_turn(vec![Canned::Bytes(moved.clone()), Canned::Bytes(found)]).await;
    let bucket = raw.bucket().await;
    assert_eq!(bucket.head("k", None, None).await.expect("found there").size, 3);
    assert_eq!(bucket.region(), "eu-west-1");
    assert!(raw.asked()[1].contains("/eu-west-1/s3/"), "signed for the right region");

    let raw = Raw::always(Canned::Bytes(moved)).await;
    let error = raw.bucket().await.head("k", None, None).await.expect_err("it goes in circles");
    assert!(matches!(error.kind(), ErrorKind::WrongRegion { .. }));
    assert_eq!(raw.asked().len(), 2);
}

#[tokio::test]
async fn throttling_is_waited_out_and_counted() {
    let slow = "<Error><Code>SlowDown</Code><Message>slow</Message></Error>";
    let slow = answer("503 Slow Down", "", slow);
    let right = answer("200 OK", OBJECT, "abc");
    let raw = Raw::in_turn(vec![slow.clone(), slow.clone(), right]).await;
    let aws = connect(&raw.url, Tuning { patience: SOON, ..quick() }).await;
    let get = bucket_of(&aws).get("k", None, &pin(), None).await.expect("in the end");
    assert_eq!(get.head.size, 3);
    assert_eq!((aws.retries(), aws.requests()["GetObject"]), (2, 3));

    let raw = Raw::always(slow).await;
    let error = raw.bucket().await.get("k", None, &pin(), None).await.err().expect("no patience");
    assert_eq!(*error.kind(), ErrorKind::Throttled);
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let url = Raw::always(answer("200 OK", "", "")).await.url.clone();
    let aws = connect(&url, Tuning { patience: Duration::ZERO, ..quick() }).await;
    // The server is gone with its handle.
    let error = aws.caller().await.expect_err("nobody is there");
    assert_eq!(*error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn an_expired_token_asks_for_a_new_login() {
    let body = "<Error><Code>ExpiredToken</Code><Message>over</Message></Error>";
    let error = fetch_error(answer("400 Bad Request", "", body), None).await;
    assert_eq!(*error.kind(), ErrorKind::ExpiredCredentials);
    assert!(error.hint().is_some_and(|hint| hint.contains("aws sso login")));
}

#[tokio::test]
async fn a_restore_tells_its_answers_apart_and_is_sent_once() {
    let of = async |canned: Canned| {
        let raw = Raw::always(canned).await;
        let bucket = bucket_of(&connect(&raw.url, Tuning { attempts: 4, ..quick() }).await);
        let answer = bucket.restore("k", Some("v"), KeepDays::new(7), Tier::Bulk).await;
        (answer, raw.asked().len())
    };
    let refused = |status: &str, code: &str| {
        answer(status, "", format!("<Error><Code>{code}</Code></Error>"))
    };
    for (canned, wanted) in [
        (answer("202 Accepted", "", ""), RestoreAnswer::Accepted),
        (answer("200 OK", "", ""), RestoreAnswer::AlreadyThere),
        (refused("409 Conflict", "RestoreAlreadyInProgress"), RestoreAnswer::InProgress),
        (refused("403 Forbidden", "InvalidObjectState"), RestoreAnswer::NotArchived),
        (refused("403 Forbidden", "ObjectAlreadyInActiveTierError"), RestoreAnswer::NotArchived),
        (
            refused("503 Unavailable", "GlacierExpeditedRetrievalNotAvailable"),
            RestoreAnswer::NoExpeditedCapacity,
        ),
    ] {
        let (answer, sent) = of(canned).await;
        let answer = answer.map(|wish| wish.answer);
        assert_eq!((answer.expect("a known answer"), sent), (wanted, 1));
    }
    let (lost, sent) = of(Canned::Bytes(Vec::new())).await;
    assert!(lost.expect_err("nothing came").outcome_unknown());
    assert_eq!(sent, 1, "a second wish may be billed");
}

#[tokio::test]
async fn a_single_delete_carries_its_condition() {
    let raw = Raw::always(answer("204 No Content", "", "")).await;
    let target = DeleteTarget { key: "a\u{1}".into(), version_id: None, etag: Some(pin()) };
    let outcome = raw.bucket().await.delete_one(&target, Condition::IfMatch).await.expect("sent");
    assert!(matches!(outcome, Deletion::Deleted { marker: None, .. }));
    assert!(raw.asked()[0].to_ascii_lowercase().contains("if-match: \"e\""));
    let versioned = DeleteTarget { version_id: Some("v1".into()), ..target.clone() };
    raw.bucket().await.delete_one(&versioned, Condition::IfMatch).await.expect("sent");
    assert!(raw.asked()[1].contains("versionId=v1"));
    let bare = DeleteTarget { etag: None, ..target };
    assert!(raw.bucket().await.delete_one(&bare, Condition::IfMatch).await.is_err());
    assert_eq!(raw.asked().len(), 2, "nothing goes without a condition");
}

#[tokio::test]
async fn a_batch_names_every_tag_and_accounts_for_every_key() {
    let body = "<DeleteResult><Deleted><Key>a</Key></Deleted>\
                <Error><Key>b</Key><Code>PreconditionFailed</Code></Error></DeleteResult>";
    let raw = Raw::always(answer("200 OK", "", body)).await;
    let target = |key: &str| DeleteTarget { key: key.into(), version_id: None, etag: Some(pin()) };
    let targets = ["b", "a", "c"].map(target);
    let deleted = raw.bucket().await.delete_batch(&targets).await.expect("answered");
    let outcomes = deleted.outcomes;
    assert_eq!(outcomes[0], Deletion::Changed);
    assert!(matches!(outcomes[1], Deletion::Deleted { .. }));
    assert!(matches!(outcomes[2], Deletion::Unknown(_)));
    let asked = raw.asked()[0].replace("&quot;", "\"");
    assert_eq!(asked.matches("<ETag>\"e\"</ETag>").count(), 3, "{asked}");
    assert!(asked.contains("<Quiet>false</Quiet>"), "{asked}");
    let cut = Raw::always(answer("200 OK", "", &body[..body.len() - 5])).await;
    let error = cut.bucket().await.delete_batch(&targets).await.expect_err("cut off");
    assert!(error.outcome_unknown(), "{error}");
}

#[tokio::test]
async fn uploads_are_listed_to_the_end_or_not_at_all() {
    let page = answer(
        "200 OK",
        "",
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>\
         <NextKeyMarker>a</NextKeyMarker><Upload><Key>a</Key><UploadId>1</UploadId>\
         <Initiated>2026-11-22T00:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>",
    );
    let no_such_feature =
        answer("501 Not Implemented", "", "<Error><Code>NotImplemented</Code></Error>");
    let raw = Raw::always(no_such_feature.clone()).await;
    assert_eq!(raw.bucket().await.list_uploads().await.expect("a server without uploads"), []);
    let raw = Raw::in_turn(vec![page.clone(), no_such_feature]).await;
    assert!(raw.bucket().await.list_uploads().await.is_err(), "half of a listing");
    let raw = Raw::always(page).await;
    let circle = raw.bucket().await.list_uploads().await.expect_err("no end");
    assert_eq!(*circle.kind(), ErrorKind::BadAnswer);
}

#[tokio::test]
async fn a_bucket_that_is_not_empty_stays() {
    let of = async |status: &str, code: &str| {
        let body = format!("<Error><Code>{code}</Code></Error>");
        Raw::always(answer(status, "", body)).await.bucket().await.delete_bucket().await
    };
    let full = of("409 Conflict", "BucketNotEmpty").await;
    assert_eq!(full.expect("a known answer"), BucketDeletion::NotEmpty);
    let gone = of("404 Not Found", "NoSuchBucket").await;
    assert_eq!(gone.expect("a known answer"), BucketDeletion::Gone);
    let denied = of("403 Forbidden", "AccessDenied").await.expect_err("not known to be gone");
    assert_eq!(*denied.kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn limited_connections_are_given_back() {
    let raw = Raw::always(answer("200 OK", OBJECT, "abc")).await;
    let bucket = bucket_of(&connect_with(&raw.url, quick(), Some(1)).await);
    for _ in 0..2 {
        let mut get = bucket.get("k", None, &pin(), None).await.expect("a head");
        while get.body.chunk().await.expect("bytes").is_some() {}
        bucket.head("k", None, None).await.expect("the body has given its place back");
    }
    let held = bucket.get("k", None, &pin(), None).await.expect("a head");
    let second = bucket.head("k", None, None);
    let waited = tokio::time::timeout(Duration::from_millis(100), second).await;
    assert!(waited.is_err(), "the only place is taken");
    drop(held);
    bucket.head("k", None, None).await.expect("a dropped body gives its place back");
}

#[tokio::test]
async fn an_expired_identity_is_read_anew_once_and_the_run_goes_on() {
    let expired = answer("400 Bad Request", "", "<Error><Code>ExpiredToken</Code></Error>");
    let raw = Raw::in_turn(vec![expired.clone(), answer("200 OK", OBJECT, "abc")]).await;
    raw.bucket().await.get("k", None, &pin(), None).await.expect("with the fresh identity");
    let keys =
        |raw: &Raw| raw.asked().iter().map(|head| head.contains("AKID1/")).collect::<Vec<_>>();
    assert_eq!(keys(&raw), [true, false]);

    let raw = Raw::always(expired).await;
    let aws = connect(&raw.url, quick()).await;
    let error = bucket_of(&aws).policy().await.expect_err("a person must log in");
    assert_eq!(*error.kind(), ErrorKind::ExpiredCredentials);
    assert_eq!(keys(&raw), [true, false]);
    assert_eq!(aws.retries(), 1);
}

/// A HEAD has no body that could say what is wrong.
#[tokio::test]
async fn a_head_400_is_cleared_up_by_asking_who_we_are() {
    let odd = Canned::Bytes(head_and("400 Bad Request\r\nx-amz-bucket-region: us-east-1", b""));
    let expired = "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>";
    let expired = answer("403 Forbidden", "", expired);
    let raw = Raw::in_turn(vec![odd, expired]).await;
    let error = raw.bucket().await.head("k", None, None).await.expect_err("refused");
    assert_eq!(*error.kind(), ErrorKind::ExpiredCredentials, "{error}");
}

#[tokio::test]
async fn a_bucket_of_another_account_is_told_from_a_forbidden_one() {
    let refused = Canned::Bytes(head_and("403 Forbidden", b""));
    let there = Canned::Bytes(head_and("200 OK\r\nContent-Length: 0", b""));
    let raw = Raw::in_turn(vec![refused.clone(), there]).await;
    let error = raw.bucket().await.facts(&[]).await.expect_err("not ours");
    assert_eq!(*error.kind(), ErrorKind::OtherOwner, "{error}");
    let raw = Raw::always(refused).await;
    let error = raw.bucket().await.facts(&[]).await.expect_err("forbidden");
    assert_eq!(*error.kind(), ErrorKind::Denied, "{error}");
}

fn buckets(names: impl IntoIterator<Item = String>, more: &str) -> Canned {
    let entry = |name: String| {
        format!(
            "<Bucket><Name>{name}</Name><CreationDate>2020-01-02T03:04:05.000Z</CreationDate>\
             <BucketRegion>eu-west-1</BucketRegion></Bucket>"
        )
    };
    let all: String = names.into_iter().map(entry).collect();
    let body =
        format!("<ListAllMyBucketsResult><Buckets>{all}</Buckets>{more}</ListAllMyBucketsResult>");
    answer("200 OK", "", body)
}

#[tokio::test]
async fn all_pages_of_buckets_are_listed() {
    let token = "<ContinuationToken>t</ContinuationToken>";
    let page = |name: &str, more: &str| buckets([name.to_owned()], more);
    let raw = Raw::in_turn(vec![page("a", token), page("b", "")]).await;
    let all = raw.aws().await.buckets().await.expect("two pages");
    assert_eq!(all.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((all[0].region.as_str(), all[0].created_ms), ("eu-west-1", Some(1_577_934_245_000)));
    let raw = Raw::always(page("a", token)).await;
    let error = raw.aws().await.buckets().await.expect_err("it goes in circles");
    assert_eq!(*error.kind(), ErrorKind::BadAnswer);
}

#[tokio::test]
async fn a_page_of_buckets_cut_without_a_token_is_asked_for_whole() {
    let names = |n: usize| (0..n).map(|i| format!("b{i:05}"));
    let raw = Raw::in_turn(vec![buckets(names(1000), ""), buckets(names(1500), "")]).await;
    assert_eq!(raw.aws().await.buckets().await.expect("all of them").len(), 1500);
    assert!(raw.asked()[0].contains("max-buckets=1000") && !raw.asked()[1].contains("max-buckets"));
}

#[tokio::test]
async fn parts_are_asked_for_one_by_one_only_where_they_differ() {
    let part = |size: u32| {
        Canned::Bytes(head_and(
            &format!("206 Partial\r\nContent-Length: {size}\r\nx-amz-mp-parts-count: 3{OBJECT}"),
            b"",
        ))
    };
    let none = answer(
        "200 OK",
        "",
        "<GetObjectAttributesOutput><ObjectSize>25</ObjectSize></GetObjectAttributesOutput>",
    );
    let raw = Raw::always(part(10)).await;
    let sizes = raw.bucket().await.part_sizes("k", None, &pin(), 25, 3).await;
    assert_eq!((sizes.expect("told"), raw.asked().len()), (Some(vec![10, 10, 5]), 1));

    let raw = Raw::start(move |nth| match nth {
        0 => part(5),
        1 => none.clone(),
        // Asked for at the same time, hence told apart by nothing but their sum.
        2 => part(5),
        _ => part(10),
    })
    .await;
    let sizes = raw.bucket().await.part_sizes("k", None, &pin(), 25, 3).await.expect("told");
    assert_eq!(sizes.map(|sizes| sizes.iter().sum()), Some(25));

    let parts = "<GetObjectAttributesOutput><ObjectParts><PartsCount>2</PartsCount>\
                 <IsTruncated>false</IsTruncated>\
                 <Part><PartNumber>1</PartNumber><Size>20</Size></Part>\
                 <Part><PartNumber>2</PartNumber><Size>5</Size></Part>\
                 </ObjectParts></GetObjectAttributesOutput>";
    let whole = Canned::Bytes(head_and(&format!("200 OK\r\nContent-Length: 25{OBJECT}"), b""));
    let raw = Raw::in_turn(vec![whole, answer("200 OK", "", parts)]).await;
    let sizes = raw.bucket().await.part_sizes("k", None, &pin(), 25, 2).await;
    assert_eq!(sizes.expect("told"), Some(vec![20, 5]), "the server ignores part numbers");
}

/// The compiler's proof that every request may run on another thread.
#[tokio::test]
async fn requests_can_be_spawned() {
    let raw = Raw::always(answer("200 OK", OBJECT, "abc")).await;
    let aws = raw.aws().await;
    let bucket = raw.bucket().await;
    fn may_move<T: Send>(future: T) -> T {
        future
    }
    let targets = [];
    drop(may_move(aws.buckets()));
    drop(may_move(aws.caller()));
    drop(may_move(bucket.facts(&[])));
    drop(may_move(bucket.configuration()));
    drop(may_move(bucket.part_sizes("k", None, &pin(), 3, 2)));
    drop(may_move(bucket.restore("k", None, None, Tier::Bulk)));
    drop(may_move(bucket.delete_batch(&targets)));
    let mut pages = bucket.list(Listing::Current, None);
    drop(may_move(pages.next()));
    let get = tokio::spawn(async move { bucket.get("k", None, &pin(), None).await });
    let mut get = get.await.expect("it ran").expect("it answered");
    drop(may_move(get.body.chunk()));
}

/// Heads and error documents beyond all measure: an error that names the call, in few words.
#[tokio::test]
async fn an_immense_head_or_error_document_is_an_error_of_few_words() {
    let long_header = format!("200 OK\r\nx-long: {}{OBJECT}", "x".repeat(1 << 20));
    let many: String = (0..2_000).map(|n| format!("\r\nx-{n}: y")).collect();
    let many_headers = format!("200 OK\r\nContent-Length: 3{many}{OBJECT}");
    let message = "m".repeat(10 << 20);
    let document = format!("<Error><Code>{message}</Code><Message>{message}</Message></Error>");
    for (told, canned) in [
        ("a header of a mebibyte", Canned::Bytes(head_and(&long_header, b"abc"))),
        ("2,000 headers", Canned::Bytes(head_and(&many_headers, b"abc"))),
        ("an error of 10 MiB", answer("400 Bad Request", "", &document)),
        ("an error of 10 MiB that is no XML", answer("500 Oh", "", &message)),
    ] {
        let error = fetch_error(canned, None).await.to_string();
        assert!(error.contains("`k` in `photos`"), "{told}: {error:.300}");
        assert!(error.len() < 5_000, "{told}: {} bytes: {error:.300}", error.len());
    }
}

/// Answers without an end, of which only an object's bytes would be somebody's.
#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    let refusal = Raw::always(Canned::ThenFlood(head_and("403 Forbidden", b"<Error><Code>"))).await;
    let policy = Raw::always(Canned::ThenFlood(head_and("200 OK", b"{"))).await;
    let got = fetch(&refusal, None).await.map(drop).expect_err("no object");
    let said = policy.bucket().await.policy().await.map(drop).expect_err("no policy");
    for (told, raw, error) in [("a refusal", refusal, got), ("a policy", policy, said)] {
        assert!(raw.flooded() < 100 << 20, "{told}: {} bytes were taken", raw.flooded());
        assert!(error.to_string().len() < 5_000, "{told}: {error:.300}");
    }
}
