//! Identity, buckets, regions, owners, refusals, configuration.

use s3plan_sandbox::{BucketSpec, Sandbox, Step, UserSpec, World};

use crate::client::Client;

fn account() -> Sandbox {
    Sandbox::start(
        World::default()
            .user(UserSpec::new("alice"))
            .user(UserSpec { path: Some("/ops/".into()), ..UserSpec::new("bob") })
            .user(UserSpec { expired: true, ..UserSpec::new("old") })
            .user(UserSpec {
                role: Some("Admin".into()),
                session_token: Some("token".into()),
                ..UserSpec::new("carol")
            })
            .with(BucketSpec::new("photos").text("a", "hello"))
            .with(BucketSpec::new("music").region("eu-west-1"))
            .with(BucketSpec::new("theirs").owner("999999999999")),
    )
}

#[test]
fn identity_is_told_to_users_and_roles() {
    let sandbox = account();
    let asked = "Action=GetCallerIdentity&Version=2011-06-15";
    let alice = Client::alice(&sandbox).service("sts");
    let reply = alice.post("", asked).send();
    assert_eq!(reply.first("Arn"), "arn:aws:iam::123456789012:user/alice");
    assert_eq!(reply.first("Account"), "123456789012");
    assert!(reply.first("UserId").starts_with("AIDA"));

    let carol = Client::user(&sandbox, "carol").service("sts");
    let reply = carol.post("", asked).send();
    assert_eq!(reply.first("Arn"), "arn:aws:sts::123456789012:assumed-role/Admin/carol");

    let old = Client::user(&sandbox, "old").service("sts");
    assert_eq!(old.post("", asked).send().refusal(), (403, "ExpiredToken".into()));
}

#[test]
fn iam_knows_users_by_name_and_the_asker_without_one() {
    let sandbox = account();
    let iam = Client::user(&sandbox, "bob").service("iam");
    let me = iam.post("", "Action=GetUser").send();
    assert_eq!(me.first("Arn"), "arn:aws:iam::123456789012:user/ops/bob");
    assert_eq!(iam.post("", "Action=GetUser&UserName=alice").send().first("UserName"), "alice");
    let missing = iam.post("", "Action=GetUser&UserName=nobody").send();
    assert_eq!(missing.refusal(), (404, "NoSuchEntity".into()));
    assert_eq!(iam.post("", "Action=ListUsers").send().all("UserName").len(), 3);
    let role = Client::user(&sandbox, "carol").service("iam");
    assert_eq!(role.post("", "Action=GetUser").send().refusal().1, "ValidationError");
}

#[test]
fn a_signature_must_be_known_unexpired_and_right() {
    let sandbox = account();
    let stranger = Client::alice(&sandbox).access_key("AKIASTRANGER00000000");
    assert_eq!(stranger.get("").send().refusal(), (403, "InvalidAccessKeyId".into()));
    let old = Client::user(&sandbox, "old");
    assert_eq!(old.get("").send().refusal(), (400, "ExpiredToken".into()));
    let forger = Client::alice(&sandbox).secret("wrong");
    assert_eq!(forger.get("").send().refusal(), (403, "SignatureDoesNotMatch".into()));
    assert_eq!(sandbox.witness().count("ListBuckets"), 3, "the witness sees refused calls too");
}

#[test]
fn buckets_are_listed_in_pages_with_regions_only_when_asked() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    let whole = alice.get("").send();
    assert_eq!(whole.all("Name"), ["music", "photos"]);
    assert!(whole.all("BucketRegion").is_empty());
    let page = alice.get("").query("max-buckets", "1").send();
    assert_eq!(
        (page.all("Name"), page.all("BucketRegion")),
        (vec!["music".into()], vec!["eu-west-1".into()])
    );
    let token = page.first("ContinuationToken");
    let rest = alice.get("").query("continuation-token", &token).send();
    assert_eq!(
        (rest.all("Name"), rest.first("ContinuationToken")),
        (vec!["photos".into()], String::new())
    );
}

#[test]
fn a_bucket_answers_only_in_its_region_and_to_its_owner() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    assert_eq!(alice.head("photos").send().header("x-amz-bucket-region"), Some("us-east-1"));
    let elsewhere = alice.head("music").send();
    assert_eq!(elsewhere.status, 301);
    assert_eq!(elsewhere.header("x-amz-bucket-region"), Some("eu-west-1"));
    let list = alice.get("music").query("list-type", "2").send();
    assert_eq!(list.refusal(), (301, "PermanentRedirect".into()));
    assert_eq!(Client::alice(&sandbox).region("eu-west-1").head("music").send().status, 200);
    assert_eq!(alice.head("theirs").send().status, 403);
    assert_eq!(alice.head("nobodys").send().status, 404);
    let sniped = alice.get("photos/a").header("x-amz-expected-bucket-owner", "999999999999");
    assert_eq!(sniped.send().refusal(), (403, "AccessDenied".into()));
    let right = alice.get("photos/a").header("x-amz-expected-bucket-owner", "123456789012");
    assert_eq!(right.send().status, 200);
}

#[test]
fn the_table_of_refusals_is_obeyed() {
    let bucket =
        BucketSpec::new("photos").text("a", "hello").deny("bob", &["s3:Get*", "s3:ListBucket"]);
    let sandbox = Sandbox::start(
        World::default().user(UserSpec::new("alice")).user(UserSpec::new("bob")).with(bucket),
    );
    let (alice, bob) = (Client::alice(&sandbox), Client::user(&sandbox, "bob"));
    assert_eq!(alice.get("photos/a").send().status, 200);
    assert_eq!(bob.get("photos/a").send().refusal(), (403, "AccessDenied".into()));
    assert_eq!(bob.head("photos").send().status, 403);
    assert_eq!(bob.put("photos/b", "x").send().status, 200);
}

