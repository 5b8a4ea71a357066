//! What bad input gets: one clear error that names the thing, the right exit code, nothing lost.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, UserSpec, World};
use sha2::{Digest, Sha256};

use crate::support::bed::{Answer, TestBed};
use crate::support::patience::wait_for;
use crate::support::scene::{Scene, small_world};
use crate::support::servers::free_port;
use crate::support::state::write_schema;

const USAGE: i32 = 64;
const REFUSED: i32 = 5;
const STALE: i32 = 4;
const HELD: i32 = 6;
const ERROR: i32 = 1;

/// Archives the bucket of [`small_world`] and deletes it.
const RETIRE: &str = r#"
[account]
id = "123456789012"

[bucket."photos-2019"]
archive = { to = "archive/{bucket}", then = "delete-bucket" }
"#;

// The manifest.

#[test]
fn a_manifest_that_is_not_there_is_named() {
    let scene = Scene::new(small_world());
    for command in ["validate", "plan"] {
        scene.bed.s3plan([command, "absent.toml"]).exits(USAGE).blames("absent.toml");
    }
    scene.assert_untouched();
}

#[test]
fn a_manifest_that_cannot_be_read_is_named() {
    let scene = Scene::new(small_world());
    fs::create_dir(scene.bed.path("folder.toml")).expect("a folder");
    fs::write(scene.bed.path("binary.toml"), b"[account]\nid = \"\xff\xfe\"").expect("a file");
    for name in ["folder.toml", "binary.toml"] {
        scene.bed.s3plan(["plan", name]).exits(USAGE).blames(name);
    }
    scene.assert_untouched();
}

#[test]
fn bad_toml_is_shown_by_line_and_column() {
    let bed = TestBed::without_aws();
    bed.write_manifest("[account]\nid = \"123456789012\"\n[bucket.\"a\"\n");
    bed.s3plan(["validate", "manifest.toml"]).exits(USAGE).blames("manifest.toml:3:");
}

#[test]
fn unknown_keys_come_all_at_once_with_the_nearest_spelling() {
    let bed = TestBed::without_aws();
    bed.write_manifest(
        "[account]\nid = \"123456789012\"\nalais = \"x\"\n\n[bucket.\"a\"]\n\
         archive = { to = \"a\", them = \"keep\" }\n",
    );
    let answer = bed.s3plan(["validate", "manifest.toml"]).exits(USAGE);
    answer.blames("manifest.toml:3:").blames("alais").blames(":6:").blames("`them`").blames("then");
}

#[test]
fn a_glob_that_matches_nothing_is_a_warning() {
    let scene = Scene::new(small_world());
    scene.bed.write_manifest(&format!("{RETIRE}\n[bucket.\"nothing-*\"]\narchive = false\n"));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).blames("nothing-*");
    scene.assert_untouched();
}

#[test]
fn an_unknown_bucket_comes_with_the_nearest_name() {
    let scene = Scene::new(small_world());
    scene.bed.write_manifest(&RETIRE.replace("photos-2019", "photo-2019"));
    let answer = scene.bed.s3plan(["plan", "manifest.toml"]).exits(USAGE);
    answer.blames("photo-2019").blames("photos-2019");
    assert!(!scene.bed.path("plans").exists(), "no plan is written");
    scene.assert_untouched();
}

// The account.

#[test]
fn missing_credentials_are_told_as_such() {
    let bed = TestBed::without_aws().env("AWS_REGION", "us-east-1");
    let nobody = format!("http://127.0.0.1:{}", free_port().expect("a free port"));
    let bed = bed.env("AWS_ENDPOINT_URL", &nobody);
    bed.write_manifest(RETIRE);
    bed.s3plan(["plan", "manifest.toml"]).exits(ERROR).blames("credentials");
    bed.s3plan(["info"]).exits(ERROR).blames("credentials");
}

#[test]
fn expired_credentials_are_told_as_such() {
    let user = UserSpec { expired: true, ..UserSpec::new("alice") };
    let scene = Scene::new(small_world().user(user));
    scene.bed.write_manifest(RETIRE);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(ERROR).blames("expired");
    scene.assert_untouched();
}

