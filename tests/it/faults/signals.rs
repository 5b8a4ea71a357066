//! Signals and terminals: stopped once, twice, asleep; prompts that nobody answers with a yes.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use s3plan_sandbox::{Effect, Rule};

use super::range::{COLD, Range, VERSIONS, each, status};
use crate::support::bed::{Answer, Running};
use crate::support::patience::wait_for;
use crate::support::scene::Scene;

/// A run that is in the middle of a download which does not end.
fn stuck(range: &Range) -> (Scene, Running) {
    let scene = range.scene();
    scene.sandbox.add_fault(Rule::on("GetObject").then(Effect::Stall { after: 0 }));
    let run = range.start(&scene, &[]);
    let downloading = || (scene.sandbox.witness().count("GetObject") > 0).then_some(());
    wait_for(Duration::from_secs(120), downloading).expect("it downloads");
    (scene, run)
}

#[test]
fn one_signal_parks_the_run_and_it_says_how_to_go_on() {
    let range = Range::of(VERSIONS);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (scene, run) = stuck(&range);
        // Nothing else would end it: what it waits for does not come, and it has patience.
        run.signal(signal);
        let answer = run.wait().exits(130);
        answer.blames("to go on: s3plan apply");
        scene.sandbox.clear_faults();
        range.finish(&scene, 2, &format!("{signal:?}"));
    }
}

/// It becomes itself once more when it starts, with its allocator told so, and stays the process that
/// was started.
#[test]
#[cfg(target_os = "linux")]
fn a_run_keeps_no_free_memory_and_its_name() {
    let range = Range::of(VERSIONS);
    let (scene, run) = stuck(&range);
    let of_process = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", run.id()));
    let environment = of_process("environ").expect("an environment");
    assert!(environment.split('\0').any(|var| var == "MIMALLOC_PURGE_DELAY=0"), "{environment}");
    assert_eq!(of_process("comm").expect("a name"), "s3plan\n");
    run.signal(Signal::INT);
    run.wait().exits(130);
    scene.sandbox.clear_faults();
    range.finish(&scene, 2, "its memory");
}

#[test]
fn two_signals_end_the_run_at_once() {
    let range = Range::of(VERSIONS);
    let (scene, run) = stuck(&range);
    run.signal(Signal::INT);
    thread::sleep(Duration::from_millis(5));
    run.signal(Signal::INT);
    run.wait().exits(130);
    scene.sandbox.clear_faults();
    range.finish(&scene, 2, "two signals");
}

/// A signal while Glacier is waited for, and at the gate, where nothing is in flight.
#[test]
fn a_run_that_only_waits_can_be_stopped() {
    let range = Range::of(COLD);
    let scene = range.scene();
    let never = Rule::on("ListObjectsV2").then(Effect::Replace {
        find: "<IsRestoreInProgress>false".into(),
        with: "<IsRestoreInProgress>true".into(),
    });
    scene.sandbox.add_fault(never);
    let run = range.start(&scene, &[]);
    let waits = || (status(&scene)["buckets"][0]["waiting_for"] == "thaw").then_some(());
    wait_for(Duration::from_secs(120), waits).expect("it waits for Glacier");
    run.signal(Signal::INT);
    run.wait().exits(130);
    scene.sandbox.clear_faults();
    range.finish(&scene, 3, "stopped while waiting");
}

/// The machine sleeps: a connection is dead afterwards, or the thaw is over.
#[test]
fn a_run_that_was_asleep_goes_on() {
    let range = Range::of(COLD);
    each(&[100, 300, 600], |after| {
        let scene = range.scene();
        let run = range.start(&scene, &[]);
        thread::sleep(Duration::from_millis(after));
        run.signal(Signal::STOP);
        thread::sleep(Duration::from_secs(3));
        run.signal(Signal::CONT);
        let answer = run.wait();
        assert_eq!(answer.code, Some(0), "asleep after {after} ms: {answer}");
        range.finish(&scene, 2, "asleep");
    });
}

/// Runs the program on a terminal: at each of these words, that is typed.
fn on_a_terminal(scene: &Scene, args: &str, typing: &[(&str, &str)]) -> Answer {
    let mut terminal = scene.bed.at_terminal(args);
    for (words, keys) in typing {
        terminal.reads(words);
        terminal.types(keys);
    }
    terminal.wait()
}

#[test]
fn nothing_but_yes_is_a_yes() {
    let range = Range::of(VERSIONS);
    for typed in ["\n", "y\n", "YES\n", "no\n", "\u{4}", "yes please\n", "\u{1b}[A\n"] {
        let scene = range.scene();
        let answer = on_a_terminal(&scene, "apply", &[("Only `yes` is a yes", typed)]);
        assert_eq!(answer.code, Some(1), "{typed:?}: {answer}");
        assert!(answer.stdout.contains("the answer was not `yes`"), "{typed:?}: {answer}");
        scene.assert_untouched();
        assert!(!scene.bed.path("archive").exists(), "{typed:?}: nothing was done");
    }
    let scene = range.scene();
    let nobody = scene.bed.s3plan(["apply"]);
    assert_eq!(nobody.code, Some(64), "{nobody}");
    scene.assert_untouched();
}

#[test]
fn a_gate_opens_for_the_bucket_s_name_and_for_nothing_else() {
    let range = Range::of(VERSIONS);
    let gate = "to approve, anything else to wait";
    for typed in ["\n", "yes\n", "version\n", "\u{4}", "VERSIONS\n"] {
        let scene = range.scene();
        let answer = on_a_terminal(&scene, "apply --yes", &[(gate, typed)]);
        assert_eq!(answer.code, Some(3), "{typed:?}: {answer}");
        assert!(scene.sandbox.witness().deletions().is_empty(), "{typed:?}: {answer}");
    }
    let scene = range.scene();
    let typing = [("Only `yes` is a yes", "yes\n"), (gate, "versions\n")];
    on_a_terminal(&scene, "apply", &typing).exits(0);
    range.finish(&scene, 2, "approved at the terminal");
}

/// Ctrl-C at the prompt itself.
#[test]
fn an_interrupt_at_a_prompt_is_no_yes() {
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    let answer = on_a_terminal(&scene, "apply", &[("Only `yes` is a yes", "\u{3}")]);
    assert_ne!(answer.code, Some(0), "{answer}");
    assert!(answer.stdout.contains("Only `yes` is a yes"), "it was asked: {answer}");
    scene.assert_untouched();
}

/// Nobody reads what is said, or the disk that it goes to is full.
#[test]
fn streams_that_take_nothing_are_no_panic() {
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    for script in [
        "$APPLY 2>/dev/full",
        "\"$S3PLAN\" status >/dev/full",
        "\"$S3PLAN\" show 2>/dev/full | head -c 1 >/dev/null",
        "\"$S3PLAN\" status >&- 2>&-",
    ] {
        let answer = range.run_in_shell(&scene, script);
        assert!(matches!(answer.code, Some(0 | 1)), "{script}: {answer}");
    }
    range.finish(&scene, 3, "streams that take nothing");
}
