//! The compact form of the rows that exist once an object version.
//!
//! Ten million of them are kept, so what repeats is a number: storage classes and algorithms are
//! places in a list that only ever grows at its end, an ETag that is an MD5 is sixteen bytes, a path
//! that follows the key is left out. Everything comes back exactly as it was given, or not at all.

use serde::{Deserialize, Serialize};

use super::row::{Readback, Stored};
use super::table::Fault;
use crate::model::{
    ChecksumType, ETag, ObjectHeaders, ObjectVersion, Proof, ProofKind, Standing, StorageClass,
    Thaw,
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
