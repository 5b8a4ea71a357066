//! What becomes of a manifest when it meets an account's real buckets.

use std::path::{Path, PathBuf};

use super::{codes, good, id, resolve};
use crate::manifest::{Account, Rejected, Wanted};
use crate::model::{
    AfterArchive, BucketName, DesiredBucket, LockMode, LockTo, PolicySource, Tier,
    UnconditionalDeletes, Unprovable, Usd, VersionsWanted,
};

fn desired(wanted: &Wanted, buckets: &[&str]) -> Vec<DesiredBucket> {
    resolve(wanted, buckets).unwrap_or_else(|e| panic!("{e}")).desired.buckets
}

fn names(buckets: &[DesiredBucket]) -> Vec<&str> {
    buckets.iter().map(|bucket| bucket.name.as_str()).collect()
}

fn refused(wanted: &Wanted, buckets: &[&str]) -> Rejected {
    resolve(wanted, buckets).map(|_| ()).unwrap_err()
}

#[test]
fn five_lines_are_enough() {
    let wanted = good("[bucket.\"photos\"]\narchive = { to = \"/nas/{bucket}\" }\n");
    let resolved = resolve(&wanted, &["photos", "other"]).unwrap();
    assert_eq!(resolved.warnings, Vec::<String>::new());
    assert_eq!(resolved.desired.manifest.path, "manifest.toml");
    assert_eq!(resolved.desired.manifest.digest.len(), 64);
    let [photos] = resolved.desired.buckets.as_slice() else { panic!("one bucket") };
    let archive = photos.archive.as_ref().unwrap();
    assert_eq!(photos.policy, None);
    assert_eq!(
        (archive.to.as_str(), &archive.to_path),
        ("/nas/photos", &PathBuf::from("/nas/photos"))
    );
    assert_eq!(archive.then, AfterArchive::Keep);
    assert_eq!(archive.versions, VersionsWanted::Current);
    assert_eq!((archive.restore.tier, archive.restore.days.get()), (Tier::Bulk, 7));
    assert_eq!(archive.restore.max_cost, Usd::from_dollars(25.0).unwrap());
    assert_eq!(archive.unprovable, Unprovable::Keep);
    assert_eq!(archive.unconditional_deletes, UnconditionalDeletes::Refuse);
    assert!(archive.include.is_empty() && archive.exclude.is_empty());
}

#[test]
fn every_key_arrives() {
    let wanted = good(
        r#"
[bucket.b]
archive = { to = "~/x/{account}/{region}/{bucket}", then = "delete-objects", include = ["a/**"], exclude = ["a/b"], versions = "all", unprovable = "twice", unconditional_deletes = "compare-first", restore = { tier = "expedited", days = 3, max_cost = 1.5 } }
policy = { lock_to = ["me", "alice", "arn:aws:iam::123456789012:role/r"], lock_mode = "data", replace_statements = true, lose_access = true }
[transfer]
max_bandwidth = "50MB"
max_connections = 64
[limits]
max_delete_objects = 10
max_delete_bytes = "1TB"
max_download_bytes = 9007199254740993
max_cost = 100
"#,
    );
    let resolved = resolve(&wanted, &["b"]).unwrap().desired;
    let archive = resolved.buckets[0].archive.as_ref().unwrap();
    assert_eq!(archive.to, "~/x/123456789012/eu-west-1/b");
    assert_eq!(archive.to_path, Path::new("/home/a/x/123456789012/eu-west-1/b"));
    assert_eq!(archive.then, AfterArchive::DeleteObjects);
    assert_eq!(
        (archive.include.as_slice(), archive.exclude.as_slice()),
        (&["a/**".to_owned()][..], &["a/b".to_owned()][..])
    );
    assert_eq!(archive.versions, VersionsWanted::All);
    assert_eq!(archive.unprovable, Unprovable::Twice);
    assert_eq!(archive.unconditional_deletes, UnconditionalDeletes::CompareFirst);
    assert_eq!((archive.restore.tier, archive.restore.days.get()), (Tier::Expedited, 3));
    assert_eq!(archive.restore.max_cost.micros(), 1_500_000);
    let policy = resolved.buckets[0].policy.as_ref().unwrap();
    assert!(policy.lose_access);
    assert_eq!(
        policy.source,
        PolicySource::Lock {
            to: vec![
                LockTo::Me,
                LockTo::User("alice".into()),
                LockTo::Arn("arn:aws:iam::123456789012:role/r".into())
            ],
            mode: LockMode::Data,
            replace_statements: true,
        }
    );
    assert_eq!(resolved.transfer.max_bandwidth, Some(50_000_000));
    assert_eq!(resolved.transfer.max_connections, Some(64));
    assert_eq!(resolved.limits.max_delete_objects, Some(10));
    assert_eq!(resolved.limits.max_delete_bytes, Some(1_000_000_000_000));
    assert_eq!(resolved.limits.max_download_bytes, Some(9_007_199_254_740_993));
    assert_eq!(resolved.limits.max_cost, Usd::from_dollars(100.0));
}

