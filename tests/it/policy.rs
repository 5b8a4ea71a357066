//! Locks on the sandbox, which enforces bucket policies by an evaluator that is not ours.

use std::time::Duration;

use rustix::process::Signal;
use s3plan_sandbox::{Effect, Rule, Step, World};

use crate::support::account::{Account, HOME_REGION};
use crate::support::bed::TestBed;
use crate::support::job::status;
use crate::support::patience::wait_for;
use crate::support::scene::Scene;

const ACCOUNT: &str = "123456789012";
const LOCK_TO_ME: &str =
    "[account]\nid = \"123456789012\"\n[bucket.photos]\npolicy = { lock_to = \"me\" }\n";

/// Alice, who is asked first; Bob; and somebody with a role.
const WORLD: &str = r#"
[[user]]
name = "alice"
[[user]]
name = "bob"
[[user]]
name = "me@example.com"
role = "Admin"
session_token = "carols-token"

[[bucket.photos.object]]
key = "a.jpg"
body = "first"
"#;

/// A policy that somebody wrote by hand, with blanks that are theirs.
const BY_HAND: &str = r#"{ "Version":"2012-10-17",
  "Statement":{"Sid":"Tls","Effect":"Deny","Principal":"*","Action":"s3:*",
    "Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"],
    "Condition":{"Bool":{"aws:SecureTransport":"false"}}}}"#;

fn scene() -> Scene {
    Scene::new(World::parse(WORLD).expect("a world"))
}

/// The same with Bob's bed.
fn scene_with_policy() -> Scene {
    let scene = scene();
    set_policy(&scene, Some(BY_HAND));
    scene
}

fn set_policy(scene: &Scene, text: Option<&str>) {
    let text = text.map(str::to_owned);
    scene.sandbox.step(&Step::Policy { bucket: "photos".into(), text });
}

fn manifest(policy: &str) -> String {
    format!("[account]\nid = \"{ACCOUNT}\"\n[bucket.photos]\npolicy = {{ {policy} }}\n")
}

/// The live policy.
fn live(scene: &Scene) -> Option<String> {
    scene.sandbox.snapshot()["photos"].policy.clone()
}

/// A bed for another user of the world.
fn bed_of(scene: &Scene, user: &str) -> TestBed {
    let env = scene.sandbox.env(user);
    env.into_iter().fold(TestBed::without_aws(), |bed, (name, value)| bed.env(&name, &value))
}

