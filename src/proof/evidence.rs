//! A bucket's proven set condensed to one id that a person can approve.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::model::{AccountId, AfterArchive, BucketName, ETag, EvidenceId, Proof, VersionsWanted};

/// One object version that was proven, durable, and read back.
#[derive(Clone, Copy, Debug)]
pub struct ProvenRow<'a> {
    /// The exact key.
    pub key: &'a str,
    /// `None` in a bucket that never was versioned.
    pub version_id: Option<&'a str>,
    /// The ETag that the bytes were received under.
    pub etag: &'a ETag,
    /// In bytes.
    pub size: u64,
    /// Of the bytes on disk.
    pub sha256: &'a [u8; 32],
    /// How they were shown equal to S3's.
    pub proof: &'a Proof,
}

/// Why a row cannot be evidence.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EvidenceError {
    /// The id would depend on the order.
    #[error("`{key}` comes after a key that sorts behind it")]
    OutOfOrder {
        /// The key that came too late.
        key: String,
    },
    /// Nothing may be deleted on the strength of this row.
    #[error("`{key}` is not proven")]
    NotProven {
        /// The key.
        key: String,
    },
}

/// Gathers evidence, row by row in key order; memory does not grow with the rows.
#[derive(Debug)]
pub struct EvidenceBuilder {
    hash: Sha256,
    last_key: String,
    objects: u64,
    bytes: u64,
    proofs: BTreeMap<String, u64>,
}

impl EvidenceBuilder {
    /// Starts a bucket's evidence, bound to what will be done on the strength of it.
    pub fn new(
        account: &AccountId,
        bucket: &BucketName,
        then: AfterArchive,
        versions: VersionsWanted,
        include: &[String],
        exclude: &[String],
    ) -> Self {
        let mut hash = Sha256::new();
        let versions = match versions {
            VersionsWanted::Current => "current",
            VersionsWanted::All => "all",
        };
        for text in [account.as_str(), bucket.as_str(), then.as_str(), versions] {
            field(&mut hash, text.as_bytes());
        }
        for filters in [include, exclude] {
            field(&mut hash, filters.len().to_string().as_bytes());
            for filter in filters {
                field(&mut hash, filter.as_bytes());
            }
        }
        let last_key = String::new();
        Self { hash, last_key, objects: 0, bytes: 0, proofs: BTreeMap::new() }
    }

    /// Adds the next row; versions of one key in the inventory's order.
    ///
    /// # Errors
    /// When the row is not proven or not in order; it is then not part of the evidence.
    pub fn add(&mut self, row: &ProvenRow<'_>) -> Result<(), EvidenceError> {
        if row.key < self.last_key.as_str() {
            return Err(EvidenceError::OutOfOrder { key: row.key.to_owned() });
        }
        if !row.proof.kind.permits_deletion() {
            return Err(EvidenceError::NotProven { key: row.key.to_owned() });
        }
        self.last_key.clear();
        self.last_key.push_str(row.key);
        let kind = row.proof.kind.to_string();
        field(&mut self.hash, row.key.as_bytes());
        // The count tells no version from a version with an empty name.
        field(&mut self.hash, if row.version_id.is_some() { b"1" } else { b"0" });
        field(&mut self.hash, row.version_id.unwrap_or_default().as_bytes());
        field(&mut self.hash, row.etag.as_str().as_bytes());
        field(&mut self.hash, row.size.to_string().as_bytes());
        field(&mut self.hash, row.sha256);
        for text in [&kind, &row.proof.expected, &row.proof.actual] {
            field(&mut self.hash, text.as_bytes());
        }
        self.objects += 1;
        self.bytes += row.size;
        *self.proofs.entry(kind).or_default() += 1;
        Ok(())
    }

    /// Closes the set.
    pub fn finish(self) -> Evidence {
        Evidence {
            id: EvidenceId::from_digest(&self.hash.finalize().into()),
            objects: self.objects,
            bytes: self.bytes,
            proofs: self.proofs,
        }
    }
}

/// Appends a field behind its length, so that no two sets of fields read alike.
fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// A proven set. Only an [`EvidenceBuilder`] makes one; deleting asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    id: EvidenceId,
    objects: u64,
    bytes: u64,
    proofs: BTreeMap<String, u64>,
}

impl Evidence {
    /// What a person approves.
    pub fn id(&self) -> &EvidenceId {
        &self.id
    }

    /// How many object versions it covers.
    pub fn objects(&self) -> u64 {
        self.objects
    }

