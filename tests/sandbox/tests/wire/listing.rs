//! Listings: order, pages, encodings, versions.

use s3plan_sandbox::{BucketSpec, Modes, ObjectSpec, Sandbox, UploadSpec, Versioning, World};

use crate::client::{Client, Reply};

fn list<'a>(client: &'a Client<'a>, query: &[(&str, &str)]) -> Reply {
    let ask = client.get("photos").query("list-type", "2");
    query.iter().fold(ask, |ask, (name, value)| ask.query(name, value)).send()
}

#[test]
fn pages_add_up_in_byte_order_and_rows_mix_with_plain_keys() {
    let bucket = BucketSpec::new("photos")
        .object(ObjectSpec::sized("logs/{n}", "10B").count(2_500))
        .object(ObjectSpec::sized("logs/0{n}x", "10B").count(10))
        .text("logs/0007+", "odd")
        .text("\u{10000}", "after")
        .text("\u{ffee}", "before: bytes, not code units");
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let (mut keys, mut token) = (Vec::new(), String::new());
    loop {
        let mut query = vec![("max-keys", "700")];
        if !token.is_empty() {
            query.push(("continuation-token", &token));
        }
        let page = list(&alice, &query);
        assert_eq!(page.first("KeyCount"), page.all("Key").len().to_string());
        keys.extend(page.all("Key"));
        token = page.first("NextContinuationToken");
        assert_eq!(page.first("IsTruncated") == "true", !token.is_empty());
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(keys.len(), 2_513);
    let mut sorted = keys.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(keys, sorted);
    assert_eq!(sandbox.witness().count("ListObjectsV2"), 4);
    let later = list(&alice, &[("start-after", "logs/2498"), ("max-keys", "1")]);
    assert_eq!(later.all("Key"), ["logs/2499"]);
    let prefix = list(&alice, &[("prefix", "logs/0007")]);
    assert_eq!(prefix.all("Key"), ["logs/0007", "logs/0007+"]);
}

#[test]
fn odd_keys_survive_only_with_url_encoding() {
    let key = "a\u{1} +%2B/\r\n<&>é";
    let sandbox = Sandbox::start(World::default().with(BucketSpec::new("photos").text(key, "x")));
    let alice = Client::alice(&sandbox);
    let coded = list(&alice, &[("encoding-type", "url")]);
    assert_eq!(coded.first("EncodingType"), "url");
    assert_eq!(coded.first("Key"), "a%01+%2B%252B/%0D%0A%3C%26%3E%C3%A9");
    let plain = list(&alice, &[]);
    assert_eq!(plain.first("EncodingType"), "");
    assert_eq!(plain.first("Key"), "a&#x1; +%2B/&#xd;\n&lt;&amp;&gt;é");
    assert_eq!(alice.get(&format!("photos/{key}")).send().text(), "x");
}

#[test]
fn a_delimiter_rolls_up_and_goes_on_behind_the_prefix() {
    let bucket =
        BucketSpec::new("photos").text("a/1", "").text("a/2", "").text("b", "").text("c/3", "");
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let whole = list(&alice, &[("delimiter", "/")]);
    assert_eq!(whole.all("Key"), ["b"]);
    assert_eq!(whole.first("KeyCount"), "3");
    let page = list(&alice, &[("delimiter", "/"), ("max-keys", "1")]);
    let token = page.first("NextContinuationToken");
    let next = list(&alice, &[("delimiter", "/"), ("continuation-token", &token)]);
    assert_eq!((next.all("Key"), next.first("KeyCount")), (vec!["b".to_owned()], "2".into()));
    let wrong = list(&alice, &[("continuation-token", "!")]);
    assert_eq!(wrong.refusal(), (400, "InvalidArgument".into()));
}

#[test]
fn versions_come_newest_first_and_pages_break_inside_a_key() {
    let bucket = BucketSpec::new("photos")
        .versioning(Versioning::Enabled)
        .object(ObjectSpec::text("k", "one").version_id("null"))
        .text("k", "two")
        .object(ObjectSpec::marker("k"))
        .text("z", "last");
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    assert_eq!(list(&alice, &[]).all("Key"), ["z"]);
    let whole = alice.get("photos").query("versions", "").send();
    assert_eq!(whole.all("Key"), ["k", "k", "k", "z"]);
    assert_eq!(whole.all("IsLatest"), ["true", "false", "false", "true"]);
    assert!(whole.text().find("<DeleteMarker>") < whole.text().find("<Version>"));
    let (mut ids, mut key, mut id) = (Vec::new(), String::new(), String::new());
    for _ in 0..4 {
        let mut ask = alice.get("photos").query("versions", "").query("max-keys", "1");
        if !key.is_empty() {
            ask = ask.query("key-marker", &key).query("version-id-marker", &id);
        }
        let page = ask.send();
        ids.extend(page.all("VersionId"));
        (key, id) = (page.first("NextKeyMarker"), page.first("NextVersionIdMarker"));
    }
    assert_eq!(ids, whole.all("VersionId"));
    assert_eq!(ids[2], "null");
    assert!(key.is_empty(), "the last page is the last");
}

#[test]
fn restore_status_is_listed_only_when_asked_and_not_hidden_by_the_mode() {
    let cold = |modes| {
        let bucket = BucketSpec::new("photos").modes(modes).object(
            ObjectSpec::text("cold", "x")
                .class("GLACIER")
                .restore(s3plan_sandbox::RestoreSpec::InProgress),
        );
        Sandbox::start(World::default().with(bucket))
    };
    let status = |sandbox: &Sandbox, asked: bool| {
        let alice = Client::alice(sandbox);
        let mut ask = alice.get("photos").query("list-type", "2");
        if asked {
            ask = ask.header("x-amz-optional-object-attributes", "RestoreStatus");
        }
        ask.send().first("IsRestoreInProgress")
    };
    let sandbox = cold(Modes::default());
    assert_eq!(status(&sandbox, true), "true");
    assert_eq!(status(&sandbox, false), "");
    let silent = cold(Modes { no_restore_status: true, ..Modes::default() });
    assert_eq!(status(&silent, true), "");
}

#[test]
fn uploads_in_progress_are_listed_in_pages() {
    let bucket =
        BucketSpec::new("photos").upload(UploadSpec::new("a")).upload(UploadSpec::new("b"));
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let page = alice.get("photos").query("uploads", "").query("max-uploads", "1").send();
    assert_eq!((page.all("Key"), page.first("IsTruncated")), (vec!["a".into()], "true".into()));
    let (key, id) = (page.first("NextKeyMarker"), page.first("NextUploadIdMarker"));
    let rest = alice.get("photos").query("uploads", "");
    let rest = rest.query("key-marker", &key).query("upload-id-marker", &id).send();
    assert_eq!((rest.all("Key"), rest.first("IsTruncated")), (vec!["b".into()], "false".into()));
}

#[test]
fn a_million_objects_cost_nothing_until_they_are_looked_at() {
    let bucket =
        BucketSpec::new("photos").object(ObjectSpec::sized("{n}", "1MiB").count(1_000_000));
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let page = list(&alice, &[("start-after", "499999"), ("max-keys", "2")]);
    assert_eq!(page.all("Key"), ["500000", "500001"]);
    assert_eq!(alice.delete("photos/500000").send().status, 204);
    assert_eq!(
        list(&alice, &[("start-after", "499999"), ("max-keys", "1")]).all("Key"),
        ["500001"]
    );
    assert_eq!(alice.put("photos/500001", "new").send().status, 200);
    assert_eq!(alice.get("photos/500001").send().text(), "new");
    assert_eq!(
        list(&alice, &[("start-after", "500000"), ("max-keys", "1")]).all("Key"),
        ["500001"]
    );
}
