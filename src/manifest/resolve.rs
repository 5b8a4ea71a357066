//! A checked manifest × the account's real buckets → [`Desired`]: globs expanded, defaults and
//! placeholders filled in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::Wanted;
use super::error::{ManifestError, Span};
use super::place::{fill, is_plain, relative, without_dots};
use super::rejected::{Rejected, SHOWN, locate};
use super::table::{ArchiveTable, BucketTable, Outcome, PolicyTable, Source};
use super::words::{nearest, shown};
use crate::model::{
    AccountId, AfterArchive, BucketName, Desired, DesiredArchive, DesiredBucket, DesiredPolicy,
    KeepDays, LockMode, ManifestRef, PolicySource, RestoreWish, Tier, UnconditionalDeletes,
    Unprovable, Usd, VersionsWanted, absolute,
};

/// What a restore may cost where the manifest does not say.
const MAX_RESTORE_COST: Usd = Usd::from_micros(25_000_000);

/// How long a thawed copy is kept where the manifest does not say.
const RESTORE_DAYS: u16 = 7;

/// The account that a manifest is resolved against.
pub struct Account<'a> {
    /// Whose buckets these are.
    pub id: &'a AccountId,
    /// Every bucket of the account with its region.
    pub buckets: &'a [(BucketName, String)],
    /// Whether a bucket that is gone is known to have been retired: recorded in the state, or by
    /// a sealed bag at its place (see [`Wanted::place_of`]).
    pub retired: &'a dyn Fn(&BucketName) -> bool,
    /// What `~` stands for; `None` where it is not known.
    pub home: Option<&'a Path>,
    /// The project's folder, absolute: relative paths begin there.
    pub project: &'a Path,
}

/// The outcome for the account, and what a person should hear beside it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What is wanted of each bucket.
    pub desired: Desired,
    /// Whole sentences with their `file:line:column`.
    pub warnings: Vec<String>,
    /// Buckets that the manifest names and that were retired before; nothing is left to do there.
    pub retired: Vec<BucketName>,
}

impl Wanted {
    /// Turns outcomes into what each real bucket shall have.
    ///
    /// An exact name's outcome wins over a glob's, and a glob's `false` over another glob's table.
    ///
    /// # Errors
    /// [`Rejected`] with everything found: another account, names that no bucket has, two globs on
    /// one outcome, archives at one or at nested places, `~` without a home.
    pub fn resolve(&self, account: &Account<'_>) -> Result<Resolved, Rejected> {
        let mut work = Resolving {
            wanted: self,
            account,
            errors: Vec::new(),
            places: BTreeMap::new(),
            used: vec![false; self.file.buckets.len()],
        };
        work.the_account_is_the_right_one();
        let retired = work.names_exist();
        let mut real: Vec<&(BucketName, String)> = account.buckets.iter().collect();
        real.sort();
        real.dedup_by(|a, b| a.0 == b.0);
        let buckets = real.into_iter().filter_map(|b| work.bucket(&b.0, &b.1)).collect();
        work.places_are_apart();
        if !work.errors.is_empty() {
            return Err(self.reject(work.errors));
        }
        let warnings = self.warnings(&work.used);
        let desired = Desired {
            account: self.account.clone(),
            manifest: ManifestRef {
                path: relative(&self.path, account.project),
                digest: self.digest.clone(),
            },
            buckets,
            transfer: self.file.transfer,
            limits: self.file.limits,
        };
        Ok(Resolved { desired, warnings, retired })
    }

    /// Where a bucket that may be gone would be archived; `None` where no exact table asks for it,
    /// or where the place depends on a region that only the bucket could tell.
    pub fn place_of(
        &self,
        bucket: &BucketName,
        home: Option<&Path>,
        project: &Path,
    ) -> Option<PathBuf> {
        let table = &self.file.buckets[*self.exact.get(bucket.as_str())?];
        let Some(Outcome::Wanted(archive)) = &table.archive else { return None };
        let to = archive.or(&self.file.defaults.archive).to?.into_inner();
        if to.contains("{region}") || (to.contains("{bucket}") && !is_plain(bucket.as_str())) {
            return None;
        }
        absolute(&fill(&to, bucket.as_str(), self.account.as_str(), ""), home, project)
    }

    /// Which tables set an outcome for this bucket, as their headers; `None` where none does.
    pub fn covering(&self, bucket: &str) -> Option<String> {
        let tables = &self.file.buckets;
        let exact = self.exact.get(bucket).map(|n| &tables[*n]);
        let globs: Vec<&BucketTable> =
            self.globs.matching(bucket).into_iter().map(|n| &tables[n]).collect();
        let pick = |says: fn(&BucketTable) -> Option<bool>| -> Vec<&BucketTable> {
            match exact.and_then(|t| Some((t, says(t)?))) {
                Some((table, true)) => vec![table],
                Some((_, false)) => Vec::new(),
                None if globs.iter().any(|t| says(t) == Some(false)) => Vec::new(),
                None => globs.iter().copied().filter(|t| says(t) == Some(true)).collect(),
            }
        };
        let mut covering = pick(|t| t.archive.as_ref().map(Outcome::is_wanted));
        covering.extend(pick(|t| t.policy.as_ref().map(Outcome::is_wanted)));
        covering.sort_by_key(|t| t.at.start);
        covering.dedup_by_key(|t| t.at.start);
        let headers: Vec<String> = covering.into_iter().map(BucketTable::header).collect();
        (!headers.is_empty()).then(|| headers.join(", "))
    }

