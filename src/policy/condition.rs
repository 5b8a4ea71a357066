//! Conditions: whether a `Condition` block holds for what is known of a request.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators": values of one key are
//! alternatives, keys must all hold; a negated operator holds where the key is absent, any other
//! does not, and `…IfExists` always does.

use std::collections::{BTreeMap, BTreeSet};

use super::pattern::{Pattern, Variables, Wildcards};
use super::principal::{Context, Value};
use super::truth::Truth;

/// Whether all of a statement's conditions hold.
pub(super) fn holds(
    conditions: &BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    variables: Variables,
    context: &Context,
) -> Truth {
    Truth::all(conditions.iter().flat_map(|(operator, keys)| {
        keys.iter().map(|(key, values)| one_holds(operator, key, values, variables, context))
    }))
}

fn one_holds(
    operator: &str,
    key: &str,
    values: &BTreeSet<String>,
    variables: Variables,
    context: &Context,
) -> Truth {
    let Some(operator) = Operator::read(operator) else { return Truth::CannotTell };
    if values.is_empty() {
        return Truth::CannotTell;
    }
    let seen = context.get(key);
    if operator.by == By::Null {
        let absent = match seen {
            Value::Absent => Truth::Yes,
            Value::Is(_) | Value::Between(..) => Truth::No,
            Value::Unknown => Truth::CannotTell,
        };
        return Truth::any(values.iter().map(|wanted| match wanted.as_str() {
            "true" => absent,
            "false" => !absent,
            _ => Truth::CannotTell,
        }));
    }
    match &seen {
        Value::Unknown => Truth::CannotTell,
        Value::Absent => operator.holds_without_key().into(),
        seen => {
            let found = values.iter().map(|wanted| {
                operator.by.compare(wanted, seen, variables, context).unwrap_or(Truth::CannotTell)
            });
            let found = Truth::any(found);
            if operator.negated { !found } else { found }
        }
    }
}

/// What an operator compares by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Text(Wildcards),
    TextInAnyCase,
    Arn,
    Bool,
    Null,
    /// Numbers, dates, addresses: no key of those kinds is known when a plan is made.
    Other,
}

