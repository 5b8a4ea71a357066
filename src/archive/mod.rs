//! The archive on disk: which path a key has, how files become durable, the bag, reading back.
//!
//! In: bytes, keys, rows. Out: a folder that is a BagIt 1.0 bag and that only grows. Blocking: this
//! room runs on threads of its own, never on the runtime's.
//!
//! Promises: nothing is written outside the folder, and no link, pipe or device inside it is
//! followed or waited for; a file is under its final name only when it is whole and durable; a file
//! that is there is never overwritten or removed; two writers never share an archive; a folder that
//! is no archive, or another bucket's, is never written to.
//!
//! What is written where, and what it proves, is left to others. Linux in full; elsewhere as well
//! as the system allows (one sync a file, and a read-back that may come from memory).

mod adopt;
pub mod bag;
mod beneath;
mod error;
pub mod keymap;
mod lock;
mod medium;
mod open;
mod partial;
mod publish;
pub mod space;
mod staged;
mod survey;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod withdraw;

pub use adopt::{Found, TakenIn};
pub use error::{ArchiveError, Holder};
pub use medium::{ReadAlong, ReadBack, Readback, Settled};
pub use open::{Archive, Expect, Owner};
pub use partial::{Partial, Range};
pub use publish::{Published, TakenBy};
pub use staged::Staged;
pub use survey::{Seen, Survey, other_keys_name};
pub use verify::{Depth, Finding, VerifyReport, VerifyTick, What, verify};
pub use withdraw::Withdrawn;
