//! Computes what a ladder needs while the bytes stream by.

use sha2::{Digest, Sha256};

use super::algorithm::{Algorithm, Running};
use super::ladder::{Ladder, Need, Scope};
use crate::model::{Fingerprint, Fingerprinting};

/// Takes an object's bytes in order, in pieces of any size.
#[derive(Debug)]
pub struct Hasher {
    /// For the bag, whatever S3 holds.
    sha256: Sha256,
    /// For the read-back.
    fingerprint: Fingerprinting,
    size: u64,
    whole: Vec<(Algorithm, Running)>,
    parts: Option<Parts>,
}

/// The digests of the parts, each folded into the digest of digests as soon as it is whole.
#[derive(Debug)]
struct Parts {
    sizes: Vec<u64>,
    /// The part that is being read.
    at: usize,
    /// What is still to come of it.
    left: u64,
    /// For each algorithm: the current part's digest, and the digest of those before.
    running: Vec<(Algorithm, Running, Running)>,
    /// The digests of the parts before, by the same algorithms, but for MD5: S3 never tells those.
    closed: Vec<Vec<Vec<u8>>>,
}

/// For each algorithm the digest of each part in order.
type PartDigests = Vec<(Algorithm, Vec<Vec<u8>>)>;

impl Hasher {
    /// Starts a stream whose proof the ladder will judge.
    pub fn new(ladder: &Ladder) -> Self {
        let needs = ladder.needs();
        let of = |scope| needs.iter().filter(move |need| need.scope == scope).map(|n| n.algorithm);
        // SHA-256 of the whole is computed in any case.
        let whole = of(Scope::Whole).filter(|&a| a != Algorithm::Sha256);
        let running: Vec<_> =
            of(Scope::Parts).map(|a| (a, Running::new(a), Running::new(a))).collect();
        let parts = (!running.is_empty()).then(|| {
            let sizes = ladder.part_sizes().to_vec();
            let closed = vec![Vec::new(); running.len()];
            Parts { left: sizes.first().copied().unwrap_or(0), sizes, at: 0, running, closed }
        });
        Self {
            sha256: Sha256::new(),
            fingerprint: Fingerprinting::default(),
            size: 0,
            whole: whole.map(|a| (a, Running::new(a))).collect(),
            parts,
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.sha256.update(bytes);
        self.fingerprint.update(bytes);
        for (_, running) in &mut self.whole {
            running.update(bytes);
        }
        if let Some(parts) = &mut self.parts {
            parts.update(bytes);
        }
    }

    /// Ends the stream.
    pub fn finish(self) -> Digests {
        let sha256: [u8; 32] = self.sha256.finalize().into();
        let mut values = vec![(Need::whole(Algorithm::Sha256), sha256.to_vec())];
        values.extend(self.whole.into_iter().map(|(a, d)| (Need::whole(a), d.finish())));
        let mut of_parts = Vec::new();
        if let Some(parts) = self.parts {
            let (whole, each) = parts.finish();
            values.extend(whole);
            of_parts = each;
        }
        let fingerprint = self.fingerprint.finish();
        Digests { sha256, fingerprint, size: self.size, values, of_parts }
    }
}

impl Parts {
    fn update(&mut self, mut bytes: &[u8]) {
        loop {
            let take = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            let (now, later) = bytes.split_at(take);
            for (_, part, _) in &mut self.running {
                part.update(now);
            }
            self.left -= take as u64;
            bytes = later;
            // The last part stays open: an empty one, and bytes too many, end with the stream.
            if self.left > 0 || self.at + 1 >= self.sizes.len() {
                break;
            }
            self.close_part();
            self.at += 1;
            self.left = self.sizes[self.at];
        }
        if !bytes.is_empty() {
            // More than S3 said: the size will not agree, so these digests judge nothing.
            for (_, part, _) in &mut self.running {
                part.update(bytes);
            }
        }
    }

    fn close_part(&mut self) {
        for ((algorithm, part, all), closed) in self.running.iter_mut().zip(&mut self.closed) {
            let digest = std::mem::replace(part, Running::new(*algorithm)).finish();
            all.update(&digest);
            if *algorithm != Algorithm::Md5 {
                closed.push(digest);
            }
        }
    }

    /// The digests of digests, and those of each part.
    fn finish(mut self) -> (Vec<(Need, Vec<u8>)>, PartDigests) {
        // Empty parts at the end have no bytes that would close those before them.
        self.update(&[]);
        self.close_part();
        let each = self.running.iter().map(|(a, ..)| *a).zip(self.closed).collect();
        let whole = self.running.into_iter().map(|(a, _, all)| (Need::parts(a), all.finish()));
        (whole.collect(), each)
    }
}

/// What the bytes of one stream gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    sha256: [u8; 32],
    fingerprint: Fingerprint,
    size: u64,
    values: Vec<(Need, Vec<u8>)>,
    of_parts: PartDigests,
}

