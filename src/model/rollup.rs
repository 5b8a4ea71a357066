//! Objects rolled up by the folder at the beginning of their keys, in bounded memory.

use super::observed::Count;

/// How many folders are kept by name.
const KEPT: usize = 4;

/// Counts by first folder, of objects that come in the order of their keys: those of one folder
/// stand together, so that one running count and the largest so far are enough.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folders {
    /// The largest by bytes, then by objects, then in order of their names.
    largest: Vec<(String, Count)>,
    /// Everything in folders that are not kept, and how many folders that is.
    others: (u64, Count),
    running: Option<(String, Count)>,
    /// Keys without a slash, which lie between the folders.
    loose: Count,
}

/// What keys without a slash are told under.
const NO_FOLDER: &str = "(no folder)";

impl Folders {
    /// Counts an object. Keys without a slash belong to no folder, told as `(no folder)`.
    pub fn add(&mut self, key: &str, bytes: u64) {
        let Some((folder, _)) = key.split_once('/') else { return self.loose.add(bytes) };
        let folder = &key[..=folder.len()];
        match &mut self.running {
            Some((running, count)) if running == folder => count.add(bytes),
            _ => {
                self.settle();
                let mut count = Count::default();
                count.add(bytes);
                self.running = Some((folder.to_owned(), count));
            }
        }
    }

    /// The largest folders, how many more there are, and what those hold. To be asked at the end.
    pub fn largest(&mut self) -> (&[(String, Count)], u64, Count) {
        self.settle();
        let loose = std::mem::take(&mut self.loose);
        if !loose.is_empty() {
            self.keep(NO_FOLDER.to_owned(), loose);
        }
        (&self.largest, self.others.0, self.others.1)
    }

    fn settle(&mut self) {
        if let Some((folder, count)) = self.running.take() {
            self.keep(folder, count);
        }
    }

    fn keep(&mut self, folder: String, count: Count) {
        self.largest.push((folder, count));
        self.largest.sort_by(|(a, m), (b, n)| {
            (n.bytes, n.objects).cmp(&(m.bytes, m.objects)).then_with(|| a.cmp(b))
        });
        if self.largest.len() > KEPT
            && let Some((_, count)) = self.largest.pop()
        {
            self.others = (self.others.0 + 1, self.others.1 + count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_kept_and_nothing_is_lost() {
        let mut folders = Folders::default();
        for (folder, bytes) in [("a", 1), ("b", 50), ("c", 3), ("d", 40), ("e", 5), ("f", 60)] {
            folders.add(&format!("{folder}/x"), bytes);
            folders.add(&format!("{folder}/y/z"), bytes);
        }
        folders.add("loose", 7);
        let (largest, others, rest) = folders.largest();
        let names: Vec<&str> = largest.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["f/", "b/", "d/", "e/"]);
        assert_eq!(largest[0].1, Count { objects: 2, bytes: 120 });
        assert_eq!((others, rest), (3, Count { objects: 5, bytes: 2 + 6 + 7 }));
    }

    #[test]
    fn keys_without_a_folder_are_one_roll_up_wherever_they_lie() {
        let mut folders = Folders::default();
        for letter in ["a", "c", "e", "g", "i", "k", "m"] {
            folders.add(&format!("{letter}/x"), 100);
            folders.add(&format!("{letter}1"), 30);
        }
        let (largest, others, rest) = folders.largest();
        let first = ("(no folder)".to_owned(), Count { objects: 7, bytes: 210 });
        assert_eq!(largest[0], first);
        assert_eq!((others, rest), (4, Count { objects: 4, bytes: 400 }));
    }
}
