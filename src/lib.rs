//! s3plan retires S3 buckets from a reviewed plan: it restores, downloads, proves and archives what
//! is in them, asks a person, and only then deletes.
//!
//! This library is the program; `src/main.rs` hands its arguments to [`cli::run`]. What it promises
//! and how it is used is told in `README.md`. This page is the map of the house.
//!
//! # The map
//!
//! ```text
//!    manifest.toml     live AWS      <to>/ on disk      state.redb
//!         │               │               │                │
//!   ┌─────▼────┐       ┌──▼──┐       ┌────▼────┐      ┌────▼────┐
//!   │ manifest │       │ aws │       │ archive │      │  state  │ inventories, journal, approvals
//!   └─────┬────┘       └──┬──┘       └────┬────┘      └────┬────┘
//!         │ Desired       └───────┐   ┌───┘   ┌────────────┘
//!         │                    ┌──▼───▼───────▼──┐
//!         │                    │     observe     │  looks, never touches
//!         │                    └────────┬────────┘
//!         │        ┌────────────────────┘ Observed
//!      ┌──▼────────▼──┐  Changes  ┌───────┐  ActionGraph  ┌──────┐  Plan
//!      │     diff     ├──────────►│ graph ├──────────────►│ plan ├──────► plans/x.plan.toml ──► a person
//!      └──────────────┘           └───────┘               └──┬───┘           reads it, says yes
//!       pure                       pure                      │ pure but for load and save
//!                                                            │ Plan: loaded, audited, still fresh
//!                                                        ┌───▼───┐ look, then act  ┌────────────────┐
//!                                                        │ apply ├────────────────►│ aws, archive,  │
//!                                                        └───┬───┘                 │ proof, observe │
//!                                                            │ Fact                └────────────────┘
//!                                                     ┌──────▼──────────┐ 1. durable    ┌───────┐
//!                                                     │ apply::recorder ├──────────────►│ state │
//!                                                     └──────┬──────────┘               └───────┘
//!                                                            │ 2. Event
//!                                                       ┌────▼─────┐
//!                                                       │  report  ├──► a line for people, or JSON
//!                                                       └──────────┘
//! ```
//!
//! Data goes down the page and nothing climbs back up. Planning is five calls in a row: the
//! manifest is read, the world is observed, the two are compared, the changes are put in order, the
//! plan is saved. Only the first two look at the world, and none changes it. Applying never
//! decides: the graph in the plan file is the graph that runs.
//!
//! An action is one phase of one bucket, never one object. Ten million objects are ten million rows
//! in the state and a dozen actions, so memory is bounded by concurrency and not by objects.
//!
//! # The rooms
//!
//! | Room | Its one job | Leans on |
//! |---|---|---|
//! | [`model`] | the nouns that cross doors: names, objects, what is wanted, seen and to be done | – |
//! | [`clock`] | now, and sleeping: the only place that asks the machine for the time | – |
//! | [`event`] | what can be said of an apply: facts, which are durable, and ticks, which may be lost | model |
//! | [`manifest`] | TOML text → what is wanted; every error with its place in the text, all at once | model |
//! | [`aws`] | asks and changes AWS; the only room that names its SDK | clock, model |
//! | [`policy`] | the lock policy and who loses what by it | model |
//! | [`archive`] | key → path, files that become durable, the bag, reading back | model |
//! | [`proof`] | digests of a byte stream, and whether they prove that it is what S3 holds | model |
//! | [`state`] | remembers: inventories, progress, intents, approvals; the only room that names redb | event, model |
//! | [`observe`] | looks at AWS, the archives and the state, and touches none of them | archive, aws, state, model |
//! | [`diff`] | wanted × seen → changes, each with its reason, or what blocks them | policy, model |
//! | [`graph`] | changes → actions, each behind what it needs, in a stable order | model |
//! | [`plan`] | the plan as a file: digest, rules, limits, estimates, words | diff, graph, model |
//! | [`apply`] | performs a plan: one file an action kind, each looks, then acts | plan and all below it but manifest and diff |
//! | [`report`] | plans, events and states → words or JSON; the room that prints | event, graph, plan, model |
//! | [`cli`] | the commands, a file each, and the table of exit codes | all |
//!
//! A test (`tests/it/house.rs`) reads every `use crate::` line and holds it against the last
//! column.
//!
//! # Where to begin
//!
//! Run `cargo run --release --example tour`. Then read `examples/tour.rs`, which shows the life of
//! a bucket from the outside; [`plan::make`], which is planning from the inside; and one action,
//! say `src/apply/actions/delete_objects.rs`, to see how careful a deletion is. The pretend account
//! that tests and the tour talk to is a crate of its own, `tests/sandbox/`.

pub mod apply;
pub mod archive;
pub mod aws;
pub mod cli;
pub mod clock;
pub mod diff;
pub mod event;
pub mod failpoint;
pub mod graph;
pub mod manifest;
pub mod model;
pub mod observe;
pub mod plan;
pub mod policy;
pub mod proof;
pub mod report;
pub mod state;

#[cfg(test)]
#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
