use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

/// Keys that broke other tools, or could break this one.
pub(in crate::archive) const AWKWARD: &[&str] = &[
    "a",
    "a/b",
    "a/",
    "a!",
    "../x",
    "..",
    ".",
    "x/../y",
    "./x",
    "/abs",
    "/",
    "//",
    "a//b",
    "a///",
    "nl\nx",
    "cr\rx",
    "tab\tx",
    "\u{0}",
    "\u{1}",
    "\u{7f}",
    "u\u{85}x",
    "u\u{2028}x",
    "u\u{2029}",
    "rtl\u{202e}gpj",
    "%0A",
    "%25",
    "100%",
    "^",
    "^41",
    "^f",
    "a^f",
    "a^d",
    "^d",
    "^e",
    "^versions/a/null",
    "=cmd",
    "back\\slash",
    "C:\\x",
    "q\"uote",
    "st*r",
    "wh?t",
    "<>|",
    "dot.",
    "dots..",
    "space ",
    "nbsp\u{a0}",
    "em\u{2003}",
    "ideo\u{3000}",
    "CON",
    "con.txt",
    "nul",
    "COM1",
    "com¹.log",
    "LPT9.x/y",
    "aux /b",
    "CONIN$",
    "Foo",
    "foo",
    "é",
    "e\u{301}",
    "\u{1b}[31mred",
    "data/x",
    "manifest-sha256.txt",
    "bagit.txt",
    " lead",
    "*",
    "~",
    "~root/x",
    "$HOME/x",
    "-rf",
    "'",
    "emoji 👩‍💻",
    "日本語/ファイル",
    ".s3plan-staging/x",
    "a^c12345678",
    "x^h0123456789abcdef0123456789abcdef",
];

#[test]
fn ordinary_keys_keep_their_names() {
    for key in ["year=2024/part-0.parquet", "a b/c+d,e@f#g&h.tar.gz", "_$folder$", "日本語/é.txt"]
    {
        assert_eq!(payload_path(key, false), format!("data/{key}"));
    }
}

#[test]
fn each_rule_has_its_form() {
    for (key, path) in [
        ("../x", "data/^2E^2E/x"),
        (".", "data/^2E"),
        ("...", "data/..^2E"),
        ("/abs", "data/^e/abs"),
        ("a//b", "data/a/^e/b"),
        ("dir/", "data/dir/^d"),
        ("/", "data/^e/^d"),
        ("a^b%c\\d", "data/a^5Eb^25c^5Cd"),
        ("n\nx\u{85}y\u{2028}z", "data/n^0Ax^C2^85y^E2^80^A8z"),
        ("a:b*c?d\"e<f>g|h", "data/a^3Ab^2Ac^3Fd^22e^3Cf^3Eg^7Ch"),
        ("dot./space /x", "data/dot^2E/space^20/x"),
        ("nbsp\u{a0}", "data/nbsp^C2^A0"),
        ("con.txt/COM1", "data/^63on.txt/^43OM1"),
        ("common/console", "data/common/console"),
        ("\u{202e}x", "data/^E2^80^AEx"),
    ] {
        assert_eq!(payload_path(key, false), path, "{key:?}");
    }
    assert_eq!(payload_path("a", true), "data/a^f");
    assert_eq!(payload_path("x/a.", true), "data/x/a^2E^f");
    // Two forms of one text are two keys; the composed one keeps its name.
    assert_eq!(payload_path("\u{e9}/x", false), "data/\u{e9}/x");
    assert_eq!(payload_path("e\u{301}/x", false), "data/e\u{301}/x^c966e6a97");
    assert_eq!(version_path("data/x/a", "null"), "data/^versions/x/a/null");
    assert_eq!(version_path("data/a", "../../b"), "data/^versions/a/..^2F..^2Fb");
    assert_eq!(with_twin("data/x/Foo", "x/Foo"), "data/x/Foo^c6ac2bc69");
    assert_eq!(with_twin_folder("data/a/b/c", "data/a"), "data/a^cd93a6814/b/c");
    assert_eq!(with_twin_folder("data/ab", "data/a"), "data/ab");
}

#[test]
fn a_long_part_keeps_a_readable_beginning() {
    let name = format!("{}é", "x".repeat(254));
    let path = payload_path(&name, false);
    let part = path.strip_prefix("data/").expect("under data/");
    assert!(part.starts_with(&"x".repeat(200)) && part.len() <= 255, "{part}");
    assert_eq!(part.len() - part.rfind("^h").expect("a hash"), 34);
    assert_eq!(payload_path(&"x".repeat(255), false), format!("data/{}", "x".repeat(255)));
    // Files of one long folder stay in one folder.
    let [a, b] = ["a", "b"].map(|file| payload_path(&format!("{name}/{file}"), false));
    assert_eq!(a.rsplit_once('/').expect("a folder").0, b.rsplit_once('/').expect("a folder").0);
    // An escape is never cut in two.
    for lead in 0..4 {
        let path = payload_path(&format!("{}{}", "x".repeat(lead), ":".repeat(300)), false);
        let part = &path["data/".len()..path.rfind("^h").expect("a hash")];
        assert!(part.as_bytes()[lead..].chunks(3).all(|c| c == b"^3A"), "{part}");
    }
}

