//! What goes wrong after a policy was put, and what becomes of it then.

use std::time::Duration;

use rustix::process::Signal;
use s3plan_sandbox::{Effect, Rule, Step, World};

use crate::support::job::gate;
use crate::support::patience::wait_for;
use crate::support::scene::Scene;

const LOCK: &str =
    "[account]\nid = \"123456789012\"\n[bucket.photos]\npolicy = { lock_to = \"me\" }\n";

/// What the bucket has before.
const BEFORE: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
    "Action": "s3:PutObjectAcl", "Resource": "arn:aws:s3:::photos/*"}}"#;

fn planned(manifest: &str) -> Scene {
    let world = "[[bucket.photos.object]]\nkey = \"a.jpg\"\nbody = \"first\"\n";
    let scene = Scene::new(World::parse(world).expect("a world"));
    let text = Some(BEFORE.to_owned());
    scene.sandbox.step(&Step::Policy { bucket: "photos".into(), text });
    scene.planned(manifest)
}

fn live(scene: &Scene) -> Option<String> {
    scene.sandbox.snapshot()["photos"].policy.clone()
}

/// Takes actions from alice, in a way that no policy shows.
fn deny(actions: &[&str]) -> Step {
    Step::Deny {
        bucket: "photos".into(),
        user: "alice".into(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
    }
}

/// A user who never comes to be known is not waited for forever.
#[test]
fn a_principal_that_does_not_exist_is_named_after_a_minute() {
    let scene = planned(LOCK);
    let unknown = Effect::Answer {
        status: 400,
        code: "MalformedPolicy".into(),
        message: "Invalid principal in policy".into(),
    };
    scene.sandbox.add_fault(Rule::on("PutBucketPolicy").then(unknown));
    let failed = scene.bed.s3plan_hurried(["apply", "--yes"]).exits(1);
    failed.blames("a user or role in the new policy does not exist");
    let sent = scene.sandbox.witness().count("PutBucketPolicy");
    assert!((25..40).contains(&sent), "every two seconds of a minute: {sent}");
    assert_eq!(live(&scene).as_deref(), Some(BEFORE));
}

/// Where the old policy cannot go back either, whoever can is named, and where the old one is.
#[test]
fn a_lock_out_that_cannot_be_undone_tells_the_way_out() {
    let scene = planned(LOCK);
    let steps = vec![deny(&["s3:ListBucket", "s3:PutBucketPolicy"])];
    scene.sandbox.add_fault(Rule::on("PutBucketPolicy").then(Effect::ScriptAfter(steps)));
    let failed = scene.bed.s3plan_hurried(["apply", "--yes"]).exits(1);
    failed
        .blames("the old one could not be put back")
        .blames("aws s3api delete-bucket-policy --bucket photos")
        .blames("S3UnlockBucketPolicy")
        .blames(".s3plan/policies/");
    let kept = std::fs::read_dir(scene.bed.path(".s3plan/policies/photos")).expect("a folder");
    let kept = kept.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("it"));
    assert_eq!(kept.collect::<Vec<_>>(), [BEFORE], "to the letter");
}

/// Killed right after the put, by which the caller lost the right to read the policy.
#[test]
fn a_lock_out_met_by_the_next_process_is_undone_too() {
    let scene = planned(LOCK);
    let steps = vec![deny(&["s3:GetBucketPolicy"])];
    let rule = Rule::on("PutBucketPolicy").nth(1).then(Effect::ScriptAfter(steps));
    scene.sandbox.add_fault(rule.then(Effect::SilenceAfter));
    let run = scene.bed.spawn(["apply", "--yes"]);
    let put = wait_for(Duration::from_secs(120), || {
        (scene.sandbox.witness().count("PutBucketPolicy") > 0).then_some(())
    });
    assert!(put.is_some(), "it never came to that");
    run.signal(Signal::KILL);
    run.wait();
    assert!(live(&scene).expect("a policy").contains("S3planDenyOthers"));
    scene.sandbox.clear_faults();
    scene.bed.s3plan_hurried(["apply", "--yes"]).exits(5).blames("the old one was put back");
    assert_eq!(live(&scene).as_deref(), Some(BEFORE));
}

/// Written by somebody whom the lock does not keep out yet: left alone, and named.
#[test]
fn what_was_written_before_the_lock_took_hold_is_not_deleted() {
    let archived = format!("{LOCK}archive = {{ to = \"archive\", then = \"delete-objects\" }}\n");
    let scene = planned(&archived);
    let late = Step::Put { bucket: "photos".into(), key: "late.jpg".into(), body: "new".into() };
    let rule = Rule::on("PutBucketPolicy").then(Effect::ScriptAfter(vec![late]));
    scene.sandbox.add_fault(rule);
    let mut answer = scene.bed.s3plan(["apply", "--yes"]);
    if answer.code == Some(3) {
        answer.blames("late.jpg");
        scene.bed.s3plan(["approve", &gate(&scene.bed, "photos")]).exits(0);
        answer = scene.bed.s3plan(["apply", "--yes"]);
    }
    answer.blames("late.jpg");
    let left = scene.sandbox.snapshot()["photos"].versions.clone();
    let keys: Vec<&str> = left.iter().map(|version| version.key.as_str()).collect();
    assert!(keys.contains(&"late.jpg"), "{keys:?}");
    assert!(scene.sandbox.witness().deleted_unserved().is_empty());
}

#[test]
fn at_a_terminal_a_rollback_is_shown_and_asked_for() {
    let scene = planned(LOCK);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let locked = live(&scene);
    let mut terminal = scene.bed.at_terminal("policy rollback photos");
    terminal.reads("Only `yes` is a yes:");
    terminal.types("no\r");
    terminal.wait().exits(1).says("S3planDenyOthers").says("nothing was done");
    assert_eq!(live(&scene), locked);
    let mut terminal = scene.bed.at_terminal("policy rollback photos");
    terminal.reads("Only `yes` is a yes:");
    terminal.types("yes\r");
    terminal.wait().exits(0);
    assert_eq!(live(&scene).as_deref(), Some(BEFORE));
}
