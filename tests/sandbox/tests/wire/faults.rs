//! What goes wrong when a rule says so, and that the work is or is not done.

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, Sandbox, Step, World};

use crate::client::{Client, control};

fn account() -> Sandbox {
    let bucket =
        BucketSpec::new("photos").text("a", "hello world").object(ObjectSpec::sized("big", "2MiB"));
    Sandbox::start(World::default().with(bucket))
}

#[test]
fn the_named_calls_get_the_named_answer() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    sandbox.add_fault(Rule::on("GetObject").key("a").nth(2).then(Effect::answer(503, "SlowDown")));
    let statuses: Vec<_> = (0..3).map(|_| alice.get("photos/a").send().status).collect();
    assert_eq!(statuses, [200, 503, 200]);
    assert_eq!(alice.get("photos/big").send().status, 200);
}

#[test]
fn a_cut_body_is_shorter_than_its_head_says_and_not_served_whole() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    sandbox.add_fault(Rule::on("GetObject").nth(1).then(Effect::CutBody { after: 1_000_000 }));
    let cut = alice.get("photos/big").send();
    assert_eq!((cut.header("content-length"), cut.body.len()), (Some("2097152"), 1_000_000));
    assert!(sandbox.witness().served_whole().is_empty());
    alice.get("photos/big").header("range", "bytes=1000000-").send();
    assert_eq!(sandbox.witness().served_whole().len(), 1);
}

#[test]
fn a_short_body_agrees_with_its_head() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    sandbox.add_fault(Rule::on("GetObject").then(Effect::ShortBody { length: 5 }));
    let short = alice.get("photos/a").send();
    assert_eq!((short.header("content-length"), short.text().as_str()), (Some("5"), "hello"));
    assert!(sandbox.witness().served_whole().is_empty());
}

#[test]
fn a_flipped_bit_is_not_the_object() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    sandbox.add_fault(Rule::on("GetObject").nth(1).then(Effect::FlipBit { offset: 4 }));
    assert_eq!(alice.get("photos/a").send().text(), "helln world");
    assert!(sandbox.witness().served_whole().is_empty());
    assert_eq!(alice.get("photos/a").send().text(), "hello world");
    assert_eq!(sandbox.witness().served_whole().len(), 1);
}

#[test]
fn a_lost_answer_has_done_its_work_and_a_dropped_call_has_not() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    sandbox.add_fault(Rule::on("DeleteObject").key("a").then(Effect::LoseAnswer));
    sandbox.add_fault(Rule::on("DeleteObject").key("big").then(Effect::Drop));
    assert!(alice.delete("photos/a").try_send().is_none());
    assert!(alice.delete("photos/big").try_send().is_none());
    assert_eq!(sandbox.snapshot()["photos"].keys(), ["big"]);
    let seen = sandbox.witness().mutations();
    assert_eq!(seen.iter().map(|seen| seen.status).collect::<Vec<_>>(), [None, None]);
}

#[test]
fn a_script_moves_the_world_just_before_or_after() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    let put =
        |body: &str| Step::Put { bucket: "photos".into(), key: "a".into(), body: body.into() };
    sandbox.add_fault(Rule::on("HeadObject").nth(1).then(Effect::ScriptAfter(vec![put("later")])));
    sandbox.add_fault(Rule::on("GetObject").nth(2).then(Effect::Script(vec![put("now")])));
    assert_eq!(alice.head("photos/a").send().header("content-length"), Some("11"));
    assert_eq!(alice.get("photos/a").send().text(), "later");
    assert_eq!(alice.get("photos/a").send().text(), "now");
    assert!(sandbox.witness().mutations().is_empty(), "no request made these");
}

