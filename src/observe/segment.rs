//! A stretch of a bucket's keys that is listed for itself: how far it is, and where it may be
//! split.

use super::ObserveError;
use super::split::{Alphabet, behind, shared};
use super::spool::Spool;
use crate::model::ObjectVersion;

/// One in so many keys is looked at for its characters.
const SAMPLE: usize = 100;

/// A stretch of the key space, up to and with `bound`.
pub(super) struct Segment<R> {
    pub id: u64,
    /// Where the next segment begins; `None`: to the end of the bucket. What stands before it is
    /// listed until a key behind it comes, whatever was guessed.
    pub bound: Option<String>,
    /// What is thought to be its last key at most, for guesses; `None` where nothing tells.
    pub end: Option<String>,
    /// The first key of the page that was fetched last, and its last key.
    pub recent: Option<(String, String)>,
    /// How many keys that page had.
    pub page: u64,
    /// `None` while a page is being fetched, and once there are no more.
    pub run: Option<R>,
    pub over: bool,
    pub spool: Spool,
    /// Whether a place in it is being tried.
    pub tried: bool,
    /// Whether nothing is known to stand at its end, and up to which character of its last key
    /// the end is looked for.
    pub open: Option<usize>,
}

impl<R> Segment<R> {
    /// One of which nothing is known.
    pub fn new(id: u64, spool: Spool) -> Self {
        Self {
            id,
            bound: None,
            end: None,
            recent: None,
            page: 0,
            run: None,
            over: false,
            spool,
            tried: false,
            open: None,
        }
    }

    /// The last key that was fetched.
    pub fn last(&self) -> Option<&String> {
        self.recent.as_ref().map(|(_, last)| last)
    }

    /// How many keys seem to be ahead, where they lie as close as on the last page.
    pub fn ahead(&self, alphabet: &Alphabet) -> f64 {
        match (&self.end, &self.recent) {
            (Some(end), Some((first, last))) => {
                let done = alphabet.fraction(first, last, end).max(1e-9);
                self.page as f64 * (1.0 - done) / done
            }
            _ => f64::INFINITY,
        }
    }

    /// Where to try to split it, and the character of the last key that this changes.
    pub fn place(&self, alphabet: &Alphabet) -> Option<(String, Option<usize>)> {
        let (first, last) = self.recent.as_ref()?;
        if let Some(open) = self.open {
            let from = self.end.as_deref().map_or(0, |end| shared(last, end) + 1);
            // What changes on a single page is too near to be worth a segment, so what stands
            // before that in the key is changed.
            let to = open.min(shared(first, last).saturating_sub(1));
            if from <= to {
                let at = usize::midpoint(from, to);
                let place = behind(last, at);
                let place = place.filter(|at| self.end.as_ref().is_none_or(|end| at < end));
                if let Some(place) = place {
                    return Some((place, Some(at)));
                }
            }
        }
        let place = alphabet.between(last, self.end.as_deref()?)?;
        Some((place, None))
    }

    /// Puts a page behind the others, cut where the next segment begins. Gives how many keys it
    /// brought, and whether more may follow.
    pub fn put(&mut self, fetched: Fetched) -> Result<(u64, bool), ObserveError> {
        let Some((first, last)) = fetched.ends else { return Ok((0, true)) };
        let is_behind = |key: &String| self.bound.as_ref().is_some_and(|bound| key > bound);
        if is_behind(&first) {
            return Ok((0, false));
        }
        let (bytes, keys, more, last) = if is_behind(&last) {
            let mut objects = decode(&fetched.bytes)?;
            objects.retain(|object| !is_behind(&object.key));
            let last = objects.last().map_or(first.clone(), |object| object.key.clone());
            (encode(&objects)?, objects.len() as u64, false, last)
        } else {
            (fetched.bytes, fetched.keys, true, last)
        };
        self.spool.put(bytes).map_err(ObserveError::Spool)?;
        self.page = keys;
        if self.end.as_ref().is_some_and(|end| last > *end) {
            self.end.clone_from(&self.bound);
            self.open = self.open.map(|_| usize::MAX);
        }
        self.recent = Some((first, last));
        Ok((keys, more))
    }
}

/// A page on its way from a request to its segment.
pub(super) struct Fetched {
    /// The objects, packed.
    pub bytes: Vec<u8>,
    /// How many.
    pub keys: u64,
    /// The first and the last.
    pub ends: Option<(String, String)>,
    /// Some of them, to learn their characters from.
    pub sample: Vec<String>,
}

impl Fetched {
    /// Packs a page that has keys.
    ///
    /// # Errors
    /// [`ObserveError::Spool`] where it cannot be packed.
    pub fn of(objects: &[ObjectVersion]) -> Result<Self, ObserveError> {
        let ends = objects.first().zip(objects.last());
        let sample = objects.iter().step_by(SAMPLE).map(|object| object.key.clone());
        Ok(Self {
            keys: objects.len() as u64,
            ends: ends.map(|(first, last)| (first.key.clone(), last.key.clone())),
            sample: sample.chain(objects.last().map(|object| object.key.clone())).collect(),
            bytes: encode(objects)?,
        })
    }
}

fn encode(objects: &[ObjectVersion]) -> Result<Vec<u8>, ObserveError> {
    postcard::to_stdvec(objects).map_err(|error| ObserveError::Spool(std::io::Error::other(error)))
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<ObjectVersion>, ObserveError> {
    postcard::from_bytes(bytes).map_err(|error| ObserveError::Spool(std::io::Error::other(error)))
}
