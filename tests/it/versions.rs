//! Buckets that keep versions: what is archived, what goes, and in which order.

use std::collections::BTreeSet;

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, Step, Versioning, World};

use crate::support::account::HOME_REGION;
use crate::support::bag::assert_valid_bag;
use crate::support::bed::TestBed;
use crate::support::scene::Scene;
use crate::support::servers::{ministack_account, moto_account};

const BUCKET: &str = "photos-2019";
const ALL: &str = r#"then = "delete-bucket", versions = "all""#;
const ALL_OBJECTS: &str = r#"then = "delete-objects", versions = "all""#;
const CONSENT: &str = r#"versions = "all", unconditional_deletes = "compare-first""#;

fn text(key: &str, body: &str, at: &str) -> ObjectSpec {
    ObjectSpec::text(key, body).last_modified(at)
}

/// Three versions of one key, a key that is hidden behind a marker, one from before versioning.
fn enabled() -> BucketSpec {
    BucketSpec::new(BUCKET)
        .versioning(Versioning::Enabled)
        .object(text("a", "one", "2024-01-01T00:00:00Z").version_id("null"))
        .object(text("a", "two", "2024-01-02T00:00:00Z"))
        .object(text("a", "three", "2024-01-03T00:00:00Z"))
        .object(text("hidden", "still there", "2024-01-01T00:00:00Z"))
        .object(ObjectSpec::marker("hidden").last_modified("2024-01-02T00:00:00Z"))
        .object(text("old", "from before", "2024-01-01T00:00:00Z").version_id("null"))
}

/// The same, switched off since: `now` is a current `null`, `under` a noncurrent one.
fn suspended() -> BucketSpec {
    BucketSpec::new(BUCKET)
        .versioning(Versioning::Suspended)
        .object(text("now", "kept its own id", "2024-01-01T00:00:00Z"))
        .object(text("now", "the null version", "2024-01-02T00:00:00Z").version_id("null"))
        .object(text("hidden", "still there", "2024-01-01T00:00:00Z"))
        .object(
            ObjectSpec::marker("hidden").version_id("null").last_modified("2024-01-02T00:00:00Z"),
        )
}

fn with_null_under(bucket: BucketSpec) -> BucketSpec {
    bucket
        .object(text("under", "from before", "2024-01-01T00:00:00Z").version_id("null"))
        .object(text("under", "with an id", "2024-01-02T00:00:00Z"))
}

fn world(bucket: BucketSpec) -> World {
    World::default().with(bucket)
}

/// The markers went after everything else.
#[track_caller]
fn assert_markers_went_last(scene: &Scene) {
    let order: Vec<bool> = scene.deletions().iter().map(|gone| gone.marker).collect();
    let first_marker = order.iter().position(|marker| *marker).unwrap_or(order.len());
    assert!(order[first_marker..].iter().all(|marker| *marker), "{:#?}", scene.deletions());
}

#[test]
fn every_version_of_an_enabled_bucket_is_archived_and_goes_by_its_id() {
    let scene = Scene::retiring(world(enabled()), ALL);
    scene.apply().exits(3);
    let archive = scene.bed.path(&format!("archive/{BUCKET}"));
    assert_eq!(scene.bed.read(&format!("archive/{BUCKET}/data/a")), "three");
    assert_valid_bag(&archive);
    let records = scene.bed.read(&format!("archive/{BUCKET}/metadata/objects.jsonl"));
    let records: Vec<serde_json::Value> =
        records.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records.len(), 6, "{records:#?}");
    let path = |record: &serde_json::Value| record["path"].as_str().map(str::to_owned);
    let texts: BTreeSet<String> = records
        .iter()
        .filter_map(|record| Some(scene.bed.read(&format!("archive/{BUCKET}/{}", path(record)?))))
        .collect();
    let expected = ["one", "two", "three", "still there", "from before"];
    assert_eq!(texts, expected.map(str::to_owned).into());
    let noncurrent = records.iter().filter_map(path).filter(|path| path.contains("^versions/"));
    assert_eq!(noncurrent.count(), 3, "two of `a`, and what the marker hides");
    let markers = records.iter().filter(|record| record["delete_marker"] == true);
    assert_eq!(markers.map(path).collect::<Vec<_>>(), [None]);

    scene.approve(BUCKET);
    scene.apply().exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
    assert!(scene.deletions().iter().all(|gone| gone.by_version), "{:#?}", scene.deletions());
    assert!(scene.deletions().iter().all(|gone| gone.marker || gone.served_whole));
    assert_markers_went_last(&scene);
}

