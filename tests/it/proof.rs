//! Proof before delete: which proof each kind of object gets on the wire, and what becomes of bytes
//! that do not match it.

use std::time::Duration;

use jiff::Timestamp;
use s3plan_sandbox::{Algorithm, BucketSpec, ChecksumKind, Effect, ObjectSpec, Rule, World};

use crate::faults::range::rows_of;
use crate::support::job::audit_log;
use crate::support::scene::Scene;

const BUCKET: &str = "photos-2019";
const TEXT: &str = "twenty-five bytes of text";
const DELETE: &str = r#"then = "delete-objects""#;

fn world(objects: impl IntoIterator<Item = ObjectSpec>) -> World {
    let bucket = objects.into_iter().fold(BucketSpec::new(BUCKET), BucketSpec::object);
    World::default().with(bucket)
}

fn object(key: &str) -> ObjectSpec {
    ObjectSpec::text(key, TEXT)
}

/// Each kind that can be proven, the proof it must get, and the object.
fn provable() -> Vec<(&'static str, ObjectSpec)> {
    use Algorithm::{
        Crc32, Crc32c, Crc64nvme, Md5, Sha1, Sha256, Sha512, Xxhash3, Xxhash64, Xxhash128,
    };
    use ChecksumKind::{Composite, FullObject};
    // From Python's xxhash, over the text.
    let xxhash = |key: &str, algorithm, value: &str| ObjectSpec {
        checksum_value: Some(value.into()),
        ..object(key).checksum(algorithm, FullObject)
    };
    vec![
        ("full CRC64NVME", object("full-crc64nvme").checksum(Crc64nvme, FullObject)),
        ("full CRC32", object("full-crc32").checksum(Crc32, FullObject)),
        ("full CRC32C", object("full-crc32c").checksum(Crc32c, FullObject)),
        ("full SHA1", object("full-sha1").checksum(Sha1, FullObject)),
        ("full SHA256", object("full-sha256").checksum(Sha256, FullObject)),
        ("full SHA512", object("full-sha512").checksum(Sha512, FullObject)),
        ("full MD5", object("full-md5").checksum(Md5, FullObject)),
        (
            "full CRC64NVME",
            object("full-of-parts").part_sizes(&[10, 3, 12]).checksum(Crc64nvme, FullObject),
        ),
        ("full SHA256", object("full-kms").sse("aws:kms").checksum(Sha256, FullObject)),
        ("md5-etag", object("plain")),
        ("md5-etag", ObjectSpec::new("empty")),
        ("md5-etag", object("gzip").header("content-encoding", "gzip")),
        ("full XXHASH3", xxhash("xxhash3", Xxhash3, "cURBCBSb9Gw=")),
        ("full XXHASH64", xxhash("xxhash64", Xxhash64, "G1s42jSqIkI=").sse("aws:kms")),
        ("full XXHASH128", xxhash("xxhash128", Xxhash128, "AZBWx3b+uXpXWYWQmGQ75g==")),
        // How S3 writes these is not established: the ETag decides where they miss.
        ("md5-etag", xxhash("xxhash-otherwise", Xxhash3, "AAAAAAAAAAA=")),
        (
            "composite CRC32",
            object("composite-even").part_sizes(&[10, 10, 5]).checksum(Crc32, Composite),
        ),
        (
            "composite SHA256",
            object("composite-uneven").part_sizes(&[3, 12, 10]).checksum(Sha256, Composite),
        ),
        ("composite SHA1", object("composite-one").part_sizes(&[25]).checksum(Sha1, Composite)),
        (
            "composite CRC32C",
            object("composite-kms")
                .part_sizes(&[10, 3, 12])
                .sse("aws:kms")
                .checksum(Crc32c, Composite),
        ),
        ("multipart-etag", object("parts-even").part_sizes(&[10, 10, 5])),
        ("multipart-etag", object("parts-alike").part_sizes(&[5, 5, 5, 5, 5])),
        ("multipart-etag", object("parts-uneven").part_sizes(&[10, 3, 12])),
        // The first two would fit parts alike; only the digest shows that they are not.
        ("multipart-etag", object("parts-misleading").part_sizes(&[10, 9, 6])),
        ("multipart-etag", object("parts-one").part_sizes(&[25])),
        (
            // `UpdateObjectEncryption` keeps the ETag, so that an MD5 can stand on a KMS object.
            "md5-etag",
            ObjectSpec { etag: Some(md5_of(TEXT)), ..object("kms-since").sse("aws:kms") },
        ),
    ]
}

fn md5_of(text: &str) -> String {
    use md5::Digest as _;
    hex::encode(md5::Md5::digest(text))
}

