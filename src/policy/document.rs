//! Policy documents as text: read strictly, checked, and taken apart into statements.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use thiserror::Error;

use super::pattern::{Pattern, Variables};

/// How long a bucket policy may be, in bytes.
///
/// Source: S3 User Guide, "access policy guidelines": 20 KB.
pub const SIZE_LIMIT: usize = 20 * 1024;

/// Why a text is no policy that this bucket can have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct BadPolicy {
    /// In the text, counted from 1; `None` where it is about the whole.
    pub line: Option<usize>,
    /// What is wrong, a lower-case phrase.
    pub what: String,
}

/// A policy, whole and in parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// As it was written, but for white space.
    pub(super) value: Map<String, Value>,
    /// Which rules hold: variables are only known to the newer version.
    pub(super) variables: Variables,
    pub(super) statements: Vec<Statement>,
}

/// One statement, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub sid: Option<String>,
    pub effect: Effect,
    pub principals: Principals,
    pub actions: Named,
    pub resources: Named,
    /// Operator → key in lower case → values. All must hold.
    pub conditions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// Whether a list names what is meant, or all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sense {
    /// `Action`, `Resource`, `Principal`.
    These,
    /// `NotAction`, `NotResource`, `NotPrincipal`.
    AllBut,
}

/// Actions (in lower case) or resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub sense: Sense,
    pub names: BTreeSet<String>,
}

/// Who a statement is about: kind (`AWS`, `Service`, …) → names. `"*"` is `{"AWS": "*"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principals {
    pub sense: Sense,
    pub by_kind: BTreeMap<String, BTreeSet<String>>,
}

impl Document {
    /// Reads a policy text.
    ///
    /// # Errors
    /// [`BadPolicy`] for anything but one JSON object in which no key stands twice, with statements
    /// that hold exactly what a bucket policy's must. Never guesses.
    pub fn parse(text: &str) -> Result<Self, BadPolicy> {
        let Strict(value) = serde_json::from_str(text).map_err(|error| BadPolicy {
            line: (error.line() > 0).then(|| error.line()),
            what: format!("not a JSON document: {error}"),
        })?;
        let Value::Object(value) = value else { return Err(bad("a policy is a JSON object")) };
        let at = |error: BadPolicy| locate(text, error);
        for key in value.keys() {
            if !["Version", "Id", "Statement"].contains(&key.as_str()) {
                return Err(at(unknown("a policy", key)));
            }
        }
        let variables = match value.get("Version") {
            Some(Value::String(version)) if version == "2012-10-17" => Variables::Known,
            Some(Value::String(version)) if version == "2008-10-17" => Variables::Literal,
            None => Variables::Literal,
            Some(_) => return Err(bad("`Version` is neither \"2012-10-17\" nor \"2008-10-17\"")),
        };
        if value.get("Id").is_some_and(|id| !id.is_string()) {
            return Err(bad("`Id` is no text"));
        }
        let statements = match value.get("Statement") {
            Some(Value::Array(list)) => list.iter().map(Statement::read).collect(),
            Some(one @ Value::Object(_)) => Statement::read(one).map(|one| vec![one]),
            _ => Err(bad("it has no `Statement`")),
        };
        Ok(Self { statements: statements.map_err(at)?, value, variables })
    }

    /// Holds a policy against the bucket it is for, as S3 would when it is put.
    ///
    /// # Errors
    /// Too long, without statements, or about another bucket's resources.
    pub fn fits(&self, text: &str, bucket: &str) -> Result<(), BadPolicy> {
        let size = self.compact().len();
        if size > SIZE_LIMIT {
            return Err(bad(format!(
                "it has {size} bytes, and S3 takes no bucket policy over {SIZE_LIMIT}"
            )));
        }
        if self.statements.is_empty() {
            return Err(bad("it has no statement; `none = true` removes a policy"));
        }
        for arn in self.statements.iter().flat_map(|statement| &statement.resources.names) {
            if !is_about(arn, bucket) {
                let what = format!("`{arn}` is no resource of the bucket `{bucket}`");
                return Err(locate(text, BadPolicy { line: None, what }));
            }
        }
        Ok(())
    }

    /// The shortest text of it.
    pub fn compact(&self) -> String {
        Value::Object(self.value.clone()).to_string()
    }
}

/// Fills in `{{bucket}}`.
pub fn fill_in(text: &str, bucket: &str) -> String {
    text.replace("{{bucket}}", bucket)
}

/// Whether a resource can be this bucket or something in it. The name may be a pattern.
fn is_about(arn: &str, bucket: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let head = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
    let (Some("arn"), Some(_), Some("s3"), Some(""), Some("")) = head else { return arn == "*" };
    let name = parts.next().and_then(|rest| rest.split('/').next()).unwrap_or_default();
    Pattern::glob(name).matches(bucket)
}

