//! Remembers what was asked, what was served whole, and what was deleted, so that tests can ask
//! the account instead of the program under test.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;

/// So many requests are remembered one by one; of older ones only the counts and the mutations.
const REMEMBERED: usize = 200_000;

/// Which version of which object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Pin {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The version's id, `null` where there are none.
    pub version_id: String,
    /// The ETag without quotes.
    pub etag: String,
}

/// A request as it was seen.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Counts all requests, from 1.
    pub number: u64,
    /// The operation; `Unknown` where there is none.
    pub op: String,
    /// The bucket.
    pub bucket: Option<String>,
    /// The key.
    pub key: Option<String>,
    /// The version that was named.
    pub version_id: Option<String>,
    /// The user whose access key it came with; `?` for a stranger.
    pub user: String,
    /// The status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// Whether the operation can change the account.
    pub mutating: bool,
    /// The id that the answer carried.
    pub request_id: String,
}

/// An object version or delete marker that is gone for good.
#[derive(Clone, Debug, Serialize)]
pub struct Deletion {
    /// What is gone. For a marker the ETag is empty.
    pub pin: Pin,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it was a delete marker.
    pub marker: bool,
    /// Whether all its bytes had been sent before.
    pub served_whole: bool,
    /// The ETag that the request made a condition of.
    pub condition: Option<String>,
    /// Whether the request named the version.
    pub by_version: bool,
    /// Who asked.
    pub user: String,
}

impl Deletion {
    /// Whether the request pinned what it deleted, by version id or by ETag.
    pub fn is_pinned(&self) -> bool {
        self.condition.is_some() || (self.by_version && self.pin.version_id != "null")
    }
}

#[derive(Debug, Default)]
struct Memory {
    number: u64,
    counts: BTreeMap<String, u64>,
    requests: Vec<Seen>,
    mutations: Vec<Seen>,
    served: HashMap<Arc<Pin>, Coverage>,
    bytes_sent: u64,
    deletions: Vec<Deletion>,
}

/// Which bytes of an object were sent, as sorted ranges that do not touch.
#[derive(Debug, Default)]
struct Coverage {
    total: u64,
    ranges: Vec<(u64, u64)>,
}

impl Coverage {
    fn add(&mut self, start: u64, end: u64) {
        let at = self.ranges.partition_point(|&(_, known_end)| known_end < start);
        let mut merged = (start, end);
        let mut until = at;
        while until < self.ranges.len() && self.ranges[until].0 <= merged.1 {
            merged.0 = merged.0.min(self.ranges[until].0);
            merged.1 = merged.1.max(self.ranges[until].1);
            until += 1;
        }
        self.ranges.splice(at..until, [merged]);
    }

    fn is_whole(&self) -> bool {
        self.total == 0 || self.ranges.first() == Some(&(0, self.total))
    }
}

/// What the account saw.
#[derive(Debug, Default)]
pub struct Witness {
    memory: Mutex<Memory>,
}

/// Everything that the witness can tell, for JSON.
#[derive(Debug, Serialize)]
pub struct Testimony {
    /// Requests by operation.
    pub counts: BTreeMap<String, u64>,
    /// Bytes of objects that were sent.
    pub bytes_sent: u64,
    /// The requests one by one, the latest 200,000.
    pub requests: Vec<Seen>,
    /// The requests that can change the account, all of them.
    pub mutations: Vec<Seen>,
    /// What is gone for good.
    pub deletions: Vec<Deletion>,
    /// What was served whole.
    pub served_whole: Vec<Pin>,
}

impl Witness {
    /// How often an operation was asked for, refusals and faults included.
    pub fn count(&self, op: &str) -> u64 {
        self.lock().counts.get(op).copied().unwrap_or(0)
    }

    /// How often each operation was asked for.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.lock().counts.clone()
    }

    /// The requests one by one, the latest 200,000.
    pub fn requests(&self) -> Vec<Seen> {
        self.lock().requests.clone()
    }

    /// Every request for an operation that can change the account, refused ones included.
    pub fn mutations(&self) -> Vec<Seen> {
        self.lock().mutations.clone()
    }

    /// Everything that is gone for good, in order.
    pub fn deletions(&self) -> Vec<Deletion> {
        self.lock().deletions.clone()
    }

    /// What was deleted without having been served whole before. Markers have nothing to serve.
    pub fn deleted_unserved(&self) -> Vec<Deletion> {
        let lost = |deletion: &&Deletion| !deletion.marker && !deletion.served_whole;
        self.lock().deletions.iter().filter(lost).cloned().collect()
    }

    /// What was deleted by a request that pinned neither version nor ETag.
    pub fn deleted_unpinned(&self) -> Vec<Deletion> {
        let loose = |deletion: &&Deletion| !deletion.marker && !deletion.is_pinned();
        self.lock().deletions.iter().filter(loose).cloned().collect()
    }

    /// What was served whole, in order of bucket and key.
    pub fn served_whole(&self) -> Vec<Pin> {
        let memory = self.lock();
        let whole = memory.served.iter().filter(|(_, coverage)| coverage.is_whole());
        let mut pins: Vec<Pin> = whole.map(|(pin, _)| Pin::clone(pin)).collect();
        pins.sort();
        pins
    }

    /// Bytes of objects that were sent.
    pub fn bytes_sent(&self) -> u64 {
        self.lock().bytes_sent
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.lock() = Memory::default();
    }

    /// Everything at once.
    pub fn testimony(&self) -> Testimony {
        let served_whole = self.served_whole();
        let memory = self.lock();
        Testimony {
            counts: memory.counts.clone(),
            bytes_sent: memory.bytes_sent,
            requests: memory.requests.clone(),
            mutations: memory.mutations.clone(),
            deletions: memory.deletions.clone(),
            served_whole,
        }
    }

    pub(crate) fn saw(&self, mut seen: Seen) {
        let mut memory = self.lock();
        memory.number += 1;
        seen.number = memory.number;
        *memory.counts.entry(seen.op.clone()).or_default() += 1;
        if seen.mutating {
            memory.mutations.push(seen.clone());
        }
        if memory.requests.len() >= REMEMBERED {
            memory.requests.drain(..REMEMBERED / 2);
        }
        memory.requests.push(seen);
    }

    pub(crate) fn sent(&self, pin: &Arc<Pin>, total: u64, start: u64, end: u64) {
        let mut memory = self.lock();
        memory.bytes_sent += end - start;
        let coverage = memory.served.entry(Arc::clone(pin)).or_default();
        coverage.total = total;
        if end > start {
            coverage.add(start, end);
        }
    }

    pub(crate) fn deleted(&self, mut deletion: Deletion) {
        let mut memory = self.lock();
        let coverage = memory.served.get(&deletion.pin);
        deletion.served_whole = coverage.is_some_and(Coverage::is_whole);
        memory.deletions.push(deletion);
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_add_up_are_the_whole() {
        let mut coverage = Coverage { total: 10, ranges: Vec::new() };
        for (start, end) in [(7, 10), (0, 3), (2, 5)] {
            coverage.add(start, end);
            assert!(!coverage.is_whole());
        }
        coverage.add(5, 7);
        assert!(coverage.is_whole());
    }
}
