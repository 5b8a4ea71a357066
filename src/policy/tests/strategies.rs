//! Random policies over a small world, so that statements often meet the same requests.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::{ACCOUNT, alice, bob};
use crate::policy::Who;

/// Who asks in these tests.
pub(super) fn people() -> Vec<Who> {
    vec![
        alice(),
        Who::caller(&bob()),
        Who::caller(&super::admin()),
        Who::AnotherUser,
        Who::Root,
        Who::Service("logging.s3.amazonaws.com".into()),
        Who::Anonymous,
    ]
}

/// The six actions, each on what it is done to.
pub(super) const REQUESTS: [(&str, &str); 7] = [
    ("s3:ListBucket", "arn:aws:s3:::b"),
    ("s3:GetObject", "arn:aws:s3:::b/"),
    ("s3:GetObject", "arn:aws:s3:::b/a.jpg"),
    ("s3:PutObject", "arn:aws:s3:::b/"),
    ("s3:DeleteObject", "arn:aws:s3:::b/a.jpg"),
    ("s3:GetBucketPolicy", "arn:aws:s3:::b"),
    ("s3:PutBucketPolicy", "arn:aws:s3:::b"),
];

pub(super) fn policies() -> impl Strategy<Value = Value> {
    (select(vec!["2012-10-17", "2008-10-17"]), prop::collection::vec(statements(), 1..4))
        .prop_map(|(version, statements)| json!({"Version": version, "Statement": statements}))
}

pub(super) fn statements() -> impl Strategy<Value = Value> {
    let actions =
        vec!["s3:*", "s3:GetObject", "s3:Put*", "s3:ListBucket", "*", "s3:?etBucketPolicy"];
    let resources = vec![
        "arn:aws:s3:::b",
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::b*",
        "arn:aws:s3:::b/*.jpg",
        "arn:aws:s3:::b/${aws:username}/*",
        "arn:aws:s3:::b/a.jpg",
    ];
    (
        select(vec!["Allow", "Deny"]),
        (select(vec!["Principal", "Principal", "NotPrincipal"]), principals()),
        (select(vec!["Action", "Action", "NotAction"]), some_of(actions)),
        (select(vec!["Resource", "Resource", "NotResource"]), some_of(resources)),
        prop::option::of(conditions()),
    )
        .prop_map(|(effect, principal, action, resource, condition)| {
            let mut statement = Map::new();
            statement.insert("Effect".into(), effect.into());
            for (key, value) in [principal, action, resource] {
                statement.insert(key.into(), value);
            }
            if let Some(condition) = condition {
                statement.insert("Condition".into(), condition);
            }
            Value::Object(statement)
        })
}

fn principals() -> impl Strategy<Value = Value> {
    let alice = format!("arn:aws:iam::{ACCOUNT}:user/team/alice");
    let bob = format!("arn:aws:iam::{ACCOUNT}:user/bob");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/Admin");
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    select(vec![
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": alice.clone()}),
        json!({"AWS": [alice, bob]}),
        json!({"AWS": [role]}),
        json!({"AWS": root}),
        json!({"AWS": ACCOUNT}),
        json!({"Service": "logging.s3.amazonaws.com"}),
    ])
}

fn conditions() -> impl Strategy<Value = Value> {
    let operators = vec![
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIfExists",
        "StringEqualsIgnoreCase",
        "ForAnyValue:StringLike",
        "ForAllValues:StringEquals",
    ];
    let keys = vec!["aws:userid", "aws:username", "aws:PrincipalArn", "aws:PrincipalType"];
    let values = vec![
        "AIDAALICEALICEALICE00".to_owned(),
        "AIDABOBBOBBOBBOBBOB00".to_owned(),
        "AIDA*".to_owned(),
        "AROAADMINADMINADMIN00:*".to_owned(),
        "alice".to_owned(),
        "User".to_owned(),
        ACCOUNT.to_owned(),
        format!("arn:aws:iam::{ACCOUNT}:user/bob"),
    ];
    let text = (select(operators), select(keys), some_of_texts(values))
        .prop_map(|(operator, key, values)| json!({operator: {key: values}}));
    let tls = select(vec![
        json!({"Bool": {"aws:SecureTransport": "false"}}),
        json!({"Bool": {"aws:SecureTransport": true}}),
        json!({"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}),
        json!({"Null": {"aws:username": "true"}}),
    ]);
    prop_oneof![3 => text, 1 => tls]
}

/// A list in some order, or one alone.
fn some_of(names: Vec<&'static str>) -> impl Strategy<Value = Value> {
    some_of_texts(names.into_iter().map(str::to_owned).collect())
}

fn some_of_texts(names: Vec<String>) -> impl Strategy<Value = Value> {
    subsequence(names, 1..=2).prop_map(|names| json!(names))
}
