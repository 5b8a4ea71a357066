//! The promises of s3plan, tried on the real program over real HTTP: one test binary, a module a
//! topic.
//!
//! Shared code is in `support/`. Third parties' servers (moto, MiniStack) are installed and
//! started by it: all that is needed is `python3` with `venv`, and PyPI the first time.

mod adopt;
mod bad_input;
mod blockers;
mod contract;
mod delete;
mod document;
mod examples;
mod faults;
mod house;
mod interleavings;
mod listing;
mod main_job;
mod planning;
mod proof;
mod servers;
mod support;
mod versions;
mod world;
