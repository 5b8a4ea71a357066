//! Other people's tools that read an archive with no s3plan around.

use std::path::Path;
use std::process::Command;

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
