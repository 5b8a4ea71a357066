//! Planning and replanning: the same input gives the same bytes, and a plan is the limit.

use std::fs;

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, World};

use crate::support::scene::{Scene, small_world};

const RETIRE: &str = r#"
[account]
id = "123456789012"

[bucket."photos-2019"]
archive = { to = "archive/{bucket}", then = "delete-bucket" }
"#;

const KEEP: &str = r#"
[account]
id = "123456789012"

[bucket."*"]
archive = { to = "archive/{bucket}" }
"#;

fn plan_of(scene: &Scene) -> String {
    fs::read_to_string(scene.bed.path("plans/manifest.plan.toml")).expect("a plan")
}

#[test]
fn planning_twice_in_an_unchanged_world_gives_the_same_bytes() {
    let cold = ObjectSpec::sized("cold/{n}", "1KiB").count(7).class("DEEP_ARCHIVE");
    let world = small_world().with(BucketSpec::new("logs").object(cold));
    let scene = Scene::new(world).planned(KEEP);
    let first = plan_of(&scene);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(first, plan_of(&scene));
    // And so it does in another folder, on another day's state, at another port.
    let other = Scene::beside(&scene).planned(KEEP);
    assert_eq!(first, plan_of(&other));
    let port = scene.sandbox.endpoint().rsplit(':').next().expect("a port").to_owned();
    let folder = scene.bed.path("").display().to_string();
    assert!(!first.contains(&port) && !first.contains(folder.trim_end_matches('/')));
    scene.assert_untouched();
}

#[test]
fn planning_leaves_nothing_at_the_destination() {
    let scene = Scene::new(small_world()).planned(KEEP);
    assert!(!scene.bed.path("archive").exists());
}

#[test]
fn after_an_apply_a_second_plan_is_empty() {
    let scene = Scene::new(small_world()).planned(KEEP);
    scene.bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(2);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0).says("nothing");
    scene.bed.s3plan(["apply", "--yes"]).exits(0).says("Nothing to do");
    scene.assert_nothing_lost();
}

#[test]
fn a_new_plan_inherits_what_is_done_and_shows_what_remains() {
    let scene = Scene::new(small_world()).planned(KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    scene.sandbox.put("photos-2019", "new.jpg", b"third");
    scene.sandbox.witness().clear();
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("1 object").says("3 done");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(scene.sandbox.witness().count("GetObject"), 1, "only the new one is fetched");
    assert_eq!(fs::read(scene.bed.path("archive/photos-2019/data/new.jpg")).expect("it"), b"third");
    scene.bed.s3plan(["verify"]).exits(0);
}

#[test]
fn a_newer_plan_makes_the_older_one_stale() {
    let scene = Scene::new(small_world()).planned(KEEP);
    fs::copy(scene.bed.path("plans/manifest.plan.toml"), scene.bed.path("plans/old.toml"))
        .expect("a copy");
    scene.sandbox.put("photos-2019", "new.jpg", b"third");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "plans/old.toml", "--yes"]).exits(4).blames("newer plan");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
}

#[test]
fn an_approval_stays_good_over_a_new_plan_with_the_same_evidence() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let evidence = scene.evidence("photos-2019");
    scene.bed.s3plan(["approve", &format!("photos-2019@{evidence}")]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(scene.sandbox.snapshot().is_empty(), "the bucket is gone");
}

#[test]
fn a_changed_set_needs_a_new_approval() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let evidence = scene.evidence("photos-2019");
    scene.bed.s3plan(["approve", &format!("photos-2019@{evidence}")]).exits(0);
    scene.sandbox.put("photos-2019", "new.jpg", b"third");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    assert_ne!(evidence, scene.evidence("photos-2019"));
    scene.assert_nothing_lost();
}

#[test]
fn yes_alone_never_opens_a_gate() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    for _ in 0..2 {
        scene.bed.s3plan(["apply", "--yes"]).exits(3);
    }
    scene.assert_nothing_lost();
}

#[test]
fn without_a_terminal_apply_asks_for_yes_on_the_command_line() {
    let scene = Scene::new(small_world()).planned(KEEP);
    scene.bed.s3plan(["apply"]).exits(64).blames("--yes");
    assert!(!scene.bed.path("archive").exists());
}

#[test]
fn only_the_named_buckets_are_planned_and_applied() {
    let world = small_world().with(BucketSpec::new("logs").text("a", "b"));
    let scene = Scene::new(world);
    scene.bed.write_manifest(KEEP);
    scene.bed.s3plan(["plan", "manifest.toml", "--exclude", "logs"]).exits(0);
    assert!(!plan_of(&scene).contains("logs"));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes", "--target", "logs"]).exits(0);
    assert!(scene.bed.path("archive/logs/data/a").exists());
    assert!(!scene.bed.path("archive/photos-2019").exists());
    scene.bed.s3plan(["apply", "--yes", "--target", "absent"]).exits(64).blames("absent");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(scene.bed.path("archive/photos-2019").exists());
}

#[test]
fn one_bad_bucket_does_not_stop_the_others() {
    let broken = Rule::on("GetObject").bucket("logs").then(Effect::Answer {
        status: 403,
        code: "AccessDenied".into(),
        message: "no".into(),
    });
    let world = small_world().with(BucketSpec::new("logs").text("a", "b")).fault(broken);
    let scene = Scene::new(world).planned(KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(1).blames("logs").blames("a");
    scene.bed.s3plan(["verify", "photos-2019"]).exits(0);
    scene.sandbox.clear_faults();
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
}

#[test]
fn restores_go_out_once_and_only_where_one_is_needed() {
    let mut world = World { speed: 50_000.0, ..small_world() };
    let cold = |key: &str, class: &str| ObjectSpec::text(key, "cold").class(class);
    let bucket = BucketSpec::new("cold")
        .object(cold("glacier", "GLACIER"))
        .object(cold("deep", "DEEP_ARCHIVE"))
        .object(cold("instant", "GLACIER_IR"))
        .object(ObjectSpec {
            restore: Some(s3plan_sandbox::RestoreSpec::Done),
            ..cold("thawed", "GLACIER")
        })
        .text("warm", "warm");
    world = world.with(bucket);
    let scene = Scene::new(world).planned(KEEP);
    scene.bed.s3plan(["apply", "--yes", "--no-wait"]).exits(3).blames("Glacier");
    assert_eq!(scene.sandbox.witness().count("RestoreObject"), 2);
    // What needs no restore is at home already.
    assert!(scene.bed.path("archive/cold/data/thawed").exists());
    assert!(scene.bed.path("archive/cold/data/instant").exists());
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(scene.sandbox.witness().count("RestoreObject"), 2);
    scene.bed.s3plan(["verify"]).exits(0);
}