/// In the middle of a run expired credentials are no failure: it waits for a fresh login.
#[test]
fn credentials_that_expire_during_a_run_park_it() {
    let expire = Effect::Script(vec![s3plan_sandbox::Step::Expire { user: "alice".to_owned() }]);
    let rule = Rule::on("GetObject").nth(2).then(expire);
    let scene = Scene::new(small_world().fault(rule)).planned(RETIRE);
    scene.bed.s3plan(["apply", "--yes"]).exits(3).blames("log in");
    scene.assert_nothing_lost();
}

#[test]
fn an_endpoint_that_nobody_answers_at_is_named() {
    let scene = Scene::new(small_world());
    let port = free_port().expect("a free port");
    scene.bed.write_manifest(RETIRE);
    let nowhere = format!("http://127.0.0.1:{port}");
    let answer = scene.bed.s3plan(["plan", "manifest.toml", "--endpoint-url", &nowhere]);
    answer.exits(ERROR).blames(&format!("127.0.0.1:{port}"));
    scene.assert_untouched();
}

#[test]
fn the_wrong_account_is_refused_before_anything_is_looked_at() {
    let scene = Scene::new(small_world());
    scene.bed.write_manifest(&RETIRE.replace("123456789012", "999999999999"));
    let answer = scene.bed.s3plan(["plan", "manifest.toml"]).exits(REFUSED);
    answer.blames("999999999999").blames("123456789012");
    assert_eq!(scene.sandbox.witness().count("ListObjectsV2"), 0, "nothing was listed");
    scene.assert_untouched();
}

// The plan file.

#[test]
fn an_edited_plan_is_refused() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    let plan = scene.bed.read(PLAN);
    // Reviewers read the comments, so they are bound too.
    let comment = plan.lines().find(|line| line.starts_with("# ")).expect("a comment to review");
    for edited in [
        plan.replacen(comment, &format!("{comment}."), 1),
        plan.replacen("delete-objects", "delete-object", 1),
        format!("{plan}\n# one more line\n"),
    ] {
        assert_ne!(edited, plan);
        scene.bed.write(PLAN, &edited);
        scene.bed.s3plan(["apply", "--yes"]).exits(STALE).blames("manifest.plan.toml");
    }
    scene.assert_untouched();
    scene.bed.write(PLAN, &plan);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
}

#[test]
fn a_plan_whose_manifest_was_edited_since_is_stale() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    scene.bed.write_manifest(&RETIRE.replace("delete-bucket", "keep"));
    scene.bed.s3plan(["apply", "--yes"]).exits(STALE).blames("manifest.toml");
    scene.assert_untouched();
}

#[test]
fn a_plan_of_another_manifest_is_stale() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    let plan = scene.bed.read(PLAN);
    let other = Scene::beside(&scene);
    other.bed.write_manifest(&RETIRE.replace("archive/", "elsewhere/"));
    other.bed.write(PLAN, &plan);
    let answer = other.bed.s3plan(["apply", "--yes", "-C", ".", PLAN]);
    answer.exits(STALE).blames("manifest.toml");
    scene.assert_untouched();
}

#[test]
fn a_plan_that_the_world_has_left_is_stale_for_that_bucket_alone() {
    let world = small_world().with(BucketSpec::new("quiet").text("k", "word"));
    let quiet = r#"archive = { to = "archive/{bucket}", then = "keep" }"#;
    let manifest = format!("{RETIRE}\n[bucket.\"quiet\"]\n{quiet}\n");
    let scene = Scene::new(world).planned(&manifest);
    assert!(scene.sandbox.put("photos-2019", "a.jpg", b"overwritten since"), "it is there");
    scene.bed.s3plan(["apply", "--yes"]).exits(STALE).blames("photos-2019").blames("a.jpg");
    let word = fs::read(scene.bed.path("archive/quiet/data/k")).expect("the other bucket goes on");
    assert_eq!(word, b"word");
    scene.assert_nothing_lost();
}

