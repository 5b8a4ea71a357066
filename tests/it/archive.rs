//! The archive as others see it: any key, standard tools, a reader that only knows its description,
//! and the way back into S3.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use aws_sdk_s3::types::StorageClass;
use s3plan_sandbox::{BucketSpec, ObjectSpec, Step, World};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::account::HOME_REGION;
use crate::support::bag::assert_valid_bag;
use crate::support::bed::TestBed;
use crate::support::scene::{Scene, small_world};
use crate::support::seed::{Bucket, MIB};
use crate::support::servers::{ministack_account, moto_account, moto_python};

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

fn rows(archive: &Path) -> Vec<Value> {
    let text = fs::read_to_string(archive.join("metadata/objects.jsonl")).expect("rows");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn approve(scene: &Scene) {
    let status = scene.bed.s3plan(["status", "--json"]).exits(0).json();
    let evidence = status["buckets"][0]["evidence"].as_str().expect("evidence").to_owned();
    scene.bed.s3plan(["approve", &format!("{BUCKET}@{evidence}")]).exits(0);
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What a reader that knows only the archive's description finds: key → SHA-256.
fn read_independently(archive: &Path) -> BTreeMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/reader.py");
    let output = Command::new("python3").arg(script).arg(archive).output().expect("python3");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Keys that other tools lose, rename, write outside the folder, or show to a terminal.
fn awkward_keys() -> Vec<String> {
    let longest = "y".repeat(1024);
    let (just, over) = ("p".repeat(255), "q".repeat(300));
    let twins = [format!("{over}1"), format!("{over}2")];
    let umlauts = "ü".repeat(512);
    let deep = "d/".repeat(400);
    let empty_parts = "/".repeat(700);
    let mut keys: Vec<String> = [
        "a",
        "a/b",
        "a/b/c",
        "dir/",
        "dir/x",
        "..",
        "../x",
        "../../etc/passwd",
        "x/../y",
        ".",
        "./r",
        "r",
        "/abs",
        "a//b",
        "//",
        "new\nline",
        "ctl\u{1}x",
        "ctl\u{1f}x",
        "del\u{7f}",
        "cr\rx",
        "tab\tx",
        "c1\u{9b}31m",
        "nel\u{85}x",
        "ls\u{2028}x",
        "ps\u{2029}x",
        "rtl\u{202e}gpj.exe",
        "nb\u{fffe}x",
        "a+b",
        "a%2Bb",
        "a b",
        "%41",
        "%0A",
        "%25",
        "^",
        "^^",
        "^41",
        "^e",
        "^d",
        "^versions/x/1",
        "data/^versions/x",
        "a^f",
        "h^h",
        "c^c00000000",
        "=",
        "year=2024/part-0.parquet",
        "back\\slash",
        "trail.",
        "trail..",
        "trail ",
        " lead",
        "trail\u{a0}",
        "trail\u{3000}",
        "mid./x",
        "mid /x",
        "CON",
        "con.txt",
        "nul",
        "NUL.tar.gz",
        "COM1",
        "lpt9.x",
        "com¹",
        "é",
        "e\u{301}",
        "Å",
        "\u{212b}",
        "A\u{30a}",
        "Case",
        "case",
        "CASE",
        "ﬁ",
        "🦀",
        "漢字",
        "<&>\"'",
        "?#*:|",
        "bagit.txt",
        "bag-info.txt",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "metadata/objects.jsonl",
        "metadata/bucket.json",
        "data/x",
        "data",
        ".s3plan-staging/0",
        ".s3plan-lock",
        "~",
        "-rf",
        "--",
        "*",
        "$(touch x)",
        "`x`",
        ";x",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1b}]0;title\u{7}",
        "\u{1b}[2J",
        "\u{feff}bom",
        "zero\u{200b}width",
        " ",
        "\u{3000}",
        "\t",
    ]
    .map(str::to_owned)
    .into();
    keys.extend([just, over, longest, umlauts, deep, empty_parts]);
    keys.extend(twins);
    keys.sort();
    keys.dedup();
    keys
}