#[test]
fn the_current_null_of_a_suspended_bucket_goes_by_its_etag_and_takes_its_marker_along() {
    let scene = Scene::retiring(world(suspended()), ALL);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
    let deletions = scene.deletions();
    let null = |gone: &&s3plan_sandbox::Deletion| {
        gone.pin.key == "now" && gone.pin.version_id == "null" && !gone.marker
    };
    let null = deletions.iter().find(null).expect("the null version went");
    assert!(null.condition.is_some() && !null.by_version, "{null:?}");
    scene.assert_deleted_with_care();
}

#[test]
fn a_noncurrent_null_of_a_suspended_bucket_is_kept_and_named_without_consent() {
    let scene = Scene::retiring(world(with_null_under(suspended())), ALL_OBJECTS);
    scene.apply_through_the_gate(BUCKET).exits(0).blames("noncurrent `null` version");
    assert_eq!(scene.left(BUCKET), ["under@null"]);
    scene.assert_deleted_with_care();
    // Nothing lies above it any more, so that its ETag is a condition that S3 compares.
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.left(BUCKET), [""; 0]);
    scene.assert_deleted_with_care();

    let retire = Scene::new(world(with_null_under(suspended())));
    let manifest = crate::support::story::manifest_of(&world(with_null_under(suspended())), ALL);
    retire.bed.write_manifest(&manifest);
    retire.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("called `null`");
}

#[test]
fn a_noncurrent_null_of_a_suspended_bucket_is_compared_first_with_consent() {
    let outcome = format!(r#"then = "delete-bucket", {CONSENT}"#);
    let scene = Scene::retiring(world(with_null_under(suspended())), &outcome);
    scene.apply().exits(3).blames("1 noncurrent `null` versions have no conditional delete");
    scene.approve(BUCKET);
    scene.apply().exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));

    // Overwritten right before the comparison: the new `null` survives.
    let scene = Scene::retiring(world(with_null_under(suspended())), &outcome);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let put = Effect::Script(vec![super::world::overwrite(BUCKET, "under")]);
    scene.sandbox.add_fault(Rule::on("HeadObject").key("under").then(put));
    scene.apply().exits(4).blames("under");
    let content = scene.sandbox.content(BUCKET, "under", Some("null")).expect("it survives");
    assert_eq!(content, super::world::OVERWRITTEN.as_bytes());
}

/// A marker that goes while a version stays would bring that version back to life.
#[test]
fn a_marker_over_a_version_that_stays_is_kept() {
    let held = text("hidden", "held", "2024-01-01T00:00:00Z").legal_hold();
    let bucket = BucketSpec::new(BUCKET)
        .object_lock()
        .object(held)
        .object(ObjectSpec::marker("hidden").last_modified("2024-01-02T00:00:00Z"))
        .object(text("gone", "gone", "2024-01-01T00:00:00Z"))
        .object(ObjectSpec::marker("gone").last_modified("2024-01-02T00:00:00Z"));
    let scene = Scene::retiring(world(bucket), ALL_OBJECTS);
    scene.apply_through_the_gate(BUCKET).exits(1).blames("without this marker");
    let left = scene.left(BUCKET);
    assert!(left.len() == 2 && left.iter().all(|left| left.starts_with("hidden@")), "{left:?}");
    assert_eq!(scene.sandbox.snapshot()[BUCKET].keys(), [""; 0], "nothing came back to life");
}

const AGAIN: [&str; 3] = ["plan", "manifest.toml", "--detailed-exitcode"];

