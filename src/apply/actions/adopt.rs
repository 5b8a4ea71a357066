//! `adopt`: proves files that are in place already, and takes them into the archive.
//!
//! ```text
//!   rows ─► what is on disk? ─► HEAD ─► read the file from the medium, digest ─► proven? ─► its place,
//!           (InPlace)           (so many at a time)                                     synced ─► row
//! ```
//!
//! A file that does not prove right stays where it is, untouched, and its object is downloaded
//! beside it. Where that would need a thaw that nobody planned, the object is left to the next
//! plan, by name.
//!
//! What S3 holds no proof of is downloaded, whatever `unprovable` says: with `"size"` because a
//! file of the right size that anybody may have put there is not what S3 sent; with `"twice"`
//! because the second look would be a download too, which the plan does not count here.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use thiserror::Error;
use tokio::task::spawn_blocking;

use super::parts::{Parts, offer, real_part_sizes, sizes_of_parts};
use crate::apply::end::{End, Trouble};
use crate::apply::fetchers;
use crate::apply::work::{PAGE, Work, blocking};
use crate::archive::{self, Archive, Found, TakenIn, keymap};
use crate::aws::AwsError;
use crate::event::Fact;
use crate::model::{Action, ObjectHeaders, ObjectVersion, Proof};
use crate::observe::{InPlace, OnDisk};
use crate::proof::{Digests, Hasher, Ladder, Offer, Verdict};
use crate::state::{Batch, Mark, Readback, ReadbackKind, Row, Stored, With};

/// Files hashed at a time.
const AT_A_TIME: usize = 8;
/// A file that proved right stays open until those beside it have their places too; that leaves
/// room for the folders on the way there, and for connections.
const DESCRIPTORS_A_FILE: u64 = 4;

pub(super) async fn run(work: &Arc<Work>, action: &Action) -> Result<End, Trouble> {
    let place = work.place().await?;
    let mut on_disk = blocking(|| InPlace::open(place.to(), &work.state, work.name()))?;
    let mut tally = Tally::default();
    let mut from = 0;
    // The plan's count is a ceiling; what is beyond it is left to the next plan.
    while tally.looked < action.objects {
        work.unless_stopped()?;
        let page = work.page(from, With::Rows)?;
        let Some(last) = page.last() else { break };
        from = last.number + 1;
        let mut wanted = Vec::new();
        for row in page {
            let seen = blocking(|| on_disk.look(&row))?;
            let is_wanted = matches!(seen, OnDisk::Alike(_)) || seen.is_drift(&row);
            if !is_wanted || !work.selection.takes(&row.object) {
                continue;
            }
            if tally.looked == action.objects {
                break;
            }
            tally.looked += 1;
            wanted.push((row, seen));
        }
        settle(work, &place, wanted, &mut tally).await?;
        work.tick(action, tally.looked, tally.bytes)?;
    }
    work.recorder.note(&format!(
        "{}: {} of {} files that were in place proved right",
        work.name(),
        tally.objects,
        tally.looked
    ));
    Ok(End::Done { objects: tally.objects, bytes: tally.bytes })
}

#[derive(Default)]
struct Tally {
    /// Files that were looked at.
    looked: u64,
    /// Those that proved right, and their bytes.
    objects: u64,
    bytes: u64,
}

/// What came of one row.
enum Judged {
    /// A file is its object.
    Right(Box<Right>),
    /// The file that the state remembers is whole; only its time had changed.
    Untouched(Box<Row>, Found),
    /// None of the files in place is, or can be shown to be, its object.
    Wrong(Box<Row>, String),
    /// The file that the state remembers is not there any more.
    Gone(Box<Row>),
}

struct Right {
    row: Row,
    found: Found,
    digests: Digests,
    proof: Proof,
    headers: ObjectHeaders,
}

/// Proves the files of a page of rows, gives them their places and records that.
async fn settle(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    mut rows: Vec<(Row, OnDisk)>,
    tally: &mut Tally,
) -> Result<(), Trouble> {
    let together = fetchers::share_of_descriptors(DESCRIPTORS_A_FILE).min(PAGE);
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(together));
        let some = std::mem::replace(&mut rows, rest);
        let judged: Vec<Judged> = stream::iter(some.into_iter().map(|(row, seen)| {
            let (work, place) = (Arc::clone(work), Arc::clone(place));
            async move { judge(&work, &place, row, seen).await }
        }))
        .buffered(AT_A_TIME)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect::<Result<_, Trouble>>()?;
        blocking(|| keep(work, place, judged, tally))?;
    }
    Ok(())
}

