//! The plan and the events as documents: what is printed is what the schemas say.

use serde_json::Value;

use crate::support::bed::TestBed;
use crate::support::job::{approve_both, planned};

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
    let mut kinds = std::collections::BTreeSet::new();
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
