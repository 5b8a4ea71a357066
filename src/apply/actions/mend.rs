//! Fetches only the bad parts of an object anew, where S3 tells its parts apart.
//!
//! That is where it holds a checksum of each part: in uploads with a composite checksum. Everything
//! else is fetched anew as a whole.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::fetch::{Pour, Poured, Received, pour_range};
use super::pieces;
use crate::apply::end::{End, Trouble};
use crate::apply::work::{Work, blocking};
use crate::archive::{ArchiveError, Staged};
use crate::aws::PartAttributes;
use crate::model::{ObjectVersion, ProofKind};
use crate::proof::{Algorithm, Digests, Hasher, Verdict};

/// Mends what was received with the parts that S3 says are others. Gives it back as it was where
/// that cannot be told, or does not work out.
pub(super) async fn mend(
    work: &Work,
    object: &ObjectVersion,
    received: Received,
) -> Result<Received, Trouble> {
    let Verdict::Corrupt(proof) = received.ladder.judge(&received.digests, received.digests.size())
    else {
        return Ok(received);
    };
    let ProofKind::CompositeChecksum(name) = &proof.kind else { return Ok(received) };
    let Some(algorithm) = Algorithm::ALL.into_iter().find(|known| known.name() == name) else {
        return Ok(received);
    };
    let told = work.door.attributes(&object.key, object.version_id.as_deref()).await;
    let told = told.map(|attributes| attributes.parts).unwrap_or_default();
    let sizes = &received.headers.part_sizes;
    let bad = bad_parts(&told, sizes, received.digests.of_parts(algorithm), algorithm);
    if bad.is_empty() {
        return Ok(received);
    }
    let Received { staged, digests, ladder, headers, .. } = received;
    let mut patch = Patch { staged, at: 0, received: 0, fault: None };
    for range in bad {
        (patch.at, patch.received) = (range.0, 0);
        match pour_range(work, object, range, None, &mut patch).await {
            Ok(()) => {}
            // What it holds now is proven by nothing, as before: it is fetched anew as a whole.
            Err(Poured::Trouble(Trouble::Ends(End::Failed(_)))) => {
                let staged = patch.staged;
                return Ok(Received { staged, digests, ladder, headers, read: None });
            }
            Err(Poured::Trouble(trouble)) => return Err(trouble),
            Err(Poured::Disk) => {
                return Err(patch.fault.map_or_else(pieces::stopped, Trouble::from));
            }
        }
    }
    let mut staged = patch.staged;
    let mut hasher = Hasher::new(&ladder);
    let mtime_ms = object.last_modified_ms;
    let (staged, digests) = spawn_blocking(move || -> Result<_, ArchiveError> {
        staged.reread(&mut |bytes| hasher.update(bytes))?;
        staged.set_mtime(mtime_ms)?;
        staged.park()?;
        let digests: Digests = hasher.finish();
        Ok((staged, digests))
    })
    .await??;
    Ok(Received { staged, digests, ladder, headers, read: None })
}

/// Where the bytes of a part go: over those that came before.
struct Patch {
    staged: Staged,
    /// Where the part begins.
    at: u64,
    /// How much of it came.
    received: u64,
    fault: Option<ArchiveError>,
}

impl Pour for Patch {
    fn received(&self) -> u64 {
        self.received
    }

    async fn pour(&mut self, chunk: Bytes) -> Result<(), ()> {
        let at = self.at + self.received;
        let written = blocking(|| self.staged.write_at(at, &chunk));
        self.received += chunk.len() as u64;
        written.map_err(|error| self.fault = Some(error))
    }
}

/// The ranges of the parts that differ from what S3 says of them; empty where S3 does not tell, and
/// where all of them differ.
fn bad_parts(
    told: &[PartAttributes],
    sizes: &[u64],
    digests: &[Vec<u8>],
    algorithm: Algorithm,
) -> Vec<(u64, u64)> {
    let same_parts = told.len() == sizes.len()
        && told.len() == digests.len()
        && told.iter().zip(sizes).all(|(part, size)| part.size == *size);
    if !same_parts {
        return Vec::new();
    }
    let mut bad = Vec::new();
    let mut first = 0;
    for (part, digest) in told.iter().zip(digests) {
        let Some(text) = part.checksums.get(algorithm.name()) else { return Vec::new() };
        let end = first + part.size;
        if BASE64_STANDARD.decode(text).ok().as_ref() != Some(digest) && part.size > 0 {
            bad.push((first, end));
        }
        first = end;
    }
    // Where all of them differ the whole may as well be fetched.
    if bad.len() == told.len() { Vec::new() } else { bad }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_parts_that_differ_are_bad_and_only_where_all_are_told() {
        let part = |number, size, byte: u8| PartAttributes {
            number,
            size,
            checksums: BTreeMap::from([("CRC32".to_owned(), BASE64_STANDARD.encode([byte; 4]))]),
        };
        let told = [part(1, 10, 1), part(2, 10, 2), part(3, 5, 3)];
        let digests = [vec![1; 4], vec![9; 4], vec![3; 4]];
        let bad = |told: &[PartAttributes], sizes: &[u64]| {
            bad_parts(told, sizes, &digests, Algorithm::Crc32)
        };
        assert_eq!(bad(&told, &[10, 10, 5]), [(10, 20)]);
        assert_eq!(bad(&told, &[10, 9, 6]), []);
        assert_eq!(bad(&told[..2], &[10, 10, 5]), []);
        assert_eq!(bad_parts(&told, &[10, 10, 5], &digests, Algorithm::Sha1), []);
    }
}