/// Reads the files that may be a row's object until one proves right.
async fn judge(
    work: &Work,
    place: &Arc<Archive>,
    row: Row,
    seen: OnDisk,
) -> Result<Judged, Trouble> {
    let OnDisk::Alike(paths) = seen else {
        return Ok(Judged::Gone(Box::new(row)));
    };
    work.unless_stopped()?;
    if let Some(stored) = row.stored.clone() {
        let ladder =
            Ladder::of(&Offer::new(&row.object.etag, stored.size, &ObjectHeaders::default()));
        return Ok(match read(place, &stored.path, ladder).await? {
            Some((found, digests))
                if *digests.sha256() == stored.sha256 && digests.size() == stored.size =>
            {
                Judged::Untouched(Box::new(row), found)
            }
            _ => Judged::Wrong(Box::new(row), "its file was changed".into()),
        });
    }
    let found = match prove_one_of(work, place, &row.object, paths).await {
        Ok(found) => found,
        Err(Untold::Aws(error)) if error.is_retryable() => return Err(error.into()),
        Err(Untold::Aws(error)) => match Trouble::from(error) {
            // Why S3 does not tell of one object is found out when it is downloaded.
            Trouble::Ends(End::Failed(why) | End::Stale(why)) => {
                return Ok(Judged::Wrong(Box::new(row), why));
            }
            trouble => return Err(trouble),
        },
        Err(Untold::Here(trouble)) => return Err(trouble),
    };
    Ok(match found {
        Some((found, digests, proof, headers)) => {
            Judged::Right(Box::new(Right { row, found, digests, proof, headers }))
        }
        None => Judged::Wrong(Box::new(row), "the file in its place does not prove right".into()),
    })
}

/// Why files could not be held against S3.
#[derive(Debug, Error)]
enum Untold {
    /// S3 does not tell of the object.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Something on this side.
    #[error(transparent)]
    Here(#[from] Trouble),
}

/// The first of some files that proves to be an object; `None` where none does.
async fn prove_one_of(
    work: &Work,
    place: &Arc<Archive>,
    object: &ObjectVersion,
    paths: Vec<String>,
) -> Result<Option<(Found, Digests, Proof, ObjectHeaders)>, Untold> {
    let mut offered = Offered::by(work, object).await?;
    for path in paths {
        loop {
            let ladder = &offered.ladder;
            let Some((found, digests)) = read(place, &path, ladder.clone()).await? else { break };
            match ladder.judge(&digests, digests.size()) {
                Verdict::Proven(proof) => {
                    return Ok(Some((found, digests, proof, offered.headers)));
                }
                // Its parts are not alike, perhaps: then the digests went by the wrong ones.
                Verdict::Unproven if offered.learn_parts(work, object).await? => {}
                Verdict::Unproven | Verdict::Corrupt(_) => break,
            }
        }
    }
    Ok(None)
}

/// What S3 offers to prove an object by.
struct Offered {
    headers: ObjectHeaders,
    ladder: Ladder,
}

impl Offered {
    /// Asks for the headers, and where only parts can prove the object, for the size of its first
    /// part: most uploads cut all parts alike.
    async fn by(work: &Work, object: &ObjectVersion) -> Result<Self, AwsError> {
        let version = object.version_id.as_deref();
        let mut headers = work.door.head(&object.key, version, Some(&object.etag)).await?.headers;
        if headers.tag_count > 0 {
            headers.tags = Some(work.door.tags(&object.key, version).await?);
        }
        let mut ladder = Ladder::of(&offer(object, &headers, Parts::PerhapsAlike));
        if ladder.wants_part_sizes() {
            headers.part_sizes = sizes_of_parts(work, object, Some(&headers)).await?;
            ladder = Ladder::of(&offer(object, &headers, Parts::PerhapsAlike));
        }
        Ok(Self { headers, ladder })
    }

