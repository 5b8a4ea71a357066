use proptest::prelude::*;

use super::*;
use crate::proof::Hasher;

const BODY: &[u8] = b"123456789";
const MD5: &str = "25f9e794323b453885f5181f1b624d0b";
/// Over the parts `1234`, `5678`, `9`.
const MD5_PARTS: &str = "393e928fcf5925fcbd3a06aaf20b2d38-3";
const SHA256_PARTS: &str = "RWtJBRAdYQ9Y6rETLya5JMkap8fADJo5biSsdBWQ50E=-3";
const CRC32_PARTS: &str = "+vEo6Q==-3";
/// From the CRC catalogue's check values, RFC test vectors and Python's hashlib.
const FULL: [(&str, &str); 7] = [
    ("CRC32", "y/Q5Jg=="),
    ("CRC32C", "4waSgw=="),
    ("CRC64NVME", "rosUhgp5mIg="),
    ("MD5", "JfnnlDI7RTiF9RgfG2JNCw=="),
    ("SHA1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
    ("SHA256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    (
        "SHA512",
        "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==",
    ),
];

fn offer(etag: &str, checksums: &[(&str, &str)], checksum_type: Option<ChecksumType>) -> Offer {
    let checksums = checksums.iter().map(|(a, v)| ((*a).to_owned(), (*v).to_owned())).collect();
    let headers = ObjectHeaders { checksums, checksum_type, ..Default::default() };
    Offer::new(&ETag::new(etag), BODY.len() as u64, &headers)
}

fn with_parts(mut offer: Offer, sizes: &[u64]) -> Offer {
    offer.part_sizes = sizes.to_vec();
    offer
}

fn judge(ladder: &Ladder, body: &[u8]) -> Verdict {
    let mut hasher = Hasher::new(ladder);
    hasher.update(body);
    let digests = hasher.finish();
    ladder.judge(&digests, body.len() as u64)
}

/// The kind of proof of the right body; what a flipped bit is called: `Some(true)` for corrupt.
fn both(offer: &Offer) -> (Option<ProofKind>, bool) {
    let ladder = Ladder::of(offer);
    let kind = match judge(&ladder, BODY) {
        Verdict::Proven(proof) => {
            assert_eq!(proof.expected, proof.actual);
            Some(proof.kind)
        }
        Verdict::Corrupt(proof) => panic!("the right body is called corrupt: {proof:?}"),
        Verdict::Unproven => None,
    };
    match judge(&ladder, b"123456788") {
        Verdict::Proven(proof) => panic!("the wrong body is proven: {proof:?}"),
        Verdict::Corrupt(proof) => assert_ne!(proof.expected, proof.actual),
        Verdict::Unproven => return (kind, false),
    }
    (kind, true)
}

use ChecksumType::{Composite, FullObject};
use ProofKind::{CompositeChecksum, FullChecksum, Md5ETag, MultipartETag};

#[test]
fn every_full_checksum_has_its_known_value() {
    for (name, value) in FULL {
        let stated = offer("opaque", &[(name, value)], Some(FullObject));
        assert_eq!(both(&stated), (Some(FullChecksum(name.into())), true), "{name}");
        let unstated = offer("opaque", &[(name, value)], None);
        assert_eq!(both(&unstated), (Some(FullChecksum(name.into())), false), "{name}");
    }
}

/// Values from Python's xxhash.
#[test]
fn an_xxhash_proves_by_a_match_and_says_nothing_by_a_mismatch() {
    for (name, value) in [
        ("XXHASH64", "jLhB20DmroM="),
        ("XXHASH3", "ctyxi2ehff8="),
        ("XXHASH128", "MxGUd+3l3NXpcWQnaB1YYA=="),
    ] {
        for stated in [Some(FullObject), None] {
            let alone = offer("opaque", &[(name, value)], stated);
            assert_eq!(both(&alone), (Some(FullChecksum(name.into())), false), "{name}");
            // A plain MD5 below it still tells what is corrupt.
            let beside = offer(MD5, &[(name, value)], stated);
            assert_eq!(both(&beside), (Some(FullChecksum(name.into())), true), "{name}");
        }
        let written_otherwise = offer(MD5, &[(name, &value.replace('h', "H"))], Some(FullObject));
        assert!(both(&written_otherwise).1, "{name}");
    }
}

#[test]
fn the_strongest_decides_alone_and_nothing_else_is_hashed() {
    let all = offer(MD5, &FULL, Some(FullObject));
    assert_eq!(Ladder::of(&all).needs(), [Need::whole(Algorithm::Sha512)]);
    let crc = offer(MD5, &FULL[2..3], Some(FullObject));
    assert_eq!(Ladder::of(&crc).needs(), [Need::whole(Algorithm::Crc64Nvme)]);
    assert_eq!(Ladder::of(&offer("opaque", &[], None)).needs(), []);
}

#[test]
fn a_plain_etag_is_an_md5_unless_a_key_encrypts_the_object() {
    assert_eq!(both(&offer(MD5, &[], None)), (Some(Md5ETag), true));
    for (encryption, customer_key, certain) in
        [(Some("AES256"), false, true), (Some("aws:kms"), false, false), (None, true, false)]
    {
        let headers = ObjectHeaders {
            encryption: encryption.map(str::to_owned),
            customer_key,
            ..Default::default()
        };
        let offer = Offer::new(&ETag::new(MD5), 9, &headers);
        assert_eq!(both(&offer), (Some(Md5ETag), certain));
    }
}

#[test]
fn a_kms_etag_that_is_no_md5_accuses_nobody() {
    let headers = ObjectHeaders { encryption: Some("aws:kms:dsse".into()), ..Default::default() };
    let offer = Offer::new(&ETag::new(&"0".repeat(32)), 9, &headers);
    assert_eq!(both(&offer), (None, false));
}

#[test]
fn right_bytes_are_expected_to_match_only_where_a_mismatch_says_something() {
    assert!(Ladder::of(&offer(MD5, &[], None)).expects_a_match());
    assert!(Ladder::of(&offer("", &FULL[..1], None)).expects_a_match());
    assert!(!Ladder::of(&offer("of no known form", &[], None)).expects_a_match());
    // Under SSE-KMS an ETag may be anything.
    let headers = ObjectHeaders { encryption: Some("aws:kms".into()), ..Default::default() };
    let keyed = Ladder::of(&Offer::new(&ETag::new(MD5), 9, &headers));
    assert!(!keyed.expects_a_match());
}

#[test]
fn parts_are_judged_over_their_real_boundaries() {
    let etag = offer(MD5_PARTS, &[], None);
    assert!(Ladder::of(&etag).wants_part_sizes() && Ladder::of(&etag).needs().is_empty());
    assert_eq!(both(&etag), (None, false));
    assert_eq!(both(&with_parts(etag.clone(), &[4, 4, 1])), (Some(MultipartETag), false));
    assert_eq!(both(&with_parts(etag.clone(), &[3, 3, 3])), (None, false));
    let assumed = etag.clone().with_first_part(4);
    assert!(Ladder::of(&assumed).assumes_part_sizes());
    // Where all sizes were told, or none, no answer rests on the first alone.
    let told = with_parts(etag.clone(), &[4, 4, 1]);
    assert!(!Ladder::of(&told).assumes_part_sizes() && !Ladder::of(&etag).assumes_part_sizes());
    assert_eq!(both(&assumed), (Some(MultipartETag), false));
    // Three parts of this first size cannot make nine bytes: nothing is assumed.
    for first in [0, 2, 5, 9, u64::MAX] {
        assert!(Ladder::of(&etag.clone().with_first_part(first)).wants_part_sizes(), "{first}");
    }

    for (name, value) in [("SHA256", SHA256_PARTS), ("CRC32", CRC32_PARTS)] {
        let kind = CompositeChecksum(name.into());
        let composite = offer(MD5_PARTS, &[(name, value)], Some(Composite));
        let known = with_parts(composite.clone(), &[4, 4, 1]);
        assert_eq!(both(&known), (Some(kind.clone()), true));
        assert_eq!(Ladder::of(&known).needs().len(), 1, "the ETag is not needed beside it");
        assert_eq!(both(&composite.clone().with_first_part(4)), (Some(kind.clone()), false));
        let unstated = offer(MD5_PARTS, &[(name, value)], None);
        assert_eq!(both(&with_parts(unstated, &[4, 4, 1])), (Some(kind.clone()), false));
        let bare = value.trim_end_matches("-3");
        let unstated = offer(MD5_PARTS, &[(name, bare)], None);
        assert_eq!(both(&with_parts(unstated, &[4, 4, 1])), (Some(kind), false));
    }
}

#[test]
fn an_upload_of_one_part_needs_no_part_sizes() {
    // md5(md5("123456789")), as Python's hashlib gives it.
    let etag = offer("5927c5d64d94a5786f90003aa26d0159-1", &[], None);
    assert!(!Ladder::of(&etag).wants_part_sizes());
    assert_eq!(both(&etag), (Some(MultipartETag), false));
}

#[test]
fn an_unstated_checksum_that_misses_falls_to_the_etag() {
    let wrong = [("CRC32", "AAAAAA==")];
    assert_eq!(both(&offer(MD5, &wrong, None)), (Some(Md5ETag), true));
    let stated = Ladder::of(&offer(MD5, &wrong, Some(FullObject)));
    assert!(matches!(judge(&stated, BODY), Verdict::Corrupt(_)));
}

#[test]
fn unknown_and_broken_checksums_are_passed_over() {
    for checksums in [
        [("XXHASH64", "AAAAAAAAAAA=")],
        [("XXHASH3", "x")],
        [("CRC32", "not base64!")],
        [("CRC32", "rosUhgp5mIg=")],
        [("CRC64NVME", "")],
    ] {
        assert_eq!(both(&offer(MD5, &checksums, Some(FullObject))), (Some(Md5ETag), true));
        assert_eq!(both(&offer("opaque", &checksums, Some(FullObject))), (None, false));
    }
}

#[test]
fn a_wrong_size_is_corrupt_whatever_the_digests_say() {
    for etag in [MD5, "opaque"] {
        let ladder = Ladder::of(&offer(etag, &[], None));
        assert!(matches!(judge(&ladder, b"12345678"), Verdict::Corrupt(_)));
        assert!(matches!(judge(&ladder, b"1234567890"), Verdict::Corrupt(_)));
        let mut hasher = Hasher::new(&ladder);
        hasher.update(BODY);
        assert!(matches!(ladder.judge(&hasher.finish(), 8), Verdict::Corrupt(_)));
    }
}

#[test]
fn an_empty_object_is_provable() {
    let headers = ObjectHeaders {
        checksums: [("CRC64NVME".to_owned(), "AAAAAAAAAAA=".to_owned())].into(),
        checksum_type: Some(FullObject),
        ..Default::default()
    };
    let ladder = Ladder::of(&Offer::new(&ETag::new("x"), 0, &headers));
    assert!(matches!(judge(&ladder, b""), Verdict::Proven(_)));
}

/// One ladder of each form, made by an independent walk over the parts.
fn ladders(body: &[u8], sizes: &[u64]) -> Vec<Ladder> {
    use md5::Digest;
    let mut rest = body;
    let mut all = md5::Md5::new();
    let mut crcs = Vec::new();
    for &size in sizes {
        let (part, later) = rest.split_at(size as usize);
        all.update(md5::Md5::digest(part));
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, part) as u32;
        crcs.extend(crc.to_be_bytes());
        rest = later;
    }
    let size = body.len() as u64;
    let multipart = ETag::new(&format!("{}-{}", hex::encode(all.finalize()), sizes.len()));
    let plain = ETag::new(&hex::encode(md5::Md5::digest(body)));
    let crc64 = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, body).to_be_bytes();
    let crcs = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &crcs) as u32;
    let crcs = format!("{}-{}", BASE64_STANDARD.encode(crcs.to_be_bytes()), sizes.len());
    let checksum = |name: &str, value: String, kind| ObjectHeaders {
        checksums: [(name.to_owned(), value)].into(),
        checksum_type: Some(kind),
        part_sizes: sizes.to_vec(),
        ..Default::default()
    };
    let parts = ObjectHeaders { part_sizes: sizes.to_vec(), ..Default::default() };
    [
        Offer::new(&plain, size, &ObjectHeaders::default()),
        Offer::new(&multipart, size, &parts),
        Offer::new(&multipart, size, &checksum("CRC32", crcs, Composite)),
        Offer::new(
            &multipart,
            size,
            &checksum("CRC64NVME", BASE64_STANDARD.encode(crc64), FullObject),
        ),
    ]
    .iter()
    .map(Ladder::of)
    .collect()
}

