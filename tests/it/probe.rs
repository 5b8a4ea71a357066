//! The probe of conditional deletes: an object of s3plan's own comes and goes, and nobody else's is
//! taken for it.

use s3plan_sandbox::{Effect, Rule, Step, World};

use crate::guards::{BUCKET, DELETE, DELETE_ALL, no_conditions, suspended, three};
use crate::support::scene::Scene;
use crate::support::story::manifest_of;

const PROBES: &str = ".s3plan-delete-probe-*";
/// As long as what the probe's own object holds.
const AS_LONG: &str = "somebody's own words, just as long as ours happen to";

fn planned() -> Scene {
    Scene::retiring(World::default().with(three()), DELETE)
}

fn denied() -> Effect {
    Effect::answer(403, "AccessDenied")
}

/// The name that this plan's probe will have.
fn probe_of(scene: &Scene) -> String {
    let plan = scene.bed.read("plans/manifest.plan.toml");
    let digest = plan.lines().find_map(|line| line.strip_prefix("digest = \"")).expect("a digest");
    let digest = digest.trim_start_matches("sha256:");
    format!(".s3plan-delete-probe-{}", &digest[..8])
}

fn probes_left(scene: &Scene) -> usize {
    scene.left(BUCKET).iter().filter(|left| left.starts_with(".s3plan-delete-probe-")).count()
}

/// How often something was asked of the probe's object.
fn asked(scene: &Scene, op: &str) -> usize {
    let requests = scene.sandbox.witness().requests();
    let own = |key: &str| key.starts_with(".s3plan-delete-probe-");
    requests.iter().filter(|seen| seen.op == op && seen.key.as_deref().is_some_and(own)).count()
}

/// Whatever somebody has under the probe's name is not read where its size tells, not where it is
/// frozen, and never written over or deleted.
#[test]
fn an_object_that_only_has_the_probe_s_name_is_left_alone() {
    for (body, class, read) in
        [("short", None, 0), (AS_LONG, None, 1), (AS_LONG, Some("GLACIER"), 0)]
    {
        let scene = planned();
        let key = probe_of(&scene);
        let put = Step::Put { bucket: BUCKET.into(), key: key.clone(), body: body.into() };
        let class = class.map(|class: &str| Step::Class {
            bucket: BUCKET.into(),
            key: key.clone(),
            class: class.into(),
        });
        // Behind the listing, right before the probe looks whether its name is free.
        let steps = [put].into_iter().chain(class).collect();
        scene
            .sandbox
            .add_fault(Rule::on("HeadObject").key(PROBES).nth(1).then(Effect::Script(steps)));
        scene.apply().exits(5).blames("which the probe would overwrite");
        assert_eq!(asked(&scene, "GetObject"), read, "{body}");
        let content = scene.sandbox.content(BUCKET, &key, None).expect("it is still there");
        assert_eq!(content, body.as_bytes());
        assert_eq!(asked(&scene, "PutObject"), 0);
    }
}

/// P2: a refusal is not read as "gone", so that nothing is put either.
#[test]
fn a_name_that_cannot_be_looked_at_is_not_taken_for_free() {
    let scene = planned();
    scene.sandbox.add_fault(Rule::on("HeadObject").key(PROBES).then(denied()));
    scene.apply().exits(1);
    assert_eq!(asked(&scene, "PutObject"), 0);
    scene.sandbox.clear_faults();
    scene.apply().exits(3);
    assert_eq!(probes_left(&scene), 0);
}

/// A probe that fails removes its object all the same, and what it could not remove it remembers.
#[test]
fn a_probe_that_fails_leaves_nothing_or_a_word_of_what_it_left() {
    let keep = manifest_of(&World::default().with(three()), r#"then = "keep""#);
    // One look after the object was put fails, which is asked for twice; or all of them.
    for (rule, left) in [(Rule::on("GetObject").calls(1, 2), 0), (Rule::on("GetObject"), 1)] {
        let scene = planned();
        let odd = Effect::answer(400, "InvalidRequest");
        scene.sandbox.add_fault(rule.key(PROBES).then(odd));
        scene.apply().exits(1);
        assert_eq!(asked(&scene, "PutObject"), 1);
        assert_eq!(probes_left(&scene), left);
        scene.sandbox.clear_faults();
        // Another plan, which has nothing to probe.
        scene.bed.write_manifest(&keep);
        let plan = scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
        assert_eq!(plan.stdout.contains("probe-deletes"), left > 0, "{plan}");
        scene.apply().exits(0);
        assert_eq!(probes_left(&scene), 0);
        assert_eq!(asked(&scene, "PutObject"), 1, "nothing was probed");
        let again = ["plan", "manifest.toml", "--detailed-exitcode"];
        scene.bed.s3plan(again).exits(0).says("nothing to do");
    }
}

/// The probe's own object goes under its ETag; without one only where the server does not know
/// conditions at all.
#[test]
fn the_probe_s_object_goes_under_a_condition_too() {
    let of_probe = |scene: &Scene| {
        let mut gone = scene.sandbox.witness().deletions();
        gone.retain(|gone| gone.pin.key.starts_with(".s3plan-delete-probe-"));
        gone
    };
    let scene = planned();
    scene.apply().exits(3);
    assert!(
        of_probe(&scene).iter().all(|gone| gone.condition.is_some()),
        "{:#?}",
        of_probe(&scene)
    );
    assert_eq!(of_probe(&scene).len(), 1);

    let unknown = planned();
    let answer = Effect::answer(501, "NotImplemented");
    unknown.sandbox.add_fault(Rule::on("DeleteObject").key(PROBES).nth(1).then(answer));
    unknown.apply().exits(3);
    assert_eq!(of_probe(&unknown).len(), 1);

    let odd = planned();
    let answer = Effect::answer(400, "InvalidRequest");
    odd.sandbox.add_fault(Rule::on("DeleteObject").key(PROBES).then(answer));
    odd.apply().exits(1);
    assert_eq!(asked(&odd, "DeleteObject"), 1, "not tried again without its condition");
}

/// Where versioning is suspended a delete that the condition should have stopped leaves a marker.
#[test]
fn the_probe_takes_along_the_marker_that_its_own_deletes_left() {
    let bucket = suspended().modes(no_conditions());
    let scene = Scene::retiring(World::default().with(bucket), DELETE_ALL);
    scene.apply().exits(5).blames("compare-first");
    assert_eq!(probes_left(&scene), 0, "{:?}", scene.left(BUCKET));
    scene.assert_nothing_lost();
}