/// What is wanted to stay is named in the plan and no action: some day there is nothing left to do.
#[test]
fn what_is_kept_is_named_in_the_plan_and_never_planned_again() {
    let marker = |key: &str| ObjectSpec::marker(key).last_modified("2024-01-03T00:00:00Z");
    let opaque = |key: &str| text(key, "opaque", "2024-01-01T00:00:00Z").sse("aws:kms");
    let bucket = BucketSpec::new(BUCKET)
        .versioning(Versioning::Enabled)
        .object(opaque("opaque"))
        .object(text("opaque", "plain", "2024-01-02T00:00:00Z"))
        .object(marker("opaque"))
        .object(text("plain", "plain", "2024-01-01T00:00:00Z"))
        .object(marker("plain"))
        .object(text("secret/x", "left out", "2024-01-01T00:00:00Z"))
        .object(marker("secret/x"))
        .object(marker("secret/y"));
    let outcome = format!(r#"{ALL_OBJECTS}, exclude = ["secret/**"]"#);
    let scene = Scene::retiring(world(bucket), &outcome);
    scene.apply_through_the_gate(BUCKET).exits(0).blames("without this marker");
    let left = scene.left(BUCKET);
    let of = |key: &str| left.iter().filter(|left| left.starts_with(key)).count();
    assert_eq!((of("opaque@"), of("plain@"), of("secret/")), (2, 0, 3), "{left:?}");
    let again = scene.bed.s3plan(AGAIN).exits(0).says("nothing to do");
    let again = again.says("kept in S3: 1 object, nothing that S3 holds proves them: \"opaque\"");
    again.says("kept in S3: 1 delete marker, a version below them stays: \"opaque\"");
}

/// Kept for one reason or for the other: each is counted once, so that none is planned to go.
#[test]
fn what_is_kept_for_different_reasons_is_counted_once_each() {
    let opaque = text("opaque", "opaque", "2024-01-01T00:00:00Z").sse("aws:kms");
    // Something that stays lies above the `null` version, so that nothing ever makes it current.
    let bucket = BucketSpec::new(BUCKET)
        .versioning(Versioning::Suspended)
        .object(opaque)
        .object(text("under", "from before", "2024-01-01T00:00:00Z").version_id("null"))
        .object(text("under", "with an id", "2024-01-02T00:00:00Z").sse("aws:kms"));
    let scene = Scene::retiring(world(bucket), ALL_OBJECTS);
    // No listing tells that these are no MD5s, so that the first plan hopes for more.
    scene.apply_through_the_gate(BUCKET).exits(0);
    scene.assert_nothing_lost();
    let again = scene.bed.s3plan(AGAIN).exits(0).says("nothing to do");
    let again = again.says("2 objects, nothing that S3 holds proves them: \"opaque\", \"under\"");
    again.says("1 noncurrent `null` version, S3 has no conditional delete for them: \"under\"");
}

/// An outcome that allows more does not make a proof of what was archived without one.
#[test]
fn what_was_archived_without_proof_goes_only_once_it_was_fetched_anew() {
    let opaque = || text("opaque", "opaque", "2024-01-01T00:00:00Z").sse("aws:kms");
    let bucket = || BucketSpec::new(BUCKET).object(opaque());
    let keep = r#"then = "delete-objects""#;
    let twice = r#"then = "delete-objects", unprovable = "twice""#;
    let scene = Scene::retiring(world(bucket()), keep);
    scene.apply_through_the_gate(BUCKET).exits(0);
    scene.assert_nothing_lost();
    let replan = |outcome: &str| {
        let manifest = crate::support::story::manifest_of(&world(bucket()), outcome);
        scene.bed.write_manifest(&manifest);
        scene.bed.s3plan(AGAIN)
    };
    replan(twice).exits(0).says("kept in S3: 1 object");
    let retire = r#"then = "delete-bucket", unprovable = "twice""#;
    replan(retire).exits(5).blames("s3plan state reset");
    scene.bed.s3plan(["state", "reset", BUCKET, "--yes"]).exits(0);
    replan(twice).exits(2);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.left(BUCKET), [""; 0]);
    // And one that allows less keeps what was proven by less.
    let scene = Scene::retiring(world(bucket()), r#"then = "keep", unprovable = "size""#);
    scene.apply().exits(0);
    let manifest = crate::support::story::manifest_of(&world(bucket()), twice);
    scene.bed.write_manifest(&manifest);
    scene.bed.s3plan(AGAIN).exits(0).says("kept in S3: 1 object");
    scene.assert_nothing_lost();
}

/// An object that took the place of a `null` marker must not go in its stead.
#[test]
fn an_object_in_the_place_of_a_null_marker_survives() {
    let scene = Scene::retiring(world(suspended()), ALL_OBJECTS);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let put = Effect::Script(vec![super::world::overwrite(BUCKET, "hidden")]);
    scene.sandbox.add_fault(Rule::on("DeleteObjects").nth(1).then(put));
    scene.apply().exits(4).blames("hidden");
    let content = scene.sandbox.content(BUCKET, "hidden", None).expect("it survives");
    assert_eq!(content, super::world::OVERWRITTEN.as_bytes());
}

/// Killed between the delete of a `null` version and that of the marker that it left.
#[test]
fn a_marker_that_a_broken_run_left_is_taken_along_by_the_next() {
    let scene = Scene::retiring(world(suspended()), ALL);
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let denied = Effect::answer(403, "AccessDenied");
    scene.sandbox.add_fault(Rule::on("HeadObject").key("now").then(denied));
    scene.apply().exits(1);
    assert!(scene.left(BUCKET).contains(&"now@null!".to_owned()), "{:?}", scene.left(BUCKET));
    scene.sandbox.clear_faults();
    scene.apply().exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
}

/// W9: versioning switched on or off while a plan waits, and in the middle of its deletions.
#[test]
fn versioning_that_was_switched_makes_the_plan_stale() {
    for (bucket, state, outcome) in [
        (enabled(), Versioning::Suspended, ALL_OBJECTS),
        (suspended(), Versioning::Enabled, ALL_OBJECTS),
        (BucketSpec::new(BUCKET).text("a", "1"), Versioning::Enabled, r#"then = "delete-objects""#),
        (
            BucketSpec::new(BUCKET).text("a", "1"),
            Versioning::Suspended,
            r#"then = "delete-objects""#,
        ),
    ] {
        let switch = Step::Versioning { bucket: BUCKET.into(), state };
        let waits = Scene::retiring(world(bucket.clone()), outcome);
        waits.apply().exits(3);
        waits.approve(BUCKET);
        waits.sandbox.step(&switch);
        waits.apply().exits(4).blames("versioning");
        waits.assert_nothing_lost();

        // In the middle: after the run has looked whether the plan is still true.
        let runs = Scene::retiring(world(bucket), outcome);
        runs.apply().exits(3);
        runs.approve(BUCKET);
        let rule = Rule::on("GetBucketVersioning").nth(1);
        runs.sandbox.add_fault(rule.then(Effect::ScriptAfter(vec![switch])));
        runs.apply().exits(4).blames("versioning");
        runs.assert_nothing_lost();
    }
}

/// Switched on between the last look and the delete: a delete by key only hides the object, so it
/// is brought back.
#[test]
fn a_delete_that_only_hid_an_object_is_taken_back() {
    let scene = Scene::retiring(
        world(BucketSpec::new(BUCKET).text("a", "1").text("b", "2")),
        r#"then = "delete-objects""#,
    );
    scene.apply().exits(3);
    scene.approve(BUCKET);
    let state = Versioning::Enabled;
    let switch = Effect::Script(vec![Step::Versioning { bucket: BUCKET.into(), state }]);
    scene.sandbox.add_fault(Rule::on("DeleteObjects").nth(1).then(switch));
    scene.apply().exits(4).blames("versioning was switched on");
    assert!(scene.deletions().iter().all(|gone| gone.marker), "{:#?}", scene.deletions());
    assert_eq!(scene.sandbox.snapshot()[BUCKET].keys(), ["a", "b"]);
}

#[test]
fn current_versions_alone_are_never_planned_to_go_from_over_older_ones() {
    let scene = Scene::new(world(enabled()));
    let outcome = r#"then = "delete-objects""#;
    scene.bed.write_manifest(&crate::support::story::manifest_of(&world(enabled()), outcome));
    let refused = scene.bed.s3plan(["plan", "manifest.toml"]).exits(5);
    refused.blames("noncurrent versions").blames("versions = \"all\"");
}

/// The same life on third parties' servers.
#[tokio::test]
async fn on_third_parties_servers_every_version_is_archived_and_goes() {
    use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
    for account in [moto_account(), ministack_account()] {
        let s3 = account.s3(HOME_REGION);
        let name = "every-version";
        s3.create_bucket().bucket(name).send().await.expect("a bucket");
        let put = async |key: &str, body: &str| {
            let put = s3.put_object().bucket(name).key(key).body(body.as_bytes().to_vec().into());
            put.send().await.expect("an object");
        };
        put("old", "from before").await;
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
        let on = s3.put_bucket_versioning().bucket(name).versioning_configuration(on.build());
        on.send().await.expect("versioning");
        put("a", "one").await;
        put("a", "two").await;
        put("hidden", "still there").await;
        s3.delete_object().bucket(name).key("hidden").send().await.expect("a marker");

        let bed = TestBed::on(&account);
        bed.write_manifest(&format!(
            "[account]\nid = \"{}\"\n[bucket.{name}]\narchive = {{ to = \"archive\", {ALL} }}\n",
            account.id
        ));
        bed.s3plan(["plan", "manifest.toml"]).exits(0).says("1 delete marker");
        bed.s3plan(["apply", "--yes"]).exits(3);
        assert_eq!(bed.read("archive/data/a"), "two");
        assert_valid_bag(&bed.path("archive"));
        let status = bed.s3plan(["status", "--json"]).exits(0).json();
        let evidence = status["buckets"][0]["evidence"].as_str().expect("an open gate").to_owned();
        bed.s3plan(["approve", &format!("{name}@{evidence}")]).exits(0);
        bed.s3plan(["apply", "--yes"]).exits(0);
        let head = s3.head_bucket().bucket(name).send().await;
        assert!(head.is_err(), "{}: the bucket is gone", account.server);
    }
}