#[test]
fn a_plan_of_a_newer_format_is_refused() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    let plan = scene.bed.read(PLAN);
    let format = plan.lines().find(|line| line.starts_with("format = ")).expect("a format");
    scene.bed.write(PLAN, &with_digest(&plan.replacen(format, "format = \"9999.0\"", 1)));
    scene.bed.s3plan(["apply", "--yes"]).exits(REFUSED).blames("9999");
    scene.bed.s3plan(["show", PLAN]).exits(REFUSED).blames("9999");
    scene.assert_untouched();
}

#[test]
fn approving_other_evidence_than_there_is_is_refused() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let answer = scene.bed.s3plan(["approve", "photos-2019@0123456789abcdef"]);
    answer.exits(REFUSED).blames("0123456789abcdef");
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    scene.assert_nothing_lost();
}

// The state file.

#[test]
fn a_state_held_by_another_process_is_told_with_its_holder() {
    let stall = Rule::on("GetObject").then(Effect::Stall { after: 0 });
    let scene = Scene::new(small_world().fault(stall)).planned(RETIRE);
    let holder = scene.bed.spawn(["apply", "--yes"]);
    let downloading = || (scene.sandbox.witness().count("GetObject") > 0).then_some(());
    wait_for(Duration::from_secs(30), downloading).expect("the first one downloads");
    let second = scene.bed.s3plan(["apply", "--yes"]).exits(HELD);
    second.blames(&holder.id().to_string());
    scene.bed.s3plan(["status"]).exits(0);
    drop(holder);
    scene.assert_nothing_lost();
}

#[test]
fn a_damaged_state_is_never_believed() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let state = scene.bed.path(".s3plan/state.redb");
    let whole = fs::read(&state).expect("a state");
    let mut overwritten = whole.clone();
    let middle = whole.len() / 2;
    overwritten[4096..middle.max(8192)].fill(0xa5);
    for damaged in [&whole[..whole.len() / 2], &whole[..100], b"not a state", &overwritten[..]] {
        fs::write(&state, damaged).expect("a damaged state");
        for command in [&["apply", "--yes"][..], &["status"], &["plan", "manifest.toml"]] {
            let answer = scene.bed.s3plan(command).exits(ERROR);
            answer.blames("state.redb").blames("state rebuild");
        }
    }
    scene.assert_nothing_lost();
    fs::write(&state, whole).expect("the state put back");
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
}

#[test]
fn a_state_of_a_newer_schema_is_refused() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    let state = scene.bed.path(".s3plan/state.redb");
    write_schema(&state, 9999);
    let newer = fs::read(&state).expect("a state");
    for command in [&["apply", "--yes"][..], &["status"], &["plan", "manifest.toml"]] {
        scene.bed.s3plan(command).exits(REFUSED).blames("state.redb").blames("9999");
    }
    assert!(fs::read(&state).expect("the state") == newer, "it is left as it was");
    scene.assert_untouched();
}

#[test]
fn a_state_of_another_account_is_refused() {
    let scene = Scene::new(small_world()).planned(RETIRE);
    let other = World { account: "222222222222".to_owned(), ..small_world() };
    let other = Scene::new(other);
    other.bed.write_manifest(&RETIRE.replace("123456789012", "222222222222"));
    fs::create_dir_all(other.bed.path(".s3plan")).expect("a folder");
    let state = |scene: &Scene| scene.bed.path(".s3plan/state.redb");
    fs::copy(state(&scene), state(&other)).expect("a state carried over");
    let answer = other.bed.s3plan(["plan", "manifest.toml"]).exits(REFUSED);
    answer.blames("123456789012").blames("222222222222");
    other.assert_untouched();
}

// The disk.

#[test]
fn a_destination_that_is_a_file_is_a_blocker() {
    let scene = Scene::new(small_world());
    scene.bed.write_manifest(RETIRE);
    scene.bed.write("archive/photos-2019", "in the way");
    let answer = scene.bed.s3plan(["plan", "manifest.toml"]).exits(REFUSED);
    answer.blames("archive/photos-2019");
    assert!(!scene.bed.path(PLAN).exists(), "a blocked plan is not written");
    assert_eq!(scene.bed.read("archive/photos-2019"), "in the way");
    scene.assert_untouched();
}