/// An operator's name, taken apart.
#[derive(Clone, Copy, Debug)]
struct Operator {
    by: By,
    negated: bool,
    if_exists: bool,
    /// `ForAllValues:` holds for none, `ForAnyValue:` does not.
    of_many: Option<OfMany>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfMany {
    All,
    Any,
}

impl Operator {
    /// `None`: an operator that is not known here.
    fn read(name: &str) -> Option<Self> {
        let (of_many, name) = match name.split_once(':') {
            None => (None, name),
            Some(("ForAllValues", rest)) => (Some(OfMany::All), rest),
            Some(("ForAnyValue", rest)) => (Some(OfMany::Any), rest),
            Some(_) => return None,
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (by, negated) = match name {
            "StringEquals" => (By::Text(Wildcards::Literal), false),
            "StringNotEquals" => (By::Text(Wildcards::Literal), true),
            "StringLike" => (By::Text(Wildcards::Match), false),
            "StringNotLike" => (By::Text(Wildcards::Match), true),
            "StringEqualsIgnoreCase" => (By::TextInAnyCase, false),
            "StringNotEqualsIgnoreCase" => (By::TextInAnyCase, true),
            "ArnEquals" | "ArnLike" => (By::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (By::Arn, true),
            "Bool" => (By::Bool, false),
            "Null" if !if_exists && of_many.is_none() => (By::Null, false),
            "IpAddress"
            | "NumericEquals"
            | "NumericLessThan"
            | "NumericLessThanEquals"
            | "NumericGreaterThan"
            | "NumericGreaterThanEquals"
            | "DateEquals"
            | "DateLessThan"
            | "DateLessThanEquals"
            | "DateGreaterThan"
            | "DateGreaterThanEquals"
            | "BinaryEquals" => (By::Other, false),
            "NotIpAddress" | "NumericNotEquals" | "DateNotEquals" => (By::Other, true),
            _ => return None,
        };
        Some(Self { by, negated, if_exists, of_many })
    }

    fn holds_without_key(self) -> bool {
        match self.of_many {
            Some(OfMany::All) => true,
            _ if self.if_exists => true,
            Some(OfMany::Any) => false,
            None => self.negated,
        }
    }
}

impl By {
    /// Whether one value of a policy is the request's. `None`: that cannot be told.
    fn compare(
        self,
        wanted: &str,
        seen: &Value,
        variables: Variables,
        context: &Context,
    ) -> Option<Truth> {
        let fill = |text: &str, wildcards| Pattern::fill(text, wildcards, variables, context);
        match self {
            Self::Text(wildcards) => Some(between(&fill(wanted, wildcards)?, wildcards, seen)),
            Self::TextInAnyCase => match seen {
                Value::Is(seen) => {
                    Some(fill(wanted, Wildcards::Literal)?.matches_in_any_case(seen).into())
                }
                _ => None,
            },
            Self::Arn => compare_arns(wanted, seen, &fill),
            Self::Bool => match seen {
                Value::Is(seen) => Some(wanted.eq_ignore_ascii_case(seen).into()),
                _ => None,
            },
            Self::Null | Self::Other => None,
        }
    }
}

fn between(pattern: &Pattern, wildcards: Wildcards, seen: &Value) -> Truth {
    match seen {
        Value::Is(text) => pattern.matches(text).into(),
        Value::Between(head, tail) => match pattern.matches_all_from(head) {
            // Without wildcards only one text is meant, and it must end right, too.
            Truth::CannotTell if wildcards == Wildcards::Literal && !tail.is_empty() => {
                let ends = pattern.matches(&format!("{head}{tail}"))
                    || Pattern::glob(&format!("*/{tail}")).matches(&pattern.literal());
                if ends { Truth::CannotTell } else { Truth::No }
            }
            other => other,
        },
        Value::Absent | Value::Unknown => Truth::CannotTell,
    }
}

/// ARNs are compared part by part, so that no `*` crosses a colon but in the last part.
fn compare_arns(
    wanted: &str,
    seen: &Value,
    fill: &impl Fn(&str, Wildcards) -> Option<Pattern>,
) -> Option<Truth> {
    let (head, tail) = match seen {
        Value::Is(text) => (text.as_str(), None),
        Value::Between(head, tail) => (head.as_str(), Some(tail)),
        Value::Absent | Value::Unknown => return None,
    };
    let wanted: Vec<&str> = wanted.splitn(6, ':').collect();
    let seen: Vec<&str> = head.splitn(6, ':').collect();
    if wanted.len() != 6 || seen.len() != 6 {
        return None;
    }
    let mut answer = Truth::Yes;
    for (place, (wanted, seen)) in wanted.iter().zip(&seen).enumerate() {
        let pattern = fill(wanted, Wildcards::Match)?;
        let seen = match tail {
            Some(tail) if place == 5 => Value::Between((*seen).to_owned(), tail.clone()),
            _ => Value::Is((*seen).to_owned()),
        };
        let wildcards =
            if wanted.contains(['*', '?']) { Wildcards::Match } else { Wildcards::Literal };
        answer = answer.and(between(&pattern, wildcards, &seen));
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds_for(operator: &str, value: &str, seen: &Value) -> Truth {
        let mut context = Context::default();
        context.set("k", seen.clone());
        one_holds(operator, "k", &BTreeSet::from([value.to_owned()]), Variables::Known, &context)
    }

    fn is(text: &str) -> Value {
        Value::Is(text.into())
    }

    #[test]
    fn each_operator_means_what_the_guide_says() {
        use Truth::{CannotTell, No, Yes};
        let arn = "arn:aws:iam::123456789012:user/team/alice";
        for (operator, value, seen, expected) in [
            ("StringEquals", "a", is("a"), Yes),
            ("StringEquals", "a*", is("ab"), No),
            ("StringEquals", "A", is("a"), No),
            ("StringEqualsIgnoreCase", "A", is("a"), Yes),
            ("StringNotEqualsIgnoreCase", "A", is("a"), No),
            ("StringNotEquals", "a", is("a"), No),
            ("StringNotEquals", "a", Value::Absent, Yes),
            ("StringEquals", "a", Value::Absent, No),
            ("StringEqualsIfExists", "a", Value::Absent, Yes),
            ("StringEqualsIfExists", "a", is("b"), No),
            ("StringLike", "a*", is("ab"), Yes),
            ("StringNotLike", "a*", is("ab"), No),
            ("ForAnyValue:StringEquals", "a", is("a"), Yes),
            ("ForAnyValue:StringEquals", "a", Value::Absent, No),
            ("ForAllValues:StringEquals", "a", Value::Absent, Yes),
            ("ArnLike", "arn:aws:iam::*:user/*", is(arn), Yes),
            ("ArnEquals", "arn:aws:iam::*:user/team/*", is(arn), Yes),
            ("ArnLike", "arn:aws:*:user/*", is(arn), CannotTell),
            ("ArnLike", "arn:aws:iam::*:role/*", is(arn), No),
            ("ArnNotEquals", arn, is(arn), No),
            ("Bool", "False", is("false"), Yes),
            ("BoolIfExists", "false", Value::Absent, Yes),
            ("Null", "true", Value::Absent, Yes),
            ("Null", "false", Value::Absent, No),
            ("Null", "true", is("x"), No),
            ("IpAddress", "10.0.0.0/8", is("10.1.1.1"), CannotTell),
            ("NotIpAddress", "10.0.0.0/8", Value::Absent, Yes),
            ("NumericLessThan", "10", Value::Absent, No),
            ("StringEquals", "a", Value::Unknown, CannotTell),
            ("StringEquals", "${aws:unheard-of}", is("a"), CannotTell),
            ("stringequals", "a", is("a"), CannotTell),
            ("StringSounds", "a", is("a"), CannotTell),
            ("ForSomeValues:StringEquals", "a", is("a"), CannotTell),
        ] {
            let found = holds_for(operator, value, &seen);
            assert_eq!(found, expected, "{operator} {value} {seen:?}");
        }
    }

    /// A session does not tell its role's path, so only what holds for every path is a yes.
    #[test]
    fn a_role_of_unknown_path_is_not_guessed() {
        use Truth::{CannotTell, No, Yes};
        let head = "arn:aws:iam::123456789012:role/";
        let seen = Value::Between(head.into(), "Admin".into());
        for (value, expected) in [
            (format!("{head}Admin"), CannotTell),
            (format!("{head}team/Admin"), CannotTell),
            (format!("{head}Other"), No),
            (format!("{head}teamAdmin"), No),
            ("arn:aws:iam::999999999999:role/Admin".into(), No),
        ] {
            for operator in ["StringEquals", "ArnEquals"] {
                assert_eq!(holds_for(operator, &value, &seen), expected, "{operator} {value}");
            }
        }
        for operator in ["StringLike", "ArnLike"] {
            assert_eq!(holds_for(operator, &format!("{head}*"), &seen), Yes);
            assert_eq!(holds_for(operator, &format!("{head}*min"), &seen), CannotTell);
        }
    }
}
