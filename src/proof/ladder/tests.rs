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

/// Whatever is needed twice is computed once.
#[test]
fn no_digest_is_needed_twice() {
    let all = [("MD5", "AAAAAAAAAAAAAAAAAAAAAA=="), ("XXHASH64", "AAAAAAAAAAA=")];
    let plain = Ladder::of(&offer(MD5, &all[..1], None));
    assert_eq!(plain.needs(), [Need::whole(Algorithm::Md5)]);
    let parts = Ladder::of(&with_parts(offer(MD5_PARTS, &all, None), &[4, 4, 1]));
    let [md5, xxhash] = [Algorithm::Md5, Algorithm::Xxhash64];
    let needs = [Need::whole(md5), Need::parts(md5), Need::whole(xxhash), Need::parts(xxhash)];
    assert_eq!(parts.needs(), needs);
}

/// Sizes of parts are worth a request only where a proof goes over parts.
#[test]
fn part_sizes_are_wanted_only_by_a_proof_over_parts() {
    assert!(!Ladder::of(&offer(MD5, &[], None)).wants_part_sizes());
    let full = offer(MD5_PARTS, &FULL[..1], Some(FullObject));
    assert!(!Ladder::of(&full).wants_part_sizes());
    assert!(!Ladder::of(&full.with_first_part(4)).assumes_part_sizes());
    let [(name, value), ..] = FULL;
    assert!(Ladder::of(&offer("opaque", &[(name, value)], Some(Composite))).wants_part_sizes());
    for told in [value.to_owned(), format!("{value}-0"), format!("{value}-x")] {
        let unstated = Ladder::of(&offer("opaque", &[(name, &told)], None));
        assert!(!unstated.wants_part_sizes(), "{told}");
    }
}

/// What is told of the parts and cannot be is not believed, but for the size of the first.
#[test]
fn part_sizes_that_contradict_the_object_are_not_known() {
    let etag = offer(MD5_PARTS, &[], None);
    for told in [&[4, 4, 4][..], &[4, 5], &[4, u64::MAX, 1], &[4]] {
        let ladder = Ladder::of(&with_parts(etag.clone(), told));
        assert!(ladder.assumes_part_sizes(), "{told:?}");
        assert_eq!(ladder.part_sizes(), [4, 4, 1], "{told:?}");
    }
    // Four parts of three bytes would leave none for the last.
    let four = offer(&MD5_PARTS.replace("-3", "-4"), &[], None);
    assert!(Ladder::of(&four.with_first_part(3)).wants_part_sizes());
    // An empty object still has its one part.
    let headers = ObjectHeaders {
        checksums: [("CRC32".to_owned(), "IUTfHA==".to_owned())].into(),
        checksum_type: Some(Composite),
        ..Default::default()
    };
    let empty = Ladder::of(&Offer::new(&ETag::new("opaque"), 0, &headers));
    assert!(empty.wants_part_sizes());
    assert_eq!(judge(&empty, b""), Verdict::Unproven);
}

/// Some servers write 32 digits that are no MD5 for an upload in parts.
#[test]
fn an_etag_that_may_not_be_an_md5_accuses_nobody() {
    let zeros = "0".repeat(32);
    assert_eq!(both(&with_parts(offer(&zeros, &[], None), &[4, 5])), (None, false));
    assert_eq!(both(&offer(&zeros, &[], None).with_first_part(4)), (None, false));
    assert_eq!(both(&offer(&zeros, &[], Some(Composite))), (None, false));
    let single = Ladder::of(&offer(&zeros, &[], None).with_first_part(9));
    assert!(matches!(judge(&single, BODY), Verdict::Corrupt(_)));
}

/// A checksum whose form contradicts what is stated of it proves by a match and accuses nobody.
#[test]
fn a_checksum_that_contradicts_its_own_statement_accuses_nobody() {
    let counted = offer("opaque", &[("CRC32", "AAAAAA==-3")], Some(FullObject));
    assert_eq!(both(&counted), (None, false));
    let parts = |checksum, stated| with_parts(offer(MD5_PARTS, &[checksum], stated), &[4, 4, 1]);
    let etag = (Some(MultipartETag), false);
    assert_eq!(both(&parts(("SHA256", SHA256_PARTS), Some(FullObject))), etag);
    let fewer = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=-2";
    assert_eq!(both(&parts(("SHA256", fewer), Some(Composite))), etag);
    // Nor does one whose way of writing is not established.
    assert_eq!(both(&parts(("XXHASH64", "AAAAAAAAAAA=-3"), Some(Composite))), etag);
}

/// That a checksum is one of checksums can be stated, be told by its own count, by the ETag's, or
/// by the parts.
#[test]
fn a_checksum_of_checksums_is_known_by_any_of_its_signs() {
    let kind = || Some(CompositeChecksum("CRC32".into()));
    let bare = [("CRC32", CRC32_PARTS.trim_end_matches("-3"))];
    let by_etag = offer(MD5_PARTS, &bare, None).with_first_part(4);
    assert_eq!(both(&by_etag), (kind(), false));
    let by_parts = with_parts(offer("opaque", &bare, None), &[4, 4, 1]);
    assert_eq!(both(&by_parts), (kind(), false));
    let by_count = offer("opaque", &[("CRC32", CRC32_PARTS)], None).with_first_part(4);
    assert_eq!(both(&by_count), (kind(), false));
    // Stated, but over parts that are only assumed.
    let stated = offer(MD5_PARTS, &bare, Some(Composite)).with_first_part(4);
    assert_eq!(both(&stated), (kind(), false));
    let wrong = [("CRC32", "AAAAAA==")];
    let stated = offer("x-3", &wrong, Some(Composite)).with_first_part(4);
    assert_eq!(both(&stated), (None, false));
}

#[test]
fn an_etag_of_parts_is_expected_to_match_unless_a_key_encrypts_the_object() {
    let etag = ETag::new(MD5_PARTS);
    for (encryption, expected) in [(None, true), (Some("aws:kms"), false)] {
        let headers = ObjectHeaders {
            encryption: encryption.map(str::to_owned),
            part_sizes: vec![4, 4, 1],
            ..Default::default()
        };
        let ladder = Ladder::of(&Offer::new(&etag, 9, &headers));
        assert_eq!(ladder.expects_a_match(), expected);
    }
}

/// A size that differs is told, whether it is that of the stream or that of the file.
#[test]
fn the_size_that_differs_is_told() {
    let ladder = Ladder::of(&offer(MD5, &[], None));
    for (streamed, on_disk) in [(8, 9), (9, 8)] {
        let mut hasher = Hasher::new(&ladder);
        hasher.update(&BODY[..streamed]);
        match ladder.judge(&hasher.finish(), on_disk) {
            Verdict::Corrupt(proof) => assert_eq!(proof.actual, "8"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn two_downloads_and_two_sizes_prove_where_they_are_equal() {
    let ladder = Ladder::of(&offer("opaque", &[], None));
    let digests = |body: &[u8]| {
        let mut hasher = Hasher::new(&ladder);
        hasher.update(body);
        hasher.finish()
    };
    let (one, other) = (digests(BODY), digests(b"123456788"));
    assert!(matches!(twice(&one, &one), Verdict::Proven(proof) if proof.kind == ProofKind::Twice));
    assert!(matches!(twice(&one, &other), Verdict::Corrupt(_)));
    assert!(matches!(size_only(9, 9), Verdict::Proven(proof) if proof.kind == ProofKind::SizeOnly));
    assert!(matches!(size_only(9, 8), Verdict::Corrupt(_)));
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
