//! The house itself: which room leans on which, and that no test file is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom; a room may always import itself. The drawing is in `src/lib.rs`: a new
/// arrow is welcome, and is drawn there in the commit that needs it.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("failpoint", &[]),
    ("event", &["model"]),
    ("manifest", &["model"]),
    ("aws", &["model", "clock", "failpoint"]),
    ("policy", &["model"]),
    ("archive", &["model", "failpoint"]),
    ("proof", &["model"]),
    ("state", &["event", "model", "failpoint"]),
    ("observe", &["aws", "archive", "state", "model"]),
    ("diff", &["policy", "model"]),
    ("graph", &["model"]),
    ("plan", &["diff", "graph", "model", "failpoint"]),
    (
        "apply",
        &[
            "plan", "graph", "observe", "aws", "archive", "proof", "policy", "state", "clock",
            "event", "model",
        ],
    ),
    ("report", &["plan", "graph", "event", "model"]),
    (
        "cli",
        &[
            "model",
            "clock",
            "event",
            "manifest",
            "aws",
            "policy",
            "archive",
            "proof",
            "state",
            "observe",
            "diff",
            "graph",
            "plan",
            "apply",
            "report",
            "failpoint",
        ],
    ),
];

/// Crates that only one room may name, so that the others never learn of them.
const WALLED_OFF: &[(&str, &[&str])] = &[
    ("aws", &["aws_config", "aws_credential_types", "aws_sdk_", "aws_smithy_"]),
    ("state", &["redb::"]),
];

#[test]
fn rooms_lean_only_on_the_rooms_below_them() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (room, path, text) in sources() {
        let Some(allowed) = arrows.get(room.as_str()) else {
            wrong.push(format!("{}: {room} is not in the table", path.display()));
            continue;
        };
        for other in rooms_named(&text) {
            // `fuzz` is there for tests only, and any room's tests may throw its dice.
            let is_fine = other == room || other == "fuzz" || allowed.contains(&other.as_str());
            if !is_fine {
                wrong.push(format!("{}: {room} leans on {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_one_room_names_the_sdk_and_only_one_names_redb() {
    let mut wrong = Vec::new();
    for (room, path, text) in sources() {
        for (owner, crates) in WALLED_OFF {
            for named in crates.iter().filter(|named| room != *owner && text.contains(**named)) {
                wrong.push(format!("{}: {named} belongs to {owner}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What deletes asks for evidence that was approved: only the eraser and the last step of a bucket
/// have it, and the probe has objects of its own.
#[test]
fn nothing_is_deleted_but_through_the_doors_that_ask_for_evidence() {
    const DOORS: &[(&str, &[&str])] = &[
        (".delete_batch(", &["apply/eraser", "apply/actions/probe_deletes"]),
        (".delete_one(", &["apply/eraser", "apply/actions/probe_deletes"]),
        (".delete_bucket(", &["apply/actions/delete_bucket"]),
        (".abort_upload(", &["apply/actions/abort_uploads"]),
        ("EvidenceBuilder::new(", &["apply/evidence"]),
        ("Approved(", &["apply/evidence"]),
    ];
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for (room, path, text) in sources() {
        let path = path.display().to_string();
        for (call, doors) in DOORS.iter().filter(|(call, _)| text.contains(*call)) {
            met.insert(*call);
            let at_home = matches!(room.as_str(), "aws" | "proof");
            if !at_home && !doors.contains(&path.as_str()) {
                wrong.push(format!("{path}: {call}…) is behind the doors {doors:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(met.len(), DOORS.len(), "a call has another name by now: {met:?}");
}

#[test]
fn imports_are_read_in_every_way_they_can_be_written() {
    let text = "use crate::model::{Name, Size};\nuse crate::{\n    aws::Aws,\n    proof,\n};\n\
                //! crate::cli is only told of here\npub use crate::state as memory;\n\
                let now = crate::clock::Clock.now(); // crate::graph";
    let expected = ["aws", "clock", "model", "proof", "state"].map(str::to_owned);
    assert_eq!(rooms_named(text), BTreeSet::from(expected));
}

#[test]
fn every_test_file_is_listed() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let rooms = ["support", "faults"].map(|room| (tests.join(room), "mod.rs"));
    for (folder, list) in [(tests, "main.rs")].into_iter().chain(rooms) {
        let listed = fs::read_to_string(folder.join(list)).expect("the list of modules");
        for file in rust_files(&folder).iter().filter(|file| file.parent() == Some(&folder)) {
            let stem = file.file_stem().expect("a file's name").to_string_lossy();
            let is_listed = listed.contains(&format!("mod {stem};"));
            assert!(is_listed || file.ends_with(list), "{} never runs", file.display());
        }
    }
}

/// Every source file that belongs to a room: its room, its path, its text without comments.
fn sources() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    for path in rust_files(&src) {
        let inside = path.strip_prefix(&src).expect("a file in src/").with_extension("");
        let room = inside.iter().next().expect("a name").to_string_lossy().into_owned();
        if !matches!(room.as_str(), "lib" | "main") {
            let text = fs::read_to_string(&path).expect("a source file");
            sources.push((room, inside, without_comments(&text)));
        }
    }
    assert!(!sources.is_empty(), "there are sources to look at");
    sources
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(code).collect()
}

/// The rooms that a text names after `crate::`, alone or in braces.
fn rooms_named(text: &str) -> BTreeSet<String> {
    let text = without_comments(text);
    let mut rooms = BTreeSet::new();
    // `$crate::` and the like do not occur, and other crates' names do not end in "crate".
    for rest in text.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => rooms.insert(word_at_start(rest)),
            Some(group) => {
                rooms.extend(items(group).map(|item| word_at_start(item.trim_start())));
                true
            }
        };
    }
    rooms.remove("");
    rooms
}

/// The items of a brace that was just opened, up to the one that closes it.
fn items(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 1_usize;
    let end = group.find(|c| {
        depth = match c {
            '{' => depth + 1,
            '}' => depth - 1,
            _ => depth,
        };
        depth == 0
    });
    let mut inner = 0_i32;
    group[..end.unwrap_or(group.len())].split(move |c| {
        inner += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && inner == 0
    })
}

fn word_at_start(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}
