//! The compact form of the rows that exist once an object version.
//!
//! Ten million of them are kept, so what repeats is a number: storage classes and algorithms are
//! places in a list that only ever grows at its end, an ETag that is an MD5 is sixteen bytes, a
//! path that follows the key is left out. Everything comes back exactly as it was given, or not at
//! all.

use serde::{Deserialize, Serialize};

use super::row::{Readback, Stored};
use super::table::Fault;
use crate::model::{
    ChecksumType, ETag, Fingerprint, ObjectHeaders, ObjectVersion, Proof, ProofKind, Standing,
    StorageClass, Thaw,
};

/// Words that repeat. Never reorder or remove: rows hold places in this list.
const WORDS: [&str; 18] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "EXPRESS_ONEZONE",
    "CRC32",
    "CRC32C",
    "CRC64NVME",
    "SHA1",
    "SHA256",
    "SHA512",
    "MD5",
    "XXHASH64",
    "null",
];

/// A word of the list by its place, or any other text.
#[derive(Serialize, Deserialize)]
enum Word<'a> {
    Listed(u8),
    Text(&'a str),
}

impl<'a> Word<'a> {
    fn of(text: &'a str) -> Self {
        match WORDS.iter().position(|word| *word == text) {
            Some(place) => Self::Listed(place as u8),
            None => Self::Text(text),
        }
    }

    fn text(&self) -> Result<&str, Fault> {
        match self {
            Self::Listed(place) => WORDS
                .get(usize::from(*place))
                .copied()
                .ok_or_else(|| Fault::Rot(format!("a row uses an unknown word {place}"))),
            Self::Text(text) => Ok(text),
        }
    }
}

/// An ETag, short where its text can be made again from the short form.
#[derive(Serialize, Deserialize)]
enum Tag<'a> {
    Md5([u8; 16]),
    Parts([u8; 16], u32),
    Text(&'a str),
}

