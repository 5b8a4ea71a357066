//! The lock itself on a server that other people wrote and that judges all of its conditions:
//! fakecloud, from crates.io. Building it takes half an hour, so this is only run when asked for:
//!
//! `cargo test --workspace --test it -- --ignored fakecloud`

use crate::support::account::{Account, HOME_REGION};
use crate::support::bed::TestBed;
use crate::support::servers::fakecloud;

/// May do everything that no bucket policy denies.
const EVERYTHING: &str = r#"{"Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;

/// A new user with keys of their own.
async fn user(root: &Account, name: &str) -> Account {
    let iam = root.iam();
    iam.create_user().user_name(name).send().await.expect("a new user");
    let policy = iam.put_user_policy().user_name(name).policy_name("everything");
    policy.policy_document(EVERYTHING).send().await.expect("an IAM policy");
    let keys = iam.create_access_key().user_name(name).send().await.expect("keys");
    let keys = keys.access_key.expect("a key");
    let secret_key = keys.secret_access_key().to_owned();
    let account = Account::new("fakecloud", root.endpoint.clone(), &root.id, keys.access_key_id());
    Account { secret_key, ..account }
}

async fn may_read(account: &Account) -> bool {
    let s3 = account.s3(HOME_REGION);
    let got = s3.get_object().bucket("enforced").key("a").send().await;
    if let Err(error) = &got {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        assert_eq!(status, Some(403), "{error:?}");
    }
    got.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "builds fakecloud first, which takes half an hour"]
async fn on_fakecloud_the_lock_shuts_out_the_other_user_until_it_is_rolled_back() {
    let server = fakecloud();
    // Its root, past every check.
    let root = Account::new("fakecloud", server.endpoint(), "123456789012", "test");
    let root = Account { secret_key: "test".into(), ..root };
    let (alice, bob) = (user(&root, "alice").await, user(&root, "bob").await);
    let s3 = root.s3(HOME_REGION);
    s3.create_bucket().bucket("enforced").send().await.expect("a new bucket");
    let put = s3.put_object().bucket("enforced").key("a").body(b"word".to_vec().into());
    put.send().await.expect("an object");
    assert!(may_read(&alice).await && may_read(&bob).await);

    let bed = TestBed::on(&alice);
    bed.write_manifest(
        "[account]\nid = \"123456789012\"\n[bucket.enforced]\npolicy = { lock_to = \"me\" }\n",
    );
    bed.s3plan(["plan", "manifest.toml"]).exits(0).says("S3planDenyOthers");
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(may_read(&alice).await, "whom it is locked to");
    assert!(!may_read(&bob).await, "the other one");
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0).says("nothing to do");
    bed.s3plan(["policy", "rollback", "enforced", "--yes"]).exits(0);
    assert!(may_read(&bob).await, "rolled back");
}
