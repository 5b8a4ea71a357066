//! The calls of policies on moto, which keeps them and enforces nothing: who is looked up, what is
//! put, what comes back.

use aws_sdk_s3::types::StorageClass;

use crate::support::account::{Account, HOME_REGION};
use crate::support::bed::TestBed;
use crate::support::seed::Bucket;
use crate::support::servers::moto_account;

async fn live(account: &Account, bucket: &str) -> Option<String> {
    let answer = account.s3(HOME_REGION).get_bucket_policy().bucket(bucket).send().await;
    answer.ok().and_then(|answer| answer.policy)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_moto_a_lock_by_name_is_set_replaced_removed_and_put_back() {
    let account = moto_account();
    let bucket = Bucket::new("policy-calls", HOME_REGION).single("a", 10, StorageClass::Standard);
    bucket.fill(&account).await;
    let user = account.iam().create_user().user_name("policy-eve").path("/team/").send().await;
    let user = user.expect("a new user").user.expect("a user");

    let bed = TestBed::on(&account);
    let manifest = |policy: &str| {
        bed.write_manifest(&format!(
            "[account]\nid = \"{}\"\n[bucket.policy-calls]\npolicy = {{ {policy} }}\n",
            account.id
        ));
        bed.s3plan(["plan", "manifest.toml"])
    };
    manifest("lock_to = [\"me\", \"policy-eve\"]").exits(0).says("policy-eve: by own");
    bed.s3plan(["apply", "--yes"]).exits(0);
    let locked = live(&account, "policy-calls").await.expect("a policy");
    assert!(locked.contains(user.user_id()) && locked.contains(user.arn()), "{locked}");
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0).says("nothing to do");

    manifest("none = true").exits(0);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(live(&account, "policy-calls").await, None);
    bed.s3plan(["policy", "rollback", "policy-calls", "--yes"]).exits(0);
    assert_eq!(live(&account, "policy-calls").await, Some(locked), "to the letter");

    manifest("lock_to = \"policy-nobody\"").exits(5).blames("no such IAM user");
}
