//! A pretend AWS account that speaks real HTTP on a loopback port: S3, and the few answers of STS
//! and IAM that s3plan asks for. For s3plan's tests, its tour and its benchmarks, and to try s3plan
//! by hand without an AWS account.
//!
//! It is meant never to be kinder than AWS: keys in strict byte order, archived objects that cannot
//! be read, conditions that are obeyed, owners and regions that are checked, signatures too.
//!
//! # In a test
//!
//! ```
//! use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, Sandbox, World};
//! use std::time::Duration;
//!
//! let sandbox = Sandbox::start(
//!     World::default().with(
//!         BucketSpec::new("photos")
//!             .text("a.txt", "hello")
//!             .object(ObjectSpec::sized("film", "12MiB").parts("5MiB").class("GLACIER")),
//!     ),
//! );
//! sandbox.add_fault(Rule::on("DeleteObject*").nth(3).then(Effect::answer(503, "SlowDown")));
//! // Run the program under test with `sandbox.env("alice")` as its environment, then:
//! sandbox.advance(Duration::from_secs(12 * 3600));
//! assert!(sandbox.witness().deleted_unserved().is_empty());
//! assert!(sandbox.witness().mutations().is_empty());
//! assert_eq!(sandbox.snapshot()["photos"].keys(), ["a.txt", "film"]);
//! ```
//!
//! # By hand
//!
//! `cargo run -p s3plan-sandbox -- --world world.toml` prints the settings to paste into another
//! shell and runs until Ctrl-C. A process elsewhere can ask and move it under `/_sandbox/`:
//!
//! | request | does |
//! |---|---|
//! | `GET /_sandbox/witness` | everything that the witness can tell; `DELETE` lets it forget |
//! | `GET /_sandbox/clock` | `{"now": …}` |
//! | `POST /_sandbox/clock/advance` `{"seconds": 3600}` | turns the clock |
//! | `POST /_sandbox/faults` a rule, or a list of them | adds rules; `DELETE` forgets all |
//! | `POST /_sandbox/step` a step, or a list of them | moves the world |
//! | `GET /_sandbox/snapshot` | every bucket with every version |
//! | `GET PUT DELETE /_sandbox/objects/BUCKET/KEY` | an object's bytes, past all rules |
//!
//! Rules and steps are in JSON what they are in TOML.
//!
//! # world.toml
//!
//! ```toml
#![doc = include_str!("../tests/full.toml")]
//! ```
//!
//! # Rooms
//!
//! ```text
//!  socket ─► server ─┬─► control                          account ◄── world (world.toml)
//!                    ├─► sts_iam ───────────────────────────►│
//!                    └─► s3s: signature, framing             │
//!                          └─► fault ─► gate ─► s3/* ───────►│ ◄── step (moves behind the back)
//!  socket ◄─ outgoing ◄──────────┘                           │
//!                └─────────────► witness ◄───────────────────┘
//! ```
//!
//! `op` tells which operation a request is, `call` holds it taken apart, `refusal` is how the
//! account says no; `content` and `digest` make bytes, ETags and checksums; `clock` is the time.
//!
//! What is not there: ACLs, lifecycle, replication, requester-pays, directory buckets, event holds.

mod account;
mod bend;
mod call;
mod clock;
mod config_table;
mod content;
mod control;
mod digest;
mod fault;
mod gate;
mod op;
mod outgoing;
mod policy;
mod refusal;
mod s3;
mod sandbox;
mod scope;
mod server;
mod shared;
mod snapshot;
mod step;
mod sts_iam;
mod witness;
mod world;
mod xml;

pub use digest::{Algorithm, ChecksumKind};
pub use fault::{Effect, Rule};
pub use sandbox::Sandbox;
pub use snapshot::{BucketSnapshot, Snapshot, VersionSnapshot};
pub use step::Step;
pub use witness::{Deletion, Pin, Seen, Testimony, Witness};
pub use world::{
    BucketSpec, Decision, Deny, Foresight, Modes, ObjectSpec, PartSizes, RestoreSpec,
    RetentionMode, RetentionSpec, Simulator, Size, UploadSpec, UserKind, UserSpec, Versioning,
    World, WorldError,
};
