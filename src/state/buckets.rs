//! Buckets as wholes: what is known of each, retired ones, replaced policies, forgetting.

use std::fs;
use std::path::{Path, PathBuf};

use redb::WriteTransaction;
use serde::{Deserialize, Serialize};

use super::durable::{self, Keep};
use super::error::StateError;
use super::inventory::Inventory;
use super::journal::{Intent, PLAN_PREFIX};
use super::row::Counts;
use super::rows::counts_in;
use super::table::{
    self, APPROVALS, COUNTS, FACTS, FAILURES, Fault, HEADERS, INTENTS, INVENTORIES, LOOSE, MARKS,
    META, Name, OBJECTS, POLICIES, RETIRED, RUNS, STANDINGS, STORED, row_key, text_key,
    text_key_and,
};
use super::{Care, ROWS_A_COMMIT, State, held};
use crate::model::{BucketName, EvidenceId};

/// What the state knows of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRow {
    /// Its name.
    pub name: BucketName,
    /// `None`: never listed to the end, or forgotten.
    pub inventory: Option<Inventory>,
    /// Sums over the inventory.
    pub counts: Counts,
    /// `None`: it was not retired by s3plan.
    pub retired: Option<Retired>,
}

/// That a bucket was deleted as planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Which bucket.
    pub bucket: BucketName,
    /// The plan's digest.
    pub run: String,
    /// The evidence that was approved.
    pub evidence: Option<EvidenceId>,
    /// Where its archive is.
    pub archive: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// A policy that s3plan replaced, for the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPolicy {
    /// Whose policy.
    pub bucket: BucketName,
    /// The exact text; `None`: the bucket had none.
    pub text: Option<String>,
    /// When it was replaced, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// What [`State::reset`] forgets. Archives, audit log and replaced policies stay in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reset {
    /// One bucket's inventory, progress, intents, approvals and retirement.
    Bucket(BucketName),
    /// Every bucket, and all runs with their journals.
    Everything,
}

