//! Power cuts: the machine stops at some place, and what was not synced by then may be on the disk or
//! not, state and archive alike. The same command goes on.
//!
//! What the program does to files is written down by strace; a disk is then made of it as it may be
//! after a cut ([`super::platter`]). The world is left as it is at that moment: what was asked of S3
//! was asked. Power cuts under the state alone, at every single write, are in `src/state/tests/powercut.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::dice::Dice;
use super::disk::can_strace;
use super::platter::{Mood, Platter};
use super::range::{
    COLD, Range, SUSPENDED, Start, VERSIONS, each, is_long, place_of_death, rows_of, tell,
};
use super::trace::{CALLS, Trace};
use crate::support::bed::Answer;
use crate::support::scene::Scene;

/// Runs a command line until it dies at a place, and cuts the power there.
fn cut(scene: &Scene, place: u64, mood: Mood, run: impl FnOnce(&str) -> Answer) -> Answer {
    let mut platter = Platter::of(&scene.bed.project());
    let answer = run(&format!(
        "S3PLAN_DIE_AT={place} exec strace -f -y -xx -s 16777216 -e 'trace={CALLS}' -o ../trace"
    ));
    let text = fs::read_to_string(scene.bed.path("../trace")).expect("what strace wrote");
    platter.replay(&Trace::read(&text));
    platter.cut(mood);
    answer
}

fn cut_apply(range: &Range, scene: &Scene, place: u64, mood: Mood) -> Answer {
    cut(scene, place, mood, |traced| range.run_in_shell(scene, &format!("{traced} $APPLY")))
}

/// Every row that says "on disk" has its file, whole.
fn assert_rows_have_files(scene: &Scene, told: &str) {
    for (bucket, row) in rows_of(scene) {
        let Some(stored) = row.stored else { continue };
        let path = format!("archive/{bucket}/{}", stored.path);
        let bytes = fs::read(scene.bed.path(&path));
        let bytes = bytes.unwrap_or_else(|error| panic!("{told}: {path}: {error}"));
        let found: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(found, stored.sha256, "{told}: {path} is not what its row says");
    }
}

/// Cuts at each place, or at one in so many, in another mood each time.
fn cut_everywhere(test: &str, start: Start, one_in: u64) {
    if !can_strace(test) {
        return;
    }
    let range = Range::of(start);
    // One place behind the last: the power goes when all is said to be done.
    let places = range.places + 1;
    let (rounds, one_in) = if is_long() { (8, 1) } else { (1, one_in) };
    let shots: Vec<u64> = (0..places * rounds).step_by(one_in as usize).collect();
    let met = Mutex::new(BTreeSet::new());
    each(&shots, |shot| {
        let place = 1 + shot % places;
        let mood = Mood::of(shot / one_in + shot / places);
        let scene = range.scene();
        let answer = cut_apply(&range, &scene, place, mood);
        let name = place_of_death(&answer);
        let told = format!("cut at {place} of {}, {mood:?}: {name:?}", range.places);
        assert!(name.is_some() || answer.code == Some(0), "{told}: {answer}");
        assert_rows_have_files(&scene, &told);
        range.assert_whole(&scene, &told);
        range.finish(&scene, 2, &told);
        met.lock().expect("no panic").extend(name);
    });
    tell(&format!(
        "power cuts: {} at {} places",
        shots.len(),
        met.into_inner().expect("no panic").len()
    ));
}

#[test]
fn a_power_cut_anywhere_is_only_a_pause_for_a_bucket_that_thaws() {
    cut_everywhere("a_power_cut_anywhere_is_only_a_pause_for_a_bucket_that_thaws", COLD, 2);
}

#[test]
fn a_power_cut_anywhere_is_only_a_pause_for_a_bucket_with_versions() {
    cut_everywhere("a_power_cut_anywhere_is_only_a_pause_for_a_bucket_with_versions", VERSIONS, 1);
}

/// The power goes again while the run before is made good, up to four times.
#[test]
fn power_cuts_during_the_repair_are_only_pauses() {
    if !can_strace("power_cuts_during_the_repair_are_only_pauses") {
        return;
    }
    let mut dice = Dice(6);
    let cuts = AtomicU64::new(0);
    for start in [COLD, SUSPENDED] {
        let range = Range::of(start);
        let shots = if is_long() { 200 } else { 8 };
        let seeds: Vec<u64> = (0..shots).map(|_| dice.throw()).collect();
        each(&seeds, |shot| {
            let mut dice = Dice(shot);
            let scene = range.scene();
            let mut told = format!("seed {shot}: cut at");
            let deep = 2 + dice.throw() % 3;
            for cut in 0..deep {
                let place = 1 + dice.throw() % (range.places / (cut + 1));
                let mood = Mood::of(dice.throw());
                told += &format!(" {place} ({mood:?})");
                cut_apply(&range, &scene, place, mood);
                assert_rows_have_files(&scene, &told);
                range.assert_whole(&scene, &told);
                cuts.fetch_add(1, Ordering::SeqCst);
            }
            range.finish(&scene, deep + 1, &told);
        });
    }
    tell(&format!("power cuts during repairs: {}", cuts.into_inner()));
}

/// State and plan are made whole or not at all.
#[test]
fn a_power_cut_while_planning_is_made_good_by_planning_again() {
    if !can_strace("a_power_cut_while_planning_is_made_good_by_planning_again") {
        return;
    }
    let range = Range::of(COLD);
    let plan = range.scene().bed.read("plans/manifest.plan.toml");
    let shots: Vec<u64> = (0..if is_long() { 20 * 8 } else { 24 }).collect();
    each(&shots, |shot| {
        let scene = range.unplanned();
        let (place, mood) = (1 + shot % 20, Mood::of(shot + shot / 20));
        cut(&scene, place, mood, |traced| {
            scene.bed.shell(&format!("{traced} \"$S3PLAN\" plan manifest.toml"))
        });
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
        let told = format!("cut at {place}, {mood:?}");
        assert_eq!(scene.bed.read("plans/manifest.plan.toml"), plan, "{told}");
        scene.assert_untouched();
    });
    tell(&format!("power cuts while planning: {}", shots.len()));
}
