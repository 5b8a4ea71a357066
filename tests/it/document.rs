//! The plan and the events as documents: what is printed is what the schemas say.

use std::collections::BTreeSet;

use s3plan_sandbox::{BucketSpec, ObjectSpec, Step, Versioning, World};
use serde_json::Value;

use crate::support::bed::TestBed;
use crate::support::job::{approve_both, gate, mixed_world, planned};
use crate::support::scene::Scene;

#[test]
fn a_plan_is_what_its_schema_says_wherever_it_is_printed() {
    let scene = planned();
    let schema = schema("plan");
    let shown = scene.bed.s3plan(["show", "--json"]).exits(0).json();
    assert_fits(&schema, &shown);
    let printed = scene.bed.s3plan(["plan", "manifest.toml", "--json"]).exits(0).json();
    assert_eq!(printed, shown, "plan and show print the same document");

    let file: toml::Value =
        toml::from_str(&scene.bed.read("plans/manifest.plan.toml")).expect("TOML");
    let file = serde_json::to_value(&file).expect("JSON can say it");
    assert_eq!(file, shown, "and it is the file's fields");
    let kinds: Vec<&Value> =
        shown["action"].as_array().into_iter().flatten().map(|action| &action["kind"]).collect();
    for kind in ["restore", "download", "seal", "approve", "abort-uploads", "delete-bucket"] {
        assert!(kinds.contains(&&Value::from(kind)), "the example has no {kind}: {kinds:?}");
    }
}

#[test]
fn every_event_of_an_apply_is_what_its_schema_says() {
    let scene = planned();
    let schema = schema("events");
    let first = scene.bed.s3plan(["apply", "--yes", "--json"]).exits(3);
    approve_both(&scene.bed);
    let second = scene.bed.s3plan(["apply", "--yes", "--json"]).exits(0);
    let mut kinds = BTreeSet::new();
    for line in first.stdout.lines().chain(second.stdout.lines()) {
        let event: Value = serde_json::from_str(line).expect("one document a line");
        assert_fits(&schema, &event);
        kinds.insert(event["type"].as_str().expect("a type").to_owned());
    }
    for kind in ["run_started", "started", "waiting", "done", "gate_opened", "progress"] {
        assert!(kinds.contains(kind), "the example tells no {kind}: {kinds:?}");
    }
}

/// A later minor version adds fields: readers that hold to the schema must not stumble over them.
#[test]
fn the_schemas_leave_room_for_what_a_minor_version_adds() {
    let scene = planned();
    let mut shown = scene.bed.s3plan(["show", "--json"]).exits(0).json();
    shown["format"] = "1.99".into();
    shown["new"] = 1.into();
    shown["action"][0]["new"] = "field".into();
    let validator = jsonschema::validator_for(&schema("plan")).expect("a schema");
    assert!(validator.is_valid(&shown));
    shown["format"] = "2.0".into();
    assert!(!validator.is_valid(&shown), "a major version may mean anything");
}

/// GitHub takes 65,536 characters in a comment.
#[test]
fn a_plan_of_hundreds_of_buckets_fits_a_comment() {
    let named = |number| format!("photos-of-the-year-{number:03}");
    let world = (0..300).fold(World::default(), |world, number| {
        world.with(BucketSpec::new(&named(number)).text("a", "x"))
    });
    let scene = Scene::new(world).planned(
        "[account]\nid = \"123456789012\"\n[bucket.\"*\"]\n\
         archive = { to = \"archive/{bucket}\", then = \"delete-bucket\" }\n",
    );
    let whole = scene.bed.s3plan(["show"]).exits(0).stdout;
    assert!(whole.chars().count() > 65_536, "a plan that does not fit as it is");
    let comment = scene.bed.s3plan(["show", "--md"]).exits(0).stdout;
    assert!(comment.chars().count() <= 65_536, "{}", comment.chars().count());
    assert!(comment.contains("delete 300 buckets"), "the sum of it is there");
    assert!(comment.contains("more lines: `s3plan show` tells them all"), "and what is not");
}

fn schema(of: &str) -> Value {
    TestBed::without_aws().s3plan(["schema", of]).exits(0).json()
}