/// Keys of few characters, so that files and folders, escapes and marks meet; and of many.
fn random_keys(count: usize) -> BTreeSet<String> {
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        (word >> 33) as usize % below
    };
    let few: Vec<char> = "ab/.^%f0A ".chars().collect();
    let mut keys = BTreeSet::new();
    while keys.len() < count {
        let length = 1 + next(12);
        let wild = next(3) == 0;
        let key: String = (0..length)
            .map(|_| match wild {
                false => few[next(few.len())],
                true => char::from_u32(1 + next(0x3_0000) as u32).unwrap_or('/'),
            })
            .collect();
        keys.insert(key);
    }
    keys
}

#[test]
fn every_key_comes_home_and_any_reader_finds_it() {
    let mut keys: BTreeSet<String> = awkward_keys().into_iter().collect();
    keys.extend(random_keys(3_000));
    let content = |key: &str| match key {
        // A folder of other tools' making has no bytes; this one has some.
        "dir/" => b"a folder with bytes".to_vec(),
        key if key.ends_with('/') => Vec::new(),
        key => format!("the bytes of {key:?}").into_bytes(),
    };
    let spec =
        keys.iter().fold(BucketSpec::new(BUCKET), |spec, key| spec.bytes(key, &content(key)));
    let scene = Scene::new(World::default().with(spec)).planned(&manifest("delete-bucket"));
    let answer = scene.bed.s3plan(["apply", "--yes"]).exits(3);
    for stream in [&answer.stdout, &answer.stderr] {
        assert!(!stream.contains('\u{1b}'), "a key reached the terminal: {answer}");
    }
    let found = read_independently(&to(&scene));
    let wanted: BTreeMap<String, String> =
        keys.iter().map(|key| (key.clone(), sha256(&content(key)))).collect();
    for (key, sha256) in &wanted {
        assert_eq!(found.get(key), Some(sha256), "{key:?}");
    }
    assert_eq!(found.len(), wanted.len());
    assert!(
        to(&scene).join("data/year=2024/part-0.parquet").is_file(),
        "ordinary keys keep theirs"
    );
    assert_valid_bag(&to(&scene));
    scene.bed.s3plan(["verify"]).exits(0);
    // Each of them can be deleted by its name, too.
    approve(&scene);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(scene.sandbox.snapshot().is_empty());
    // But for an object of its own, on which it tried the server's conditions.
    let unserved = scene.sandbox.witness().deleted_unserved().into_iter();
    let unserved: Vec<_> = unserved.filter(|gone| keys.contains(&gone.pin.key)).collect();
    assert!(unserved.is_empty(), "{unserved:#?}");
    assert_eq!(read_independently(&to(&scene)), wanted);
    // Nothing was written beside the archive but its lock.
    let beside: BTreeSet<_> = fs::read_dir(scene.bed.path("archive"))
        .expect("the folder above")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    assert_eq!(beside, [BUCKET.to_owned(), format!("{BUCKET}.s3plan-lock")].into());
}

#[tokio::test]
async fn on_ministack_the_awkward_keys_that_it_takes_come_home_too() {
    let account = ministack_account();
    let refused = |key: &str| {
        key.contains('\u{fffe}')
            || key.trim().is_empty()
            || key.starts_with("data/^")
            || key.len() > 1_000
    };
    let bucket = awkward_keys()
        .iter()
        .filter(|key| !refused(key))
        .enumerate()
        .fold(Bucket::new("archive-awkward", HOME_REGION), |bucket, (n, key)| {
            bucket.single(key, 10 + n, StorageClass::Standard)
        });
    bucket.fill(&account).await;
    let bed = TestBed::on(&account);
    bed.write_manifest(&format!(
        "[account]\nid = \"{}\"\n[bucket.archive-awkward]\narchive = {{ to = \"a\" }}\n",
        account.id
    ));
    bed.s3plan(["plan", "manifest.toml"]).exits(0);
    bed.s3plan(["apply", "--yes"]).exits(0);
    let found = read_independently(&bed.path("a"));
    let wanted: BTreeMap<String, String> =
        bucket.keys().into_iter().map(|key| (key.clone(), sha256(&bucket.content(&key)))).collect();
    assert_eq!(found, wanted);
    assert_valid_bag(&bed.path("a"));
}

