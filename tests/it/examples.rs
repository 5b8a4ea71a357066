//! The examples, planned again: a change of planning shows up in review as a changed plan. And what
//! README.md shows of manifests and plans.
//!
//! `examples/NAME/` has a manifest and the world that it is tried against; `plans/NAME.plan.toml` is
//! the plan that this yields, byte for byte. After a change that is meant, write them anew:
//! `UPDATE_PLANS=1 cargo test --test it examples`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use s3plan_sandbox::World;
use similar::TextDiff;

use crate::support::bed::TestBed;
use crate::support::scene::Scene;

#[test]
fn every_example_yields_the_plan_that_is_shown() {
    let update = std::env::var_os("UPDATE_PLANS").is_some();
    let mut wrong = Vec::new();
    for name in examples() {
        let plan = plan_of(&name);
        let shown = root().join(format!("plans/{name}.plan.toml"));
        if update {
            fs::write(&shown, &plan).expect("a plan can be written");
            continue;
        }
        let was = fs::read_to_string(&shown).unwrap_or_default();
        if was != plan {
            let diff = TextDiff::from_lines(&was, &plan);
            wrong.push(diff.unified_diff().header("as shown", "as planned now").to_string());
        }
    }
    let hint = "if that is meant: UPDATE_PLANS=1 cargo test --test it examples";
    assert!(wrong.is_empty(), "{hint}\n{}", wrong.join("\n"));
}

#[test]
fn every_plan_that_is_shown_has_an_example_and_is_sound() {
    let bed = TestBed::without_aws();
    let mut shown = BTreeSet::new();
    for path in files_of(&root().join("plans")) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        shown.insert(name.strip_suffix(".plan.toml").expect("only plans").to_owned());
        bed.s3plan([Path::new("show"), &path]).exits(0);
        let text = fs::read_to_string(&path).expect("a plan");
        assert!(!text.contains("to = \"/"), "{name} names a folder of one machine");
        let longest = text.lines().take_while(|line| line.starts_with('#'));
        let longest = longest.map(|line| line.chars().count()).max();
        assert!(longest <= Some(110), "{name} has a line of {longest:?} characters");
    }
    assert_eq!(shown, examples());
}

#[test]
fn every_file_in_examples_parses() {
    let bed = TestBed::without_aws();
    for name in examples() {
        for path in files_of(&root().join("examples").join(&name)) {
            match path.file_name().and_then(|name| name.to_str()) {
                Some("manifest.toml") => {
                    bed.s3plan([Path::new("validate"), &path]).exits(0);
                }
                Some("world.toml") => {
                    World::load(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                }
                _ => panic!("{}: what is it?", path.display()),
            }
        }
    }
}

#[test]
fn the_readme_shows_a_plan_as_it_is_printed() {
    let plan = fs::read_to_string(root().join("plans/one-bucket.plan.toml")).expect("a plan");
    let words = plan.lines().map_while(|line| line.strip_prefix('#'));
    let words: Vec<&str> = words.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let shown = format!("```text\n{}\n```", words.join("\n"));
    assert!(readme().contains(&shown), "README.md should have\n{shown}");
}

#[test]
fn the_manifests_in_the_readme_are_valid() {
    let bed = TestBed::without_aws();
    let blocks: Vec<String> = readme()
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block.to_owned()))
        .collect();
    assert_eq!(blocks.len(), 3, "how many manifests README.md has");
    for block in blocks {
        bed.write_manifest(&block);
        bed.s3plan(["validate", "manifest.toml"]).exits(0);
    }
}

/// Plans an example from nothing, in a project of its own; planning twice gives the same bytes.
fn plan_of(name: &str) -> String {
    let folder = root().join("examples").join(name);
    let world =
        World::load(folder.join("world.toml")).unwrap_or_else(|why| panic!("{name}: {why}"));
    let scene = Scene::new(world);
    let manifest = fs::read_to_string(folder.join("manifest.toml")).expect("a manifest");
    scene.bed.write_manifest(&manifest);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let plan = scene.bed.read("plans/manifest.plan.toml");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(plan, scene.bed.read("plans/manifest.plan.toml"), "{name}, planned twice");
    scene.assert_untouched();
    plan
}

/// The names of the folders in examples/.
fn examples() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("examples")).expect("examples/");
    let entries = entries.map(|entry| entry.expect("an entry"));
    // The others show how s3plan is run by something else: no manifest, no plan of their own.
    let folders = entries.filter(|entry| entry.path().join("manifest.toml").exists());
    folders.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect()
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("README.md")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
