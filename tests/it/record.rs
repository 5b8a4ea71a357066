//! An apply that lasts days, and the record that is left of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use s3plan_sandbox::{
    BucketSpec, Effect, Modes, ObjectSpec, Rule, Step, UploadSpec, Versioning, World,
};
use serde_json::Value;

use crate::support::bed::TestBed;
use crate::support::job::{
    RETIRE_BOTH, approve_both, audit_log, gate, mixed_world, planned, status,
};
use crate::support::scene::Scene;

/// What changes something in AWS, and how many requests of it were answered well.
fn mutations(scene: &Scene) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for seen in scene.sandbox.witness().mutations() {
        if seen.status.is_some_and(|status| status < 300) {
            *counts.entry(seen.op).or_insert(0) += 1;
        }
    }
    counts
}

#[test]
fn every_mutation_is_on_record_with_its_request_id() {
    let scene = planned();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    approve_both(&scene.bed);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);

    let mut recorded: BTreeMap<String, usize> = BTreeMap::new();
    for line in audit_log(&scene.bed) {
        let operation = line["operation"].as_str().expect("an operation");
        if operation.starts_with(char::is_uppercase) {
            let several = line["request_ids"].as_array().map_or(0, Vec::len);
            let one = usize::from(line["request_id"].is_string());
            // What the probe sends is refused: that is what it is for, and nothing is changed.
            let probed = line["action"].as_str().is_some_and(|id| id.ends_with("/probe-deletes"));
            let refused = usize::from(probed && operation == "DeleteObjects" && one == 0);
            *recorded.entry(operation.to_owned()).or_default() += one + several + refused;
        }
    }
    assert_eq!(recorded, mutations(&scene));
}

/// The other ways in which something is changed: markers that follow a delete, deletes one by one,
/// deletes that are compared first, policies that come and go. What S3 says it did stands in the audit
/// log under the id that S3 gave it.
#[test]
fn every_request_that_changed_something_is_on_record_by_its_id() {
    let bucket = || BucketSpec::new("photos-2019").text("a.jpg", "first").text("b.jpg", "second");
    let suspended = BucketSpec::new("photos-2019")
        .versioning(Versioning::Suspended)
        .object(ObjectSpec::text("now", "the null version").version_id("null"))
        .object(ObjectSpec::marker("hidden").version_id("null"));
    let single = Modes { ignore_batch_delete_condition: true, ..Modes::default() };
    let neither = Modes { ignore_delete_condition: true, ..single };
    let by_hand = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
        "Action": "s3:PutObjectAcl", "Resource": "arn:aws:s3:::photos-2019/*"}}"#;
    let everything = "then = \"delete-bucket\", versions = \"all\"";
    let compared = format!("{everything}, unconditional_deletes = \"compare-first\"");
    let archive = |more: &str| format!("archive = {{ to = \"archive\", {more} }}");
    let locked = format!("policy = {{ lock_to = \"me\" }}\n{}", archive(everything));
    for (told, world, outcome) in [
        ("markers", World::default().with(suspended), archive(everything)),
        ("one by one", World::default().modes(single).with(bucket()), archive(everything)),
        ("compared", World::default().modes(neither).with(bucket()), archive(&compared)),
        ("locked", World::default().with(bucket().policy(by_hand)), locked),
        (
            "freed",
            World::default().with(bucket().policy(by_hand)),
            "policy = { none = true }".into(),
        ),
    ] {
        let scene = Scene::new(world).planned(&format!(
            "[account]\nid = \"123456789012\"\n\n[bucket.photos-2019]\n{outcome}\n"
        ));
        let first = scene.bed.s3plan(["apply", "--yes"]);
        if first.code == Some(3) {
            scene.bed.s3plan(["approve", &gate(&scene.bed, "photos-2019")]).exits(0);
            scene.bed.s3plan(["apply", "--yes"]).exits(0);
        } else {
            scene.bed.s3plan(["policy", "rollback", "photos-2019", "--yes"]).exits(0);
        }
        let seen = scene.sandbox.witness().mutations();
        let changed: BTreeSet<&str> = seen
            .iter()
            .filter(|seen| seen.status.is_some_and(|status| status < 300))
            .map(|seen| seen.request_id.as_str())
            .collect();
        assert!(changed.len() > 1, "{told}");
        let log = audit_log(&scene.bed);
        let recorded: BTreeSet<&str> = log.iter().flat_map(request_ids).collect();
        let lost: Vec<_> = changed.difference(&recorded).collect();
        let lost: Vec<_> = seen.iter().filter(|s| lost.contains(&&s.request_id.as_str())).collect();
        assert!(lost.is_empty(), "{told}: {lost:#?}");
        // Nor does it tell of requests that nobody sent.
        let sent: BTreeSet<&str> = seen.iter().map(|seen| seen.request_id.as_str()).collect();
        assert!(recorded.is_subset(&sent), "{told}: {recorded:?}");
        // Each under the name of what was asked.
        for line in &log {
            let named = request_ids(line).map(|id| seen.iter().find(|s| s.request_id == id));
            for of_line in named.flatten() {
                assert_eq!(line["operation"], *of_line.op, "{told}: {line}");
            }
        }
    }
}