impl Statement {
    fn read(value: &Value) -> Result<Self, BadPolicy> {
        let Value::Object(fields) = value else { return Err(bad("a statement is a JSON object")) };
        const KNOWN: [&str; 9] = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        if let Some(key) = fields.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(unknown("a statement", key));
        }
        let sid = match fields.get("Sid") {
            None => None,
            Some(Value::String(sid)) => Some(sid.clone()),
            Some(_) => return Err(bad("`Sid` is no text")),
        };
        let effect = match fields.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(bad("`Effect` is neither \"Allow\" nor \"Deny\"")),
        };
        let (sense, principals) = either(fields, "Principal", "NotPrincipal")?;
        let principals = Principals { sense, by_kind: read_principals(principals)? };
        let (sense, names) = either(fields, "Action", "NotAction")?;
        let names = texts(names, "an action")?.into_iter().map(|name| name.to_ascii_lowercase());
        let actions = Named { sense, names: names.collect() };
        let (sense, names) = either(fields, "Resource", "NotResource")?;
        let resources = Named { sense, names: texts(names, "a resource")? };
        let conditions = match fields.get("Condition") {
            None => BTreeMap::new(),
            Some(Value::Object(by_operator)) => read_conditions(by_operator)?,
            Some(_) => return Err(bad("`Condition` is no JSON object")),
        };
        Ok(Self { sid, effect, principals, actions, resources, conditions })
    }
}

fn either<'a>(
    fields: &'a Map<String, Value>,
    these: &str,
    all_but: &str,
) -> Result<(Sense, &'a Value), BadPolicy> {
    match (fields.get(these), fields.get(all_but)) {
        (Some(value), None) => Ok((Sense::These, value)),
        (None, Some(value)) => Ok((Sense::AllBut, value)),
        (None, None) => Err(bad(format!("a statement has neither `{these}` nor `{all_but}`"))),
        (Some(_), Some(_)) => Err(bad(format!("a statement has both `{these}` and `{all_but}`"))),
    }
}

fn read_principals(value: &Value) -> Result<BTreeMap<String, BTreeSet<String>>, BadPolicy> {
    match value {
        Value::String(all) if all == "*" => {
            Ok(BTreeMap::from([("AWS".to_owned(), BTreeSet::from(["*".to_owned()]))]))
        }
        Value::Object(kinds) if !kinds.is_empty() => kinds
            .iter()
            .map(|(kind, names)| {
                if !["AWS", "Service", "Federated", "CanonicalUser"].contains(&kind.as_str()) {
                    return Err(unknown("a principal", kind));
                }
                Ok((kind.clone(), texts(names, "a principal")?))
            })
            .collect(),
        _ => Err(bad("a principal is \"*\" or a JSON object such as {\"AWS\": …}")),
    }
}

fn read_conditions(
    by_operator: &Map<String, Value>,
) -> Result<BTreeMap<String, BTreeMap<String, BTreeSet<String>>>, BadPolicy> {
    let mut conditions = BTreeMap::new();
    for (operator, keys) in by_operator {
        let Value::Object(keys) = keys else {
            return Err(bad(format!("the condition `{operator}` is no JSON object")));
        };
        let mut values_by_key = BTreeMap::new();
        for (key, values) in keys {
            let values = condition_values(key, values)?;
            // Keys are known in any case; two spellings of one would both have to hold.
            if values_by_key.insert(key.to_ascii_lowercase(), values).is_some() {
                return Err(bad(format!("the condition `{operator}` names `{key}` twice")));
            }
        }
        conditions.insert(operator.clone(), values_by_key);
    }
    Ok(conditions)
}

/// One value is a list of one; numbers and booleans mean what their text means.
fn condition_values(key: &str, values: &Value) -> Result<BTreeSet<String>, BadPolicy> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(bad(format!("the condition key `{key}` has a value that is no text"))),
    };
    match values {
        Value::Array(list) => list.iter().map(text).collect(),
        one => Ok(BTreeSet::from([text(one)?])),
    }
}