/// Fits the schema, and says nothing that the schema does not know.
#[track_caller]
fn assert_fits(schema: &Value, document: &Value) {
    let mut strict = schema.clone();
    close(&mut strict);
    let validator = jsonschema::validator_for(&strict).expect("a schema");
    let wrong: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{document:#}");
}

/// Forbids unknown fields in every object that names its own.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") {
                map.insert("additionalProperties".into(), false.into());
            }
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// Ten gigabytes in Glacier, of which only the listing is ever looked at.
fn film_world() -> World {
    let film = ObjectSpec {
        etag: Some("0123456789abcdef0123456789abcdef".into()),
        ..ObjectSpec::sized("film.mov", "10GiB").class("GLACIER")
    };
    let film = film.last_modified("2024-03-01T00:00:00Z");
    World::default().with(BucketSpec::new("films").object(film))
}

const RETIRE_FILMS: &str = r#"
[account]
id = "123456789012"

[bucket."films"]
archive = { to = "archive", then = "delete-objects" }
"#;

#[test]
fn a_reviewer_sees_what_each_tier_costs_and_what_deleting_early_may_cost() {
    let scene = Scene::new(film_world());
    scene.bed.write_manifest(RETIRE_FILMS);
    let answer = scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let tiers =
        "bulk (chosen) $0.05 within 12 h, standard $0.15 within 5 h, expedited $0.36 within";
    answer
        .says("costs about $0.04 a month in S3 now")
        .says(&format!("restore tiers: {tiers}"))
        .says("early-deletion fees: none from 2024-05-30 on if never moved between classes, at most $0.11")
        .says("estimate: about $0.95 (with early-deletion fees up to $1.06)");
}

#[test]
fn prices_come_from_a_file_where_one_is_named() {
    let scene = Scene::new(film_world());
    scene.bed.write_manifest(RETIRE_FILMS);
    let table = TestBed::without_aws().s3plan(["schema", "prices"]).exits(0).stdout;
    let dearer = table.replace("us-east-1, November 2026", "a dear place");
    let dearer =
        dearer.replace("{ up_to_gb = 10240, per_gb = 0.09 }", "{ up_to_gb = 10240, per_gb = 9.0 }");
    assert_ne!(table, dearer);
    scene.bed.write("prices.toml", &dearer);
    let plan = ["plan", "manifest.toml", "--prices", "prices.toml"];
    scene.bed.s3plan(plan).exits(0).says("about $90.05").says("list prices of a dear place");
    let limited = format!("{RETIRE_FILMS}\n[limits]\nmax_cost = 50\n");
    scene.bed.write_manifest(&limited);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(plan).exits(5).blames("max_cost");
    scene.bed.write("prices.toml", "name = 1");
    scene.bed.s3plan(plan).exits(64).blames("plan/bad-prices");
}

/// Each on its own: without it the job does not come to its end.
#[test]
fn a_plan_asks_for_no_permission_that_it_could_do_without() {
    let listed = allowed_by(&tagged(Versioning::Off), "photos-2019");
    // What is set on the bucket goes into the archive as far as it may be read.
    let is_setting =
        |action: &str| action.starts_with("s3:GetBucket") || action.ends_with("Configuration");
    let needed: Vec<&String> = listed.iter().filter(|action| !is_setting(action)).collect();
    assert!(needed.len() >= 9, "{needed:?}");
    for action in needed {
        let scene = tagged(Versioning::Off);
        deny(&scene, &[action]);
        let first = scene.bed.s3plan(["apply", "--yes"]);
        if first.code == Some(3) {
            scene.bed.s3plan(["approve", &gate(&scene.bed, "photos-2019")]).exits(0);
            let second = scene.bed.s3plan(["apply", "--yes"]);
            assert_ne!(second.code, Some(0), "{action} was not needed: {second}");
        } else {
            assert_ne!(first.code, Some(0), "{action} was not needed: {first}");
        }
    }
}

/// The same for a policy; what it could do without is marked as that.
#[test]
fn a_policy_asks_for_no_permission_that_it_could_do_without() {
    let planned = || {
        Scene::new(World::default().with(BucketSpec::new("photos-2019").text("a", "x"))).planned(
            "[account]\nid = \"123456789012\"\n[bucket.photos-2019]\npolicy = { lock_to = \"me\" }\n",
        )
    };
    let scene = planned();
    let told = scene.bed.s3plan(["plan", "manifest.toml", "--permissions"]).exits(0).stdout;
    let listed = allowed_by(&scene, "photos-2019");
    assert_eq!(listed.len(), 4, "{listed:?}");
    let read = told.lines().find(|line| line.contains("s3:GetBucketPolicy ")).expect("a line");
    assert!(read.starts_with("  allowed"), "planning has just read it: {read}");
    for action in listed {
        let line = told.lines().find(|line| line.contains(&format!("{action} "))).expect("a line");
        let scene = planned();
        deny(&scene, &[&action]);
        let answer = scene.bed.s3plan(["apply", "--yes"]);
        assert_eq!(answer.code == Some(0), line.contains("goes on without"), "{line}: {answer}");
    }
}

