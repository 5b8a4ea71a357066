//! Brings one object home: pinned, resumed where it broke, digested while it streams, proven.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::mend::mend;
use super::parts::{Parts, is_corrupt, offer, real_part_sizes, sizes_of_parts};
use super::pieces;
use super::sink::{self, Sink};
use crate::apply::end::{End, Trouble};
use crate::apply::work::Work;
use crate::archive::{Archive, ReadBack, Staged, keymap};
use crate::aws::{AwsError, Body, ErrorKind, Get, Head};
use crate::model::{ObjectHeaders, ObjectVersion, Proof, ProofForecast, ProofKind, Unprovable};
use crate::proof::{self, Digests, Hasher, Ladder, Offer, Verdict};
use crate::state::{Readback, ReadbackKind, Row};

/// Times an object is fetched anew when its bytes turn out wrong.
const FETCHES: u32 = 3;
/// Times in a row that a body may break without a byte of progress.
const BREAKS: u32 = 8;
/// The first pause after a break; doubled each time, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// An object that is whole in the staging folder, with what proved it.
pub(super) struct Fetched {
    pub row: Row,
    pub staged: Staged,
    pub path: String,
    pub digests: Digests,
    pub proof: Proof,
    pub headers: ObjectHeaders,
    /// Whether it was found right on its medium already.
    pub read: Option<Readback>,
}

/// What came of bringing one object home.
pub(super) enum Fetch {
    /// It is in the staging folder, proven or known to be unprovable.
    Got(Box<Fetched>),
    /// It could not be had; it stays in S3, and this says why.
    Failed { row: Box<Row>, why: String },
}

impl Fetch {
    /// How many bytes wait in the staging folder.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Got(fetched) => fetched.digests.size(),
            Self::Failed { .. } => 0,
        }
    }
}

/// Where an object's file belongs, from the bag's root.
pub(super) fn path_of(row: &Row) -> String {
    keymap::object_path(&row.object, row.beside_folder)
}

/// Fetches and proves one object.
pub(super) async fn fetch(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    row: Row,
) -> Result<Fetch, Trouble> {
    let mut part_sizes = Vec::new();
    let mut why = String::new();
    // What the last download gave, where nothing matched it.
    let mut unmatched: Option<[u8; 32]> = None;
    for _ in 0..FETCHES {
        // Before anything is read back: what is counted from then on is not counted too late.
        let at_ms = work.clock.now().as_millisecond();
        let received = match receive(work, place, &row.object, &part_sizes).await {
            Ok(received) => received,
            Err(Trouble::Ends(End::Failed(why))) => {
                return Ok(Fetch::Failed { row: Box::new(row), why });
            }
            Err(trouble) => return Err(trouble),
        };
        let received = mend(work, &row.object, received).await?;
        let Received { staged, digests, ladder, headers, read } = received;
        let written = (digests.fingerprint(), digests.size());
        if read.is_some_and(|read| (read.fingerprint, read.size) != written) {
            why = "its file reads back differently from what was written".into();
            continue;
        }
        let proof = match ladder.judge(&digests, digests.size()) {
            Verdict::Proven(proof) => proof,
            Verdict::Corrupt(proof) => {
                why = format!(
                    "its bytes do not match S3's {}: S3 says {}, received {}",
                    proof.kind, proof.expected, proof.actual
                );
                continue;
            }
            Verdict::Unproven => {
                if part_sizes.is_empty()
                    && let Some(sizes) = real_part_sizes(work, &row.object, &headers).await?
                {
                    let alike = sizes == headers.part_sizes;
                    part_sizes = sizes;
                    if !alike || is_corrupt(&row.object, &headers, &digests) {
                        // The digests went by other parts, or were right to differ: once more.
                        why = "its bytes match nothing that S3 holds for it".into();
                        continue;
                    }
                }
                if ladder.expects_a_match() && unmatched != Some(*digests.sha256()) {
                    // Bytes that came out wrong on the way, perhaps: then they will not twice.
                    unmatched = Some(*digests.sha256());
                    why = "its downloads differ from each other".into();
                    continue;
                }
                match unprovable(work, &row.object, &digests).await? {
                    Verdict::Proven(proof) => proof,
                    Verdict::Corrupt(proof) => {
                        why = format!(
                            "two downloads differ: {} and {}",
                            proof.expected, proof.actual
                        );
                        continue;
                    }
                    Verdict::Unproven => Proof {
                        kind: ProofKind::Unproven,
                        expected: String::new(),
                        actual: String::new(),
                    },
                }
            }
        };
        let path = path_of(&row);
        let read = read.map(|_| Readback { kind: ReadbackKind::Medium, at_ms });
        let fetched = Fetched { row, staged, path, digests, proof, headers, read };
        return Ok(Fetch::Got(Box::new(fetched)));
    }
    Ok(Fetch::Failed {
        why: format!("{why} ({FETCHES} times); nothing was kept of it"),
        row: Box::new(row),
    })
}

