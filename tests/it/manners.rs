//! How s3plan speaks: colours, pipes, narrow and foreign terminals, logs, codes, completions.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, World};

use crate::support::bed::{Answer, TestBed};
use crate::support::job::planned;
use crate::support::scene::Scene;
use crate::world::overwrite;

const ESCAPE: char = '\u{1b}';

#[test]
fn colours_are_for_terminals_unless_somebody_says_otherwise() {
    let scene = planned();
    let plain = scene.bed.s3plan(["show"]).exits(0).stdout;
    assert!(!plain.contains(ESCAPE), "a pipe gets no colours: {plain:?}");
    let show = |args: &[&str]| scene.bed.s3plan([&["show"], args].concat()).exits(0).stdout;
    assert!(show(&["--color", "always"]).contains(ESCAPE), "it was asked for");
    assert_eq!(show(&["--color", "never"]), plain);
    assert_eq!(show(&["--color", "auto"]), plain);
    // A terminal gets colours, unless NO_COLOR or TERM say no.
    let on_terminal = |env: &str| terminal(&scene.bed, &format!("{env} $S3PLAN show"), 120).stdout;
    assert!(on_terminal("TERM=xterm").contains(ESCAPE));
    assert!(!on_terminal("TERM=xterm NO_COLOR=1").contains(ESCAPE));
    assert!(!on_terminal("TERM=dumb").contains(ESCAPE));
    assert!(on_terminal("TERM=xterm NO_COLOR=").contains(ESCAPE), "an empty one says nothing");
}

#[test]
fn json_is_never_coloured() {
    let scene = planned();
    scene.bed.s3plan(["show", "--json", "--color", "always"]).exits(0).json();
    scene.bed.s3plan(["status", "--json", "--color", "always"]).exits(0).json();
    let apply = scene.bed.s3plan(["apply", "--yes", "--json", "--color", "always"]).exits(3);
    assert!(!apply.stdout.contains(ESCAPE), "{apply}");
}

/// Some commands print more than a pipe holds; the reader may leave at any time.
#[test]
fn a_closed_pipe_ends_the_talk_and_is_no_error() {
    let scene = planned();
    for command in ["schema manifest", "show", "show --json", "status", "man", "completions bash"] {
        let script = format!("{{ sleep 0.2; $S3PLAN {command}; echo \"code $?\" >&2; }} | true");
        let answer = scene.bed.shell(&script).exits(0);
        assert_eq!(answer.stderr.trim(), "code 0", "{command}: {answer}");
    }
    // Nor does it stop the work.
    let script = "{ $S3PLAN apply --yes --json 2>/dev/null; echo \"code $?\" >&2; } | head -n1";
    let answer = scene.bed.shell(script).exits(0);
    assert_eq!(answer.stderr.trim(), "code 3", "{answer}");
    scene.bed.s3plan(["verify"]).exits(0);
}

#[test]
fn other_languages_and_broken_bytes_are_no_trouble() {
    let scene = planned();
    let usual = scene.bed.s3plan(["show"]).exits(0).stdout;
    for env in ["LANG=C LC_ALL=C", "LANG=de_DE.ISO-8859-1", "LANG="] {
        let answer = scene.bed.shell(&format!("{env} $S3PLAN show")).exits(0);
        assert_eq!(answer.stdout, usual, "{env}");
    }
    let answer = scene.bed.shell("$S3PLAN plan \"$(printf 'a\\377b.toml')\"");
    answer.exits(64).blames("manifest/unreadable");
    let answer = scene.bed.shell("$S3PLAN approve \"$(printf 'a\\377b@0')\"");
    assert_eq!(answer.code, Some(64), "{answer}");
}

#[test]
fn a_narrow_terminal_gets_narrow_lines() {
    let scene = planned();
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    for columns in [40, 60, 80, 120] {
        let answer = terminal(&scene.bed, "TERM=xterm NO_COLOR=1 $S3PLAN status", columns);
        let longest = answer.stdout.lines().map(|line| line.trim_end().chars().count()).max();
        assert!(longest <= Some(columns.max(60)), "{columns} columns: {answer}");
        assert!(answer.stdout.contains("photos-2019"), "{answer}");
        let help = terminal(&scene.bed, "TERM=xterm NO_COLOR=1 $S3PLAN apply --help", columns);
        let longest = help.stdout.lines().map(|line| line.trim_end().chars().count()).max();
        assert!(longest <= Some(columns.max(70)), "{columns} columns: {help}");
    }
}