/// A real full disk: a small file system in memory, in a namespace of its own, so no root is
/// needed where the system lets people have one.
#[test]
fn a_full_disk_stops_a_run_that_can_go_on_later() {
    let world = small_world().with(BucketSpec::new("big").object(ObjectSpec::sized("k", "8MiB")));
    let manifest = RETIRE.replace("photos-2019", "big");
    let scene = Scene::new(world).planned(&manifest);
    fs::create_dir_all(scene.bed.path("archive")).expect("a folder to mount on");
    let inside = |script: &str| scene.bed.shell(&format!("unshare -rm /bin/sh -c '{script}'"));
    if inside("mount -t tmpfs -o size=4m none archive").code != Some(0) {
        // Not by `eprintln!`, which the test runner keeps to itself when a test passes.
        let skipped = b"SKIPPED a_full_disk_stops_a_run_that_can_go_on_later: no right to mount\n";
        std::io::stderr().write_all(skipped).expect("a stderr");
        return;
    }
    let answer = inside(
        r#"mount -t tmpfs -o size=4m none archive
           "$S3PLAN" apply --yes; echo "full: $?"; test -e archive/big/data/k && echo "half a file"
           mount -o remount,size=64m archive
           "$S3PLAN" apply --yes; echo "freed: $?"; ls -l archive/big/data"#,
    );
    let Answer { stdout, stderr, .. } = &answer;
    assert!(stdout.contains("full: 1") && stdout.contains("freed: 3"), "{answer}");
    assert!(!stdout.contains("half a file"), "{answer}");
    assert!(stdout.contains("8388608"), "the file is whole in the end: {answer}");
    assert!(stderr.contains("space") || stderr.contains("full"), "{answer}");
    scene.assert_nothing_lost();
}

/// The file-size limit of the process stands in for a quota.
#[test]
fn a_file_too_large_for_the_disk_stops_a_run_that_can_go_on_later() {
    let world = small_world().with(BucketSpec::new("big").object(ObjectSpec::sized("k", "32MiB")));
    let scene = Scene::new(world).planned(&RETIRE.replace("photos-2019", "big"));
    let limited = scene.bed.shell("trap '' XFSZ; ulimit -f 16384; exec \"$S3PLAN\" apply --yes");
    limited.exits(ERROR).blames("archive/big");
    assert!(!scene.bed.path("archive/big/data/k").exists(), "no half file under a final name");
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let size = fs::metadata(scene.bed.path("archive/big/data/k")).map(|file| file.len());
    assert_eq!(size.ok(), Some(32 * 1024 * 1024));
    scene.assert_nothing_lost();
}

const PLAN: &str = "plans/manifest.plan.toml";

/// The same plan with the digest that it should have: SHA-256 of all lines but its own.
fn with_digest(plan: &str) -> String {
    let is_digest = |line: &&str| line.starts_with("digest = ");
    let rest: String = plan.split_inclusive('\n').filter(|line| !is_digest(line)).collect();
    let digest = hex::encode(Sha256::digest(rest));
    let old = plan.lines().find(is_digest).expect("a plan has a digest");
    let value = old.split('"').nth(1).expect("the digest is a string");
    // Whatever stands before the hex digits stays.
    let prefix = &value[..value.len().saturating_sub(digest.len())];
    plan.replacen(old, &format!("digest = \"{prefix}{digest}\""), 1)
}

#[test]
fn a_project_is_not_needed_to_be_told_what_is_wrong() {
    let bed = TestBed::without_aws();
    bed.s3plan(["apply", "--yes"]).exits(USAGE).blames("s3plan plan");
    bed.s3plan(["no-such-command"]).exits(USAGE).blames("no-such-command");
    assert!(!Path::new(&bed.path(".s3plan")).exists(), "looking leaves nothing behind");
}
