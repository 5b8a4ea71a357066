//! A bucket's way from a manifest to its end, told step by step on the sandbox.

use std::collections::BTreeMap;
use std::path::PathBuf;

use s3plan_sandbox::{Deletion, World};
use serde_json::Value;

use super::bed::Answer;
use super::scene::Scene;

/// What the state says of one object version.
#[derive(Clone, Debug)]
pub struct Known {
    pub key: String,
    pub version_id: Option<String>,
    pub etag: String,
    pub path: Option<String>,
    pub sha256: Option<String>,
    pub proof: Option<String>,
    pub marker: bool,
}

impl Scene {
    /// A world with its one bucket's outcome planned; `outcome` stands behind `to` in `archive`.
    pub fn retiring(world: World, outcome: &str) -> Self {
        let manifest = manifest_of(&world, outcome);
        Self::new(world).planned(&manifest)
    }

    /// Where a bucket's archive is.
    pub fn archive(&self, bucket: &str) -> PathBuf {
        self.bed.path(&format!("archive/{bucket}"))
    }

    /// Applies without ever waiting.
    pub fn apply(&self) -> Answer {
        self.bed.s3plan(["apply", "--yes", "--no-wait"])
    }

    /// One bucket's row of `status --json`.
    #[track_caller]
    pub fn status(&self, bucket: &str) -> Value {
        let answer = self.bed.s3plan(["status", "--json"]).exits(0);
        let rows = answer.json()["buckets"].as_array().cloned().unwrap_or_default();
        let row = rows.into_iter().find(|row| row["bucket"] == bucket);
        row.unwrap_or_else(|| panic!("no row for {bucket}: {answer}"))
    }

    /// Says yes to what the gate of this bucket shows, and gives the evidence.
    #[track_caller]
    pub fn approve(&self, bucket: &str) -> String {
        let row = self.status(bucket);
        let evidence = row["evidence"].as_str().unwrap_or_else(|| panic!("no evidence: {row}"));
        self.bed.s3plan(["approve", &format!("{bucket}@{evidence}")]).exits(0);
        evidence.to_owned()
    }

    /// Applies up to the gate, says yes, and applies again.
    #[track_caller]
    pub fn apply_through_the_gate(&self, bucket: &str) -> Answer {
        self.apply().exits(3);
        self.approve(bucket);
        self.apply()
    }

    /// What the state knows of each object version.
    pub fn known(&self, bucket: &str) -> Vec<Known> {
        let answer = self.bed.s3plan(["state", "show", bucket, "--json"]).exits(0);
        let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
        let known = |line: &str| {
            let row: Value = serde_json::from_str(line).expect("a line of JSON");
            Known {
                key: text(&row, "key").expect("a key"),
                version_id: text(&row, "version_id"),
                etag: text(&row, "etag").unwrap_or_default(),
                path: text(&row, "path"),
                sha256: text(&row, "sha256"),
                proof: text(&row, "proof"),
                marker: row["delete_marker"] == true,
            }
        };
        answer.stdout.lines().map(known).collect()
    }

    /// How each object that is in the archive was proven, by key.
    pub fn proofs(&self, bucket: &str) -> BTreeMap<String, String> {
        let known = self.known(bucket).into_iter();
        known.filter_map(|row| Some((row.key, row.proof?))).collect()
    }

    /// The keys and versions that are left in a bucket, as `key@version`; a marker has a `!`.
    pub fn left(&self, bucket: &str) -> Vec<String> {
        let snapshot = self.sandbox.snapshot();
        let versions = snapshot.get(bucket).map(|bucket| bucket.versions.as_slice());
        let told = versions.unwrap_or_default().iter().map(|version| {
            let sign = if version.delete_marker { "!" } else { "" };
            format!("{}@{}{sign}", version.key, version.version_id)
        });
        told.collect()
    }

    /// What was deleted, the program's own probe objects left out.
    pub fn deletions(&self) -> Vec<Deletion> {
        let mut deletions = self.sandbox.witness().deletions();
        deletions.retain(|gone| !gone.pin.key.starts_with(".s3plan-delete-probe-"));
        deletions
    }

    /// The keys of what was deleted, in order.
    pub fn deleted_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> =
            self.deletions().into_iter().map(|deletion| deletion.pin.key).collect();
        keys.sort();
        keys
    }

    /// Every deleted object was served whole, and its delete named its version or its ETag.
    #[track_caller]
    pub fn assert_deleted_with_care(&self) {
        for gone in self.deletions().iter().filter(|gone| !gone.marker) {
            assert!(gone.served_whole, "deleted without having been served: {gone:?}");
            assert!(gone.is_pinned(), "deleted without a condition: {gone:?}");
        }
    }
}

/// A manifest that gives every bucket of a world the same outcome.
pub fn manifest_of(world: &World, outcome: &str) -> String {
    let tables = world.buckets.keys().map(|name| {
        format!("\n[bucket.\"{name}\"]\narchive = {{ to = \"archive/{{bucket}}\", {outcome} }}\n")
    });
    format!("[account]\nid = \"{}\"\n{}", world.account, tables.collect::<String>())
}
