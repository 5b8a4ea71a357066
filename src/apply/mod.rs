//! Performs a plan: that and nothing else, checkpointing as it goes.
//!
//! In: a [`Plan`](crate::plan::Plan) that was loaded and audited, open doors to AWS and the state.
//! Out: an [`Outcome`], and facts through the [`Recorder`]. The graph in the plan file is the graph
//! that runs; nothing is decided here but whether the world still is what the plan expects.
//!
//! ```text
//!        plan                     one task a bucket                    actions/
//!   ┌────────────┐   ┌──────────────────────────────────────┐   ┌──────────────────┐
//!   │ actions in ├──►│ needs settled? → record Started →    ├──►│ look, then act   │
//!   │ order      │   │ run → record Done, Waiting, Failed   │◄──┤ → End            │
//!   └────────────┘   └──────────────────────────────────────┘   └──────────────────┘
//! ```
//!
//! One bucket at a time moves data (the lane); the others thaw, wait for a person, or delete.
//! A [`Trouble::Fatal`] ends everything at once: the state may not have kept a fact.

mod actions;
mod buffers;
mod end;
mod engine;
mod eraser;
mod evidence;
mod fetchers;
mod fresh;
pub mod person;
mod phase;
pub mod record;
mod recorder;
pub mod status;
pub mod stop;
mod throttle;
mod work;
mod writers;

pub use end::{BucketEnd, End, Outcome, Trouble};
pub use engine::run;
pub use recorder::Recorder;
pub use work::{Doors, Options, Patience, Work, WorkError};
