//! One test a rule that the text alone can break.

use super::super::{load, parse};
use super::{bad, codes, good};

/// The codes of a bucket's `archive`, given as the inside of its table.
fn archive(keys: &str) -> Vec<&'static str> {
    codes(&bad(&format!("[bucket.\"b\"]\narchive = {{ {keys} }}")))
}

fn policy(keys: &str) -> Vec<&'static str> {
    codes(&bad(&format!("[bucket.\"b\"]\npolicy = {{ {keys} }}")))
}

#[test]
fn several_errors_are_shown_at_once() {
    let text = r#"[account]
id = "1234"

[bucket."photos-2019"]
archive = { to = "/mnt/nas/{bukket}", thn = "delete-bucket" }
policy = { lock_to = "me", none = true }

[bucket."logs-[*"]
archive = { to = "/x", then = "delete-object", restore = { days = 0 } }
"#;
    insta::assert_snapshot!(parse(text, "manifest.toml").unwrap_err(), @r#"
    error[manifest/bad-value]: `id` is not an AWS account id
     --> manifest.toml:2:6
      |
    2 | id = "1234"
      |      ^^^^^^
      |
      = help: write the account's twelve digits in quotes; `s3plan info` prints yours

    error[manifest/unknown-placeholder]: nothing fills in the placeholder `{bukket}`
     --> manifest.toml:5:18
      |
    5 | archive = { to = "/mnt/nas/{bukket}", thn = "delete-bucket" }
      |                  ^^^^^^^^^^^^^^^^^^^
      |
      = help: there are `{bucket}`, `{account}`, `{region}`

    error[manifest/unknown-key]: unknown key `thn` in `archive` of [bucket."photos-2019"]
     --> manifest.toml:5:39
      |
    5 | archive = { to = "/mnt/nas/{bukket}", thn = "delete-bucket" }
      |                                       ^^^
      |
      = help: did you mean `then`? the keys here are `to`, `then`, `include`, `exclude`, `versions`, `restore`, `unprovable`, `unconditional_deletes`

    error[manifest/two-policy-sources]: a policy has one of `lock_to`, `file`, `none`, not two
     --> manifest.toml:6:35
      |
    6 | policy = { lock_to = "me", none = true }
      |                      ----         ^^^^ the second
      |                      |
      |                      the first
      |
      = help: remove one of them

    error[manifest/bad-glob]: `logs-[*` is not a glob: unclosed character class; missing ']'
     --> manifest.toml:8:9
      |
    8 | [bucket."logs-[*"]
      |         ^^^^^^^^^
      |
      = help: `*` `?` `[a-z]` `{a,b}` are special, in keys `**` crosses `/`; put `\` before one to mean the character itself

    error[manifest/unknown-word]: `delete-object` is not a value of `then`
     --> manifest.toml:9:31
      |
    9 | archive = { to = "/x", then = "delete-object", restore = { days = 0 } }
      |                               ^^^^^^^^^^^^^^^
      |
      = help: did you mean `delete-objects`? it takes `keep`, `delete-objects`, `delete-bucket`

    error[manifest/bad-value]: `days` is out of range
     --> manifest.toml:9:67
      |
    9 | archive = { to = "/x", then = "delete-object", restore = { days = 0 } }
      |                                                                   ^
      |
      = help: write the whole days that S3 keeps a restored copy, 1 or more
    "#);
}

#[test]
fn broken_toml_is_reported_line_by_line_and_nothing_is_made_up() {
    let text = "[account]\nid = '1\n[bucket.a\nb = [1,\n\n[limts]\n";
    let rejected = parse(text, "manifest.toml").unwrap_err();
    assert!(codes(&rejected).iter().all(|code| *code == "manifest/syntax"), "{rejected}");
    let text = "[account]\nid = \"123456789012\"\nx = = 1\n[limts]\n";
    let rejected = parse(text, "manifest.toml").unwrap_err();
    assert_eq!(codes(&rejected), ["manifest/syntax", "manifest/unknown-key"]);
    assert!(rejected.to_string().contains("manifest.toml:4:2"), "{rejected}");
}

#[test]
fn line_and_column_count_from_one_and_in_characters() {
    let text = "[account]\nid = \"123456789012\"\n\n\n\n[bucket.\"é\"]\narchive = { oops = 1 }\n";
    let shown = parse(text, "manifest.toml").unwrap_err().to_string();
    assert!(shown.contains("--> manifest.toml:7:13\n"), "{shown}");
    let text = text.replace("archive = { oops", "  'policy' = { oops");
    assert!(parse(&text, "m.toml").unwrap_err().to_string().contains("--> m.toml:7:16\n"));
    let text = "[account]\r\nid = \"123456789012\"\r\n[lmits]\r\n";
    assert!(parse(text, "m.toml").unwrap_err().to_string().contains("--> m.toml:3:2\n"));
}

#[test]
fn the_account_is_required_and_has_twelve_digits() {
    for text in ["", "[account]\n"] {
        assert_eq!(codes(&parse(text, "m").unwrap_err()), ["manifest/missing-key"], "{text:?}");
    }
    assert_eq!(codes(&parse("account = 3", "m").unwrap_err()), ["manifest/wrong-type"]);
    assert_eq!(codes(&parse("account.id = 3", "m").unwrap_err()), ["manifest/wrong-type"]);
    assert_eq!(codes(&parse("account.id = '12'", "m").unwrap_err()), ["manifest/bad-value"]);
    // A slip in the word is one error, not two.
    let slip = parse("[acount]\nid = '123456789012'", "m").unwrap_err();
    assert_eq!(codes(&slip), ["manifest/unknown-key"]);
    assert!(slip.to_string().contains("did you mean `account`?"));
}

#[test]
fn unknown_keys_name_what_is_allowed_at_every_level() {
    for text in [
        "[oops]",
        "[defaults.oops]",
        "[bucket.b.oops]",
        "[bucket.b.archive]\nto = '/x'\noops = 1",
        "[bucket.b.archive]\nto = '/x'\nrestore = { oops = 1 }",
        "[bucket.b.policy]\nlock_to = 'me'\noops = 1",
        "[transfer]\noops = 1",
        "[limits]\noops = 1",
    ] {
        let rejected = bad(text);
        assert_eq!(codes(&rejected), ["manifest/unknown-key"], "{text}");
        let help = rejected.errors()[0].help().unwrap();
        assert!(help.contains("the keys here are `"), "{help}");
    }
}

