//! The schema that editors read, and the draft that `init` writes, agree with the reader.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{id, resolve};
use crate::manifest::{draft, keys, parse, schema};
use crate::model::PolicySource;

/// The properties of a type in the schema, or of the file where the name is empty.
fn properties(schema: &Value, name: &str) -> BTreeSet<String> {
    let of = if name.is_empty() { schema } else { &schema["$defs"][name] };
    assert_eq!(of["additionalProperties"], Value::Bool(false), "{name}");
    of["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_and_the_reader_know_the_same_keys() {
    let schema = schema();
    for (name, allowed) in [
        ("", keys::FILE),
        ("Account", keys::ACCOUNT),
        ("Defaults", keys::DEFAULTS),
        ("Bucket", keys::BUCKET),
        ("Archive", keys::ARCHIVE),
        ("Restore", keys::RESTORE),
        ("Policy", keys::POLICY),
        ("Transfer", keys::TRANSFER),
        ("Limits", keys::LIMITS),
    ] {
        let allowed = allowed.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(properties(&schema, name), allowed, "{name}");
    }
}

#[test]
fn every_key_of_the_schema_is_described_and_none_is_null() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(!schema.to_string().contains("null"), "{schema:#}");
    for of in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
        for (key, value) in of["properties"].as_object().into_iter().flatten() {
            assert!(value["description"].is_string(), "{key}");
        }
    }
}

#[test]
fn the_words_of_the_schema_are_those_of_the_reader() {
    let schema = schema();
    for (name, table, key) in [
        ("AfterArchive", "archive", "then"),
        ("VersionsWanted", "archive", "versions"),
        ("Unprovable", "archive", "unprovable"),
        ("UnconditionalDeletes", "archive", "unconditional_deletes"),
        ("LockMode", "policy", "lock_mode"),
    ] {
        for choice in schema["$defs"][name]["oneOf"].as_array().unwrap() {
            let word = choice["const"].as_str().unwrap();
            let rest = if table == "archive" { "to = 'x'" } else { "lock_to = 'me'" };
            super::good(&format!("[bucket.b]\n{table} = {{ {rest}, {key} = '{word}' }}"));
        }
    }
}

#[test]
fn a_draft_parses_and_resolves() {
    let buckets = ["plain", "with.dots", "odd\"quote", "new\nline", "back\\slash"];
    let names = buckets.map(crate::model::BucketName::from);
    for (archive, lock) in [
        (None, None),
        (Some("/mnt/nas"), None),
        (Some("~/a b/{bucket}/"), Some("alice, me")),
        (None, Some("arn:aws:iam::123456789012:user/a")),
    ] {
        // Names that are no path are for `init` to leave out where it archives.
        let names = if archive.is_none() && lock.is_some() { &names[..] } else { &names[..3] };
        let text = draft(&id(), names, archive, lock);
        let wanted = parse(&text, "manifest.toml").unwrap_or_else(|e| panic!("{text}\n{e}"));
        let real: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        // A name with a backslash in it reads as a glob.
        let real: Vec<&str> = real.into_iter().filter(|name| !name.contains('\\')).collect();
        let resolved = resolve(&wanted, &real).unwrap_or_else(|e| panic!("{text}\n{e}")).desired;
        assert_eq!(resolved.buckets.len(), real.len());
        for bucket in &resolved.buckets {
            assert_eq!(bucket.archive.is_some(), archive.is_some() || lock.is_none());
            assert_eq!(bucket.policy.is_some(), lock.is_some());
            assert!(bucket.archive.as_ref().is_none_or(|a| !a.then.deletes()));
        }
        if lock == Some("alice, me") {
            let source = &resolved.buckets[0].policy.as_ref().unwrap().source;
            assert!(matches!(source, PolicySource::Lock { to, .. } if to.len() == 2));
        }
    }
    parse(&draft(&id(), &[], None, None), "m").unwrap();
    insta::assert_snapshot!(draft(&id(), &["photos-2019".into()], None, None), @r#"
    # What shall become of these buckets. `s3plan plan` shows what that takes and changes nothing.
    # `s3plan schema manifest` prints every key, for editors too.

    [account]
    id = "123456789012" # plan and apply refuse any other account

    # archive.to    where the files go; {bucket} is filled in
    # archive.then  what happens in S3 once every object is proven and you have approved:
    #               "keep" nothing, "delete-objects" what was archived goes,
    #               "delete-bucket" the bucket goes too

    [bucket."photos-2019"]
    archive = { to = "./archive/{bucket}", then = "keep" }
    "#);
}
