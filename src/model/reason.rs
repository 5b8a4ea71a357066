//! Why a change is needed, in words for the person who reviews the plan.

use std::fmt;

use super::desired::AfterArchive;

/// Why a change is needed. Shown, and never steers an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The objects are in an archive class.
    Archived,
    /// They were asked for and take their time.
    MustThaw,
    /// The archive does not have them yet.
    NotOnDisk,
    /// Files that may be theirs are in place already.
    InPlace,
    /// The archive does not have them for certain: some may be in place already.
    NotAdopted,
    /// The files were written but not read back from the medium.
    NotReadBack,
    /// The bag is not complete.
    NotSealed,
    /// The server is not AWS: whether it honours conditions must be found out.
    NotAws,
    /// A run that was stopped may have left its probe object in the bucket.
    ProbeLeft,
    /// Somebody must say yes before anything is deleted.
    DeletionFollows,
    /// The manifest's `then` asks for it.
    Then(AfterArchive),
    /// The bucket is not locked as the manifest wants.
    NotLocked,
    /// The live policy is not the one of the manifest.
    OtherPolicy,
    /// The manifest wants no policy.
    NoPolicyWanted,
    /// The policy was what the manifest wants, and no plan asked for what it is now.
    PolicyDrifted,
    /// A policy that was replaced before is put back.
    RolledBack,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archived => f.write_str("archived in S3, thaws first"),
            Self::MustThaw => f.write_str("thawing takes hours"),
            Self::NotOnDisk => f.write_str("not in the archive yet"),
            Self::InPlace => f.write_str("files are in place, hashing decides"),
            Self::NotAdopted => f.write_str("not in the archive yet, at most"),
            Self::NotReadBack => f.write_str("not read back from the disk yet"),
            Self::NotSealed => f.write_str("the archive is not a complete bag yet"),
            Self::NotAws => f.write_str("not AWS: are conditions on deletes honoured?"),
            Self::ProbeLeft => f.write_str("a stopped run left its probe object, which goes"),
            Self::DeletionFollows => f.write_str("deletions follow: a person must say yes"),
            Self::NotLocked => f.write_str("not locked as the manifest wants"),
            Self::OtherPolicy => f.write_str("the live policy is not the manifest's"),
            Self::NoPolicyWanted => f.write_str("the manifest wants no policy"),
            Self::PolicyDrifted => {
                f.write_str("drift: it was as wanted, and somebody replaced it since")
            }
            Self::RolledBack => f.write_str("puts back what was there before"),
            Self::Then(then) => write!(f, "the manifest says then = \"{}\"", then.as_str()),
        }
    }
}
