//! The gate: what it says to whoever is to say yes, what keeps it closed, and whose yes opens it.

use std::time::Duration;

use rustix::process::Signal;
use s3plan::state::{Mark, Readback, ReadbackKind};
use s3plan_sandbox::{BucketSpec, ObjectSpec, Step, World};

use crate::guards::{BUCKET, DELETE, approved, three};
use crate::support::bed::Answer;
use crate::support::job::audit_log;
use crate::support::patience::wait_for;
use crate::support::scene::Scene;
use crate::support::state::change_rows;
use crate::support::story::manifest_of;
use crate::world::overwrite;

/// A file without its reading back opens no gate, whoever approved what.
#[test]
fn what_was_not_read_back_keeps_the_gate_closed() {
    let scene = approved(three(), DELETE);
    change_rows(&scene.bed, BUCKET, |batch, bucket, row| {
        if row.object.key == "b" {
            batch.unmark(bucket, row.number, Mark::ReadBack);
        }
    });
    scene.apply().exits(1).blames("\"b\" is not proven in the archive");
    scene.assert_nothing_lost();
}

/// Where the medium itself was read nothing is said; where a file server stands between, it is.
#[test]
fn what_only_a_file_server_vouches_for_is_told_at_the_gate() {
    let scene = Scene::retiring(World::default().with(three()), DELETE);
    scene.apply().exits(3);
    for (by_client, told) in [(0, false), (2, true)] {
        change_rows(&scene.bed, BUCKET, |batch, bucket, row| {
            let kind = match row.number < by_client {
                true => ReadbackKind::Client,
                false => ReadbackKind::Medium,
            };
            let at_ms = row.stored.and_then(|stored| stored.readback).expect("read back").at_ms;
            batch.read_back(bucket, row.number, Readback { kind, at_ms });
        });
        let answer = scene.apply().exits(3);
        let words = "readback = client: 2 files";
        assert_eq!(answer.stderr.contains(words), told, "{answer}");
        assert_eq!(answer.stderr.contains("readback = client"), told, "{answer}");
    }
}

/// On the command line an approval is one bucket's and says nothing of another's; and nobody is
/// asked for what was approved.
#[test]
fn an_approval_is_one_bucket_s_and_asked_for_once() {
    let other = BucketSpec::new("other").text("x", "1");
    let scene = Scene::retiring(World::default().with(three()).with(other), DELETE);
    let opened = scene.apply().exits(3);
    let asks = |answer: &Answer, bucket: &str| {
        answer.stderr.contains(&format!("to delete it: s3plan approve {bucket}@"))
    };
    assert!(asks(&opened, BUCKET) && asks(&opened, "other"), "{opened}");
    let gate = format!("{BUCKET}@{}", scene.evidence(BUCKET));
    let answer = scene.bed.s3plan(["apply", "--yes", "--approve", &gate]).exits(3);
    assert!(asks(&answer, "other"), "{answer}");
    assert_eq!(scene.deleted_keys(), ["a", "b", "c"]);
    let log = audit_log(&scene.bed);
    let yes: Vec<_> = log.iter().filter(|line| line["operation"] == "approve").collect();
    assert_eq!(yes.len(), 1, "{log:#?}");
    assert_eq!(yes[0]["action"], format!("{BUCKET}/approve"));
    assert!(gate.ends_with(yes[0]["evidence"].as_str().expect("evidence")), "{yes:#?}");
    scene.approve("other");
    let answer = scene.apply().exits(0);
    assert!(!asks(&answer, "other"), "{answer}");
    assert_eq!(scene.deletions().len(), 4);
}

/// Whoever is to say yes learns first what is not as it was planned.
#[test]
fn what_moved_is_named_while_the_gate_is_open() {
    let scene = Scene::retiring(World::default().with(three()), DELETE);
    scene.apply().exits(3);
    scene.sandbox.step(&overwrite(BUCKET, "a"));
    let gone = Step::Delete { bucket: BUCKET.into(), key: "b".into(), version: None };
    scene.sandbox.step(&gone);
    scene.sandbox.step(&overwrite(BUCKET, "late"));
    let answer = scene.apply().exits(3);
    let answer = answer.blames("a: left alone: changed since the plan was made");
    let answer = answer.blames("b: left alone: gone since the plan was made");
    let answer = answer.blames("late: left alone: new since the plan was made");
    for words in ["1 new", "1 changed", "1 gone"] {
        assert!(answer.stderr.contains(words), "{words}: {answer}");
    }
}

/// Another bucket thaws for days: the apply that is under way takes the yes in and goes on.
#[test]
fn a_yes_beside_a_running_apply_is_taken_in_by_it() {
    let frozen = ObjectSpec::text("cold", "never thaws").class("DEEP_ARCHIVE");
    let world = World::default().with(three()).with(BucketSpec::new("frozen").object(frozen));
    let scene = Scene::retiring(World { speed: 0.0, ..world }, DELETE);
    let mut run = scene.bed.spawn(["apply", "--yes"]);
    let limit = Duration::from_secs(120);
    let is_open = || scene.status(BUCKET)["evidence"].is_string().then_some(());
    wait_for(limit, is_open).expect("the gate opens");
    scene.approve(BUCKET);
    let is_empty = || scene.left(BUCKET).is_empty().then_some(());
    wait_for(limit, is_empty).expect("it is taken in");
    assert!(!run.has_ended(), "the other bucket still thaws");
    run.signal(Signal::KILL);
    run.wait();
}

/// A file that was kept without having been read back is read before its object may go.
#[test]
fn what_was_not_read_back_is_read_before_the_gate_opens() {
    let world = World::default().with(three());
    let scene = Scene::retiring(world.clone(), r#"then = "keep""#);
    scene.apply().exits(0);
    change_rows(&scene.bed, BUCKET, |batch, bucket, row| {
        batch.unmark(bucket, row.number, Mark::ReadBack);
    });
    scene.bed.write_manifest(&manifest_of(&world, DELETE));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.deleted_keys(), ["a", "b", "c"]);
    scene.assert_deleted_with_care();
}
