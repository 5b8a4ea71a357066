//! The promises of s3plan, tried on the real program over real HTTP: one test binary, a module a
//! topic.
//!
//! Shared code is in `support/`. Third parties' servers (moto, MiniStack, SeaweedFS) are installed and
//! started by it: all that is needed is `python3` with `venv`, and PyPI the first time. One more,
//! fakecloud, is built from crates.io when asked for: see `policy_fakecloud.rs`.

mod adopt;
mod archive;
mod bad_input;
mod blockers;
mod configuration;
mod contract;
mod customer_keys;
mod delete;
mod destination;
mod document;
mod examples;
mod exits;
mod faults;
mod gate;
mod guards;
mod house;
mod huge;
mod interleavings;
mod ladder;
mod listing;
mod main_job;
mod manners;
mod planning;
mod policy;
mod policy_fakecloud;
mod policy_moto;
mod policy_people;
mod policy_put;
mod policy_seaweed;
mod policy_simulator;
mod probe;
mod proof;
mod record;
mod resumption;
mod screens;
mod servers;
mod support;
mod versions;
mod world;
