//! Every exit code, and which one is seen where several parts of an apply end differently.
//!
//! The codes: 0 done, 1 failed, 2 changes, 3 waits, 4 stale, 5 refused, 6 held, 64 usage, 130
//! interrupted. Several at once: 130, 5, 4, 1, 3, 0 in that order.

use rustix::process::Signal;
use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, Step, World};

use crate::support::job::{gate, status};
use crate::support::patience::wait_for;
use crate::support::scene::Scene;

/// What one bucket's part of an apply comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Nothing is left to do: 0.
    Done,
    /// An object cannot be read: 1.
    Fails,
    /// A person is needed: 3.
    Waits,
    /// Somebody wrote into it since: 4.
    Stale,
    /// Its archive's place is another bucket's by now: 5.
    Refused,
}

impl Part {
    fn code(self) -> i32 {
        match self {
            Self::Done => 0,
            Self::Fails => 1,
            Self::Waits => 3,
            Self::Stale => 4,
            Self::Refused => 5,
        }
    }

    fn then(self) -> &'static str {
        if self == Self::Waits { "delete-objects" } else { "keep" }
    }
}

/// An account with one bucket for each part, planned and made to end so.
fn scene_of(parts: &[Part]) -> Scene {
    let mut world = World::default();
    let mut manifest = String::from("[account]\nid = \"123456789012\"\n");
    for (place, part) in parts.iter().enumerate() {
        let name = format!("bucket-{place}");
        world = world.with(BucketSpec::new(&name).text("a", "first").text("b", "second"));
        if *part == Part::Fails {
            let denied = Effect::answer(403, "AccessDenied");
            world = world.fault(Rule::on("GetObject").bucket(&name).key("b").then(denied));
        }
        manifest.push_str(&format!(
            "\n[bucket.\"{name}\"]\narchive = {{ to = \"archive/{name}\", then = \"{}\" }}\n",
            part.then()
        ));
    }
    let scene = Scene::new(world).planned(&manifest);
    for (place, part) in parts.iter().enumerate() {
        let name = format!("bucket-{place}");
        match part {
            Part::Stale => {
                assert!(scene.sandbox.put(&name, "new", b"news"));
            }
            Part::Refused => {
                // A bag of somebody else came to lie there after the plan was made.
                scene.bed.write(
                    &format!("archive/{name}/bagit.txt"),
                    "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
                );
                scene.bed.write(
                    &format!("archive/{name}/bag-info.txt"),
                    "External-Identifier: somebody else's\n",
                );
            }
            Part::Done | Part::Fails | Part::Waits => {}
        }
    }
    scene
}

#[test]
fn each_part_alone_has_its_code() {
    for part in [Part::Done, Part::Fails, Part::Waits, Part::Stale, Part::Refused] {
        let answer = scene_of(&[part]).bed.s3plan(["apply", "--yes"]);
        assert_eq!(answer.code, Some(part.code()), "{part:?}: {answer}");
    }
}

/// And one part's end stops no other part.
#[test]
fn the_worst_of_two_parts_is_what_the_shell_sees() {
    let worst_first = [Part::Refused, Part::Stale, Part::Fails, Part::Waits, Part::Done];
    for (place, worse) in worst_first.into_iter().enumerate() {
        for better in worst_first.into_iter().skip(place + 1) {
            let scene = scene_of(&[better, worse]);
            let answer = scene.bed.s3plan(["apply", "--yes"]);
            assert_eq!(answer.code, Some(worse.code()), "{better:?}, {worse:?}: {answer}");
            if better == Part::Waits {
                assert_eq!(status(&scene.bed, "bucket-0")["waiting_for"], "approval", "{answer}");
            }
        }
    }
}

#[test]
fn an_interrupted_apply_ends_with_130_whatever_else_happened() {
    let scene = scene_of(&[Part::Stale, Part::Done]);
    scene.sandbox.add_fault(Rule::on("GetObject").then(Effect::Stall { after: 1 }));
    let run = scene.bed.spawn(["apply", "--yes"]);
    let begun = wait_for(std::time::Duration::from_secs(60), || {
        (scene.sandbox.witness().count("GetObject") > 0).then_some(())
    });
    assert!(begun.is_some(), "the download never began");
    run.signal(Signal::INT);
    run.wait().exits(130).blames("bucket-0: stale").blames("bucket-1: parked");
    scene.sandbox.clear_faults();
    scene.bed.s3plan(["apply", "--yes", "--target", "bucket-1"]).exits(0);
}

#[test]
fn detailed_exit_codes_tell_changes_from_none() {
    let scene = scene_of(&[Part::Done]);
    let plan = ["plan", "manifest.toml", "--detailed-exitcode"];
    scene.bed.s3plan(plan).exits(2);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    scene.bed.s3plan(plan).exits(0).says("nothing to do");
    // Drift is a change too.
    assert!(scene.sandbox.put("bucket-0", "new", b"news"));
    scene.bed.s3plan(plan).exits(2);
}

