//! Facts and progress for the tests of this room.

use std::cell::Cell;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Event, Fact, Tick, WaitingFor};
use crate::model::{
    AccountId, ActionId, ActionKind, BucketName, BucketPhase, BucketStatus, Endpoint, EvidenceId,
    ManifestRef, StatusDoc, Wait,
};
use crate::plan::{Body, Plan, PlanCaller, PlanTransfer};

use super::Now;

/// A clock that moves on four seconds each time it is asked.
pub fn clock() -> Now {
    let now = Cell::new(Timestamp::from_second(1_790_000_000).expect("a time"));
    Box::new(move || {
        let next = now.get() + SignedDuration::from_secs(4);
        now.replace(next)
    })
}

fn action(kind: ActionKind) -> ActionId {
    ActionId::new(&BucketName::new("photos-2019"), kind, 1)
}

/// One event of every kind.
pub fn events() -> Vec<Event> {
    let bucket = || BucketName::new("photos-2019");
    let evidence = || EvidenceId::new("0123456789abcdef").expect("16 digits");
    let at = Timestamp::from_second(1_790_000_000).expect("a time");
    let facts = [
        Fact::RunStarted {
            run: "ab".repeat(32),
            caller_arn: "arn:aws:iam::123456789012:user/alice".into(),
        },
        Fact::Started { action: action(ActionKind::Restore) },
        Fact::Waiting {
            action: action(ActionKind::AwaitRestore),
            on: WaitingFor::Thaw,
            until: Some(at + SignedDuration::from_hours(12)),
        },
        Fact::Done { action: action(ActionKind::Download), objects: 1_200, bytes: 5 << 30 },
        Fact::Done { action: action(ActionKind::AbortUploads), objects: 2, bytes: 0 },
        Fact::Failed {
            action: action(ActionKind::Verify),
            why: "the disk is full".into(),
            retry: true,
        },
        Fact::Stale { bucket: bucket(), why: "1 object is new: b".into() },
        Fact::ObjectFailed {
            bucket: bucket(),
            key: "a\u{1b}[31m\nb".into(),
            version_id: Some("v1".into()),
            why: "CRC64NVME differs".into(),
        },
        Fact::LeftAlone {
            bucket: bucket(),
            key: "late/\u{202e}gpj".into(),
            version_id: None,
            why: "it was overwritten".into(),
        },
        Fact::GateOpened {
            bucket: bucket(),
            evidence: evidence(),
            proofs: [("full CRC64NVME".to_owned(), 1_200), ("md5-etag".to_owned(), 4)].into(),
            caveats: Vec::new(),
        },
        Fact::Approved { bucket: bucket(), evidence: evidence(), by: "alice".into() },
    ];
    let number = |(seq, fact)| Event { seq, at, fact };
    (1u64..).zip(facts).map(number).collect()
}

/// Progress of one download, in five steps.
pub fn ticks() -> Vec<Tick> {
    let tick = |n: u64| Tick {
        action: action(ActionKind::Download),
        objects: n * 1_000,
        of_objects: 12_000,
        bytes: n << 30,
        of_bytes: 12 << 30,
        retries: n,
    };
    (1..=5).map(tick).collect()
}

/// A small plan with every sign in its words.
pub fn plan() -> Plan {
    let words = "\
Account 123456789012 as arn:aws:iam::123456789012:user/alice

photos-2019 (eu-west-1) → /mnt/nas/photos-2019, then delete the bucket
  3 objects, 1.0 GiB: STANDARD 3 (1.0 GiB)
  ! objects without proof are deleted when only their SIZE agrees
  ~ set-policy                                  the manifest locks it
  + download         3 objects, 1.0 GiB         none is on disk
  ? approve                                     3 deletions follow
  ─────────────── no way back from here ───────────────
  - delete-objects   3 objects, 1.0 GiB         at the versions verified

Plan: 3 objects to download (1.0 GiB), 3 objects to delete (1.0 GiB), 1 bucket to delete.
";
    let body = Body {
        account: AccountId::new("123456789012").expect("12 digits"),
        endpoint: Endpoint::Aws,
        caller: PlanCaller {
            arn: "arn:aws:iam::123456789012:user/alice".into(),
            user_id: "AIDAEXAMPLE".into(),
        },
        manifest: ManifestRef { path: "manifest.toml".into(), digest: "cd".repeat(32) },
        prices: String::new(),
        transfer: PlanTransfer::default(),
        buckets: Vec::new(),
        actions: Vec::new(),
    };
    Plan { digest: "ab".repeat(32), words: words.into(), body }
}

/// A status with a bucket that thaws, one that waits for a person and one that failed.
pub fn status() -> StatusDoc {
    let bucket = |name: &str, phase, waiting_for| BucketStatus {
        bucket: BucketName::new(name),
        phase,
        objects: 12_000,
        bytes: 41 << 30,
        downloaded_objects: 1_200,
        verified_objects: 1_000,
        deleted_objects: 0,
        failed_objects: 0,
        waiting_for,
        until: None,
        evidence: None,
        proofs: BTreeMap::new(),
        abandoned_by: None,
        detail: None,
    };
    StatusDoc {
        format: StatusDoc::FORMAT.into(),
        account: AccountId::new("123456789012"),
        run: Some("ab".repeat(32)),
        running: true,
        buckets: vec![
            BucketStatus {
                until: Timestamp::from_second(1_790_000_000 + 43_200).ok(),
                ..bucket("cold", BucketPhase::Restoring, Some(Wait::Thaw))
            },
            BucketStatus {
                evidence: EvidenceId::new("0123456789abcdef"),
                proofs: [("full CRC64NVME".to_owned(), 996), ("md5-etag".to_owned(), 4)].into(),
                ..bucket("photos-2019", BucketPhase::AwaitingApproval, Some(Wait::Approval))
            },
            BucketStatus {
                failed_objects: 3,
                detail: Some("the disk is full".into()),
                ..bucket("logs", BucketPhase::Failed, None)
            },
        ],
    }
}
