//! Lists a bucket at many places at the same time, and hands its pages out in key order.
//!
//! ```text
//!   ──────────────────── keys ────────────────────►
//!   ├── segment ──┼──── segment ────┼── segment ──┤   one request under way in each
//!     handed out     spooled until its turn comes
//! ```
//!
//! Listing begins at one place. Once it has shown how the keys look, a place further on is guessed
//! and asked for. Keys there: they are the first page of a new segment, and nothing is lost.
//! None: the range is shorter by that much, at the price of one request. A segment that reaches the
//! next one's beginning is over, and has fetched half a page too much on average. Both prices
//! together stay below a twelfth of the requests that had to be made anyway, but for a few in
//! advance: small buckets are listed at one place, and large ones soon at many.
//!
//! Memory: a page for each request under way, and a little for each segment; what is fetched before
//! its turn waits in nameless files (see [`super::spool`]).

use std::future::Future;
use std::num::NonZero;
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::ObserveError;
use super::segment::{Fetched, Segment, decode};
use super::split::Alphabet;
use super::spool::{Pile, Spool};
use crate::aws::{AwsError, Bucket, ListCursor, Listing, Page, Pages};
use crate::model::ObjectVersion;

/// Requests under way at a time, at most.
const LANES: usize = 32;
/// And for each processor: reading one's page takes some 6 ms of it, so that more would only wait,
/// each with its page in memory.
const LANES_A_PROCESSOR: usize = 8;
/// Pages that had to be fetched for each request that was only worth a try.
const PAGES_A_GUESS: f64 = 16.0;
/// Tries in advance, so that a listing is wide before many pages have paid for it; one for each two
/// full pages at most.
const ADVANCE: f64 = 8.0;
/// What a segment costs beyond its pages: half of its last one.
const OVERSHOOT: f64 = 0.6;
/// Keys on a full page.
const PAGE: f64 = 1000.0;
/// The least number of pages ahead that makes splitting a segment worth its price.
const WORTH_SPLITTING: f64 = 6.0;
/// Pages handed out that nobody has taken yet.
const AHEAD: usize = 4;

/// Whatever can be listed from a place on.
pub(super) trait Keys: Clone + Send + Sync + 'static {
    type From: Run;
    /// Lists what stands behind this key, all of its versions included in what is not listed.
    fn behind(&self, key: Option<String>) -> Self::From;
    /// The error for a listing that ends before this place, behind which another one found keys.
    fn ended_before(&self, place: &str) -> ObserveError;
}

/// A listing at one place, page by page.
pub(super) trait Run: Send + 'static {
    fn page(&mut self) -> impl Future<Output = Result<Option<Page>, AwsError>> + Send;
}

#[derive(Clone)]
struct Door {
    bucket: Bucket,
    listing: Listing,
}

impl Keys for Door {
    type From = Pages;

    fn behind(&self, key: Option<String>) -> Pages {
        let after = key.map(|key| ListCursor { key, version_id: None });
        self.bucket.list(self.listing, after)
    }

    fn ended_before(&self, place: &str) -> ObserveError {
        let message = format!("it ends before {place:?}, behind which there are more keys");
        self.bucket.odd_listing(self.listing, message).into()
    }
}

impl Run for Pages {
    async fn page(&mut self) -> Result<Option<Page>, AwsError> {
        self.next().await
    }
}

/// The next objects; `None` at the end of a complete listing. A listing that broke off has no such
/// end, so that it is never taken for a short one.
type Delivery = Result<Option<Vec<ObjectVersion>>, ObserveError>;

/// A listing in progress; dropping it ends it.
pub(super) struct WideListing {
    pages: mpsc::Receiver<Delivery>,
    driver: AbortHandle,
}

impl WideListing {
    /// Begins to list a bucket; pages that come before their turn wait in `folder`.
    pub fn of(bucket: &Bucket, listing: Listing, folder: &Path) -> Self {
        Self::over(Door { bucket: bucket.clone(), listing }, folder)
    }

    fn over(keys: impl Keys, folder: &Path) -> Self {
        let (sender, pages) = mpsc::channel(AHEAD);
        let folder = folder.to_owned();
        let driver = tokio::spawn(async move {
            let ended = Drive::new(keys, &folder, PAGE, lanes()).run(&sender).await.map(|()| None);
            // Where nobody listens any more, nobody wants to know.
            let _ = sender.send(ended).await;
        });
        Self { pages, driver: driver.abort_handle() }
    }