/// What the plan does not need, it does not ask for: a refusal there stops nobody.
#[test]
fn a_plan_that_keeps_what_is_in_s3_needs_little() {
    let world = World::default().with(BucketSpec::new("photos-2019").text("a.jpg", "first").deny(
        "*",
        &[
            "s3:GetBucketPolicy",
            "s3:ListBucketMultipartUploads",
            "s3:GetBucketObjectLockConfiguration",
        ],
    ));
    let keep = "[account]\nid = \"123456789012\"\n\n[bucket.\"photos-2019\"]\n\
                archive = { to = \"archive\" }\n";
    let scene = Scene::new(world).planned(keep);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let settings = scene.bed.read("archive/metadata/bucket.json");
    assert!(settings.contains("AccessDenied"), "what could not be read is named: {settings}");
}

#[test]
fn a_plan_says_which_permissions_are_missing_before_anything_is_done() {
    let scene = tagged(Versioning::Off);
    deny(&scene, &["s3:GetObjectTagging"]);
    let answer = scene.bed.s3plan(["plan", "manifest.toml", "--permissions"]).exits(0);
    let answer = answer.blames("warning: photos-2019: s3:GetObjectTagging is denied, so download");
    let line = |action: &str| {
        let mut lines = answer.stdout.lines();
        lines.find(|line| line.contains(action)).unwrap_or_else(|| panic!("{action}: {answer}"))
    };
    assert!(line("s3:GetObjectTagging ").starts_with("  DENIED"), "{answer}");
    assert!(line("s3:GetObject ").starts_with("  allowed"), "{answer}");
    assert!(line("s3:DeleteBucket ").starts_with("  unknown"), "{answer}");
    scene.assert_untouched();
}

/// What reads cannot tell, IAM's simulator may.
#[test]
fn the_simulator_tells_what_reads_cannot() {
    let answers = "[simulator]\npage = 2\n\
        [[simulator.answer]]\nactions = [\"s3:DeleteBucket\"]\ndecision = \"implicitDeny\"\n\
        [[simulator.answer]]\nactions = [\"s3:DeleteObject\"]\nresource = \"*/[*]\"\n\
        decision = \"explicitDeny\"\n\
        [[simulator.answer]]\nactions = [\"s3:Abort*\"]\ndecision = \"explicitDeny\"\n\
        missing = [\"aws:SourceVpce\"]\n\
        [bucket.photos-2019]\n[[bucket.photos-2019.object]]\nkey = \"a\"\nbody = \"x\"\n\
        [[bucket.photos-2019.upload]]\nkey = \"half\"\ninitiated = \"2024-01-01T00:00:00Z\"\n";
    let world = World::parse(&answers.replace("[*]", "*")).expect("a world");
    let scene = Scene::new(world);
    scene.bed.write_manifest(
        "[account]\nid = \"123456789012\"\n\n[bucket.photos-2019]\n\
         archive = { to = \"archive\", then = \"delete-bucket\" }\n",
    );
    let answer = scene.bed.s3plan(["plan", "manifest.toml", "--permissions"]).exits(0);
    let line = |action: &str| {
        let mut lines = answer.stdout.lines();
        let line = lines.find(|line| line.contains(action) && !line.contains("delete-probe"));
        line.unwrap_or_else(|| panic!("{action}: {answer}")).trim_start()
    };
    assert!(line("s3:DeleteBucket ").starts_with("DENIED"), "{answer}");
    assert!(line("s3:DeleteObject ").starts_with("DENIED"), "{answer}");
    assert!(line("s3:AbortMultipartUpload ").starts_with("unknown"), "{answer}");
    assert!(line("s3:GetBucketTagging ").starts_with("allowed"), "{answer}");
    assert!(line("s3:GetBucketTagging ").contains("by IAM's simulator"), "{answer}");
    // A read that was answered is worth more than a simulation.
    assert!(!line("s3:GetObject ").contains("simulator"), "{answer}");
    answer.blames("warning: photos-2019: s3:DeleteBucket is denied, so delete-bucket would fail");
    scene.assert_untouched();
    // Without being asked for, no plan asks it.
    let asked = scene.sandbox.witness().count("SimulatePrincipalPolicy");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(scene.sandbox.witness().count("SimulatePrincipalPolicy"), asked);
}

