//! Condenses a bucket's proven set to the evidence that a person approves.
//!
//! [`Approved`] is what deleting asks for: only evidence that was gathered from the rows a moment
//! ago, and that somebody said yes to, becomes one.

use super::end::{End, Trouble};
use super::work::{Work, blocking, is_home};
use crate::event::DeleteForm;
use crate::model::{Demand, EvidenceId, ObjectVersion, Standing, UnconditionalDeletes, Versioning};
use crate::proof::{Evidence, EvidenceBuilder, ProvenRow};
use crate::state::{Approval, Readback, ReadbackKind, Row, With};

/// Why a row's object stays in S3 although the outcome covers it; `None` where it may be deleted
/// once its evidence is approved.
pub(super) fn why_kept(work: &Work, row: &Row) -> Option<&'static str> {
    let (Some(stored), Some(archive)) = (&row.stored, &work.bucket.archive) else {
        return Some("it is not in the archive");
    };
    if !Demand::of(&stored.proof.kind).is_met_by(archive.unprovable) {
        return Some("nothing that S3 holds proves its copy");
    }
    if !is_home(row) {
        return Some("its copy was not read back");
    }
    if is_bare_null(work, &row.object)
        && archive.unconditional_deletes == UnconditionalDeletes::Refuse
    {
        return Some(
            "it is a noncurrent `null` version of a suspended bucket, for which S3 has no \
             conditional delete; `unconditional_deletes = \"compare-first\"` would allow it",
        );
    }
    None
}

/// Whether a row's object may be deleted once its evidence is approved.
pub(super) fn is_deletable(work: &Work, row: &Row) -> bool {
    work.selection.takes(&row.object) && why_kept(work, row).is_none()
}

/// Whether no condition protects this version from being overwritten: the next PUT takes the place
/// of `null` while versioning is suspended, and an ETag is compared with the current version only.
pub(super) fn is_bare_null(work: &Work, object: &ObjectVersion) -> bool {
    work.bucket.versioning == Versioning::Suspended
        && object.version_id.as_deref() == Some("null")
        && object.standing == Standing::Noncurrent
        && !object.delete_marker
}

/// A bucket's evidence, and what a person should know besides.
pub(super) struct Gathered {
    pub evidence: Evidence,
    /// Where a guarantee is weaker than usual, one sentence each.
    pub caveats: Vec<String>,
}

/// Gathers the evidence of a bucket from its rows.
///
/// # Errors
/// [`End::Failed`] where an object that the outcome covers is neither proven at home nor known to
/// be unprovable: then the bucket is not done, and nobody is asked to approve anything.
pub(super) fn gather(work: &Work, form: Option<DeleteForm>) -> Result<Gathered, Trouble> {
    let archive = work.archive()?;
    let mut builder = EvidenceBuilder::new(
        &work.plan.body.account,
        work.name(),
        archive.then,
        archive.versions,
        &archive.include,
        &archive.exclude,
    );
    let mut weak = Weak::default();
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
        weak.by_client += u64::from(!matches!(
            stored.readback,
            Some(Readback { kind: ReadbackKind::Medium, .. })
        ));
        weak.bare_nulls += u64::from(is_bare_null(work, &row.object));
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
    Ok(Gathered { evidence: builder.finish(), caveats: weak.told(form) })
}

/// What makes the guarantee weaker than usual.
#[derive(Default)]
struct Weak {
    /// Files that were read back through the client of a file server.
    by_client: u64,
    /// Noncurrent `null` versions of a suspended bucket.
    bare_nulls: u64,
}

impl Weak {
    fn told(&self, form: Option<DeleteForm>) -> Vec<String> {
        let mut told = Vec::new();
        if self.by_client > 0 {
            told.push(format!(
                "readback = client: {} files were read back through the client of a file server, \
                 which may have answered from its memory",
                self.by_client
            ));
        }
        if form == Some(DeleteForm::CompareFirst) {
            told.push(
                "weaker guarantee (compare-first): this server ignores conditions on deletes, so \
                 an object that is overwritten between its comparison and its delete is lost"
                    .into(),
            );
        }
        if self.bare_nulls > 0 {
            told.push(format!(
                "weaker guarantee (compare-first): {} noncurrent `null` versions have no \
                 conditional delete while versioning is suspended; each is compared right before",
                self.bare_nulls
            ));
        }
        told
    }
}

/// The approval of exactly this evidence, if somebody gave it.
pub(super) fn approval_of(work: &Work, evidence: &EvidenceId) -> Result<Option<Approval>, Trouble> {
    let approvals = blocking(|| work.state.approvals(work.name()))?;
    Ok(approvals.into_iter().find(|approval| &approval.evidence == evidence))
}

/// Evidence that a person said yes to: nothing that a plan covers is deleted without one.
pub(super) struct Approved(Evidence);

impl Approved {
    /// Gathers the evidence anew and looks for its approval.
    ///
    /// # Errors
    /// [`End::Refused`] where what is proven now is not what was approved.
    pub fn of(work: &Work) -> Result<Self, Trouble> {
        let evidence = blocking(|| gather(work, None))?.evidence;
        match approval_of(work, evidence.id())? {
            Some(_) => Ok(Self(evidence)),
            None => Err(Trouble::Ends(End::Refused(format!(
                "what is proven now ({}) is not what was approved; nothing was deleted, and the \
                 next plan asks anew",
                evidence.id()
            )))),
        }
    }

    /// What was approved.
    pub fn id(&self) -> &EvidenceId {
        self.0.id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarantee_that_is_weaker_than_usual_is_told() {
        assert!(Weak::default().told(Some(DeleteForm::Batch)).is_empty());
        let weak = Weak { by_client: 3, bare_nulls: 0 };
        let told = weak.told(Some(DeleteForm::CompareFirst));
        assert!(told[0].starts_with("readback = client: 3 files"), "{told:?}");
        assert!(told[1].starts_with("weaker guarantee (compare-first)"), "{told:?}");
        assert_eq!(Weak { by_client: 0, bare_nulls: 2 }.told(None).len(), 1);
    }
}