/// How many objects, uploads and buckets the audit log says were changed by an operation; what the
/// probe does to its own object does not count.
fn recorded(scene: &Scene, operation: &str) -> u64 {
    let of_probe = |line: &Value| line["action"].as_str().is_some_and(|a| a.ends_with("-deletes"));
    let log = audit_log(&scene.bed);
    let lines = log.iter().filter(|line| line["operation"] == operation && !of_probe(line));
    lines.map(|line| line["count"].as_u64().expect("a count")).sum()
}

/// Killed after S3 did something and before that was written down: the next apply sees the effect,
/// and writes down what it sees.
#[test]
fn what_was_done_right_before_a_kill_is_on_record_too() {
    for (operation, changed) in [
        ("RestoreObject", 2),
        ("DeleteObjects", 6),
        ("AbortMultipartUpload", 1),
        ("DeleteBucket", 1),
    ] {
        let scene = planned();
        let at = [("S3PLAN_DIE_AT", &*format!("after {operation}#1"))];
        scene.bed.spawn_with(&at, &["apply", "--yes"]).wait();
        scene.bed.s3plan(["apply", "--yes"]).exits(3);
        approve_both(&scene.bed);
        scene.bed.spawn_with(&at, &["apply", "--yes"]).wait();
        scene.bed.s3plan(["apply", "--yes"]).exits(0);
        assert_eq!(recorded(&scene, operation), changed, "{operation}");
    }
}

#[test]
fn an_abort_is_on_record_once_however_often_the_apply_is_stopped() {
    let old = |key: &str| UploadSpec {
        initiated: "2024-01-01T00:00:00Z".parse().ok(),
        ..UploadSpec::new(key)
    };
    let bucket = BucketSpec::new("photos-2019").upload(old("a")).upload(old("b")).upload(old("c"));
    let scene = Scene::new(World::default().with(bucket)).planned(
        "[account]\nid = \"123456789012\"\n\n[bucket.photos-2019]\n\
         archive = { to = \"archive\", then = \"delete-bucket\" }\n",
    );
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    scene.bed.s3plan(["approve", &gate(&scene.bed, "photos-2019")]).exits(0);
    let denied = Effect::answer(403, "AccessDenied");
    scene.sandbox.add_fault(Rule::on("AbortMultipartUpload").nth(2).then(denied));
    scene.bed.s3plan(["apply", "--yes"]).exits(1);
    scene.sandbox.clear_faults();
    let at = [("S3PLAN_DIE_AT", "after AbortMultipartUpload#1")];
    scene.bed.spawn_with(&at, &["apply", "--yes"]).wait();
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(recorded(&scene, "AbortMultipartUpload"), 3);
}

