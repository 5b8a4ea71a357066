//! Equality by meaning, as properties.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::strategies::{REQUESTS, people, policies, statements};
use super::{Says, says};
use crate::policy::{fingerprint, is_same};

/// Writes a policy otherwise without changing what it means; `seed` decides how.
fn rewritten(policy: &Value, seed: u64) -> Value {
    let mut seed = seed;
    let mut coin = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 63 == 0
    };
    let mut policy = policy.clone();
    policy["Id"] = json!("another");
    let mut statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    if coin() {
        statements.reverse();
    }
    if coin() {
        statements.push(statements[0].clone());
    }
    for (place, statement) in statements.iter_mut().enumerate() {
        statement["Sid"] = json!(format!("Other{place}"));
        for key in ["Action", "NotAction", "Resource", "NotResource"] {
            if statement.get(key).is_some() {
                relist(&mut statement[key], coin());
                if key.ends_with("Action") && coin() {
                    recase(&mut statement[key]);
                }
            }
        }
        for key in ["Principal", "NotPrincipal"] {
            match statement.get(key) {
                Some(all) if *all == json!("*") && coin() => statement[key] = json!({"AWS": ["*"]}),
                Some(Value::Object(_)) => {
                    for names in statement[key].as_object_mut().expect("kinds").values_mut() {
                        relist(names, coin());
                        let text = names.to_string();
                        if text.contains(":root") {
                            *names = json!([super::ACCOUNT]);
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(Value::Object(operators)) = statement.get_mut("Condition") {
            for keys in operators.values_mut() {
                let old = keys.as_object().cloned().unwrap_or_default();
                *keys = Value::Object(
                    old.into_iter()
                        .map(|(key, mut values)| {
                            relist(&mut values, coin());
                            if values == json!("false") {
                                values = json!(false);
                            }
                            (if coin() { key.to_uppercase() } else { key }, values)
                        })
                        .collect(),
                );
            }
        }
    }
    let alone = statements.len() == 1 && coin();
    policy["Statement"] = if alone { statements.remove(0) } else { json!(statements) };
    policy
}

fn relist(value: &mut Value, turn: bool) {
    match value {
        Value::Array(list) if list.len() == 1 => *value = list.remove(0),
        Value::Array(list) if turn => list.reverse(),
        Value::Array(list) => list.push(list[0].clone()),
        other => *other = json!([other.clone()]),
    }
}

fn recase(value: &mut Value) {
    let text = value.to_string().to_uppercase();
    *value = serde_json::from_str(&text).expect("JSON in capitals");
}

/// What a policy says to everybody about everything, in a fixed order.
fn effect(policy: &str) -> Vec<Says> {
    let people = people();
    let of_one = |who| REQUESTS.iter().map(move |(action, on)| says(policy, who, action, on));
    people.iter().flat_map(of_one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Re-ordered, re-cased, one value or a list of it: whatever S3 may hand back.
    #[test]
    fn a_policy_written_otherwise_is_the_same(policy in policies(), seed: u64) {
        let (one, other) = (policy.to_string(), rewritten(&policy, seed).to_string());
        prop_assert!(is_same(Some(&one), Some(&other)), "{one}\n{other}");
        prop_assert_eq!(effect(&one), effect(&other));
    }

    /// The other way round: over any two policies, and over neighbours that differ by one piece.
    #[test]
    fn policies_that_differ_in_effect_are_never_called_equal(
        policy in policies(),
        other in policies(),
        piece in statements(),
        (place, key) in (any::<prop::sample::Index>(), prop::sample::select(vec![
            "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource",
            "NotResource", "Condition",
        ])),
        seed: u64,
    ) {
        let mut neighbour = policy.clone();
        let list = neighbour["Statement"].as_array_mut().expect("statements");
        let place = place.index(list.len());
        if let Some(value) = piece.get(key) && list[place].get(key).is_some() {
            list[place][key] = value.clone();
        } else if key == "Condition" {
            list[place].as_object_mut().expect("a statement").remove(key);
        }
        let policy = policy.to_string();
        for other in [neighbour, other] {
            let other = rewritten(&other, seed).to_string();
            if effect(&policy) != effect(&other) {
                prop_assert!(!is_same(Some(&policy), Some(&other)), "{policy}\n{other}");
            }
            prop_assert_eq!(
                is_same(Some(&policy), Some(&other)),
                fingerprint(Some(&policy)) == fingerprint(Some(&other))
            );
        }
    }
}