proptest! {
    /// Whatever the parts are, and however the bytes arrive.
    #[test]
    fn any_chunking_gives_the_same_proof(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..8),
        cuts in prop::collection::vec(0usize..60, 0..20),
    ) {
        let sizes: Vec<u64> = parts.iter().map(|part| part.len() as u64).collect();
        let body = parts.concat();
        for ladder in ladders(&body, &sizes) {
            let mut hasher = Hasher::new(&ladder);
            let mut rest = body.as_slice();
            for &cut in &cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                hasher.update(now);
                rest = later;
            }
            hasher.update(rest);
            let digests = hasher.finish();
            prop_assert!(matches!(ladder.judge(&digests, body.len() as u64), Verdict::Proven(_)));
            let mut whole = Hasher::new(&ladder);
            whole.update(&body);
            prop_assert_eq!(whole.finish(), digests);
        }
    }

    #[test]
    fn one_flipped_bit_is_never_proven(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..8),
        at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let sizes: Vec<u64> = parts.iter().map(|part| part.len() as u64).collect();
        let mut body = parts.concat();
        let ladders = ladders(&body, &sizes);
        let at = at.index(body.len());
        body[at] ^= 1u8 << bit;
        for ladder in ladders {
            prop_assert!(!matches!(judge(&ladder, &body), Verdict::Proven(_)));
        }
    }
}
