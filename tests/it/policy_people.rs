//! Every kind of identity, as the caller and as somebody to lock to: handled, or refused with the
//! reason. On the sandbox, which judges policies by an evaluator that is not ours.

use std::collections::BTreeMap;

use s3plan_sandbox::{Step, World};

use crate::support::account::{Account, HOME_REGION};
use crate::support::bed::TestBed;
use crate::support::scene::Scene;

const WORLD: &str = r#"
[[user]]
name = "alice"
[[user]]
name = "fred"
kind = "federated"
[[user]]
name = "root"
kind = "root"
[[user]]
name = "me@example.com"
role = "AWSReservedSSO_Admin_0123456789abcdef"
[[user]]
name = "job"
role = "Worker"
denied = ["iam:*"]

[[bucket.photos.object]]
key = "a.jpg"
body = "first"
"#;

const EVERYBODY: [&str; 5] = ["alice", "fred", "root", "me@example.com", "job"];

struct People(Scene);

impl People {
    fn new() -> Self {
        Self(Scene::new(World::parse(WORLD).expect("a world")))
    }

    fn bed(&self, user: &str) -> TestBed {
        let env = self.0.sandbox.env(user);
        env.into_iter().fold(TestBed::without_aws(), |bed, (name, value)| bed.env(&name, &value))
    }

    /// Somebody's bed with the lock planned.
    fn plans(&self, user: &str, lock_to: &str) -> (TestBed, crate::support::bed::Answer) {
        let bed = self.bed(user);
        bed.write_manifest(&format!(
            "[account]\nid = \"123456789012\"\n[bucket.photos]\npolicy = {{ lock_to = {lock_to} }}\n"
        ));
        let answer = bed.s3plan(["plan", "manifest.toml"]);
        (bed, answer)
    }

    fn s3(&self, user: &str) -> aws_sdk_s3::Client {
        let env: BTreeMap<_, _> = self.0.sandbox.env(user).into_iter().collect();
        let endpoint = self.0.sandbox.endpoint();
        let account = Account::new("sandbox", endpoint, "123456789012", &env["AWS_ACCESS_KEY_ID"]);
        let secret_key = env["AWS_SECRET_ACCESS_KEY"].clone();
        Account { secret_key, ..account }.s3(HOME_REGION)
    }

    /// Who may read the one object.
    async fn readers(&self) -> Vec<&'static str> {
        let mut readers = Vec::new();
        for user in EVERYBODY {
            let got = self.s3(user).get_object().bucket("photos").key("a.jpg");
            if got.send().await.is_ok() {
                readers.push(user);
            }
        }
        readers
    }

    /// The live policy.
    fn live(&self) -> String {
        self.0.sandbox.snapshot()["photos"].policy.clone().unwrap_or_default()
    }
}

/// Planned, applied, planned again: only these may read.
async fn locks(user: &str, lock_to: &str, readers: &[&str]) -> People {
    let people = People::new();
    let (bed, planned) = people.plans(user, lock_to);
    planned.exits(0);
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(people.readers().await, readers, "{user}, {lock_to}: {}", people.live());
    bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]).exits(0).says("nothing to do");
    people
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_caller_locks_to_the_session_by_its_name() {
    let people = locks("fred", "\"me\"", &["fred", "root"]).await;
    assert!(people.live().contains("\"123456789012:fred\""), "{}", people.live());
    let arn = "[\"me\", \"arn:aws:sts::123456789012:federated-user/fred\"]";
    locks("alice", arn, &["alice", "fred", "root"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_single_sign_on_locks_to_its_role() {
    let people = locks("me@example.com", "\"me\"", &["root", "me@example.com"]).await;
    let live = people.live();
    assert!(live.contains(":*\"") && live.contains("role/AWSReservedSSO_Admin"), "{live}");
}

/// The ARN that `aws sts get-caller-identity` prints is one of a session; its role is meant.
#[tokio::test(flavor = "multi_thread")]
async fn an_assumed_role_stands_for_its_role() {
    let arn = "[\"me\", \"arn:aws:sts::123456789012:assumed-role/Worker/any-session\"]";
    locks("alice", arn, &["alice", "root", "job"]).await;
}

/// Its id is in its own credentials; its ARN is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_look_itself_up_is_spared_and_told() {
    let people = People::new();
    let (bed, planned) = people.plans("job", "\"me\"");
    planned.exits(0).says("could not be looked up: it is spared by the lock, but needs IAM");
    bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(people.readers().await, ["root", "job"]);
    assert!(!people.live().contains("\"Allow\""), "{}", people.live());
    // Another role by name only is one too many unknowns.
    let other = "[\"me\", \"arn:aws:sts::123456789012:assumed-role/Other/x\"]";
    let (_, refused) = People::new().plans("job", other);
    refused.exits(5).blames("may not be looked up").blames("name it by its ARN");
}

/// Every lock spares the root anyway, so a lock to it alone would name nobody.
#[tokio::test(flavor = "multi_thread")]
async fn the_root_may_lock_to_others_and_not_to_itself() {
    let people = People::new();
    let (_, refused) = people.plans("root", "\"me\"");
    refused.exits(5).blames("cannot be locked to the account's root");
    locks("root", "\"alice\"", &["alice", "root"]).await;
}

/// The way back of the README: nobody else gets in, the root does.
#[tokio::test(flavor = "multi_thread")]
async fn the_root_takes_off_a_lock_that_keeps_everybody_out() {
    let people = People::new();
    let deny = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
        "Action": "s3:*", "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]}}"#;
    people.0.sandbox.step(&Step::Policy { bucket: "photos".into(), text: Some(deny.into()) });
    assert_eq!(people.readers().await, [] as [&str; 0]);
    let call = "aws s3api delete-bucket-policy";
    assert!(include_str!("../../README.md").contains(call), "as README.md says");
    let root = people.s3("root").delete_bucket_policy().bucket("photos").send().await;
    root.expect("the root keeps this");
    assert_eq!(people.readers().await, EVERYBODY);
}
