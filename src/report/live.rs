//! Tells an apply to a person at a terminal: a bar for each running action, lines above them.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::event::{Event, Fact, Reporter, Tick, WaitingFor};
use crate::model::ActionId;

use super::fact::{Line, Weight, ended, styled};
use super::text::{bytes, duration, grouped, moment, shown_lines};
use super::{Now, Screen, Volume};

/// How often a bar that hears nothing moves, so that a person sees that it lives.
const BREATH: Duration = Duration::from_millis(250);

/// Bars on stderr that move, and above them the facts.
pub struct Live {
    screen: Screen,
    volume: Volume,
    now: Now,
    bars: BTreeMap<ActionId, ProgressBar>,
}

impl Live {
    /// Draws on the screen's stderr, which should be a terminal.
    pub fn new(screen: Screen, volume: Volume, now: Now) -> Self {
        Self { screen, volume, now, bars: BTreeMap::new() }
    }

    fn bar(&mut self, action: &ActionId) -> &ProgressBar {
        self.bars.entry(action.clone()).or_insert_with(|| {
            // Dressed before it is added: it is drawn at once.
            let bar = ProgressBar::no_length().with_style(spinner());
            let bar = self.screen.bars().add(bar.with_prefix(action.to_string()));
            bar.enable_steady_tick(BREATH);
            bar
        })
    }

    fn clear(&mut self, gone: impl Fn(&ActionId) -> bool) {
        self.bars.retain(|action, bar| {
            let stays = !gone(action);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
    }
}

impl Reporter for Live {
    fn event(&mut self, event: &Event) {
        if let Some(action) = ended(&event.fact) {
            self.clear(|other| other == action);
        }
        match &event.fact {
            Fact::Started { action } => {
                self.bar(action);
            }
            Fact::Stale { bucket, .. } => {
                let of_bucket = format!("{bucket}/");
                self.clear(|action| action.as_str().starts_with(&of_bucket));
            }
            Fact::Waiting { action, on: WaitingFor::Thaw, until } => {
                let when = until.map(|at| format!(", look again at {}", moment(at)));
                let bar = self.bar(action);
                bar.set_message(format!("thawing{}", when.unwrap_or_default()));
            }
            Fact::Waiting { action, .. } => self.clear(|other| other == action),
            _ => {}
        }
        let line = Line::of(&event.fact, (self.now)());
        let least = match self.volume {
            Volume::Verbose => Weight::Step,
            _ => Weight::News,
        };
        if line.weight >= least {
            self.screen.err_line(&styled(line.style, &line.text));
        }
    }

    fn tick(&mut self, tick: &Tick) {
        let bar = self.bar(&tick.action);
        // An action that moves no bytes is measured by its objects.
        let (done, of) = match tick.of_bytes {
            0 => (tick.objects, tick.of_objects),
            of_bytes => (tick.bytes, of_bytes),
        };
        if bar.length() != Some(of) {
            bar.set_length(of);
            bar.set_style(if tick.of_bytes > 0 { of_bytes() } else { of_objects() });
        }
        bar.set_position(done);
        let retries = match tick.retries {
            0 => String::new(),
            1 => ", 1 retry".into(),
            n => format!(", {n} retries"),
        };
        let (objects, of) = (grouped(tick.objects), grouped(tick.of_objects));
        bar.set_message(format!("{objects}/{of}{retries}"));
    }

    fn note(&mut self, words: &str) {
        self.screen.err_line(&shown_lines(words));
    }
}

/// What is left standing would stay on the screen after the last line.
impl Drop for Live {
    fn drop(&mut self) {
        self.clear(|_| true);
    }
}

// Each fits 80 columns with its numbers; what is less needed stands at the end and is cut off.

fn of_bytes() -> ProgressStyle {
    styled_bar("{prefix:22!} [{bar:8}] {done}/{all} {rate}/s {left} {wide_msg}")
}

fn of_objects() -> ProgressStyle {
    styled_bar("{prefix:22!} [{bar:8}] {wide_msg}")
}

fn spinner() -> ProgressStyle {
    styled_bar("{prefix:22!} {spinner} {wide_msg}")
}

/// A template of ours always parses; the plain style stands in if one day it does not.
fn styled_bar(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    debug_assert!(style.is_ok(), "{template}");
    style
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .tick_chars("|/-\\ ")
        .with_key("done", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let _ = to.write_str(&bytes(state.pos()));
        })
        .with_key("all", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let _ = to.write_str(&bytes(state.len().unwrap_or_default()));
        })
        .with_key("rate", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let _ = to.write_str(&bytes(state.per_sec() as u64));
        })
        .with_key("left", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let seconds = state.eta().as_secs();
            let _ = match seconds {
                0..60 => to.write_str("<1 min"),
                _ => to.write_str(&duration(seconds)),
            };
        })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::screen::captured;
    use super::*;

    #[test]
    fn facts_stand_above_the_bars_and_only_running_actions_have_one() {
        let (screen, _, err) = captured::plain();
        let mut live = Live::new(screen, Volume::Normal, samples::clock());
        for event in samples::events() {
            live.event(&event);
        }
        for tick in samples::ticks() {
            live.tick(&tick);
        }
        assert_eq!(live.bars.len(), 1, "only the download still runs");
        drop(live);
        insta::assert_snapshot!(err.text());
    }
}
