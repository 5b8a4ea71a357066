//! Condenses a bucket's proven set to the evidence that a person approves.

use super::end::{End, Trouble};
use super::work::{Work, is_home};
use crate::model::{ProofKind, Unprovable};
use crate::proof::{Evidence, EvidenceBuilder, ProvenRow};
use crate::state::{Row, With};

/// Whether a row's object may be deleted once its evidence is approved.
pub(super) fn is_deletable(work: &Work, row: &Row) -> bool {
    let (Some(stored), Some(archive)) = (&row.stored, &work.bucket.archive) else { return false };
    let proven = match stored.proof.kind {
        ProofKind::Unproven => false,
        ProofKind::SizeOnly => archive.unprovable == Unprovable::Size,
        ProofKind::Twice => archive.unprovable != Unprovable::Keep,
        _ => true,
    };
    proven && is_home(row) && work.selection.takes(&row.object)
}

/// Gathers the evidence of a bucket from its rows.
///
/// # Errors
/// [`End::Failed`] where an object that the outcome covers is neither proven at home nor known to
/// be unprovable: then the bucket is not done, and nobody is asked to approve anything.
pub fn gather(work: &Work) -> Result<Evidence, Trouble> {
    let archive = work.archive()?;
    let mut builder = EvidenceBuilder::new(
        &work.plan.body.account,
        work.name(),
        archive.then,
        archive.versions,
        &archive.include,
        &archive.exclude,
    );
    work.each_row::<Trouble>(With::Rows, |row| {
        if !work.selection.takes(&row.object) {
            return Ok(());
        }
        let Some(stored) = row.stored.as_ref().filter(|_| is_home(&row)) else {
            return Err(Trouble::Ends(End::Failed(format!(
                "{:?} is not proven in the archive, so the gate stays closed; it is untouched in \
                 S3",
                row.object.key
            ))));
        };
        if !is_deletable(work, &row) {
            return Ok(());
        }
        let proven = ProvenRow {
            key: &row.object.key,
            version_id: row.object.version_id.as_deref(),
            etag: &row.object.etag,
            size: row.object.size,
            sha256: &stored.sha256,
            proof: &stored.proof,
        };
        builder.add(&proven).map_err(|error| Trouble::Ends(End::Failed(super::end::told(&error))))
    })?;
    Ok(builder.finish())
}
