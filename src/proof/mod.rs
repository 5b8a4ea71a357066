//! Digests of a byte stream, and whether they prove that it is what S3 holds.
//!
//! In: what S3 says of one object ([`Offer`]) and its bytes, in order and in pieces of any size.
//! Out: a [`Verdict`], or the [`Evidence`] that a bucket's proofs add up to. Pure: no I/O, no
//! clock.
//!
//! Promises: a match with the strongest digest that S3 holds is a proof; bytes that differ are
//! never called proven; an algorithm that is not known here proves nothing and accuses nobody. Only
//! what the strongest usable proof needs is computed, and SHA-256 always, since the bag needs it.
//!
//! Fetching the bytes, and asking S3 for part sizes, are left to others.

mod algorithm;
mod evidence;
mod hasher;
mod ladder;

pub use algorithm::Algorithm;
pub use evidence::{Evidence, EvidenceBuilder, EvidenceError, ProvenRow};
pub use hasher::{Digests, Hasher};
pub use ladder::{Ladder, Need, Offer, Scope, Verdict, size_only, twice};
