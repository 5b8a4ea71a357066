//! The main job on third parties' servers: from full buckets to an open archive and no buckets,
//! in the order in which a person would do it.

use std::time::Duration;

use aws_sdk_s3::types::{RestoreRequest, StorageClass};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::account::{Account, HOME_REGION};
use crate::support::bag::assert_valid_bag;
use crate::support::bed::{Answer, TestBed};
use crate::support::patience::wait_for;
use crate::support::seed::{Bucket, MIB};
use crate::support::servers::{ministack_account, moto_account, own_moto};

/// Everything that a bucket can hold: each storage class, both kinds of upload, more than a page.
#[tokio::test]
async fn on_moto_two_full_buckets_become_archives_and_are_gone() {
    let account = moto_account();
    let photos = Bucket::new("main-job-photos", HOME_REGION)
        .single("2019/first.jpg", 12_345, StorageClass::Standard)
        .single("2019/cold.jpg", 54_321, StorageClass::Glacier)
        .single("2019/coldest.jpg", 1, StorageClass::DeepArchive)
        .multipart("film.mkv", 12 * MIB + 7, StorageClass::Standard)
        .multipart("film-cold.mkv", 10 * MIB, StorageClass::Glacier)
        .multipart("film-coldest.mkv", 6 * MIB, StorageClass::DeepArchive)
        .many("small/", 1_200);
    let logs = Bucket::new("main-job-logs", "eu-west-1")
        .single("2020/app.log", 4_096, StorageClass::Standard)
        .single("2020/old.log", 4_096, StorageClass::DeepArchive);
    photos.fill(&account).await;
    logs.fill(&account).await;

    let bed = TestBed::on(&account);
    bed.s3plan(["info"]).exits(0).says(&account.id).says("main-job-logs").says("eu-west-1");
    bed.s3plan(["init", &photos.name, &logs.name, "--archive-to", "archive/{bucket}"]).exits(0);
    assert!(bed.read(".gitignore").contains(".s3plan/"), "the state stays out of git");
    bed.s3plan(["validate", "manifest.toml"]).exits(0);
    bed.s3plan(["plan", "manifest.toml"]).exits(0);

    bed.write_manifest(&retire(&account, &[&photos, &logs]));
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(2);
    let first = bed.read("plans/manifest.plan.toml");
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(first, bed.read("plans/manifest.plan.toml"), "the same world, the same plan");
    assert!(!bed.path("archive").exists(), "a plan has changed nothing on disk");

    bed.s3plan(["apply", "--yes"]).exits(3);
    for bucket in [&photos, &logs] {
        let row = status(&bed, &bucket.name);
        assert_eq!(row["phase"], "awaiting-approval", "{row}");
        assert_eq!(row["waiting_for"], "approval", "{row}");
        assert_eq!(row["objects"], bucket.keys().len(), "{row}");
        assert_eq!(row["verified_objects"], bucket.keys().len(), "{row}");
        assert_eq!(row["deleted_objects"], 0, "{row}");
        bucket.assert_archived(&bed.path(&format!("archive/{}", bucket.name)));
    }
    // Nothing is deleted by saying yes to the plan alone, however often.
    bed.s3plan(["apply", "--yes"]).exits(3);
    assert_eq!(keys_left(&account, &photos).await, Some(photos.keys().len()));

    approve_all(&bed, &[&photos, &logs]);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_retired(&bed, &account, &[&photos, &logs]).await;
}

/// moto as a server on which a thaw takes three looks.
#[tokio::test]
async fn on_moto_a_thaw_that_takes_several_looks_is_waited_for() {
    let server = own_moto();
    let account = Account::new("moto", server.endpoint(), "123456789012", "AKIAS3PLANTEST000002");
    let cold = Bucket::new("slow-thaw", HOME_REGION)
        .single("a", 100, StorageClass::Glacier)
        .single("b", 200, StorageClass::DeepArchive)
        .single("warm", 300, StorageClass::Standard);
    cold.fill(&account).await;
    let thaw = r#"{"model_name": "s3::keyrestore",
                   "transition": {"progression": "manual", "times": 3}}"#;
    server.post("/moto-api/state-manager/set-transition", thaw).expect("moto takes a transition");

    let bed = TestBed::on(&account);
    bed.write_manifest(&retire(&account, &[&cold]));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let parked = bed.s3plan(["apply", "--yes", "--no-wait"]).exits(3);
    assert_eq!(status(&bed, &cold.name)["waiting_for"], "thaw", "{parked}");
    // Each look is one step of the thaw, so a few more runs get through it.
    apply_until(&bed, &cold, "approval");
    approve_all(&bed, &[&cold]);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_retired(&bed, &account, &[&cold]).await;
}