impl State {
    /// All buckets that the state knows of, by name.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn buckets(&self) -> Result<Vec<BucketRow>, StateError> {
        use std::collections::BTreeMap;
        self.read(|tx| {
            let mut buckets = BTreeMap::new();
            let entry = |name: BucketName| BucketRow {
                name,
                inventory: None,
                counts: Counts::default(),
                retired: None,
            };
            table::read(tx, INVENTORIES)?.walk_all(|key, body| {
                let name = bucket_in(key)?;
                let inventory: Inventory = serde_json::from_slice(body)
                    .map_err(|error| Fault::Rot(format!("an inventory makes no sense: {error}")))?;
                let mut row = entry(name.clone());
                row.counts = counts_in(tx, inventory.generation)?;
                row.inventory = Some(inventory);
                buckets.insert(name, row);
                Ok(())
            })?;
            for retired in table::read(tx, RETIRED)?.all_json::<Retired>(&[])? {
                let name = retired.bucket.clone();
                buckets.entry(name.clone()).or_insert_with(|| entry(name)).retired = Some(retired);
            }
            Ok(buckets.into_values().collect())
        })
    }

    /// Records that a bucket was deleted as planned.
    ///
    /// # Errors
    /// Where it cannot be made durable.
    pub fn retire(&self, retired: Retired) -> Result<(), StateError> {
        let mut batch = super::Batch::new();
        batch.retire(retired);
        self.commit(batch).map(drop)
    }

    /// How the bucket was retired; `None`: not by s3plan, as far as the state remembers.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn retired(&self, bucket: &BucketName) -> Result<Option<Retired>, StateError> {
        self.read(|tx| table::read(tx, RETIRED)?.json(bucket.as_str().as_bytes()))
    }

    /// Whether the bucket was retired.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn is_retired(&self, bucket: &BucketName) -> Result<bool, StateError> {
        Ok(self.retired(bucket)?.is_some())
    }

    /// Keeps a policy that is about to be replaced: as a plain file under `policies/` first, then
    /// in the state, both durable when this returns.
    ///
    /// The file is `policies/BUCKET/TIME.json`; a bucket that had none gets `TIME.none`, empty.
    ///
    /// # Errors
    /// Where it cannot be made durable: the policy must not be replaced then.
    pub fn keep_policy(
        &self,
        bucket: &BucketName,
        text: Option<String>,
        at_ms: i64,
    ) -> Result<(), StateError> {
        let policies = self.shared.folder.join("policies");
        let folder = policies.join(durable::file_name(bucket));
        let (ending, content) = match &text {
            Some(text) => ("json", text.as_bytes()),
            None => ("none", &[][..]),
        };
        // A run that died between the file and the row comes here again with the same policy.
        let at_ms = newest_of(&folder, ending, content).unwrap_or(at_ms);
        durable::replace(&folder.join(format!("{at_ms}.{ending}")), content, Keep::Durably)?;
        durable::sync_folder_of(&folder)?;
        durable::sync_folder_of(&policies)?;
        let policy = KeptPolicy { bucket: bucket.clone(), text, at_ms };
        self.write(Care::TwoPhase, |tx| {
            let mut policies = table::write(tx, POLICIES)?;
            let prefix = text_key(bucket.as_str());
            let last = policies.last_key(&prefix, &text_key_and(bucket.as_str(), &[0xff; 9]))?;
            let next = match last {
                Some(key) => table::number_in(&key)? + 1,
                None => 0,
            };
            policies.put_json(&text_key_and(bucket.as_str(), &next.to_be_bytes()), &policy)?;
            Ok(())
        })
    }

    /// The policies that were replaced on a bucket, oldest first.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn policies(&self, bucket: &BucketName) -> Result<Vec<KeptPolicy>, StateError> {
        self.read(|tx| table::read(tx, POLICIES)?.all_json(&text_key(bucket.as_str())))
    }

    /// Forgets a bucket, or everything. Archives, audit log and replaced policies stay.
    ///
    /// # Errors
    /// Where it cannot be made durable.
    pub fn reset(&self, what: &Reset) -> Result<(), StateError> {
        self.write(Care::Usual, |tx| match what {
            Reset::Bucket(bucket) => forget_in(tx, bucket),
            Reset::Everything => {
                let mut names = Vec::new();
                table::write(tx, INVENTORIES)?.walk_all(|key, _| {
                    names.push(bucket_in(key)?);
                    Ok(())
                })?;
                for bucket in &names {
                    forget_in(tx, bucket)?;
                }
                for name in [APPROVALS, INTENTS, RETIRED, RUNS, FACTS, STANDINGS] {
                    table::write(tx, name)?.clear_prefix(&[])?;
                }
                let mut meta = table::write(tx, META)?;
                meta.remove(b"current-run")?;
                meta.clear_prefix(PLAN_PREFIX)
            }
        })?;
        self.sweep()
    }

    /// Drops rows that belong to no inventory, in batches, and spares those being written.
    pub(super) fn sweep(&self) -> Result<(), StateError> {
        let mut loose = Vec::new();
        {
            // Held while reading, so that no writer begins or ends between the two looks.
            let live = held(&self.shared.live);
            self.read(|tx| {
                table::read(tx, LOOSE)?.walk_all(|key, _| {
                    loose.push(table::number_in(key)?);
                    Ok(())
                })
            })?;
            loose.retain(|generation| !live.contains(generation));
        }
        for generation in loose {
            self.drop_generation(generation)?;
        }
        Ok(())
    }

    fn drop_generation(&self, generation: u64) -> Result<(), StateError> {
        const BY_NUMBER: [Name; 4] = [OBJECTS, STORED, HEADERS, FAILURES];
        let (first, end) = (row_key(generation, 0), row_key(generation + 1, 0));
        let rows = self.read(|tx| match table::read(tx, OBJECTS)?.last_key(&first, &end)? {
            Some(key) => Ok(table::number_in(&key)? + 1),
            None => Ok(0),
        })?;
        for from in (0..rows).step_by(ROWS_A_COMMIT as usize) {
            self.write(Care::Usual, |tx| {
                for name in BY_NUMBER {
                    let until = row_key(generation, from.saturating_add(ROWS_A_COMMIT));
                    table::write(tx, name)?.clear(&row_key(generation, from), &until)?;
                }
                Ok(())
            })?;
        }
        self.write(Care::Usual, |tx| {
            for name in BY_NUMBER {
                table::write(tx, name)?.clear(&first, &end)?;
            }
            table::write(tx, MARKS)?.clear_prefix(&generation.to_be_bytes())?;
            table::write(tx, COUNTS)?.remove(&generation.to_be_bytes())?;
            table::write(tx, LOOSE)?.remove(&generation.to_be_bytes())?;
            Ok(())
        })
    }
}

fn forget_in(tx: &WriteTransaction, bucket: &BucketName) -> Result<(), Fault> {
    let key = bucket.as_str().as_bytes();
    let mut inventories = table::write(tx, INVENTORIES)?;
    if let Some(inventory) = inventories.json::<Inventory>(key)? {
        inventories.remove(key)?;
        table::write(tx, LOOSE)?.put_json(&inventory.generation.to_be_bytes(), bucket)?;
    }
    table::write(tx, APPROVALS)?.clear_prefix(&text_key(bucket.as_str()))?;
    table::write(tx, RETIRED)?.remove(key)?;
    let mut intents = table::write(tx, INTENTS)?;
    for intent in intents.all_json::<Intent>(&[])? {
        if intent.bucket == *bucket {
            intents.remove(&intent.id.to_be_bytes())?;
        }
    }
    Ok(())
}

fn bucket_in(key: &[u8]) -> Result<BucketName, Fault> {
    std::str::from_utf8(key)
        .map(BucketName::new)
        .map_err(|_| Fault::Rot("a bucket's name is not text".into()))
}

/// When the newest policy file in the folder was written, if it holds exactly this.
fn newest_of(folder: &Path, ending: &str, content: &[u8]) -> Option<i64> {
    let stamp = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<i64>().ok();
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let (at_ms, newest) = files.filter_map(|path| Some((stamp(&path)?, path))).max()?;
    let is_same = newest.extension()? == ending && fs::read(&newest).ok()? == content;
    is_same.then_some(at_ms)
}
