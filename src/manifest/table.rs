//! The tables of a manifest after reading: typed, each value with its place, nothing filled in yet.

use toml::Spanned;

use super::error::Span;
use crate::model::{
    AccountId, AfterArchive, KeepDays, Limits, LockMode, LockTo, Tier, Transfer,
    UnconditionalDeletes, Unprovable, Usd, VersionsWanted,
};

/// The whole file.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// `None` only beside an error.
    pub(super) account: Option<Spanned<AccountId>>,
    pub(super) defaults: Defaults,
    pub(super) buckets: Vec<BucketTable>,
    pub(super) transfer: Transfer,
    pub(super) limits: Limits,
}

/// `[defaults.archive]` and `[defaults.policy]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub(super) archive: ArchiveTable,
    pub(super) policy: PolicyTable,
}

/// One `[bucket."NAME-OR-GLOB"]`.
#[derive(Clone, Debug)]
pub(super) struct BucketTable {
    /// The name or glob as written.
    pub(super) pattern: String,
    pub(super) is_glob: bool,
    /// Where the name or glob stands.
    pub(super) at: Span,
    /// `None`: this table says nothing of an archive.
    pub(super) archive: Option<Outcome<ArchiveTable>>,
    /// `None`: this table says nothing of a policy.
    pub(super) policy: Option<Outcome<PolicyTable>>,
}

impl BucketTable {
    /// The table's header, for people.
    pub(super) fn header(&self) -> String {
        format!("[bucket.{}]", super::words::quoted(&self.pattern))
    }
}

/// What a table says of one outcome.
#[derive(Clone, Debug)]
pub(super) enum Outcome<T> {
    /// `false`: left alone.
    Off,
    /// These keys, the defaults not yet filled in.
    Wanted(T),
}

/// The keys of an `archive`; `None` for what is left out.
#[derive(Clone, Debug, Default)]
pub(super) struct ArchiveTable {
    pub(super) at: Span,
    /// Whether a key of it is wrong: what seems to be missing may be just that key.
    pub(super) broken: bool,
    pub(super) to: Option<Spanned<String>>,
    pub(super) then: Option<Spanned<AfterArchive>>,
    pub(super) include: Option<Spanned<Vec<String>>>,
    pub(super) exclude: Option<Spanned<Vec<String>>>,
    pub(super) versions: Option<VersionsWanted>,
    pub(super) restore: RestoreTable,
    pub(super) unprovable: Option<Unprovable>,
    pub(super) unconditional_deletes: Option<UnconditionalDeletes>,
}

/// The keys of `restore`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RestoreTable {
    pub(super) tier: Option<Tier>,
    pub(super) days: Option<KeepDays>,
    pub(super) max_cost: Option<Usd>,
}

impl ArchiveTable {
    /// This table, with the defaults for the keys that it leaves out.
    pub(super) fn or(&self, defaults: &Self) -> Self {
        Self {
            at: self.at.clone(),
            broken: self.broken || defaults.broken,
            to: self.to.clone().or_else(|| defaults.to.clone()),
            then: self.then.clone().or_else(|| defaults.then.clone()),
            include: self.include.clone().or_else(|| defaults.include.clone()),
            exclude: self.exclude.clone().or_else(|| defaults.exclude.clone()),
            versions: self.versions.or(defaults.versions),
            restore: RestoreTable {
                tier: self.restore.tier.or(defaults.restore.tier),
                days: self.restore.days.or(defaults.restore.days),
                max_cost: self.restore.max_cost.or(defaults.restore.max_cost),
            },
            unprovable: self.unprovable.or(defaults.unprovable),
            unconditional_deletes: self.unconditional_deletes.or(defaults.unconditional_deletes),
        }
    }
}

/// The keys of a `policy`; `None` for what is left out.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyTable {
    pub(super) at: Span,
    /// As in [`ArchiveTable`].
    pub(super) broken: bool,
    pub(super) source: Option<Spanned<Source>>,
    pub(super) lock_mode: Option<Spanned<LockMode>>,
    pub(super) replace_statements: Option<Spanned<bool>>,
    pub(super) lose_access: Option<bool>,
}

/// Where a policy comes from, placeholders not filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `lock_to`
    Lock(Vec<LockTo>),
    /// `file`
    File(String),
    /// `none = true`
    None,
}

impl PolicyTable {
    /// This table, with the defaults for the keys that it leaves out.
    ///
    /// A source of its own keeps the default one out, and a source that is no lock keeps the
    /// defaults of locks out.
    pub(super) fn or(&self, defaults: &Self) -> Self {
        let source = self.source.clone().or_else(|| defaults.source.clone());
        let locks = source.as_ref().is_some_and(|s| matches!(s.get_ref(), Source::Lock(_)));
        let lock_mode = defaults.lock_mode.clone().filter(|_| locks);
        let replace_statements = defaults.replace_statements.clone().filter(|_| locks);
        Self {
            at: self.at.clone(),
            broken: self.broken || defaults.broken,
            source,
            lock_mode: self.lock_mode.clone().or(lock_mode),
            replace_statements: self.replace_statements.clone().or(replace_statements),
            lose_access: self.lose_access.or(defaults.lose_access),
        }
    }
}