impl<'a> Tag<'a> {
    fn of(tag: &'a ETag) -> Self {
        let short = tag
            .as_md5()
            .map(Tag::Md5)
            .or_else(|| tag.as_multipart().map(|(md5, parts)| Tag::Parts(md5, parts)));
        match short {
            Some(short) if short.text() == tag.as_str() => short,
            _ => Tag::Text(tag.as_str()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Md5(md5) => hex::encode(md5),
            Self::Parts(md5, parts) => format!("{}-{parts}", hex::encode(md5)),
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct PackedObject<'a> {
    size: u64,
    last_modified_ms: i64,
    #[serde(borrow)]
    key: &'a str,
    #[serde(borrow)]
    version_id: Option<Word<'a>>,
    current: bool,
    delete_marker: bool,
    #[serde(borrow)]
    etag: Tag<'a>,
    #[serde(borrow)]
    class: Word<'a>,
    thaw: Thaw,
    #[serde(borrow)]
    checksums: Vec<Word<'a>>,
    checksum_type: Option<ChecksumType>,
}

#[derive(Serialize, Deserialize)]
struct PackedStored<'a> {
    size: u64,
    mtime_ns: i64,
    sha256: [u8; 32],
    fingerprint: Fingerprint,
    /// `None`: `data/` and the key.
    #[serde(borrow)]
    path: Option<&'a str>,
    kind: ProofKind,
    #[serde(borrow)]
    expected: &'a str,
    /// `None`: the same as expected.
    #[serde(borrow)]
    actual: Option<&'a str>,
    readback: Option<Readback>,
}

fn packed<T: Serialize>(row: &T) -> Result<Vec<u8>, Fault> {
    postcard::to_stdvec(row).map_err(|error| Fault::Rot(format!("a row cannot be packed: {error}")))
}

fn unpacked<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<T, Fault> {
    match postcard::take_from_bytes(body) {
        Ok((row, [])) => Ok(row),
        Ok(_) => Err(Fault::Rot(format!("a row of {what} is too long"))),
        Err(error) => Err(Fault::Rot(format!("a row of {what} makes no sense: {error}"))),
    }
}

/// Packs what a listing said.
pub(super) fn pack_object(object: &ObjectVersion) -> Result<Vec<u8>, Fault> {
    packed(&PackedObject {
        size: object.size,
        last_modified_ms: object.last_modified_ms,
        key: &object.key,
        version_id: object.version_id.as_deref().map(Word::of),
        current: object.standing == Standing::Current,
        delete_marker: object.delete_marker,
        etag: Tag::of(&object.etag),
        class: Word::of(object.class.as_str()),
        thaw: object.thaw,
        checksums: object.checksums.iter().map(|name| Word::of(name)).collect(),
        checksum_type: object.checksum_type,
    })
}

/// The reverse of [`pack_object`].
pub(super) fn unpack_object(body: &[u8]) -> Result<ObjectVersion, Fault> {
    let row: PackedObject<'_> = unpacked(body, "objects")?;
    let word = |word: &Word<'_>| word.text().map(str::to_owned);
    Ok(ObjectVersion {
        key: row.key.to_owned(),
        version_id: row.version_id.as_ref().map(word).transpose()?,
        standing: if row.current { Standing::Current } else { Standing::Noncurrent },
        delete_marker: row.delete_marker,
        etag: ETag::new(&row.etag.text()),
        size: row.size,
        last_modified_ms: row.last_modified_ms,
        class: StorageClass::new(row.class.text()?),
        thaw: row.thaw,
        checksums: row.checksums.iter().map(word).collect::<Result<_, _>>()?,
        checksum_type: row.checksum_type,
    })
}

/// Only the key, the version id and the size, for searches and sums.
pub(super) fn peek_object(body: &[u8]) -> Result<(&str, Option<String>, u64), Fault> {
    let row: PackedObject<'_> = unpacked(body, "objects")?;
    let version_id = match &row.version_id {
        Some(word) => Some(word.text()?.to_owned()),
        None => None,
    };
    Ok((row.key, version_id, row.size))
}

/// Packs where an object's bytes are; `key` is the object's.
pub(super) fn pack_stored(stored: &Stored, key: &str) -> Result<Vec<u8>, Fault> {
    let follows = stored.path.strip_prefix("data/") == Some(key);
    let Proof { kind, expected, actual } = &stored.proof;
    packed(&PackedStored {
        size: stored.size,
        mtime_ns: stored.mtime_ns,
        sha256: stored.sha256,
        fingerprint: stored.fingerprint,
        path: (!follows).then_some(&stored.path),
        kind: kind.clone(),
        expected,
        actual: (actual != expected).then_some(actual),
        readback: stored.readback,
    })
}

/// The reverse of [`pack_stored`].
pub(super) fn unpack_stored(body: &[u8], key: &str) -> Result<Stored, Fault> {
    let row: PackedStored<'_> = unpacked(body, "stored")?;
    Ok(Stored {
        path: row.path.map_or_else(|| format!("data/{key}"), str::to_owned),
        sha256: row.sha256,
        fingerprint: row.fingerprint,
        size: row.size,
        mtime_ns: row.mtime_ns,
        proof: Proof {
            kind: row.kind,
            expected: row.expected.to_owned(),
            actual: row.actual.unwrap_or(row.expected).to_owned(),
        },
        readback: row.readback,
    })
}

/// The size in a stored row.
pub(super) fn peek_stored(body: &[u8]) -> Result<u64, Fault> {
    unpacked::<PackedStored<'_>>(body, "stored").map(|row| row.size)
}

/// Packs an object's headers.
pub(super) fn pack_headers(headers: &ObjectHeaders) -> Result<Vec<u8>, Fault> {
    packed(headers)
}

/// The reverse of [`pack_headers`].
pub(super) fn unpack_headers(body: &[u8]) -> Result<ObjectHeaders, Fault> {
    unpacked(body, "headers")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row::ReadbackKind;
    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        let listed = prop::sample::select(&WORDS[..]).prop_map(str::to_owned);
        prop_oneof![listed, ".{0,12}"]
    }

    fn tags() -> impl Strategy<Value = ETag> {
        let md5 = "[0-9a-f]{32}";
        let odd = "[0-9a-fA-F]{30,34}(-0?[0-9]{0,10})?";
        prop_oneof![md5, "[0-9a-f]{32}-[0-9]{1,5}", odd, ".{0,9}"].prop_map(|tag| ETag::new(&tag))
    }

    proptest! {
        /// Over words in and out of the list, and ETags that nearly have a short form.
        #[test]
        fn a_packed_object_comes_back_exactly(
            key in ".{0,20}",
            version_id in prop::option::of(texts()),
            etag in tags(),
            class in texts(),
            checksums in prop::collection::vec(texts(), 0..3),
            size: u64,
            last_modified_ms: i64,
            delete_marker: bool,
        ) {
            let object = ObjectVersion {
                key,
                version_id,
                standing: Standing::Noncurrent,
                delete_marker,
                etag,
                size,
                last_modified_ms,
                class: StorageClass::new(&class),
                thaw: Thaw::ReadyUntil { until_ms: last_modified_ms },
                checksums,
                checksum_type: Some(ChecksumType::Composite),
            };
            let body = pack_object(&object).expect("packs");
            prop_assert_eq!(unpack_object(&body).expect("unpacks"), object);
        }

        /// Whatever bytes pass the check, unpacking them is an answer or an error.
        #[test]
        fn unpacking_anything_never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (unpack_object(&body), unpack_stored(&body, "key"), unpack_headers(&body));
        }
    }

