//! Finds the payload files that no object is known of, for a bag must list all that it holds.
//!
//! Files that were there before s3plan, and files that were changed after they were archived, whose
//! objects were fetched again beside them. They are listed for what they are, in the manifest
//! alone.

use std::collections::{BTreeMap, HashSet};

use rustix::fs::FileType;

use super::{Lines, MANIFEST};
use crate::archive::ArchiveError;
use crate::archive::keymap::PAYLOAD;
use crate::archive::medium::{Unwritten, sha256_cold};
use crate::archive::open::Archive;
use crate::archive::verify::extra::{HELD, mark};
use crate::archive::walk::{Found, walk};

/// A payload file that no object is known of.
pub(super) struct Stray {
    pub path: String,
    pub sha256: [u8; 32],
    pub size: u64,
}

/// All strays, by path, and how many things below the payload folder no manifest can list.
#[derive(Default)]
pub(super) struct Strays {
    pub files: Vec<Stray>,
    pub unlistable: u64,
}

/// Finds the strays of a payload. `listed` opens the new manifest, which lists `count` files;
/// `replaced` are paths that the old manifest lists for objects that lie elsewhere now.
///
/// Usually there are none, and counting shows it. Memory grows with the strays, not with the bag.
pub(super) fn find(
    archive: &Archive,
    listed: impl Fn() -> Result<Lines, ArchiveError>,
    count: u64,
    replaced: &HashSet<String>,
) -> Result<Strays, ArchiveError> {
    let root = archive.root();
    let mut there = 0u64;
    walk(root, PAYLOAD, &mut |found| there += u64::from(matches!(found, Found::File(..))));
    let mut strays = Strays::default();
    if there <= count {
        return Ok(strays);
    }
    let mut paths: BTreeMap<String, Option<[u8; 32]>> = BTreeMap::new();
    let shares = u128::from(count.div_ceil(HELD).max(1));
    for share in 0..shares {
        let mut known = HashSet::new();
        for line in listed()? {
            let mark = mark(line?.1.as_bytes());
            if mark % shares == share {
                known.insert(mark);
            }
        }
        walk(root, PAYLOAD, &mut |found| {
            let Found::File(path, kind) = found else { return };
            let mark = mark(path);
            if mark % shares != share || known.contains(&mark) {
                return;
            }
            match std::str::from_utf8(path).ok().filter(|path| is_listable(path)) {
                Some(path) if matches!(kind, FileType::RegularFile | FileType::Unknown) => {
                    paths.insert(path.to_owned(), None);
                }
                _ => strays.unlistable += 1,
            }
        });
    }
    // What an earlier seal found keeps its digest: a file that changed since is to be noticed.
    for line in Lines::open(root, archive.to(), MANIFEST) {
        let Ok((sha256, path)) = line else { break };
        if let Some(known) = paths.get_mut(&path).filter(|_| !replaced.contains(&path)) {
            *known = Some(sha256);
        }
    }
    for (path, known) in paths {
        let at = || archive.to().join(&path);
        let Ok(file) = root.read(&path) else {
            strays.unlistable += 1;
            continue;
        };
        let (sha256, size) = match known {
            Some(sha256) => {
                (sha256, file.metadata().map_err(ArchiveError::io("look at", at()))?.len())
            }
            None => sha256_cold(&file, Unwritten::Perhaps, &mut |_| {})
                .map_err(ArchiveError::io("read", at()))?,
        };
        strays.files.push(Stray { path, sha256, size });
    }
    Ok(strays)
}

/// Whether a path can stand in a manifest as it is, for every reader.
fn is_listable(path: &str) -> bool {
    let breaks = |c: char| c.is_control() || matches!(c, '\\' | '%' | '\u{2028}' | '\u{2029}');
    !path.contains(breaks) && !path.ends_with(char::is_whitespace)
}
