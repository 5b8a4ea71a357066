//! The digests that S3 can hold of an object, and one that is being computed.

use std::fmt;

use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use xxhash_rust::xxh3::Xxh3;
use xxhash_rust::xxh64::Xxh64;

/// A digest that can be computed here: every one that S3 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 64 bytes.
    Sha512,
    /// 32 bytes.
    Sha256,
    /// 8 bytes; what S3 adds by itself to uploads without a checksum since December 2024.
    Crc64Nvme,
    /// 4 bytes.
    Crc32C,
    /// 4 bytes.
    Crc32,
    /// 20 bytes.
    Sha1,
    /// 16 bytes; in ETags, and as a checksum. By far the dearest to compute.
    Md5,
    /// XXH3, 16 bytes.
    Xxhash128,
    /// XXH3, 8 bytes.
    Xxhash3,
    /// XXH64, 8 bytes.
    Xxhash64,
}

impl Algorithm {
    /// All of them, the strongest first; among equals the cheapest.
    pub const ALL: [Self; 10] = [
        Self::Sha512,
        Self::Sha256,
        Self::Crc64Nvme,
        Self::Crc32C,
        Self::Crc32,
        Self::Sha1,
        Self::Md5,
        Self::Xxhash128,
        Self::Xxhash3,
        Self::Xxhash64,
    ];

    /// Whether it is established how S3 writes its digest. Where it is not, a match proves as any
    /// other does, but a mismatch may only mean that S3 writes it otherwise.
    pub fn is_established(self) -> bool {
        !matches!(self, Self::Xxhash128 | Self::Xxhash3 | Self::Xxhash64)
    }

    /// S3's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha512 => "SHA512",
            Self::Sha256 => "SHA256",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Crc32C => "CRC32C",
            Self::Crc32 => "CRC32",
            Self::Sha1 => "SHA1",
            Self::Md5 => "MD5",
            Self::Xxhash128 => "XXHASH128",
            Self::Xxhash3 => "XXHASH3",
            Self::Xxhash64 => "XXHASH64",
        }
    }

    /// How many bytes its digest has.
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Sha512 => 64,
            Self::Sha256 => 32,
            Self::Sha1 => 20,
            Self::Md5 | Self::Xxhash128 => 16,
            Self::Crc64Nvme | Self::Xxhash3 | Self::Xxhash64 => 8,
            Self::Crc32C | Self::Crc32 => 4,
        }
    }
}

/// A digest that is being computed.
pub(super) enum Running {
    Crc(crc_fast::Digest, usize),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Xxh128(Box<Xxh3>),
    Xxh3(Box<Xxh3>),
    Xxh64(Xxh64),
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a running digest")
    }
}

impl Running {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let crc = |kind| Self::Crc(crc_fast::Digest::new(kind), algorithm.digest_bytes());
        match algorithm {
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            Algorithm::Crc32C => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
            Algorithm::Xxhash128 => Self::Xxh128(Box::new(Xxh3::new())),
            Algorithm::Xxhash3 => Self::Xxh3(Box::new(Xxh3::new())),
            Algorithm::Xxhash64 => Self::Xxh64(Xxh64::new(0)),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(crc, _) => crc.update(bytes),
            Self::Md5(md5) => md5.update(bytes),
            Self::Sha1(sha1) => sha1.update(bytes),
            Self::Sha256(sha256) => sha256.update(bytes),
            Self::Sha512(sha512) => sha512.update(bytes),
            Self::Xxh128(xxh3) | Self::Xxh3(xxh3) => xxh3.update(bytes),
            Self::Xxh64(xxh64) => xxh64.update(bytes),
        }
    }

    /// The digest, its highest byte first, as S3 writes it.
    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(crc, bytes) => crc.finalize().to_be_bytes()[8 - bytes..].to_vec(),
            Self::Md5(md5) => md5.finalize().to_vec(),
            Self::Sha1(sha1) => sha1.finalize().to_vec(),
            Self::Sha256(sha256) => sha256.finalize().to_vec(),
            Self::Sha512(sha512) => sha512.finalize().to_vec(),
            Self::Xxh128(xxh3) => xxh3.digest128().to_be_bytes().to_vec(),
            Self::Xxh3(xxh3) => xxh3.digest().to_be_bytes().to_vec(),
            Self::Xxh64(xxh64) => xxh64.digest().to_be_bytes().to_vec(),
        }
    }
}
