//! What every topic leans on: servers to talk to, buckets to fill, the program to run.

pub mod account;
pub mod bag;
pub mod bed;
pub mod crates;
pub mod job;
pub mod patience;
pub mod python;
pub mod scene;
pub mod seed;
pub mod servers;
pub mod state;
pub mod story;
pub mod terminal;