#[test]
fn a_bucket_that_is_filled_again_finds_its_place_beside_what_was_there() {
    let scene = Scene::new(small_world()).planned(&manifest("delete-objects"));
    for round in ["first", "second", "third"] {
        if round != "first" {
            for key in ["a.jpg", "b/c.jpg/now-a-folder", "new"] {
                assert!(scene.sandbox.put(BUCKET, key, format!("{round} {key}").as_bytes()));
            }
            scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
        }
        scene.bed.s3plan(["apply", "--yes"]).exits(3);
        approve(&scene);
        scene.bed.s3plan(["apply", "--yes"]).exits(0);
        assert_valid_bag(&to(&scene));
        scene.bed.s3plan(["verify"]).exits(0);
    }
    assert_eq!(fs::read(to(&scene).join("data/a.jpg")).expect("it stays"), b"first");
    let rows = rows(&to(&scene));
    assert_eq!(rows.len(), 3 + 3 + 3, "no row is lost");
    for text in ["first", "second a.jpg", "third a.jpg", "second new", "third new", "second"] {
        let row = rows.iter().find(|row| row["sha256"] == sha256(text.as_bytes()));
        let path = row.unwrap_or_else(|| panic!("no row of {text:?}"))["path"].as_str();
        let file = to(&scene).join(path.expect("a path"));
        assert_eq!(fs::read(&file).expect("a file"), text.as_bytes());
    }
}

#[test]
fn what_changes_or_goes_in_s3_takes_nothing_from_the_archive() {
    let scene = Scene::new(small_world()).planned(&manifest("keep"));
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    scene.sandbox.put(BUCKET, "a.jpg", b"overwritten");
    let gone = Step::Delete { bucket: BUCKET.into(), key: "b/c.jpg".into(), version: None };
    scene.sandbox.step(&gone);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fs::read(to(&scene).join("data/a.jpg")).expect("it stays"), b"first");
    assert_eq!(fs::read(to(&scene).join("data/b/c.jpg")).expect("it stays"), b"second");
    let current = read_independently(&to(&scene));
    assert_eq!(current["a.jpg"], sha256(b"overwritten"));
    assert!(!current.contains_key("b/c.jpg"));
    assert_eq!(rows(&to(&scene)).len(), 4);
    assert_valid_bag(&to(&scene));
    // And back to what it was: the old file is found and taken, not fetched.
    scene.sandbox.put(BUCKET, "a.jpg", b"first");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("1 look present");
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(read_independently(&to(&scene))["a.jpg"], sha256(b"first"));
    assert_valid_bag(&to(&scene));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("nothing to do");
}

/// An archive that is not where it was is no empty folder, however it went.
#[test]
fn an_archive_that_is_not_mounted_is_never_begun_anew() {
    let scene = Scene::new(small_world()).planned(&manifest("delete-objects"));
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    let (here, away) = (to(&scene), scene.bed.path("elsewhere"));
    let refuses = |scene: &Scene| {
        scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("mount");
        assert!(!here.join("bag-info.txt").exists() && !here.join("data").exists());
    };
    fs::rename(&here, &away).expect("unmounted");
    refuses(&scene);
    fs::create_dir(&here).expect("an empty mount point");
    refuses(&scene);
    // Nor by an apply whose plan saw the archive.
    fs::remove_dir(&here).expect("gone");
    fs::rename(&away, &here).expect("mounted");
    scene.sandbox.put(BUCKET, "more", b"more");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    fs::rename(&here, &away).expect("unmounted");
    fs::create_dir(&here).expect("an empty mount point");
    scene.bed.s3plan(["apply", "--yes"]).exits(5).blames("mounted");
    assert_eq!(fs::read_dir(&here).expect("the mount point").count(), 0);
    let _ = fs::remove_file(scene.bed.path(".s3plan/state.redb"));
    scene.bed.s3plan(["apply", "--yes"]).exits(5).blames("mounted");
    assert_eq!(fs::read_dir(&here).expect("the mount point").count(), 0);
    scene.assert_nothing_lost();
}

