//! Restores by the account's clock.

use std::time::Duration;

use s3plan_sandbox::{BucketSpec, Modes, ObjectSpec, Sandbox, World};

use crate::client::{Client, Reply, control};

const HOUR: u64 = 3600;

fn account(modes: Modes) -> Sandbox {
    let mut int = ObjectSpec::text("int", "i").class("INTELLIGENT_TIERING");
    int.archive_status = Some("ARCHIVE_ACCESS".into());
    let bucket = BucketSpec::new("photos")
        .text("warm", "w")
        .object(ObjectSpec::text("instant", "w").class("GLACIER_IR"))
        .object(ObjectSpec::text("cold", "c").class("GLACIER"))
        .object(ObjectSpec::text("deep", "d").class("DEEP_ARCHIVE"))
        .object(int);
    let world = World { speed: 0.0, ..World::default() };
    Sandbox::start(world.now("2024-10-15T10:30:00Z").modes(modes).with(bucket))
}

fn restore(client: &Client, key: &str, days: Option<u32>, tier: &str) -> Reply {
    let days = days.map(|days| format!("<Days>{days}</Days>")).unwrap_or_default();
    let body = format!(
        "<RestoreRequest>{days}<GlacierJobParameters><Tier>{tier}</Tier></GlacierJobParameters></RestoreRequest>"
    );
    client.post(&format!("photos/{key}"), body).query("restore", "").send()
}

#[test]
fn a_restore_takes_its_tiers_time_and_ends_at_midnight() {
    let sandbox = account(Modes::default());
    let alice = Client::alice(&sandbox);
    let refused = alice.get("photos/deep").send();
    assert_eq!(refused.refusal(), (403, "InvalidObjectState".into()));
    assert_eq!(refused.first("StorageClass"), "DEEP_ARCHIVE");
    assert_eq!(alice.head("photos/deep").send().status, 200);
    assert_eq!(restore(&alice, "deep", Some(3), "Bulk").status, 202);
    assert_eq!(
        restore(&alice, "deep", Some(3), "Bulk").refusal(),
        (409, "RestoreAlreadyInProgress".into())
    );
    sandbox.advance(Duration::from_secs(48 * HOUR - 1));
    assert_eq!(
        alice.head("photos/deep").send().header("x-amz-restore"),
        Some("ongoing-request=\"true\"")
    );
    assert_eq!(alice.get("photos/deep").send().status, 403);
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(
        alice.head("photos/deep").send().header("x-amz-restore"),
        Some("ongoing-request=\"false\", expiry-date=\"Sat, 19 Oct 2024 00:00:00 GMT\"")
    );
    assert_eq!(alice.get("photos/deep").send().text(), "d");
    assert_eq!(
        restore(&alice, "deep", Some(1), "Bulk").status,
        200,
        "a copy is there: its end moves"
    );
    assert!(alice.head("photos/deep").send().header("x-amz-restore").unwrap().contains("19 Oct"));
    let turned = control(&sandbox, "POST", "clock/advance", "{\"seconds\": 172800}");
    assert!(turned.text().contains("2024-10-19T10:30:00Z"), "{}", turned.text());
    assert_eq!(alice.head("photos/deep").send().header("x-amz-restore"), None);
    assert_eq!(alice.get("photos/deep").send().status, 403, "it has lapsed");
}

#[test]
fn a_running_restore_takes_only_a_faster_tier() {
    let sandbox = account(Modes::default());
    let alice = Client::alice(&sandbox);
    assert_eq!(restore(&alice, "cold", Some(2), "Bulk").status, 202);
    assert_eq!(restore(&alice, "cold", Some(3), "Expedited").status, 409, "other days");
    assert_eq!(restore(&alice, "cold", Some(2), "Expedited").status, 202);
    sandbox.advance(Duration::from_secs(300));
    assert_eq!(alice.get("photos/cold").send().status, 200);
}

#[test]
fn what_cannot_be_restored_says_why() {
    let sandbox = account(Modes::default());
    let alice = Client::alice(&sandbox);
    let refusal = |key: &str, days, tier: &str| restore(&alice, key, days, tier).refusal();
    assert_eq!(refusal("warm", Some(1), "Bulk"), (403, "InvalidObjectState".into()));
    assert_eq!(refusal("instant", Some(1), "Bulk"), (403, "InvalidObjectState".into()));
    assert_eq!(refusal("deep", Some(1), "Expedited"), (400, "InvalidArgument".into()));
    assert_eq!(refusal("cold", None, "Bulk").0, 400);
    assert_eq!(refusal("cold", Some(0), "Bulk").0, 400);
    assert_eq!(refusal("int", Some(1), "Bulk").0, 400);
    assert_eq!(refusal("none", Some(1), "Bulk"), (404, "NoSuchKey".into()));
}

#[test]
fn an_intelligent_tiering_object_moves_for_good() {
    let sandbox = account(Modes::default());
    let alice = Client::alice(&sandbox);
    assert_eq!(
        alice.head("photos/int").send().header("x-amz-archive-status"),
        Some("ARCHIVE_ACCESS")
    );
    assert_eq!(alice.get("photos/int").send().first("AccessTier"), "ARCHIVE_ACCESS");
    assert_eq!(restore(&alice, "int", None, "Standard").status, 202);
    sandbox.advance(Duration::from_secs(5 * HOUR));
    let head = alice.head("photos/int").send();
    assert_eq!((head.header("x-amz-archive-status"), head.header("x-amz-restore")), (None, None));
    sandbox.advance(Duration::from_secs(1000 * HOUR));
    assert_eq!(alice.get("photos/int").send().text(), "i");
    assert_eq!(restore(&alice, "int", None, "Bulk").refusal().1, "ObjectAlreadyInActiveTierError");
}

#[test]
fn a_hasty_account_restores_at_once() {
    let sandbox = account(Modes { restore_at_once: true, ..Modes::default() });
    let alice = Client::alice(&sandbox);
    assert_eq!(restore(&alice, "deep", Some(1), "Bulk").status, 202);
    assert_eq!(alice.get("photos/deep").send().status, 200);
}
