//! Turns an object's key into the one path that it has in the archive, and back.
//!
//! In: a key, any text of up to 1,024 bytes that S3 takes. Out: a path from the bag's root, its
//! parts joined by `/`, under `data/`. Pure.
//!
//! Promises: no two keys share a path; no path has a part that is empty, `.`, `..`, or longer than
//! 255 bytes; every file system, every BagIt reader and `sha256sum -c` take the path as it stands;
//! keys made of ordinary characters keep their names (`year=2024/part-0.parquet`). The escape is
//! `^XX`, two upper-case hex digits a byte; a `^` before a lower-case letter is a mark:
//!
//! | mark | means |
//! |---|---|
//! | `^e` | an empty part in the middle of a key (`a//b`) |
//! | `^d` | the end of a key that ends in `/` |
//! | `…^f` | a key that stands beside a folder of its name (`a` beside `a/b`) |
//! | `…^h` + 32 hex digits | the part was too long: its beginning, and the hash of the key up to its end |
//! | `^h` + 32 hex digits | all that follows in a key of more parts, or bytes, than a path can have |
//! | `…^c` + 8 hex digits | a name that others may take for another key's: a path that is not in Unicode's composed form (NFC), or one that publishing found taken |
//!
//! Which keys stand beside a folder is for [`FolderWatch`] to say. Which names differ in case alone
//! matters only where the destination folds case, and is found out there: publishing answers that
//! the name is taken.

mod escape;
mod folder_watch;

pub use escape::unescape;
pub(super) use escape::{escape_name, unescape_part as unescape_name};
pub use folder_watch::FolderWatch;

use sha2::{Digest, Sha256};
use unicode_normalization::is_nfc;

use escape::escape_part;

use crate::model::{ObjectVersion, Standing};

/// The folder of the payload, as BagIt names it.
pub const PAYLOAD: &str = "data";
/// The folder of noncurrent versions inside the payload; no key maps there, since `^` is escaped.
pub const VERSIONS: &str = "data/^versions";

/// What every usual file system allows for one name, in bytes.
const LONGEST_PART: usize = 255;
/// Room left in a hashed name for a later `^c` and its 8 digits.
const TWIN_ROOM: usize = 10;
/// What a path from the bag's root may have, in bytes; Linux allows 4,096 a call. A key of 1,024
/// bytes needs at most 3,100: only servers that take longer keys come this far.
const LONGEST_PATH: usize = 3_500;
/// How many parts a path may have. Python before 3.12, and so `bagit.py` on it, cannot walk a tree
/// that is a thousand folders deep; only keys of many empty parts come this far.
const MOST_PARTS: usize = 600;

/// Gives the path of a key's current version, from the bag's root.
///
/// `beside_folder` says that another key of the bucket starts with this key and a `/`.
pub fn payload_path(key: &str, beside_folder: bool) -> String {
    let mut path = String::with_capacity(PAYLOAD.len() + key.len() + 16);
    path.push_str(PAYLOAD);
    let mut end = 0;
    let mut parts = key.split('/').peekable();
    while let Some(part) = parts.next() {
        end += part.len();
        path.push('/');
        match (part.is_empty(), parts.peek().is_some()) {
            (true, true) => path.push_str("^e"),
            (true, false) => path.push_str("^d"),
            (false, true) => push_part(&mut path, part, "", &key[..end]),
            (false, false) => {
                push_part(&mut path, part, if beside_folder { "^f" } else { "" }, key);
            }
        }
        end += 1;
    }
    let too_deep = path.match_indices('/').nth(MOST_PARTS).is_some();
    if too_deep || path.len() > LONGEST_PATH {
        shorten_path(&path, key)
    } else if path.is_ascii() || is_nfc(&path) {
        path
    } else {
        // Some file systems, and `bagit.py`, take all forms of a text for the composed one.
        with_twin(&path, key)
    }
}

/// Gives the path of one object version, from the bag's root.
///
/// `beside_folder` as for [`payload_path`].
pub fn object_path(object: &ObjectVersion, beside_folder: bool) -> String {
    let payload = payload_path(&object.key, beside_folder);
    match object.standing {
        Standing::Current => payload,
        Standing::Noncurrent => version_path(&payload, version_name(object)),
    }
}