/// Whether somebody may read the one object.
async fn may_read(scene: &Scene, user: &str) -> bool {
    let env: std::collections::BTreeMap<_, _> = scene.sandbox.env(user).into_iter().collect();
    let key = &env["AWS_ACCESS_KEY_ID"];
    let account = Account::new("sandbox", scene.sandbox.endpoint(), ACCOUNT, key);
    let account = Account { secret_key: env["AWS_SECRET_ACCESS_KEY"].clone(), ..account };
    let s3 = account.s3(HOME_REGION);
    let got = s3.get_object().bucket("photos").key("a.jpg").send().await;
    let listed = s3.list_objects_v2().bucket("photos").send().await;
    assert_eq!(got.is_ok(), listed.is_ok(), "{user}: {got:?} {listed:?}");
    got.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_shuts_out_all_others_and_the_rollback_lets_them_in_again() {
    let scene = scene_with_policy();
    let bed = &scene.bed;
    assert!(may_read(&scene, "bob").await);
    bed.write_manifest(LOCK_TO_ME);
    let planned = bed.s3plan(["plan", "manifest.toml"]).exits(0);
    planned.says("any other user: by own permissions → denied").says("S3planDenyOthers");
    scene.assert_untouched();
    let first = bed.read("plans/manifest.plan.toml");

    bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(may_read(&scene, "alice").await && !may_read(&scene, "bob").await);
    let text = live(&scene).expect("a policy");
    assert!(text.contains("\"Tls\""), "what was there stays: {text}");
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0).says("nothing to do");
    assert!(bed.read(".s3plan/audit.jsonl").contains("PutBucketPolicy"));

    bed.s3plan(["policy", "rollback", "photos"]).exits(64).blames("terminal");
    bed.s3plan(["policy", "rollback", "photos", "--yes"]).exits(0);
    assert_eq!(live(&scene).as_deref(), Some(BY_HAND), "to the letter");
    assert!(may_read(&scene, "bob").await);
    let rolled_back = status(bed, "photos");
    assert_eq!(rolled_back["phase"], "stale", "the plan's lock is gone: {rolled_back}");
    assert!(rolled_back["detail"].as_str().is_some_and(|why| why.contains("rolled back")));
    // Once more, and the lock is there again; and back.
    bed.s3plan(["policy", "rollback", "photos", "--yes"]).exits(0);
    assert_eq!(status(bed, "photos")["phase"], "done");
    assert!(!may_read(&scene, "bob").await);
    bed.s3plan(["policy", "rollback", "photos", "--yes"]).exits(0);

    // The same plan once more, byte for byte, and it is performed once more.
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(bed.read("plans/manifest.plan.toml"), first);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(!may_read(&scene, "bob").await);
    assert_eq!(status(bed, "photos")["phase"], "done");
    bed.s3plan(["policy", "rollback", "photos", "--yes"]).exits(0);
    assert_eq!(live(&scene).as_deref(), Some(BY_HAND));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_would_lock_themselves_out_is_stopped_unless_they_say_so() {
    let scene = scene();
    let bed = &scene.bed;
    bed.write_manifest(&manifest("lock_to = \"bob\""));
    let refused = bed.s3plan(["plan", "manifest.toml"]).exits(5);
    refused.blames("denied GetBucketPolicy, PutBucketPolicy").blames("lose_access");
    assert!(!bed.path("plans").exists(), "no plan is written");
    scene.assert_untouched();

    bed.write_manifest(&manifest("lock_to = \"bob\", lock_mode = \"data\""));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);

    bed.write_manifest(&manifest("lock_to = \"bob\", lose_access = true"));
    bed.s3plan(["plan", "manifest.toml"]).exits(0).says("! you are denied");
    bed.s3plan(["apply", "--yes"]).exits(0).blames("S3UnlockBucketPolicy");
    assert!(!may_read(&scene, "alice").await && may_read(&scene, "bob").await);
}

