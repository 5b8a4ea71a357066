//! A policy that software people run really enforces: SeaweedFS judges by `aws:username`; who is
//! who, moto tells (SeaweedFS has no STS).

use std::time::Duration;

use crate::support::account::{Account, HOME_REGION};
use crate::support::bed::TestBed;
use crate::support::patience::wait_for;
use crate::support::servers::{Seaweed, moto_account};

const ONLY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Only", "Effect": "Deny",
    "Principal": "*", "Action": "s3:*",
    "Resource": ["arn:aws:s3:::{{bucket}}", "arn:aws:s3:::{{bucket}}/*"],
    "Condition": {"StringNotEquals": {"aws:username": "weed-alice"}}}]}"#;

/// A user whom moto knows, with keys.
async fn user(moto: &Account, name: &str) -> Account {
    let iam = moto.iam();
    iam.create_user().user_name(name).send().await.expect("a new user");
    let keys = iam.create_access_key().user_name(name).send().await.expect("keys");
    let keys = keys.access_key.expect("a key");
    let account = Account::new("seaweed", String::new(), &moto.id, keys.access_key_id());
    Account { secret_key: keys.secret_access_key().to_owned(), ..account }
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
async fn on_seaweed_a_policy_shuts_out_the_other_user_until_it_is_rolled_back() {
    let moto = moto_account();
    let (alice, bob) = (user(&moto, "weed-alice").await, user(&moto, "weed-bob").await);
    let names = [("weed-alice", &alice), ("weed-bob", &bob)];
    let weed =
        Seaweed::start(&names.map(|(name, account)| {
            (name, account.access_key.as_str(), account.secret_key.as_str())
        }));
    let there = |account: &Account| Account { endpoint: weed.endpoint(), ..account.clone() };
    let (alice, bob) = (there(&alice), there(&bob));
    let s3 = alice.s3(HOME_REGION);
    s3.create_bucket().bucket("enforced").send().await.expect("a new bucket");
    let put = s3.put_object().bucket("enforced").key("a").body(b"word".to_vec().into());
    put.send().await.expect("an object");
    assert!(may_read(&alice).await && may_read(&bob).await);

    let bed = TestBed::on(&alice)
        .env("AWS_ENDPOINT_URL", &weed.endpoint())
        .env("AWS_ENDPOINT_URL_S3", &weed.endpoint())
        .env("AWS_ENDPOINT_URL_STS", &moto.endpoint)
        .env("AWS_ENDPOINT_URL_IAM", &moto.endpoint);
    bed.write("policies/enforced.json", ONLY);
    bed.write_manifest(&format!(
        "[account]\nid = \"{}\"\n[bucket.enforced]\npolicy = {{ file = \"policies/{{bucket}}.json\" }}\n",
        moto.id
    ));
    bed.s3plan(["info"]).exits(0).says("weed-alice");
    bed.s3plan(["plan", "manifest.toml"])
        .exits(0)
        .says("any other user: by own permissions → denied");
    bed.s3plan(["apply", "--yes"]).exits(0);
    let shut = settles(&bob, false).await;
    assert!(shut && may_read(&alice).await, "the other user is refused, the named one is not");
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0).says("nothing to do");

    bed.s3plan(["policy", "rollback", "enforced", "--yes"]).exits(0);
    assert!(settles(&bob, true).await, "rolled back");
}

/// Whether it comes to this within a while.
async fn settles(account: &Account, readable: bool) -> bool {
    let here = tokio::runtime::Handle::current();
    let looks = || (here.block_on(may_read(account)) == readable).then_some(());
    tokio::task::block_in_place(|| wait_for(Duration::from_secs(10), looks)).is_some()
}