#[test]
fn quiet_says_only_what_went_wrong_and_verbose_says_more() {
    let scene = planned();
    let quiet = scene.bed.s3plan(["-q", "plan", "manifest.toml"]).exits(0);
    assert_eq!(quiet.stderr, "", "{quiet}");
    let quiet = scene.bed.s3plan(["-q", "apply", "--yes"]).exits(3);
    let lines: Vec<&str> = quiet.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "what each bucket waits for, and no more: {quiet}");
    let log = scene.bed.s3plan(["-vv", "info"]).exits(0);
    assert!(log.stderr.contains("GetCallerIdentity"), "requests are logged: {log}");
    scene.bed.s3plan(["-q", "-v", "status"]).exits(64);
}

#[test]
fn the_log_goes_where_it_is_asked_for_and_keeps_secrets() {
    let scene = planned();
    let bed = scene.bed.env("S3PLAN_LOG", "trace");
    let answer = bed.s3plan(["info", "--json"]).exits(0);
    answer.json();
    assert!(answer.stderr.contains("TRACE") || answer.stderr.contains("DEBUG"), "{answer}");
    let secret = bed.shell("printf %s \"$AWS_SECRET_ACCESS_KEY\"").stdout;
    assert!(secret.len() > 5, "there is a secret");
    let bed = bed.env("S3PLAN_LOG", "s3plan=trace,aws_smithy_runtime=trace,aws_sigv4=trace");
    let answer = bed.s3plan(["info", "--json"]).exits(0);
    assert!(!answer.stderr.contains(&secret), "the secret key is in the log");
    let bed = bed.env("S3PLAN_LOG", "off");
    assert_eq!(bed.s3plan(["info", "--json"]).exits(0).stderr, "");
    // A filter that is none is no reason not to work.
    bed.env("S3PLAN_LOG", "[[[=").s3plan(["info", "--json"]).exits(0).json();
}

#[test]
fn shells_and_man_know_every_command() {
    let bed = TestBed::without_aws();
    let commands = commands(&bed);
    assert!(commands.len() > 12, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = bed.s3plan(["completions", shell]).exits(0).stdout;
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell} does not know {command}");
        }
        assert!(script.contains("detailed-exitcode"), "{shell} does not know the options");
    }
    bed.shell("$S3PLAN completions bash > s3plan.bash && bash -n s3plan.bash").exits(0);
    let page = bed.s3plan(["man"]).exits(0).stdout;
    for command in &commands {
        assert!(page.contains(&format!("\"S3PLAN {}\"", command.to_uppercase())), "{command}");
    }
    let read = bed.shell("$S3PLAN man > s3plan.1 && man --warnings -l s3plan.1 2>&1 >/dev/null");
    assert_eq!(read.exits(0).stdout, "", "man has nothing to complain of");
}

/// One line each in `src/cli/errors.md`, which `s3plan explain` reads; none twice, none left over.
#[test]
fn every_error_code_is_explained() {
    let bed = TestBed::without_aws();
    let page = bed.s3plan(["explain"]).exits(0).stdout;
    let explained: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("- `")?.split_once("`: "))
        .map(|(code, why)| {
            assert!(why.len() > 10 && why.ends_with(['.', '?']), "{code}: {why}");
            code
        })
        .collect();
    let once: BTreeSet<&str> = explained.iter().copied().collect();
    assert_eq!(once.len(), explained.len(), "a code stands there twice");
    let used = codes_in_sources();
    let used: BTreeSet<&str> = used.iter().map(String::as_str).collect();
    let unexplained: Vec<_> = used.difference(&once).collect();
    assert!(unexplained.is_empty(), "add a line to src/cli/errors.md: {unexplained:?}");
    let unused: Vec<_> = once.difference(&used).collect();
    assert!(unused.is_empty(), "no error has these codes: {unused:?}");
    bed.s3plan(["explain", "state/held"]).exits(0).says("state/held: another s3plan");
    bed.s3plan(["explain", "state/hold"]).exits(64).blames("cli/unknown-code");
}