    /// Asks for the size of every part, where only that of the first was asked for; whether the
    /// others turn out to be different from it.
    async fn learn_parts(&mut self, work: &Work, object: &ObjectVersion) -> Result<bool, AwsError> {
        if !self.ladder.assumes_part_sizes() {
            return Ok(false);
        }
        let told = real_part_sizes(work, object, &self.headers).await?.unwrap_or_default();
        let differ = !told.is_empty() && told != self.headers.part_sizes;
        self.headers.part_sizes = told;
        self.ladder = Ladder::of(&offer(object, &self.headers, Parts::AsAsked));
        Ok(differ)
    }
}

/// Digests a file as it comes from the medium; `None` where no plain file is there, or it does not
/// read.
///
/// # Errors
/// Where this process has no descriptor left for it, which says nothing of the file.
async fn read(
    place: &Arc<Archive>,
    path: &str,
    ladder: Ladder,
) -> Result<Option<(Found, Digests)>, Trouble> {
    let (place, path) = (Arc::clone(place), path.to_owned());
    let read = spawn_blocking(move || {
        let found = match place.find(&path) {
            Err(error) if error.is_shortage() => return Err(error),
            found => found.ok().flatten(),
        };
        let mut hasher = Hasher::new(&ladder);
        Ok(found
            .filter(|found| found.read(|bytes| hasher.update(bytes)).is_ok())
            .map(|found| (found, hasher.finish())))
    });
    Ok(read.await??)
}

/// Gives the proven files their places and records everything together.
fn keep(
    work: &Work,
    place: &Archive,
    judged: Vec<Judged>,
    tally: &mut Tally,
) -> Result<(), Trouble> {
    let mut batch = Batch::new();
    let mut files = Vec::new();
    let mut facts = Vec::new();
    for judged in judged {
        match judged {
            Judged::Right(right) => {
                let Right { row, found, digests, proof, headers } = *right;
                let path = path_in_bag(&row, &found);
                files.push((found, path.clone(), row.object.last_modified_ms));
                facts.push((row, path, Some((digests, proof, headers))));
            }
            Judged::Untouched(row, found) => {
                let path = found.path().to_owned();
                files.push((found, path.clone(), row.object.last_modified_ms));
                facts.push((*row, path, None));
            }
            Judged::Wrong(row, why) => leave(work, &mut batch, &row, &why)?,
            Judged::Gone(row) => {
                batch.unstore(work.name(), row.number);
            }
        }
    }
    let at_ms = work.clock.now().as_millisecond();
    let kind = match place.medium() {
        archive::Readback::Medium => ReadbackKind::Medium,
        archive::Readback::Client => ReadbackKind::Client,
    };
    for (taken, (row, path, proven)) in place.take_in(files)?.into_iter().zip(facts) {
        match (taken, proven) {
            (TakenIn::Durable, Some((digests, proof, headers))) => {
                let stored = Stored {
                    path,
                    sha256: *digests.sha256(),
                    fingerprint: digests.fingerprint(),
                    size: digests.size(),
                    mtime_ns: row.object.last_modified_ms.saturating_mul(1_000_000),
                    proof,
                    readback: Some(Readback { kind, at_ms }),
                };
                tally.bytes += stored.size;
                batch.headers(work.name(), row.number, headers);
                batch.store(work.name(), row.number, stored);
                batch.clear_failure(work.name(), row.number);
            }
            (TakenIn::Durable, None) => {
                tally.bytes += row.object.size;
                batch.read_back(work.name(), row.number, Readback { kind, at_ms });
            }
            (TakenIn::Stays(why), _) => {
                leave(work, &mut batch, &row, &format!("its file stays where it is: {why}"))?;
                continue;
            }
        }
        tally.objects += 1;
    }
    work.state.commit(batch)?;
    Ok(())
}

/// Where a proven file belongs: it stays below `data/` where it is, another tool's moves in.
fn path_in_bag(row: &Row, found: &Found) -> String {
    let elsewhere = found.path() == row.object.key;
    let belongs = || keymap::object_path(&row.object, row.beside_folder);
    if elsewhere { belongs() } else { found.path().to_owned() }
}

/// Leaves a file alone that is not its row's object, and says so.
fn leave(work: &Work, batch: &mut Batch, row: &Row, why: &str) -> Result<(), Trouble> {
    if row.stored.is_some() {
        batch.unstore(work.name(), row.number);
    }
    batch.mark(work.name(), row.number, Mark::Misfit);
    let why = if row.object.is_frozen() {
        // The plan counted on the file, so it has no thaw for this object.
        let why = format!("{why}; its object needs a restore that is not in this plan: plan again");
        batch.fail(work.name(), row.number, &why);
        why
    } else {
        format!("{why}; it stays, and its object is fetched beside it")
    };
    let fact = Fact::ObjectFailed {
        bucket: work.name().clone(),
        key: row.object.key.clone(),
        version_id: row.object.version_id.clone(),
        why,
    };
    Ok(work.recorder.record(fact)?)
}