#[test]
fn an_exact_name_wins_over_a_glob_outcome_by_outcome() {
    let wanted = good(
        "[bucket.'logs-*']\narchive = { to = '/g/{bucket}', then = 'delete-objects' }\npolicy = { lock_to = 'me' }\n\
         [bucket.logs-b]\narchive = { to = '/own' }\n\
         [bucket.logs-c]\narchive = false\n\
         [bucket.logs-d]\narchive = false\npolicy = false\n",
    );
    let buckets = desired(&wanted, &["logs-d", "logs-c", "logs-b", "logs-a", "x"]);
    assert_eq!(names(&buckets), ["logs-a", "logs-b", "logs-c"]);
    let own = buckets[1].archive.as_ref().unwrap();
    // The whole archive is replaced, not key by key.
    assert_eq!((own.to.as_str(), own.then), ("/own", AfterArchive::Keep));
    assert!(buckets[1].policy.is_some());
    assert!(buckets[2].archive.is_none() && buckets[2].policy.is_some());
    assert_eq!(wanted.covering("logs-a").as_deref(), Some("[bucket.\"logs-*\"]"));
    assert_eq!(
        wanted.covering("logs-b").as_deref(),
        Some("[bucket.\"logs-*\"], [bucket.\"logs-b\"]")
    );
    assert_eq!(wanted.covering("logs-d"), None);
    assert_eq!(wanted.covering("x"), None);
}

#[test]
fn two_globs_on_one_outcome_are_an_error_that_shows_both_lines() {
    let wanted = good(
        "[bucket.'logs-*']\narchive = { to = '/a/{bucket}' }\n\
         [bucket.'*-eu']\narchive = { to = '/b/{bucket}' }\n",
    );
    assert_eq!(names(&desired(&wanted, &["logs-us", "x-eu"])), ["logs-us", "x-eu"]);
    insta::assert_snapshot!(refused(&wanted, &["logs-eu"]), @r#"
    error[manifest/two-globs]: two globs set `archive` for bucket `logs-eu`
     --> manifest.toml:5:9
      |
    5 | [bucket.'*-eu']
      |         ^^^^^^ this glob matches it
      |
     ::: manifest.toml:3:9
      |
    3 | [bucket.'logs-*']
      |         -------- and so does this one
      |
      = help: give the bucket a table of its own, [bucket."logs-eu"], with the `archive` that holds, or narrow one glob
    "#);
    // Different outcomes are no conflict; an exact name settles one; `false` leaves alone.
    let apart = good(
        "[bucket.'a*']\narchive = { to = '/a/{bucket}' }\n[bucket.'*b']\npolicy = { none = true }\n",
    );
    assert!(desired(&apart, &["ab"])[0].policy.is_some());
    let settled = good(
        "[bucket.'a*']\narchive = { to = '/a/{bucket}' }\n[bucket.'*b']\narchive = { to = '/b/{bucket}' }\n\
         [bucket.ab]\narchive = { to = '/c' }\n",
    );
    assert_eq!(desired(&settled, &["ab"])[0].archive.as_ref().unwrap().to, "/c");
    let off =
        good("[bucket.'*']\narchive = { to = '/a/{bucket}' }\n[bucket.'tmp-*']\narchive = false\n");
    assert_eq!(names(&desired(&off, &["tmp-1", "x"])), ["x"]);
}

#[test]
fn defaults_fill_in_and_manage_nothing_by_themselves() {
    let wanted = good(
        "[defaults.archive]\nto = 'arch/{bucket}'\nthen = 'delete-objects'\nrestore = { days = 2 }\n\
         [defaults.policy]\nlock_mode = 'data'\nlose_access = true\n\
         [bucket.a]\narchive = { restore = { tier = 'standard' } }\npolicy = { lock_to = 'me' }\n\
         [bucket.b]\npolicy = { file = 'policies/{bucket}.json' }\n",
    );
    let buckets = desired(&wanted, &["a", "b", "c"]);
    assert_eq!(names(&buckets), ["a", "b"]);
    let archive = buckets[0].archive.as_ref().unwrap();
    assert_eq!((archive.to.as_str(), &archive.to_path), ("arch/a", &PathBuf::from("/p/arch/a")));
    assert_eq!((archive.restore.tier, archive.restore.days.get()), (Tier::Standard, 2));
    assert_eq!(archive.then, AfterArchive::DeleteObjects);
    let lock = buckets[0].policy.as_ref().unwrap();
    assert!(
        matches!(lock.source, PolicySource::Lock { mode: LockMode::Data, .. }) && lock.lose_access
    );
    let file = &buckets[1].policy.as_ref().unwrap().source;
    assert_eq!(*file, PolicySource::File("/p/policies/b.json".into()));
}

#[test]
fn a_name_that_no_bucket_has_is_an_error_with_the_nearest_one() {
    let wanted = good("[bucket.photos-2019]\narchive = { to = '/x' }\n");
    insta::assert_snapshot!(refused(&wanted, &["photos-2018x", "photo-2019", "logs"]), @r#"
    error[manifest/unknown-bucket]: the account has no bucket `photos-2019`
     --> manifest.toml:3:9
      |
    3 | [bucket.photos-2019]
      |         ^^^^^^^^^^^
      |
      = help: did you mean `photo-2019`?
    "#);
    let far = refused(&wanted, &["zebra"]).to_string();
    assert!(far.contains("`s3plan info` lists the buckets that it has (1)"), "{far}");
    assert_eq!(codes(&refused(&wanted, &[])), ["manifest/unknown-bucket"]);
}

#[test]
fn a_retired_name_is_no_error() {
    let wanted = good("[bucket.long-gone]\narchive = { to = 'x/{bucket}' }\n");
    let resolved = resolve(&wanted, &["other"]).unwrap();
    assert_eq!(resolved.retired, [BucketName::new("long-gone")]);
    assert!(resolved.desired.buckets.is_empty());
    let place = wanted.place_of(&"long-gone".into(), None, Path::new("/p"));
    assert_eq!(place, Some("/p/x/long-gone".into()));
    let regional = good("[bucket.a]\narchive = { to = 'x/{region}' }\n");
    assert_eq!(regional.place_of(&"a".into(), None, Path::new("/p")), None);
}

#[test]
fn what_covers_nothing_is_a_warning() {
    let wanted = good("[bucket.'tmp-*']\npolicy = { none = true }\n[bucket.a]\n");
    let warnings = resolve(&wanted, &["a"]).unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "manifest.toml:3:9: [bucket.\"tmp-*\"] matches no bucket",
            "manifest.toml:5:9: [bucket.\"a\"] asks for nothing",
        ]
    );
    assert_eq!(resolve(&good(""), &["a"]).unwrap().warnings, ["manifest.toml: no bucket is named"]);
}

