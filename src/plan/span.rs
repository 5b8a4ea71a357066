//! How long a whole plan takes: its buckets side by side, as the apply runs them.
//!
//! In: the plan's actions in order, each with its own hours. Out: hours from the start to the end
//! of the last. A bucket's actions follow one another; thawing counts from when it was asked for;
//! one bucket at a time moves data; an action waits for those of other buckets that it needs.
//! Waiting for people is not counted. Pure.

use std::collections::BTreeMap;

use crate::model::{Action, ActionId, ActionKind, BucketName};

/// Hours from the start to the end; 0 where nothing takes time worth telling.
pub fn hours(actions: &[Action]) -> f64 {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for action in actions {
        match lines.iter_mut().find(|line| *line.bucket == action.bucket) {
            Some(line) => line.left.push(action),
            None => lines.push(Line { bucket: &action.bucket, left: vec![action], at: 0.0 }),
        }
    }
    // The first is taken from the end.
    lines.iter_mut().for_each(|line| line.left.reverse());
    let mut ends: BTreeMap<&ActionId, f64> = BTreeMap::new();
    let mut lane = Lane { free_at: 0.0, held_by: None };
    loop {
        let startable = lines.iter().enumerate().filter_map(|(place, line)| {
            let next = line.left.last()?;
            let mut at = line.at;
            for need in &next.needs {
                at = at.max(*ends.get(need)?);
            }
            if next.kind.moves_data() && lane.held_by != Some(place) {
                // Whoever holds it lets go when it comes to something else.
                at = at.max(lane.free_at);
            }
            Some((at, place))
        });
        let first = startable.min_by(|(a, m), (b, n)| {
            let holds = |place: &usize| lane.held_by != Some(*place);
            a.total_cmp(b).then(holds(m).cmp(&holds(n))).then(m.cmp(n))
        });
        let Some((at, place)) = first else { break };
        let Some(action) = lines[place].left.pop() else { break };
        let own = action.hours.unwrap_or(0.0);
        let end = match action.kind {
            // Since the restore was asked for, whatever was downloaded meanwhile.
            ActionKind::AwaitRestore => {
                let asked = action.needs.iter().filter_map(|need| ends.get(need));
                at.max(asked.copied().fold(0.0, f64::max) + own)
            }
            _ => at + own,
        };
        lines[place].at = end;
        ends.insert(&action.id, end);
        let goes_on = lines[place].left.last().is_some_and(|next| next.kind.moves_data());
        if action.kind.moves_data() {
            lane = Lane { free_at: end, held_by: goes_on.then_some(place) };
        }
    }
    lines.iter().map(|line| line.at).fold(0.0, f64::max)
}

/// One bucket's actions, the next one last.
struct Line<'a> {
    bucket: &'a BucketName,
    left: Vec<&'a Action>,
    at: f64,
}

/// What one bucket at a time may have.
struct Lane {
    free_at: f64,
    held_by: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::order;
    use crate::model::{Change, Count, Reason};

    /// A graph of these changes, with these hours.
    fn graph(changes: &[(&str, ActionKind, f64)]) -> Vec<Action> {
        let of = |(bucket, kind, _): &(&str, ActionKind, f64)| Change {
            bucket: BucketName::new(*bucket),
            kind: *kind,
            reason: Reason::NotOnDisk,
            count: Count::default(),
            done: 0,
            present: Count::default(),
            wave: None,
            takes: None,
            policy: None,
        };
        let mut actions = order(&changes.iter().map(of).collect::<Vec<_>>()).actions;
        for (action, (_, _, hours)) in actions.iter_mut().zip(changes) {
            action.hours = Some(*hours).filter(|hours| *hours > 0.0);
        }
        actions
    }

    use ActionKind::{Approve, AwaitRestore, DeleteObjects, Download, Restore, Verify};

    #[test]
    fn one_buckets_actions_follow_one_another() {
        let actions = graph(&[("a", Download, 3.0), ("a", Verify, 2.0), ("a", Approve, 0.0)]);
        assert_eq!(hours(&actions), 5.0);
        assert_eq!(hours(&[]), 0.0);
    }

    /// 48 hours from the request on, of which three are spent downloading.
    #[test]
    fn what_is_ready_comes_in_while_the_rest_thaws() {
        let actions = graph(&[
            ("a", Restore, 0.0),
            ("a", Download, 3.0),
            ("a", AwaitRestore, 48.0),
            ("a", Verify, 1.0),
        ]);
        assert_eq!(hours(&actions), 49.0);
    }

    #[test]
    fn buckets_thaw_side_by_side_and_move_data_one_at_a_time() {
        let of =
            |bucket| [(bucket, Restore, 0.0), (bucket, AwaitRestore, 48.0), (bucket, Verify, 5.0)];
        let actions = graph(&[of("a"), of("b"), of("c")].concat());
        assert_eq!(hours(&actions), 48.0 + 3.0 * 5.0);
        let moves = graph(&[("a", Download, 2.0), ("b", Download, 7.0), ("b", DeleteObjects, 0.0)]);
        assert_eq!(hours(&moves), 9.0);
    }

    /// A bucket keeps the line until it comes to something else.
    #[test]
    fn a_download_is_read_back_before_the_next_bucket_begins() {
        let actions = graph(&[
            ("a", Download, 2.0),
            ("a", Verify, 1.0),
            ("b", Restore, 0.0),
            ("b", AwaitRestore, 2.5),
            ("b", Verify, 1.0),
        ]);
        assert_eq!(hours(&actions), 4.0);
    }
}