#[test]
fn wrong_types_are_named() {
    for text in [
        "bucket = 1",
        "[bucket]\nb = 1",
        "[bucket.b]\narchive = true",
        "[bucket.b]\narchive = '/x'",
        "[bucket.b]\npolicy = 'me'",
        "[bucket.b]\narchive = { to = '/x', restore = 3 }",
        "[bucket.b]\narchive = { to = '/x', include = 'a' }",
        "[bucket.b]\narchive = { to = '/x', include = [1] }",
        "[bucket.b]\narchive = { to = '/x', then = 1979-05-27 }",
        "[bucket.b]\npolicy = { lock_to = 3 }",
        "[bucket.b]\npolicy = { lock_to = 'me', lose_access = 'yes' }",
        "[transfer]\nmax_connections = 1.5",
        "[transfer]\nmax_bandwidth = 1.5",
        "[limits]\nmax_cost = '3'",
        "defaults = []",
        "[defaults]\narchive = false",
    ] {
        // `bucket = 1` stands in [account]; written before it, it is the file's.
        let rejected = match text.starts_with('[') {
            true => bad(text),
            false => parse(&format!("{text}\n{}", super::below_account("")), "m").unwrap_err(),
        };
        assert_eq!(codes(&rejected), ["manifest/wrong-type"], "{text}: {rejected}");
    }
}

