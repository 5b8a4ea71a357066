//! The lock document, and the guard that keeps its caller in.

use serde_json::{Value, json};

use super::{ACCOUNT, account, admin, alice, alice_as_identity, bob, says};
use crate::model::{Caller, Identity, LockMode, PolicyWish, Reason, WantedDocument};
use crate::policy::{
    Compared, Deletes, Others, Realm, Says, Who, compare, is_public, is_same, locked,
};

const BUCKET: &str = "arn:aws:s3:::photos";
const OBJECTS: &str = "arn:aws:s3:::photos/";

fn lock(live: Option<&str>, to: &[Identity], mode: LockMode) -> String {
    let account = account();
    let realm = Realm { bucket: "photos", account: &account, partition: "aws" };
    let text = locked(live, &realm, to, mode, Others::Stay).expect("a lock");
    let parsed = crate::policy::Document::parse(&text).expect("a policy");
    parsed.fits(&text, "photos").expect("fits");
    assert!(!is_public(&parsed), "Block Public Access must take it");
    text
}

fn wish(document: WantedDocument) -> PolicyWish {
    PolicyWish {
        document,
        lose_access: false,
        reason: Reason::NotLocked,
        notes: Vec::new(),
        trouble: Vec::new(),
    }
}

fn lock_wish(to: Vec<Identity>, mode: LockMode) -> PolicyWish {
    wish(WantedDocument::Lock { to, mode, replace_statements: false })
}

fn compared(
    wish: &PolicyWish,
    live: Option<&str>,
    caller: &Caller,
    archived: Option<Deletes>,
) -> Compared {
    let account = account();
    let realm = Realm { bucket: "photos", account: &account, partition: "aws" };
    compare(&realm, wish, live, caller, archived)
}

fn alice_calls() -> Caller {
    let Identity::User { arn, user_id } = alice_as_identity() else { unreachable!() };
    Caller { account: account(), arn, user_id: user_id.expect("an id") }
}

#[test]
fn the_lock_is_the_document_that_it_was_reviewed_as() {
    insta::assert_snapshot!(lock(None, &[alice_as_identity()], LockMode::Full));
}

#[test]
fn a_full_lock_lets_in_those_named_the_root_and_the_services_and_nobody_else() {
    let policy = lock(None, &[alice_as_identity()], LockMode::Full);
    for (action, on) in [
        ("s3:ListBucket", BUCKET),
        ("s3:GetObject", OBJECTS),
        ("s3:DeleteObject", OBJECTS),
        ("s3:PutBucketPolicy", BUCKET),
    ] {
        assert_eq!(says(&policy, &alice(), action, on), Says::Allows, "{action}");
        for other in [Who::caller(&bob()), Who::caller(&admin()), Who::AnotherUser, Who::Anonymous]
        {
            assert_eq!(says(&policy, &other, action, on), Says::Denies, "{other:?} {action}");
        }
        for spared in [Who::Root, Who::Service("logging.s3.amazonaws.com".into())] {
            assert_eq!(says(&policy, &spared, action, on), Says::Nothing, "{spared:?} {action}");
        }
    }
}

#[test]
fn a_data_lock_leaves_others_the_right_to_repair_the_policy() {
    let policy = lock(None, &[alice_as_identity()], LockMode::Data);
    let bob = Who::caller(&bob());
    for action in ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"] {
        assert_eq!(says(&policy, &bob, action, BUCKET), Says::Nothing, "{action}");
    }
    assert_eq!(says(&policy, &bob, "s3:GetObject", OBJECTS), Says::Denies);
    assert_eq!(says(&policy, &bob, "s3:ListBucket", BUCKET), Says::Denies);
}

/// The id stays, so a renamed user keeps access, and a new user of the old name gets none.
#[test]
fn a_rename_locks_nobody_out_and_lets_nobody_in() {
    let policy = lock(None, &[alice_as_identity()], LockMode::Full);
    let renamed = Who::User {
        arn: format!("arn:aws:iam::{ACCOUNT}:user/alicia"),
        user_id: Some("AIDAALICEALICEALICE00".into()),
    };
    assert_eq!(says(&policy, &renamed, "s3:GetObject", OBJECTS), Says::Nothing);
    let Who::User { arn, .. } = alice() else { unreachable!() };
    let namesake = Who::User { arn, user_id: Some("AIDASOMEBODYELSE00000".into()) };
    assert_eq!(says(&policy, &namesake, "s3:GetObject", OBJECTS), Says::Denies);
}

