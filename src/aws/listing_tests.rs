//! Listings from a server that lies: none is believed, none ends quietly.

use super::raw::{Canned, Raw, answer, head_and};
use super::{AwsError, ErrorKind, ListCursor, Listing, Page};
use crate::model::{Standing, Thaw};

const DATE: &str = "<LastModified>2020-01-02T03:04:05.000Z</LastModified>";

fn object(key: &str) -> String {
    format!("<Contents><Key>{key}</Key>{DATE}<ETag>\"e\"</ETag><Size>7</Size></Contents>")
}

fn listing(inside: &str) -> Canned {
    answer("200 OK", "", document(inside))
}

fn document(inside: &str) -> String {
    format!("<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name>{inside}</ListBucketResult>")
}

fn versions(inside: &str) -> Canned {
    answer("200 OK", "", format!("<ListVersionsResult>{inside}</ListVersionsResult>"))
}

const LAST: &str = "<IsTruncated>false</IsTruncated>";

fn more(token: &str) -> String {
    format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>")
}

async fn read_all(raw: &Raw, what: Listing) -> Result<Vec<Page>, AwsError> {
    let mut pages = raw.bucket().await.list(what, None);
    let mut all = Vec::new();
    while let Some(page) = pages.next().await? {
        all.push(page);
    }
    Ok(all)
}

async fn keys(pages: Vec<Canned>) -> Result<Vec<String>, AwsError> {
    let pages = read_all(&Raw::in_turn(pages).await, Listing::Current).await?;
    Ok(pages.into_iter().flat_map(|page| page.objects).map(|object| object.key).collect())
}

async fn refused(pages: Vec<Canned>) -> String {
    let error = keys(pages).await.expect_err("this listing must not be believed");
    assert_eq!(*error.kind(), ErrorKind::BadAnswer, "{error}");
    error.to_string()
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let raw = Raw::in_turn(vec![
        listing(&(object("a") + &object("b") + &more("t1"))),
        listing(&more("t2")),
        listing(&(object("c") + LAST)),
    ])
    .await;
    let pages = read_all(&raw, Listing::Current).await.expect("a right listing");
    assert_eq!(pages.iter().map(|page| page.objects.len()).collect::<Vec<_>>(), [2, 0, 1]);
    assert!(pages.iter().all(|page| page.requests == 1));
    let asked = raw.asked();
    assert!(asked[2].contains("continuation-token=t2"), "{}", asked[2]);
    let head = asked[0].to_ascii_lowercase();
    assert!(head.contains("x-amz-expected-bucket-owner: 123456789012"), "{head}");
    assert!(head.contains("x-amz-optional-object-attributes: restorestatus"), "{head}");
    assert!(head.contains("encoding-type=url"), "{head}");
}

#[tokio::test]
async fn a_repeated_token_is_an_error() {
    let page = |key: &str, token: &str| listing(&(object(key) + &more(token)));
    refused(vec![page("a", "t"), page("b", "t"), page("b", "t")]).await;
    let circle =
        vec![listing(&more("x")), listing(&more("y")), listing(&more("x")), listing(&more("x"))];
    assert!(refused(circle).await.contains("circles"));
}

#[tokio::test]
async fn a_missing_token_or_flag_is_an_error() {
    refused(vec![listing(&(object("a") + "<IsTruncated>true</IsTruncated>"))]).await;
    refused(vec![listing(&object("a"))]).await;
}

#[tokio::test]
async fn odd_entries_are_errors_that_name_the_key() {
    let with = |entry: &str| vec![listing(&format!("<Contents>{entry}</Contents>{LAST}"))];
    let size = "<Size>7</Size>";
    let etag = "<ETag>\"e\"</ETag>";
    for entry in [
        format!("<Key>k1</Key>{DATE}{etag}"),
        format!("<Key>k1</Key>{DATE}{size}"),
        format!("<Key>k1</Key>{etag}{size}"),
        format!("<Key>k1</Key>{DATE}{etag}<Size>-1</Size>"),
        format!("<Key>k1</Key>{DATE}<ETag>\"\"</ETag>{size}"),
    ] {
        let text = refused(with(&entry)).await;
        assert!(text.contains("k1"), "{text}");
    }
    refused(with(&format!("{DATE}{etag}{size}"))).await;
    refused(vec![listing(&(object("a") + "<KeyCount>2</KeyCount>" + LAST))]).await;
}