    fn warnings(&self, used: &[bool]) -> Vec<String> {
        let tables = &self.file.buckets;
        if tables.is_empty() {
            return vec![format!("{}: no bucket is named", shown(&self.name()))];
        }
        let mut warnings = Vec::new();
        for (table, used) in tables.iter().zip(used) {
            let header = shown(&table.header());
            if table.archive.is_none() && table.policy.is_none() {
                warnings.push(format!("{}: {header} asks for nothing", self.at(&table.at)));
            }
            if table.is_glob && !used {
                warnings.push(format!("{}: {header} matches no bucket", self.at(&table.at)));
            }
        }
        warnings
    }

    /// `file:line:column` of a span.
    fn at(&self, span: &Span) -> String {
        let (line, column) = locate(&self.text, span.start);
        format!("{}:{line}:{column}", shown(&self.name()))
    }
}

impl<T> Outcome<T> {
    fn is_wanted(&self) -> bool {
        matches!(self, Self::Wanted(_))
    }
}

struct Resolving<'a> {
    wanted: &'a Wanted,
    account: &'a Account<'a>,
    errors: Vec<ManifestError>,
    /// Every archive's place, free of `.` and `..`, with its bucket and what to point at.
    places: BTreeMap<PathBuf, Vec<(BucketName, Span)>>,
    /// Which tables match a real bucket.
    used: Vec<bool>,
}

