//! Which object versions an outcome covers.

use super::desired::VersionsWanted;
use super::filter::{BadGlob, KeyFilter};
use super::object::{ObjectVersion, Standing};

/// The filters and the versions of one archive outcome, ready to be asked.
#[derive(Clone, Debug)]
pub struct Selection {
    filter: KeyFilter,
    versions: VersionsWanted,
}

impl Selection {
    /// Compiles the globs.
    ///
    /// # Errors
    /// A glob that does not compile; manifests and plans are checked for that at their doors.
    pub fn new(
        include: &[String],
        exclude: &[String],
        versions: VersionsWanted,
    ) -> Result<Self, BadGlob> {
        Ok(Self { filter: KeyFilter::new(include, exclude)?, versions })
    }

    /// Whether this version's bytes are to be archived. Never true for a delete marker.
    pub fn takes(&self, object: &ObjectVersion) -> bool {
        !object.delete_marker && self.covers(object)
    }

    /// Whether this is a delete marker to be recorded, and deleted with its versions.
    pub fn takes_marker(&self, object: &ObjectVersion) -> bool {
        object.delete_marker && self.versions == VersionsWanted::All && self.covers(object)
    }

    fn covers(&self, object: &ObjectVersion) -> bool {
        let wanted = self.versions == VersionsWanted::All || object.standing == Standing::Current;
        wanted && self.filter.matches(&object.key)
    }
}
