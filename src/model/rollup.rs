//! Objects rolled up by the folder at the beginning of their keys, in bounded memory.

use super::observed::Count;

/// How many folders are kept by name.
const KEPT: usize = 4;

/// Counts by first folder, of objects that come in the order of their keys: those of one folder stand
/// together, so that one running count and the largest so far are enough.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folders {
    /// The largest by bytes, then by objects, then in order of their names.
    largest: Vec<(String, Count)>,
    /// Everything in folders that are not kept, and how many folders that is.
    others: (u64, Count),
    running: Option<(String, Count)>,
}

impl Folders {
    /// Counts an object. Keys without a slash belong to no folder, told as `(no folder)`.
    pub fn add(&mut self, key: &str, bytes: u64) {
        let folder = key.split_once('/').map_or("(no folder)", |(folder, _)| &key[..=folder.len()]);
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
        (&self.largest, self.others.0, self.others.1)
    }

    fn settle(&mut self) {
        let Some((folder, count)) = self.running.take() else { return };
        // Keys without a slash may lie between folders: their count goes on.
        match self.largest.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, known)) => *known = *known + count,
            None => self.largest.push((folder, count)),
        }
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
}
