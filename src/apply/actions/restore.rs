//! `restore`: asks S3 to thaw archived objects: only those that need it, each once, paced.
//!
//! A wish costs money, so the intent is recorded before it leaves. An intent whose answer was lost
//! is looked up by HEAD and asked again only where nothing is under way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};

use crate::apply::end::{End, Trouble};
use crate::apply::work::{Work, blocking, is_left_for_next_plan};
use crate::aws::{AwsError, RestoreAnswer, Wish};
use crate::model::{Action, Number, Thaw};
use crate::state::{Batch, IntentKind, Mark, Row, Subject, With};

/// Wishes at a time.
const AT_A_TIME: usize = 16;
/// Wishes recorded together.
const BATCH: usize = 250;
/// How long one wish is repeated, where S3 gives no answer to it.
const PATIENCE: Duration = Duration::from_secs(300);
/// S3 takes 1,000 restore starts a second and account; half of that leaves room for others.
///
/// Source: S3 User Guide, "Archive retrieval options".
const A_SECOND: f64 = 500.0;

pub(super) async fn run(work: &Work, action: &Action) -> Result<End, Trouble> {
    settle_lost_answers(work, action).await?;
    let mut asked = Asked { action, objects: 0, bytes: 0 };
    let mut batch = Vec::new();
    let mut from = 0;
    loop {
        let page = work.page(from, With::Rows)?;
        let Some(last) = page.last() else { break };
        from = last.number + 1;
        for row in page {
            let in_range = action.range.is_none_or(|range| range.contains(row.number));
            if !in_range
                || !work.selection.takes(&row.object)
                || row.stored.is_some()
                || is_left_for_next_plan(&row)
            {
                continue;
            }
            if row.marks.has(Mark::RestoreAsked) {
                asked.count(&row);
            } else if row.object.needs_restore() {
                batch.push(row);
            }
            if batch.len() >= BATCH {
                asked.send(work, std::mem::take(&mut batch)).await?;
            }
        }
    }
    asked.send(work, batch).await?;
    Ok(End::Done { objects: asked.objects, bytes: asked.bytes })
}

/// What was asked for so far, by earlier processes too: the plan's count is a ceiling over it.
struct Asked<'a> {
    action: &'a Action,
    objects: u64,
    bytes: u64,
}

impl Asked<'_> {
    fn count(&mut self, row: &Row) {
        self.objects += 1;
        self.bytes += row.object.size;
    }

    async fn send(&mut self, work: &Work, rows: Vec<Row>) -> Result<(), Trouble> {
        work.unless_stopped()?;
        if rows.is_empty() {
            return Ok(());
        }
        if self.objects + rows.len() as u64 > self.action.objects {
            return Err(Trouble::Ends(End::Stale(format!(
                "more objects need a restore than the {} that the plan allows",
                self.action.objects
            ))));
        }
        let began = Instant::now();
        let numbers = rows.iter().map(|row| row.number).collect();
        let id = work.intend(self.action, IntentKind::Restore, Subject::Numbers(numbers))?;

        let action = self.action;
        let answers: Vec<(Row, Result<Wish, Trouble>)> =
            stream::iter(rows.into_iter().map(|row| async move {
                let answer = ask(work, action, &row).await;
                (row, answer)
            }))
            .buffer_unordered(AT_A_TIME)
            .collect()
            .await;

        let mut batch = Batch::new();
        let mut trouble = None;
        let mut accepted = 0;
        let mut request_ids = Vec::new();
        for (row, answer) in answers {
            let answer = answer.map(|wish| {
                request_ids.extend(wish.request_id);
                wish.answer
            });
            match answer {
                Ok(RestoreAnswer::NoExpeditedCapacity) => {
                    trouble = Some(Trouble::Ends(End::Failed(
                        "S3 has no capacity for expedited restores just now; run the same command \
                         again later, or plan with another tier"
                            .into(),
                    )));
                }
                // Not archived: a class that lifecycle or somebody changed; the GET will tell.
                Ok(_) => {
                    accepted += 1;
                    self.count(&row);
                    batch.mark(work.name(), row.number, Mark::RestoreAsked);
                }
                Err(error) => trouble = Some(error),
            }
        }
        // An answer that was lost stays a question: its intent is not closed.
        if trouble.is_none() {
            batch.outcome(id);
        }
        // Before the marks: what was asked for is never missing from the log.
        work.audit_all(self.action, "RestoreObject", accepted, request_ids)?;
        blocking(|| work.state.commit(batch))?;
        work.tick(self.action, self.objects, self.bytes)?;
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        let pace = Duration::from_secs_f64(accepted as f64 / A_SECOND);
        work.clock.sleep(pace.saturating_sub(began.elapsed())).await;
        Ok(())
    }
}

async fn ask(work: &Work, action: &Action, row: &Row) -> Result<Wish, Trouble> {
    let (Some(tier), Some(days)) = (action.tier, action.days) else {
        return Err(Trouble::Ends(End::Refused("the plan names no tier and days".into())));
    };
    // INTELLIGENT_TIERING objects move to a readable tier for good: days would be refused.
    let days = (!row.object.class.is_archived_tier()).then_some(days);
    let version = row.object.version_id.as_deref();
    let asked = AtomicBool::new(false);
    let answer = work.aws.retry(PATIENCE, async || {
        // A wish without an answer may have been heard: asking again would cost again.
        if asked.swap(true, Ordering::Relaxed) && is_readable_or_thawing(work, row).await? {
            return Ok(Wish { answer: RestoreAnswer::InProgress, request_id: None });
        }
        work.door.restore(&row.object.key, version, days, tier).await
    });
    Ok(answer.await?)
}

/// Looks up what became of wishes whose answers were lost.
async fn settle_lost_answers(work: &Work, action: &Action) -> Result<(), Trouble> {
    let intents = blocking(|| work.state.open_intents(work.name()))?;
    for intent in intents {
        if intent.kind != IntentKind::Restore || intent.action != action.id {
            continue;
        }
        let Subject::Numbers(numbers) = &intent.subject else { continue };
        let mut batch = Batch::new();
        for &number in numbers {
            if is_under_way(work, number).await? {
                batch.mark(work.name(), number, Mark::RestoreAsked);
            }
        }
        work.audit_seen(action, "RestoreObject", batch.len() as u64)?;
        batch.outcome(intent.id);
        blocking(|| work.state.commit(batch))?;
    }
    Ok(())
}

/// Whether a row that is not known to be asked for is thawing, or can be read, all the same.
async fn is_under_way(work: &Work, number: Number) -> Result<bool, Trouble> {
    match blocking(|| work.state.row(work.name(), number))? {
        Some(row) if !row.marks.has(Mark::RestoreAsked) => {
            Ok(is_readable_or_thawing(work, &row).await?)
        }
        Some(_) | None => Ok(false),
    }
}

async fn is_readable_or_thawing(work: &Work, row: &Row) -> Result<bool, AwsError> {
    let version = row.object.version_id.as_deref();
    let head = work.door.head(&row.object.key, version, Some(&row.object.etag)).await?;
    let readable = !head.class.is_archived() && head.headers.archive_status.is_none();
    Ok(readable || head.thaw != Thaw::NotAsked)
}
