//! Speaks: the only room that writes to the screen, besides the commands that call it.
//!
//! In: plans, events, ticks, status documents. Out: words or JSON on stdout and stderr.
//! It promises that results go to stdout and everything else to stderr; that a closed pipe is the
//! end of the talk and never of the work; that a pipe or `NO_COLOR` gets no escape bytes; and that
//! no key, however hostile, reaches a terminal unescaped. It decides nothing: whether there is
//! something to ask, and what an answer means, is known elsewhere.

mod evidence;
mod fact;
mod json;
mod live;
mod markdown;
mod plain;
mod plan;
mod record;
#[cfg(test)]
pub(crate) mod samples;
mod schema;
mod screen;
mod status;
mod table;
mod text;

use jiff::Timestamp;

pub use evidence::{Evidence, evidence, evidence_words};
pub use json::Json;
pub use live::Live;
pub use markdown::{MARKDOWN_LIMIT, markdown};
pub use plain::Plain;
pub use plan::{plan, plan_json};
pub use record::record_markdown;
pub use schema::events_schema;
#[cfg(test)]
pub(crate) use screen::captured;
pub use screen::{Color, Screen};
pub use status::status;
pub use table::Table;
pub use text::{bytes, counted, duration, json_line, shown, until};

use crate::event::Reporter;

/// How much is said on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Volume {
    /// Only what went wrong.
    Quiet,
    /// What a person at the screen wants to know.
    #[default]
    Normal,
    /// Every step.
    Verbose,
}

/// Who is told of an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A person at a terminal: bars that move.
    Terminal,
    /// A pipe or a log: one line a fact.
    Lines,
    /// A program: one JSON document a line on stdout.
    Program,
}

/// The time in UTC, handed in: this room asks no clock.
pub type Now = Box<dyn Fn() -> Timestamp + Send>;

/// The one who tells an apply to this audience.
pub fn reporter(
    audience: Audience,
    screen: &Screen,
    volume: Volume,
    now: Now,
) -> Box<dyn Reporter> {
    match (audience, volume) {
        (Audience::Program, _) => Box::new(Json::new(screen.clone(), now)),
        (Audience::Terminal, Volume::Normal | Volume::Verbose) => {
            Box::new(Live::new(screen.clone(), volume, now))
        }
        _ => Box::new(Plain::new(screen.clone(), volume, now)),
    }
}