    /// Their sizes together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many were proven in which way, by the words of [`crate::model::ProofKind`].
    pub fn proofs(&self) -> &BTreeMap<String, u64> {
        &self.proofs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProofKind;

    fn proof(kind: ProofKind) -> Proof {
        Proof { kind, expected: "x".into(), actual: "x".into() }
    }

    fn evidence(rows: &[(&str, Option<&str>, u64, u8)]) -> Evidence {
        let account = AccountId::new("123456789012").expect("an account");
        let [include, exclude] = [vec!["a/**".to_owned()], vec![]];
        let mut builder = EvidenceBuilder::new(
            &account,
            &"photos".into(),
            AfterArchive::DeleteBucket,
            VersionsWanted::Current,
            &include,
            &exclude,
        );
        for (key, version_id, size, sha) in rows {
            let (etag, proof) = (ETag::new("e"), proof(ProofKind::Md5ETag));
            let sha256 = &[*sha; 32];
            let version_id = *version_id;
            builder
                .add(&ProvenRow {
                    key,
                    version_id,
                    etag: &etag,
                    size: *size,
                    sha256,
                    proof: &proof,
                })
                .expect("in order");
        }
        builder.finish()
    }

    #[test]
    fn any_change_of_the_set_is_another_id() {
        let base = evidence(&[("a", None, 1, 1), ("b", Some("v"), 2, 2)]);
        assert_eq!((base.objects(), base.bytes()), (2, 3));
        assert_eq!(base.proofs().get("md5-etag"), Some(&2));
        assert_eq!(base, evidence(&[("a", None, 1, 1), ("b", Some("v"), 2, 2)]));
        for other in [
            evidence(&[("a", None, 1, 1)]),
            evidence(&[("a", Some(""), 1, 1), ("b", Some("v"), 2, 2)]),
            evidence(&[("a", None, 1, 1), ("b", Some("w"), 2, 2)]),
            evidence(&[("a", None, 1, 1), ("b", Some("v"), 2, 3)]),
            evidence(&[("a", None, 2, 1), ("b", Some("v"), 1, 2)]),
            evidence(&[("ab", None, 1, 1), ("b", Some("v"), 2, 2)]),
        ] {
            assert_ne!(base.id(), other.id());
        }
    }

    /// Whatever a person said yes to is in the id: whose bucket, what will be done, by which
    /// filters, and of every row each word.
    #[test]
    fn whatever_an_approval_is_for_is_in_the_id() {
        let id = |account: &str,
                  bucket: &str,
                  then,
                  versions,
                  filters: [&[&str]; 2],
                  row: [&str; 6]| {
            let account = AccountId::new(account).expect("an account");
            let [include, exclude] =
                filters.map(|filters| filters.iter().map(|&f| f.to_owned()).collect::<Vec<_>>());
            let mut builder =
                EvidenceBuilder::new(&account, &bucket.into(), then, versions, &include, &exclude);
            let [key, version, etag, kind, expected, actual] = row;
            let kind = match kind {
                "twice" => ProofKind::Twice,
                _ => ProofKind::Md5ETag,
            };
            let proof = Proof { kind, expected: expected.into(), actual: actual.into() };
            let row = ProvenRow {
                key,
                version_id: Some(version),
                etag: &ETag::new(etag),
                size: 1,
                sha256: &[0; 32],
                proof: &proof,
            };
            builder.add(&row).expect("in order");
            builder.finish().id().clone()
        };
        use AfterArchive::{DeleteBucket, DeleteObjects};
        use VersionsWanted::{All, Current};
        const MINE: &str = "123456789012";
        const ROW: [&str; 6] = ["key", "version", "etag", "md5", "expected", "actual"];
        let none: [&[&str]; 2] = [&[], &[]];
        let mut ids = vec![
            id(MINE, "photos", DeleteBucket, Current, none, ROW),
            id("123456789013", "photos", DeleteBucket, Current, none, ROW),
            id(MINE, "photo", DeleteBucket, Current, none, ROW),
            id(MINE, "photos", DeleteObjects, Current, none, ROW),
            id(MINE, "photos", DeleteBucket, All, none, ROW),
        ];
        let filters: [[&[&str]; 2]; 5] =
            [[&["a"], &[]], [&[], &["a"]], [&["a"], &["b"]], [&["a", "b"], &[]], [&["ab"], &[]]];
        ids.extend(filters.map(|filters| id(MINE, "photos", DeleteBucket, Current, filters, ROW)));
        for place in 0..ROW.len() {
            let mut row = ROW;
            row[place] = "twice";
            ids.push(id(MINE, "photos", DeleteBucket, Current, none, row));
        }
        // The same letters, cut elsewhere.
        for [version, etag] in [["versione", "tag"], ["versio", "netag"]] {
            let row = ["key", version, etag, "md5", "expected", "actual"];
            ids.push(id(MINE, "photos", DeleteBucket, Current, none, row));
        }
        let all = ids.len();
        ids.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        ids.dedup();
        assert_eq!(ids.len(), all, "two of them read alike");
    }

    #[test]
    fn versions_of_one_key_are_all_part_of_it_in_their_order() {
        let both = evidence(&[("a", Some("v2"), 1, 1), ("a", Some("v1"), 1, 2)]);
        assert_eq!(both.objects(), 2);
        assert_ne!(both.id(), evidence(&[("a", Some("v1"), 1, 2), ("a", Some("v2"), 1, 1)]).id());
    }

    #[test]
    fn what_is_not_proven_is_no_evidence() {
        let account = AccountId::new("123456789012").expect("an account");
        let (then, versions) = (AfterArchive::Keep, VersionsWanted::All);
        let mut builder =
            EvidenceBuilder::new(&account, &"photos".into(), then, versions, &[], &[]);
        let etag = ETag::new("e");
        let (good, bad) = (proof(ProofKind::Twice), proof(ProofKind::Unproven));
        let row = |key, proof| ProvenRow {
            key,
            version_id: None,
            etag: &etag,
            size: 1,
            sha256: &[0; 32],
            proof,
        };
        assert!(matches!(builder.add(&row("a", &bad)), Err(EvidenceError::NotProven { .. })));
        assert_eq!(builder.add(&row("b", &good)), Ok(()));
        assert!(matches!(builder.add(&row("a", &good)), Err(EvidenceError::OutOfOrder { .. })));
        assert_eq!(builder.finish().objects(), 1);
    }
}
