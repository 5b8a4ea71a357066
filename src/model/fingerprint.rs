//! A quick digest by which a file that is read back is known again.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// XXH3 of a file's bytes, 128 bits, the highest byte first.
///
/// It tells whether a medium gives back what was written to it, at a tenth of the time of SHA-256:
/// a fault goes unseen once in 2^128. It is no answer to somebody who forges files; that is what
/// the SHA-256 in the bag is for, taken of the same bytes at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 16]);

/// A [`Fingerprint`] that is being taken.
#[derive(Clone, Default)]
pub struct Fingerprinting(Box<Xxh3>);

impl fmt::Debug for Fingerprinting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a running fingerprint")
    }
}

impl Fingerprinting {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the stream.
    pub fn finish(self) -> Fingerprint {
        Fingerprint(self.0.digest128().to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source of the digest of nothing: the sanity tests of xxHash 0.8.
    #[test]
    fn a_fingerprint_is_xxh3_of_all_bytes_however_they_come() {
        let of = |pieces: &[&[u8]]| {
            let mut running = Fingerprinting::default();
            pieces.iter().for_each(|piece| running.update(piece));
            hex::encode(running.finish().0)
        };
        assert_eq!(of(&[]), "99aa06d3014798d86001c324468d497f");
        assert_eq!(of(&[b"hello ", b"world"]), of(&[b"hello world"]));
        assert_ne!(of(&[b"hello world"]), of(&[b"hello worle"]));
    }
}
