//! Other people's tools that read an archive with no s3plan around.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::python::Package;

const BAGIT: Package = Package { name: "bagit", version: "1.9.0", requirements: &["bagit==1.9.0"] };

/// Lets the Library of Congress's `bagit.py` and coreutils' `sha256sum` judge an archive.
pub fn assert_valid_bag(archive: &Path) {
    let bagit = BAGIT.environment().unwrap_or_else(|why| panic!("{why}"));
    run(Command::new(bagit.program("python"))
        .arg(bagit.program("bagit.py"))
        .arg("--validate")
        .arg(archive));
    for manifest in ["manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        let mut check = Command::new("sha256sum");
        run(check.args(["--check", "--quiet", "--strict", manifest]).current_dir(archive));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{words}", output.status);
}

/// The lines of an archive's `objects.jsonl`.
pub fn rows(archive: &Path) -> Vec<Value> {
    let text = fs::read_to_string(archive.join("metadata/objects.jsonl")).expect("rows");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// What a reader that knows only the archive's description finds: key → SHA-256.
pub fn read_independently(archive: &Path) -> BTreeMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/reader.py");
    let output = Command::new("python3").arg(script).arg(archive).output().expect("python3");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// In hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