/// What tells this version from others of its key in a file name.
pub fn version_name(object: &ObjectVersion) -> &str {
    match object.version_id.as_deref() {
        // `null` is overwritten in place, so only the ETag tells one from the next.
        None | Some("null") => object.etag.as_str(),
        Some(id) => id,
    }
}

/// Gives the path of a version that is not under its key's own name: a noncurrent one, or one that
/// S3 no longer has there.
///
/// `payload_path` is the path of the key's current version; `version` is S3's version id, or
/// whatever else tells this version from others of its key where the bucket has none.
pub fn version_path(payload_path: &str, version: &str) -> String {
    let inside = payload_path.strip_prefix("data/").unwrap_or(payload_path);
    let mut path = format!("{VERSIONS}/{inside}/");
    if version.is_empty() {
        path.push_str("^e");
    } else {
        push_part(&mut path, version, "", version);
    }
    path
}

/// Gives a file another name in the same folder, for a name that is taken by another key's file.
///
/// Always the same one for the same path and key.
pub fn with_twin(path: &str, key: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or((PAYLOAD, path));
    let mark = format!("^c{}", hash_digits(key, 8));
    let mut twin = format!("{folder}/");
    if name.len() + mark.len() <= LONGEST_PART {
        twin.push_str(name);
        twin.push_str(&mark);
    } else {
        // Only a name without a hash in it is this long: hashed ones leave room for the mark.
        push_hashed(&mut twin, name, &mark, key, LONGEST_PART);
    }
    twin
}

/// Gives the folder `taken` another name inside `path`, for a folder whose name a file already has.
///
/// `taken` is the beginning of `path` that names the file. All paths below it get the same new one.
/// A `path` that does not go through `taken` comes back as it is.
pub fn with_twin_folder(path: &str, taken: &str) -> String {
    match path.strip_prefix(taken) {
        Some(rest) if rest.starts_with('/') => {
            format!("{}{rest}", with_twin(taken, &format!("{taken}/")))
        }
        _ => path.to_owned(),
    }
}

/// Appends a part, escaped and with its mark, and with a hash where it would be too long.
fn push_part(path: &mut String, part: &str, mark: &str, key_to_here: &str) {
    let start = path.len();
    escape_part(path, part);
    if path.len() - start + mark.len() <= LONGEST_PART {
        path.push_str(mark);
        return;
    }
    let escaped = path.split_off(start);
    push_hashed(path, &escaped, mark, key_to_here, LONGEST_PART - TWIN_ROOM);
}

/// Appends as much of an escaped part as fits before the hash and the mark.
fn push_hashed(path: &mut String, escaped: &str, mark: &str, key: &str, longest: usize) {
    let hash = hash_digits(key, 32);
    let mut cut = escaped.floor_char_boundary(longest - "^h".len() - hash.len() - mark.len());
    // An escape is cut off whole: `^`, `^C` at the end would read as something else.
    if let Some(at) = escaped[..cut].rfind('^').filter(|at| cut - at < "^XX".len()) {
        cut = at;
    }
    path.push_str(&escaped[..cut]);
    path.push_str("^h");
    path.push_str(&hash);
    path.push_str(mark);
}

/// Keeps the folders that fit and lets the key's hash stand for the rest.
fn shorten_path(path: &str, key: &str) -> String {
    let ends = path.match_indices('/').map(|(at, _)| at).take(MOST_PARTS);
    let fits = |end: &usize| end + "/^h".len() + 32 + TWIN_ROOM <= LONGEST_PATH;
    let kept = ends.take_while(fits).last().map_or(PAYLOAD, |end| &path[..end]);
    format!("{kept}/^h{}", hash_digits(key, 32))
}

/// The first hex digits of the SHA-256 of some text.
fn hash_digits(text: &str, digits: usize) -> String {
    let mut hash = hex::encode(Sha256::digest(text));
    hash.truncate(digits);
    hash
}

#[cfg(test)]
pub(super) mod tests;
