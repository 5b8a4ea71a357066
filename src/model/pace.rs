//! How fast a plan assumes that data moves: for estimates only, the same on every machine, so that
//! planning twice gives the same bytes.

use super::observed::Count;

/// Bytes a second that an estimate counts on: a modest line, about 400 Mbit/s.
pub const ASSUMED_BYTES_PER_SECOND: f64 = 50e6;

/// Objects a second that an estimate counts on, however small they are.
pub const ASSUMED_OBJECTS_PER_SECOND: f64 = 200.0;

/// How many hours moving this much is assumed to take.
pub fn hours(count: Count) -> f64 {
    let by_bytes = count.bytes as f64 / ASSUMED_BYTES_PER_SECOND;
    let by_objects = count.objects as f64 / ASSUMED_OBJECTS_PER_SECOND;
    by_bytes.max(by_objects) / 3600.0
}
