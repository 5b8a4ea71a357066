//! s3plan's sandbox.
mod account;
mod call;
mod clock;
mod content;
mod control;
mod digest;
mod fault;
mod gate;
mod op;
mod outgoing;
mod refusal;
mod s3;
mod sandbox;
mod server;
mod shared;
mod snapshot;
mod step;
mod sts_iam;
mod witness;
mod world;
mod xml;

pub use digest::{Algorithm, ChecksumKind};
pub use fault::{Effect, Rule, Step};
pub use sandbox::Sandbox;
pub use snapshot::{BucketSnapshot, Snapshot, VersionSnapshot};
pub use witness::{Deletion, Pin, Seen, Testimony, Witness};
pub use world::{
    BucketSpec, Deny, Modes, ObjectSpec, PartSizes, RestoreSpec, RetentionMode, RetentionSpec,
    Size, UploadSpec, UserSpec, Versioning, World, WorldError,
};