#[tokio::test]
async fn a_size_over_64_bits_fails_the_page() {
    let entry = format!(
        "<Contents><Key>k</Key>{DATE}<ETag>\"e\"</ETag><Size>9223372036854775808</Size></Contents>"
    );
    assert!(keys(vec![listing(&(entry + LAST))]).await.is_err());
}

#[tokio::test]
async fn keys_that_do_not_rise_are_an_error_on_one_page_and_over_two() {
    refused(vec![listing(&(object("b") + &object("a") + LAST))]).await;
    refused(vec![listing(&(object("a") + &object("a") + LAST))]).await;
    refused(vec![listing(&(object("b") + &more("t"))), listing(&(object("b") + LAST))]).await;
}

#[tokio::test]
async fn a_listing_starts_behind_its_cursor() {
    let raw = Raw::always(listing(&(object("m") + LAST))).await;
    let after = |key: &str| Some(ListCursor { key: key.into(), version_id: None });
    let page = raw.bucket().await.list(Listing::Current, after("l")).next().await;
    assert_eq!(page.expect("m stands behind l").expect("a page").objects.len(), 1);
    assert!(raw.asked()[0].contains("start-after=l"));
    let error = raw.bucket().await.list(Listing::Current, after("m")).next().await;
    assert_eq!(*error.expect_err("m was known").kind(), ErrorKind::BadAnswer);
}

/// The SDK's reader takes many of these for whole pages.
#[tokio::test]
async fn a_document_cut_anywhere_is_an_error_at_every_byte() {
    let text = document(&(object("a") + &object("b") + "<KeyCount>2</KeyCount>" + LAST));
    let whole = text.len();
    for cut in 0..whole {
        let raw = Raw::always(answer("200 OK", "", &text.as_bytes()[..cut])).await;
        let read = read_all(&raw, Listing::Current).await;
        assert!(read.is_err(), "cut at {cut} of {whole}: {read:?}");
    }
    assert_eq!(keys(vec![answer("200 OK", "", &text)]).await.expect("whole"), ["a", "b"]);
}

#[tokio::test]
async fn a_page_that_reads_wrong_is_asked_for_once_more() {
    let cut = document(&object("a"));
    let pages = vec![answer("200 OK", "", &cut[..cut.len() - 9]), listing(&(object("a") + LAST))];
    assert_eq!(keys(pages).await.expect("right the second time"), ["a"]);
}

#[tokio::test]
async fn keys_are_decoded_only_where_the_answer_says_that_they_are_encoded() {
    let url = "<EncodingType>url</EncodingType>";
    let pages = vec![listing(&(url.to_owned() + &object("a%03b+c%2Bd") + LAST))];
    assert_eq!(keys(pages).await.expect("decoded"), ["a\u{3}b c+d"]);
    let pages = vec![listing(&(object("a%03b+c") + LAST))];
    assert_eq!(keys(pages).await.expect("as it stands"), ["a%03b+c"]);
    refused(vec![listing(&(url.to_owned() + &object("a%zz") + LAST))]).await;
}

#[tokio::test]
async fn a_captive_portal_is_not_s3() {
    let page = answer("200 OK", "\r\nContent-Type: text/html", "<html><body>Log in</body></html>");
    let error = keys(vec![page]).await.expect_err("a page for browsers");
    assert_eq!(*error.kind(), ErrorKind::NotS3, "{error}");
}

#[tokio::test]
async fn restore_status_and_class_are_read_by_text() {
    let entry = |key: &str, class: &str, status: &str| {
        format!(
            "<Contents><Key>{key}</Key>{DATE}<ETag>\"e\"</ETag><Size>7</Size>\
             <StorageClass>{class}</StorageClass>{status}</Contents>"
        )
    };
    let status = |inside: &str| format!("<RestoreStatus>{inside}</RestoreStatus>");
    let ongoing = status("<IsRestoreInProgress>true</IsRestoreInProgress>");
    let ready = status(
        "<IsRestoreInProgress>false</IsRestoreInProgress>\
         <RestoreExpiryDate>2012-12-21T00:00:00.000Z</RestoreExpiryDate>",
    );
    let inside = entry("a", "DEEP_ARCHIVE", "")
        + &entry("b", "GLACIER", &ongoing)
        + &entry("c", "FUTURE_CLASS", &ready)
        + LAST;
    let raw = Raw::always(listing(&inside)).await;
    let pages = read_all(&raw, Listing::Current).await.expect("right");
    let thaws: Vec<_> = pages[0].objects.iter().map(|object| object.thaw).collect();
    let until_ms = 1_356_048_000_000;
    assert_eq!(thaws, [Thaw::NotAsked, Thaw::Ongoing, Thaw::ReadyUntil { until_ms }]);
    assert_eq!(pages[0].objects[2].class.as_str(), "FUTURE_CLASS");
}

