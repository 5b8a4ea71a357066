//! Which proofs one object can have, the strongest first, and whether they hold.
//!
//! | what S3 holds | a match | a mismatch |
//! |---|---|---|
//! | checksum, stated `FULL_OBJECT` | proves | is corruption |
//! | ETag of 32 hex digits, not SSE-KMS, not SSE-C | proves | is corruption |
//! | checksum, stated `COMPOSITE`, part sizes known | proves | is corruption |
//! | the same, part sizes assumed from the first | proves | says nothing |
//! | checksum of no stated type | proves, read either way | says nothing |
//! | XXHASH of whatever type: how S3 writes it is not established | proves | says nothing |
//! | ETag `hex-N` over the part sizes | proves | says nothing |
//! | ETag of an object encrypted by SSE-KMS or SSE-C | proves | says nothing |
//!
//! Sources: S3 User Guide, "Checking object integrity"; S3 API Reference, `UpdateObjectEncryption`,
//! by which an MD5 can stay in the ETag of an object that is encrypted by KMS since.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::algorithm::Algorithm;
use super::hasher::Digests;
use crate::model::{ChecksumType, ETag, ObjectHeaders, Proof, ProofKind};

/// What S3 offers to prove one object by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    etag: ETag,
    size: u64,
    checksums: BTreeMap<String, String>,
    checksum_type: Option<ChecksumType>,
    part_sizes: Vec<u64>,
    first_part: Option<u64>,
    opaque_etag: bool,
}

impl Offer {
    /// Takes what the listing and a HEAD or GET said of the object; `size` in bytes.
    pub fn new(etag: &ETag, size: u64, headers: &ObjectHeaders) -> Self {
        let keyed = headers.encryption.as_deref().is_some_and(|e| e != "AES256");
        Self {
            etag: etag.clone(),
            size,
            checksums: headers.checksums.clone(),
            checksum_type: headers.checksum_type,
            part_sizes: headers.part_sizes.clone(),
            first_part: None,
            opaque_etag: keyed || headers.customer_key,
        }
    }

    /// Adds the size of part 1, as HEAD with `partNumber=1` gives it: most uploads cut all parts
    /// but the last alike, so that one answer stands for all.
    pub fn with_first_part(mut self, bytes: u64) -> Self {
        self.first_part = Some(bytes);
        self
    }
}

/// Whether a digest covers all bytes, or is made of its parts' digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All bytes in order.
    Whole,
    /// The digest of the parts' digests.
    Parts,
}

/// A digest that judging needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// The algorithm, for the parts and for the digest of their digests alike.
    pub algorithm: Algorithm,
    /// What it covers.
    pub scope: Scope,
}

impl Need {
    /// A digest of all bytes.
    pub fn whole(algorithm: Algorithm) -> Self {
        Self { algorithm, scope: Scope::Whole }
    }

    /// A digest of the parts' digests.
    pub fn parts(algorithm: Algorithm) -> Self {
        Self { algorithm, scope: Scope::Parts }
    }
}

/// What an object's bytes were found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are what S3 holds.
    Proven(Proof),
    /// They are not, or S3's copy is not what its own digest says.
    Corrupt(Proof),
    /// Nothing that S3 holds tells.
    Unproven,
}

/// The proofs that one object can have, the strongest first, no further than the first that
/// decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    rungs: Vec<Rung>,
    size: u64,
    parts: PartSizes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rung {
    need: Need,
    kind: ProofKind,
    /// As S3 writes it.
    expected: String,
    digest: Vec<u8>,
    mismatch: Mismatch,
}

/// What it means when a digest differs from S3's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mismatch {
    /// The bytes are wrong.
    Corrupt,
    /// They may be, or S3's word was read wrongly: worth another look.
    Doubtful,
    /// Nothing: right bytes need not match either.
    SaysNothing,
}

/// Where the parts of a multipart upload begin and end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PartSizes {
    Known(Vec<u64>),
    Assumed(Vec<u64>),
    Unknown,
}

impl Ladder {
    /// Finds the proofs that an object can have.
    pub fn of(offer: &Offer) -> Self {
        let parts = PartSizes::of(offer);
        let mut rungs = full_checksums(offer);
        rungs.extend(plain_etag(offer));
        rungs.extend(composite_checksums(offer, &parts));
        rungs.extend(multipart_etag(offer));
        if let Some(last) = rungs.iter().position(|rung| rung.mismatch == Mismatch::Corrupt) {
            rungs.truncate(last + 1);
        }
        Self { rungs, size: offer.size, parts }
    }

