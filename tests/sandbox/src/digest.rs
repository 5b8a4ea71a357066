//! ETags and checksums, as S3 makes them from contents and part sizes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use crate::content::Content;

/// The checksum algorithms that S3 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// CRC-32 as in zip.
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME: S3's own default.
    Crc64nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// MD5 as an additional checksum.
    Md5,
    /// XXH64: only with a stated value, it is not computed here.
    Xxhash64,
    /// XXH3: only with a stated value.
    Xxhash3,
    /// XXH128: only with a stated value.
    Xxhash128,
}

impl Algorithm {
    /// Every algorithm, in the order in which headers are looked for.
    pub const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
        Self::Xxhash64,
        Self::Xxhash3,
        Self::Xxhash128,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
            Self::Xxhash64 => "XXHASH64",
            Self::Xxhash3 => "XXHASH3",
            Self::Xxhash128 => "XXHASH128",
        }
    }

    /// The algorithm of that name; `None` when S3 has none such.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The header that carries its value, in lower case.
    pub fn header(self) -> String {
        format!("x-amz-checksum-{}", self.name().to_ascii_lowercase())
    }

    /// Whether the checksum of a whole object follows from those of its parts, so that S3 offers
    /// it as `FULL_OBJECT` for multipart uploads.
    pub fn is_crc(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64nvme)
    }

    /// Starts a hash; `None` for the algorithms that are not computed here.
    pub fn hasher(self) -> Option<Hasher> {
        Some(match self {
            Self::Crc32 => Hasher::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc), 4),
            Self::Crc32c => Hasher::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi), 4),
            Self::Crc64nvme => Hasher::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme), 8),
            Self::Sha1 => Hasher::Sha1(sha1::Sha1::new()),
            Self::Sha256 => Hasher::Sha256(sha2::Sha256::new()),
            Self::Sha512 => Hasher::Sha512(sha2::Sha512::new()),
            Self::Md5 => Hasher::Md5(Md5::new()),
            Self::Xxhash64 | Self::Xxhash3 | Self::Xxhash128 => return None,
        })
    }
}

/// Whether a multipart object's checksum is of the whole or of the list of its parts'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChecksumKind {
    /// Of all bytes.
    FullObject,
    /// Of the parts' digests, ending in `-N`.
    Composite,
}

impl ChecksumKind {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// A running hash of one of the algorithms.
#[derive(Debug)]
pub enum Hasher {
    /// A CRC and its width in bytes.
    Crc(crc_fast::Digest, usize),
    /// SHA-1.
    Sha1(sha1::Sha1),
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-512.
    Sha512(sha2::Sha512),
    /// MD5.
    Md5(Md5),
}

impl Hasher {
    /// Takes in bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(digest, _) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
            Self::Sha512(digest) => digest.update(bytes),
            Self::Md5(digest) => digest.update(bytes),
        }
    }

    /// The digest's bytes, most significant first.
    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(digest, width) => digest.finalize().to_be_bytes()[8 - width..].to_vec(),
            Self::Sha1(digest) => digest.finalize().to_vec(),
            Self::Sha256(digest) => digest.finalize().to_vec(),
            Self::Sha512(digest) => digest.finalize().to_vec(),
            Self::Md5(digest) => digest.finalize().to_vec(),
        }
    }
}

/// The digest of `content[offset..offset + length]`; `None` for what is not computed here.
pub fn digest(
    content: &Content,
    algorithm: Algorithm,
    offset: u64,
    length: u64,
) -> Option<Vec<u8>> {
    let mut hasher = algorithm.hasher()?;
    content.chunks(offset, length).for_each(|chunk| hasher.update(&chunk));
    Some(hasher.finish())
}

/// SHA-256 of the whole content, in lower-case hex.
pub fn sha256_hex(content: &Content) -> String {
    digest(content, Algorithm::Sha256, 0, content.size()).map(hex::encode).unwrap_or_default()
}

/// The ETag without its quotes: MD5 of a single PUT, or MD5 of the parts' MD5s and `-N`.
///
/// Source: S3 User Guide, checking-object-integrity.
pub fn etag(content: &Content, parts: Option<&[u64]>) -> String {
    match parts {
        None => digest(content, Algorithm::Md5, 0, content.size()).map(hex::encode),
        Some(parts) => digest_of_parts(content, Algorithm::Md5, parts)
            .map(|md5| suffixed(hex::encode(md5), parts)),
    }
    .unwrap_or_default()
}

/// The checksum in base64, with `-N` when composite; `None` for what is not computed here.
pub fn checksum(
    content: &Content,
    algorithm: Algorithm,
    kind: ChecksumKind,
    parts: Option<&[u64]>,
) -> Option<String> {
    match (kind, parts) {
        (ChecksumKind::Composite, Some(parts)) => digest_of_parts(content, algorithm, parts)
            .map(|digest| suffixed(BASE64.encode(digest), parts)),
        _ => digest(content, algorithm, 0, content.size()).map(|digest| BASE64.encode(digest)),
    }
}

/// The checksum in base64 of one part.
pub fn part_checksum(
    content: &Content,
    algorithm: Algorithm,
    offset: u64,
    length: u64,
) -> Option<String> {
    digest(content, algorithm, offset, length).map(|digest| BASE64.encode(digest))
}

fn digest_of_parts(content: &Content, algorithm: Algorithm, parts: &[u64]) -> Option<Vec<u8>> {
    let mut of_parts = algorithm.hasher()?;
    let mut offset = 0;
    for part in parts {
        of_parts.update(&digest(content, algorithm, offset, *part)?);
        offset += part;
    }
    Some(of_parts.finish())
}

fn suffixed(digest: String, parts: &[u64]) -> String {
    format!("{digest}-{}", parts.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn text(text: &'static str) -> Content {
        Content::Bytes(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn known_digests() {
        let check = text("123456789");
        let of = |algorithm| hex::encode(digest(&check, algorithm, 0, 9).unwrap());
        assert_eq!(of(Algorithm::Crc32), "cbf43926");
        assert_eq!(of(Algorithm::Crc32c), "e3069283");
        assert_eq!(of(Algorithm::Crc64nvme), "ae8b14860a799888");
        assert_eq!(of(Algorithm::Md5), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(etag(&text(""), None), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn a_multipart_etag_is_the_md5_of_the_parts_md5s() {
        let mut joined = hex::decode(etag(&text("1234"), None)).unwrap();
        joined.extend(hex::decode(etag(&text("56789"), None)).unwrap());
        let expected = format!("{}-2", etag(&Content::Bytes(joined.into()), None));
        assert_eq!(etag(&text("123456789"), Some(&[4, 5])), expected);
    }

    #[test]
    fn a_composite_checksum_names_its_number_of_parts() {
        let sum =
            checksum(&text("123456789"), Algorithm::Sha256, ChecksumKind::Composite, Some(&[4, 5]));
        assert!(sum.unwrap().ends_with("-2"));
    }
}
