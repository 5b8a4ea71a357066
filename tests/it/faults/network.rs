//! The network between: storms, cut and lying bodies, lost answers, silence, a link that is gone
//! for a while. What single answers are taken for is tried closer by, in `src/aws`.

use std::time::Duration;

use rustix::process::Signal;
use s3plan_sandbox::{Effect, Rule, World};

use super::range::{COLD, Range, SUSPENDED, Start, VERSIONS, each, tell};
use crate::support::patience::wait_for;
use crate::support::scene::Scene;
use crate::support::story::manifest_of;

/// A server that is overwhelmed for a while: the run waits, and ends right.
#[test]
fn a_storm_of_refusals_is_waited_out() {
    let range = Range::of(COLD);
    let storms = [
        ("*", 503, "SlowDown", 0.5, 60),
        ("GetObject", 503, "SlowDown", 0.9, 30),
        ("*", 500, "InternalError", 0.3, 60),
        ("*", 429, "TooManyRequests", 0.3, 60),
    ];
    let numbers: Vec<u64> = (0..storms.len() as u64).collect();
    each(&numbers, |number| {
        let (on, status, code, chance, calls) = storms[number as usize];
        let scene = range.scene();
        let rule = Rule::on(on).chance(chance, number).calls(1, calls);
        scene.sandbox.add_fault(rule.then(Effect::answer(status, code)));
        range.finish(&scene, 6, &format!("{code} to {on}"));
    });
}

/// The body breaks off after so many bytes, once for each object: the rest is asked for.
#[test]
fn a_body_that_breaks_off_is_resumed_where_it_broke() {
    let range = Range::of(COLD);
    each(&[0, 1, 999, 1000, 1001, 2999], |after| {
        let scene = range.scene();
        let cut = Rule::on("GetObject").key("parts").nth(1).then(Effect::CutBody { after });
        scene.sandbox.add_fault(cut);
        range.finish(&scene, 1, &format!("cut after {after}"));
        let twice = scene.sandbox.witness().bytes_sent().saturating_sub(range.calm.bytes_sent);
        assert!(twice <= 1000, "cut after {after}: {twice} bytes came twice");
    });
}

/// What a server may say once and then take back: no run ends over it, or the next one goes on.
#[test]
fn lies_about_a_body_never_reach_the_archive() {
    let range = Range::of(COLD);
    let get = || Rule::on("GetObject").key("parts");
    let flip = || Effect::FlipBit { offset: 1500 };
    let other_etag = || Effect::WrongEtag("00".repeat(16));
    // An object of a single PUT: its ETag says so.
    let flip_always = Rule::on("GetObject").key("glacier/1").then(Effect::FlipBit { offset: 3 });
    let ask = |range: &str| Effect::Ask { name: "range".into(), value: Some(range.into()) };
    // What is done to the first GETs of one object, and how the first run ends.
    let lies = [
        ("a flipped bit", vec![get().nth(1).then(flip())], 0),
        ("a flipped bit, always", vec![flip_always], 1),
        ("a short body", vec![get().nth(1).then(Effect::ShortBody { length: 10 })], 4),
        ("an empty body", vec![get().nth(1).then(Effect::ShortBody { length: 0 })], 4),
        ("no length", vec![get().nth(1).then(Effect::NoHeader("content-length".into()))], 0),
        ("another ETag", vec![get().nth(1).then(other_etag())], 0),
        // Asked once more, it is believed: another object stands there now.
        (
            "another ETag, twice",
            vec![get().nth(1).then(other_etag()), get().nth(2).then(other_etag())],
            4,
        ),
        ("a range for the whole", vec![get().nth(1).then(ask("bytes=0-9"))], 0),
        (
            "another range",
            vec![
                get().nth(1).then(Effect::CutBody { after: 1000 }),
                get().nth(2).then(ask("bytes=0-1")),
            ],
            0,
        ),
        (
            "the whole for a range",
            vec![
                get().nth(1).then(Effect::CutBody { after: 1000 }),
                get().nth(2).then(Effect::Ask { name: "range".into(), value: None }),
            ],
            0,
        ),
    ];
    let numbers: Vec<u64> = (0..lies.len() as u64).collect();
    each(&numbers, |number| {
        let (told, rules, code) = &lies[number as usize];
        let scene = range.scene();
        for rule in rules {
            scene.sandbox.add_fault(rule.clone());
        }
        let answer = range.run(&scene, &[]);
        assert_eq!(answer.code, Some(*code), "{told}: {answer}");
        if *code != 0 {
            let key = if told.ends_with("always") { "glacier/1" } else { "parts" };
            assert!(answer.stderr.contains(key), "{told}: the key is named: {answer}");
            assert!(!scene.bed.path(&format!("archive/cold/data/{key}")).exists(), "{told}");
            assert!(scene.sandbox.witness().deletions().is_empty(), "{told}: nothing is deleted");
        }
        scene.sandbox.clear_faults();
        range.finish(&scene, 3, told);
    });
}

