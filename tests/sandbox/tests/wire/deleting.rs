//! Deletions: conditions, batches, locks, MFA, and what the witness makes of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use s3plan_sandbox::{
    BucketSpec, Modes, ObjectSpec, RetentionMode, RetentionSpec, Sandbox, Versioning, World,
};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, Reply};

const HELLO: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

fn batch(client: &Client, entries: &str) -> Reply {
    let body = format!("<Delete>{entries}</Delete>");
    let sum = BASE64.encode(Sha256::digest(&body));
    client.post("photos", body).query("delete", "").header("x-amz-checksum-sha256", &sum).send()
}

fn entry(key: &str, etag: &str) -> String {
    format!("<Object><Key>{key}</Key><ETag>{}</ETag></Object>", etag.replace('"', "&quot;"))
}

#[test]
fn a_condition_saves_what_has_changed() {
    let sandbox = Sandbox::start(
        World::default().with(BucketSpec::new("photos").text("a", "hello").text("b", "hello")),
    );
    let alice = Client::alice(&sandbox);
    let wrong = alice.delete("photos/a").header("if-match", "\"00\"").send();
    assert_eq!(wrong.refusal(), (412, "PreconditionFailed".into()));
    let gone = alice.delete("photos/none").header("if-match", HELLO).send();
    assert_eq!(gone.refusal(), (404, "NoSuchKey".into()));
    assert_eq!(alice.delete("photos/none").send().status, 204);
    let answer =
        batch(&alice, &(entry("a", "\"00\"") + &entry("b", HELLO) + &entry("none", HELLO)));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.all("Code"), ["PreconditionFailed", "NoSuchKey"]);
    assert_eq!(sandbox.snapshot()["photos"].keys(), ["a"]);
    let deletions = sandbox.witness().deletions();
    assert_eq!(deletions.len(), 1);
    assert!(deletions[0].is_pinned() && !deletions[0].served_whole);
    alice.get("photos/a").send();
    assert_eq!(alice.delete("photos/a").header("if-match", HELLO).send().status, 204);
    assert!(sandbox.witness().deletions()[1].served_whole);
    assert_eq!(sandbox.witness().deleted_unserved().len(), 1);
    assert!(sandbox.witness().deleted_unpinned().is_empty());
}

#[test]
fn a_careless_account_deletes_in_spite_of_the_condition() {
    let modes = Modes { ignore_delete_condition: true, ..Modes::default() };
    let sandbox = Sandbox::start(
        World::default()
            .modes(modes)
            .with(BucketSpec::new("photos").text("a", "hello").text("b", "hello")),
    );
    let alice = Client::alice(&sandbox);
    assert_eq!(alice.delete("photos/a").header("if-match", "\"00\"").send().status, 204);
    assert_eq!(batch(&alice, &entry("b", "\"00\"")).all("Code"), ["PreconditionFailed"]);
    assert_eq!(sandbox.snapshot()["photos"].keys(), ["b"]);
}

#[test]
fn a_batch_has_a_digest_and_at_most_a_thousand_entries() {
    let sandbox = Sandbox::start(World::default().with(BucketSpec::new("photos")));
    let alice = Client::alice(&sandbox);
    let bare = alice
        .post("photos", "<Delete><Object><Key>a</Key></Object></Delete>")
        .query("delete", "")
        .send();
    assert_eq!(bare.refusal(), (400, "InvalidRequest".into()));
    let many =
        |count| (0..count).map(|n| format!("<Object><Key>{n}</Key></Object>")).collect::<String>();
    assert_eq!(batch(&alice, &many(1001)).refusal(), (400, "MalformedXML".into()));
    assert_eq!(batch(&alice, &many(1000)).all("Deleted").len(), 1000);
    assert_eq!(batch(&alice, &format!("<Quiet>true</Quiet>{}", many(3))).all("Deleted").len(), 0);
    assert_eq!(batch(&alice, "<Object>").refusal(), (400, "MalformedXML".into()));
}