/// The ids that a line of the audit log names.
fn request_ids(line: &Value) -> impl Iterator<Item = &str> {
    let several = line["request_ids"].as_array().into_iter().flatten();
    several.chain([&line["request_id"]]).filter_map(Value::as_str)
}

#[test]
fn the_record_says_what_was_done_and_who_approved_it() {
    let scene = planned();
    scene.sandbox.witness().clear();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let evidence = gate(&scene.bed, "photos-2019");
    approve_both(&scene.bed);
    let apply = scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let sent = scene.sandbox.witness().counts();

    let record = record(&scene.bed);
    let photos = bucket(&record, "photos-2019");
    assert_eq!(photos["ending"], "done");
    assert_eq!(format!("photos-2019@{}", photos["evidence"].as_str().expect("it")), evidence);
    let yes = &photos["approvals"][0];
    assert_eq!(yes["caller_arn"], "arn:aws:iam::123456789012:user/alice");
    let actions = photos["actions"].as_array().expect("actions");
    assert!(actions.iter().all(|action| action["done_at"].is_string()), "{photos:#}");
    let deleted = actions.iter().find(|a| a["id"] == "photos-2019/delete-objects");
    let deleted = deleted.expect("it was planned");
    assert_eq!(deleted["mutations"]["DeleteObjects"], 4);
    assert!(deleted["request_ids"][0].is_string(), "{deleted}");
    assert_eq!(total(&record, "download")["done_objects"], 6);
    assert_eq!(total(&record, "download")["planned_objects"], 6);
    assert_eq!(total(&record, "restore")["done_objects"], 2);

    // What was asked for is what was counted; `approve` and `status` in between are not applies.
    for operation in ["GetObject", "RestoreObject", "DeleteBucket", "AbortMultipartUpload"] {
        let counted = record["requests"][operation].as_u64().unwrap_or_default();
        assert_eq!(counted, sent[operation], "{operation}");
    }
    let file = format!(".s3plan/reports/{}.md", &record["run"].as_str().expect("a run")[..16]);
    let markdown = scene.bed.read(&file);
    for told in ["photos-2019: done", "Approved ", "DeleteObjects 4", &evidence[12..]] {
        assert!(markdown.contains(told), "no `{told}` in {markdown}");
    }
    assert!(apply.stderr.contains(&file), "{apply}");
}

#[test]
fn the_plan_and_the_audit_log_are_enough_to_tell_the_record_again() {
    let scene = planned();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    approve_both(&scene.bed);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let written = record(&scene.bed);
    for file in [".s3plan/state.redb", ".s3plan/status.json"] {
        fs::remove_file(scene.bed.path(file)).expect("it was there");
    }
    fs::remove_dir_all(scene.bed.path(".s3plan/reports")).expect("it was there");
    // Nor does it take AWS.
    scene.sandbox.step(&Step::Expire { user: "alice".into() });
    let told = scene.bed.s3plan(["show", "--record", "--json"]).exits(0).json();
    assert_eq!(told, written);
}

