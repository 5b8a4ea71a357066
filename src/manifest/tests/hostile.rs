//! Files made to hurt: bounded time, no panic, nothing that a terminal would obey.

use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::parse;
use super::{bad, below_account, codes, good, resolve};

/// Far above what any of these takes on a busy machine, far below what a quadratic one would.
const SOON: Duration = Duration::from_secs(180);

fn soon<T>(what: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = what();
    assert!(start.elapsed() < SOON, "took {:?}", start.elapsed());
    answer
}

#[test]
fn ten_thousand_globs_take_bounded_time() {
    for glob in [
        |n: u32| format!("logs-{n}-*"),
        |n: u32| format!("*-{n}"),
        |n: u32| format!("?{n}[a-f]*x"),
        |n: u32| format!("*{n}*"),
    ] {
        let mut text = String::new();
        for n in 0..10_000 {
            writeln!(text, "[bucket.\"{}\"]\npolicy.none = true", glob(n)).unwrap();
        }
        let wanted = soon(|| good(&text));
        let names: Vec<String> = (0..200).map(|n| format!("logs-{n}-x")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        soon(|| resolve(&wanted, &names).map_err(|e| e.to_string()).ok());
    }
}

#[test]
fn globs_that_are_too_large_together_are_none_the_less_matched() {
    let mut text = String::new();
    for n in 0..480 {
        let long = "?".repeat(1_950);
        writeln!(text, "[bucket.\"{n}-{{{long},a*}}\"]\npolicy.none = true").unwrap();
    }
    let wanted = soon(|| good(&text));
    let names: Vec<String> = (0..480).step_by(60).map(|n| format!("{n}-abc")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(resolve(&wanted, &names).unwrap().desired.buckets.len(), 8);
}

#[test]
fn ten_thousand_unknown_names_take_bounded_time() {
    let mut text = String::new();
    for n in 0..10_000 {
        writeln!(text, "[bucket.\"unknown-{n}\"]\npolicy.none = true").unwrap();
    }
    let names: Vec<String> = (0..10_000).map(|n| format!("unknowm-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = soon(|| resolve(&good(&text), &names).unwrap_err().to_string());
    assert!(shown.ends_with("and 9950 more errors"));
}

#[test]
fn nesting_and_repetition_are_errors_in_bounded_time() {
    let deep = [
        format!("x = {}{}", "[".repeat(100), "]".repeat(100)),
        format!("x = {}", "[".repeat(500_000)),
        format!("x = {}1{}", "{a=".repeat(100), "}".repeat(100)),
        format!("x = {}", "{a=".repeat(300_000)),
        format!("{} = 1", vec!["a"; 20_000].join(".")),
        format!("[{}]", vec!["a"; 400_000].join(".")),
        "a = 1\n".repeat(100_000),
        "[[bucket]]\n".repeat(50_000),
        format!("[bucket.\"{}\"]", "{".repeat(500_000)),
        format!("[bucket.\"{}\"]", "*".repeat(500_000)),
        format!("[bucket.b]\narchive.to = \"{}\"", "{bucket}".repeat(100_000)),
        format!("[bucket.b]\narchive.to = \"{}\"", "{foo}".repeat(100_000)),
        format!("[bucket.b]\narchive = {{ to = '/x', include = [{}] }}", "'[',".repeat(200_000)),
        format!("[limits]\nmax_delete_bytes = {}", "9".repeat(500_000)),
        format!("[limits]\nmax_delete_bytes = \"{}TB\"", "9".repeat(500_000)),
        format!("[limits]\nmax_cost = {}.0", "9".repeat(500_000)),
    ];
    for text in deep {
        let start: String = text.chars().take(40).collect();
        let shown = soon(|| parse(&below_account(&text), "m").map_err(|e| e.to_string()).err());
        assert!(shown.is_some() || start.contains("archive.to"), "{start}");
    }
}

#[test]
fn many_globs_over_keys_take_bounded_time() {
    for glob in ["'a/{}/**'", "'**/{}*.[jJ]pg'", "'*{}*{}*'"] {
        let globs: Vec<String> = (0..10_000).map(|n| glob.replace("{}", &n.to_string())).collect();
        let text =
            format!("[bucket.b]\narchive = {{ to = '/x', include = [{}] }}", globs.join(","));
        soon(|| parse(&below_account(&text), "m").map_err(|e| e.to_string()).ok());
    }
}

#[test]
fn more_than_a_mebibyte_is_not_looked_at() {
    assert_eq!(codes(&bad(&"#".repeat(10 << 20))), ["manifest/too-large"]);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let text = format!("\u{feff}{}[limts]\n", below_account(""));
    let rejected = parse(&text, "m.toml").unwrap_err();
    assert_eq!(codes(&rejected), ["manifest/unknown-key"]);
    assert!(rejected.to_string().contains("--> m.toml:3:2\n"), "{rejected}");
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    let nasty = "\u{1b}[2J\u{7}\u{9b}31m\u{202e}\u{2028}\u{200b}\u{e0041}";
    for text in [
        format!("# {nasty}\n[oops]"),
        format!("[\"{nasty}\"]"),
        "[bucket.b]\narchive = { to = '/x', then = \"\\u001b[2J\\u009b\" }".to_owned(),
        "[bucket.\"\\u001b[2J\\u202e\"]\narchive = { \"\\u001b\" = 1 }".to_owned(),
        format!("[bucket.b]\narchive = {{ to = '/x', then = '\u{9b}\u{202e}', {nasty} = 1 }}"),
        format!("[bucket.b]\npolicy = {{ lock_to = '\u{9b}{nasty}' }}"),
        "[bucket.b]\narchive.to = '\u{9b}2J{\u{9b}}'".to_owned(),
    ] {
        let rejected = parse(&below_account(&text), "\u{1b}[1m.toml").unwrap_err();
        let shown = rejected.to_string();
        let obeyed = |c: char| c != '\n' && super::super::words::is_unsafe(c);
        assert!(!shown.contains(obeyed), "{shown:?}");
        // Coloured output adds its own escapes and no others.
        let own = |c: char| obeyed(c) && c != '\u{1b}';
        assert!(!rejected.render(true).contains(own));
        assert!(!rejected.render(true).contains("\u{1b}[2J"));
    }
}

#[test]
fn marks_survive_odd_characters_and_endless_lines() {
    let long = format!("x = '{}{}'", "é\u{1f600}".repeat(20_000), "y".repeat(100_000));
    for text in
        [long.as_str(), "x = '\t\té\u{1f600}\u{9b}' = 3", "x = \"\"\"\n\n\n\n\n\"\"\"", "x=1\r\r\n"]
    {
        let shown = bad(text).render(true);
        assert!(shown.len() < 3_000, "{}", shown.len());
    }
}

const VALID: &str = r#"
[defaults.archive]
to = "/d/{bucket}"
[bucket."photos-2019"]
archive = { to = "/mnt/nas/{bucket}", then = "delete-bucket", restore = { days = 3 } }
policy = { lock_to = ["me", "alice"], lock_mode = "data" }
[bucket."logs-*"]
archive = { then = "delete-objects", exclude = ["live/**"], versions = "all" }
[transfer]
max_bandwidth = "10MiB/s"
[limits]
max_cost = 10.5
max_delete_bytes = "1TB"
"#;

#[test]
fn the_manifest_that_is_mutated_below_is_valid() {
    good(VALID);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        if let Err(rejected) = parse(&text, "m") {
            prop_assert!(!rejected.errors().is_empty());
            rejected.render(true);
        }
    }

    /// Pieces cut out, doubled, swapped for other bytes of TOML.
    #[test]
    fn no_mutated_manifest_makes_it_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[\\[\\]{}=\"'.,\n#*0-9a-z\u{e9}-]{0,6}"), 1..6)
    ) {
        let mut text: Vec<char> = below_account(VALID).chars().collect();
        for (at, length, put) in cuts {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, put.chars());
        }
        let text: String = text.into_iter().collect();
        match parse(&text, "m") {
            Ok(wanted) => drop(resolve(&wanted, &["photos-2019", "logs-a"]).map_err(|e| e.to_string())),
            Err(rejected) => {
                prop_assert!(!rejected.errors().is_empty());
                rejected.render(false);
            }
        }
    }
}