/// A plan that alice made, applied by somebody whom its lock shuts out.
#[tokio::test(flavor = "multi_thread")]
async fn the_guard_stands_again_before_whoever_applies() {
    let scene = scene();
    scene.bed.write_manifest(LOCK_TO_ME);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let bob = bed_of(&scene, "bob");
    bob.write_manifest(LOCK_TO_ME);
    bob.write("plans/manifest.plan.toml", &scene.bed.read("plans/manifest.plan.toml"));
    bob.s3plan(["apply", "--yes"]).exits(5).blames("nothing was changed");
    assert_eq!(live(&scene), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_role_locks_the_bucket_to_its_role() {
    let scene = scene();
    let bed = bed_of(&scene, "me@example.com");
    bed.write_manifest(LOCK_TO_ME);
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(!may_read(&scene, "alice").await && !may_read(&scene, "bob").await);
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0);
    let text = live(&scene).expect("a policy");
    assert!(text.contains(":*\"") && text.contains("role/Admin"), "{text}");
}

#[test]
fn identities_are_looked_up_and_those_that_do_not_exist_are_told() {
    let scene = scene();
    let bed = &scene.bed;
    bed.write_manifest(&manifest(
        "lock_to = [\"me\", \"bob\", \"arn:aws:iam::123456789012:user/bob\"]",
    ));
    bed.s3plan(["plan", "manifest.toml"]).exits(0).says("bob: by own permissions → allowed");
    for (who, why) in [
        ("nobody", "no such IAM user"),
        ("arn:aws:iam::123456789012:user/team/bob", "does not exist"),
        ("arn:aws:iam::123456789012:role/None", "there is none"),
        ("arn:aws:iam::999999999999:user/bob", "another account"),
        ("arn:aws:iam::123456789012:root", "root"),
        ("arn:aws-cn:iam::123456789012:user/bob", "partition"),
    ] {
        bed.write_manifest(&manifest(&format!("lock_to = [\"me\", \"{who}\"]")));
        bed.s3plan(["plan", "manifest.toml"]).exits(5).blames(why);
    }
    scene.assert_untouched();
}

#[test]
fn where_iam_keeps_to_itself_a_lock_goes_by_the_arn_and_says_so() {
    let world = WORLD.replace("name = \"alice\"", "name = \"alice\"\ndenied = [\"iam:*\"]");
    let scene = Scene::new(World::parse(&world).expect("a world"));
    let bed = &scene.bed;
    bed.write_manifest(&manifest("lock_to = [\"me\", \"bob\"]"));
    bed.s3plan(["plan", "manifest.toml"]).exits(0).says("could not be looked up").says("user/bob");
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(live(&scene).expect("a policy").contains("aws:PrincipalArn"));
}

#[test]
fn a_policy_file_that_cannot_be_used_is_told_by_name_and_line() {
    let scene = scene();
    let bed = &scene.bed;
    bed.write_manifest(&manifest("file = \"policies/{bucket}.json\""));
    bed.s3plan(["plan", "manifest.toml"]).exits(64).blames("policies/photos.json");
    let good = BY_HAND.replace("photos", "{{bucket}}");
    for (text, why) in [
        (good.replace("\"Sid\"", "Sid"), "photos.json:2"),
        (good.replace("{{bucket}}/", "logs/"), "photos.json:3: `arn:aws:s3:::logs/*`"),
        (good.replace("\"Tls\"", &format!("\"{}\"", "x".repeat(30_000))), "20480"),
        (good.replace("\"Effect\"", "\"Effect\":\"Deny\",\"Effect\""), "photos.json:2"),
    ] {
        bed.write("policies/photos.json", &text);
        bed.s3plan(["plan", "manifest.toml"]).exits(64).blames(why);
    }
    scene.assert_untouched();
    bed.write("policies/photos.json", &good);
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    bed.s3plan(["apply", "--yes"]).exits(0);
    set_policy(&scene, Some(BY_HAND));
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0);

    bed.write_manifest(&manifest("none = true"));
    bed.s3plan(["plan", "manifest.toml"]).exits(0).says("+++ no policy");
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(live(&scene), None);
}

#[test]
fn what_render_writes_is_what_a_lock_sets() {
    let scene = scene_with_policy();
    let bed = &scene.bed;
    bed.s3plan(["policy", "render", "photos"]).exits(0).says("S3planDenyOthers");
    bed.s3plan(["policy", "render", "--all", "-o", "policies"]).exits(0);
    let diff = bed.s3plan(["policy", "diff", "photos", "--lock-to", "bob"]).exits(0);
    diff.says("you (alice): by own permissions → denied").says("a plan of it is refused");
    bed.s3plan(["policy", "render", "nowhere"]).exits(64).blames("nowhere");
    bed.s3plan(["policy", "render"]).exits(64).blames("terminal");
    bed.s3plan(["policy", "render", "photos", "--lock-to", "nobody"]).exits(5);
    scene.assert_untouched();

    bed.write_manifest(&manifest("file = \"policies/{bucket}.json\""));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    bed.s3plan(["apply", "--yes"]).exits(0);
    bed.write_manifest(LOCK_TO_ME);
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0).says("nothing to do");
    bed.s3plan(["policy", "diff", "photos"]).exits(0).says("already");
}

