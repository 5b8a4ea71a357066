//! Deletes object versions from S3, each under a condition of its own: the only way there is for
//! objects that a plan covers.
//!
//! | version | goes by | what protects one that was overwritten |
//! |---|---|---|
//! | of a bucket that never kept any | its key | its ETag, compared by S3 |
//! | with an id | its id | an id never names anything else |
//! | `null`, current, versioning suspended | its key | its ETag; the marker that this leaves follows |
//! | `null`, noncurrent, versioning suspended | `null` | a comparison right before, with consent |
//! | delete marker `null`, versioning suspended | `null` | a comparison right before |
//!
//! Source: S3 API Reference, DeleteObjects: the ETag is compared with the current version.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt as _};

use super::end::{End, Trouble};
use super::evidence::{Approved, is_bare_null, is_deletable};
use super::work::{Work, blocking};
use crate::aws::{AwsError, Condition, DeleteTarget, Deletion, ErrorKind};
use crate::event::{DeleteForm, Fact};
use crate::model::{Action, Endpoint, EvidenceId, Versioning};
use crate::state::Row;

/// Single deletes under way at the same time.
const AT_A_TIME: usize = 8;

/// Deletes what was approved, and nothing else.
pub(super) struct Eraser<'a> {
    work: &'a Work,
    action: &'a Action,
    approved: Approved,
    form: DeleteForm,
}

/// What became of a batch of rows.
pub(super) struct Erased {
    /// One for each row, in their order.
    pub outcomes: Vec<Deletion>,
    /// The bucket's versioning is not what it was: nothing more may be deleted.
    pub versioning_moved: bool,
}

/// How one version goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By its id.
    Id,
    /// By its key, under its ETag.
    ETag,
    /// As `null`, compared right before.
    Null,
    /// As `null`, if it still is a delete marker.
    NullMarker,
}

/// The form of delete that a bucket's server honours; `None` where it was not found out.
///
/// # Errors
/// What the state could not do.
pub(super) fn form_of(work: &Work) -> Result<Option<DeleteForm>, Trouble> {
    if work.plan.body.endpoint == Endpoint::Aws || work.bucket.versioning == Versioning::Enabled {
        return Ok(Some(DeleteForm::Batch));
    }
    let mut found = None;
    let mut after = 0;
    loop {
        let page = blocking(|| work.state.facts(work.recorder.run(), after, 1000))?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.seq;
        for event in page {
            if let Fact::DeleteFormFound { bucket, form } = event.fact
                && &bucket == work.name()
            {
                found = Some(form);
            }
        }
    }
}

impl<'a> Eraser<'a> {
    /// Gets ready to delete what was approved.
    ///
    /// # Errors
    /// [`End::Refused`] where the evidence is not approved, or where it is not known whether the
    /// server honours conditions.
    pub fn new(work: &'a Work, action: &'a Action) -> Result<Self, Trouble> {
        let approved = Approved::of(work)?;
        let form = form_of(work)?.ok_or_else(|| {
            Trouble::Ends(End::Refused(
                "it was not found out whether this server honours conditional deletes".into(),
            ))
        })?;
        Ok(Self { work, action, approved, form })
    }

    /// On the strength of what.
    pub fn evidence(&self) -> &EvidenceId {
        self.approved.id()
    }

    /// Looks whether the bucket keeps versions as it did when the plan was made.
    ///
    /// # Errors
    /// [`End::Stale`] where it does not.
    pub async fn check_versioning(&self) -> Result<(), Trouble> {
        let (now, _) = self.work.door.versioning().await?;
        let then = self.work.bucket.versioning;
        if now == then {
            return Ok(());
        }
        Err(Trouble::Ends(End::Stale(format!(
            "versioning was {} when the plan was made and is {} now, so a delete would not mean \
             what was approved",
            then.as_str(),
            now.as_str()
        ))))
    }