#[test]
fn documents_and_headers_can_be_bent() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    let element = |name: &str, text: Option<&str>| Effect::Element {
        name: name.into(),
        text: text.map(str::to_owned),
    };
    sandbox.add_fault(
        Rule::on("ListObjectsV2")
            .then(element("NextContinuationToken", Some("{query:continuation-token}")))
            .then(element("IsTruncated", None))
            .then(Effect::Replace {
                find: "<Size>11</Size>".into(),
                with: "<Size>-1</Size>".into(),
            }),
    );
    let page = alice
        .get("photos")
        .query("list-type", "2")
        .query("max-keys", "1")
        .query("continuation-token", "aw")
        .send();
    assert_eq!(page.first("NextContinuationToken"), "aw");
    assert_eq!((page.first("Size"), page.first("IsTruncated")), ("-1".into(), String::new()));
    assert_eq!(page.header("content-length"), Some(page.body.len().to_string().as_str()));
    let range = Effect::Ask { name: "range".into(), value: Some("bytes=6-10".into()) };
    sandbox.add_fault(Rule::on("GetObject").then(range).then(Effect::WrongEtag("other".into())));
    let other = alice.get("photos/a").header("range", "bytes=0-4").send();
    assert_eq!((other.text().as_str(), other.header("etag")), ("world", Some("\"other\"")));
}

#[test]
fn identity_calls_go_wrong_too() {
    let sandbox = account();
    sandbox.add_fault(Rule::on("GetCallerIdentity").nth(1).then(Effect::answer(503, "Throttling")));
    let sts = Client::alice(&sandbox).service("sts");
    assert_eq!(
        sts.post("", "Action=GetCallerIdentity").send().refusal(),
        (503, "Throttling".into())
    );
    assert_eq!(sts.post("", "Action=GetCallerIdentity").send().status, 200);
}

#[test]
fn another_process_can_do_it_all() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    let rule = r#"{"on": "GetObject", "to": 1, "then": [{"answer": {"status": 500, "code": "InternalError"}}]}"#;
    assert_eq!(control(&sandbox, "POST", "faults", rule).status, 200);
    assert_eq!(control(&sandbox, "POST", "faults", "{\"on\": 3}").status, 400);
    assert_eq!(alice.get("photos/a").send().status, 500);
    assert_eq!(control(&sandbox, "PUT", "objects/photos/x%2Fy", "put").status, 200);
    assert_eq!(alice.get("photos/x/y").send().text(), "put");
    assert_eq!(control(&sandbox, "GET", "objects/photos/x/y", "").text(), "put");
    let step = r#"[{"delete": {"bucket": "photos", "key": "x/y"}}, {"advance": {"seconds": 60}}]"#;
    assert_eq!(control(&sandbox, "POST", "step", step).status, 200);
    assert!(!control(&sandbox, "GET", "snapshot", "").text().contains("x/y"));
    let witness = control(&sandbox, "GET", "witness", "").text();
    assert!(witness.contains("\"GetObject\":2"), "{witness}");
}

#[test]
fn one_entry_of_a_batch_can_be_refused() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    sandbox.add_fault(Rule::on("DeleteEntry").key("a").then(Effect::answer(500, "InternalError")));
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>big</Key></Object></Delete>";
    let sum = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(body));
    let ask = alice.post("photos", body).query("delete", "").header("x-amz-checksum-sha256", &sum);
    let answer = ask.send();
    assert_eq!((answer.all("Code"), answer.status), (vec!["InternalError".to_owned()], 200));
    assert_eq!(sandbox.snapshot()["photos"].keys(), ["a"]);
    assert_eq!(sandbox.witness().count("DeleteObjects"), 1);
}

#[test]
fn credentials_can_expire_in_mid_run_and_be_renewed() {
    let sandbox = account();
    let alice = Client::alice(&sandbox);
    let expire = Step::Expire { user: "alice".into() };
    sandbox.add_fault(Rule::on("GetObject").nth(1).then(Effect::ScriptAfter(vec![expire])));
    assert_eq!(alice.get("photos/a").send().status, 200);
    assert_eq!(alice.get("photos/a").send().refusal(), (400, "ExpiredToken".into()));
    sandbox.step(&Step::Renew { user: "alice".into() });
    assert_eq!(alice.get("photos/a").send().status, 200);
}

#[test]
fn a_sandbox_stops_though_calls_are_left_hanging() {
    let sandbox = account();
    sandbox.add_fault(Rule::on("GetObject").then(Effect::Stall { after: 3 }));
    let started = std::time::Instant::now();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| Client::alice(&sandbox).get("photos/a").body_within(1));
        assert_eq!(asked.join().unwrap().as_deref(), Some("hel"));
    });
    drop(sandbox);
    assert!(started.elapsed() < std::time::Duration::from_secs(10));
}