/// A whole life, the lock included, of somebody whom IAM allows exactly what the plan prints: nothing
/// is refused. Judged by iam-rs, action by action and resource by resource.
#[test]
fn whoever_is_allowed_what_a_plan_prints_is_refused_nothing() {
    for versioning in [Versioning::Off, Versioning::Enabled, Versioning::Suspended] {
        // A lock allows everything by itself once it is set; the other two lean on IAM to the end.
        for policy in ["", "policy = { lock_to = \"me\" }", "policy = { none = true }"] {
            let scene = tagged(versioning);
            let by_hand = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny",
                "Principal": "*", "Action": "s3:PutObjectAcl", "Resource": "arn:aws:s3:::photos-2019/*"}}"#;
            let text = Some(by_hand.to_owned());
            scene.sandbox.step(&Step::Policy { bucket: "photos-2019".into(), text });
            let manifest = scene.bed.read("manifest.toml");
            scene.bed.write_manifest(&format!("{manifest}{policy}\n"));
            scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
            allow_only_what_is_printed(&scene);
            scene.sandbox.witness().clear();
            run_to_the_end(&scene, versioning);
            let refused: Vec<_> = scene.sandbox.witness().requests();
            let refused = refused.iter().filter(|seen| seen.status == Some(403));
            let refused: Vec<_> = refused.map(|seen| (&seen.op, &seen.key)).collect();
            assert!(refused.is_empty(), "{versioning:?}, {policy}: {refused:?}");
        }
    }
}

/// From now on alice is allowed what the IAM policy of the plan says, and nothing else.
fn allow_only_what_is_printed(scene: &Scene) {
    let text = scene.bed.s3plan(["show", "--iam"]).exits(0).stdout;
    scene.sandbox.step(&Step::UserPolicy { user: "alice".into(), text });
}

/// One bucket with everything that asks for a permission, planned.
fn tagged(versioning: Versioning) -> Scene {
    let mut world = mixed_world();
    world.buckets.remove("logs-2020");
    let photos = world.buckets.remove("photos-2019").expect("it is there");
    let tagged = ObjectSpec::text("tagged.txt", "x").tag("year", "2019");
    let manifest = "[account]\nid = \"123456789012\"\n\n[bucket.\"photos-2019\"]\n\
                    archive = { to = \"archive\", then = \"delete-bucket\", versions = \"all\" }\n";
    Scene::new(world.with(photos.object(tagged).versioning(versioning))).planned(manifest)
}

/// The actions that the IAM policy of the plan allows on a bucket or in it.
fn allowed_by(scene: &Scene, bucket: &str) -> BTreeSet<String> {
    let policy = scene.bed.s3plan(["show", "--iam"]).exits(0).json();
    let mut allowed = BTreeSet::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        assert_eq!(statement["Effect"], "Allow");
        let resources = statement["Resource"].as_array().expect("resources");
        for resource in resources {
            let resource = resource.as_str().expect("an ARN");
            let inside = resource.strip_prefix("arn:aws:s3:::").expect("an S3 resource");
            assert!(inside == bucket || inside.starts_with(&format!("{bucket}/")), "{resource}");
        }
        let actions = statement["Action"].as_array().expect("actions");
        allowed.extend(actions.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    allowed
}

fn deny(scene: &Scene, actions: &[&str]) {
    scene.sandbox.step(&Step::Deny {
        bucket: "photos-2019".into(),
        user: "*".into(),
        actions: actions.iter().map(|action| (*action).to_owned()).collect(),
    });
}

#[track_caller]
fn run_to_the_end(scene: &Scene, versioning: Versioning) {
    let first = scene.bed.s3plan(["apply", "--yes"]);
    assert_eq!(first.code, Some(3), "{versioning:?}: {first}");
    scene.bed.s3plan(["approve", &gate(&scene.bed, "photos-2019")]).exits(0);
    let second = scene.bed.s3plan(["apply", "--yes"]);
    assert_eq!(second.code, Some(0), "{versioning:?}: {second}");
}
