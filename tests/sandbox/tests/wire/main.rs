//! The sandbox over its real socket, asked by a client that knows only HTTP and signatures.

mod client;

mod buckets;
mod deleting;
mod faults;
mod glacier;
mod listing;
mod reading;
mod writing;
