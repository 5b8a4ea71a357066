//! What the state remembers of one object version, and the sums over a bucket.

use serde::{Deserialize, Serialize};

use crate::model::{Fingerprint, Number, ObjectHeaders, ObjectVersion, Proof};

/// One object version with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in the inventory.
    pub number: Number,
    /// What the listing said.
    pub object: ObjectVersion,
    /// Whether another key lies below this one (`a` beside `a/b`), so that no file can bear its
    /// name.
    pub beside_folder: bool,
    /// Where its bytes are; `None`: not on disk, or not proven yet.
    pub stored: Option<Stored>,
    /// What HEAD or GET said besides; `None`: not asked yet, or not asked for by the reader.
    pub headers: Option<ObjectHeaders>,
    /// How far it got.
    pub marks: Marks,
    /// Why it failed; `None`: it did not, or was tried again with success.
    pub failure: Option<String>,
}

/// Where an object version's bytes are in the archive, and what proved them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// From the bag's root, with `/`: `data/…`.
    pub path: String,
    /// Of the file's bytes.
    pub sha256: [u8; 32],
    /// Of the same bytes: what a reading back is held against.
    pub fingerprint: Fingerprint,
    /// Of the file, in bytes.
    pub size: u64,
    /// The file's modification time as it was written, in nanoseconds since the Unix epoch; a
    /// quick verification compares it.
    pub mtime_ns: i64,
    /// How it was shown equal to what S3 holds.
    pub proof: Proof,
    /// When and how it was last read back from the medium; `None`: not since it was stored.
    pub readback: Option<Readback>,
}

/// A reading back from the medium that found the file equal to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readback {
    /// How near to the medium it was read.
    pub kind: ReadbackKind,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// How near to the medium a file was read back. Never reorder: rows hold places in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadbackKind {
    /// From the medium, with this machine's cache dropped or passed by.
    Medium,
    /// From a network file system after this client's cache was dropped.
    Client,
    /// Perhaps from this machine's cache: dropping it was not possible.
    Cache,
}

/// How far an object version got. Kept as bits, 4,096 to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mark {
    /// S3 took a RestoreObject for it.
    RestoreAsked = 1,
    /// Its file was read back from the medium and found equal.
    ReadBack = 2,
    /// A delete left for it; whether it arrived is not known until looked up.
    DeleteSent = 3,
    /// S3 confirmed that this version is gone.
    Deleted = 4,
    /// The bag lists it.
    Sealed = 5,
    /// A file that looked like it was found in its place, and does not prove right. It stays; the
    /// object gets another place.
    Misfit = 6,
}

impl Mark {
    /// Every mark.
    pub const ALL: [Self; 6] = [
        Self::RestoreAsked,
        Self::ReadBack,
        Self::DeleteSent,
        Self::Deleted,
        Self::Sealed,
        Self::Misfit,
    ];

    /// Whether it still holds in a newer listing: what was asked of S3 is told by the listing
    /// itself, what is on disk stays there.
    pub(super) fn is_carried_over(self) -> bool {
        match self {
            Self::RestoreAsked | Self::DeleteSent | Self::Deleted => false,
            Self::ReadBack | Self::Sealed | Self::Misfit => true,
        }
    }
}

/// A set of marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u8);

impl Marks {
    /// Whether a mark is in it.
    pub fn has(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u8) != 0
    }

    /// The set with this mark added.
    #[must_use]
    pub fn with(self, mark: Mark) -> Self {
        Self(self.0 | 1 << mark as u8)
    }

    /// The set without this mark.
    #[must_use]
    pub fn without(self, mark: Mark) -> Self {
        Self(self.0 & !(1 << mark as u8))
    }

    /// What of it still holds in a newer listing.
    pub(super) fn carried_over(self) -> Self {
        self.iter().filter(|mark| mark.is_carried_over()).fold(Self::default(), Self::with)
    }

    /// The marks in it.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        Mark::ALL.into_iter().filter(move |mark| self.has(*mark))
    }
}

/// What a reader of rows wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum With {
    /// Only what the listing said: the rest of each [`Row`] is left empty.
    Listing,
    /// All but the headers, which are left empty.
    Rows,
    /// Everything.
    RowsAndHeaders,
}

/// A number of object versions and their bytes in S3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub objects: u64,
    /// Their bytes together.
    pub bytes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn take(&mut self, bytes: u64) {
        self.objects = self.objects.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Sums over one bucket's inventory, kept in the same transactions as the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// On disk and proven (or known to be unprovable).
    pub stored: Tally,
    /// Asked to be restored.
    pub restore_asked: Tally,
    /// Read back from the medium.
    pub read_back: Tally,
    /// Their delete left.
    pub delete_sent: Tally,
    /// Confirmed gone.
    pub deleted: Tally,
    /// Listed in the bag.
    pub sealed: Tally,
    /// With a file in their place that is not theirs.
    pub misfit: Tally,
    /// With a failure.
    pub failed: u64,
    /// With headers.
    pub headers: u64,
}

impl Counts {
    /// The sum that belongs to a mark.
    pub fn of(&self, mark: Mark) -> Tally {
        match mark {
            Mark::RestoreAsked => self.restore_asked,
            Mark::ReadBack => self.read_back,
            Mark::DeleteSent => self.delete_sent,
            Mark::Deleted => self.deleted,
            Mark::Sealed => self.sealed,
            Mark::Misfit => self.misfit,
        }
    }

    pub(super) fn of_mut(&mut self, mark: Mark) -> &mut Tally {
        match mark {
            Mark::RestoreAsked => &mut self.restore_asked,
            Mark::ReadBack => &mut self.read_back,
            Mark::DeleteSent => &mut self.delete_sent,
            Mark::Deleted => &mut self.deleted,
            Mark::Sealed => &mut self.sealed,
            Mark::Misfit => &mut self.misfit,
        }
    }
}