/// What nobody's plan asked for is told apart from what the manifest has come to want.
#[test]
fn a_policy_that_somebody_else_replaced_is_told_as_drift() {
    let scene = scene_with_policy();
    let bed = &scene.bed;
    const DRIFT: &str = "drift: it was as wanted";
    bed.write_manifest(LOCK_TO_ME);
    let first = bed.s3plan(["plan", "manifest.toml"]).exits(0).says("not locked as the manifest");
    assert!(!first.stdout.contains(DRIFT), "{first}");
    bed.s3plan(["apply", "--yes"]).exits(0);
    for between in ["nothing", "another plan"] {
        if between == "another plan" {
            bed.s3plan(["plan", "manifest.toml"]).exits(0).says("nothing to do");
        }
        set_policy(&scene, Some(BY_HAND));
        bed.s3plan(["plan", "manifest.toml"]).exits(0).says(DRIFT);
        let drifted = bed.read("plans/manifest.plan.toml");
        bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(2).says(DRIFT);
        assert_eq!(bed.read("plans/manifest.plan.toml"), drifted, "planned twice: {between}");
        bed.s3plan(["apply", "--yes"]).exits(0);
    }
    // Another wish is no drift, and neither is a rollback.
    bed.write_manifest(&manifest("lock_to = [\"me\", \"bob\"]"));
    let wanted = bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert!(!wanted.stdout.contains(DRIFT), "{wanted}");
    bed.s3plan(["apply", "--yes"]).exits(0);
    bed.s3plan(["policy", "rollback", "photos", "--yes"]).exits(0);
    let asked = bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert!(!asked.stdout.contains(DRIFT), "{asked}");
}

#[test]
fn a_policy_that_moved_since_the_plan_is_left_alone() {
    let scene = scene_with_policy();
    let bed = &scene.bed;
    bed.write_manifest(LOCK_TO_ME);
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let moved = BY_HAND.replace("Deny", "Allow");
    set_policy(&scene, Some(&moved));
    bed.s3plan(["apply", "--yes"]).exits(4).blames("stale");
    assert_eq!(live(&scene).as_deref(), Some(&*moved));
    // Written otherwise, it still is what the plan saw.
    set_policy(&scene, Some(&BY_HAND.replace(' ', "").replace("s3:*", "S3:*")));
    bed.s3plan(["apply", "--yes"]).exits(0);
}

#[test]
fn a_public_policy_is_stopped_where_it_would_be_blocked() {
    let block = "<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy>\
                 </PublicAccessBlockConfiguration>";
    let world = format!("{WORLD}\n[bucket.photos.config]\npublicAccessBlock = \"{block}\"\n");
    let scene = Scene::new(World::parse(&world).expect("a world"));
    let bed = &scene.bed;
    let public = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*",
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}}"#;
    bed.write("public.json", public);
    bed.write_manifest(&manifest("file = \"public.json\""));
    bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("Block Public Access");
    bed.write_manifest(LOCK_TO_ME);
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
}

/// The block of the account or of its organization, which the plan does not see.
#[test]
fn a_public_policy_that_is_blocked_above_the_bucket_is_told_as_that() {
    let scene = scene_with_policy();
    let bed = &scene.bed;
    let public = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*",
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}}"#;
    bed.write("public.json", public);
    bed.write_manifest(&manifest("file = \"public.json\""));
    bed.s3plan(["plan", "manifest.toml"]).exits(0).says("the account's or the organization's");
    let blocked = Effect::Answer {
        status: 403,
        code: "AccessDenied".into(),
        message: "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: \
                  s3:PutBucketPolicy on resource: \"arn:aws:s3:::photos\" because public policies \
                  are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
            .into(),
    };
    scene.sandbox.add_fault(Rule::on("PutBucketPolicy").then(blocked));
    let refused = bed.s3plan(["apply", "--yes"]).exits(5);
    refused.blames("Block Public Access of the account").blames("the policy is as it was");
    assert_eq!(live(&scene).as_deref(), Some(BY_HAND));
    // Taken off, the same plan goes on.
    scene.sandbox.clear_faults();
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(live(&scene).as_deref().map(|text| text.contains("\"Allow\"")), Some(true));
}