fn version(key: &str, id: &str, latest: bool, day: u32) -> String {
    format!(
        "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
         <LastModified>2020-01-{day:02}T00:00:00.000Z</LastModified><ETag>\"e\"</ETag>\
         <Size>7</Size><StorageClass>GLACIER</StorageClass></Version>"
    )
}

fn marker(key: &str, id: &str, latest: bool, day: u32) -> String {
    format!(
        "<DeleteMarker><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
         <LastModified>2020-01-{day:02}T00:00:00.000Z</LastModified></DeleteMarker>"
    )
}

#[tokio::test]
async fn versions_and_delete_markers_come_in_s3s_order() {
    let first = version("a", "3", true, 3)
        + &marker("a", "2", false, 2)
        + &version("a", "1", false, 1)
        + &marker("b", "9", true, 9)
        + "<IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>\
           <NextVersionIdMarker>9</NextVersionIdMarker>";
    let second = version("b", "8", false, 8) + LAST;
    let raw = Raw::in_turn(vec![versions(&first), versions(&second)]).await;
    let pages = read_all(&raw, Listing::Versions).await.expect("right");
    let all: Vec<_> = pages.iter().flat_map(|page| &page.objects).collect();
    let ids: Vec<_> = all.iter().map(|object| object.version_id.as_deref()).collect();
    assert_eq!(ids, ["3", "2", "1", "9", "8"].map(Some));
    assert_eq!(all[0].standing, Standing::Current);
    assert!(all[1].delete_marker && all[3].delete_marker && !all[4].delete_marker);
    assert_eq!(all[4].class.as_str(), "GLACIER");
    let asked = &raw.asked()[1];
    assert!(asked.contains("key-marker=b") && asked.contains("version-id-marker=9"), "{asked}");
}

#[tokio::test]
async fn versions_out_of_order_or_without_their_marks_are_errors() {
    let cases = [
        version("b", "1", true, 1) + &version("a", "1", true, 1) + LAST,
        version("a", "1", true, 1) + &version("a", "1", false, 1) + LAST,
        version("a", "1", true, 1) + "<IsTruncated>true</IsTruncated>",
        version("a", "1", true, 1),
        version("a", "1", true, 1).replace("<IsLatest>true</IsLatest>", "") + LAST,
        version("a", "1", true, 1).replace("<VersionId>1</VersionId>", "") + LAST,
    ];
    for case in cases {
        let raw = Raw::always(versions(&case)).await;
        let error = read_all(&raw, Listing::Versions).await.expect_err(&case);
        assert_eq!(*error.kind(), ErrorKind::BadAnswer, "{case}: {error}");
    }
}

#[tokio::test]
async fn a_page_without_an_end_is_cut_off() {
    let begun = b"<ListBucketResult><Contents><Key>";
    let raw = Raw::always(Canned::ThenFlood(head_and("200 OK", begun))).await;
    let error = read_all(&raw, Listing::Current).await.map(drop).expect_err("no page");
    assert!(raw.flooded() < 100 << 20, "{} bytes were taken", raw.flooded());
    assert!(error.to_string().len() < 5_000, "{error:.300}");
}

/// Entities that stand for ten others each, thirty deep.
#[tokio::test]
async fn entities_that_multiply_are_an_error() {
    let ten = |n: i32| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10));
    let bomb: String = (1..30).map(ten).collect();
    let page = document(&(object("&a29;") + LAST));
    let bomb = page.replace("<ListB", &format!("<!DOCTYPE b [<!ENTITY a0 \"ha\">{bomb}]><ListB"));
    let raw = Raw::always(answer("200 OK", "", bomb)).await;
    read_all(&raw, Listing::Current).await.map(drop).expect_err("no such key");
}