impl Digests {
    /// The digest of each part in order; empty where none was needed.
    pub fn of_parts(&self, algorithm: Algorithm) -> &[Vec<u8>] {
        let of = self.of_parts.iter().find(|(have, _)| *have == algorithm);
        of.map_or(&[], |(_, digests)| digests)
    }

    /// The SHA-256 of all bytes.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// By which a file of the same bytes is known again.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// How many bytes there were.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digest that was needed; `None` where it was not.
    pub fn get(&self, need: Need) -> Option<&[u8]> {
        self.values.iter().find(|(have, _)| *have == need).map(|(_, value)| value.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChecksumType, ETag, ObjectHeaders};
    use crate::proof::Offer;

    fn digest(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
        let mut running = Running::new(algorithm);
        running.update(bytes);
        running.finish()
    }

    /// An object of seven bytes in parts of four and three, with a checksum of checksums.
    fn digests_of(bytes: &[u8], piece: usize) -> Digests {
        let headers = ObjectHeaders {
            checksums: [("CRC32".to_owned(), "AAAAAA==-2".to_owned())].into(),
            checksum_type: Some(ChecksumType::Composite),
            part_sizes: vec![4, 3],
            ..ObjectHeaders::default()
        };
        let etag = ETag::new("00000000000000000000000000000000-2");
        let mut hasher = Hasher::new(&Ladder::of(&Offer::new(&etag, 7, &headers)));
        bytes.chunks(piece).for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    #[test]
    fn digests_are_of_all_bytes_and_of_each_part_however_they_come() {
        for piece in 1..=8 {
            let digests = digests_of(b"abcdefg", piece);
            assert_eq!(digests.size(), 7);
            assert_eq!(digests.sha256().to_vec(), digest(Algorithm::Sha256, b"abcdefg"));
            let parts = [b"abcd".as_slice(), b"efg"].map(|part| digest(Algorithm::Crc32, part));
            assert_eq!(digests.of_parts(Algorithm::Crc32), parts);
            let all = digest(Algorithm::Crc32, &parts.concat());
            assert_eq!(digests.get(Need::parts(Algorithm::Crc32)), Some(all.as_slice()));
            assert_eq!(digests.of_parts(Algorithm::Sha1), [] as [Vec<u8>; 0]);
        }
    }

    /// SHA-256 is computed once, and the MD5s of parts are kept by nobody: S3 never tells them.
    #[test]
    fn nothing_is_computed_or_kept_that_nobody_asks_for() {
        let headers = ObjectHeaders {
            checksums: [("SHA256".to_owned(), "A".repeat(43) + "=")].into(),
            checksum_type: Some(ChecksumType::FullObject),
            ..ObjectHeaders::default()
        };
        let hasher = Hasher::new(&Ladder::of(&Offer::new(&ETag::new("e"), 7, &headers)));
        assert!(hasher.whole.is_empty() && hasher.parts.is_none());
        let headers = ObjectHeaders { part_sizes: vec![4, 3], ..ObjectHeaders::default() };
        let etag = ETag::new("00000000000000000000000000000000-2");
        let mut hasher = Hasher::new(&Ladder::of(&Offer::new(&etag, 7, &headers)));
        hasher.update(b"abcdefg");
        assert_eq!(hasher.finish().of_parts(Algorithm::Md5), [] as [Vec<u8>; 0]);
    }

    #[test]
    fn parts_without_bytes_are_parts() {
        let headers = ObjectHeaders {
            checksums: [("CRC32".to_owned(), "AAAAAA==-2".to_owned())].into(),
            checksum_type: Some(ChecksumType::Composite),
            part_sizes: vec![0, 0],
            ..ObjectHeaders::default()
        };
        let etag = ETag::new("00000000000000000000000000000000-2");
        let hasher = Hasher::new(&Ladder::of(&Offer::new(&etag, 0, &headers)));
        let nothing = digest(Algorithm::Crc32, b"");
        assert_eq!(hasher.finish().of_parts(Algorithm::Crc32), [nothing.clone(), nothing]);
    }

    #[test]
    fn bytes_behind_the_last_part_change_its_digest() {
        for piece in [1, 9] {
            let more = digests_of(b"abcdefghi", piece);
            assert_eq!(more.size(), 9);
            let last = digest(Algorithm::Crc32, b"efghi");
            assert_eq!(more.of_parts(Algorithm::Crc32).last(), Some(&last));
        }
    }
}