/// MiniStack thaws in real time, and answers 409 to a second request meanwhile.
#[tokio::test]
async fn on_ministack_the_glacier_life_is_lived_in_real_time() {
    let account = ministack_account();
    let cold = Bucket::new("glacier-life", HOME_REGION)
        .single("asked-by-another", 100, StorageClass::Glacier)
        .single("glacier", 1_000, StorageClass::Glacier)
        .multipart("deep", 6 * MIB, StorageClass::DeepArchive)
        .single("warm", 300, StorageClass::Standard);
    cold.fill(&account).await;

    let bed = TestBed::on(&account);
    bed.write_manifest(&retire(&account, &[&cold]));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    // Somebody else asks for one of them a moment before us: RestoreAlreadyInProgress.
    let ask = account.s3(HOME_REGION).restore_object().bucket(&cold.name).key("asked-by-another");
    let ask = ask.restore_request(RestoreRequest::builder().days(1).build());
    ask.send().await.expect("a restore is taken");

    bed.s3plan(["apply", "--yes", "--no-wait"]).exits(3);
    let row = status(&bed, &cold.name);
    assert_eq!(
        (&row["phase"], &row["waiting_for"]),
        (&"restoring".into(), &"thaw".into()),
        "{row}"
    );
    // Now with waiting: the same command stays until a person is needed.
    bed.s3plan(["apply", "--yes"]).exits(3);
    approve_all(&bed, &[&cold]);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_retired(&bed, &account, &[&cold]).await;
}

/// Keys that other tools lose, rename or write outside the folder.
#[tokio::test]
async fn on_ministack_every_awkward_key_makes_the_journey() {
    let account = ministack_account();
    let long = "x".repeat(300);
    let longest = "y".repeat(1024);
    let keys = [
        "a",
        "a/b",
        "d/",
        "w/",
        "..",
        "../esc",
        "x/../y",
        ".",
        "./r",
        "r",
        "/lead",
        "u//v",
        "u/v",
        "new\nline",
        "ctl\u{1}x",
        "ctl\u{1f}x",
        "nb\u{fffe}x",
        "cr\rx",
        "a+b",
        "a%2Bb",
        "a b",
        "back\\slash",
        "trail.",
        "trail ",
        "CON",
        "nul.txt",
        "é",
        "e\u{301}",
        "Case",
        "case",
        "🦀",
        "漢字",
        "<&>\"'",
        "?#*:|",
        "^",
        "^e",
        "%41",
        "data/x",
        "~",
        "-rf",
        &long,
        &longest,
    ];
    let bucket = keys
        .iter()
        .enumerate()
        .fold(Bucket::new("awkward-keys", HOME_REGION), |bucket, (n, key)| {
            bucket.single(key, 10 + n, StorageClass::Standard)
        });
    bucket.fill(&account).await;

    let bed = TestBed::on(&account);
    bed.write_manifest(&retire(&account, &[&bucket]));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    bed.s3plan(["apply", "--yes"]).exits(3);
    bucket.assert_archived(&bed.path("archive/awkward-keys"));
    approve_all(&bed, &[&bucket]);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_retired(&bed, &account, &[&bucket]).await;
}

