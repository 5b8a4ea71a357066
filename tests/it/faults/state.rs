//! The state and the plan file: rotten, old, edited, mangled. Never believed, never a panic, never
//! a deletion.

use std::fs;

use super::dice::Dice;
use super::range::{Range, SUSPENDED, VERSIONS, copy_tree, each, is_long, tell};
use crate::support::scene::Scene;

const PLAN: &str = "plans/manifest.plan.toml";
const STATE: &str = ".s3plan/state.redb";

/// One bit of the state is another, at places all over the file: it is found out, or it did not
/// matter.
#[test]
fn a_flipped_bit_in_the_state_is_found_out_or_without_effect() {
    let range = Range::of(VERSIONS);
    let before = range.scene();
    before.bed.s3plan(["apply", "--yes"]).exits(3);
    let whole = fs::read(before.bed.path(STATE)).expect("a state");
    let mut dice = Dice(4);
    let flips: Vec<u64> = (0..if is_long() { 2_000 } else { 200 }).map(|_| dice.throw()).collect();
    let found_out = std::sync::atomic::AtomicU64::new(0);
    each(&flips, |flip| {
        let scene = range.scene();
        copy_tree(&before.bed.project(), &scene.bed.project());
        let mut rotten = whole.clone();
        let place = (flip / 8) as usize % rotten.len();
        rotten[place] ^= 1 << (flip % 8);
        fs::write(scene.bed.path(STATE), rotten).expect("a rotten state");
        let answer = range.run(&scene, &[]);
        let told = format!("bit {} of byte {place}", flip % 8);
        if answer.code == Some(0) {
            range.assert_ended(&scene, &told);
            return;
        }
        found_out.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(answer.code, Some(1), "{told}: {answer}");
        assert!(answer.stderr.contains("state rebuild"), "{told}: {answer}");
        let deletions = scene.sandbox.witness().deletions();
        assert!(deletions.is_empty(), "{told}: {deletions:#?}");
    });
    tell(&format!("bits flipped: {}, found out: {}", flips.len(), found_out.into_inner()));
}

/// A copy of the state from before the deletion, put back after it.
#[test]
fn an_older_state_put_back_deletes_nothing_again() {
    for start in [VERSIONS, SUSPENDED] {
        let range = Range::of(start);
        let scene = range.scene();
        scene.bed.s3plan(["apply", "--yes"]).exits(3);
        let older = fs::read(scene.bed.path(STATE)).expect("a state");
        range.run(&scene, &[]).exits(0);
        fs::write(scene.bed.path(STATE), older).expect("the older state");
        let deletions = scene.sandbox.witness().deletions().len();
        // What is gone by another hand, as far as this state knows, makes the plan stale.
        range.run(&scene, &[]).exits(4);
        assert_eq!(scene.sandbox.witness().deletions().len(), deletions, "nothing more is deleted");
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
        let again = scene.bed.s3plan(["apply", "--yes"]);
        assert_eq!(again.code, Some(0), "{again}");
        assert_eq!(scene.sandbox.witness().deletions().len(), deletions, "nothing more is deleted");
        range.assert_whole(&scene, "an older state");
    }
}

/// The holder was killed and a file with its words is still there: the lock is the kernel's.
#[test]
fn a_lock_file_of_a_dead_holder_holds_nobody_up() {
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    let mine = std::process::id();
    let words = format!("s3plan apply (process {mine}, since for ever) (pid {mine})\n");
    scene.bed.write(".s3plan/state.lock", &words);
    scene.bed.write("archive/versions.s3plan-lock", &format!("pid {mine}\nhost x\nbucket y\n"));
    range.finish(&scene, 1, "a lock file of somebody else");
}

