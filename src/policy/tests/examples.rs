//! Policies that AWS publishes, and what its guides say that they do.

use super::{ACCOUNT, account, admin, alice, bob, says_with};
use crate::policy::{Context, Says, Who};

/// One question about an example: who, action, resource, what is known of the request, the answer.
type Question =
    (Who, &'static str, &'static str, &'static [(&'static str, Option<&'static str>)], Says);

const BUCKET: &str = "arn:aws:s3:::amzn-s3-demo-bucket";
const OBJECTS: &str = "arn:aws:s3:::amzn-s3-demo-bucket/";
const OBJECT: &str = "arn:aws:s3:::amzn-s3-demo-bucket/taxdocuments/a.pdf";

fn check(source: &str, statements: &str, questions: &[Question]) {
    let policy = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    for (who, action, resource, known, expected) in questions {
        let context = Context::of(who, &account(), "aws");
        let context = known.iter().fold(context, |context, (key, value)| context.with(key, *value));
        let found = says_with(&policy, who, action, resource, context);
        assert_eq!(found, *expected, "{source}: {who:?} {action} {resource} {known:?}");
    }
}

fn anybody() -> [Who; 4] {
    [alice(), Who::caller(&admin()), Who::AnotherUser, Who::Anonymous]
}

#[test]
fn reading_by_everybody() {
    let questions: Vec<Question> = anybody()
        .into_iter()
        .flat_map(|who| {
            [
                (who.clone(), "s3:GetObject", OBJECTS, &[][..], Says::Allows),
                (who.clone(), "s3:PutObject", OBJECTS, &[][..], Says::Nothing),
                (who, "s3:ListBucket", BUCKET, &[][..], Says::Nothing),
            ]
        })
        .collect();
    check(
        "S3 User Guide, example-bucket-policies, read-only permission to a public anonymous user",
        r#"{"Sid": "PublicRead", "Effect": "Allow", "Principal": "*",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket/*"]}"#,
        &questions,
    );
}

#[test]
fn only_over_tls() {
    let plain: &[_] = &[("aws:SecureTransport", Some("false"))];
    check(
        "S3 User Guide, example-bucket-policies, require HTTPS",
        r#"{"Sid": "RestrictToTLSRequestsOnly", "Action": "s3:*", "Effect": "Deny",
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket", "arn:aws:s3:::amzn-s3-demo-bucket/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}, "Principal": "*"}"#,
        &[
            (alice(), "s3:GetObject", OBJECTS, &[], Says::Nothing),
            (alice(), "s3:GetObject", OBJECTS, plain, Says::Denies),
            (alice(), "s3:ListBucket", BUCKET, plain, Says::Denies),
            (Who::Anonymous, "s3:GetObject", OBJECTS, &[], Says::CannotTell),
        ],
    );
}