/// A script under a terminal of so many columns, with the terminal's line ends taken out.
#[track_caller]
fn terminal(bed: &TestBed, script: &str, columns: usize) -> Answer {
    let script = format!("stty cols {columns} rows 40; {script}").replace('\'', "'\\''");
    let mut answer = bed.shell(&format!("exec script -qec '{script}' /dev/null")).exits(0);
    answer.stdout = answer.stdout.replace('\r', "");
    answer
}

/// The commands that `--help` lists.
fn commands(bed: &TestBed) -> Vec<String> {
    let help = bed.s3plan(["--help"]).exits(0).stdout;
    let list = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    list.take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("    "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .map(str::to_owned)
        .collect()
}

/// `"room/what"` in the sources, but for their tests.
fn codes_in_sources() -> BTreeSet<String> {
    const ROOMS: [&str; 10] =
        ["apply", "approve", "archive", "aws", "bug", "cli", "manifest", "plan", "policy", "state"];
    let mut codes = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&path).expect("a source file");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for quoted in text.split('"') {
            let Some((room, what)) = quoted.split_once('/') else { continue };
            let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if ROOMS.contains(&room) && !what.is_empty() && what.chars().all(is_word) {
                codes.insert(quoted.to_owned());
            }
        }
    }
    codes
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let is_tests = path.file_stem().is_some_and(|stem| {
            let stem = stem.to_string_lossy();
            stem == "tests" || stem.ends_with("_tests") || stem == "samples"
        });
        if is_tests {
            continue;
        }
        match path.is_dir() {
            true => files.extend(sources(&path)),
            false => files.push(path),
        }
    }
    files
}

/// Keys that try to steer a terminal: no output of any command lets them, and none is lost.
#[test]
fn no_key_steers_a_terminal() {
    const KEYS: [&str; 7] = [
        "escape\u{1b}[2J\u{1b}]0;title\u{7}",
        "c1\u{9b}31m",
        "lines\r\nbroken",
        "turned\u{202e}round\u{2066}",
        "=cmd|' /C calc'!A0",
        "quoted\"'`\\",
        "refused\u{1b}[2J\u{9b}",
    ];
    let photos = KEYS.into_iter().fold(BucketSpec::new("photos"), |bucket, key| {
        bucket.object(ObjectSpec::text(key, "some bytes"))
    });
    let scene = Scene::retiring(World::default().with(photos), r#"then = "delete-objects""#);
    let denied = Effect::answer(403, "AccessDenied");
    scene.sandbox.add_fault(Rule::on("GetObject").key(KEYS[6]).then(denied));
    let ask = |args: &[&str]| {
        let answer = scene.bed.s3plan(args);
        for text in [&answer.stdout, &answer.stderr] {
            assert_steers_nothing(text, &format!("{args:?}"));
        }
        answer
    };
    ask(&["plan", "manifest.toml"]).exits(0);
    ask(&["apply", "--yes"]).exits(1).blames("refused");
    ask(&["status"]);
    scene.sandbox.clear_faults();
    ask(&["apply", "--yes"]).exits(3);
    let gate = format!("photos@{}", scene.evidence("photos"));
    scene.sandbox.step(&overwrite("photos", KEYS[1]));
    ask(&["apply", "--yes", "--approve", &gate]).exits(4).blames("left alone");
    for command in ["status", "show", "verify", "info", "state list", "state show photos"] {
        for form in ["", "--json", "--md", "--verbose"] {
            let args: Vec<&str> =
                command.split(' ').chain(Some(form).filter(|f| !f.is_empty())).collect();
            let answer = ask(&args);
            let refuses = answer.code == Some(64) && !form.is_empty();
            assert!(!answer.stdout.is_empty() || refuses, "{answer}");
        }
    }
    for file in ["plans/manifest.plan.toml", ".s3plan/audit.jsonl"] {
        assert_steers_nothing(&scene.bed.read(file), file);
    }
    let reports = fs::read_dir(scene.bed.path(".s3plan/reports")).expect("reports");
    for report in reports {
        let report = report.expect("a report").path();
        assert_steers_nothing(&fs::read_to_string(&report).expect("words"), "a report");
    }
    assert_eq!(scene.known("photos").len(), KEYS.len());
}

#[track_caller]
fn assert_steers_nothing(text: &str, told: &str) {
    let steers =
        |c: char| (c.is_control() && !"\n\t".contains(c)) || "\u{202e}\u{2066}".contains(c);
    assert!(
        !text.contains(steers),
        "{told}: {:?}",
        text.lines().find(|line| line.contains(steers))
    );
}
