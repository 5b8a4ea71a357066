//! Finds the keys that stand beside a folder of their own name, while a listing streams by.

use std::ops::RangeInclusive;

use crate::model::Number;

/// Watches keys in byte order and says which of them turn out to stand beside a folder.
///
/// `a` may be followed by `a!` and `a-b` before `a/c` comes and makes a folder of its name
/// necessary. What can still become one is a chain of keys that each begin with the one before, so
/// memory is bounded by the length of a key.
#[derive(Debug, Default)]
pub struct FolderWatch {
    /// Keys, shortest first, each the beginning of the next, with the numbers of their versions.
    open: Vec<(String, RangeInclusive<Number>)>,
}

impl FolderWatch {
    /// Starts before the first key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next key in byte order, once for each of its versions.
    ///
    /// Answers the numbers of an earlier key (all its versions) whose path has to be made with
    /// `beside_folder`, at most once a key. `None` when this key shows nothing new.
    pub fn feed(&mut self, key: &str, number: Number) -> Option<RangeInclusive<Number>> {
        let mut beside = None;
        while let Some((open, numbers)) = self.open.last_mut() {
            let next = key.strip_prefix(open.as_str()).map(|rest| rest.as_bytes().first().copied());
            match next {
                // The same key: another version of it.
                Some(None) => {
                    *numbers = *numbers.start()..=number;
                    return None;
                }
                Some(Some(b'/')) => beside = self.open.pop().map(|(_, numbers)| numbers),
                // In byte order `/` can still come.
                Some(Some(byte)) if byte < b'/' => break,
                Some(Some(_)) | None => {
                    self.open.pop();
                }
            }
        }
        // A key that ends in `/` has a name inside its folder, so it never stands beside one.
        if !key.ends_with('/') {
            self.open.push((key.to_owned(), number..=number));
        }
        beside
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn beside(keys: &[&str]) -> Vec<RangeInclusive<Number>> {
        let mut watch = FolderWatch::new();
        keys.iter().zip(0..).filter_map(|(key, n)| watch.feed(key, n)).collect()
    }

    #[test]
    fn a_folder_is_seen_across_keys_that_sort_between() {
        assert_eq!(beside(&["a", "a!", "a!b", "a-", "a/b", "a/c", "b"]), [0..=0]);
        assert_eq!(beside(&["a", "a/"]), [0..=0]);
        assert_eq!(beside(&["a", "a0", "b/a"]), []);
        assert_eq!(beside(&["a/", "a/b"]), []);
        assert_eq!(beside(&["a", "a/b", "a/b/c"]), [0..=0, 1..=1]);
        assert_eq!(beside(&["/", "//", "///a"]), []);
    }

    #[test]
    fn all_versions_of_a_key_are_answered_together() {
        assert_eq!(beside(&["a", "a", "a", "a!", "a/b", "a/b"]), [0..=2]);
    }

    proptest! {
        #[test]
        fn it_answers_as_one_who_knows_all_keys(
            keys in prop::collection::btree_set("[ab!/0]{1,6}", 0..40)
        ) {
            let keys: Vec<_> = keys.into_iter().collect();
            let mut watch = FolderWatch::new();
            let mut found = BTreeSet::new();
            for (n, key) in keys.iter().enumerate() {
                found.extend(watch.feed(key, n as Number).into_iter().flatten());
            }
            let expected: BTreeSet<_> = (0..keys.len())
                .filter(|&n| !keys[n].ends_with('/'))
                .filter(|&n| keys.iter().any(|k| k.starts_with(&format!("{}/", keys[n]))))
                .map(|n| n as Number)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