#[test]
fn an_archive_has_a_place_that_can_be_filled_in() {
    assert_eq!(archive(""), ["manifest/no-destination"]);
    assert_eq!(archive("to = ''"), ["manifest/bad-value"]);
    assert_eq!(archive("to = ' '"), ["manifest/bad-value"]);
    assert_eq!(archive("to = '/x/{foo}'"), ["manifest/unknown-placeholder"]);
    assert_eq!(archive("to = '/x/{bucket'"), ["manifest/bad-value"]);
    assert_eq!(archive("to = '/x/bucket}'"), ["manifest/bad-value"]);
    assert_eq!(archive("to = '~bob/x'"), ["manifest/bad-value"]);
    assert_eq!(archive("to = 's3://other/x'"), ["manifest/bad-value"]);
    assert_eq!(archive(r#"to = "/x\u0000""#), ["manifest/bad-value"]);
    good("[defaults.archive]\nto = '/x/{bucket}'\n[bucket.b]\narchive = {}");
}

#[test]
fn words_are_those_of_the_list() {
    for keys in [
        "then = 'delete'",
        "versions = 'some'",
        "restore = { tier = 'fast' }",
        "unprovable = 'no'",
        "unconditional_deletes = 'yes'",
    ] {
        assert_eq!(archive(&format!("to = '/x', {keys}")), ["manifest/unknown-word"], "{keys}");
    }
    assert_eq!(policy("lock_to = 'me', lock_mode = 'half'"), ["manifest/unknown-word"]);
    let near = bad("[bucket.b]\narchive = { to = '/x', then = 'delete-object' }").to_string();
    assert!(near.contains("did you mean `delete-objects`?"), "{near}");
}

#[test]
fn restores_last_a_day_and_cost_no_less_than_nothing() {
    for restore in [
        "days = 0",
        "days = -1",
        "days = 65536",
        "days = 99999999999999999999999",
        "max_cost = -1",
        "max_cost = -0.5",
        "max_cost = nan",
        "max_cost = inf",
        "max_cost = 99999999999999999999",
    ] {
        let keys = format!("to = '/x', restore = {{ {restore} }}");
        assert_eq!(archive(&keys), ["manifest/bad-value"], "{restore}");
    }
    good("[bucket.b]\narchive = { to = '/x', restore = { days = 1, max_cost = 0 } }");
}

#[test]
fn globs_over_keys_and_buckets_are_compiled() {
    for glob in ["[a", "{a", "a}", "[z-a]", "", r"\"] {
        let keys = format!("to = '/x', exclude = ['ok', '{glob}']");
        assert_eq!(archive(&keys), ["manifest/bad-glob"], "{glob}");
    }
    assert_eq!(archive("to = '/x', include = []"), ["manifest/bad-value"]);
    assert_eq!(codes(&bad("[bucket.\"logs-[\"]")), ["manifest/bad-glob"]);
    assert_eq!(codes(&bad("[bucket.\"\"]")), ["manifest/bad-value"]);
}

#[test]
fn a_bucket_that_goes_cannot_be_filtered() {
    for filter in ["include = ['a']", "exclude = ['a']"] {
        let keys = format!("to = '/x', then = 'delete-bucket', {filter}");
        assert_eq!(archive(&keys), ["manifest/filtered-deletion"]);
    }
    let text = "[defaults.archive]\nexclude = ['tmp/**']\n\
                [bucket.b]\narchive = { to = '/x', then = 'delete-bucket' }";
    assert_eq!(codes(&bad(text)), ["manifest/filtered-deletion"]);
    good("[bucket.b]\narchive = { to = '/x', then = 'delete-objects', exclude = ['a'] }");
}

#[test]
fn a_policy_has_exactly_one_source() {
    assert_eq!(policy(""), ["manifest/no-policy-source"]);
    assert_eq!(policy("lock_mode = 'data'"), ["manifest/no-policy-source"]);
    for two in
        ["lock_to = 'me', file = 'x'", "lock_to = 'me', none = true", "file = 'x', none = true"]
    {
        assert_eq!(policy(two), ["manifest/two-policy-sources"]);
    }
    assert_eq!(policy("none = false"), ["manifest/bad-value"]);
    assert_eq!(policy("file = ''"), ["manifest/bad-value"]);
    for option in ["lock_mode = 'data'", "replace_statements = true"] {
        assert_eq!(policy(&format!("none = true, {option}")), ["manifest/needs-lock"]);
        assert_eq!(policy(&format!("file = 'x', {option}")), ["manifest/needs-lock"]);
    }
    // Defaults of locks do not disturb what is no lock.
    good(
        "[defaults.policy]\nlock_mode = 'data'\nlock_to = 'me'\n[bucket.b]\npolicy = { none = true }",
    );
    good("[defaults.policy]\nlock_to = 'me'\n[bucket.b]\npolicy = {}");
}

#[test]
fn identities_look_like_identities() {
    assert_eq!(policy("lock_to = []"), ["manifest/bad-value"]);
    for who in [
        "",
        "two words",
        "a*",
        "arn:aws:iam::123456789012",
        "arn:aws:s3:::bucket",
        "arn:aws:iam::123:user/a",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:user/*",
        "arn:aws:iam:eu-west-1:123456789012:user/a",
        "arn:foo:iam::123456789012:user/a",
        "arn:aws:iam::123456789012:group/a",
    ] {
        assert_eq!(
            policy(&format!("lock_to = ['me', '{who}']")),
            ["manifest/bad-identity"],
            "{who}"
        );
    }
    for who in [
        "me",
        "alice",
        "a.b+c=d,e@f_g-h",
        "arn:aws:iam::123456789012:user/path/alice",
        "arn:aws-cn:iam::123456789012:role/r",
        "arn:aws:iam::123456789012:root",
        "arn:aws:sts::123456789012:assumed-role/r/s",
    ] {
        good(&format!("[bucket.b]\npolicy = {{ lock_to = '{who}' }}"));
    }
}

#[test]
fn speeds_and_limits_are_sizes() {
    for text in [
        "[transfer]\nmax_bandwidth = '50Mb'",
        "[transfer]\nmax_bandwidth = -1",
        "[limits]\nmax_delete_bytes = 'lots'",
        "[limits]\nmax_download_bytes = 99999999999999999999",
    ] {
        assert_eq!(codes(&bad(text)), ["manifest/bad-size"], "{text}");
    }
    for text in [
        "[transfer]\nmax_bandwidth = 0",
        "[transfer]\nmax_connections = 0",
        "[limits]\nmax_delete_objects = -1",
        "[limits]\nmax_cost = -1.0",
    ] {
        assert_eq!(codes(&bad(text)), ["manifest/bad-value"], "{text}");
    }
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.toml");
    assert_eq!(codes(&load(&file).unwrap_err()), ["manifest/unreadable"]);
    assert!(load(folder.path()).unwrap_err().to_string().contains("it is a folder"));
    std::fs::write(&file, b"[account]\nid = \"\xff\"").unwrap();
    let shown = load(&file).unwrap_err().to_string();
    assert!(shown.contains("not UTF-8") && shown.contains("m.toml:2:7"), "{shown}");
    std::fs::write(&file, vec![b'#'; 10 << 20]).unwrap();
    assert_eq!(codes(&load(&file).unwrap_err()), ["manifest/too-large"]);
    std::fs::write(&file, super::below_account("").replace('\n', "\r\n")).unwrap();
    let crlf = load(&file).unwrap();
    assert_eq!(crlf.digest, good("").digest);
    assert_eq!(crlf.path, file);
}