#[test]
fn an_archive_is_remembered_when_its_objects_are_long_gone() {
    let scene = Scene::new(small_world()).planned(&manifest("delete-objects"));
    scene.bed.s3plan(["apply", "--yes"]).exits(3);
    approve(&scene);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    fs::rename(to(&scene), scene.bed.path("elsewhere")).expect("unmounted");
    scene.sandbox.put(BUCKET, "new", b"new");
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(5).blames("mount");
    // A person who knows better says so.
    scene.bed.s3plan(["state", "reset", BUCKET, "--yes"]).exits(0);
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
}

#[test]
fn two_writers_never_share_an_archive() {
    let scene = Scene::new(small_world()).planned(&manifest("keep"));
    let lock = scene.bed.path(&format!("archive/{BUCKET}.s3plan-lock"));
    fs::create_dir_all(lock.parent().expect("a folder")).expect("the folder above");
    let held = File::create(&lock).expect("the lock file");
    held.lock().expect("locked");
    fs::write(&lock, "pid 4711\nhost nas\nbucket photos-2019\n").expect("says who");
    scene.bed.s3plan(["apply", "--yes"]).exits(6).blames("process 4711 on nas");
    assert!(!to(&scene).exists());
    drop(held);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
}

/// Links, pipes and folders where files go, planted before the run.
#[test]
fn what_was_planted_before_a_run_redirects_nothing_and_hangs_nothing() {
    let scene = Scene::new(small_world()).planned(&manifest("keep"));
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let outside = scene.bed.path("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("secret"), "secret").expect("a file");
    let data = to(&scene).join("data");
    for key in ["link", "pipe", "folder", "through/x", "dev"] {
        scene.sandbox.put(BUCKET, key, key.as_bytes());
    }
    symlink(outside.join("secret"), data.join("link")).expect("a link to a file");
    symlink(&outside, data.join("through")).expect("a link to a folder");
    assert!(Command::new("mkfifo").arg(data.join("pipe")).status().expect("mkfifo").success());
    fs::create_dir(data.join("folder")).expect("a folder");
    // Only root may make a device; elsewhere the name stays free.
    let _ = Command::new("mknod").arg(data.join("dev")).args(["c", "1", "3"]).output();
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert_eq!(fs::read_to_string(outside.join("secret")).expect("it stays"), "secret");
    assert_eq!(fs::read_dir(&outside).expect("the folder").count(), 1, "nothing was written there");
    assert!(fs::metadata(data.join("pipe")).expect("it stays").file_type().is_fifo());
    let found = read_independently(&to(&scene));
    for key in ["link", "pipe", "folder", "through/x", "dev"] {
        assert_eq!(found[key], sha256(key.as_bytes()), "{key}");
    }
    // Once the planted things are gone, all tools agree again.
    for name in ["link", "pipe", "through", "dev"] {
        let _ = fs::remove_file(data.join(name));
    }
    assert_valid_bag(&to(&scene));
    scene.bed.s3plan(["verify"]).exits(0);
}

/// A thread that swaps a folder for a link to another place, again and again.
#[test]
fn what_is_planted_during_a_run_redirects_nothing() {
    let spec = (0..400).fold(BucketSpec::new(BUCKET), |spec, n| {
        spec.text(&format!("d{}/f{n:03}", n % 4), &format!("text {n}"))
    });
    let scene = Scene::new(World::default().with(spec)).planned(&manifest("keep"));
    let outside = scene.bed.path("outside");
    fs::create_dir(&outside).expect("a folder");
    let (data, stop) = (to(&scene).join("data"), AtomicBool::new(false));
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                let at = data.join(format!("d{}", n % 4));
                let aside = data.join(format!("aside{n}"));
                if fs::rename(&at, &aside).is_ok() || data.is_dir() {
                    let _ = symlink(&outside, &at);
                    thread::yield_now();
                    let _ = fs::remove_file(&at);
                    let _ = fs::rename(&aside, &at);
                }
                n += 1;
            }
        });
        let answer = scene.bed.s3plan(["apply", "--yes"]);
        stop.store(true, Ordering::Relaxed);
        answer
    });
    assert!(matches!(answer.code, Some(0 | 1 | 5)), "{answer}");
    assert_eq!(fs::read_dir(&outside).expect("the folder").count(), 0, "nothing left the archive");
    // In peace, the next plan brings home what the quarrel cost.
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let found = read_independently(&to(&scene));
    assert_eq!(found.len(), 400);
    assert_valid_bag(&to(&scene));
}