    /// The digests that judging can use; those over parts only where the parts are known.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs: Vec<_> = self.usable().map(|rung| rung.need).collect();
        needs.sort();
        needs.dedup();
        needs
    }

    /// Whether a proof over parts could be had if S3 were asked for their sizes: for that of part 1
    /// first, then for all where that one misled ([`Self::assumes_part_sizes`]).
    pub fn wants_part_sizes(&self) -> bool {
        self.parts == PartSizes::Unknown && self.over_parts()
    }

    /// Whether a proof over parts rests on the size of part 1 alone. [`Verdict::Unproven`] may then
    /// only mean that the parts are not alike.
    pub fn assumes_part_sizes(&self) -> bool {
        matches!(self.parts, PartSizes::Assumed(_)) && self.over_parts()
    }

    /// Whether right bytes should have matched something: [`Verdict::Unproven`] may then mean that
    /// they are wrong, and a second download would show it.
    pub fn expects_a_match(&self) -> bool {
        self.usable().any(|rung| rung.mismatch != Mismatch::SaysNothing)
    }

    /// The part sizes that the digests over parts go by; empty where they are not known.
    pub fn part_sizes(&self) -> &[u64] {
        match &self.parts {
            PartSizes::Known(sizes) | PartSizes::Assumed(sizes) => sizes,
            PartSizes::Unknown => &[],
        }
    }

    /// Judges the digests of a stream of `size` bytes, which is what was received or is on disk.
    pub fn judge(&self, digests: &Digests, size: u64) -> Verdict {
        if size != self.size || digests.size() != self.size {
            let actual = if size == self.size { digests.size() } else { size };
            return Verdict::Corrupt(Proof {
                kind: ProofKind::SizeOnly,
                expected: self.size.to_string(),
                actual: actual.to_string(),
            });
        }
        for rung in self.usable() {
            let Some(actual) = digests.get(rung.need) else { continue };
            let proof = Proof {
                kind: rung.kind.clone(),
                expected: rung.expected.clone(),
                actual: rung.write(actual, self.part_sizes().len()),
            };
            if actual == rung.digest {
                return Verdict::Proven(proof);
            }
            if rung.mismatch == Mismatch::Corrupt {
                return Verdict::Corrupt(proof);
            }
        }
        Verdict::Unproven
    }

    fn usable(&self) -> impl Iterator<Item = &Rung> {
        let parts = self.parts != PartSizes::Unknown;
        self.rungs.iter().filter(move |rung| parts || rung.need.scope == Scope::Whole)
    }

    fn over_parts(&self) -> bool {
        self.rungs.iter().any(|rung| rung.need.scope == Scope::Parts)
    }
}

impl Rung {
    /// Writes a digest as S3 would.
    fn write(&self, digest: &[u8], parts: usize) -> String {
        let text = match self.kind {
            ProofKind::Md5ETag | ProofKind::MultipartETag => hex::encode(digest),
            _ => BASE64_STANDARD.encode(digest),
        };
        if self.expected.contains('-') { format!("{text}-{parts}") } else { text }
    }
}

impl PartSizes {
    fn of(offer: &Offer) -> Self {
        let counts = offer.checksums.values().filter_map(|value| split_count(value).1);
        let count = offer.etag.as_multipart().map(|(_, n)| n).or_else(|| counts.max());
        let fits = |sizes: &[u64]| {
            sizes.iter().try_fold(0u64, |sum, &size| sum.checked_add(size)) == Some(offer.size)
        };
        let given = &offer.part_sizes;
        if !given.is_empty() && fits(given) && count.is_none_or(|n| given.len() == n as usize) {
            return Self::Known(given.clone());
        }
        match (count, offer.first_part.or_else(|| given.first().copied())) {
            (Some(1), _) => Self::Known(vec![offer.size]),
            // S3 allows 10,000 parts; what says more is not worth the memory.
            (Some(n @ 2..=10_000), Some(first)) => {
                let n = u64::from(n);
                match first.checked_mul(n - 1).and_then(|most| offer.size.checked_sub(most)) {
                    Some(last) if last > 0 && last <= first => {
                        let mut sizes = vec![first; n as usize - 1];
                        sizes.push(last);
                        Self::Assumed(sizes)
                    }
                    _ => Self::Unknown,
                }
            }
            _ => Self::Unknown,
        }
    }
}

/// Checksums over the whole object, stated or not.
fn full_checksums(offer: &Offer) -> Vec<Rung> {
    let (readable, mismatch) = match offer.checksum_type {
        Some(ChecksumType::FullObject) => (true, Mismatch::Corrupt),
        Some(ChecksumType::Composite) => (false, Mismatch::Doubtful),
        None => (true, Mismatch::Doubtful),
    };
    let rungs = stored_checksums(offer).filter(|_| readable);
    rungs
        .map(|(algorithm, expected, digest, count)| Rung {
            need: Need::whole(algorithm),
            kind: ProofKind::FullChecksum(algorithm.name().to_owned()),
            expected,
            digest,
            // `-N` contradicts the statement: then neither is to be trusted alone.
            mismatch: match count.is_none() && algorithm.is_established() {
                true => mismatch,
                false => Mismatch::Doubtful,
            },
        })
        .collect()
}