#[test]
fn only_through_one_vpc_endpoint() {
    check(
        "S3 User Guide, example-bucket-policies-vpc-endpoint, a specific VPC endpoint",
        r#"{"Sid": "Access-to-specific-VPCE-only", "Principal": "*", "Action": "s3:*",
            "Effect": "Deny",
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket", "arn:aws:s3:::amzn-s3-demo-bucket/*"],
            "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}}"#,
        &[
            (alice(), "s3:GetObject", OBJECTS, &[], Says::CannotTell),
            (
                alice(),
                "s3:GetObject",
                OBJECTS,
                &[("aws:sourcevpce", Some("vpce-1a2b3c4d"))],
                Says::Nothing,
            ),
            (alice(), "s3:GetObject", OBJECTS, &[("aws:SourceVpce", Some("vpce-2"))], Says::Denies),
            // From the internet there is no such key, and a negated operator holds without it.
            (alice(), "s3:GetObject", OBJECTS, &[("aws:SourceVpce", None)], Says::Denies),
            // The console's way is cut off too, but not the root's to the policy.
            (Who::Root, "s3:GetObject", OBJECTS, &[("aws:SourceVpce", None)], Says::Denies),
            (Who::Root, "s3:PutBucketPolicy", BUCKET, &[("aws:SourceVpce", None)], Says::Nothing),
        ],
    );
}

#[test]
fn only_from_some_addresses() {
    check(
        "S3 User Guide, example-bucket-policies, managing access based on IP addresses",
        r#"{"Sid": "IPAllow", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket", "arn:aws:s3:::amzn-s3-demo-bucket/*"],
            "Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}"#,
        &[
            (alice(), "s3:GetObject", OBJECTS, &[], Says::CannotTell),
            (alice(), "s3:GetObject", OBJECTS, &[("aws:SourceIp", None)], Says::Denies),
        ],
    );
}

/// The pattern that our own lock follows.
#[test]
fn only_one_role_and_one_user() {
    let questions = [
        (alice(), "s3:GetObject", OBJECTS, &[][..], Says::Nothing),
        (Who::caller(&admin()), "s3:GetObject", OBJECTS, &[], Says::Nothing),
        (Who::caller(&bob()), "s3:GetObject", OBJECTS, &[], Says::Denies),
        (Who::AnotherUser, "s3:ListBucket", BUCKET, &[], Says::Denies),
        (Who::Anonymous, "s3:ListBucket", BUCKET, &[], Says::Denies),
        (Who::Root, "s3:GetObject", OBJECTS, &[], Says::Nothing),
        // Without the clause for services, their requests have no user id, and are denied.
        (
            Who::Service("logging.s3.amazonaws.com".into()),
            "s3:PutObject",
            OBJECTS,
            &[],
            Says::Denies,
        ),
    ];
    check(
        "AWS Security Blog, How to Restrict Amazon S3 Bucket Access to a Specific IAM Role",
        &r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket", "arn:aws:s3:::amzn-s3-demo-bucket/*"],
            "Condition": {"StringNotLike": {"aws:userId":
                ["AROAADMINADMINADMIN00:*", "AIDAALICEALICEALICE00", "ACCOUNT"]}}}"#
            .replace("ACCOUNT", ACCOUNT),
        &questions,
    );
}

#[test]
fn all_but_one_user() {
    check(
        "IAM User Guide, NotPrincipal with Deny",
        &r#"{"Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::ACCOUNT:user/team/alice",
            "arn:aws:iam::ACCOUNT:root"]}, "Action": "s3:*",
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket", "arn:aws:s3:::amzn-s3-demo-bucket/*"]}"#
            .replace("ACCOUNT", ACCOUNT),
        &[
            (Who::Anonymous, "s3:GetObject", OBJECTS, &[], Says::Denies),
            (Who::Root, "s3:GetObject", OBJECTS, &[], Says::Nothing),
            // A permissions boundary, of which nothing is known here, would deny them all the same.
            (alice(), "s3:GetObject", OBJECTS, &[], Says::CannotTell),
        ],
    );
}

#[test]
fn logs_are_delivered() {
    let logs = Who::Service("logging.s3.amazonaws.com".into());
    let own: &[_] = &[
        ("aws:SourceArn", Some("arn:aws:s3:::amzn-s3-demo-source")),
        ("aws:SourceAccount", Some(ACCOUNT)),
    ];
    let other: &[_] = &[
        ("aws:SourceArn", Some("arn:aws:s3:::amzn-s3-demo-source")),
        ("aws:SourceAccount", Some("1")),
    ];
    check(
        "S3 User Guide, enable-server-access-logging, permissions for log delivery",
        &r#"{"Sid": "S3ServerAccessLogsPolicy", "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": ["s3:PutObject"],
            "Resource": "arn:aws:s3:::amzn-s3-demo-bucket/*",
            "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::amzn-s3-demo-source"},
                "StringEquals": {"aws:SourceAccount": "ACCOUNT"}}}"#
            .replace("ACCOUNT", ACCOUNT),
        &[
            (logs.clone(), "s3:PutObject", OBJECTS, own, Says::Allows),
            (logs.clone(), "s3:PutObject", OBJECTS, other, Says::Nothing),
            (logs, "s3:PutObject", OBJECTS, &[], Says::CannotTell),
            (
                Who::Service("cloudtrail.amazonaws.com".into()),
                "s3:PutObject",
                OBJECTS,
                own,
                Says::Nothing,
            ),
            (alice(), "s3:PutObject", OBJECTS, own, Says::Nothing),
        ],
    );
}

#[test]
fn an_account_is_left_to_itself() {
    check(
        "S3 User Guide, example-walkthroughs-managing-access-example2, cross-account permissions",
        &r#"{"Sid": "Example permissions", "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::ACCOUNT:root"},
            "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket"]}"#
            .replace("ACCOUNT", ACCOUNT),
        &[
            (Who::Root, "s3:ListBucket", BUCKET, &[], Says::Allows),
            // Whom the account lets in, its own permissions say.
            (alice(), "s3:ListBucket", BUCKET, &[], Says::Nothing),
            (Who::Anonymous, "s3:ListBucket", BUCKET, &[], Says::Nothing),
        ],
    );
}

#[test]
fn a_folder_for_each_user() {
    check(
        "IAM User Guide, reference_policies_variables, `aws:username` in a resource",
        r#"{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket/home/${aws:username}/*"]}"#,
        &[
            (
                alice(),
                "s3:GetObject",
                "arn:aws:s3:::amzn-s3-demo-bucket/home/alice/x",
                &[],
                Says::Allows,
            ),
            (
                alice(),
                "s3:GetObject",
                "arn:aws:s3:::amzn-s3-demo-bucket/home/bob/x",
                &[],
                Says::Nothing,
            ),
            // In some of its objects, not in others.
            (alice(), "s3:GetObject", OBJECTS, &[], Says::CannotTell),
        ],
    );
}

#[test]
fn only_with_mfa() {
    check(
        "S3 User Guide, example-bucket-policies, requiring MFA",
        r#"{"Sid": "", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": "arn:aws:s3:::amzn-s3-demo-bucket/taxdocuments/*",
            "Condition": {"Null": {"aws:MultiFactorAuthAge": true}}}"#,
        &[
            (alice(), "s3:GetObject", OBJECT, &[], Says::CannotTell),
            (alice(), "s3:GetObject", OBJECT, &[("aws:MultiFactorAuthAge", None)], Says::Denies),
            (
                alice(),
                "s3:GetObject",
                OBJECT,
                &[("aws:MultiFactorAuthAge", Some("9"))],
                Says::Nothing,
            ),
            (alice(), "s3:ListBucket", BUCKET, &[("aws:MultiFactorAuthAge", None)], Says::Nothing),
        ],
    );
}

#[test]
fn only_one_organization() {
    let ours: &[_] = &[("aws:PrincipalOrgID", Some("o-aa111bb222"))];
    check(
        "IAM User Guide, reference_policies_condition-keys, aws:PrincipalOrgID",
        r#"{"Sid": "AllowPutObject", "Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::amzn-s3-demo-bucket/*",
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-aa111bb222"]}}}"#,
        &[
            (alice(), "s3:PutObject", OBJECTS, &[], Says::CannotTell),
            (alice(), "s3:PutObject", OBJECTS, ours, Says::Allows),
            (Who::Anonymous, "s3:PutObject", OBJECTS, &[], Says::Nothing),
        ],
    );
}

#[test]
fn only_encrypted_uploads() {
    check(
        "S3 User Guide, UsingServerSideEncryption, deny uploads without the header",
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::amzn-s3-demo-bucket/*",
            "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}}}"#,
        &[
            (
                alice(),
                "s3:PutObject",
                OBJECTS,
                &[("s3:x-amz-server-side-encryption", None)],
                Says::Denies,
            ),
            (
                alice(),
                "s3:PutObject",
                OBJECTS,
                &[("s3:x-amz-server-side-encryption", Some("AES256"))],
                Says::Nothing,
            ),
            (
                alice(),
                "s3:GetObject",
                OBJECTS,
                &[("s3:x-amz-server-side-encryption", None)],
                Says::Nothing,
            ),
        ],
    );
}

#[test]
fn everything_but_the_policy() {
    check(
        "IAM User Guide, reference_policies_elements_notaction, NotAction with Deny",
        r#"{"Effect": "Deny", "Principal": "*",
            "NotAction": ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
            "Resource": ["arn:aws:s3:::amzn-s3-demo-bucket", "arn:aws:s3:::amzn-s3-demo-bucket/*"]}"#,
        &[
            (alice(), "s3:GetObject", OBJECTS, &[], Says::Denies),
            (alice(), "S3:getbucketpolicy", BUCKET, &[], Says::Nothing),
        ],
    );
}
