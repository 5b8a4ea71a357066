//! IAM's own policy simulator: what it says stops a plan, what it cannot say does not.

use s3plan_sandbox::{Step, World};

use crate::support::bed::TestBed;
use crate::support::scene::Scene;

const LOCK: &str = "[account]\nid = \"123456789012\"\n[bucket.photos]\n\
                    policy = { lock_to = [\"me\", \"bob\"] }\n";

/// Two users and a role, and a simulator that answers one action on a page.
fn scene(answer: &str) -> Scene {
    let world = format!(
        "[[user]]\nname = \"alice\"\n[[user]]\nname = \"bob\"\n\
         [[user]]\nname = \"session\"\nrole = \"Admin\"\n[bucket.photos]\n\
         [simulator]\npage = 1\n{answer}"
    );
    let scene = Scene::new(World::parse(&world).expect("a world"));
    scene.bed.write_manifest(LOCK);
    scene
}

fn answer(decision: &str, more: &str) -> String {
    format!(
        "[[simulator.answer]]\nactions = [\"s3:PutBucketPolicy\"]\ndecision = \"{decision}\"\n{more}\n"
    )
}

fn asked(scene: &Scene) -> u64 {
    scene.sandbox.witness().count("SimulatePrincipalPolicy")
}

/// The second of two actions, hence on the second page.
#[test]
fn what_the_simulator_denies_is_no_plan() {
    for decision in ["explicitDeny", "implicitDeny"] {
        let scene = scene(&answer(decision, ""));
        let refused = scene.bed.s3plan(["plan", "manifest.toml"]).exits(5);
        refused.blames("photos: would get a policy under which AWS's own simulator denies you");
        assert!(!scene.bed.path("plans").exists(), "no plan is written");
        assert_eq!(asked(&scene), 2, "both pages");
        // Whoever wants that says so, and the simulator is not asked.
        scene.bed.write_manifest(&LOCK.replace(" }", ", lose_access = true }"));
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
        assert_eq!(asked(&scene), 2);
    }
}

#[test]
fn what_the_simulator_allows_is_planned() {
    let scene = scene(&answer("allowed", ""));
    let planned = scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert!(!planned.stdout.contains("simulator"), "{planned}");
    assert_eq!(asked(&scene), 2);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
}

/// A Deny but for one network, say: the caller may well be inside.
#[test]
fn what_the_simulator_cannot_tell_is_said_and_stops_nobody() {
    let scene = scene(&answer("explicitDeny", "missing = [\"aws:SourceVpce\"]"));
    let planned = scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    planned.says("simulator cannot tell whether you keep the way").says("aws:SourceVpce");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
}

/// A caller whose only permission is the policy that goes.
#[test]
fn a_policy_is_not_removed_from_under_whoever_lives_by_it() {
    let scene = scene(&answer("implicitDeny", "source = \"*:user/alice\""));
    let policy = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/alice"},
        "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]}}"#;
    scene.sandbox.step(&Step::Policy { bucket: "photos".into(), text: Some(policy.into()) });
    scene.bed.write_manifest(&LOCK.replace("lock_to = [\"me\", \"bob\"]", "none = true"));
    let refused = scene.bed.s3plan(["plan", "manifest.toml"]).exits(5);
    refused.blames("would have no policy any more").blames("s3:PutBucketPolicy");
}

#[test]
fn whoever_applies_another_ones_plan_is_simulated_too() {
    let scene = scene(&answer("explicitDeny", "source = \"*:user/bob\""));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let bob = as_user(&scene, "bob");
    bob.s3plan(["apply", "--yes"]).exits(5).blames("simulator").blames("nothing was changed");
    scene.assert_untouched();
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
}

/// For roles the simulator knows no bucket policies; and not everybody may ask it.
#[test]
fn who_cannot_be_simulated_plans_without() {
    let scene = scene(&answer("explicitDeny", ""));
    let session = as_user(&scene, "session");
    session.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(asked(&scene), 0, "for a role it would answer about something else");

    let world = "[[user]]\nname = \"alice\"\ndenied = [\"iam:Simulate*\"]\n[[user]]\nname = \"bob\"\n\
                 [bucket.photos]\n[simulator]\n";
    let scene = Scene::new(World::parse(world).expect("a world"));
    scene.bed.write_manifest(LOCK);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(asked(&scene), 1);
}

/// A simulator that never comes to an end is one that cannot tell.
#[test]
fn a_simulator_that_goes_in_circles_is_left() {
    let world = "[[user]]\nname = \"alice\"\n[[user]]\nname = \"bob\"\n[bucket.photos]\n\
                 [simulator]\npage = 0\n";
    let scene = Scene::new(World::parse(world).expect("a world"));
    scene.bed.write_manifest(LOCK);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(asked(&scene), 2);
}

/// The same project, for somebody else.
fn as_user(scene: &Scene, user: &str) -> TestBed {
    let env = scene.sandbox.env(user);
    let bed =
        env.into_iter().fold(TestBed::without_aws(), |bed, (name, value)| bed.env(&name, &value));
    bed.write_manifest(LOCK);
    if scene.bed.path("plans").exists() {
        bed.write("plans/manifest.plan.toml", &scene.bed.read("plans/manifest.plan.toml"));
    }
    bed
}