    fn object() -> ObjectVersion {
        ObjectVersion {
            key: "a/ü".into(),
            version_id: Some("null".into()),
            standing: Standing::Current,
            delete_marker: false,
            etag: ETag::new("d41d8cd98f00b204e9800998ecf8427e-3"),
            size: 300,
            last_modified_ms: 1_600_000_000_123,
            class: StorageClass::new("DEEP_ARCHIVE"),
            thaw: Thaw::ReadyUntil { until_ms: 5 },
            checksums: vec!["CRC64NVME".into(), "NEW".into()],
            checksum_type: Some(ChecksumType::FullObject),
        }
    }

    fn stored(path: &str) -> Stored {
        Stored {
            path: path.into(),
            sha256: [7; 32],
            fingerprint: Fingerprint([8; 16]),
            size: 300,
            mtime_ns: -1,
            proof: Proof {
                kind: ProofKind::FullChecksum("SHA256".into()),
                expected: "e".into(),
                actual: "a".into(),
            },
            readback: Some(Readback { kind: ReadbackKind::Client, at_ms: 9 }),
        }
    }

    #[test]
    fn a_stored_row_comes_back_whether_or_not_its_path_follows_the_key() {
        for path in ["data/a/ü", "data/^versions/a/ü/null", "a/ü", ""] {
            let body = pack_stored(&stored(path), "a/ü").expect("packs");
            assert_eq!(unpack_stored(&body, "a/ü").expect("unpacks"), stored(path));
        }
    }

    /// Bytes of the first schema. A change here is a new schema with a step that upgrades old rows.
    #[test]
    fn rows_of_the_first_schema_are_read_for_ever() {
        let headers = ObjectHeaders {
            content_type: Some("t".into()),
            metadata: [("k".to_owned(), "v".to_owned())].into(),
            tag_count: 1,
            part_sizes: vec![5, 300],
            retain_until_ms: Some(-2),
            legal_hold: Some(true),
            ..ObjectHeaders::default()
        };
        let frozen = |text: &str| hex::decode(text).expect("hex");
        let body = frozen(
            "ac02f681f4f6905d04612fc3bc010011010001d41d8cd98f00b204e9800998ecf8427e030007020a02000b01034e45570100",
        );
        assert_eq!(hex::encode(pack_object(&object()).expect("packs")), hex::encode(&body));
        assert_eq!(unpack_object(&body).expect("unpacks"), object());
        let body = frozen(
            "ac02010707070707070707070707070707070707070707070707070707070707070707080808080808080808080808080808080000065348413235360165010161010112",
        );
        let packed = pack_stored(&stored("data/a/ü"), "a/ü").expect("packs");
        assert_eq!(hex::encode(packed), hex::encode(&body));
        assert_eq!(unpack_stored(&body, "a/ü").expect("unpacks"), stored("data/a/ü"));
        let body = frozen("01017400000000000001016b0176010000000000000205ac0200010301010000");
        assert_eq!(hex::encode(pack_headers(&headers).expect("packs")), hex::encode(&body));
        assert_eq!(unpack_headers(&body).expect("unpacks"), headers);
    }
}
