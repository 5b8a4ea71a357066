//! The archive as others see it: any key, standard tools, a reader that only knows its description,
//! and the way back into S3.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use aws_sdk_s3::types::StorageClass;
use s3plan_sandbox::{BucketSpec, World};

use crate::support::account::HOME_REGION;
use crate::support::bag::{assert_valid_bag, read_independently, sha256};
use crate::support::bed::TestBed;
use crate::support::scene::{Scene, small_world};
use crate::support::seed::{Bucket, MIB};
use crate::support::servers::{ministack_account, moto_account, moto_python};

const BUCKET: &str = "photos-2019";
const KEEP: &str = r#"then = "keep""#;
const RETIRE: &str = r#"then = "delete-bucket""#;

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
    let scene = Scene::retiring(World::default().with(spec), RETIRE);
    let answer = scene.bed.s3plan(["apply", "--yes"]).exits(3);
    for stream in [&answer.stdout, &answer.stderr] {
        assert!(!stream.contains('\u{1b}'), "a key reached the terminal: {answer}");
    }
    let found = read_independently(&scene.archive(BUCKET));
    let wanted: BTreeMap<String, String> =
        keys.iter().map(|key| (key.clone(), sha256(&content(key)))).collect();
    for (key, sha256) in &wanted {
        assert_eq!(found.get(key), Some(sha256), "{key:?}");
    }
    assert_eq!(found.len(), wanted.len());
    assert!(
        scene.archive(BUCKET).join("data/year=2024/part-0.parquet").is_file(),
        "ordinary keys keep theirs"
    );
    assert_valid_bag(&scene.archive(BUCKET));
    scene.bed.s3plan(["verify"]).exits(0);
    // Each of them can be deleted by its name, too.
    scene.approve(BUCKET);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    assert!(scene.sandbox.snapshot().is_empty());
    // But for an object of its own, on which it tried the server's conditions.
    let unserved = scene.sandbox.witness().deleted_unserved().into_iter();
    let unserved: Vec<_> = unserved.filter(|gone| keys.contains(&gone.pin.key)).collect();
    assert!(unserved.is_empty(), "{unserved:#?}");
    assert_eq!(read_independently(&scene.archive(BUCKET)), wanted);
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
fn verify_needs_nothing_but_the_folder_and_names_all_that_is_wrong() {
    let scene = Scene::retiring(small_world(), KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    // Years later, on another machine.
    let later = TestBed::without_aws();
    let folder = later.path("photos");
    assert!(
        Command::new("cp")
            .arg("-a")
            .arg(scene.archive(BUCKET))
            .arg(&folder)
            .status()
            .expect("cp")
            .success()
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
