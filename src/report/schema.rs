//! The shape of an apply's events as programs see them: a JSON Schema of each line of
//! `apply --json`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::event::{Fact, Tick};

/// The JSON Schema (draft 2020-12) of one line of `apply --json`.
///
/// Made from the types that are printed: a fact's fields stand beside `type`, `format`, `seq` and
/// `at`. A minor step of the format only adds, so it forbids no field that it does not know.
pub fn events_schema() -> Value {
    let mut facts = shape_of::<Fact>();
    let mut defs = facts["$defs"].take();
    let mut lines: Vec<Value> = Vec::new();
    for variant in facts["oneOf"].as_array_mut().into_iter().flatten() {
        let told = variant["description"].take();
        let fields = variant["properties"].as_object_mut().into_iter().flatten();
        for (kind, fields) in fields {
            let mut line = fields.take();
            line["description"] = told.clone();
            lines.push(dressed(line, kind, &["seq", "at"]));
        }
    }
    let mut tick = shape_of::<Tick>();
    merge(&mut defs, tick["$defs"].take());
    for key in ["$schema", "title", "$defs"] {
        tick.as_object_mut().map(|tick| tick.remove(key));
    }
    lines.push(dressed(tick, "progress", &["at"]));
    let note = json!({
        "description": "A sentence that is neither a fact nor progress.",
        "type": "object",
        "properties": { "words": { "description": "For people.", "type": "string" } },
        "required": ["words"],
    });
    lines.push(dressed(note, "note", &[]));
    json!({
        "$schema": facts["$schema"],
        "title": "s3plan events",
        "description": "One line of `apply --json`.",
        "oneOf": lines,
        "$defs": defs,
    })
}

fn shape_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Adds what every line has, and the head that this kind has.
fn dressed(mut line: Value, kind: &str, head: &[&str]) -> Value {
    line["title"] = kind.into();
    line["type"] = "object".into();
    if !line["required"].is_array() {
        line["required"] = json!([]);
    }
    let mut add = |name: &str, shape: Value| {
        line["properties"][name] = shape;
        if let Some(required) = line["required"].as_array_mut() {
            required.push(name.into());
        }
    };
    add("type", json!({ "const": kind }));
    let format = format!(r"^{}\.[0-9]+$", super::json::FORMAT.split('.').next().unwrap_or("1"));
    add("format", json!({ "type": "string", "pattern": format }));
    for name in head {
        add(
            name,
            match *name {
                "seq" => json!({
                    "description": "Counts up over the life of a state file.",
                    "type": "integer",
                    "minimum": 0,
                }),
                _ => {
                    json!({ "description": "When, UTC.", "type": "string", "format": "date-time" })
                }
            },
        );
    }
    line
}

fn merge(defs: &mut Value, more: Value) {
    if let (Value::Object(defs), Value::Object(more)) = (defs, more) {
        defs.extend(more);
    }
}