/// An object as it came, not judged yet.
pub(super) struct Received {
    pub staged: Staged,
    pub digests: Digests,
    pub ladder: Ladder,
    pub headers: ObjectHeaders,
    /// What its medium holds of it, where that was read already.
    pub read: Option<ReadBack>,
}

/// Streams one object into the staging folder, digesting on the way.
async fn receive(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    object: &ObjectVersion,
    part_sizes: &[u64],
) -> Result<Received, Trouble> {
    let version = object.version_id.as_deref();
    let parts = if part_sizes.is_empty() { Parts::PerhapsAlike } else { Parts::AsAsked };
    let mut part_sizes = part_sizes.to_vec();
    // Asked before the body is opened: a body holds its connection, and connections are limited.
    let by_parts = matches!(
        object.proof_forecast(),
        ProofForecast::MultipartETag | ProofForecast::CompositeChecksum
    );
    if part_sizes.is_empty() && by_parts {
        part_sizes = sizes_of_parts(work, object, None).await?;
    }
    if object.size >= pieces::HUGE {
        return receive_huge(work, place, object, part_sizes, parts).await;
    }
    let room = work.buffers.room(sink::held(object.size)).await;
    let mut got = ask_for(work, object, None).await?;
    let (mut headers, mut ladder) = offered(object, &got.head, &part_sizes, parts)?;
    if ladder.wants_part_sizes() && part_sizes.is_empty() {
        // The listing did not say so, but only the parts can prove this one.
        drop(got);
        part_sizes = sizes_of_parts(work, object, Some(&headers)).await?;
        got = ask_for(work, object, None).await?;
        (headers, ladder) = offered(object, &got.head, &part_sizes, parts)?;
    }
    let hasher = Hasher::new(&ladder);
    let mut sink = Sink::open((&work.writers, &work.buffers), place, object, hasher, room);
    match pour_range(work, object, (0, object.size), Some(got), &mut sink).await {
        Ok(()) => {}
        Err(Poured::Trouble(trouble)) => return Err(trouble),
        Err(Poured::Disk) => return Err(sink.fault().await),
    }
    let (staged, digests) = sink.close().await?;
    if headers.tag_count > 0 {
        headers.tags = Some(work.door.tags(&object.key, version).await?);
    }
    Ok(Received { staged, digests, ladder, headers, read: None })
}

/// The same for a huge one, in pieces.
async fn receive_huge(
    work: &Arc<Work>,
    place: &Arc<Archive>,
    object: &ObjectVersion,
    mut part_sizes: Vec<u64>,
    parts: Parts,
) -> Result<Received, Trouble> {
    let version = object.version_id.as_deref();
    // Ranges come without checksums: those of the whole are asked for first.
    let head = work.door.head(&object.key, version, Some(&object.etag)).await?;
    let (mut headers, mut ladder) = offered(object, &head, &part_sizes, parts)?;
    if ladder.wants_part_sizes() && part_sizes.is_empty() {
        part_sizes = sizes_of_parts(work, object, Some(&headers)).await?;
        (headers, ladder) = offered(object, &head, &part_sizes, parts)?;
    }
    let hasher = Hasher::new(&ladder);
    let (staged, digests, read) = pieces::receive(work, place, object, &part_sizes, hasher).await?;
    if headers.tag_count > 0 {
        headers.tags = Some(work.door.tags(&object.key, version).await?);
    }
    Ok(Received { staged, digests, ladder, headers, read })
}

/// What the head of an answer offers to prove the object by, with the part sizes known so far.
fn offered(
    object: &ObjectVersion,
    head: &Head,
    part_sizes: &[u64],
    parts: Parts,
) -> Result<(ObjectHeaders, Ladder), Trouble> {
    if head.size != object.size {
        return Err(Trouble::Ends(End::Stale(format!(
            "{:?} has {} bytes now and had {} when it was listed",
            object.key, head.size, object.size
        ))));
    }
    let mut headers = head.headers.clone();
    part_sizes.clone_into(&mut headers.part_sizes);
    let ladder = Ladder::of(&offer(object, &headers, parts));
    Ok((headers, ladder))
}