#[test]
fn at_a_terminal_the_buckets_to_render_are_picked_from_a_list() {
    let world = format!("{WORLD}\n[bucket.logs]\n[bucket.videos]\n");
    let scene = Scene::new(World::parse(&world).expect("a world"));
    let mut terminal = scene.bed.at_terminal("policy render -o policies");
    terminal.reads("Which buckets?");
    // The second and the third of three.
    terminal.types("\u{1b}[B \u{1b}[B \r");
    terminal.wait().exits(0).says("policies/photos.json").says("policies/videos.json");
    let has = |name: &str| scene.bed.path(&format!("policies/{name}.json")).exists();
    assert_eq!(["logs", "photos", "videos"].map(has), [false, true, true]);
    assert!(scene.bed.read("policies/photos.json").contains("S3planDenyOthers"));

    // Nobody picked, or left: nothing is written.
    for keys in ["\r", "\u{1b}"] {
        let mut terminal = scene.bed.at_terminal("policy render -o nothing");
        terminal.reads("Which buckets?");
        terminal.types(keys);
        terminal.wait().exits(64).says("no bucket was picked");
    }
    assert!(!scene.bed.path("nothing").exists());
    scene.assert_untouched();
}

#[test]
fn a_user_who_is_new_to_s3_is_waited_for() {
    let scene = scene();
    let fresh = Effect::Answer {
        status: 400,
        code: "MalformedPolicy".into(),
        message: "Invalid principal in policy".into(),
    };
    scene.sandbox.add_fault(Rule::on("PutBucketPolicy").calls(1, 2).then(fresh));
    scene.bed.write_manifest(LOCK_TO_ME);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan_hurried(["apply", "--yes"]).exits(0);
    assert_eq!(scene.sandbox.witness().count("PutBucketPolicy"), 3);
}

/// Each request of `set-policy` fails in turn, in each way; the same command then ends it.
#[test]
fn a_failure_between_any_two_requests_is_only_a_pause() {
    let requests =
        [("GetBucketPolicy", 3), ("HeadBucket", 2), ("ListObjectsV2", 2), ("PutBucketPolicy", 1)];
    for (op, times) in requests {
        for nth in 1..=times {
            for effect in [Effect::answer(400, "Odd"), Effect::LoseAnswer] {
                let told = format!("{op} {nth} {effect:?}");
                let scene = scene_with_policy();
                let bed = &scene.bed;
                bed.write_manifest(LOCK_TO_ME);
                bed.s3plan(["plan", "manifest.toml"]).exits(0);
                scene.sandbox.add_fault(Rule::on(op).nth(nth).then(effect.clone()));
                let first = bed.s3plan(["apply", "--yes"]);
                scene.sandbox.clear_faults();
                if first.code != Some(0) {
                    assert_eq!(first.code, Some(1), "{told}: {first}");
                    bed.s3plan(["apply", "--yes"]).exits(0);
                }
                assert!(live(&scene).expect("a policy").contains("S3planDenyOthers"), "{told}");
                assert_eq!(kept(&scene), [BY_HAND], "kept once, to the letter: {told}");
                bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0);
            }
        }
    }
}