#[test]
fn a_missing_key_is_403_to_those_who_may_not_list() {
    let bucket = BucketSpec::new("photos").deny("*", &["s3:ListBucket"]);
    let sandbox = Sandbox::start(World::default().with(bucket));
    assert_eq!(Client::alice(&sandbox).get("photos/none").send().refusal().0, 403);
}

#[test]
fn a_policy_comes_back_as_it_was_put() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    let policy = |method| alice.ask(method, "photos").query("policy", "");
    assert_eq!(policy("GET").send().refusal(), (404, "NoSuchBucketPolicy".into()));
    assert_eq!(policy("PUT").body("{ nonsense").send().refusal(), (400, "MalformedPolicy".into()));
    let foreign = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::music"}]}"#;
    assert_eq!(policy("PUT").body(foreign).send().refusal(), (400, "MalformedPolicy".into()));
    let text = "{\"Statement\": {\"Effect\":\"Deny\", \"Principal\":\"*\",\n \"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::photos/*\"}}";
    assert_eq!(policy("PUT").body(text).send().status, 204);
    assert_eq!(policy("GET").send().text(), text);
    assert_eq!(policy("DELETE").send().status, 204);
    assert_eq!(policy("DELETE").send().status, 204);
    assert_eq!(sandbox.witness().mutations().len(), 5, "refused ones count too");
}

#[test]
fn what_is_not_configured_has_its_own_error() {
    let bucket = BucketSpec::new("photos").config("cors", "<CORSConfiguration/>");
    let sandbox = Sandbox::start(World::default().with(bucket));
    let alice = Client::alice(&sandbox);
    let get = |subresource: &str| alice.get("photos").query(subresource, "").send();
    assert_eq!(get("cors").text(), "<CORSConfiguration/>");
    assert_eq!(get("lifecycle").refusal(), (404, "NoSuchLifecycleConfiguration".into()));
    assert_eq!(get("object-lock").refusal(), (404, "ObjectLockConfigurationNotFoundError".into()));
    assert_eq!(get("tagging").refusal(), (404, "NoSuchTagSet".into()));
    assert_eq!(get("acl").first("Permission"), "FULL_CONTROL");
    assert_eq!(get("metrics").first("IsTruncated"), "false");
    assert_eq!(get("metadataInventoryTable").refusal(), (501, "NotImplemented".into()));
}

#[test]
fn a_bucket_goes_only_when_nothing_is_left_in_it() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    assert_eq!(alice.delete("photos").send().refusal(), (409, "BucketNotEmpty".into()));
    assert_eq!(alice.delete("photos/a").send().status, 204);
    assert_eq!(alice.post("photos/b", "").query("uploads", "").send().status, 200);
    assert_eq!(alice.delete("photos").send().refusal().0, 409);
    let id = alice.get("photos").query("uploads", "").send().first("UploadId");
    assert_eq!(alice.delete("photos/b").query("uploadId", &id).send().status, 204);
    assert_eq!(alice.delete("photos").send().status, 204);
    assert!(!sandbox.snapshot().contains_key("photos"));
}

#[test]
fn the_documented_world_is_a_world() {
    let world = World::parse(include_str!("../full.toml")).unwrap();
    let sandbox = Sandbox::start(world);
    let carol = Client::user(&sandbox, "carol").region("eu-west-1");
    assert_eq!(carol.get("").send().status, 403, "she may not list buckets");
    let film = carol.head("photos/2019/film.mov").send();
    assert_eq!(film.header("x-amz-restore"), Some("ongoing-request=\"true\""));
    assert_eq!(film.header("x-amz-meta-camera"), Some("Bolex"));
    assert_eq!(film.header("x-amz-object-lock-legal-hold"), Some("ON"));
    let odd = carol.head("photos/odd").header("x-amz-checksum-mode", "ENABLED").send();
    assert_eq!(odd.header("x-amz-checksum-xxhash3"), Some("AAAAAAAAAAA="));
    let parts = carol.get("photos/half").query("uploadId", "upload-1").send();
    assert_eq!(parts.all("Size"), ["5242880", "10"]);
    let dora = Client::user(&sandbox, "dora").region("eu-west-1");
    assert_eq!(dora.head("photos/2019/film.mov").send().status, 403, "nothing allows her that");
}

/// What the IAM policy of a user or the bucket's policy allows, and no more; a Deny wins.
#[test]
fn a_user_with_an_iam_policy_may_do_what_it_says() {
    let sandbox = account();
    let text = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/a"},
        {"Effect": "Deny", "Action": "s3:PutBucketPolicy", "Resource": "*"}]}"#;
    let step = Step::UserPolicy { user: "alice".into(), text: text.into() };
    let alice = Client::alice(&sandbox);
    assert_eq!(alice.get("photos").query("list-type", "2").send().status, 200);
    sandbox.step(&step);
    assert_eq!(alice.get("photos/a").send().status, 200);
    assert_eq!(alice.get("photos").query("list-type", "2").send().status, 403);
    assert_eq!(alice.get("").send().status, 403, "nor what is about no bucket");
    let allow = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
        "Principal": {"AWS": "arn:aws:iam::123456789012:user/alice"},
        "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]}}"#;
    let policy = Step::Policy { bucket: "photos".into(), text: Some(allow.into()) };
    sandbox.step(&policy);
    assert_eq!(alice.get("photos").query("list-type", "2").send().status, 200);
    assert_eq!(alice.put("photos", allow).query("policy", "").send().status, 403);
}