/// The work was done and the answer never came: asked again, it is found done, and done once.
#[test]
fn an_answer_that_is_lost_is_a_question_and_not_an_assumption() {
    let [cold, versions, suspended] = [COLD, VERSIONS, SUSPENDED].map(Range::of);
    let lost = [
        (&cold, "RestoreObject"),
        (&cold, "PutObject"),
        (&cold, "DeleteObjects"),
        (&cold, "DeleteObject"),
        (&cold, "AbortMultipartUpload"),
        (&cold, "DeleteBucket"),
        (&versions, "DeleteObjects"),
        (&versions, "DeleteBucket"),
        (&suspended, "PutObject"),
        (&suspended, "DeleteObjects"),
        (&suspended, "DeleteObject"),
    ];
    let shots: Vec<u64> = (0..lost.len() as u64 * 2).collect();
    each(&shots, |shot| {
        let (range, op) = lost[shot as usize / 2];
        let nth = 1 + shot % 2;
        let scene = range.scene();
        scene.sandbox.add_fault(Rule::on(op).nth(nth).then(Effect::LoseAnswer));
        let told = format!("the answer to {op} number {nth} is lost");
        let first = range.run(&scene, &[]);
        assert!(matches!(first.code, Some(0 | 1)), "{told}: {first}");
        range.finish(&scene, 2, &told);
    });
    tell(&format!("lost answers: {}", shots.len()));
}

/// Nothing comes, or next to nothing: each ends within its own limit, and is asked for again.
#[test]
fn stalls_drips_and_silence_end_within_their_limits() {
    let range = Range::of(COLD);
    let slow = [
        ("a stall at the start", Effect::Stall { after: 0 }),
        ("a stall in the middle", Effect::Stall { after: 1500 }),
        ("two bytes a second", Effect::Trickle { rate: 2 }),
        ("no answer", Effect::Silence),
    ];
    let numbers: Vec<u64> = (0..slow.len() as u64).collect();
    each(&numbers, |number| {
        let (told, effect) = &slow[number as usize];
        let scene = range.scene();
        scene.sandbox.add_fault(Rule::on("GetObject").key("parts").nth(1).then(effect.clone()));
        // A run that does not end is an error of its own.
        range.finish(&scene, 2, told);
    });
}

/// Nobody answers for a while: the run goes on by itself when somebody does.
#[test]
fn a_link_that_is_cut_and_comes_back_ends_no_run() {
    let range = Range::of(COLD);
    let scene = range.scene();
    scene.sandbox.add_fault(Rule::on("*").calls(8, u64::MAX).then(Effect::Drop));
    let run = range.start(&scene, &[]);
    std::thread::sleep(Duration::from_secs(12));
    scene.sandbox.clear_faults();
    let answer = run.wait();
    assert_eq!(answer.code, Some(0), "{answer}");
    range.finish(&scene, 20, "a cut link");
}