/// The MD5 of a single PUT in the ETag.
fn plain_etag(offer: &Offer) -> Option<Rung> {
    let md5 = offer.etag.as_md5()?;
    // Some servers write 32 digits that are no MD5 for an upload in parts.
    let single = offer.part_sizes.len() < 2
        && offer.first_part.is_none_or(|first| first == offer.size)
        && offer.checksum_type != Some(ChecksumType::Composite);
    let mismatch = match (offer.opaque_etag, single) {
        (true, _) => Mismatch::SaysNothing,
        (false, true) => Mismatch::Corrupt,
        (false, false) => Mismatch::Doubtful,
    };
    Some(Rung {
        need: Need::whole(Algorithm::Md5),
        kind: ProofKind::Md5ETag,
        expected: offer.etag.as_str().to_ascii_lowercase(),
        digest: md5.to_vec(),
        mismatch,
    })
}

/// Checksums of the parts' checksums, stated or not.
fn composite_checksums(offer: &Offer, parts: &PartSizes) -> Vec<Rung> {
    if offer.checksum_type == Some(ChecksumType::FullObject) {
        return Vec::new();
    }
    let stated = offer.checksum_type == Some(ChecksumType::Composite);
    let multipart = stated || offer.etag.as_multipart().is_some() || offer.part_sizes.len() > 1;
    let parts_known = match parts {
        PartSizes::Known(sizes) => Some(sizes.len()),
        PartSizes::Assumed(_) | PartSizes::Unknown => None,
    };
    stored_checksums(offer)
        .filter(|(.., count)| multipart || count.is_some())
        .map(|(algorithm, expected, digest, count)| {
            let agrees = count.is_none_or(|n| parts_known == Some(n as usize));
            let established = algorithm.is_established();
            let certain = stated && parts_known.is_some() && agrees && established;
            Rung {
                need: Need::parts(algorithm),
                kind: ProofKind::CompositeChecksum(algorithm.name().to_owned()),
                expected,
                digest,
                mismatch: if certain { Mismatch::Corrupt } else { Mismatch::Doubtful },
            }
        })
        .collect()
}

/// The MD5 of the parts' MD5s in the ETag.
fn multipart_etag(offer: &Offer) -> Option<Rung> {
    let (md5, _) = offer.etag.as_multipart()?;
    Some(Rung {
        need: Need::parts(Algorithm::Md5),
        kind: ProofKind::MultipartETag,
        expected: offer.etag.as_str().to_ascii_lowercase(),
        digest: md5.to_vec(),
        mismatch: if offer.opaque_etag { Mismatch::SaysNothing } else { Mismatch::Doubtful },
    })
}

/// The checksums that can be computed here, strongest first: algorithm, text, digest, and the count
/// of parts behind it. What is no digest of its algorithm is left out.
fn stored_checksums(
    offer: &Offer,
) -> impl Iterator<Item = (Algorithm, String, Vec<u8>, Option<u32>)> {
    Algorithm::ALL.into_iter().filter_map(|algorithm| {
        let named = |(name, _): &(&String, &String)| name.eq_ignore_ascii_case(algorithm.name());
        let (_, text) = offer.checksums.iter().find(named)?;
        let (digits, count) = split_count(text);
        let digest = BASE64_STANDARD.decode(digits).ok()?;
        let fits = digest.len() == algorithm.digest_bytes();
        fits.then(|| (algorithm, text.clone(), digest, count))
    })
}

/// Takes the count of parts off a checksum. Base64, as S3 writes it, has no `-`.
fn split_count(text: &str) -> (&str, Option<u32>) {
    match text.split_once('-') {
        Some((digits, count)) => (digits, count.parse().ok().filter(|&n| n > 0)),
        None => (text, None),
    }
}

/// Judges two independent downloads of one object: equal bytes, where S3 holds nothing better.
pub fn twice(first: &Digests, second: &Digests) -> Verdict {
    let proof = Proof {
        kind: ProofKind::Twice,
        expected: hex::encode(first.sha256()),
        actual: hex::encode(second.sha256()),
    };
    let same = first.size() == second.size() && first.sha256() == second.sha256();
    if same { Verdict::Proven(proof) } else { Verdict::Corrupt(proof) }
}

/// The weakest proof there is, for a manifest whose owner takes the risk. Sizes in bytes.
pub fn size_only(expected: u64, actual: u64) -> Verdict {
    let proof = Proof {
        kind: ProofKind::SizeOnly,
        expected: expected.to_string(),
        actual: actual.to_string(),
    };
    if expected == actual { Verdict::Proven(proof) } else { Verdict::Corrupt(proof) }
}
#[cfg(test)]
mod tests;
