//! The tour: the whole life of a bucket, from `s3plan info` to an archive and no bucket, in seconds.
//!
//! ```text
//! cargo run --release --example tour
//! ```
//!
//! Needs neither an AWS account nor the network: a pretend account (`tests/sandbox/`) answers on a
//! loopback port, with a clock that the tour turns while Glacier thaws. Everything else is real: each
//! `$ s3plan …` below is a process of its own that speaks HTTP to it. After each step the tour looks
//! for itself whether that held, and it exits with 0 only if all of it did.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tour is there to be read")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, PipeReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use s3plan_sandbox::{
    Algorithm, BucketSpec, ChecksumKind, Effect, ObjectSpec, Rule, Sandbox, World,
};
use serde_json::Value;
use tempfile::TempDir;

/// The first argument that turns this program into s3plan itself.
const AS_S3PLAN: &str = "as-s3plan";

/// How many downloads are answered before apply is killed.
const ANSWERED: u64 = 20;

/// The bucket that is retired. Another one, `website`, must not be touched.
const BUCKET: &str = "photos-2019";

type Told<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_else(|| "s3plan".into());
    let args: Vec<OsString> = args.collect();
    if args.first().is_some_and(|first| first == AS_S3PLAN) {
        return s3plan::cli::run([program].into_iter().chain(args.into_iter().skip(1)));
    }
    let start = Instant::now();
    match tour() {
        Ok(()) => {
            println!("All of it held, in {:.1} seconds.", start.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("\nThe tour ends here: {why}");
            ExitCode::FAILURE
        }
    }
}

