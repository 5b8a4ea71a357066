//! A long row of objects that differ in a number only: a few bytes for millions of them.
//!
//! An object of the row is made when someone looks at it. One that is changed leaves the row for
//! the bucket's ordinary objects; one that is deleted is a bit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::version::{Stored, Traits, Version};
use crate::content::{Content, mix};

/// Objects at least this large are kept once made, for the sake of their digests.
const WORTH_KEEPING: u64 = 64 * 1024;

/// A row of objects.
#[derive(Debug)]
pub struct Series {
    /// What stands before the number.
    pub prefix: String,
    /// What stands after it.
    pub suffix: String,
    /// How many there were at the start.
    pub count: u64,
    /// The content of number 0; others have a seed of their own, or the same bytes.
    pub content: Content,
    /// The part sizes.
    pub parts: Option<Vec<u64>>,
    /// What they share.
    pub traits: Arc<Traits>,
    /// What number 0 looks like but for its content: restore, tags, holds.
    pub pattern: Version,
    /// Gives the version ids, in a bucket that keeps versions.
    pub version_seed: Option<u64>,
    width: usize,
    gone: Vec<u64>,
    left: u64,
    kept: Mutex<HashMap<u64, Arc<Stored>>>,
    same: Option<Arc<Stored>>,
}

impl Series {
    /// A row from a key with `{n}` in it and a pattern version, which must have a content.
    pub fn new(
        key: &str,
        count: u64,
        pattern: Version,
        version_seed: Option<u64>,
        same: bool,
    ) -> Option<Self> {
        let (prefix, suffix) = key.split_once("{n}")?;
        let stored = pattern.stored.clone()?;
        let is_same = same || matches!(stored.content, Content::Bytes(_));
        Some(Self {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            count,
            content: stored.content.clone(),
            parts: stored.parts.clone(),
            traits: Arc::clone(&stored.traits),
            pattern,
            version_seed,
            width: count.saturating_sub(1).to_string().len(),
            gone: Vec::new(),
            left: count,
            kept: Mutex::default(),
            same: is_same.then_some(stored),
        })
    }

    /// The key of number `n`.
    pub fn key(&self, n: u64) -> String {
        format!("{}{n:0width$}{}", self.prefix, self.suffix, width = self.width)
    }

    /// How many are left in the row.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The number of a key, when it is still in the row.
    pub fn number(&self, key: &str) -> Option<u64> {
        let digits = key.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        if digits.len() != self.width || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let n = digits.parse().ok()?;
        (n < self.count && !self.is_gone(n)).then_some(n)
    }

    /// The first number at or after `n` that is still in the row.
    pub fn next(&self, mut n: u64) -> Option<u64> {
        while n < self.count {
            let word = self.gone.get((n / 64) as usize).copied().unwrap_or(0) >> (n % 64);
            let free = word.trailing_ones();
            if free == 0 {
                return Some(n);
            }
            n += u64::from(free);
        }
        None
    }

    /// The first number whose key is not before `key`.
    pub fn first_from(&self, key: &str) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle).as_str() < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The object with number `n`.
    pub fn version(&self, n: u64) -> Version {
        let stored = if let Some(same) = &self.same {
            Arc::clone(same)
        } else if self.content.size() < WORTH_KEEPING {
            Arc::new(self.stored(n))
        } else {
            let mut kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            Arc::clone(kept.entry(n).or_insert_with(|| Arc::new(self.stored(n))))
        };
        let id = self.version_seed.map(|seed| version_id(mix(seed.wrapping_add(n))));
        Version { id, stored: Some(stored), ..self.pattern.clone() }
    }

    /// Takes number `n` out of the row.
    pub fn remove(&mut self, n: u64) {
        if n >= self.count || self.is_gone(n) {
            return;
        }
        if self.gone.is_empty() {
            self.gone = vec![0; (self.count as usize).div_ceil(64)];
        }
        self.gone[(n / 64) as usize] |= 1 << (n % 64);
        self.left -= 1;
    }

    fn is_gone(&self, n: u64) -> bool {
        self.gone.get((n / 64) as usize).is_some_and(|word| word >> (n % 64) & 1 == 1)
    }

    fn stored(&self, n: u64) -> Stored {
        let content = match &self.content {
            Content::Seeded { seed, size } => {
                Content::Seeded { seed: mix(seed.wrapping_add(n)), size: *size }
            }
            bytes @ Content::Bytes(_) => bytes.clone(),
        };
        Stored::new(content, self.parts.clone(), Arc::clone(&self.traits))
    }
}

/// A version id as S3's look: 32 letters and digits that follow from a number.
pub fn version_id(seed: u64) -> Arc<str> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
    let mut id = String::with_capacity(32);
    let mut word = seed;
    for place in 0..32 {
        if place % 10 == 0 {
            word = mix(seed.wrapping_add(place));
        }
        id.push(char::from(LETTERS[(word & 63) as usize]));
        word >>= 6;
    }
    id.into()
}

/// The time at which objects of a world were last changed unless it says otherwise.
pub fn default_modified() -> Timestamp {
    Timestamp::constant(1_704_067_200, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(count: u64) -> Series {
        let content = Content::Seeded { seed: 1, size: 10 };
        let stored = Arc::new(Stored::new(content, None, Arc::default()));
        let pattern = Version::of(stored, default_modified());
        Series::new("logs/{n}.gz", count, pattern, None, false).unwrap()
    }

    #[test]
    fn keys_sort_as_their_numbers_do() {
        let series = series(1001);
        assert_eq!(series.key(7), "logs/0007.gz");
        assert_eq!(series.number("logs/0007.gz"), Some(7));
        assert_eq!(series.number("logs/7.gz"), None);
        assert_eq!(series.number("logs/1001.gz"), None);
        assert_eq!(series.first_from("logs/0007.gz"), 7);
        assert_eq!(series.first_from("logs/0007.h"), 8);
        assert_eq!(series.first_from("z"), 1001);
    }

    #[test]
    fn what_was_removed_is_skipped() {
        let mut series = series(200);
        (3..150).for_each(|n| series.remove(n));
        series.remove(3);
        assert_eq!(series.next(2), Some(2));
        assert_eq!(series.next(3), Some(150));
        assert_eq!(series.left(), 53);
        assert_eq!(series.number("logs/003.gz"), None);
    }

    #[test]
    fn every_object_of_a_row_has_bytes_of_its_own() {
        let series = series(10);
        assert_ne!(
            series.version(1).stored.unwrap().etag(),
            series.version(2).stored.unwrap().etag()
        );
    }
}