    /// The next objects in key order; `None` once the listing is complete, and only then.
    ///
    /// # Errors
    /// What AWS did not answer, and what the disk did not take.
    pub async fn next(&mut self) -> Result<Option<Vec<ObjectVersion>>, ObserveError> {
        let broke_off = || ObserveError::Spool(std::io::Error::other("the listing broke off"));
        self.pages.recv().await.unwrap_or_else(|| Err(broke_off()))
    }
}

impl Drop for WideListing {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// How many requests are worth having under way at a time on this machine.
fn lanes() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    (processors * LANES_A_PROCESSOR).min(LANES)
}

enum Came<R> {
    /// The next page of a segment; `None` where there is none.
    Page(u64, R, Result<Option<Fetched>, AwsError>),
    /// The first page behind a place that was tried.
    Try(u64, (String, Option<usize>), R, Result<Option<Fetched>, AwsError>),
}

struct Drive<K: Keys> {
    source: K,
    /// Requests under way at a time.
    lanes: usize,
    pile: Pile,
    /// In key order.
    segments: Vec<Segment<K::From>>,
    under_way: JoinSet<Result<Came<K::From>, ObserveError>>,
    alphabet: Alphabet,
    next_id: u64,
    keys: u64,
    /// What the splitting has cost so far, in requests.
    price: f64,
    tries: usize,
    /// With fewer keys ahead a segment is not worth splitting.
    least: f64,
    /// Keys on a full page.
    page: f64,
    /// Set once a try was answered with an error: some servers do not take any place.
    narrow: bool,
}

impl<K: Keys> Drive<K> {
    fn new(source: K, folder: &Path, page: f64, lanes: usize) -> Self {
        let pile = Pile::new(folder);
        let first = Segment {
            run: Some(source.behind(None)),
            open: Some(usize::MAX),
            ..Segment::new(0, Spool::new(&pile))
        };
        Self {
            source,
            lanes,
            pile,
            segments: vec![first],
            under_way: JoinSet::new(),
            alphabet: Alphabet::default(),
            next_id: 1,
            keys: 0,
            price: 0.0,
            tries: 0,
            least: WORTH_SPLITTING * page,
            page,
            narrow: false,
        }
    }

    async fn run(mut self, sender: &mpsc::Sender<Delivery>) -> Result<(), ObserveError> {
        loop {
            while self.segments.first().is_some_and(|head| head.over && head.spool.is_empty()) {
                self.segments.remove(0);
            }
            self.ask();
            let ready = self.segments.first().is_some_and(|head| !head.spool.is_empty());
            if !ready && self.segments.is_empty() {
                return Ok(());
            }
            tokio::select! {
                permit = sender.reserve(), if ready => {
                    let Ok(permit) = permit else { return Ok(()) };
                    if let Some(head) = self.segments.first_mut()
                        && let Some(page) = head.spool.take().map_err(ObserveError::Spool)?
                    {
                        permit.send(Ok(Some(decode(&page)?)));
                    }
                }
                Some(came) = self.under_way.join_next() => self.take(came.map_err(panicked)??)?,
            }
        }
    }

    /// Sends what can be sent.
    fn ask(&mut self) {
        for segment in &mut self.segments {
            if self.under_way.len() >= self.lanes {
                return;
            }
            if let Some(mut run) = segment.run.take() {
                let id = segment.id;
                self.under_way.spawn(async move {
                    let page = fetch(&mut run).await?;
                    Ok(Came::Page(id, run, page))
                });
            }
        }
        while self.under_way.len() < self.lanes && self.can_pay() {
            let Some((id, place)) = self.best_place() else { return };
            let mut run = self.source.behind(Some(place.0.clone()));
            self.tries += 1;
            if let Some(segment) = self.segments.iter_mut().find(|segment| segment.id == id) {
                segment.tried = true;
            }
            self.under_way.spawn(async move {
                let page = fetch(&mut run).await?;
                Ok(Came::Try(id, place, run, page))
            });
        }
    }

    fn can_pay(&self) -> bool {
        let price = self.price + self.tries as f64 + 1.0;
        let pages = self.keys as f64 / self.page;
        !self.narrow && price <= pages / PAGES_A_GUESS + (pages / 2.0).min(ADVANCE)
    }

