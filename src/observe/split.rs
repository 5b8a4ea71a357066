//! Finds places to split a range of keys at, from the keys seen so far. Pure.
//!
//! Nothing is assumed about separators, alphabets or balance: a place is a guess, and what a wrong
//! guess costs is one request (see [`super::wide`]). Byte order is the order of code points, since
//! keys are UTF-8.

use std::collections::BTreeSet;

/// Characters that a place between two keys is computed with, behind what they have in common.
const DIGITS: usize = 10;

/// The characters that keys were seen to be made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Alphabet {
    letters: Vec<char>,
    seen: BTreeSet<char>,
}

impl Alphabet {
    /// Learns from one key.
    pub fn learn(&mut self, key: &str) {
        let before = self.seen.len();
        self.seen.extend(key.chars());
        if self.seen.len() > before {
            self.letters = self.seen.iter().copied().collect();
        }
    }

    /// A place about halfway between two keys; `None` where this alphabet has none.
    pub fn between(&self, low: &str, high: &str) -> Option<String> {
        let shared = shared(low, high);
        let base = self.letters.len() as u64 + 1;
        let digits = halve(&self.digits(low, shared), &self.digits(high, shared), base);
        let mut middle: String = low.chars().take(shared).collect();
        for digit in digits {
            let Some(letter) = self.letter(digit) else { break };
            middle.push(letter);
            // The shortest that lies between them will do.
            if low < middle.as_str() {
                break;
            }
        }
        (low < middle.as_str() && middle.as_str() < high).then_some(middle)
    }

    /// Where `key` lies between `low` and `high`, from 0 to 1.
    pub fn fraction(&self, low: &str, key: &str, high: &str) -> f64 {
        let shared = shared(low, high);
        let [low, key, high] = [low, key, high].map(|key| self.number(key, shared));
        if high > low { ((key - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 }
    }

    fn number(&self, key: &str, from: usize) -> f64 {
        let base = self.letters.len() as f64 + 1.0;
        self.digits(key, from).iter().rev().fold(0.0, |sum, &digit| (sum + digit as f64) / base)
    }

    /// A key as digits from a character on; 0 is the end of the key.
    fn digits(&self, key: &str, from: usize) -> Vec<u64> {
        let mut letters = key.chars().skip(from);
        let digit = |letter: char| {
            let at = self.letters.partition_point(|&known| known < letter);
            at.min(self.letters.len().saturating_sub(1)) as u64 + 1
        };
        (0..DIGITS).map(|_| letters.next().map_or(0, digit)).collect()
    }

    fn letter(&self, digit: u64) -> Option<char> {
        let at = usize::try_from(digit.checked_sub(1)?).ok()?;
        self.letters.get(at).copied()
    }
}

/// Behind everything that begins like `key` up to and with its character at `at`; `None` where
/// nothing can stand behind that.
pub(super) fn behind(key: &str, at: usize) -> Option<String> {
    let letter = key.chars().nth(at)?;
    let mut place: String = key.chars().take(at).collect();
    // The code points that are no characters are skipped.
    let next = (u32::from(letter) + 1..=u32::from(char::MAX)).find_map(char::from_u32)?;
    place.push(next);
    Some(place)
}

/// How many characters two keys begin with in common.
pub(super) fn shared(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// Half the sum of two numbers, digit by digit from the largest.
fn halve(one: &[u64], other: &[u64], base: u64) -> Vec<u64> {
    let mut sum = Vec::with_capacity(one.len());
    let mut carry = 0;
    for (one, other) in one.iter().zip(other).rev() {
        let digit = one + other + carry;
        sum.push(digit % base);
        carry = digit / base;
    }
    let mut rest = carry;
    let halved = sum.into_iter().rev().map(|digit| {
        let whole = rest * base + digit;
        rest = whole % 2;
        whole / 2
    });
    halved.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alphabet(keys: &[&str]) -> Alphabet {
        let mut alphabet = Alphabet::default();
        keys.iter().for_each(|key| alphabet.learn(key));
        alphabet
    }

    #[test]
    fn the_middle_is_in_the_middle() {
        let digits = alphabet(&["0123456789"]);
        assert_eq!(digits.between("a0", "a9"), Some("a4".into()));
        assert_eq!(digits.between("10", "11"), Some("104".into()));
        assert_eq!(digits.between("1", "1"), None);
        assert!((digits.fraction("00", "50", "99") - 0.5).abs() < 0.1);
    }

    #[test]
    fn behind_a_beginning_is_nothing_that_begins_so() {
        assert_eq!(behind("abc", 1), Some("ac".into()));
        assert_eq!(behind("a\u{d7ff}", 1), Some("a\u{e000}".into()));
        assert_eq!(behind("\u{10ffff}", 0), None);
        assert_eq!(behind("a", 1), None);
    }

    proptest! {
        #[test]
        fn a_place_lies_strictly_between(
            known in prop::collection::vec(".{0,12}", 0..6), a in ".{0,12}", b in ".{0,12}",
        ) {
            let mut alphabet = Alphabet::default();
            known.iter().for_each(|key| alphabet.learn(key));
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            if let Some(middle) = alphabet.between(&low, &high) {
                prop_assert!(low < middle && middle < high);
            }
            for at in 0..12 {
                prop_assert!(behind(&low, at).is_none_or(|place| place > low));
            }
        }
    }
}