fn tour() -> Told {
    let tour = Tour::new()?;
    let account = &tour.sandbox;
    let (put, others) = (tour.objects(), account.snapshot()["website"].clone());

    title("Who am I, and what is there?");
    let said = tour.s3plan("info", 0)?;
    ensure(said.contains(BUCKET) && said.contains("website"), "info shows both buckets")?;

    title("A manifest says what shall become of a bucket");
    tour.s3plan(&format!("init {BUCKET}"), 0)?;
    say("It keeps everything. We want the bucket gone, so we edit it. Without its comments:");
    println!("$ cat manifest.toml");
    println!("{}", tour.edit_manifest(r#"then = "keep""#, r#"then = "delete-bucket""#)?);

    title("The plan says what that takes, and changes nothing");
    tour.s3plan("plan manifest.toml", 0)?;
    ensure(tour.path("plans/manifest.plan.toml").exists(), "the plan is a file to review")?;
    ensure(account.witness().mutations().is_empty(), "a plan sends nothing but reads")?;
    ensure(!tour.path("archive").exists(), "a plan leaves the disk alone")?;

    title("apply does that, and can be killed at any time");
    tour.kill_in_the_middle("apply --yes --no-wait")?;
    say("The same command goes on where it stood. Half of the objects are in Glacier, which
takes up to 48 hours; with --no-wait apply does not stay for that.");
    let said = tour.s3plan("apply --yes --no-wait", 3)?;
    ensure(said.contains("Glacier"), "apply says that it waits for Glacier")?;
    tour.s3plan("status", 0)?;

    title("48 hours later");
    account.advance(Duration::from_secs(48 * 3600));
    tour.s3plan("apply --yes", 3)?;
    let cold = put.keys().filter(|key| key.starts_with("raw/")).count() as u64;
    let asked = account.witness().count("RestoreObject");
    ensure(asked == cold, "killed and resumed, apply asked for each restore once")?;
    say("Everything is on disk, proven and sealed. --yes was a yes to the plan, and does not
open the gate to a deletion: that takes an approval of exactly this evidence.");
    tour.s3plan("status", 0)?;
    let row = tour.status()?;
    ensure(row["phase"] == "awaiting-approval", "the bucket waits for a person")?;
    ensure(row["verified_objects"] == put.len(), "every object is proven")?;
    ensure(tour.objects() == put, "the bucket still has every object")?;

    title("A person approves, and the rest is done");
    let evidence = row["evidence"].as_str().ok_or("status names no evidence")?;
    tour.s3plan(&format!("approve {BUCKET}@{evidence}"), 0)?;
    println!();
    tour.s3plan("apply --yes", 0)?;
    let after = account.snapshot();
    ensure(!after.contains_key(BUCKET), "the bucket is gone")?;
    ensure(after["website"] == others, "the other bucket is as it was")?;
    // Apply also deletes an object of its own, on which it tried what the server does.
    let mut lost = account.witness().deleted_unserved();
    lost.retain(|gone| put.contains_key(&gone.pin.key));
    ensure(lost.is_empty(), "nothing was deleted that had not been served whole")?;

    title("Nothing is left to do");
    let said = tour.s3plan("plan manifest.toml --detailed-exitcode", 0)?;
    ensure(said.contains("nothing to do"), "a second plan is empty")?;

    title("The archive needs no s3plan");
    tour.sha256sum()?;
    println!();
    tour.s3plan("verify", 0)?;
    tour.compare(&put)?;
    say(&format!("Each of the {} files is, byte for byte, the object that was in S3.", put.len()));
    Ok(())
}

/// A pretend account, and the folder of a project that is about it.
struct Tour {
    sandbox: Sandbox,
    folder: TempDir,
}

impl Tour {
    fn new() -> Told<Self> {
        let photos = BucketSpec::new(BUCKET)
            .region("eu-west-1")
            .object(ObjectSpec::sized("2019/{n}.jpg", "64KiB").count(40))
            .object(ObjectSpec::sized("raw/{n}.nef", "256KiB").count(40).class("DEEP_ARCHIVE"))
            .object(
                ObjectSpec::sized("film.mov", "24MiB")
                    .parts("8MiB")
                    .checksum(Algorithm::Crc32, ChecksumKind::Composite),
            )
            // Keys that no folder can hold as they are.
            .text("album", "beside a folder of that name")
            .text("album/../what next?.txt", "not outside of the archive");
        let website = BucketSpec::new("website").text("index.html", "<h1>Hello</h1>");
        let world = World { account_alias: Some("acme".into()), ..World::default() }
            .default_checksum(Algorithm::Crc64nvme)
            .with(photos)
            .with(website);
        let folder = tempfile::Builder::new().prefix("s3plan-tour-").tempdir()?;
        Ok(Self { sandbox: Sandbox::start(world), folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Every object of the bucket with its bytes, past all rules of the account.
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let snapshot = self.sandbox.snapshot();
        let keys = snapshot[BUCKET].keys();
        let content = |key: &&str| self.sandbox.content(BUCKET, key, None).unwrap_or_default();
        keys.iter().map(|key| (key.to_string(), content(key))).collect()
    }

    /// Starts s3plan as a process of its own, in the project and as a user of the account.
    fn start(&self, args: &str) -> Told<(Child, BufReader<PipeReader>)> {
        let (reader, writer) = std::io::pipe()?;
        let child = Command::new(std::env::current_exe()?)
            .arg(AS_S3PLAN)
            .args(args.split(' '))
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .envs(self.sandbox.env("alice"))
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        Ok((child, BufReader::new(reader)))
    }

    /// Runs s3plan to its end, shows what it says, and goes on only if it ends with this code.
    fn s3plan(&self, args: &str, code: i32) -> Told<String> {
        println!("$ s3plan {args}");
        let (mut child, output) = self.start(args)?;
        let mut said = String::new();
        for line in output.lines() {
            let line = line?;
            println!("{line}");
            said.push_str(&line);
            said.push('\n');
        }
        let ended = child.wait()?;
        ensure(ended.code() == Some(code), &format!("`s3plan {args}` ends with {code}: {ended}"))?;
        Ok(said)
    }

    /// An apply whose downloads come to a halt, so that it is surely killed in the middle of them.
    fn kill_in_the_middle(&self, args: &str) -> Told {
        let rest = Rule::on("GetObject").calls(ANSWERED + 1, u64::MAX);
        self.sandbox.add_fault(rest.then(Effect::Silence));
        println!("$ s3plan {args}");
        let (mut child, output) = self.start(args)?;
        let halted = || self.sandbox.witness().count("GetObject") >= ANSWERED;
        let start = Instant::now();
        while !halted() && child.try_wait()?.is_none() && start.elapsed().as_secs() < 60 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let at_work = halted() && child.try_wait()?.is_none();
        child.kill()?;
        child.wait()?;
        for line in output.lines() {
            println!("{}", line?);
        }
        println!("Killed");
        self.sandbox.clear_faults();
        ensure(at_work, "apply was killed in the middle of its downloads")
    }

    /// The bucket's row of `s3plan status --json`.
    fn status(&self) -> Told<Value> {
        let (mut child, output) = self.start("status --json")?;
        let document: Value = serde_json::from_reader(output)?;
        child.wait()?;
        Ok(document["buckets"][0].clone())
    }

    /// Changes the manifest; the answer is what it says without comments and empty lines.
    fn edit_manifest(&self, from: &str, to: &str) -> Told<String> {
        let path = self.path("manifest.toml");
        let mut text = fs::read_to_string(&path)?;
        let place = text.rfind(from).ok_or("the manifest has what we want to change")?;
        text.replace_range(place..place + from.len(), to);
        fs::write(&path, &text)?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end());
        Ok(lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
    }

    fn archive(&self) -> PathBuf {
        self.path("archive").join(BUCKET)
    }

    /// Lets the system's own tool judge the archive.
    fn sha256sum(&self) -> Told {
        let check = |program: &str, args: &[&str]| {
            let args = args.iter().chain(&["-c", "manifest-sha256.txt"]);
            Command::new(program).args(args).current_dir(self.archive()).output()
        };
        // macOS has the same under another name.
        let output = check("sha256sum", &[]).or_else(|_| check("shasum", &["-a", "256"]))?;
        println!("$ cd archive/{BUCKET} && sha256sum -c manifest-sha256.txt");
        let said = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = said.lines().collect();
        for line in lines.iter().take(3) {
            println!("{line}");
        }
        println!("  … {} more lines", lines.len().saturating_sub(3));
        let sound = output.status.success() && lines.iter().all(|line| line.ends_with(": OK"));
        ensure(sound && !lines.is_empty(), "sha256sum finds every file as recorded")
    }

    /// Compares every object that was in the bucket with the file that the archive has for its key.
    fn compare(&self, put: &BTreeMap<String, Vec<u8>>) -> Told {
        let record = fs::read_to_string(self.archive().join("metadata/objects.jsonl"))?;
        let mut paths = BTreeMap::new();
        for line in record.lines() {
            let row: Value = serde_json::from_str(line)?;
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            paths.insert(text("key"), text("path"));
        }
        ensure(paths.len() == put.len(), "the archive's record names every object")?;
        for (key, bytes) in put {
            let path = paths.get(key).ok_or_else(|| format!("{key} is in the record"))?;
            let file = fs::read(self.archive().join(Path::new(path)))?;
            ensure(&file == bytes, &format!("{path} is what {key} was"))?;
        }
        Ok(())
    }
}

fn title(words: &str) {
    println!("\n── {words} {}\n", "─".repeat(84_usize.saturating_sub(words.chars().count())));
}

/// What a guide would say.
fn say(words: &str) {
    println!("\n{words}\n");
}

/// Goes on only if this is so.
fn ensure(so: bool, what: &str) -> Told {
    if so { Ok(()) } else { Err(format!("this does not hold: {what}").into()) }
}