    /// The place that promises most.
    fn best_place(&self) -> Option<(u64, (String, Option<usize>))> {
        let mut best: Vec<(f64, &Segment<K::From>)> = self
            .segments
            .iter()
            .filter(|segment| !segment.over && !segment.tried && segment.recent.is_some())
            .map(|segment| (segment.ahead(&self.alphabet), segment))
            .filter(|(ahead, _)| *ahead >= self.least)
            .collect();
        best.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        best.into_iter().find_map(|(_, segment)| Some((segment.id, segment.place(&self.alphabet)?)))
    }

    fn take(&mut self, came: Came<K::From>) -> Result<(), ObserveError> {
        match came {
            Came::Page(id, run, page) => {
                let Some(at) = self.segments.iter().position(|segment| segment.id == id) else {
                    return Ok(());
                };
                let Some(fetched) = page? else { return self.end(at) };
                self.learn(&fetched);
                let (keys, more) = self.segments[at].put(fetched)?;
                self.keys += keys;
                let segment = &mut self.segments[at];
                segment.over = !more;
                segment.run = more.then_some(run);
                Ok(())
            }
            Came::Try(id, place, run, page) => self.split(id, place, run, page),
        }
    }

    /// Takes the server's word that nothing follows, unless it has shown what does.
    fn end(&mut self, at: usize) -> Result<(), ObserveError> {
        let segment = &mut self.segments[at];
        segment.over = true;
        match &segment.bound {
            None => Ok(()),
            Some(bound) => Err(self.source.ended_before(bound)),
        }
    }

    /// Makes a segment of what a try has shown.
    fn split(
        &mut self,
        id: u64,
        (place, changed): (String, Option<usize>),
        run: K::From,
        page: Result<Option<Fetched>, AwsError>,
    ) -> Result<(), ObserveError> {
        self.tries -= 1;
        let at = self.segments.iter().position(|segment| segment.id == id);
        if let Some(at) = at {
            self.segments[at].tried = false;
        }
        let fetched = match page {
            Ok(fetched) => fetched,
            Err(error) => {
                tracing::debug!(%error, "the bucket is listed at fewer places");
                self.narrow = true;
                return Ok(());
            }
        };
        let passed = |segment: &Segment<K::From>| {
            segment.over || segment.last().is_none_or(|last| *last >= place)
        };
        let Some(at) = at.filter(|&at| !passed(&self.segments[at])) else {
            // It was reached in the meantime: look further away.
            self.price += 1.0;
            if let (Some(at), Some(changed)) = (at, changed) {
                self.segments[at].open = Some(changed.saturating_sub(1));
            }
            return Ok(());
        };
        let mut segment = Segment {
            bound: self.segments[at].bound.clone(),
            end: self.segments[at].end.clone(),
            open: changed,
            ..Segment::new(self.next_id, Spool::new(&self.pile))
        };
        let (keys, more) = match fetched {
            Some(fetched) => {
                self.learn(&fetched);
                segment.put(fetched)?
            }
            None => (0, false),
        };
        let parent = &mut self.segments[at];
        parent.end = Some(place.clone());
        if keys == 0 && !more {
            // Nothing stands there: what the segment ends with has to be looked for. It is a guess
            // like others: the segment goes on behind it where there are keys after all.
            self.price += 1.0;
            parent.open = Some(parent.open.unwrap_or(usize::MAX));
            return Ok(());
        }
        parent.bound = Some(place);
        parent.open = None;
        segment.over = !more;
        segment.run = more.then_some(run);
        // One that ends on its first page has cost what of that page is not its own.
        self.price += if more { OVERSHOOT } else { 1.0 - (keys as f64 / self.page).min(1.0) };
        self.keys += keys;
        self.next_id += 1;
        self.segments.insert(at + 1, segment);
        Ok(())
    }

    fn learn(&mut self, fetched: &Fetched) {
        fetched.sample.iter().for_each(|key| self.alphabet.learn(key));
    }
}

/// Fetches a page and packs it where other pages are being fetched too: in a task of its own.
async fn fetch(run: &mut impl Run) -> Result<Result<Option<Fetched>, AwsError>, ObserveError> {
    let objects = loop {
        match run.page().await {
            // A page without keys says nothing, not even that it was the last one.
            Ok(Some(page)) if page.objects.is_empty() => {}
            Ok(Some(page)) => break page.objects,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        }
    };
    Ok(Ok(Some(Fetched::of(&objects)?)))
}

fn panicked(error: tokio::task::JoinError) -> ObserveError {
    ObserveError::Spool(std::io::Error::other(error))
}

#[cfg(test)]
#[path = "wide_tests.rs"]
mod tests;