    /// Deletes up to a batch of rows; an outcome each, in their order.
    ///
    /// # Errors
    /// [`End::Refused`] for a row that the evidence does not cover, before anything is sent; what
    /// says nothing of single rows.
    pub async fn erase(&self, rows: &[Row]) -> Result<Erased, Trouble> {
        let mine = |row: &Row| {
            is_deletable(self.work, row) || self.work.selection.takes_marker(&row.object)
        };
        if let Some(row) = rows.iter().find(|row| !mine(row)) {
            return Err(Trouble::Ends(End::Refused(format!(
                "{:?} is not part of what was approved",
                row.object.key
            ))));
        }
        if rows.iter().any(|row| row.object.version_id.as_deref() == Some("null")) {
            // As long as versions are kept nothing takes the place of `null`; else anything may.
            self.check_versioning().await?;
        }
        let targets: Vec<DeleteTarget> = rows.iter().map(|row| self.target(row)).collect();
        let together = |place: &usize| {
            targets[*place].fits_xml()
                && match self.by(&rows[*place]) {
                    By::Id => true,
                    By::ETag => self.form == DeleteForm::Batch,
                    By::Null | By::NullMarker => false,
                }
        };
        let (batch, single): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(together);
        let mut outcomes: Vec<Option<Deletion>> = vec![None; rows.len()];
        let named: Vec<DeleteTarget> = batch.iter().map(|&at| targets[at].clone()).collect();
        let together = self.work.door.delete_batch(&named).await?.outcomes;
        self.audit("DeleteObjects", &together)?;
        for (at, outcome) in batch.into_iter().zip(together) {
            outcomes[at] = Some(outcome);
        }
        // One that fails keeps others from being sent, but what is under way is heard out: its
        // objects may be gone by now.
        let failed = AtomicBool::new(false);
        let mut asked = stream::iter(single.into_iter().map(|at| {
            let (row, target, failed) = (&rows[at], &targets[at], &failed);
            async move {
                if failed.load(Ordering::Relaxed) {
                    return Ok((at, Deletion::Unknown("not asked for".into())));
                }
                let outcome = self.erase_one(row, target).await;
                failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
                Ok::<_, Trouble>((at, outcome?))
            }
        }))
        .buffer_unordered(AT_A_TIME);
        let mut trouble = None;
        while let Some(answer) = asked.next().await {
            match answer {
                Ok((at, outcome)) => outcomes[at] = Some(outcome),
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
        drop(asked);
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        let mut erased = Erased { outcomes: Vec::new(), versioning_moved: false };
        for (row, outcome) in rows.iter().zip(outcomes) {
            let outcome = outcome.unwrap_or_else(|| Deletion::Unknown("no answer".into()));
            let outcome = self.follow_up(row, outcome, &mut erased.versioning_moved).await?;
            erased.outcomes.push(outcome);
        }
        Ok(erased)
    }

    /// Writes down what S3 says that it deleted, by request, before anything else is made of it.
    fn audit(&self, operation: &str, outcomes: &[Deletion]) -> Result<(), Trouble> {
        let mut counts: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for outcome in outcomes {
            if let Deletion::Deleted { .. } = outcome {
                *counts.entry(outcome.request_id()).or_default() += 1;
            }
        }
        for (id, count) in counts {
            let id = id.map(str::to_owned);
            self.work.audit_under(self.action, operation, count, id, self.evidence())?;
        }
        Ok(())
    }

    /// Deletes one target and writes that down.
    async fn delete_one(
        &self,
        target: &DeleteTarget,
        condition: Condition,
    ) -> Result<Deletion, Trouble> {
        let outcome = self.work.door.delete_one(target, condition).await?;
        self.audit("DeleteObject", std::slice::from_ref(&outcome))?;
        Ok(outcome)
    }

    /// Removes a delete marker called `null`, unless an object has taken its place.
    ///
    /// # Errors
    /// What AWS or the audit log could not do.
    pub async fn erase_null_marker(&self, key: &str) -> Result<Deletion, Trouble> {
        match self.work.door.head(key, Some("null"), None).await {
            Ok(_) => return Ok(Deletion::Changed),
            Err(error) if is_marker(&error) => {}
            Err(error) if *error.kind() == ErrorKind::NoSuchKey => return Ok(Deletion::Gone),
            Err(error) => return Err(error.into()),
        }
        let target =
            DeleteTarget { key: key.to_owned(), version_id: Some("null".into()), etag: None };
        self.delete_one(&target, Condition::IfMatch).await
    }

    fn by(&self, row: &Row) -> By {
        let object = &row.object;
        let suspended = self.work.bucket.versioning == Versioning::Suspended;
        match object.version_id.as_deref() {
            None => By::ETag,
            Some("null") if suspended && object.delete_marker => By::NullMarker,
            Some("null") if is_bare_null(self.work, object) => By::Null,
            Some("null") if suspended => By::ETag,
            Some(_) => By::Id,
        }
    }

    fn target(&self, row: &Row) -> DeleteTarget {
        let by_etag = self.by(row) == By::ETag;
        DeleteTarget {
            key: row.object.key.clone(),
            version_id: row.object.version_id.clone().filter(|_| !by_etag),
            etag: by_etag.then(|| row.object.etag.clone()),
        }
    }

    async fn erase_one(&self, row: &Row, target: &DeleteTarget) -> Result<Deletion, Trouble> {
        let by = self.by(row);
        let compares = match by {
            By::NullMarker => return self.erase_null_marker(&target.key).await,
            By::Id => false,
            By::ETag => self.form == DeleteForm::CompareFirst,
            By::Null => true,
        };
        if compares {
            let version = target.version_id.as_deref();
            match self.work.door.head(&target.key, version, Some(&row.object.etag)).await {
                Ok(head) if head.size == row.object.size => {}
                Ok(_) => return Ok(Deletion::Changed),
                Err(error) if *error.kind() == ErrorKind::Changed || is_marker(&error) => {
                    return Ok(Deletion::Changed);
                }
                Err(error) if *error.kind() == ErrorKind::NoSuchKey => return Ok(Deletion::Gone),
                Err(error) => return Err(error.into()),
            }
        }
        let condition = match compares {
            true => Condition::Unconditional,
            false => Condition::IfMatch,
        };
        self.delete_one(target, condition).await
    }

    /// Deletes by key leave markers where versions are, or meanwhile are, kept.
    async fn follow_up(
        &self,
        row: &Row,
        outcome: Deletion,
        versioning_moved: &mut bool,
    ) -> Result<Deletion, Trouble> {
        let Deletion::Deleted { marker: Some(marker), .. } = &outcome else { return Ok(outcome) };
        let key = &row.object.key;
        *versioning_moved |= self.work.bucket.versioning == Versioning::Never || marker != "null";
        if marker == "null" {
            // In place of the version that is gone.
            self.erase_null_marker(key).await?;
            return Ok(outcome);
        }
        // Versions are kept by now: the object only hides behind the marker, and comes back.
        let target =
            DeleteTarget { key: key.clone(), version_id: Some(marker.clone()), etag: None };
        self.delete_one(&target, Condition::IfMatch).await?;
        Ok(Deletion::Changed)
    }
}

/// S3 answers a HEAD for a delete marker's version with 405. Source: S3 API Reference, HeadObject.
fn is_marker(error: &AwsError) -> bool {
    *error.kind() == ErrorKind::NoSuchKey && error.status() == Some(405)
}
