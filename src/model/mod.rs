//! The nouns that cross doors between rooms: names, objects, what is wanted, what was seen, what is
//! to be done. One noun a file.
//!
//! No I/O, no async, no clock: every type here can be built in a test by hand.

pub mod action;
pub mod caller;
pub mod change;
pub mod counted;
pub mod demand;
pub mod desired;
pub mod evidence;
pub mod filter;
pub mod fingerprint;
pub mod headers;
pub mod money;
pub mod name;
pub mod object;
pub mod observed;
pub mod pace;
pub mod place;
pub mod policy;
pub mod proof;
pub mod reason;
pub mod record;
pub mod restore;
pub mod rollup;
pub mod selection;
pub mod status;

pub use action::{Action, ActionGraph, ActionId, ActionKind, Bytes, ObjectRange, Takes};
pub use caller::{Caller, CallerKind, Endpoint};
pub use change::{Change, Wave};
pub use counted::{counted, grouped};
pub use demand::{DeleteDemand, Demand, Demands};
pub use desired::{
    AfterArchive, Desired, DesiredArchive, DesiredBucket, DesiredPolicy, Limits, LockMode, LockTo,
    ManifestRef, PolicySource, Transfer, UnconditionalDeletes, Unprovable, VersionsWanted,
};
pub use evidence::EvidenceId;
pub use filter::{BadGlob, KeyFilter};
pub use fingerprint::{Fingerprint, Fingerprinting};
pub use headers::ObjectHeaders;
pub use money::Usd;
pub use name::{AccountId, BucketName, ETag, Number};
pub use object::{ChecksumType, ObjectVersion, ProofForecast, Standing, StorageClass, Thaw};
pub use observed::{
    Count, Destination, FoundAt, Mfa, Named, ObjectLock, Observed, ObservedBucket, SeenBucket,
    Stretch, Tally, UploadInProgress, Versioning,
};
pub use place::absolute;
pub use policy::{Identity, PolicyChange, PolicyWish, WantedDocument};
pub use proof::{Proof, ProofKind};
pub use reason::Reason;
pub use record::{ActionRecord, ApprovalRecord, BucketRecord, Ending, Record, Total};
pub use restore::{KeepDays, RestoreWish, Tier};
pub use rollup::Folders;
pub use selection::Selection;
pub use status::{BucketPhase, BucketStatus, StatusDoc, Wait};
