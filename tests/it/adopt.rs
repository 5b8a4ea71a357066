//! Files that are in place already: left by other tools, or by a run whose state was lost; and files
//! that are no longer what they were.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use s3plan_sandbox::{Algorithm, BucketSpec, ChecksumKind, ObjectSpec, Step, World};
use serde_json::Value;

use crate::support::bag::assert_valid_bag;
use crate::support::scene::Scene;

const BUCKET: &str = "photos-2019";

fn manifest(then: &str) -> String {
    format!(
        "[account]\nid = \"123456789012\"\n\n[bucket.\"{BUCKET}\"]\n\
         archive = {{ to = \"archive/{{bucket}}\", then = \"{then}\" }}\n"
    )
}

fn to(scene: &Scene) -> PathBuf {
    scene.bed.path(&format!("archive/{BUCKET}"))
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
    fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// Writes objects where `aws s3 sync` would.
fn sync_down(scene: &Scene, keys: &[&str]) {
    for key in keys {
        let bytes = scene.sandbox.content(BUCKET, key, None).expect("an object");
        write(&to(scene).join(key), &bytes);
    }
}

/// The keys whose bytes were asked for since the witness was cleared, but for the object on which a
/// run tries the server's conditions.
fn fetched(scene: &Scene) -> BTreeSet<String> {
    let requests = scene.sandbox.witness().requests().into_iter();
    let keys = requests.filter(|seen| seen.op == "GetObject").filter_map(|seen| seen.key);
    keys.filter(|key| !key.starts_with(".s3plan-")).collect()
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn rows(scene: &Scene) -> Vec<Value> {
    let text = fs::read_to_string(to(scene).join("metadata/objects.jsonl")).expect("rows");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The row of what S3 holds under a key now.
fn row(scene: &Scene, key: &str) -> Value {
    let row = rows(scene).into_iter().find(|row| row["key"] == key && row["in_s3"] == true);
    row.unwrap_or_else(|| panic!("no row of {key:?}"))
}

/// Every object of the bucket is in the archive, byte for byte, where the record says.
fn assert_holds_bucket(scene: &Scene) {
    let snapshot = scene.sandbox.snapshot();
    for version in &snapshot[BUCKET].versions {
        let key = &version.key;
        let bytes = scene.sandbox.content(BUCKET, key, None).expect("an object");
        let path = row(scene, key)["path"].as_str().expect("a path").to_owned();
        let found = fs::read(to(scene).join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(found == bytes, "{key:?} at {path} is not what S3 holds");
    }
    assert_valid_bag(&to(scene));
    scene.bed.s3plan(["verify"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("nothing to do");
}

fn approve(scene: &Scene) {
    let answer = scene.bed.s3plan(["status", "--json"]).exits(0);
    let evidence = answer.json()["buckets"][0]["evidence"].as_str().expect("evidence").to_owned();
    scene.bed.s3plan(["approve", &format!("{BUCKET}@{evidence}")]).exits(0);
}

fn lose_state(scene: &Scene) {
    for name in ["state.redb", "status.json"] {
        let _ = fs::remove_file(scene.bed.path(&format!(".s3plan/{name}")));
    }
}

fn many_kinds() -> World {
    World::default().with(
        BucketSpec::new(BUCKET)
            .text("a.jpg", "first")
            .text("b/c.jpg", "second")
            .text("data/x", "under a name like the bag's own")
            .text("empty", "")
            .text("left-out", "not on disk")
            .object(ObjectSpec::sized("film", "12MiB").parts("5MiB"))
            .object(ObjectSpec::sized("uneven", "11MiB").part_sizes(&[5 << 20, 5 << 20, 1 << 20]))
            .object(ObjectSpec::text("tagged", "t").tag("year", "2019").metadata("camera", "Bolex"))
            .text("wrong", "right bytes"),
    )
}

#[test]
fn what_another_tool_left_is_adopted_and_only_the_rest_is_fetched() {
    let scene = Scene::new(many_kinds());
    scene.bed.write_manifest(&manifest("keep"));
    let good = ["a.jpg", "b/c.jpg", "data/x", "empty", "film", "uneven", "tagged"];
    sync_down(&scene, &good);
    write(&to(&scene).join("wrong"), b"wrong bytes");
    write(&to(&scene).join("notes.md"), b"mine");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("9 objects, of which 8 look present");
    scene.assert_untouched();
    let first = scene.bed.read("plans/manifest.plan.toml");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    assert_eq!(first, scene.bed.read("plans/manifest.plan.toml"), "the same world, the same plan");

    scene.sandbox.witness().clear();
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fetched(&scene), set(&["left-out", "wrong"]));
    for key in good {
        assert!(to(&scene).join("data").join(key).is_file(), "{key} moved in");
    }
    assert!(!to(&scene).join("a.jpg").exists());
    assert_eq!(fs::read(to(&scene).join("wrong")).expect("it stays"), b"wrong bytes");
    assert_eq!(fs::read(to(&scene).join("notes.md")).expect("it stays"), b"mine");
    assert_eq!(row(&scene, "tagged")["tags"]["year"], "2019");
    assert_eq!(row(&scene, "tagged")["metadata"]["camera"], "Bolex");
    assert_eq!(row(&scene, "film")["part_sizes"].as_array().map(Vec::len), Some(3));
    assert_holds_bucket(&scene);
}

/// However many files are in place, only a few are open at a time.
#[test]
fn more_files_than_may_be_open_are_adopted() {
    let keys: Vec<String> = (0..150).map(|n| format!("2019/{n:03}.jpg")).collect();
    let bucket = keys.iter().fold(BucketSpec::new(BUCKET), |bucket, key| bucket.text(key, key));
    let scene = Scene::new(World::default().with(bucket));
    sync_down(&scene, &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let scene = scene.planned(&manifest("keep"));
    scene.bed.shell("ulimit -n 96; exec \"$S3PLAN\" apply --yes").exits(0);
    assert_eq!(fetched(&scene), set(&[]), "what was in place was not taken");
}

/// Parts that are not alike, also where the first and the whole size would let one think so.
#[test]
fn uploads_in_parts_of_any_size_are_adopted_and_not_fetched() {
    let text = "twenty-five bytes of text";
    let parts = |key: &str, sizes: &[u64]| ObjectSpec::text(key, text).part_sizes(sizes);
    let composite = |spec: ObjectSpec| spec.checksum(Algorithm::Crc32c, ChecksumKind::Composite);
    let bucket = BucketSpec::new(BUCKET)
        .object(parts("even", &[10, 10, 5]))
        .object(parts("uneven", &[10, 3, 12]))
        .object(parts("misleading", &[10, 9, 6]))
        .object(composite(parts("composite-even", &[10, 10, 5])))
        .object(composite(parts("composite-uneven", &[10, 3, 12])))
        .object(composite(parts("composite-misleading", &[10, 9, 6])))
        .object(parts("wrong", &[10, 9, 6]));
    let scene = Scene::new(World::default().with(bucket));
    scene.bed.write_manifest(&manifest("keep"));
    let good = [
        "even",
        "uneven",
        "misleading",
        "composite-even",
        "composite-uneven",
        "composite-misleading",
    ];
    sync_down(&scene, &good);
    write(&to(&scene).join("wrong"), text.to_uppercase().as_bytes());
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("7 objects, of which 7 look present");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fetched(&scene), set(&["wrong"]));
    for key in good {
        let kind = if key.contains("composite") { "composite CRC32C" } else { "multipart-etag" };
        assert_eq!(row(&scene, key)["proof"]["kind"], kind, "{key}");
    }
    let sizes = serde_json::json!([10, 9, 6]);
    assert_eq!(row(&scene, "misleading")["part_sizes"], sizes);
    assert_eq!(row(&scene, "composite-misleading")["part_sizes"], sizes);
    assert_holds_bucket(&scene);
}

/// Neither a name and a size nor a file of unknown origin stands in for a proof that S3 does not hold,
/// even where the manifest lets downloads do so.
#[test]
fn what_s3_cannot_prove_is_fetched_whatever_lies_in_its_place() {
    for unprovable in ["keep", "twice", "size"] {
        let opaque = ObjectSpec::text("opaque", "right bytes").sse("aws:kms");
        let scene = Scene::new(World::default().with(BucketSpec::new(BUCKET).object(opaque)));
        let outcome = format!("keep\", unprovable = \"{unprovable}");
        scene.bed.write_manifest(&manifest(&outcome));
        write(&to(&scene).join("opaque"), b"wrong bytes");
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("of which 1 look present");
        scene.bed.s3plan(["apply", "--yes"]).exits(0);
        assert_eq!(fetched(&scene), set(&["opaque"]), "{unprovable}");
        assert_eq!(fs::read(to(&scene).join("opaque")).expect("it stays"), b"wrong bytes");
        assert_holds_bucket(&scene);
    }
}

/// `data/x` in a folder that another tool filled is the file of the key `data/x`, and the path that
/// the key `x` has in a bag.
#[test]
fn a_file_is_never_taken_for_two_keys() {
    let world = BucketSpec::new(BUCKET).text("x", "same");
    let scene = Scene::new(World::default().with(world));
    scene.bed.write_manifest(&manifest("keep"));
    let apply = || {
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
        scene.bed.s3plan(["apply", "--yes"]).exits(0);
    };
    sync_down(&scene, &["x"]);
    apply();
    // As a run leaves it that was killed before the first seal, while a second object came.
    for path in ["manifest-sha256.txt", "tagmanifest-sha256.txt", "metadata/objects.jsonl"] {
        fs::remove_file(to(&scene).join(path)).expect("unsealed");
    }
    assert!(scene.sandbox.put(BUCKET, "data/x", b"same"));
    // Nor for a key that no file system can hold.
    assert!(scene.sandbox.put(BUCKET, "/x", b"same"));
    apply();
    assert_eq!(row(&scene, "x")["path"], "data/x");
    assert_eq!(row(&scene, "data/x")["path"], "data/data/x");
    assert_holds_bucket(&scene);
}

#[test]
fn a_folder_with_nothing_of_the_bucket_is_refused() {
    let scene = Scene::new(many_kinds());
    scene.bed.write_manifest(&manifest("keep"));
    write(&to(&scene).join("thesis.tex"), b"somebody's only copy");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("other files are there");
    // What an archive would write over is in the way too.
    sync_down(&scene, &["a.jpg"]);
    write(&to(&scene).join("bagit.txt"), b"another bag");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("other files are there");
    assert_eq!(fs::read(to(&scene).join("bagit.txt")).expect("it stays"), b"another bag");
}

#[test]
fn a_lost_state_costs_hashing_and_no_download() {
    let scene = Scene::new(many_kinds()).planned(&manifest("keep"));
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let record = fs::read_to_string(to(&scene).join("metadata/objects.jsonl")).expect("rows");
    lose_state(&scene);
    scene.sandbox.witness().clear();
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("9 objects, of which 9 look present");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fetched(&scene), set(&[]));
    let again = fs::read_to_string(to(&scene).join("metadata/objects.jsonl")).expect("rows");
    assert_eq!(record, again, "the same record");
    assert_holds_bucket(&scene);
}

#[test]
fn a_state_lost_half_way_through_a_deletion_needs_a_new_approval_and_loses_no_row() {
    let scene = Scene::new(many_kinds()).planned(&manifest("delete-bucket"));
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    // Half of them are deleted when the disk with the state goes.
    for key in ["a.jpg", "b/c.jpg", "film"] {
        let (bucket, key) = (BUCKET.to_owned(), key.to_owned());
        scene.sandbox.step(&Step::Delete { bucket, key, version: None });
    }
    lose_state(&scene);
    scene.sandbox.witness().clear();
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("6 objects, of which 6 look present");
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    scene.assert_nothing_lost();
    assert_eq!(fetched(&scene), set(&[]));
    assert_eq!(rows(&scene).len(), 9, "what S3 no longer has keeps its row");
    assert_eq!(rows(&scene).iter().filter(|row| row["in_s3"] == false).count(), 3);
    assert_valid_bag(&to(&scene));
    approve(&scene);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(!scene.sandbox.snapshot().contains_key(BUCKET));
    assert_valid_bag(&to(&scene));
    scene.bed.s3plan(["verify"]).exits(0);
}

#[test]
fn a_state_lost_before_the_first_seal_is_no_loss_either() {
    let scene = Scene::new(many_kinds()).planned(&manifest("keep"));
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    lose_state(&scene);
    for path in ["manifest-sha256.txt", "tagmanifest-sha256.txt", "metadata/objects.jsonl"] {
        fs::remove_file(to(&scene).join(path)).expect("unsealed");
    }
    // One file was cut short, one belongs to an object that is gone by now.
    write(&to(&scene).join("data/a.jpg"), b"firs");
    let gone = Step::Delete { bucket: BUCKET.into(), key: "b/c.jpg".into(), version: None };
    scene.sandbox.step(&gone);
    scene.sandbox.witness().clear();
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("8 objects, of which 7 look present");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fetched(&scene), set(&["a.jpg"]));
    assert_eq!(fs::read(to(&scene).join("data/a.jpg")).expect("it stays"), b"firs");
    assert_eq!(fs::read(to(&scene).join("data/b/c.jpg")).expect("it stays"), b"second");
    assert_holds_bucket(&scene);
}

#[test]
fn files_that_changed_are_named_and_fetched_again_beside_the_old_ones() {
    let scene = Scene::new(many_kinds()).planned(&manifest("keep"));
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let data = to(&scene).join("data");
    // The same size; another size; gone; only touched.
    write(&data.join("a.jpg"), b"FIRST");
    write(&data.join("b/c.jpg"), b"second, and a note");
    fs::remove_file(data.join("film")).expect("gone");
    let touched = File::options().append(true).open(data.join("tagged")).expect("a file");
    touched.set_modified(SystemTime::now() - Duration::from_secs(9)).expect("a time");
    let answer = scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    let mut answer = answer.says("4 changed on disk or gone");
    for name in ["a.jpg", "b/c.jpg", "film", "tagged"] {
        answer = answer.says(&format!("{name:?}"));
    }

    scene.sandbox.witness().clear();
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fetched(&scene), set(&["a.jpg", "b/c.jpg", "film"]));
    assert_eq!(fs::read(data.join("a.jpg")).expect("it stays"), b"FIRST");
    assert_eq!(fs::read(data.join("b/c.jpg")).expect("it stays"), b"second, and a note");
    assert!(row(&scene, "a.jpg")["path"].as_str().expect("a path").contains("^versions"));
    assert_eq!(row(&scene, "film")["path"], "data/film");
    assert_eq!(rows(&scene).len(), 9, "one line a version");
    assert_holds_bucket(&scene);
    // Sealed once more, nothing is different.
    lose_state(&scene);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_holds_bucket(&scene);
}

#[test]
fn an_archived_object_that_is_on_disk_needs_no_restore() {
    let cold = |key: &str, text: &str| ObjectSpec::text(key, text).class("GLACIER");
    let world = BucketSpec::new(BUCKET)
        .object(cold("absent", "must thaw"))
        .object(cold("present", "is there"))
        .object(cold("wrong", "not there"));
    let mut world = World::default().with(world);
    world.speed = 100_000.0;
    let scene = Scene::new(world);
    scene.bed.write_manifest(&manifest("keep"));
    sync_down(&scene, &["present"]);
    write(&to(&scene).join("wrong"), b"NOT THERE");
    let plan = scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    plan.says("3 objects, of which 2 look present");
    let restored = |scene: &Scene| -> BTreeSet<String> {
        let mutations = scene.sandbox.witness().mutations().into_iter();
        mutations.filter(|seen| seen.op == "RestoreObject").filter_map(|seen| seen.key).collect()
    };
    // The one that does not prove right fails by name: its restore is not in the plan.
    scene.bed.s3plan(["apply", "--yes"]).exits(1).blames("wrong").blames("plan again");
    assert_eq!(restored(&scene), set(&["absent"]));
    assert_eq!(fs::read(to(&scene).join("wrong")).expect("it stays"), b"NOT THERE");

    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("restore 1 object");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(restored(&scene), set(&["absent", "wrong"]));
    assert_holds_bucket(&scene);
}

#[test]
fn a_state_is_rebuilt_from_the_bag_alone() {
    let scene = Scene::new(many_kinds()).planned(&manifest("delete-objects"));
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    for damage in [&b"not a state"[..], b""] {
        fs::write(scene.bed.path(".s3plan/state.redb"), damage).expect("damaged");
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(1).blames("state rebuild");
        scene.bed.s3plan(["state", "rebuild"]).exits(0).says("9 object versions, to be proven");
        let aside = fs::read_dir(scene.bed.path(".s3plan")).expect("the folder");
        let aside = aside.flatten().any(|e| fs::read(e.path()).is_ok_and(|text| text == damage));
        assert!(aside, "the old file is kept");
    }
    scene.bed.s3plan(["state", "list"]).exits(0).says(BUCKET);
    scene.sandbox.witness().clear();
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("9 objects, of which 9 look present");
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    scene.assert_nothing_lost();
    assert_eq!(fetched(&scene), set(&[]));
    approve(&scene);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(scene.sandbox.snapshot()[BUCKET].versions.len(), 0);
    assert_valid_bag(&to(&scene));
}