/// One connection is stuck: the other objects come in all the same, and are kept.
#[test]
fn one_connection_that_is_stuck_holds_up_nobody() {
    const MANY: Start = (
        r#"
[bucket.many]
[[bucket.many.object]]
key = "{n}"
count = 300
size = 100
"#,
        r#"then = "delete-bucket""#,
    );
    let world = World::parse(MANY.0).expect("a world");
    let manifest = manifest_of(&world, MANY.1) + "[transfer]\nmax_connections = 4\n";
    let range = Range::planned(world, manifest, &[], |_| {});
    let scene = range.scene();
    scene.sandbox.add_fault(Rule::on("GetObject").key("000").then(Effect::Silence));
    let run = range.start(&scene, &[]);
    // However long that takes on this machine: the stuck one is never served at all.
    let others = || (scene.sandbox.witness().served_whole().len() == 299).then_some(());
    wait_for(Duration::from_secs(200), others).expect("the others come in");
    run.signal(Signal::KILL);
    run.wait();
    scene.sandbox.clear_faults();
    range.finish(&scene, 2, "a connection that was stuck");
}

/// Ten thousand parts, proven part by part.
#[test]
fn an_object_of_ten_thousand_parts_is_like_any_other() {
    const PARTS: Start = (
        r#"
[bucket.parts]
[[bucket.parts.object]]
key = "film"
size = 1_000_000
parts = 100
checksum = "CRC32"
checksum_type = "composite"
[[bucket.parts.object]]
key = "film without checksums"
size = 1_000_000
parts = 100
"#,
        r#"then = "delete-bucket""#,
    );
    // The calm run itself is held against all that must be.
    let range = Range::of(PARTS);
    range.finish(&range.scene(), 1, "ten thousand parts");
}

/// An object as large as S3 has them: nothing is allocated by its size, and a disk that cannot hold it
/// is said to be too small before anything is fetched.
#[test]
fn an_object_of_five_tebibytes_needs_no_memory_and_is_refused_for_want_of_room() {
    let world = r#"
[bucket.huge]
[[bucket.huge.object]]
key = "huge"
size = "5TiB"
etag = "00000000000000000000000000000000-10000"
"#;
    let world = World::parse(world).expect("a world");
    let manifest = manifest_of(&world, r#"then = "keep""#);
    let scene = Scene::new(world);
    scene.bed.write_manifest(&manifest);
    // Far less than the object, far more than the program's own threads map.
    let limited =
        |args: &str| scene.bed.shell(&format!("ulimit -v 4000000; exec \"$S3PLAN\" {args}"));
    let plan = limited("plan manifest.toml");
    assert!(plan.to_string().contains("5.0 TiB"), "{plan}");
    if plan.code == Some(0) {
        let answer = limited("apply --yes");
        assert_eq!(answer.code, Some(1), "{answer}");
        answer.blames("room");
    }
    assert_eq!(scene.sandbox.witness().bytes_sent(), 0, "nothing was fetched");
}

/// A bucket that answers from elsewhere is asked there, and nothing goes in circles.
#[test]
fn a_redirect_is_followed_and_a_circle_is_an_error() {
    let range = Range::of(VERSIONS);
    let scene = range.scene();
    let moved = |rule: Rule| {
        let header =
            Effect::Header { name: "x-amz-bucket-region".into(), value: "eu-west-1".into() };
        rule.then(Effect::answer(301, "PermanentRedirect")).then(header)
    };
    scene.sandbox.add_fault(moved(Rule::on("ListObjectVersions")));
    let answer = range.run(&scene, &[]);
    assert_eq!(answer.code, Some(1), "{answer}");
    assert!(scene.sandbox.witness().count("ListObjectVersions") < 20, "it goes in circles");
    assert_nothing_done(&scene);
    scene.sandbox.clear_faults();
    range.finish(&scene, 2, "redirected");
}

fn assert_nothing_done(scene: &Scene) {
    assert!(scene.sandbox.witness().deletions().is_empty(), "nothing is deleted");
}
