//! The globs over bucket names, matched all at once.

use globset::{Glob, GlobSet};

use super::table::BucketTable;
use crate::model::filter::{GlobScope, read_glob};

/// How many globs are compiled into one set: each set's size is bounded by globset.
const GLOBS_A_SET: usize = 500;

/// The tables whose name is a glob, compiled.
#[derive(Clone, Debug)]
pub(super) struct Globs {
    /// Each set with the tables its globs belong to.
    sets: Vec<(GlobSet, Vec<usize>)>,
}

impl Globs {
    /// Compiles the tables' globs; one that cannot be read was reported before and is left out.
    ///
    /// # Errors
    /// The number of a table whose glob is too large to be matched: none is ever dropped silently.
    pub(super) fn new(tables: &[BucketTable]) -> Result<Self, usize> {
        let globs: Vec<(usize, Glob)> = tables
            .iter()
            .enumerate()
            .filter(|(_, table)| table.is_glob)
            .filter_map(|(n, table)| Some((n, read_glob(&table.pattern, GlobScope::Buckets).ok()?)))
            .collect();
        let mut sets = Vec::new();
        for chunk in globs.chunks(GLOBS_A_SET) {
            compile(chunk, &mut sets)?;
        }
        Ok(Self { sets })
    }

    /// The numbers of the tables that match, in the file's order.
    pub(super) fn matching(&self, bucket: &str) -> Vec<usize> {
        let mut all = Vec::new();
        for (set, tables) in &self.sets {
            all.extend(set.matches(bucket).into_iter().map(|n| tables[n]));
        }
        all.sort_unstable();
        all
    }
}

/// Compiles globs into one set, or into as many as it takes to keep each within its bounds.
fn compile(globs: &[(usize, Glob)], sets: &mut Vec<(GlobSet, Vec<usize>)>) -> Result<(), usize> {
    if let Ok(set) = GlobSet::new(globs.iter().map(|(_, glob)| glob)) {
        sets.push((set, globs.iter().map(|(n, _)| *n).collect()));
        return Ok(());
    }
    match globs {
        [] => Ok(()),
        [(n, _)] => Err(*n),
        _ => {
            let (left, right) = globs.split_at(globs.len() / 2);
            compile(left, sets)?;
            compile(right, sets)
        }
    }
}