/// Killed while each request is on its way: before it is done, and for the one that changes
/// something also after.
#[test]
fn a_kill_at_any_request_is_only_a_pause() {
    let before = |op, nth| (op, nth, Effect::Silence);
    for (op, nth, hangs) in [
        before("GetBucketPolicy", 1),
        before("HeadBucket", 1),
        before("ListObjectsV2", 1),
        before("PutBucketPolicy", 1),
        ("PutBucketPolicy", 1, Effect::SilenceAfter),
        before("GetBucketPolicy", 2),
        before("HeadBucket", 2),
        before("ListObjectsV2", 2),
    ] {
        let told = format!("{op} {nth} {hangs:?}");
        let scene = scene_with_policy();
        let bed = &scene.bed;
        bed.write_manifest(LOCK_TO_ME);
        bed.s3plan(["plan", "manifest.toml"]).exits(0);
        let before = scene.sandbox.witness().count(op);
        scene.sandbox.add_fault(Rule::on(op).nth(nth).then(hangs));
        let run = bed.spawn(["apply", "--yes"]);
        let arrived = wait_for(Duration::from_secs(120), || {
            (scene.sandbox.witness().count(op) >= before + nth).then_some(())
        });
        assert!(arrived.is_some(), "{told}");
        run.signal(Signal::KILL);
        run.wait();
        scene.sandbox.clear_faults();
        bed.s3plan(["apply", "--yes"]).exits(0);
        assert!(live(&scene).expect("a policy").contains("S3planDenyOthers"), "{told}");
        assert_eq!(kept(&scene), [BY_HAND], "kept once, to the letter: {told}");
    }
}

/// What lies under `.s3plan/policies/photos/`.
fn kept(scene: &Scene) -> Vec<String> {
    let folder = scene.bed.path(".s3plan/policies/photos");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("text")).collect()
}

/// Something that no policy shows keeps the caller out after the put, for longer than a new policy
/// is given to settle.
#[test]
fn where_access_stays_away_the_old_policy_goes_back_at_once() {
    let scene = scene_with_policy();
    let bed = &scene.bed;
    bed.write_manifest(LOCK_TO_ME);
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let deny = Step::Deny {
        bucket: "photos".into(),
        user: "alice".into(),
        actions: vec!["s3:ListBucket".into()],
    };
    let rule = Rule::on("PutBucketPolicy").nth(1).then(Effect::ScriptAfter(vec![deny]));
    scene.sandbox.add_fault(rule);
    bed.s3plan_hurried(["apply", "--yes"]).exits(5).blames("the old one was put back");
    let looks = scene.sandbox.witness().count("GetBucketPolicy");
    assert!(looks > 30, "a look every two seconds of a minute: {looks}");
    assert_eq!(live(&scene).as_deref(), Some(BY_HAND));
    assert_eq!(
        bed.read(".s3plan/audit.jsonl").matches("\"operation\":\"PutBucketPolicy\"").count(),
        2
    );
}

#[test]
fn a_bucket_that_is_archived_too_is_locked_first_and_never_from_under_its_archiver() {
    let scene = scene();
    let bed = &scene.bed;
    let archive = "archive = { to = \"archive/{bucket}\", then = \"delete-bucket\" }";
    let with = |policy: &str| format!("{}{archive}\n", manifest(policy));
    bed.write_manifest(&with("lock_to = \"bob\", lose_access = true"));
    bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("would be archived under a policy");
    bed.write_manifest(&with("lock_to = \"bob\", lock_mode = \"data\""));
    bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("would be archived under a policy");

    bed.write_manifest(&with("lock_to = \"me\""));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let plan = bed.read("plans/manifest.plan.toml");
    let places = ["id = \"photos/set-policy\"", "id = \"photos/download\""].map(|id| plan.find(id));
    assert!(places[0].is_some() && places[0] < places[1], "{plan}");
    bed.s3plan(["apply", "--yes"]).exits(3);
    assert!(live(&scene).expect("a policy").contains("S3planDenyOthers"));
    let status = bed.s3plan(["status", "--json"]).exits(0).json();
    let evidence = status["buckets"][0]["evidence"].as_str().expect("an id").to_owned();
    bed.s3plan(["approve", &format!("photos@{evidence}")]).exits(0);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(!scene.sandbox.snapshot().contains_key("photos"));
}
