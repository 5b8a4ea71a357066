//! iam-rs as a second opinion. Its authors say that it is not verified by AWS either: where the two
//! differ, the guide decides, and the difference is written down here.

use iam_rs::{
    Arn, Context as TheirContext, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId,
    evaluate_policy,
};
use proptest::prelude::*;
use serde_json::Value;

use super::strategies::policies;
use super::{ACCOUNT, alice, bob, says};
use crate::policy::{Says, Who};

const REQUESTS: [(&str, &str); 6] = [
    ("s3:ListBucket", "arn:aws:s3:::b"),
    ("s3:GetObject", "arn:aws:s3:::b/a.jpg"),
    ("s3:PutObject", "arn:aws:s3:::b/alice/x"),
    ("s3:DeleteObject", "arn:aws:s3:::b/y"),
    ("s3:GetBucketPolicy", "arn:aws:s3:::b"),
    ("s3:PutBucketPolicy", "arn:aws:s3:::b"),
];

/// What iam-rs says; the same words as ours.
fn theirs(policy: &str, who: &Who, action: &str, resource: &str) -> Says {
    let policy = IAMPolicy::from_json(policy).expect("a policy that iam-rs reads");
    let Who::User { arn, user_id } = who else { panic!("asked for users only") };
    let context = TheirContext::new()
        .with_string("aws:userid", user_id.clone().unwrap_or_default())
        .with_string("aws:username", arn.rsplit('/').next().unwrap_or_default())
        .with_string("aws:PrincipalArn", arn.clone())
        .with_string("aws:PrincipalType", "User")
        // Booleans, since it does not take their text for them.
        .with_boolean("aws:SecureTransport", true)
        .with_boolean("aws:PrincipalIsAWSService", false);
    let request = IAMRequest::new_with_context(
        Principal::Aws(PrincipalId::String(arn.clone())),
        action,
        Arn::parse(resource).expect("an ARN"),
        context,
    );
    match evaluate_policy(&policy, &request).expect("an answer") {
        Decision::Allow => Says::Allows,
        Decision::Deny => Says::Denies,
        Decision::NotApplicable => Says::Nothing,
    }
}

/// The differences that are known, each of which has a test below.
fn is_explained(policy: &Value) -> bool {
    let text = policy.to_string();
    let variables_in_an_old_version = text.contains("2008-10-17") && text.contains("${");
    text.contains(":root") // an account stands for its users
        || text.contains(&format!("\"{ACCOUNT}\""))
        || text.contains("NotPrincipal") // those listed are not simply spared
        || variables_in_an_old_version
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Over all random policies but those with a known difference.
    #[test]
    fn it_agrees_wherever_no_difference_is_known(
        policy in policies().prop_filter("a known difference", |policy| !is_explained(policy)),
    ) {
        let policy = policy.to_string();
        for who in [alice(), Who::caller(&bob())] {
            for (action, resource) in REQUESTS {
                let ours = says(&policy, &who, action, resource);
                prop_assert_eq!(
                    ours,
                    theirs(&policy, &who, action, resource),
                    "{:?} {} {}: {}", who, action, resource, policy
                );
            }
        }
    }
}

/// Each difference, and why ours is the guide's.
#[test]
fn the_known_differences_are_these() {
    let statement = |effect: &str, principal: &str, condition: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "{effect}", {principal},
            "Action": "s3:*", "Resource": "arn:aws:s3:::b", "Condition": {condition}}}}}"#
        )
    };
    let all = "\"Principal\": \"*\"";
    let root = format!("\"Principal\": {{\"AWS\": \"arn:aws:iam::{ACCOUNT}:root\"}}");
    let but_alice =
        format!("\"NotPrincipal\": {{\"AWS\": \"arn:aws:iam::{ACCOUNT}:user/team/alice\"}}");
    let colon = r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam:*:user/team/alice"}}"#;
    let arn_equals =
        format!(r#"{{"ArnEquals": {{"aws:PrincipalArn": "arn:aws:iam::{ACCOUNT}:user/*"}}}}"#);
    for (why, policy, ours, theirs_are) in [
        (
            "a Deny to an account meets all its users",
            statement("Deny", &root, "{}"),
            Says::Denies,
            Says::Nothing,
        ),
        (
            "NotPrincipal spares a user only where the account is listed as well",
            statement("Deny", &but_alice, "{}"),
            Says::CannotTell,
            Says::Nothing,
        ),
        (
            "ArnEquals takes wildcards like ArnLike",
            statement("Deny", all, &arn_equals),
            Says::Denies,
            Says::Nothing,
        ),
        (
            "an ARN has six parts, and one `*` is not two of them; what AWS makes of five is unknown",
            statement("Deny", all, colon),
            Says::CannotTell,
            Says::Denies,
        ),
    ] {
        let request = ("s3:ListBucket", "arn:aws:s3:::b");
        assert_eq!(says(&policy, &alice(), request.0, request.1), ours, "{why}: {policy}");
        assert_eq!(theirs(&policy, &alice(), request.0, request.1), theirs_are, "{why}: {policy}");
    }
    let old = r#"{"Version": "2008-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
        "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}"}}"#;
    // Variables came with the version of 2012; before, the text stands for itself.
    assert_eq!(says(old, &alice(), "s3:GetObject", "arn:aws:s3:::b/alice"), Says::Nothing);
    assert_eq!(theirs(old, &alice(), "s3:GetObject", "arn:aws:s3:::b/alice"), Says::Denies);
}