#[test]
fn without_patience_a_thaw_ends_with_3() {
    let cold = ObjectSpec::text("cold", "x").class("DEEP_ARCHIVE");
    let world = World::default().with(BucketSpec::new("bucket-0").object(cold));
    let manifest = "[account]\nid = \"123456789012\"\n\n[bucket.bucket-0]\n\
                    archive = { to = \"archive\" }\n";
    let scene = Scene::new(world).planned(manifest);
    scene.bed.s3plan(["apply", "--yes", "--no-wait"]).exits(3).blames("waits for Glacier");
    // With patience it stays; a second apply is told who is at work, and a third party may look on.
    let mut run = scene.bed.spawn(["apply", "--yes"]);
    run.hear();
    scene.bed.s3plan(["apply", "--yes"]).exits(6).blames("s3plan apply by");
    assert_eq!(status(&scene.bed, "bucket-0")["waiting_for"], "thaw");
    run.signal(Signal::TERM);
    run.wait().exits(130);
}

#[test]
fn what_the_review_did_not_see_ends_with_4() {
    let scene = scene_of(&[Part::Done]);
    let manifest = scene.bed.read("manifest.toml");
    scene.bed.write_manifest(&format!("{manifest}# one more line\n"));
    scene.bed.s3plan(["apply", "--yes"]).exits(4).blames("plan/stale-manifest");
    scene.bed.write_manifest(&manifest);
    let plan = scene.bed.read("plans/manifest.plan.toml");
    scene.bed.write("plans/manifest.plan.toml", &plan.replacen("# ", "#  ", 1));
    scene.bed.s3plan(["apply", "--yes"]).exits(4).blames("plan/edited");
    scene.assert_untouched();
}

#[test]
fn what_may_not_be_ends_with_5() {
    let scene = scene_of(&[Part::Waits]);
    let manifest = scene.bed.read("manifest.toml");
    let limited = format!("{manifest}\n[limits]\nmax_delete_objects = 1\n");
    scene.bed.write("limited.toml", &limited);
    scene.bed.s3plan(["plan", "limited.toml"]).exits(5).blames("max_delete_objects");
    assert!(!scene.bed.path("plans/limited.plan.toml").exists(), "no plan is written");
    scene.bed.write("other.toml", &manifest.replace("123456789012", "999999999999"));
    scene.bed.s3plan(["plan", "other.toml"]).exits(5);
    scene.bed.s3plan(["apply", "--yes", "plans/manifest.plan.toml"]).exits(3);
    scene.bed.s3plan(["approve", "bucket-0@0123456789abcdef"]).exits(5);
    let other = "bucket-0@0123456789abcdef";
    scene.bed.s3plan(["apply", "--yes", "--approve", other]).exits(5);
    scene.assert_nothing_lost();
    scene.bed.s3plan(["apply", "--yes", "--approve", &gate(&scene.bed, "bucket-0")]).exits(0);
}

#[test]
fn what_was_typed_wrong_ends_with_64() {
    let scene = scene_of(&[Part::Done, Part::Done]);
    for args in [
        vec!["aply"],
        vec!["plan"],
        vec!["plan", "nowhere.toml"],
        vec!["plan", "manifest.toml", "--target", "nobody"],
        vec!["plan", "manifest.toml", "--exclude", "nobody"],
        vec!["apply", "--target", "nobody"],
        vec!["apply", "--approve", "bucket-0"],
        vec!["apply", "nowhere.plan.toml"],
        vec!["approve", "nobody@0123456789abcdef"],
        vec!["completions", "cmd.exe"],
        vec!["-C", "nowhere", "status"],
    ] {
        let answer = scene.bed.s3plan(&args);
        assert_eq!(answer.code, Some(64), "{answer}");
        assert_ne!(answer.stderr, "", "{args:?} is told what is wrong");
    }
    scene.assert_untouched();
}

#[test]
fn targets_and_exclusions_leave_the_others_alone() {
    let scene = scene_of(&[Part::Done, Part::Done, Part::Done]);
    let planned = scene.bed.s3plan(["plan", "manifest.toml", "--exclude", "bucket-2"]).exits(0);
    assert!(!planned.stdout.contains("bucket-2"), "{planned}");
    scene.bed.s3plan(["apply", "--yes", "--target", "bucket-1"]).exits(0);
    let exists = |name: &str| scene.bed.path(&format!("archive/{name}/bagit.txt")).exists();
    assert_eq!(["bucket-0", "bucket-1", "bucket-2"].map(exists), [false, true, false]);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(["bucket-0", "bucket-1", "bucket-2"].map(exists), [true, true, false]);
}

/// Skipped parts are told with their cause, and so is what to type next.
#[test]
fn what_was_left_out_is_told_with_its_cause() {
    let scene = scene_of(&[Part::Stale, Part::Fails, Part::Waits]);
    let answer = scene.bed.s3plan(["apply", "--yes"]).exits(4);
    answer
        .blames("bucket-0: stale: objects moved since the plan was made: 1 new")
        .blames("bucket-1: failed")
        .blames("bucket-2: waits for an approval")
        .blames(
            "bucket-0: skipped: verify, seal; download met a bucket that is not what was planned",
        )
        .blames("bucket-1: skipped: verify, seal; download failed");
    scene.sandbox.step(&Step::Delete {
        bucket: "bucket-0".into(),
        key: "new".into(),
        version: None,
    });
    scene.sandbox.clear_faults();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
}