#[test]
fn verify_needs_nothing_but_the_folder_and_names_all_that_is_wrong() {
    let scene = Scene::new(small_world()).planned(&manifest("keep"));
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    // Years later, on another machine.
    let later = TestBed::without_aws();
    let folder = later.path("photos");
    assert!(
        Command::new("cp").arg("-a").arg(to(&scene)).arg(&folder).status().expect("cp").success()
    );
    let verify = |args: &[&str]| later.s3plan([&["verify", "photos"], args].concat());
    verify(&[]).exits(0).says("3 files read back");
    verify(&["--quick"]).exits(0);
    fs::write(folder.join("data/a.jpg"), "fIrst").expect("another file");
    fs::remove_file(folder.join("data/empty")).expect("gone");
    fs::write(folder.join("data/stranger\u{1b}[2J"), "x").expect("one more");
    let answer = verify(&[]).exits(1);
    let answer = answer.says("data/a.jpg").says("WRONG").says("data/empty").says("MISSING");
    let answer = answer.says("stranger").says("EXTRA");
    assert!(!answer.stdout.contains('\u{1b}'), "a name reached the terminal");
    verify(&["--quick"]).exits(1).says("TOUCHED").says("MISSING").says("EXTRA");
}

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// A setting: the name that the sandbox has for it, its name in bucket.json, its document, and a
/// word that has to arrive.
const SETTINGS: [(&str, &str, &str, &str); 13] = [
    (
        "tagging",
        "tagging",
        "<Tagging><TagSet><Tag><Key>team</Key><Value>w-tag</Value></Tag></TagSet></Tagging>",
        "w-tag",
    ),
    (
        "lifecycle",
        "lifecycle",
        "<LifecycleConfiguration><Rule><ID>w-life</ID><Status>Enabled</Status><Filter/><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>",
        "w-life",
    ),
    (
        "cors",
        "cors",
        "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://w-cors</AllowedOrigin></CORSRule></CORSConfiguration>",
        "https://w-cors",
    ),
    (
        "website",
        "website",
        "<WebsiteConfiguration><IndexDocument><Suffix>w-site.html</Suffix></IndexDocument></WebsiteConfiguration>",
        "w-site.html",
    ),
    (
        "encryption",
        "encryption",
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>w-key</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
        "w-key",
    ),
    (
        "acl",
        "acl",
        "<AccessControlPolicy><Owner><ID>w-owner</ID></Owner><AccessControlList/></AccessControlPolicy>",
        "w-owner",
    ),
    (
        "logging",
        "logging",
        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>w-logs</TargetBucket><TargetPrefix/></LoggingEnabled></BucketLoggingStatus>",
        "w-logs",
    ),
    (
        "notification",
        "notification",
        "<NotificationConfiguration><TopicConfiguration><Id>w-topic</Id><Topic>arn:aws:sns:us-east-1:123456789012:t</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration></NotificationConfiguration>",
        "w-topic",
    ),
    (
        "replication",
        "replication",
        "<ReplicationConfiguration><Role>w-role</Role><Rule><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::x</Bucket></Destination></Rule></ReplicationConfiguration>",
        "w-role",
    ),
    (
        "ownershipControls",
        "ownership",
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
        "ObjectWriter",
    ),
    (
        "publicAccessBlock",
        "public_access_block",
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
        "BlockPublicAcls",
    ),
    (
        "requestPayment",
        "request_payment",
        "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
        "Requester",
    ),
    (
        "accelerate",
        "accelerate",
        "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
        "Enabled",
    ),
];