#[test]
fn each_kind_of_identity_can_keep_access() {
    let role = Identity::Role {
        name: "Admin".into(),
        arn: None,
        role_id: Some("AROAADMINADMINADMIN00".into()),
    };
    let federated = Identity::Federated {
        arn: format!("arn:aws:sts::{ACCOUNT}:federated-user/fred"),
        user_id: format!("{ACCOUNT}:fred"),
    };
    let policy =
        lock(None, &[alice_as_identity(), role.clone(), federated.clone()], LockMode::Full);
    for who in [alice(), Who::caller(&admin()), Who::identity(&role), Who::identity(&federated)] {
        for (action, on) in [("s3:GetObject", OBJECTS), ("s3:PutBucketPolicy", BUCKET)] {
            let says = says(&policy, &who, action, on);
            assert!(matches!(says, Says::Allows | Says::Nothing), "{who:?}: {says:?}");
        }
    }
    let other = Who::Session {
        role: "Other".into(),
        role_arn: None,
        arn: None,
        role_id: Some("AROAOTHEROTHEROTHER00".into()),
    };
    assert_eq!(says(&policy, &other, "s3:GetObject", OBJECTS), Says::Denies);
}

/// Where ids may not be looked up, the ARN has to do.
#[test]
fn without_an_id_a_lock_goes_by_the_arn() {
    let Identity::User { arn, .. } = alice_as_identity() else { unreachable!() };
    let policy = lock(None, &[Identity::User { arn, user_id: None }], LockMode::Full);
    assert!(policy.contains("aws:PrincipalArn"), "{policy}");
    assert_eq!(says(&policy, &alice(), "s3:GetObject", OBJECTS), Says::Allows);
    assert_eq!(says(&policy, &Who::AnotherUser, "s3:GetObject", OBJECTS), Says::Denies);
    let faceless = Identity::Role { name: "R".into(), arn: None, role_id: None };
    let account = account();
    let realm = Realm { bucket: "photos", account: &account, partition: "aws" };
    assert!(locked(None, &realm, &[faceless], LockMode::Full, Others::Stay).is_err());
    assert!(locked(None, &realm, &[], LockMode::Full, Others::Stay).is_err());
}

const VPCE: &str = r#"{"Version": "2008-10-17", "Id": "ours", "Statement": {"Sid": "OnlyVpc",
    "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::photos/*",
    "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}}"#;

#[test]
fn other_statements_stay_unless_they_are_to_go() {
    let policy: Value =
        serde_json::from_str(&lock(Some(VPCE), &[alice_as_identity()], LockMode::Full)).unwrap();
    assert_eq!((&policy["Version"], &policy["Id"]), (&json!("2008-10-17"), &json!("ours")));
    assert_eq!(policy["Statement"].as_array().map(Vec::len), Some(3));
    assert_eq!(policy["Statement"][0]["Sid"], "OnlyVpc");

    let account = account();
    let realm = Realm { bucket: "photos", account: &account, partition: "aws" };
    let alone =
        locked(Some(VPCE), &realm, &[alice_as_identity()], LockMode::Full, Others::Go).unwrap();
    assert!(!alone.contains("vpce-1"), "{alone}");
}

#[test]
fn locking_again_changes_nothing_and_another_lock_takes_its_place() {
    let first = lock(Some(VPCE), &[alice_as_identity()], LockMode::Full);
    let again = lock(Some(&first), &[alice_as_identity()], LockMode::Full);
    assert!(is_same(Some(&first), Some(&again)));
    let wish = lock_wish(vec![alice_as_identity()], LockMode::Full);
    assert_eq!(compared(&wish, Some(&first), &alice_calls(), None), Compared::default());

    let data = lock(Some(&first), &[alice_as_identity()], LockMode::Data);
    assert!(!is_same(Some(&first), Some(&data)));
    assert_eq!(data.matches("S3planDenyOthers").count(), 1, "{data}");
}

#[test]
fn a_caller_who_would_be_locked_out_is_stopped() {
    let full = lock_wish(vec![alice_as_identity()], LockMode::Full);
    for caller in [bob(), admin()] {
        let found = compared(&full, None, &caller, None);
        assert_eq!(found.blockers.len(), 1, "{:?}", found.blockers);
        let blocker = &found.blockers[0];
        assert!(blocker.contains("denied GetBucketPolicy, PutBucketPolicy"), "{blocker}");
    }
    assert_eq!(compared(&full, None, &alice_calls(), None).blockers, [""; 0]);
    let data = lock_wish(vec![alice_as_identity()], LockMode::Data);
    assert_eq!(compared(&data, None, &bob(), None).blockers, [""; 0]);

    let accepted = PolicyWish { lose_access: true, ..full };
    let found = compared(&accepted, None, &bob(), None);
    assert_eq!(found.blockers, [""; 0]);
    let change = found.change.expect("a change");
    assert!(change.lose_access && change.words[0].contains("lose_access"), "{:?}", change.words);
}

