//! The bytes of objects: kept as given, or made on the fly from a seed and never held.
//!
//! A seeded content gives the same bytes for the same seed in every run, at any offset, so a
//! terabyte object costs nothing until it is read, and a range of it is right by itself.

use bytes::{Bytes, BytesMut};

/// How much of a seeded content is made at a time.
pub const CHUNK: u64 = 256 * 1024;

/// What an object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// `size` pseudo-random bytes that follow from `seed`.
    Seeded {
        /// Where the sequence starts.
        seed: u64,
        /// How many bytes.
        size: u64,
    },
}

impl Content {
    /// Length in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Seeded { size, .. } => *size,
        }
    }

    /// The bytes `offset..offset + length`, cut at the end of the content.
    pub fn read(&self, offset: u64, length: u64) -> Bytes {
        let start = offset.min(self.size());
        let end = offset.saturating_add(length).min(self.size());
        match self {
            Self::Bytes(bytes) => bytes.slice(start as usize..end as usize),
            Self::Seeded { seed, .. } => seeded(*seed, start, (end - start) as usize),
        }
    }

    /// The bytes `offset..offset + length` in chunks of at most [`CHUNK`].
    pub fn chunks(&self, offset: u64, length: u64) -> impl Iterator<Item = Bytes> + use<> {
        let content = self.clone();
        let end = offset.saturating_add(length).min(content.size());
        let mut at = offset.min(end);
        std::iter::from_fn(move || {
            let take = CHUNK.min(end - at);
            let chunk = (take > 0).then(|| content.read(at, take))?;
            at += take;
            Some(chunk)
        })
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): a good mix of 64 bits.
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A seed that follows from text (FNV-1a, then mixed).
pub fn seed_of(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

fn seeded(seed: u64, offset: u64, length: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(length + 16);
    let mut word = offset / 8;
    let skip = (offset % 8) as usize;
    while out.len() < length + skip {
        let bytes = mix(seed.wrapping_add(word.wrapping_mul(0x9e37_79b9_7f4a_7c15))).to_le_bytes();
        out.extend_from_slice(&bytes);
        word += 1;
    }
    out.freeze().slice(skip..skip + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_a_seeded_content_is_the_same_range_of_the_whole() {
        let content = Content::Seeded { seed: 7, size: 1000 };
        let whole = content.read(0, 1000);
        for (offset, length) in [(0, 1), (1, 7), (3, 64), (8, 8), (991, 9), (999, 50), (1000, 5)] {
            let end = (offset + length).min(1000) as usize;
            assert_eq!(content.read(offset, length), whole.slice(offset as usize..end));
        }
        let joined: Vec<u8> = content.chunks(5, 900).flatten().collect();
        assert_eq!(joined, whole[5..905]);
    }
}