#[test]
fn everything_that_s3_says_of_a_bucket_and_its_objects_is_kept() {
    let full = ObjectSpec::sized("full", "11MiB")
        .parts("5MiB")
        .header("content-type", "video/quicktime")
        .header("content-language", "de")
        .header("content-encoding", "identity")
        .header("content-disposition", "inline")
        .header("cache-control", "no-store")
        .header("expires", "Thu, 01 Jan 2032 00:00:00 GMT")
        .header("x-amz-website-redirect-location", "/elsewhere")
        .metadata("camera", "Bolex")
        .tag("year", "2019")
        .legal_hold()
        .checksum(s3plan_sandbox::Algorithm::Crc32c, s3plan_sandbox::ChecksumKind::Composite);
    let spec = SETTINGS
        .iter()
        .fold(BucketSpec::new(BUCKET).object_lock().policy(POLICY), |spec, (name, _, xml, _)| {
            spec.config(name, xml)
        })
        .object(full)
        .text("plain", "plain");
    let scene = Scene::new(World::default().with(spec)).planned(&manifest("keep"));
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let bucket: Value = serde_json::from_slice(
        &fs::read(to(&scene).join("metadata/bucket.json")).expect("the bucket's record"),
    )
    .expect("JSON");
    assert_eq!(bucket["region"], "us-east-1");
    assert_eq!(bucket["policy"], POLICY);
    assert!(bucket["versioning"].to_string().contains("Enabled"), "{bucket}");
    assert!(bucket["object_lock"].to_string().contains("Enabled"), "{bucket}");
    for (_, name, _, word) in SETTINGS {
        assert!(bucket[name].to_string().contains(word), "{name}: {}", bucket[name]);
    }
    let rows = rows(&to(&scene));
    let row = &rows[0];
    for (field, wanted) in [
        ("key", json!("full")),
        ("current", json!(true)),
        ("size", json!(11 * MIB)),
        ("content_type", json!("video/quicktime")),
        ("content_language", json!("de")),
        ("content_encoding", json!("identity")),
        ("content_disposition", json!("inline")),
        ("cache_control", json!("no-store")),
        ("expires", json!("Thu, 01 Jan 2032 00:00:00 GMT")),
        ("website_redirect", json!("/elsewhere")),
        ("metadata", json!({"camera": "Bolex"})),
        ("tags", json!({"year": "2019"})),
        ("part_sizes", json!([5 * MIB, 5 * MIB, MIB])),
        ("checksum_type", json!("COMPOSITE")),
        ("legal_hold", json!(true)),
        ("encryption", json!("AES256")),
        ("in_s3", json!(true)),
        ("last_modified", json!("2024-01-01T00:00:00Z")),
    ] {
        assert_eq!(row[field], wanted, "{field}");
    }
    assert!(row["checksums"]["CRC32C"].as_str().is_some_and(|sum| sum.ends_with("-3")), "{row}");
    assert!(row["version_id"].is_string() && row["proof"]["kind"].is_string(), "{row}");
    let modified = fs::metadata(to(&scene).join("data/full")).and_then(|m| m.modified());
    let since =
        modified.expect("a time").duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    assert_eq!(since.as_secs(), 1_704_067_200, "the file's time is the object's");
}