/// A text or a list of texts, at least one.
fn texts(value: &Value, what: &str) -> Result<BTreeSet<String>, BadPolicy> {
    let wrong = || bad(format!("{what} is neither a text nor a list of texts"));
    match value {
        Value::String(one) => Ok(BTreeSet::from([one.clone()])),
        Value::Array(list) if !list.is_empty() => {
            list.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

fn bad(what: impl Into<String>) -> BadPolicy {
    BadPolicy { line: None, what: what.into() }
}

fn unknown(place: &str, key: &str) -> BadPolicy {
    bad(format!("{place} has no element `{key}`"))
}

/// Finds the line that an error is about by the word that it quotes, where only one can be meant.
fn locate(text: &str, error: BadPolicy) -> BadPolicy {
    let quoted = error.what.split('`').nth(1).filter(|word| !word.is_empty());
    let line = quoted.and_then(|word| {
        let word = Value::from(word).to_string();
        text.lines().position(|line| line.contains(&word)).map(|place| place + 1)
    });
    BadPolicy { line: error.line.or(line), ..error }
}

/// JSON in which no object has a key twice: S3 and we might believe another one of the two.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            let Strict(value) = fields.next_value()?;
            if map.insert(key.clone(), value).is_some() {
                return Err(de::Error::custom(format!("the key `{key}` stands twice")));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> (Option<usize>, String) {
        let error = Document::parse(text).expect_err("a bad policy");
        (error.line, error.what)
    }

    const GOOD: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}}"#;

    #[test]
    fn a_key_that_stands_twice_is_refused_with_its_line() {
        let text = GOOD.replace("\"Principal\"", "\n\"Effect\": \"Deny\", \"Principal\"");
        let (line, what) = why(&text);
        assert_eq!(line, Some(3));
        assert!(what.contains("`Effect` stands twice"), "{what}");
    }

    #[test]
    fn whatever_is_no_policy_is_refused_with_the_reason() {
        for (text, expected) in [
            ("", "not a JSON document"),
            ("[]", "a policy is a JSON object"),
            ("{}", "no `Statement`"),
            (&GOOD.replace("2012", "2013"), "`Version`"),
            (&GOOD.replace("\"Allow\"", "\"allow\""), "`Effect`"),
            (&GOOD.replace("\"Statement\"", "\"statement\""), "no element `statement`"),
            (&GOOD.replace("\"Action\"", "\"Actions\""), "no element `Actions`"),
            (&GOOD.replace("\"Principal\": \"*\",", ""), "neither `Principal`"),
            (&GOOD.replace("\"*\"", "{\"aws\": \"*\"}"), "no element `aws`"),
            (&GOOD.replace("\"*\"", "\"alice\""), "a principal is"),
            (&GOOD.replace("\"s3:GetObject\"", "[]"), "an action"),
            (&GOOD.replace("\"Action\"", "\"NotAction\": \"s3:*\", \"Action\""), "both `Action`"),
        ] {
            let (_, what) = why(text);
            assert!(what.contains(expected), "{text}: {what}");
        }
        let twice = GOOD.replace(
            "}}",
            r#","Condition": {"StringEquals": {"aws:userid": "a", "aws:UserId": "b"}}}}"#,
        );
        assert!(why(&twice).1.contains("twice"));
    }

    #[test]
    fn an_unknown_element_is_told_with_its_line() {
        let text = GOOD.replace("\"Action\"", "\n\n\"Akshun\"");
        assert_eq!(why(&text).0, Some(4));
    }

    #[test]
    fn a_policy_must_be_about_its_bucket_and_fit_into_it() {
        let fits =
            |text: &str, bucket: &str| Document::parse(text).expect("good").fits(text, bucket);
        assert_eq!(fits(GOOD, "photos"), Ok(()));
        let error = fits(GOOD, "logs").expect_err("another bucket's");
        assert_eq!(error.line, Some(2));
        assert!(error.what.contains("arn:aws:s3:::photos/*"), "{error}");
        for other in ["arn:aws:s3:::photos-2/*", "arn:aws:sqs:::photos", "photos", "arn:aws:s3:::"]
        {
            let text = GOOD.replace("arn:aws:s3:::photos/*", other);
            assert!(fits(&text, "photos").is_err(), "{other}");
        }
        for own in ["arn:aws:s3:::pho*", "arn:aws-cn:s3:::photos", "*"] {
            assert_eq!(
                fits(&GOOD.replace("arn:aws:s3:::photos/*", own), "photos"),
                Ok(()),
                "{own}"
            );
        }
        let long = GOOD.replace("photos/*", &format!("photos/{}", "x".repeat(SIZE_LIMIT)));
        assert!(fits(&long, "photos").expect_err("too long").what.contains("20480"));
        // White space is not counted: S3 does not keep it.
        let airy = GOOD.replace(", ", &format!(",{}", " ".repeat(SIZE_LIMIT)));
        assert_eq!(fits(&airy, "photos"), Ok(()));
    }

    #[test]
    fn the_bucket_is_filled_in() {
        assert_eq!(fill_in("arn:aws:s3:::{{bucket}}/*", "photos"), "arn:aws:s3:::photos/*");
    }
}
