//! A change of policy in words: a unified diff, and who may what before and after.

use std::collections::BTreeMap;

use serde_json::Value;
use similar::TextDiff;

use super::access::Access;
use super::canonical::{canonical, canonical_statement};
use super::document::{Document, SIZE_LIMIT};
use super::evaluate::Says;

/// A text to put: laid out for people, unless it would only fit without white space.
pub(super) fn to_put(policy: &Value) -> String {
    let pretty = pretty(policy);
    if pretty.len() <= SIZE_LIMIT { pretty } else { policy.to_string() }
}

fn pretty(value: &Value) -> String {
    // Values that were parsed from text can always be written as text.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The unified diff of two policies in their normal form, so that only real changes show. `None` is
/// no policy. Empty for equal ones.
pub fn difference(live: Option<&str>, new: Option<&str>) -> String {
    let parse = |text: Option<&str>| text.and_then(|text| Document::parse(text).ok());
    let (old_policy, new_policy) = (parse(live), parse(new));
    let mut spelling = Spelling::default();
    for policy in [&old_policy, &new_policy].into_iter().flatten() {
        spelling.learn(policy);
    }
    let shown = |text: Option<&str>, policy: &Option<Document>| match (text, policy) {
        (None, _) => String::new(),
        (Some(_), Some(policy)) => pretty(&spelling.spell(policy)) + "\n",
        // No policy as we know them: to the letter.
        (Some(text), None) => format!("{text}\n"),
    };
    let (before, after) = (shown(live, &old_policy), shown(new, &new_policy));
    // No deadline: it would make the diff depend on the machine, and documents end at 20 KB.
    let diff = TextDiff::from_lines(&before, &after);
    let name = |text: Option<&str>, name| if text.is_some() { name } else { "no policy" };
    diff.unified_diff().header(name(live, "live"), name(new, "wanted")).to_string()
}

/// How people wrote what the normal form has in lower case, or not at all. Both documents of a diff
/// are spelled alike, so that no spelling shows as a change; what was learned last wins.
#[derive(Default)]
struct Spelling {
    names: BTreeMap<String, String>,
    /// By the normal form of the statement.
    sids: BTreeMap<String, String>,
}

impl Spelling {
    fn learn(&mut self, policy: &Document) {
        let statements = match policy.value.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            one => Vec::from_iter(one),
        };
        for (raw, statement) in statements.into_iter().zip(&policy.statements) {
            for key in ["Action", "NotAction"] {
                match raw.get(key) {
                    Some(Value::Array(names)) => names.iter().for_each(|name| self.name(name)),
                    one => one.into_iter().for_each(|name| self.name(name)),
                }
            }
            let operators = raw.get("Condition").and_then(Value::as_object);
            let keys = operators.into_iter().flat_map(|o| o.values()).filter_map(Value::as_object);
            for key in keys.flat_map(|keys| keys.keys()) {
                self.names.insert(key.to_ascii_lowercase(), key.clone());
            }
            if let Some(sid) = &statement.sid {
                self.sids.insert(canonical_statement(statement).to_string(), sid.clone());
            }
        }
    }

    fn name(&mut self, name: &Value) {
        if let Some(name) = name.as_str() {
            self.names.insert(name.to_ascii_lowercase(), name.to_owned());
        }
    }

    fn spell(&self, policy: &Document) -> Value {
        let mut policy = canonical(policy);
        for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
            let sid = self.sids.get(&statement.to_string()).cloned();
            for key in ["Action", "NotAction"] {
                match statement.get_mut(key) {
                    Some(Value::Array(names)) => names.iter_mut().for_each(|n| self.respell(n)),
                    one => one.into_iter().for_each(|name| self.respell(name)),
                }
            }
            let operators = statement.get_mut("Condition").and_then(Value::as_object_mut);
            for keys in operators.into_iter().flat_map(|o| o.values_mut()) {
                let old = keys.as_object().cloned().unwrap_or_default();
                let spelled = |key: String| self.names.get(&key).cloned().unwrap_or(key);
                *keys = old.into_iter().map(|(key, values)| (spelled(key), values)).collect();
            }
            if let Some(sid) = sid {
                statement["Sid"] = sid.into();
            }
        }
        policy
    }

    fn respell(&self, name: &mut Value) {
        if let Some(known) = name.as_str().and_then(|name| self.names.get(name)) {
            *name = known.as_str().into();
        }
    }
}

/// One line a principal, for those actions whose answers agree.
pub(super) fn tell_access(table: &[Access]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in table {
        let mut groups: Vec<((Says, Says), Vec<&str>)> = Vec::new();
        for (action, before, after) in &row.says {
            match groups.iter_mut().find(|(says, _)| *says == (*before, *after)) {
                Some((_, actions)) => actions.push(action),
                None => groups.push(((*before, *after), vec![action])),
            }
        }
        for ((before, after), actions) in groups {
            let actions = match actions.len() {
                6 => "everything".to_owned(),
                _ => actions.join(", "),
            };
            let told = match before == after {
                true => format!("{}, as before", row.word(after)),
                false => format!("{} → {}", row.word(before), row.word(after)),
            };
            lines.push(format!("{}: {told}: {actions}", row.who));
        }
    }
    lines
}

impl Access {
    fn word(&self, says: Says) -> &'static str {
        match says {
            Says::Allows => "allowed",
            Says::Denies => "denied",
            Says::Nothing if self.has_own_permissions => "by own permissions",
            Says::Nothing => "not allowed",
            Says::CannotTell => "cannot tell",
        }
    }
}