impl Resolving<'_> {
    fn the_account_is_the_right_one(&mut self) {
        if *self.account.id != self.wanted.account {
            self.errors.push(ManifestError::OtherAccount {
                wanted: self.wanted.account.to_string(),
                found: self.account.id.to_string(),
                at: self.wanted.file.account.as_ref().map_or(0..0, Spanned::span),
            });
        }
    }

    /// Reports names that no bucket has, and answers those that were retired.
    fn names_exist(&mut self) -> Vec<BucketName> {
        let mut retired = Vec::new();
        let real: HashSet<&str> =
            self.account.buckets.iter().map(|(name, _)| name.as_str()).collect();
        for (n, table) in self.wanted.file.buckets.iter().enumerate().filter(|(_, t)| !t.is_glob) {
            if real.contains(table.pattern.as_str()) {
                self.used[n] = true;
                continue;
            }
            let name = BucketName::new(&table.pattern);
            if (self.account.retired)(&name) {
                retired.push(name);
                continue;
            }
            // Looking for the nearest name is dear; nobody reads more of them than are shown.
            let near = (self.errors.len() < SHOWN)
                .then(|| nearest(&table.pattern, real.iter().copied()))
                .flatten();
            self.errors.push(ManifestError::UnknownBucket {
                name: table.pattern.clone(),
                nearest: near.map(str::to_owned),
                buckets: real.len(),
                at: table.at.clone(),
            });
        }
        retired.sort();
        retired
    }

    /// What one real bucket shall have; `None` where no outcome covers it, or beside an error.
    fn bucket(&mut self, name: &BucketName, region: &str) -> Option<DesiredBucket> {
        let tables = &self.wanted.file.buckets;
        let exact = self.wanted.exact.get(name.as_str()).map(|n| &tables[*n]);
        let matching = self.wanted.globs.matching(name.as_str());
        for n in &matching {
            self.used[*n] = true;
        }
        let matching: Vec<&BucketTable> = matching.into_iter().map(|n| &tables[n]).collect();
        let archive = self.choose("archive", name, exact, &matching, |t| t.archive.as_ref());
        let archive = archive.and_then(|(table, own)| self.archive(table, own, name, region));
        let policy = self.choose("policy", name, exact, &matching, |t| t.policy.as_ref());
        let policy = policy.and_then(|(table, own)| self.policy(table, own, name, region));
        (archive.is_some() || policy.is_some()).then(|| DesiredBucket {
            name: name.clone(),
            archive,
            policy,
        })
    }

    /// The one table that sets an outcome for a bucket.
    fn choose<'t, T>(
        &mut self,
        outcome: &'static str,
        bucket: &BucketName,
        exact: Option<&'t BucketTable>,
        globs: &[&'t BucketTable],
        of: fn(&'t BucketTable) -> Option<&'t Outcome<T>>,
    ) -> Option<(&'t BucketTable, &'t T)> {
        if let Some(table) = exact
            && let Some(says) = of(table)
        {
            return match says {
                Outcome::Wanted(own) => Some((table, own)),
                Outcome::Off => None,
            };
        }
        let mut setting = Vec::new();
        for glob in globs {
            match of(glob) {
                Some(Outcome::Wanted(own)) => setting.push((*glob, own)),
                Some(Outcome::Off) => return None,
                None => {}
            }
        }
        if let [(first, _), (second, _), ..] = setting.as_slice() {
            self.errors.push(ManifestError::TwoGlobs {
                outcome,
                bucket: bucket.to_string(),
                at: first.at.clone(),
                other: second.at.clone(),
            });
            return None;
        }
        setting.pop()
    }

    fn archive(
        &mut self,
        table: &BucketTable,
        own: &ArchiveTable,
        bucket: &BucketName,
        region: &str,
    ) -> Option<DesiredArchive> {
        let archive = own.or(&self.wanted.file.defaults.archive);
        let place = archive.to?;
        let (to, to_path) = self.path(place.get_ref(), &place.span(), table, bucket, region)?;
        let at = own.to.as_ref().map_or_else(|| table.at.clone(), Spanned::span);
        self.places.entry(without_dots(&to_path)).or_default().push((bucket.clone(), at));
        Some(DesiredArchive {
            to,
            to_path,
            then: archive.then.map_or(AfterArchive::Keep, Spanned::into_inner),
            include: archive.include.map(Spanned::into_inner).unwrap_or_default(),
            exclude: archive.exclude.map(Spanned::into_inner).unwrap_or_default(),
            versions: archive.versions.unwrap_or(VersionsWanted::Current),
            restore: RestoreWish {
                tier: archive.restore.tier.unwrap_or(Tier::Bulk),
                days: archive.restore.days.or(KeepDays::new(RESTORE_DAYS))?,
                max_cost: archive.restore.max_cost.unwrap_or(MAX_RESTORE_COST),
            },
            unprovable: archive.unprovable.unwrap_or(Unprovable::Keep),
            unconditional_deletes: archive
                .unconditional_deletes
                .unwrap_or(UnconditionalDeletes::Refuse),
        })
    }

    fn policy(
        &mut self,
        table: &BucketTable,
        own: &PolicyTable,
        bucket: &BucketName,
        region: &str,
    ) -> Option<DesiredPolicy> {
        let policy = own.or(&self.wanted.file.defaults.policy);
        let source = policy.source?;
        let at = source.span();
        let source = match source.into_inner() {
            Source::Lock(to) => PolicySource::Lock {
                to,
                mode: policy.lock_mode.map_or(LockMode::Full, Spanned::into_inner),
                replace_statements: policy.replace_statements.is_some_and(|r| r.into_inner()),
            },
            Source::File(file) => {
                PolicySource::File(self.path(&file, &at, table, bucket, region)?.1)
            }
            Source::None => PolicySource::None,
        };
        Some(DesiredPolicy { source, lose_access: policy.lose_access.unwrap_or(false) })
    }

    /// A path with its placeholders filled in, and the same made absolute.
    fn path(
        &mut self,
        template: &str,
        at: &Span,
        table: &BucketTable,
        bucket: &BucketName,
        region: &str,
    ) -> Option<(String, PathBuf)> {
        // A server other than AWS could list any name.
        let fits = |name: &str, of: &str| !template.contains(of) || is_plain(name);
        if !fits(bucket.as_str(), "{bucket}") || !fits(region, "{region}") {
            self.errors.push(ManifestError::UnsafeName {
                bucket: bucket.to_string(),
                at: table.at.clone(),
            });
            return None;
        }
        let filled = fill(template, bucket.as_str(), self.wanted.account.as_str(), region);
        let path = absolute(&filled, self.account.home, self.account.project);
        if path.is_none() {
            self.errors.push(ManifestError::NoHome { at: at.clone() });
        }
        path.map(|path| (filled, path))
    }

    /// Two archives at one place, or one inside the other, would mix or swallow their files.
    fn places_are_apart(&mut self) {
        // In this order, what lies inside a folder follows it, with nothing else in between.
        let mut outer: Option<(&PathBuf, &(BucketName, Span))> = None;
        for (place, here) in &self.places {
            let Some(first) = here.first() else { continue };
            for second in &here[1..] {
                self.errors.push(ManifestError::SamePlace {
                    bucket: first.0.to_string(),
                    second: second.0.to_string(),
                    place: place.display().to_string(),
                    at: first.1.clone(),
                    other: second.1.clone(),
                });
            }
            match outer {
                Some((around, whose)) if place.starts_with(around) => {
                    self.errors.push(ManifestError::NestedPlace {
                        bucket: first.0.to_string(),
                        outer: whose.0.to_string(),
                        place: place.display().to_string(),
                        at: first.1.clone(),
                        other: whose.1.clone(),
                    });
                }
                _ => outer = Some((place, first)),
            }
        }
    }
}

/// Which table names which bucket exactly.
pub(super) fn exact_tables(tables: &[BucketTable]) -> HashMap<String, usize> {
    let exact = tables.iter().enumerate().filter(|(_, table)| !table.is_glob);
    exact.map(|(n, table)| (table.pattern.clone(), n)).collect()
}