#[test]
fn a_batch_does_nothing_to_keys_that_xml_cannot_carry() {
    let sandbox =
        Sandbox::start(World::default().with(BucketSpec::new("photos").text("a\u{1}", "x")));
    let alice = Client::alice(&sandbox);
    let answer = batch(&alice, "<Object><Key>a&#x1;</Key></Object>");
    assert_eq!(answer.status, 200);
    assert_eq!(sandbox.snapshot()["photos"].keys(), ["a\u{1}"]);
    assert_eq!(alice.delete("photos/a\u{1}").send().status, 204);
    assert!(sandbox.snapshot()["photos"].keys().is_empty());
}

#[test]
fn held_versions_stay_and_markers_come_all_the_same() {
    let mut governed = ObjectSpec::text("gov", "x").version_id("g1");
    governed.retention = Some(RetentionSpec {
        mode: RetentionMode::Governance,
        until: "2030-01-01T00:00:00Z".parse().unwrap(),
    });
    let mut complied = ObjectSpec::text("comp", "x").version_id("c1");
    complied.retention = Some(RetentionSpec {
        mode: RetentionMode::Compliance,
        until: "2030-01-01T00:00:00Z".parse().unwrap(),
    });
    let bucket = BucketSpec::new("photos")
        .object_lock()
        .object(ObjectSpec::text("held", "x").version_id("h1").legal_hold())
        .object(governed)
        .object(complied);
    let sandbox = Sandbox::start(World::default().now("2024-06-01T00:00:00Z").with(bucket));
    let alice = Client::alice(&sandbox);
    let delete = |key: &str, id: &str, bypass: bool| {
        let ask = alice.delete(key).query("versionId", id);
        if bypass { ask.header("x-amz-bypass-governance-retention", "true") } else { ask }
            .send()
            .status
    };
    assert_eq!(delete("photos/held", "h1", true), 403);
    assert_eq!(delete("photos/gov", "g1", false), 403);
    assert_eq!(delete("photos/comp", "c1", true), 403);
    assert_eq!(alice.delete("photos/comp").send().status, 204);
    assert_eq!(delete("photos/gov", "g1", true), 204);
    let held = batch(&alice, "<Object><Key>held</Key><VersionId>h1</VersionId></Object>");
    assert_eq!(held.all("Code"), ["AccessDenied"]);
    assert_eq!(alice.head("photos/held").send().header("x-amz-object-lock-legal-hold"), Some("ON"));
    sandbox.advance(std::time::Duration::from_secs(6 * 366 * 86_400));
    assert_eq!(delete("photos/comp", "c1", false), 204, "the date has passed");
}

#[test]
fn a_condition_is_about_the_current_version_even_when_another_is_named() {
    let bucket = BucketSpec::new("photos")
        .versioning(Versioning::Enabled)
        .object(ObjectSpec::text("a", "hello").version_id("v1"))
        .object(ObjectSpec::text("a", "new").version_id("v2"));
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let ask = || alice.delete("photos/a").query("versionId", "v1");
    assert_eq!(ask().header("if-match", HELLO).send().status, 412);
    assert_eq!(ask().send().status, 204);
    assert!(sandbox.witness().deletions()[0].is_pinned());
}

#[test]
fn mfa_delete_refuses_versions_and_whole_batches() {
    let mut bucket = BucketSpec::new("photos")
        .versioning(Versioning::Enabled)
        .object(ObjectSpec::text("a", "x").version_id("v1"));
    bucket.mfa_delete = true;
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    assert_eq!(alice.get("photos").query("versioning", "").send().first("MfaDelete"), "Enabled");
    assert_eq!(alice.delete("photos/a").query("versionId", "v1").send().status, 403);
    let mixed = batch(
        &alice,
        "<Object><Key>b</Key></Object><Object><Key>a</Key><VersionId>v1</VersionId></Object>",
    );
    assert_eq!(mixed.refusal(), (403, "AccessDenied".into()));
    assert_eq!(alice.delete("photos/a").send().status, 204, "a marker needs no MFA");
}