#[test]
fn a_lock_that_shuts_out_the_archiver_is_stopped_even_where_losing_access_is_accepted() {
    let wish =
        PolicyWish { lose_access: true, ..lock_wish(vec![alice_as_identity()], LockMode::Data) };
    for deletes in [Deletes::Something, Deletes::Nothing] {
        let found = compared(&wish, None, &bob(), Some(deletes));
        assert!(found.blockers[0].contains("would be archived"), "{:?}", found.blockers);
    }
    assert_eq!(compared(&wish, None, &alice_calls(), Some(Deletes::Something)).blockers, [""; 0]);
}

#[test]
fn what_cannot_be_told_stops_too() {
    let odd = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
        "Action": "s3:*", "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"],
        "Condition": {"StringNotEquals": {"aws:PrincipalTag/team": "x"}}}}"#;
    let found = compared(&wish(WantedDocument::Text(odd.into())), None, &bob(), None);
    assert!(found.blockers[0].contains("cannot be told"), "{:?}", found.blockers);
    // The same statement, where it stands already, takes nothing away.
    let mut more: Value = serde_json::from_str(odd).unwrap();
    more["Statement"] = json!([more["Statement"], {"Effect": "Allow", "Action": "s3:GetObject",
        "Principal": {"AWS": ACCOUNT}, "Resource": "arn:aws:s3:::photos/*"}]);
    let found = compared(&wish(WantedDocument::Text(more.to_string())), Some(odd), &bob(), None);
    assert_eq!(found.blockers, [""; 0]);
    assert!(found.change.is_some());
}

#[test]
fn a_deleted_user_in_a_policy_that_must_be_put_is_found_beforehand() {
    let live =
        VPCE.replace("\"Principal\": \"*\"", "\"Principal\": {\"AWS\": \"AIDAGONEGONEGONEGONE0\"}");
    let found = compared(
        &lock_wish(vec![alice_as_identity()], LockMode::Full),
        Some(&live),
        &alice_calls(),
        None,
    );
    assert!(found.blockers.iter().any(|b| b.contains("AIDAGONE")), "{:?}", found.blockers);
}

/// S3 hands such an id back as the ARN behind it: what was put would never be read back.
#[test]
fn a_canonical_user_is_refused_unless_it_is_there_already() {
    let canonical = |effect: &str| {
        let id = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
        json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": "s3:GetObject",
            "Principal": {"CanonicalUser": id}, "Resource": "arn:aws:s3:::photos/*"}})
        .to_string()
    };
    let allow = canonical("Allow");
    let found = compared(&wish(WantedDocument::Text(allow.clone())), None, &bob(), None);
    assert!(found.blockers[0].contains("canonical user id `79a59df9"), "{:?}", found.blockers);
    // A lock is added to a policy that has it.
    let lock = lock_wish(vec![alice_as_identity()], LockMode::Full);
    let found = compared(&lock, Some(&allow), &alice_calls(), None);
    assert_eq!(found.blockers, [""; 0]);
    assert!(found.change.expect("a change").document.expect("one").contains("CanonicalUser"));
    // Whom such a Deny means cannot be told, so that it may be the caller.
    let deny = canonical("Deny").replace("s3:GetObject", "s3:*").replace("photos/*", "photos");
    let found = compared(&wish(WantedDocument::Text(deny)), None, &bob(), None);
    assert!(found.blockers[0].contains("cannot be told beforehand"), "{:?}", found.blockers);
}

#[test]
fn a_statement_that_stays_and_shuts_out_the_locked_is_found() {
    let other = lock(
        None,
        &[Identity::User { arn: bob().arn, user_id: Some(bob().user_id) }],
        LockMode::Full,
    );
    let foreign = other.replace("S3plan", "Theirs");
    let wish = lock_wish(vec![alice_as_identity()], LockMode::Full);
    let found = compared(&wish, Some(&foreign), &alice_calls(), None);
    assert!(
        found.blockers.iter().any(|b| b.contains("a statement that stays")),
        "{:?}",
        found.blockers
    );
    assert!(found.blockers.iter().any(|b| b.contains("keeps you from replacing")));
}

#[test]
fn a_live_text_that_cannot_be_read_is_only_replaced_whole() {
    let odd = r#"{"Version": "2030-01-01", "Statement": []}"#;
    let found = compared(
        &lock_wish(vec![alice_as_identity()], LockMode::Full),
        Some(odd),
        &alice_calls(),
        None,
    );
    assert!(found.change.is_none() && found.blockers[0].contains("replace_statements"));
    let whole = wish(WantedDocument::Lock {
        to: vec![alice_as_identity()],
        mode: LockMode::Full,
        replace_statements: true,
    });
    let found = compared(&whole, Some(odd), &alice_calls(), None);
    assert!(found.change.is_some(), "{:?}", found.blockers);
}

#[test]
fn the_change_is_told_as_a_diff_and_as_who_may_what() {
    let wish = lock_wish(vec![alice_as_identity()], LockMode::Data);
    let change = compared(&wish, Some(VPCE), &bob(), None).change.expect("a change");
    insta::assert_snapshot!(change.words.join("\n"));
}