/// SIGINT, SIGTERM, SIGKILL in turn, while objects come in; the same command goes on each time.
#[tokio::test]
async fn on_moto_a_run_that_is_stopped_again_and_again_ends_right() {
    let account = moto_account();
    let bucket = Bucket::new("main-job-stopped", HOME_REGION)
        .multipart("film.mkv", 12 * MIB, StorageClass::Standard)
        .many("small/", 300);
    bucket.fill(&account).await;

    let bed = TestBed::on(&account);
    bed.write_manifest(&retire(&account, &[&bucket]));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    for (signal, code) in [
        (Signal::INT, Some(130)),
        (Signal::TERM, Some(130)),
        (Signal::KILL, None),
        (Signal::KILL, None),
    ] {
        let mut run = bed.spawn(["apply", "--yes"]);
        // Stopped a moment after its first words, not before it is awake.
        run.hear();
        std::thread::sleep(Duration::from_millis(100));
        run.signal(signal);
        let answer = run.wait();
        // 3: it was faster than the signal, and already waits for a person.
        assert!(answer.code == code || answer.code == Some(3), "after a {signal:?}: {answer}");
    }
    bed.s3plan(["apply", "--yes"]).exits(3);
    bucket.assert_archived(&bed.path("archive/main-job-stopped"));
    approve_all(&bed, &[&bucket]);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_retired(&bed, &account, &[&bucket]).await;
}

/// A manifest that wants these buckets archived and gone.
fn retire(account: &Account, buckets: &[&Bucket]) -> String {
    let outcome = r#"archive = { to = "archive/{bucket}", then = "delete-bucket" }"#;
    buckets.iter().fold(format!("[account]\nid = \"{}\"\n", account.id), |text, bucket| {
        format!("{text}\n[bucket.\"{}\"]\n{outcome}\n", bucket.name)
    })
}

/// One bucket's row of `status --json`.
fn status(bed: &TestBed, bucket: &str) -> Value {
    let answer = bed.s3plan(["status", "--json"]).exits(0);
    let rows = answer.json()["buckets"].as_array().cloned().unwrap_or_default();
    let row = rows.into_iter().find(|row| row["bucket"] == bucket);
    row.unwrap_or_else(|| panic!("no row for {bucket}: {answer}"))
}

/// Opens the gates as a script would: with the evidence that `status` shows.
fn approve_all(bed: &TestBed, buckets: &[&Bucket]) {
    for bucket in buckets {
        let row = status(bed, &bucket.name);
        let evidence = row["evidence"].as_str().unwrap_or_else(|| panic!("no evidence: {row}"));
        bed.s3plan(["approve", &format!("{}@{evidence}", bucket.name)]).exits(0);
    }
}

/// Applies, never waiting inside, until the bucket waits for this.
fn apply_until(bed: &TestBed, bucket: &Bucket, waiting_for: &str) -> Answer {
    let arrived = wait_for(Duration::from_secs(60), || {
        let answer = bed.s3plan(["apply", "--yes", "--no-wait"]).exits(3);
        (status(bed, &bucket.name)["waiting_for"] == waiting_for).then_some(answer)
    });
    arrived.unwrap_or_else(|| panic!("{} never came to wait for {waiting_for}", bucket.name))
}

/// How many objects a bucket still has. `None`: there is no such bucket.
async fn keys_left(account: &Account, bucket: &Bucket) -> Option<usize> {
    let s3 = account.s3(bucket.region);
    let mut pages = s3.list_objects_v2().bucket(&bucket.name).into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => count += page.contents().len(),
            Err(error) => {
                let error = aws_sdk_s3::Error::from(error);
                assert!(matches!(error, aws_sdk_s3::Error::NoSuchBucket(_)), "{error:?}");
                return None;
            }
        }
    }
    Some(count)
}

/// The end that every main job must come to.
async fn assert_retired(bed: &TestBed, account: &Account, buckets: &[&Bucket]) {
    for bucket in buckets {
        assert_eq!(keys_left(account, bucket).await, None, "{} is gone", bucket.name);
        let archive = bed.path(&format!("archive/{}", bucket.name));
        bucket.assert_archived(&archive);
        assert_valid_bag(&archive);
        let row = status(bed, &bucket.name);
        assert!(row["phase"] == "done" || row["phase"] == "retired", "{row}");
        assert_eq!(row["deleted_objects"], bucket.keys().len(), "{row}");
    }
    bed.s3plan(["verify"]).exits(0);
    // Plan twice: after an apply there is nothing left to do.
    let again = bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0);
    again.says("nothing to do");
    bed.s3plan(["apply", "--yes"]).exits(0);
}