#[test]
fn archives_at_one_or_at_nested_places_are_an_error() {
    let same = good(
        "[bucket.a]\narchive = { to = '/x/./y' }\n[bucket.b]\narchive = { to = '/x/z/../y/' }\n",
    );
    insta::assert_snapshot!(refused(&same, &["a", "b"]), @r#"
    error[manifest/same-place]: buckets `a` and `b` would be archived to one place
     --> manifest.toml:6:18
      |
    6 | archive = { to = '/x/z/../y/' }
      |                  ^^^^^^^^^^^^ the second
      |
     ::: manifest.toml:4:18
      |
    4 | archive = { to = '/x/./y' }
      |                  -------- the first
      |
      = help: both are `/x/y`; put `{bucket}` into `to`
    "#);
    let glob = good("[bucket.'*']\narchive = { to = '/x' }\n");
    assert_eq!(codes(&refused(&glob, &["a", "b"])), ["manifest/same-place"]);
    let nested = good(
        "[bucket.a]\narchive = { to = '/x' }\n[bucket.b]\narchive = { to = '/x-y' }\n\
         [bucket.c]\narchive = { to = '/x/y/z' }\n",
    );
    insta::assert_snapshot!(refused(&nested, &["a", "b", "c"]), @r#"
    error[manifest/nested-place]: the archive of `c` would lie inside that of `a`
     --> manifest.toml:8:18
      |
    8 | archive = { to = '/x/y/z' }
      |                  ^^^^^^^^ the inner one
      |
     ::: manifest.toml:4:18
      |
    4 | archive = { to = '/x' }
      |                  ---- the outer one
      |
      = help: it would be `/x/y/z`; give each archive a folder of its own
    "#);
    let apart =
        good("[bucket.a]\narchive = { to = '/x/a' }\n[bucket.b]\narchive = { to = '/x/ab' }\n");
    assert_eq!(desired(&apart, &["a", "b"]).len(), 2);
}

#[test]
fn another_account_is_refused() {
    let wanted = good("");
    let other = crate::model::AccountId::new("999999999999").unwrap();
    let refused = wanted
        .resolve(&Account {
            id: &other,
            buckets: &[],
            retired: &|_| false,
            home: None,
            project: Path::new("/p"),
        })
        .unwrap_err();
    assert!(refused.has("manifest/other-account"));
}

#[test]
fn a_home_that_is_not_known_is_an_error() {
    let wanted = good("[bucket.a]\narchive = { to = '~/x' }\n");
    let refused = wanted.resolve(&Account {
        id: &id(),
        buckets: &[("a".into(), "eu-west-1".into())],
        retired: &|_| false,
        home: None,
        project: Path::new("/p"),
    });
    assert_eq!(codes(&refused.unwrap_err()), ["manifest/no-home"]);
}

#[test]
fn a_bucket_with_a_hostile_name_leads_nowhere() {
    let wanted = good("[bucket.'*']\narchive = { to = '/x/{bucket}' }\n");
    for name in ["..", ".", "a/../../b", "/etc", "a\nb", "\u{1b}[2J"] {
        let refused = refused(&wanted, &[name]);
        assert_eq!(codes(&refused), ["manifest/unsafe-name"], "{name:?}");
        assert!(!refused.to_string().contains('\u{1b}'));
    }
    // Braces in a name are not filled in again.
    assert_eq!(desired(&wanted, &["{region}"])[0].archive.as_ref().unwrap().to, "/x/{region}");
}