/// Any byte of the plan changed: refused, and nothing is done.
#[test]
fn a_plan_with_one_byte_changed_is_refused() {
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    let plan = fs::read(scene.bed.path(PLAN)).expect("a plan");
    let step = if is_long() { 1 } else { 61 };
    let places: Vec<usize> = (0..plan.len()).step_by(step).collect();
    for &place in &places {
        let mut edited = plan.clone();
        edited[place] ^= 1;
        fs::write(scene.bed.path(PLAN), &edited).expect("an edited plan");
        let answer = range.run(&scene, &[]);
        let told = format!("byte {place}: {answer}");
        assert!(matches!(answer.code, Some(1 | 4 | 5 | 64)), "{told}");
        assert!(answer.stderr.contains("manifest.plan.toml"), "{told}");
    }
    scene.assert_untouched();
    tell(&format!("plans edited: {}", places.len()));
    fs::write(scene.bed.path(PLAN), &plan).expect("the plan put back");
    range.finish(&scene, 2, "the plan put back");
}

/// What editors and version control do to text files.
#[test]
fn line_ends_of_windows_are_accepted_and_conflict_markers_are_not() {
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    let plan = scene.bed.read(PLAN);
    let conflict = plan.replacen("format = ", "<<<<<<< HEAD\nformat = ", 1);
    for mangled in [conflict, plan[..plan.len() / 2].to_owned(), String::new(), "\0".repeat(512)] {
        scene.bed.write(PLAN, &mangled);
        let answer = range.run(&scene, &[]);
        assert!(matches!(answer.code, Some(1 | 4 | 5 | 64)), "{answer}");
        answer.blames("manifest.plan.toml");
    }
    scene.assert_untouched();
    scene.bed.write(PLAN, &plan.replace('\n', "\r\n"));
    range.finish(&scene, 2, "line ends of Windows");
}

/// The plain files beside the state are for readers: torn or gone, nothing rests on them.
#[test]
fn torn_files_beside_the_state_are_made_good() {
    let range = Range::of(VERSIONS);
    let scene: Scene = range.scene();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let audit = scene.bed.read(".s3plan/audit.jsonl");
    scene.bed.write(".s3plan/audit.jsonl", &format!("{audit}{{\"format\": 1, \"at\": \"20"));
    scene.bed.write(".s3plan/status.json", "{\"format\": ");
    scene.bed.write(".s3plan/approvals/torn.json", "{\"bucket\": \"vers");
    scene.bed.write("plans/manifest.plan.toml.tmp", "half a plan");
    range.finish(&scene, 2, "torn files");
    let after = scene.bed.read(".s3plan/audit.jsonl");
    assert!(after.starts_with(&audit), "an audit log only grows");
    let whole = after.lines().filter(|line| line.ends_with('}')).count();
    assert_eq!(whole + 1, after.lines().count(), "the torn line stands alone: {after}");
}

/// The audit log says more than the state, and more than is so: it is for readers, and opens no gate.
#[test]
fn an_audit_log_that_disagrees_with_the_state_opens_no_gate() {
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let before = fs::read(scene.bed.path(STATE)).expect("a state");
    let evidence = scene.evidence("versions");
    scene.bed.s3plan(["approve", &format!("versions@{evidence}")]).exits(0);
    // The log has the approval, the state is the one from before.
    assert!(scene.bed.read(".s3plan/audit.jsonl").contains(&evidence));
    fs::write(scene.bed.path(STATE), before).expect("the older state");
    fs::remove_dir_all(scene.bed.path(".s3plan/approvals")).ok();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    assert!(scene.sandbox.witness().deletions().is_empty(), "nothing is deleted");
    // The other way round: the state has it, and the log was lost. What is so is what the state says.
    scene.bed.s3plan(["approve", &format!("versions@{evidence}")]).exits(0);
    fs::remove_file(scene.bed.path(".s3plan/audit.jsonl")).expect("the log");
    range.finish(&scene, 4, "an audit log that was lost");
}

/// The state knows of files that the disk does not have: the disk is right.
#[test]
fn a_state_that_claims_more_than_the_disk_holds_is_not_believed() {
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    fs::remove_file(scene.bed.path("archive/versions/data/v")).expect("a file");
    let answer = range.run(&scene, &[]);
    assert!(matches!(answer.code, Some(1 | 5)), "{answer}");
    assert!(scene.sandbox.witness().deletions().is_empty(), "nothing is deleted: {answer}");
}
