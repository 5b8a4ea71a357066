//! The digest of a listing: equal digests mean that nothing moved.
//!
//! Pure. It covers key, version id, ETag, size, LastModified and the delete-marker flag of every
//! row in order; not restore status or storage class, which may change under an unchanged object.

use sha2::{Digest as _, Sha256};

use crate::model::ObjectVersion;

/// Builds the digest of a listing row by row, storing nothing.
#[derive(Clone, Debug, Default)]
pub struct InventoryDigest {
    sha256: Sha256,
    objects: u64,
    delete_markers: u64,
    bytes: u64,
}

/// What a whole listing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingDigest {
    /// SHA-256, 64 hex digits.
    pub digest: String,
    /// Object versions, without delete markers.
    pub objects: u64,
    /// Delete markers.
    pub delete_markers: u64,
    /// Bytes of all object versions.
    pub bytes: u64,
}

impl InventoryDigest {
    /// Starts with an empty listing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next row, in listing order.
    pub fn push(&mut self, object: &ObjectVersion) {
        self.text(&object.key);
        match &object.version_id {
            Some(id) => {
                self.sha256.update([1]);
                self.text(id);
            }
            None => self.sha256.update([0]),
        }
        self.text(object.etag.as_str());
        self.sha256.update(object.size.to_le_bytes());
        self.sha256.update(object.last_modified_ms.to_le_bytes());
        self.sha256.update([u8::from(object.delete_marker)]);
        if object.delete_marker {
            self.delete_markers += 1;
        } else {
            self.objects += 1;
            self.bytes = self.bytes.saturating_add(object.size);
        }
    }

    /// How many rows it has taken.
    pub fn rows(&self) -> u64 {
        self.objects + self.delete_markers
    }

    /// Ends the listing.
    pub fn finish(self) -> ListingDigest {
        ListingDigest {
            digest: hex::encode(self.sha256.finalize()),
            objects: self.objects,
            delete_markers: self.delete_markers,
            bytes: self.bytes,
        }
    }

    fn text(&mut self, text: &str) {
        self.sha256.update((text.len() as u64).to_le_bytes());
        self.sha256.update(text);
    }
}
