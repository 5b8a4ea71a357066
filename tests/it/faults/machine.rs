//! The machine around the program: too little memory, a clock that is wrong, an odd environment, a
//! program that is replaced while it runs.

use s3plan_sandbox::{Effect, Rule};

use super::range::{COLD, Range, VERSIONS, each, tell};

const DAY: u64 = 24 * 60 * 60;

/// Less and less address space: it ends, or is ended, and either is only a pause.
#[test]
fn too_little_memory_is_only_a_pause() {
    let range = Range::of(VERSIONS);
    // In KiB. With the least the program cannot even be loaded.
    let limits =
        [10_000, 60_000, 100_000, 140_000, 200_000, 300_000, 500_000, 1_000_000, 4_000_000];
    let ended = std::sync::Mutex::new(Vec::new());
    each(&limits, |limit| {
        let scene = range.scene();
        let answer = range.run_in_shell(&scene, &format!("ulimit -v {limit}; exec $APPLY"));
        assert_ne!(answer.code, Some(3), "{limit} KiB: {answer}");
        ended.lock().expect("no panic").push((limit, answer.code));
        range.finish(&scene, 2, &format!("{limit} KiB of memory"));
    });
    tell(&format!("ends with little memory: {:?}", ended.into_inner().expect("no panic")));
}

/// The clock is years ahead in one life of a run and right again in the next, at whatever place the
/// one died: S3's dates rule, no time is negative, and nothing is asked for twice.
#[test]
fn a_clock_that_is_wrong_or_jumps_back_is_only_a_pause() {
    for start in [COLD, VERSIONS] {
        let range = Range::of(start);
        let places: Vec<u64> = (1..=range.places).step_by(7).collect();
        each(&places, |place| {
            let (name, ahead) = match place % 3 {
                0 => ("20 minutes", 20 * 60),
                1 => ("two days", 2 * DAY),
                _ => ("five years", 5 * 365 * DAY),
            };
            let scene = range.scene();
            let (place, ahead) = (place.to_string(), ahead.to_string());
            let env = [("S3PLAN_DIE_AT", place.as_str()), ("S3PLAN_CLOCK_AHEAD", &ahead)];
            range.run(&scene, &env);
            range.finish(&scene, 2, &format!("{name} ahead until place {place}"));
        });
    }
}

/// S3 refuses a clock that is off by more than a quarter of an hour: nothing is taken for gone.
#[test]
fn a_refusal_for_a_wrong_clock_is_no_loss() {
    let range = Range::of(COLD);
    each(&[1, 9, 20], |from| {
        let scene = range.scene();
        let rule = Rule::on("*").calls(from, from + 3);
        scene.sandbox.add_fault(rule.then(Effect::answer(403, "RequestTimeTooSkewed")));
        range.run(&scene, &[]);
        scene.sandbox.clear_faults();
        range.finish(&scene, 3, &format!("refused from request {from} on"));
    });
}

/// Where it is run from, as whom and with how little around it makes no difference.
#[test]
fn an_odd_environment_makes_no_difference() {
    let range = Range::of(VERSIONS);
    let scripts = [
        "umask 077; exec $APPLY",
        "umask 0; exec $APPLY",
        "unset HOME; exec $APPLY",
        "HOME= exec $APPLY",
        "HOME=/nonexistent exec $APPLY",
        "HOME=/dev/null exec $APPLY",
        "mkdir -p a/b; cd a/b; exec $APPLY; rm -r a",
        "here=$PWD; cd /; exec \"$S3PLAN\" -C \"$here\" $ARGS",
        "unset LANG PATH; exec $APPLY",
        "LANG=C LC_ALL=tr_TR.ISO-8859-9 TERM=dumb COLUMNS=20 exec $APPLY",
        "TMPDIR=/nonexistent TZ=Nowhere/Nothing exec $APPLY",
    ];
    let numbers: Vec<u64> = (0..scripts.len() as u64).collect();
    each(&numbers, |number| {
        let script = scripts[number as usize];
        let scene = range.scene();
        range.run_in_shell(&scene, script).exits(0);
        range.finish(&scene, 2, script);
    });
}

/// A package manager puts a new program in the place of the one that runs; the next life is the new
/// one's.
#[test]
fn a_program_that_is_replaced_in_mid_run_goes_on_as_the_new_one() {
    let range = Range::of(COLD);
    let scene = range.scene();
    let script = r#"
        cp "$S3PLAN" ../program && cp "$S3PLAN" ../newer
        S3PLAN=$PWD/../program
        $APPLY & run=$!
        until [ -e archive ]; do sleep 0.02; done
        mv ../newer ../program
        kill -9 $run; wait $run
        $APPLY; echo "ended: $?""#;
    let answer = range.run_in_shell(&scene, script);
    assert!(answer.stdout.contains("ended: 0"), "{answer}");
    range.finish(&scene, 3, "a program that was replaced");
}
