//! The normal form of a policy, and equality by meaning.
//!
//! Free: the order of statements, keys and lists; one value or a list of it; the case of actions
//! and condition keys; numbers and booleans or their text; `"*"` or `{"AWS": "*"}`; an account's
//! id or its root's ARN; names of statements and of the policy, which decide nothing; a statement
//! that stands twice. All else counts, so that what differs in effect is never called equal.
//!
//! Source: the rules of hashicorp/awspolicyequivalence; S3 User Guide, "Principals".

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::document::{Document, Effect, Named, Sense, Statement};
use super::pattern::Variables;
use super::principal::account_in;

/// The normal form: equal for policies that mean the same, as far as the rules above go.
pub fn canonical(policy: &Document) -> Value {
    let mut statements: Vec<(String, Value)> = policy
        .statements
        .iter()
        .map(|statement| {
            let value = canonical_statement(statement);
            (value.to_string(), value)
        })
        .collect();
    statements.sort_by(|(a, _), (b, _)| a.cmp(b));
    statements.dedup_by(|(a, _), (b, _)| a == b);
    let version = match policy.variables {
        Variables::Known => "2012-10-17",
        Variables::Literal => "2008-10-17",
    };
    let statements: Vec<Value> = statements.into_iter().map(|(_, value)| value).collect();
    sorted([("Statement", Value::Array(statements)), ("Version", version.into())])
}

/// Whether two policy texts mean the same; `None` is no policy. Texts that are no policies as we
/// know them are the same only to the letter.
pub fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    fingerprint(one) == fingerprint(other)
}

/// SHA-256 of what a policy text means, 64 hex digits; `None` for no policy. Two texts of one
/// meaning have the same.
pub fn fingerprint(text: Option<&str>) -> Option<String> {
    let text = text?;
    let mut digest = Sha256::new();
    match Document::parse(text) {
        Ok(policy) => digest.update(canonical(&policy).to_string()),
        // No normal form begins like this.
        Err(_) => digest.update(format!("as it stands\n{text}")),
    }
    Some(hex::encode(digest.finalize()))
}

pub(super) fn canonical_statement(statement: &Statement) -> Value {
    let effect = match statement.effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    let kinds = statement.principals.by_kind.iter().map(|(kind, names)| {
        let names = names.iter().map(|name| match kind.as_str() {
            "AWS" => account_in(name).unwrap_or(name),
            _ => name,
        });
        (kind.as_str(), list(names))
    });
    let mut fields = vec![
        ("Effect", effect.into()),
        (keyed(statement.principals.sense, ["Principal", "NotPrincipal"]), sorted(kinds)),
        named(&statement.actions, ["Action", "NotAction"]),
        named(&statement.resources, ["Resource", "NotResource"]),
    ];
    let conditions = statement.conditions.iter().filter(|(_, keys)| !keys.is_empty());
    let conditions = conditions.map(|(operator, keys)| {
        let keys = keys.iter().map(|(key, values)| {
            let values = values.iter().map(String::as_str);
            (key.as_str(), list(values))
        });
        (operator.as_str(), sorted(keys))
    });
    let conditions = sorted(conditions);
    if conditions != json!({}) {
        fields.push(("Condition", conditions));
    }
    fields.sort_by_key(|(key, _)| *key);
    sorted(fields)
}

fn keyed(sense: Sense, [these, all_but]: [&'static str; 2]) -> &'static str {
    match sense {
        Sense::These => these,
        Sense::AllBut => all_but,
    }
}

fn named(named: &Named, keys: [&'static str; 2]) -> (&'static str, Value) {
    (keyed(named.sense, keys), list(named.names.iter().map(String::as_str)))
}

/// A sorted list without doubles; one value stands alone, as people write it.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    let names: BTreeSet<&str> = names.collect();
    let mut values: Vec<Value> = names.into_iter().map(Value::from).collect();
    match values.len() {
        1 => values.remove(0),
        _ => Value::Array(values),
    }
}

/// An object whose fields come in this order, also where maps keep their order.
fn sorted<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_by_key(|(key, _)| *key);
    Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{
      "Version": "2012-10-17", "Id": "x",
      "Statement": [
        {"Sid": "A", "Effect": "Deny", "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject"],
         "Resource": "arn:aws:s3:::b/*", "Condition": {"Bool": {"aws:SecureTransport": false}}},
        {"Sid": "B", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
         "Action": "s3:*", "Resource": ["arn:aws:s3:::b"]}
      ]}"#;

    const OTHER: &str = r#"{"Statement": [
        {"Resource": "arn:aws:s3:::b", "Action": ["S3:*"], "Principal": {"AWS": ["123456789012"]},
         "Effect": "Allow"},
        {"Condition": {"Bool": {"aws:securetransport": ["false"]}}, "Effect": "Deny",
         "Principal": {"AWS": "*"}, "Action": ["S3:putobject", "s3:GetObject", "s3:getobject"],
         "Resource": ["arn:aws:s3:::b/*"]},
        {"Resource": "arn:aws:s3:::b", "Action": "s3:*", "Principal": {"AWS": "123456789012"},
         "Effect": "Allow", "Condition": {}}
      ], "Version": "2012-10-17"}"#;

    #[test]
    fn what_s3_hands_back_otherwise_written_is_the_same() {
        assert!(is_same(Some(ONE), Some(OTHER)));
        assert!(is_same(None, None));
    }

    #[test]
    fn whatever_can_change_the_effect_is_a_difference() {
        for (from, to) in [
            ("Deny", "Allow"),
            ("s3:PutObject", "s3:PutObjectAcl"),
            ("b/*", "b/"),
            ("b/*", "B/*"),
            ("SecureTransport", "Other"),
            ("false", "true"),
            ("Bool", "BoolIfExists"),
            ("\"Principal\": \"*\"", "\"NotPrincipal\": \"*\""),
            ("\"AWS\"", "\"Service\""),
            ("123456789012:root", "123456789012:user/root"),
            ("123456789012", "123456789013"),
            ("2012-10-17", "2008-10-17"),
            ("\"Action\": \"s3:*\"", "\"NotAction\": \"s3:*\""),
            ("\"Resource\": [", "\"NotResource\": ["),
        ] {
            let other = ONE.replace(from, to);
            assert_ne!(other, ONE, "{from}");
            assert!(Document::parse(&other).is_ok(), "{from} → {to}");
            assert!(!is_same(Some(ONE), Some(&other)), "{from} → {to}");
        }
        assert!(!is_same(Some(ONE), None));
    }

    #[test]
    fn a_text_that_is_no_policy_is_the_same_as_itself_alone() {
        assert!(is_same(Some("{\"Odd\": 1}"), Some("{\"Odd\": 1}")));
        assert!(!is_same(Some("{\"Odd\": 1}"), Some("{\"Odd\":1}")));
    }
}
