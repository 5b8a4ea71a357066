//! Bucket policies: the lock document, its normal form, equality by meaning, and who may what.
//!
//! In: policy texts, identities that were looked up. Out: documents to put, changes in words,
//! and answers of an evaluator of our own. Pure: no clock, no network, no disk.
//!
//! It promises that two policies which differ in effect are never called equal, and that what the
//! evaluator does not know is "cannot tell", never a yes. It knows a bucket's policy alone: what
//! somebody's own IAM permissions say is left to AWS.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements reference", "Policy evaluation logic",
//! "AWS global condition context keys"; S3 User Guide, "Bucket policies".

mod access;
mod canonical;
mod change;
mod condition;
mod document;
mod evaluate;
mod guard;
mod lock;
mod pattern;
mod principal;
mod public;
mod realm;
mod truth;
mod words;

#[cfg(test)]
mod tests;

pub use canonical::{fingerprint, is_same};
pub use change::{Compared, Deletes, compare, new_document};
pub use document::{BadPolicy, Document, SIZE_LIMIT, fill_in};
pub use evaluate::{Ask, Says, Verdict, evaluate};
pub use guard::{Loss, denies_setting, shut_out, takes_away};
pub use lock::{BadIdentity, Others, locked};
pub use principal::{Context, Who};
pub use public::is_public;
pub use realm::Realm;
pub use words::difference;
