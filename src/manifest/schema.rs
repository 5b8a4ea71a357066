//! The shape of a manifest as editors see it: a JSON Schema, derived from types that mirror the
//! file.
//!
//! These types are never filled in: reading walks the TOML itself, for better errors. A test holds
//! the reader's keys against this schema.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::model::{
    AfterArchive, LockMode, Tier, UnconditionalDeletes, Unprovable, VersionsWanted,
};

/// The JSON Schema (draft 2020-12) of a manifest.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<Manifest>();
    schema.insert("title".to_owned(), "s3plan manifest".into());
    schema.to_value()
}

/// Takes `null` out again, which schemars offers for every key that may be left out: TOML has none.
fn without_null(schema: &mut Schema) {
    let is_null = |value: &Value| *value == json!("null") || *value == json!({ "type": "null" });
    for list in ["type", "enum", "anyOf"] {
        let Some(Value::Array(choices)) = schema.get_mut(list) else { continue };
        choices.retain(|choice| !choice.is_null() && !is_null(choice));
        let [only] = choices.as_slice() else { continue };
        let only = only.clone();
        schema.remove(list);
        match (list, only) {
            ("anyOf", Value::Object(only)) => {
                for (key, value) in only {
                    schema.ensure_object().entry(key).or_insert(value);
                }
            }
            ("enum", only) => drop(schema.insert("const".to_owned(), only)),
            (_, only) => drop(schema.insert(list.to_owned(), only)),
        }
    }
}

/// What shall become of the S3 buckets of one account.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Manifest {
    /// The account whose buckets these are.
    pub account: Account,
    /// One table a bucket: `[bucket."NAME"]`, or `[bucket."logs-*"]` for every bucket that matches,
    /// now or later. What an exact name says wins over what a glob says.
    #[schemars(default)]
    pub bucket: BTreeMap<String, Bucket>,
    /// Values for keys that outcomes leave out. Manages no bucket by itself.
    pub defaults: Option<Defaults>,
    /// How fast data may move.
    pub transfer: Option<Transfer>,
    /// A plan that goes past one of these is refused.
    pub limits: Option<Limits>,
}

/// The account whose buckets these are.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Account {
    /// The twelve digits of the account; plan and apply refuse any other.
    #[schemars(regex(pattern = r"^[0-9]{12}$"))]
    pub id: String,
}

/// The outcomes wanted for a bucket.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Bucket {
    /// A proven copy on disk, and what becomes of the bucket then; `false` opts out of a glob.
    pub archive: Option<OrFalse<Archive>>,
    /// Who may reach the bucket; `false` opts out of a glob.
    pub policy: Option<OrFalse<Policy>>,
}

/// Values for keys that outcomes leave out.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Defaults {
    /// For every `archive`.
    pub archive: Option<Archive>,
    /// For every `policy`.
    pub policy: Option<Policy>,
}

/// A table, or `false`.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum OrFalse<T> {
    /// The outcome.
    Wanted(T),
    /// Left alone.
    Off(False),
}

/// A proven copy on disk, and what becomes of the bucket then.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Archive {
    /// The folder of the archive. `{bucket}`, `{account}`, `{region}` are filled in; `~` is the
    /// home folder; relative to the manifest's folder.
    #[schemars(length(min = 1))]
    pub to: Option<String>,
    /// What happens in S3 once everything is proven and a person has approved. Default: "keep".
    pub then: Option<AfterArchive>,
    /// Only keys that match one of these globs. `*` stops at `/`, `**` does not.
    #[schemars(length(min = 1))]
    pub include: Option<Vec<String>>,
    /// No keys that match one of these globs; wins over `include`.
    #[schemars(length(min = 1))]
    pub exclude: Option<Vec<String>>,
    /// Which versions of each object are archived. Default: "current".
    pub versions: Option<VersionsWanted>,
    /// How objects are restored from Glacier.
    pub restore: Option<Restore>,
    /// What becomes of objects for which S3 holds no proof. Default: "keep".
    pub unprovable: Option<Unprovable>,
    /// What to do on servers, not AWS, that do not honour conditional deletes. Default: "refuse".
    pub unconditional_deletes: Option<UnconditionalDeletes>,
}

/// How objects are restored from Glacier.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Restore {
    /// How fast, and how dear. Default: "bulk".
    pub tier: Option<Tier>,
    /// Whole days that S3 keeps each restored copy. Default: 7.
    #[schemars(range(min = 1, max = 65535))]
    pub days: Option<u16>,
    /// The most US dollars that this bucket's restores may be estimated to cost. Default: 25.0.
    #[schemars(range(min = 0))]
    pub max_cost: Option<f64>,
}

/// Who may reach the bucket: exactly one of `lock_to`, `file`, `none`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Policy {
    /// Who alone keeps access: "me", an IAM user's name, an ARN, or a list of them.
    pub lock_to: Option<OneOrMany>,
    /// A policy document, `{bucket}` filled in; relative to the manifest's folder. `{{bucket}}`
    /// inside it is filled in too.
    #[schemars(length(min = 1))]
    pub file: Option<String>,
    /// The bucket shall have no policy.
    pub none: Option<True>,
    /// What those lose who are not named in `lock_to`. Default: "full".
    pub lock_mode: Option<LockMode>,
    /// Whether the policy's other statements go when the bucket is locked. Default: false.
    pub replace_statements: Option<bool>,
    /// Set this policy even where it costs you your own access. Default: false.
    pub lose_access: Option<bool>,
}

/// How fast data may move.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Transfer {
    /// Bytes a second over all connections: "50MB", "10MiB/s" or a number.
    pub max_bandwidth: Option<Speed>,
    /// Connections open at a time. Default: s3plan finds out.
    #[schemars(range(min = 1))]
    pub max_connections: Option<u32>,
}

/// A plan that goes past one of these is refused.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limits {
    /// Object versions deleted.
    pub max_delete_objects: Option<u64>,
    /// Bytes deleted: "1TB" or a number.
    pub max_delete_bytes: Option<Size>,
    /// Bytes downloaded: "1TB" or a number.
    pub max_download_bytes: Option<Size>,
    /// Estimated US dollars.
    #[schemars(range(min = 0))]
    pub max_cost: Option<f64>,
}

/// One identity or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum OneOrMany {
    /// One.
    One(#[schemars(length(min = 1))] String),
    /// Several.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

/// Declares a type that stands for a hand-written schema.
macro_rules! stands_for {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        pub struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

stands_for!(
    /// Only `false`.
    False, { "const": false }
);
stands_for!(
    /// Only `true`.
    True, { "const": true }
);
stands_for!(
    /// A size: bytes, or a number and a unit.
    Size, {
        "oneOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": r"^ *[0-9]+(\.[0-9]+)? *([kKMGTP]?B|[KMGTP]iB) *$" }
        ]
    }
);
stands_for!(
    /// A speed: bytes a second, or a number and a unit.
    Speed, {
        "oneOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": r"^ *[0-9]+(\.[0-9]+)? *([kKMGTP]?B|[KMGTP]iB)(/s)? *$" }
        ]
    }
);
