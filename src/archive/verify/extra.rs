//! Names the files that nothing recorded.
//!
//! Usually there are none, and counting shows it. Otherwise the recorded paths are compared with
//! the files there are, a share of them at a time, so that memory stays the same however many there
//! are.

use std::collections::HashSet;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::{Check, MANIFEST, What};
use crate::archive::bag::{Lines, Rows};
use crate::archive::keymap::PAYLOAD;
use crate::archive::walk::{Found, walk};

/// How many recorded paths are held at a time; 16 bytes each, and as much again around them.
pub(in crate::archive) const HELD: u64 = 1_000_000;

pub(super) fn find(check: &mut Check<'_>) {
    let root = Rc::clone(&check.root);
    let mut there = 0u64;
    walk(&root, PAYLOAD, &mut |found| match found {
        Found::File(..) => there += 1,
        Found::Unreadable(folder, error) => {
            check.found(folder, None, What::Unreadable(error.to_string()));
        }
    });
    if there == check.present {
        return;
    }
    let shares = u128::from(check.report.files.div_ceil(HELD).max(1));
    for share in 0..shares {
        let recorded = recorded(check, |mark| mark % shares == share);
        walk(&root, PAYLOAD, &mut |found| {
            let Found::File(path, _) = found else { return };
            let mark = mark(path);
            if mark % shares == share && !recorded.contains(&mark) {
                check.found(&String::from_utf8_lossy(path), None, What::Extra);
            }
        });
    }
}

/// The marks of the recorded paths that are wanted. What cannot be read is a finding already.
fn recorded(check: &Check<'_>, wanted: impl Fn(u128) -> bool) -> HashSet<u128> {
    let rows = Rows::open(&check.root, &check.to).into_iter().flatten();
    let by_rows = rows.filter_map(|row| row.ok()?.path);
    let lines = Lines::open(&check.root, &check.to, MANIFEST);
    let by_lines = lines.filter_map(|line| Some(line.ok()?.1));
    by_rows.chain(by_lines).map(|path| mark(path.as_bytes())).filter(|&m| wanted(m)).collect()
}

/// Stands for a path; no two that differ can be found that share one.
pub(in crate::archive) fn mark(path: &[u8]) -> u128 {
    let digest: [u8; 32] = Sha256::digest(path).into();
    digest[..16].iter().fold(0, |mark, &byte| mark << 8 | u128::from(byte))
}
