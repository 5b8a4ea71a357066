//! A whole job on the sandbox, small and complete: every kind of action but the policy's, in
//! seconds.

use s3plan_sandbox::{BucketSpec, Modes, ObjectSpec, UploadSpec, World};
use serde_json::Value;

use super::bed::TestBed;
use super::scene::Scene;

/// `photos-2019` holds warm and archived objects and an old unfinished upload; `logs-2020` holds
/// two warm ones. Thaws are done at once.
pub fn mixed_world() -> World {
    let upload = UploadSpec {
        initiated: "2024-01-01T00:00:00Z".parse().ok(),
        ..UploadSpec::new("half-a-film")
    };
    World::default()
        .modes(Modes { restore_at_once: true, ..Modes::default() })
        .with(
            BucketSpec::new("photos-2019")
                .text("2019/a.jpg", "first")
                .text("2019/b.jpg", "second")
                .object(ObjectSpec::text("cold/c.jpg", "third").class("GLACIER"))
                .object(ObjectSpec::text("cold/d.jpg", "fourth").class("DEEP_ARCHIVE"))
                .upload(upload),
        )
        .with(BucketSpec::new("logs-2020").text("app.log", "one").text("old.log", "two"))
}

/// Both buckets are archived; one goes, of the other only the objects.
pub const RETIRE_BOTH: &str = r#"
[account]
id = "123456789012"

[bucket."photos-2019"]
archive = { to = "archive/{bucket}", then = "delete-bucket" }

[bucket."logs-2020"]
archive = { to = "archive/{bucket}", then = "delete-objects" }
"#;

/// The mixed world with [`RETIRE_BOTH`] planned.
pub fn planned() -> Scene {
    Scene::new(mixed_world()).planned(RETIRE_BOTH)
}

/// One bucket's row of `status --json`.
#[track_caller]
pub fn status(bed: &TestBed, bucket: &str) -> Value {
    let answer = bed.s3plan(["status", "--json"]).exits(0);
    let rows = answer.json()["buckets"].as_array().cloned().unwrap_or_default();
    let row = rows.into_iter().find(|row| row["bucket"] == bucket);
    row.unwrap_or_else(|| panic!("no row for {bucket}: {answer}"))
}

/// `BUCKET@EVIDENCE` of an open gate.
#[track_caller]
pub fn gate(bed: &TestBed, bucket: &str) -> String {
    let row = status(bed, bucket);
    let evidence = row["evidence"].as_str().unwrap_or_else(|| panic!("no evidence: {row}"));
    format!("{bucket}@{evidence}")
}

/// Opens both gates.
#[track_caller]
pub fn approve_both(bed: &TestBed) {
    for bucket in ["photos-2019", "logs-2020"] {
        bed.s3plan(["approve", &gate(bed, bucket)]).exits(0);
    }
}
