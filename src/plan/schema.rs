//! The shape of a plan as programs see it: a JSON Schema of `show --json` and of the plan file.
//!
//! A minor step of the format only adds fields, so the schema forbids none that it does not know:
//! what fits version 1.0 today will fit with every later 1.x.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};

use super::{Body, FORMAT};

/// The JSON Schema (draft 2020-12) of a plan: the fields below its words, with `format` and
/// `digest`.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with_transform(RecursiveTransform(open));
    let mut schema = settings.into_generator().into_root_schema_for::<Body>().to_value();
    schema["title"] = "s3plan plan".into();
    schema["properties"]["format"] = json!({
        "description": "The format: major.minor, where minor only adds.",
        "type": "string",
        "pattern": format!(r"^{}\.[0-9]+$", FORMAT.0),
    });
    schema["properties"]["digest"] = json!({
        "description": "SHA-256 of the plan file without its digest line; the id of its run.",
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
    });
    if let Some(required) = schema["required"].as_array_mut() {
        required.extend(["format".into(), "digest".into()]);
    }
    schema
}

/// Readers must not stumble over what a later minor version adds.
fn open(schema: &mut Schema) {
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        schema.remove("additionalProperties");
    }
}