#[test]
fn awkward_keys_have_paths_of_their_own_and_come_back() {
    let mut seen = HashMap::new();
    for key in AWKWARD {
        let path = payload_path(key, false);
        assert_fits(&path);
        assert_eq!(unescape(&path).as_deref(), Some(*key), "{path}");
        assert_eq!(seen.insert(path, key), None);
        if !key.ends_with('/') {
            let beside = payload_path(key, true);
            assert_eq!(unescape(&beside).as_deref(), Some(*key), "{beside}");
            assert_eq!(seen.insert(beside, key), None);
        }
    }
}

#[test]
fn the_longest_keys_fit_the_system_call() {
    for key in ["/".repeat(1024), "\u{1}".repeat(1024), ":/".repeat(512), "./".repeat(512)] {
        let path = payload_path(&key, false);
        assert_fits(&path);
        assert!(version_path(&path, &"v".repeat(1024)).len() < 4_000);
    }
    // What is deeper than others can walk is cut, and still a path of its own.
    let [a, b] = [1023, 1024].map(|n| payload_path(&"/".repeat(n), false));
    assert!(a != b && a.split('/').count() <= 601, "{a}");
    assert_eq!(payload_path(&"a/".repeat(512), false).split('/').count(), 514);
    // Some servers take more than S3 does.
    let [a, b] = ["x", "y"].map(|end| payload_path(&format!("{}{end}", "a/".repeat(4_000)), false));
    assert!(a.len() <= 3_500 && b.len() <= 3_500 && a != b);
    assert_fits(&a);
}

/// What every file system and every reader of a bag needs of a path.
fn assert_fits(path: &str) {
    assert!(path.starts_with("data/") && path.len() < 4_000, "{path}");
    for part in path.split('/') {
        assert!(!part.is_empty() && part != "." && part != ".." && part.len() <= 255, "{path}");
        assert!(!part.ends_with(['.', ' ']), "{path}");
    }
    let bad = |c: char| "%\\:*?\"<>|".contains(c) || c.is_control() || c == '\u{2028}';
    assert!(!path.contains(bad), "{path}");
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab^/.%: cdefh0-9A-F]{1,12}",
        "\\PC{1,20}",
        any::<String>().prop_filter("S3 has no empty key", |s| !s.is_empty()),
        "(\\^|:|é|a|/){80,300}",
        prop::sample::select(AWKWARD).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn no_two_keys_share_a_path(
        keys in prop::collection::btree_set(keys(), 2..30), beside in any::<u64>()
    ) {
        let mut paths = BTreeSet::new();
        for (n, key) in keys.iter().enumerate() {
            let path = payload_path(key, beside >> n & 1 == 1);
            assert_fits(&path);
            if !path.contains("^h") {
                prop_assert_eq!(unescape(&path), Some(key.clone()));
            }
            prop_assert!(paths.insert(path.clone()), "{} twice", path);
            prop_assert!(paths.insert(with_twin(&path, key)), "twin of {} twice", path);
            assert_fits(&with_twin(&path, key));
        }
    }

    /// A file system cannot have a file and a folder of one name.
    #[test]
    fn no_file_stands_where_another_key_needs_a_folder(
        keys in prop::collection::btree_set(keys(), 2..30)
    ) {
        let keys: Vec<_> = keys.into_iter().collect();
        let mut watch = FolderWatch::new();
        let mut beside = BTreeSet::new();
        for (n, key) in keys.iter().enumerate() {
            beside.extend(watch.feed(key, n as u64).into_iter().flatten());
        }
        let paths: Vec<_> = (0..).zip(&keys)
            .map(|(n, key)| payload_path(key, beside.contains(&n)))
            .collect();
        for a in &paths {
            prop_assert!(!paths.iter().any(|b| b.starts_with(&format!("{a}/"))), "{}", a);
        }
    }

    #[test]
    fn unescape_takes_any_text(text in any::<String>(), tail in "[a-f^/0-9A-F]{0,12}") {
        let _ = unescape(&text);
        let _ = unescape(&format!("data/{tail}"));
        let _ = unescape(&format!("data/^versions/{tail}"));
    }
}
