//! Faults: the real program is killed, cut off, starved and lied to, and what must hold is asked of
//! the witness and the disk, never of s3plan.

mod crash;
mod disk;
mod network;
mod range;
mod signals;
mod state;