/// Kinds that nothing proves.
fn unprovable() -> Vec<ObjectSpec> {
    let parts = |key: &str| object(key).part_sizes(&[10, 10, 5]);
    vec![
        object("kms").sse("aws:kms"),
        object("kms-dsse").sse("aws:kms:dsse"),
        parts("kms-parts").sse("aws:kms"),
    ]
}

/// Trying out conditional deletes on an object of our own reads that twice.
const LOOKS_AT_THE_PROBE: u64 = 2;

#[test]
fn every_kind_of_object_gets_the_strongest_proof_that_s3_holds_and_is_deleted() {
    let kinds = provable();
    let scene = Scene::retiring(world(kinds.iter().map(|(_, spec)| spec.clone())), DELETE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    let proofs = scene.proofs(BUCKET);
    for (expected, spec) in &kinds {
        assert_eq!(proofs.get(&spec.key).map(String::as_str), Some(*expected), "{}", spec.key);
    }
    assert_eq!(scene.deleted_keys().len(), kinds.len());
    scene.assert_deleted_with_care();
    assert_eq!(scene.left(BUCKET), [""; 0]);
}

#[test]
fn what_nothing_proves_is_archived_and_kept_and_named() {
    let objects = unprovable().into_iter().chain([object("plain")]);
    let scene = Scene::retiring(world(objects), DELETE);
    let answer = scene.apply_through_the_gate(BUCKET).exits(0).blames("nothing that S3 holds");
    for spec in unprovable() {
        let key = spec.key;
        assert_eq!(scene.proofs(BUCKET)[&key], "unproven", "{key}");
        assert!(scene.bed.path(&format!("archive/{BUCKET}/data/{key}")).exists(), "{key}");
        assert!(answer.stderr.contains(&key), "{key} is not named: {answer}");
    }
    assert_eq!(scene.deleted_keys(), ["plain"]);
    // What is left is wanted to be left: there is nothing more to do.
    let again = scene.bed.s3plan(["plan", "manifest.toml", "--detailed-exitcode"]);
    again.exits(0).says("nothing to do");
}

#[test]
fn two_downloads_that_agree_stand_in_where_the_manifest_says_so() {
    let outcome = format!(r#"{DELETE}, unprovable = "twice""#);
    let scene = Scene::retiring(world(unprovable()), &outcome);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert!(scene.proofs(BUCKET).values().all(|proof| proof == "twice"));
    let reads = 2 * unprovable().len() as u64 + LOOKS_AT_THE_PROBE;
    assert_eq!(scene.sandbox.witness().count("GetObject"), reads);
    assert_eq!(scene.deleted_keys().len(), unprovable().len());
    scene.assert_deleted_with_care();
}

#[test]
fn a_second_download_that_breaks_off_goes_on_like_the_first() {
    let outcome = format!(r#"{DELETE}, unprovable = "twice""#);
    let scene = Scene::retiring(world(unprovable()), &outcome);
    let cut = Rule::on("GetObject").key("kms").calls(2, 3).then(Effect::CutBody { after: 3 });
    scene.sandbox.add_fault(cut);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert!(scene.proofs(BUCKET).values().all(|proof| proof == "twice"));
    assert_eq!(scene.deleted_keys().len(), unprovable().len());
}

#[test]
fn two_downloads_that_never_agree_prove_nothing() {
    let outcome = format!(r#"{DELETE}, unprovable = "twice""#);
    let scene = Scene::retiring(world(unprovable()), &outcome);
    // Every second GET of this key is another object's bytes.
    for n in (1..20).step_by(2) {
        let rule = Rule::on("GetObject").key("kms").nth(n).then(Effect::FlipBit { offset: 3 });
        scene.sandbox.add_fault(rule);
    }
    let answer = scene.apply().exits(1).blames("two downloads differ");
    assert!(answer.stderr.contains("kms"), "{answer}");
    scene.assert_nothing_lost();
}

#[test]
fn the_size_alone_counts_only_where_the_manifest_takes_that_risk() {
    let outcome = format!(r#"{DELETE}, unprovable = "size""#);
    let scene = Scene::retiring(world(unprovable()), &outcome);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert!(scene.proofs(BUCKET).values().all(|proof| proof == "size-only"));
    assert_eq!(scene.deleted_keys().len(), unprovable().len());
}

#[test]
fn a_flipped_bit_is_found_by_every_proof_and_fetched_anew() {
    let kinds = provable();
    // The MD5 on a KMS object proves by a match and says nothing by a mismatch.
    let kinds = kinds.iter().filter(|(_, spec)| !["empty", "kms-since"].contains(&&*spec.key));
    let world = kinds.clone().fold(
        world(kinds.clone().map(|(_, spec)| spec.clone())),
        |world, (_, spec)| {
            let flip = Effect::FlipBit { offset: 7 };
            world.fault(Rule::on("GetObject").key(&spec.key).nth(1).then(flip))
        },
    );
    let scene = Scene::retiring(world, DELETE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    let proofs = scene.proofs(BUCKET);
    for (expected, spec) in kinds {
        let file = scene.bed.path(&format!("archive/{BUCKET}/data/{}", spec.key));
        let text = std::fs::read_to_string(file).expect("a file");
        assert_eq!(text, TEXT, "{}", spec.key);
        assert_eq!(proofs[&spec.key], *expected, "{}", spec.key);
    }
    scene.assert_deleted_with_care();
}

/// Where S3 holds a checksum of each part, only the bad ones are fetched anew; where that breaks off,
/// only the rest.
#[test]
fn of_a_composite_object_only_the_bad_part_is_fetched_anew() {
    let film = ObjectSpec::sized("film", "3MiB")
        .part_sizes(&[1 << 20, 700_000, 348_576, 1 << 20])
        .checksum(Algorithm::Crc32c, ChecksumKind::Composite);
    let flip = Rule::on("GetObject").nth(1).then(Effect::FlipBit { offset: (1 << 20) + 17 });
    let cut = Rule::on("GetObject").nth(2).then(Effect::CutBody { after: 300_000 });
    for faults in [vec![flip.clone()], vec![flip, cut]] {
        let world = faults.into_iter().fold(world([film.clone()]), World::fault);
        let scene = Scene::retiring(world, DELETE);
        scene.apply_through_the_gate(BUCKET).exits(0);
        assert_eq!(scene.proofs(BUCKET)["film"], "composite CRC32C");
        // The flipped byte does not count as sent.
        let probe = LOOKS_AT_THE_PROBE * 52;
        assert_eq!(scene.sandbox.witness().bytes_sent(), (3 << 20) + 700_000 - 1 + probe);
        assert_eq!(scene.deleted_keys(), ["film"]);
        scene.bed.s3plan(["verify"]).exits(0);
    }

    // A part that stays bad is no proof, however often it is asked for.
    let rotten = Rule::on("GetObject").then(Effect::FlipBit { offset: 17 });
    let scene = Scene::retiring(world([film]).fault(rotten), DELETE);
    scene.apply().exits(1).blames("do not match S3's composite CRC32C");
    scene.assert_nothing_lost();
}

#[test]
fn an_object_that_never_matches_fails_by_name_and_the_others_go_on() {
    let objects = [object("rotten"), object("sound"), object("sound-too")];
    let rot = Rule::on("GetObject").key("rotten").then(Effect::FlipBit { offset: 0 });
    let scene = Scene::retiring(world(objects).fault(rot), DELETE);
    let answer = scene.apply().exits(1).blames("do not match S3's md5-etag");
    assert!(answer.stderr.contains("rotten"), "{answer}");
    let proofs = scene.proofs(BUCKET);
    assert_eq!(proofs.keys().collect::<Vec<_>>(), ["sound", "sound-too"]);
    // No gate opens over a bucket that is not proven, and nothing goes.
    assert_eq!(scene.status(BUCKET)["evidence"], serde_json::Value::Null);
    scene.assert_nothing_lost();
    scene.sandbox.clear_faults();
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.deleted_keys(), ["rotten", "sound", "sound-too"]);
}

#[test]
fn an_unreadable_checksum_falls_to_the_next_rung() {
    let odd = ObjectSpec {
        checksum_value: Some("not base64!".into()),
        ..object("odd").checksum(Algorithm::Sha256, ChecksumKind::FullObject)
    };
    let scene = Scene::retiring(world([odd]), DELETE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.proofs(BUCKET)["odd"], "md5-etag");
}

#[test]
fn a_stored_checksum_that_contradicts_the_bytes_is_corruption() {
    let wrong = ObjectSpec {
        checksum_value: Some("AAAAAA==".into()),
        ..object("wrong").checksum(Algorithm::Crc32, ChecksumKind::FullObject)
    };
    let scene = Scene::retiring(world([wrong, object("sound")]), DELETE);
    scene.apply().exits(1).blames("do not match S3's full CRC32");
    scene.assert_nothing_lost();
}

/// A body that breaks is read on by a range; a range that is another one is not believed.
#[test]
fn a_broken_body_is_resumed_by_exactly_the_range_that_is_missing() {
    let film = || ObjectSpec::sized("film", "2MiB");
    let cut = || Rule::on("GetObject").nth(1).then(Effect::CutBody { after: 300_000 });
    let scene = Scene::retiring(world([film()]).fault(cut()), DELETE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert!(scene.sandbox.witness().bytes_sent() < (2 << 20) + 600_000, "only the rest is fetched");
    assert_eq!(scene.deleted_keys(), ["film"]);
    scene.assert_deleted_with_care();

    let range = Effect::Ask { name: "range".into(), value: Some("bytes=5-9".into()) };
    let wrong = Rule::on("GetObject").calls(2, 3).then(range);
    let scene = Scene::retiring(world([film()]).fault(cut()).fault(wrong), DELETE);
    scene.apply_through_the_gate(BUCKET).exits(0);
    assert_eq!(scene.deleted_keys(), ["film"]);

    let whole = Effect::Ask { name: "range".into(), value: None };
    let wrong = Rule::on("GetObject").calls(2, 100).then(whole);
    let scene = Scene::retiring(world([film()]).fault(cut()).fault(wrong), DELETE);
    scene.apply().exits(1).blames("came");
    scene.assert_nothing_lost();
}

#[test]
fn evidence_tells_two_sets_apart_and_proofs_are_counted() {
    let scene = Scene::retiring(world([object("a"), object("b")]), DELETE);
    scene.apply().exits(3);
    let first = scene.approve(BUCKET);
    // Another object is another set: the old yes opens nothing.
    scene.sandbox.put(BUCKET, "c", b"late");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("3 objects");
    scene.apply().exits(3);
    let second = scene.status(BUCKET)["evidence"].clone();
    assert_ne!(second, first.as_str());
    scene.assert_nothing_lost();
    scene.bed.s3plan(["approve", &format!("{BUCKET}@{first}")]).exits(5).blames("not what was");
    scene.apply().exits(3);
    scene.assert_nothing_lost();
    scene.approve(BUCKET);
    scene.apply().exits(0);
    assert_eq!(scene.deleted_keys(), ["a", "b", "c"]);
}

#[test]
fn approving_other_evidence_on_the_command_line_is_refused() {
    let scene = Scene::retiring(world([object("a")]), DELETE);
    let other = format!("{BUCKET}@0123456789abcdef");
    scene.bed.s3plan(["apply", "--yes", "--approve", &other]).exits(5).blames("what is proven is");
    scene.assert_nothing_lost();
}

/// The approval is good for as long as one likes, the reading back only for a day.
#[test]
fn what_was_read_back_more_than_a_day_ago_is_read_again_before_it_counts() {
    let objects = || [object("a"), object("b"), object("c")];
    let later = |scene: &Scene, hours: u64| {
        let ahead = Duration::from_secs(hours * 3600);
        scene.bed.s3plan_ahead_by(ahead, ["apply", "--yes", "--no-wait"])
    };
    let spoil = |scene: &Scene| {
        scene.apply().exits(3);
        scene.approve(BUCKET);
        // The same size and the same date: only reading it tells.
        let path = scene.bed.path(&format!("archive/{BUCKET}/data/b"));
        let date = std::fs::metadata(&path).and_then(|file| file.modified()).expect("a date");
        std::fs::write(&path, "twenty-five bytes of rust").expect("a file");
        let file = std::fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(date).expect("a date");
    };

    let fresh = Scene::retiring(world(objects()), DELETE);
    spoil(&fresh);
    // Within the day the read-back of a moment ago counts.
    later(&fresh, 23).exits(0);

    let late = Scene::retiring(world(objects()), DELETE);
    spoil(&late);
    let answer = later(&late, 25).exits(1).blames("are not what was proven any more");
    assert!(answer.stderr.contains("\"b\"") || answer.stderr.contains("data/b"), "{answer}");
    late.assert_nothing_lost();
    // The next plan fetches it anew, beside the file that is in its place. The set is the one that
    // was approved, so that nobody is asked again.
    late.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    late.apply().exits(0);
    assert_eq!(late.deleted_keys(), ["a", "b", "c"]);
    let path = late.known(BUCKET).into_iter().find(|row| row.key == "b").and_then(|row| row.path);
    let path = path.expect("a file");
    assert_eq!(late.bed.read(&format!("archive/{BUCKET}/{path}")), TEXT);
}

/// What came is read back while the rest still comes; `verify` finds it done, and counts it.
#[test]
fn files_are_read_back_before_the_download_is_done() {
    let scene = Scene::retiring(world((0..30).map(|n| object(&format!("{n:02}")))), DELETE);
    scene.apply().exits(3);
    let log = audit_log(&scene.bed);
    let done = |action: &str| {
        let action = format!("{BUCKET}/{action}");
        let line = log.iter().find(|line| line["operation"] == "done" && line["action"] == action);
        line.unwrap_or_else(|| panic!("{action} is not done: {log:#?}"))
    };
    let downloaded = done("download")["at"].as_str().expect("a time");
    let downloaded: Timestamp = downloaded.parse().expect("a time");
    for (_, row) in rows_of(&scene) {
        let read = row.stored.and_then(|stored| stored.readback).expect("read back");
        assert!(read.at_ms <= downloaded.as_millisecond(), "{}", row.object.key);
    }
    assert_eq!(done("verify")["count"], 30);
}
