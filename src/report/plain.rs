//! Tells an apply to a pipe or a log: one line a fact, and now and then how far it is.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::event::{Event, Fact, Reporter, Tick};
use crate::model::ActionId;

use super::fact::{Line, Weight, ended, styled};
use super::text::{bytes, duration, grouped, shown_lines};
use super::{Now, Screen, Volume};

/// Seconds between two progress lines, all actions together.
const PAUSE_S: i64 = 10;

/// One line a fact on stderr, and every ten seconds at most a line of progress for each action.
pub struct Plain {
    screen: Screen,
    volume: Volume,
    now: Now,
    /// The newest progress that was not told yet, with where each action stood when first seen.
    newest: BTreeMap<ActionId, (Start, Option<Tick>)>,
    last_told: Option<Timestamp>,
    /// Objects and bytes in each action's last line: a thaw of two days is no reason to repeat it.
    told: BTreeMap<ActionId, (u64, u64)>,
}

#[derive(Clone, Copy)]
struct Start {
    at: Timestamp,
    bytes: u64,
}

impl Plain {
    /// Tells on the screen's stderr.
    pub fn new(screen: Screen, volume: Volume, now: Now) -> Self {
        Self {
            screen,
            volume,
            now,
            newest: BTreeMap::new(),
            last_told: None,
            told: BTreeMap::new(),
        }
    }

    fn tell_progress(&mut self, now: Timestamp) {
        for (action, (start, tick)) in &mut self.newest {
            if let Some(tick) = tick.take() {
                self.screen.err_line(&format!("{action}: {}", progress(&tick, *start, now)));
                self.told.insert(action.clone(), (tick.objects, tick.bytes));
            }
        }
        self.last_told = Some(now);
    }
}

impl Reporter for Plain {
    fn event(&mut self, event: &Event) {
        let line = Line::of(&event.fact, (self.now)());
        let least = match self.volume {
            Volume::Quiet => Weight::Trouble,
            Volume::Normal | Volume::Verbose => Weight::Step,
        };
        if line.weight >= least {
            self.screen.err_line(&styled(line.style, &line.text));
        }
        if let Some(action) = ended(&event.fact) {
            self.newest.remove(action);
        }
        if let Fact::Stale { bucket, .. } = &event.fact {
            let of_bucket = format!("{bucket}/");
            self.newest.retain(|action, _| !action.as_str().starts_with(&of_bucket));
        }
    }

    fn tick(&mut self, tick: &Tick) {
        let is_told = self.told.get(&tick.action) == Some(&(tick.objects, tick.bytes));
        if self.volume == Volume::Quiet || is_told {
            return;
        }
        let now = (self.now)();
        let start = Start { at: now, bytes: tick.bytes };
        let slot = self.newest.entry(tick.action.clone()).or_insert((start, None));
        slot.1 = Some(tick.clone());
        let last = *self.last_told.get_or_insert(now);
        if now.as_second() - last.as_second() >= PAUSE_S {
            self.tell_progress(now);
        }
    }

    fn note(&mut self, words: &str) {
        if self.volume != Volume::Quiet {
            self.screen.err_line(&shown_lines(words));
        }
    }
}

/// `1,200 of 5,000 objects, 3.4 GiB of 41.2 GiB, 12.0 MiB/s, 55 min left, 3 retries`.
fn progress(tick: &Tick, start: Start, now: Timestamp) -> String {
    let mut parts =
        vec![format!("{} of {} objects", grouped(tick.objects), grouped(tick.of_objects))];
    if tick.of_bytes > 0 {
        parts.push(format!("{} of {}", bytes(tick.bytes), bytes(tick.of_bytes)));
    }
    let seconds = (now.as_millisecond() - start.at.as_millisecond()) as f64 / 1000.0;
    let moved = tick.bytes.saturating_sub(start.bytes);
    if seconds >= 1.0 && moved > 0 {
        let rate = moved as f64 / seconds;
        parts.push(format!("{}/s", bytes(rate as u64)));
        let left = tick.of_bytes.saturating_sub(tick.bytes) as f64 / rate;
        parts.push(format!("{} left", duration(left as u64)));
    }
    match tick.retries {
        0 => {}
        1 => parts.push("1 retry".into()),
        n => parts.push(format!("{n} retries")),
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::screen::captured;
    use super::*;

    fn told(volume: Volume) -> String {
        let (screen, out, err) = captured::plain();
        let mut plain = Plain::new(screen, volume, samples::clock());
        for event in samples::events() {
            plain.event(&event);
        }
        for tick in samples::ticks() {
            plain.tick(&tick);
        }
        plain.note("to go on: s3plan apply");
        assert_eq!(out.text(), "", "stdout is for results");
        err.text()
    }

    #[test]
    fn a_pipe_gets_one_line_a_fact() {
        insta::assert_snapshot!(told(Volume::Normal));
    }

    #[test]
    fn the_quiet_hear_only_of_trouble() {
        insta::assert_snapshot!(told(Volume::Quiet));
    }
}