/// The README's recipe, word for word, into an empty bucket.
#[tokio::test]
async fn on_moto_the_readmes_recipe_puts_an_archive_back() {
    let account = moto_account();
    let source = ["a//b", "dir/", "nul.txt", "trail.", "what?", "é", "e\u{301}", "plain/x"]
        .iter()
        .enumerate()
        .fold(Bucket::new("recipe-source", HOME_REGION), |bucket, (n, key)| {
            bucket.single(key, n, StorageClass::Standard)
        })
        .multipart("film", 11 * MIB, StorageClass::Standard);
    source.fill(&account).await;
    let s3 = account.s3(HOME_REGION);
    let put = s3.put_object().bucket("recipe-source").key("dressed").body(b"x".to_vec().into());
    let put = put.content_type("text/x-poem").cache_control("no-store").metadata("who", "me");
    put.tagging("year=2019&a%20b=c%3Dd").send().await.expect("an object");

    let bed = TestBed::on(&account);
    let archive_it = || {
        bed.s3plan(["plan", "manifest.toml"]).exits(0);
        bed.s3plan(["apply", "--yes"]).exits(0);
    };
    bed.write_manifest(&format!(
        "[account]\nid = \"{}\"\n[bucket.recipe-source]\narchive = {{ to = \"archive\" }}\n",
        account.id
    ));
    archive_it();
    // One that was overwritten since: the newest comes back, not the file that was there first.
    let again = s3.put_object().bucket("recipe-source").key("plain/x");
    again.body(b"newer".to_vec().into()).send().await.expect("an object");
    archive_it();

    s3.create_bucket().bucket("recipe-target").send().await.expect("a bucket");
    bed.write("put_back.py", &recipe());
    let mut python = Command::new(moto_python());
    python.args(["put_back.py", "archive", "recipe-target"]).current_dir(bed.project());
    let output = python.env_clear().envs(account.env()).output().expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut keys = source.keys();
    keys.insert("dressed".to_owned());
    let listed = s3.list_objects_v2().bucket("recipe-target").send().await.expect("a listing");
    let listed: BTreeSet<String> =
        listed.contents().iter().filter_map(|o| o.key().map(str::to_owned)).collect();
    assert_eq!(listed, keys);
    for key in source.keys() {
        let got =
            s3.get_object().bucket("recipe-target").key(&key).send().await.expect("an object");
        let bytes = got.body.collect().await.expect("whole").into_bytes();
        match key.as_str() {
            "plain/x" => assert_eq!(&bytes[..], b"newer"),
            key => assert!(bytes == source.content(key), "{key:?}"),
        }
    }
    let head =
        s3.head_object().bucket("recipe-target").key("dressed").send().await.expect("a head");
    assert_eq!(head.content_type(), Some("text/x-poem"));
    assert_eq!(head.cache_control(), Some("no-store"));
    assert_eq!(head.metadata().and_then(|m| m.get("who")).map(String::as_str), Some("me"));
    let tags = s3.get_object_tagging().bucket("recipe-target").key("dressed").send().await;
    let tags: BTreeMap<String, String> = tags
        .expect("tags")
        .tag_set()
        .iter()
        .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
        .collect();
    assert_eq!(tags, [("year", "2019"), ("a b", "c=d")].map(|(k, v)| (k.into(), v.into())).into());
}

/// The code of the recipe as it stands in the README.
fn recipe() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    let from = readme.find("# python3 put_back.py").expect("the recipe");
    let code = &readme[from..];
    code[..code.find("```").expect("its end")].to_owned()
}