#[test]
fn a_bucket_can_be_abandoned_and_everything_of_it_stays() {
    let scene = planned();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let evidence = gate(&scene.bed, "photos-2019");
    let files = fs::read_dir(scene.bed.path("archive/photos-2019/data")).expect("a bag").count();
    scene.sandbox.witness().clear();
    scene.bed.s3plan(["apply", "--abandon", "photos-2019"]).exits(0);
    assert!(scene.sandbox.witness().requests().is_empty(), "nothing is asked for");

    let row = status(&scene.bed, "photos-2019");
    assert_eq!(row["phase"], "stale", "{row}");
    assert!(row["abandoned_by"].is_string(), "{row}");
    scene.bed.s3plan(["status"]).exits(0).says("abandoned");
    assert!(row["detail"].as_str().is_some_and(|why| why.contains("abandoned")), "{row}");
    scene.bed.s3plan(["approve", &evidence]).exits(5);

    scene.bed.s3plan(["approve", &gate(&scene.bed, "logs-2020")]).exits(0);
    let rest = scene.bed.s3plan(["apply", "--yes"]).exits(0);
    rest.blames("photos-2019: abandoned");
    scene.bed.s3plan(["apply", "--yes"]).exits(0).says("nothing to do");
    let photos = scene.sandbox.snapshot()["photos-2019"].clone();
    assert_eq!(photos.versions.len(), 4, "all of it is still in S3");
    let still = fs::read_dir(scene.bed.path("archive/photos-2019/data")).expect("a bag").count();
    assert_eq!(files, still, "and on disk");
    assert_eq!(bucket(&record(&scene.bed), "photos-2019")["ending"], "abandoned");

    // A new plan starts anew, with what is proven already.
    scene.bed.s3plan(["plan", "manifest.toml", "--target", "photos-2019"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    assert_eq!(gate(&scene.bed, "photos-2019"), evidence, "the same was proven");
}

/// The same plan, byte for byte, takes up what was abandoned.
#[test]
fn planning_the_same_again_takes_up_what_was_abandoned() {
    let scene = planned();
    scene.bed.s3plan(["apply", "--abandon", "photos-2019", "--abandon", "logs-2020"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0).says("nothing to do");
    scene.bed.s3plan(["apply", "--abandon", "nobody"]).exits(64);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    assert_eq!(status(&scene.bed, "photos-2019")["phase"], "awaiting-approval");
}

#[test]
fn a_session_that_ends_in_mid_run_is_waited_for_and_gone_on_with() {
    let mut world = mixed_world();
    let expire = vec![Step::Expire { user: "alice".into() }];
    world = world.fault(Rule::on("GetObject").nth(3).then(Effect::Script(expire)));
    let scene = Scene::new(world).planned(RETIRE_BOTH);
    let stopped = scene.bed.s3plan(["apply", "--yes"]).exits(3);
    stopped.blames("log in again").blames("s3plan apply plans/manifest.plan.toml");
    let waiting: Vec<Value> = ["photos-2019", "logs-2020"]
        .map(|bucket| status(&scene.bed, bucket)["waiting_for"].clone())
        .into_iter()
        .collect();
    assert!(waiting.contains(&"login".into()), "{waiting:?}");
    // Still without a login, it says so at once and harms nothing.
    scene.bed.s3plan(["apply", "--yes"]).exits(1).blames("aws/expired-credentials");

    scene.sandbox.step(&Step::Renew { user: "alice".into() });
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    approve_both(&scene.bed);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let mut unserved = scene.sandbox.witness().deleted_unserved();
    unserved.retain(|gone| !gone.pin.key.starts_with(".s3plan-delete-probe-"));
    assert!(unserved.is_empty(), "{unserved:#?}");
}

/// Credentials of a program that gives out short ones, as tools for single sign-on do.
#[test]
fn credentials_that_can_be_fetched_anew_are() {
    let scene = planned();
    let bed = &scene.bed;
    let script = r#"#!/bin/sh
        echo once >> "$HOME/fetched"
        until=$(date -u -d '+5 seconds' +%Y-%m-%dT%H:%M:%SZ)
        echo "{\"Version\": 1, \"AccessKeyId\": \"$KEY\", \"SecretAccessKey\": \"$SECRET\","
        echo "\"Expiration\": \"$until\"}"
    "#;
    bed.write("../home/fetch", script);
    let config = "[profile short]\nregion = us-east-1\ncredential_process = sh $HOME/fetch\n";
    let home = bed.path("../home").display().to_string();
    bed.write("../home/config", &config.replace("$HOME", &home));
    let shell = |args: &str| {
        bed.shell(&format!(
            "KEY=$AWS_ACCESS_KEY_ID SECRET=$AWS_SECRET_ACCESS_KEY; export KEY SECRET; \
             unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION; \
             AWS_CONFIG_FILE=$HOME/config exec $S3PLAN --profile short {args}"
        ))
    };
    shell("apply --yes").exits(3);
    let fetched = bed.read("../home/fetched").lines().count();
    assert!(fetched > 3, "for each request that would have come too late: {fetched}");
    approve_both(bed);
    shell("apply --yes").exits(0);
}

#[test]
fn the_project_folder_moves_to_another_machine_in_mid_run() {
    let scene = planned();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    scene.bed.shell("mkdir ../moved && cp -a . ../moved/here && rm -rf archive .s3plan").exits(0);
    let here = scene.bed.path("../moved/here");
    let there = |args: &[&str]| {
        let at = here.display().to_string();
        scene.bed.s3plan([&["-C", &at], args].concat())
    };
    let rows = there(&["status", "--json"]).exits(0).json();
    for row in rows["buckets"].as_array().expect("buckets") {
        let (bucket, evidence) = (row["bucket"].as_str(), row["evidence"].as_str());
        let gate = format!("{}@{}", bucket.expect("a name"), evidence.expect("an open gate"));
        there(&["approve", &gate]).exits(0);
    }
    scene.sandbox.witness().clear();
    there(&["apply", "--yes"]).exits(0);
    assert_eq!(scene.sandbox.witness().count("GetObject"), 0, "nothing is downloaded again");
    there(&["verify"]).exits(0);
}

/// `examples/cron/s3plan-apply.sh` as cron would run it, while objects thaw for two days.
#[test]
fn under_cron_each_run_does_what_can_be_done_and_leaves() {
    let cold = ObjectSpec::text("cold.jpg", "x").class("DEEP_ARCHIVE");
    let scene = Scene::new(World::default().with(BucketSpec::new("photos-2019").object(cold)))
        .planned(
            "[account]\nid = \"123456789012\"\n\n[bucket.\"photos-2019\"]\n\
             archive = { to = \"archive\", then = \"delete-objects\" }\n",
        );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cron/s3plan-apply.sh");
    let cron = format!("PATH=$(dirname \"$S3PLAN\"):$PATH exec sh {script} .");
    scene.bed.shell(&cron).exits(0).says("restoring");
    assert!(scene.sandbox.witness().count("GetObject") == 0, "nothing can be read yet");
    scene.sandbox.advance(std::time::Duration::from_secs(49 * 3600));
    let answer = scene.bed.shell(&cron).exits(0);
    let gate = gate(&scene.bed, "photos-2019");
    answer.says(gate.trim_start_matches("photos-2019@"));
    scene.bed.s3plan(["approve", &gate]).exits(0);
    let done = scene.bed.shell(&cron).exits(0);
    assert_eq!(done.stdout, "", "nothing to mail");
    // What went wrong is told with its exit code, so that cron writes a mail.
    scene.bed.write_manifest("edited");
    scene.bed.shell(&cron).exits(4);
}

fn record(bed: &TestBed) -> Value {
    let reports = fs::read_dir(bed.path(".s3plan/reports")).expect("a folder of records");
    let mut json = reports
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"));
    let path = json.next().expect("a record");
    assert_eq!(json.next(), None, "one run, one record");
    serde_json::from_str(&fs::read_to_string(path).expect("text")).expect("JSON")
}

#[track_caller]
fn bucket<'a>(record: &'a Value, name: &str) -> &'a Value {
    let mut rows = record["buckets"].as_array().into_iter().flatten();
    rows.find(|row| row["bucket"] == name).unwrap_or_else(|| panic!("no {name} in {record:#}"))
}

#[track_caller]
fn total<'a>(record: &'a Value, kind: &str) -> &'a Value {
    let mut rows = record["totals"].as_array().into_iter().flatten();
    rows.find(|row| row["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {record:#}"))
}
