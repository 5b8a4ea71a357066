//! Screens as a person sees them, whole: exit code and both streams. (The plan, the status, the
//! evidence, progress and errors have theirs beside their code.)

use s3plan_sandbox::World;

use crate::support::job::planned;
use crate::support::scene::Scene;

/// Two people whose ids are written down, and a bucket with a policy.
fn locked_world() -> Scene {
    let world = r#"
        [[user]]
        name = "alice"
        id = "AIDAALICEALICEALICE0"
        [[user]]
        name = "bob"
        id = "AIDABOBBOBBOBBOBBOB0"
        [bucket.photos]
        policy = '{"Version": "2012-10-17", "Statement": {"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}}'
    "#;
    Scene::new(World::parse(world).expect("a world"))
}

#[test]
fn what_a_lock_would_change() {
    let scene = locked_world();
    insta::assert_snapshot!(scene.bed.s3plan(["policy", "diff", "photos", "--lock-to", "bob"]));
}

#[test]
fn a_plan_that_is_refused() {
    let scene = locked_world();
    scene.bed.write_manifest(
        "[account]\nid = \"123456789012\"\n[bucket.photos]\npolicy = { lock_to = \"bob\" }\n",
    );
    insta::assert_snapshot!(scene.bed.s3plan(["plan", "manifest.toml"]));
}

#[test]
fn what_a_plan_needs() {
    let scene = planned();
    insta::assert_snapshot!(scene.bed.s3plan(["-q", "plan", "manifest.toml", "--permissions"]));
}

#[test]
fn an_archive_that_is_sound() {
    let scene = planned();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    insta::assert_snapshot!(scene.bed.s3plan(["verify"]));
}

#[test]
fn what_the_state_knows() {
    let scene = planned();
    insta::assert_snapshot!(scene.bed.s3plan(["state", "list"]));
}

#[test]
fn an_error_that_is_explained() {
    let scene = planned();
    insta::assert_snapshot!(scene.bed.s3plan(["explain", "policy/no-lock"]));
}
