//! The room's promises, one test each.

mod damage;
mod inventories;
mod life;
mod model;
mod powercut;

use std::path::Path;

use super::{Mark, Open, Readback, ReadbackKind, State, StateError, Stored};
use crate::model::{
    BucketName, ETag, Fingerprint, ObjectHeaders, ObjectVersion, Proof, ProofKind, Standing,
    StorageClass, Thaw,
};

pub(super) fn open(folder: &Path) -> State {
    State::open(folder, None, Open::Write { holder: "a test" }).expect("opens")
}

pub(super) fn reopen(folder: &Path, how: Open<'_>) -> Result<State, StateError> {
    State::open(folder, None, how)
}

pub(super) fn bucket() -> BucketName {
    BucketName::new("photos")
}

pub(super) fn object(key: &str) -> ObjectVersion {
    ObjectVersion {
        key: key.to_owned(),
        version_id: None,
        standing: Standing::Current,
        delete_marker: false,
        etag: ETag::new("d41d8cd98f00b204e9800998ecf8427e"),
        size: 10,
        last_modified_ms: 1_600_000_000_123,
        class: StorageClass::new("GLACIER"),
        thaw: Thaw::NotAsked,
        checksums: vec!["CRC64NVME".into()],
        checksum_type: None,
    }
}

pub(super) fn stored(key: &str, size: u64) -> Stored {
    Stored {
        path: format!("data/{key}"),
        sha256: [7; 32],
        fingerprint: Fingerprint([8; 16]),
        size,
        mtime_ns: 1_600_000_000_123_000_000,
        proof: Proof {
            kind: ProofKind::FullChecksum("CRC64NVME".into()),
            expected: "AAAAAAAAAAA=".into(),
            actual: "AAAAAAAAAAA=".into(),
        },
        readback: None,
    }
}

pub(super) fn readback() -> Readback {
    Readback { kind: ReadbackKind::Medium, at_ms: 1_700_000_000_000 }
}

pub(super) fn plan_row(digest: &str) -> super::PlanRow {
    super::PlanRow {
        digest: digest.to_owned(),
        manifest: "manifest.toml".to_owned(),
        outline: serde_json::json!({ "buckets": 1 }),
    }
}

pub(super) fn headers(kind: &str) -> ObjectHeaders {
    ObjectHeaders { content_type: Some(kind.to_owned()), ..ObjectHeaders::default() }
}

pub(super) fn list(state: &State, objects: &[ObjectVersion]) -> super::Inventory {
    let mut writer = state.begin_inventory(&bucket()).expect("begins");
    for object in objects {
        writer.push(object).expect("pushes");
    }
    writer.finish(1).expect("finishes")
}

pub(super) fn has(state: &State, number: u64, mark: Mark) -> bool {
    state.row(&bucket(), number).expect("reads").expect("is there").marks.has(mark)
}
