//! Talks to AWS: the only room that names its SDK.
//!
//! In: [`Settings`] and what the SDK finds in profiles and environment. Out: [`Aws`] for the
//! account, [`Bucket`] for one bucket, [`AwsError`] for everything that fails. No type of the SDK
//! leaves.
//!
//! Promises:
//! - answers are checked before they are believed: listings rise, end where they say so and are
//!   whole; a GET is the object, the version and the range that were asked for;
//! - a 403 is never "gone", and every request about a bucket names its expected owner;
//! - nothing waits for ever: connecting, headers and bodies have limits of their own;
//! - requests are repeated with growing pauses while patience lasts, and each repeat is counted; a
//!   request that could cost twice is not repeated when its outcome is unknown.
//!
//! It decides nothing: what to restore, fetch or delete, its callers know.

mod blank;
mod bucket;
mod bucket_policy;
mod buckets;
mod configuration;
mod connect;
mod delete;
mod error;
mod get;
mod identity;
mod link;
mod listing;
mod object;
mod page;
mod parse;
mod parts;
mod plane;
mod plane_head;
mod restore;
mod retry;
mod simulate;
mod uploads;
mod versioning;
mod wire;

/// The log filter that shows every request the SDK sends.
pub const REQUESTS_IN_LOG: &str = "aws_smithy_runtime=debug";

pub use bucket::{Bucket, BucketDeletion, Detail};
pub use buckets::BucketEntry;
pub use connect::{Aws, DataPlane, Settings};
pub use delete::{BATCH, BatchDeletion, Condition, DeleteTarget, Deletion};
pub use error::{AwsError, ErrorKind};
pub use get::{Body, Get};
pub use identity::{RoleIdentity, UserIdentity};
pub use listing::{ListCursor, Listing, Page, Pages};
pub use object::Head;
pub use parse::{ContentRange, Unreadable, decode_key, read_content_range, read_restore_header};
pub use parts::{Attributes, PartAttributes, PartHead};
pub use restore::{RestoreAnswer, Wish};
pub use simulate::{OwnWay, Simulated};
pub use wire::Answers;

// For the targets in `tests/fuzz`.
#[cfg(test)]
pub(crate) use {configuration::read_xml, plane_head::read as read_head, wire::closes};

#[cfg(test)]
mod listing_tests;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod wire_tests;