/// Asks for an object or the rest of it; once more where the answer cannot be right.
async fn ask_for(
    work: &Work,
    object: &ObjectVersion,
    range: Option<(u64, u64)>,
) -> Result<Get, AwsError> {
    let version = object.version_id.as_deref();
    for _ in 1..FETCHES {
        match work.door.get(&object.key, version, &object.etag, range).await {
            Err(error) if *error.kind() == ErrorKind::BadAnswer => {}
            answer => return answer,
        }
    }
    work.door.get(&object.key, version, &object.etag, range).await
}

/// Takes the bytes of an object or of a range of it.
pub(super) trait Pour {
    /// How many bytes it has taken.
    fn received(&self) -> u64;

    /// Takes the next bytes. An error says that it takes no more.
    async fn pour(&mut self, chunk: Bytes) -> Result<(), ()>;
}

/// Why pouring stopped before the end.
pub(super) enum Poured {
    /// The disk did not take it.
    Disk,
    /// Something that ends the action.
    Trouble(Trouble),
}

/// Pours a range of an object, from an answer that is there already or a new one, and asks for the
/// rest of it wherever a body breaks off.
pub(super) async fn pour_range(
    work: &Work,
    object: &ObjectVersion,
    (first, end): (u64, u64),
    got: Option<Get>,
    sink: &mut impl Pour,
) -> Result<(), Poured> {
    let told = |error: AwsError| Poured::Trouble(error.into());
    let mut got = got;
    let mut breaks = 0;
    let mut pause = PAUSE;
    loop {
        let before = sink.received();
        let at = first + before;
        let mut answer = match got.take() {
            Some(answer) => answer,
            None => {
                let part = Some((at, end)).filter(|_| at > 0 || end < object.size);
                ask_for(work, object, part).await.map_err(told)?
            }
        };
        match pour(work, &mut answer.body, sink).await? {
            None => return Ok(()),
            Some(error) => {
                breaks = if sink.received() > before { 0 } else { breaks + 1 };
                if breaks >= BREAKS || !can_resume(&error) {
                    return Err(told(error));
                }
                drop(answer);
                tokio::select! {
                    () = work.clock.sleep(pause) => {}
                    () = work.stop.wait() => return Err(Poured::Trouble(Trouble::Ends(End::Parked))),
                }
                pause = if breaks == 0 { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
                if first + sink.received() == end {
                    return Ok(());
                }
            }
        }
    }
}

/// Pours a body to its end; answers why its line broke, if it did.
async fn pour(
    work: &Work,
    body: &mut Body,
    sink: &mut impl Pour,
) -> Result<Option<AwsError>, Poured> {
    loop {
        let chunk = tokio::select! {
            chunk = body.chunk() => chunk,
            () = work.stop.wait() => return Err(Poured::Trouble(Trouble::Ends(End::Parked))),
        };
        match chunk {
            Ok(Some(chunk)) => {
                work.throttle.pass(chunk.len()).await;
                work.brought(chunk.len() as u64);
                sink.pour(chunk).await.map_err(|()| Poured::Disk)?;
            }
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(error)),
        }
    }
}

/// Whether the rest of a body that broke off can be asked for.
fn can_resume(error: &AwsError) -> bool {
    error.is_retryable() || *error.kind() == ErrorKind::BadAnswer
}

/// What stands in where S3 holds nothing to compare with, as far as the plan allows it.
async fn unprovable(
    work: &Work,
    object: &ObjectVersion,
    first: &Digests,
) -> Result<Verdict, Trouble> {
    match work.archive()?.unprovable {
        Unprovable::Keep => Ok(Verdict::Unproven),
        Unprovable::Size => Ok(proof::size_only(object.size, first.size())),
        Unprovable::Twice => Ok(proof::twice(first, &digest_again(work, object).await?)),
    }
}

/// Reads the whole object a second time, keeping nothing but its digest.
async fn digest_again(work: &Work, object: &ObjectVersion) -> Result<Digests, Trouble> {
    let ladder = Ladder::of(&Offer::new(&object.etag, object.size, &ObjectHeaders::default()));
    let mut digest = OnlyDigest { hasher: Hasher::new(&ladder), received: 0 };
    match pour_range(work, object, (0, object.size), None, &mut digest).await {
        Ok(()) => Ok(digest.hasher.finish()),
        Err(Poured::Trouble(trouble)) => Err(trouble),
        Err(Poured::Disk) => Err(Trouble::Ends(End::Failed("its digest stopped early".into()))),
    }
}

/// Takes bytes that are not kept.
struct OnlyDigest {
    hasher: Hasher,
    received: u64,
}

impl Pour for OnlyDigest {
    fn received(&self) -> u64 {
        self.received
    }

    async fn pour(&mut self, chunk: Bytes) -> Result<(), ()> {
        self.hasher.update(&chunk);
        self.received += chunk.len() as u64;
        Ok(())
    }
}
