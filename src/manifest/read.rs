//! Walks the TOML tables and makes typed ones of them: every key, type and range is checked here.
//!
//! Rules that need two keys at once are in [`super::check`].

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check;
use super::error::{ManifestError, Span};
use super::keys;
use super::kind::Kind;
use super::size;
use super::table::{
    ArchiveTable, BucketTable, Defaults, File, Outcome, PolicyTable, RestoreTable, Source,
};
use super::value::{Findings, Sheet, Value};
use super::words::{nearest, quoted};
use crate::model::filter::{GlobScope, read_glob};
use crate::model::{
    AccountId, AfterArchive, KeepDays, KeyFilter, Limits, LockMode, LockTo, Tier, Transfer,
    UnconditionalDeletes, Unprovable, VersionsWanted,
};

/// Reads the whole file's table.
pub(super) fn file(table: &DeTable<'_>, found: &mut Findings) -> File {
    let top = Sheet { table, place: "the manifest".to_owned() };
    found.unknown_keys(&top, keys::FILE);
    let account = account(&top, found);
    let defaults = defaults(&top, found);
    let buckets = buckets(&top, found);
    let transfer = transfer(&top, found);
    let limits = limits(&top, found);
    File { account, defaults, buckets, transfer, limits }
}

fn account(top: &Sheet<'_, '_>, found: &mut Findings) -> Option<Spanned<AccountId>> {
    let missing = |at: Option<Span>, place: &str| ManifestError::MissingKey {
        key: if at.is_some() { "id" } else { "account" },
        place: place.to_owned(),
        help: "write `[account]` and under it `id = \"123456789012\"`; `s3plan info` prints yours",
        at,
    };
    let Some((key, _)) = top.table.get_key_value("account") else {
        let meant = |key: &str| nearest(key, keys::FILE.iter().copied()) == Some("account");
        if !top.table.keys().any(|key| meant(key.get_ref())) {
            found.push(missing(None, &top.place));
        }
        return None;
    };
    let sheet = found.table(top, "account", "[account]")?;
    found.unknown_keys(&sheet, keys::ACCOUNT);
    if sheet.get("id").is_none() {
        found.push(missing(Some(key.span()), &sheet.place));
        return None;
    }
    let text = found.text(&sheet, "id")?;
    let id = AccountId::new(text.get_ref());
    if id.is_none() {
        let help = "write the account's twelve digits in quotes; `s3plan info` prints yours";
        found.bad("id", "is not an AWS account id", help, text.span());
    }
    Some(Spanned::new(text.span(), id?))
}

fn defaults(top: &Sheet<'_, '_>, found: &mut Findings) -> Defaults {
    let Some(sheet) = found.table(top, "defaults", "[defaults]") else {
        return Defaults::default();
    };
    found.unknown_keys(&sheet, keys::DEFAULTS);
    let archive = found.table(&sheet, "archive", "[defaults.archive]");
    let policy = found.table(&sheet, "policy", "[defaults.policy]");
    Defaults {
        archive: archive.map(|s| archive_table(&s, 0..0, found)).unwrap_or_default(),
        policy: policy.map(|s| policy_table(&s, 0..0, found)).unwrap_or_default(),
    }
}

fn buckets(top: &Sheet<'_, '_>, found: &mut Findings) -> Vec<BucketTable> {
    let Some(all) = found.table(top, "bucket", "[bucket]") else { return Vec::new() };
    let mut tables = Vec::new();
    for (key, value) in all.table.iter() {
        let (pattern, at) = (key.get_ref().to_string(), key.span());
        let place = format!("[bucket.{}]", quoted(&pattern));
        let Some(sheet) = found.as_table(value, &place, Kind::Table, &place) else { continue };
        found.unknown_keys(&sheet, keys::BUCKET);
        let is_glob = pattern.contains(['*', '?', '[', ']', '{', '}', '\\']);
        if pattern.is_empty() {
            found.bad("bucket", "has a table without a name", "name the bucket", at.clone());
        } else if is_glob && let Err(bad) = read_glob(&pattern, GlobScope::Buckets) {
            found.push(ManifestError::BadGlob {
                glob: pattern.clone(),
                why: bad.why,
                at: at.clone(),
            });
        }
        let archive = outcome(&sheet, "archive", Kind::Archive, found, archive_table);
        let policy = outcome(&sheet, "policy", Kind::Policy, found, policy_table);
        tables.push(BucketTable { pattern, is_glob, at, archive, policy });
    }
    tables.sort_by_key(|table| table.at.start);
    tables
}

/// An outcome: `false`, or its table read by `read`.
fn outcome<T>(
    sheet: &Sheet<'_, '_>,
    key: &str,
    wanted: Kind,
    found: &mut Findings,
    read: fn(&Sheet<'_, '_>, Span, &mut Findings) -> T,
) -> Option<Outcome<T>> {
    let (name, value): (_, &Value<'_>) = sheet.table.get_key_value(key)?;
    if let DeValue::Boolean(false) = value.get_ref() {
        return Some(Outcome::Off);
    }
    let place = format!("`{key}` of {}", sheet.place);
    let inner = found.as_table(value, key, wanted, place)?;
    Some(Outcome::Wanted(read(&inner, name.span(), found)))
}

fn archive_table(sheet: &Sheet<'_, '_>, at: Span, found: &mut Findings) -> ArchiveTable {
    let before = found.0.len();
    found.unknown_keys(sheet, keys::ARCHIVE);
    let to = found.text(sheet, "to");
    if let Some(to) = &to {
        check::place("to", to, found);
    }
    let mut table = ArchiveTable {
        at,
        broken: false,
        to,
        then: found.word(
            sheet,
            "then",
            &[AfterArchive::Keep, AfterArchive::DeleteObjects, AfterArchive::DeleteBucket]
                .map(|then| (then.as_str(), then)),
        ),
        include: globs(sheet, "include", found),
        exclude: globs(sheet, "exclude", found),
        versions: found
            .word(
                sheet,
                "versions",
                &[("current", VersionsWanted::Current), ("all", VersionsWanted::All)],
            )
            .map(Spanned::into_inner),
        restore: restore_table(sheet, found),
        unprovable: found
            .word(
                sheet,
                "unprovable",
                &[
                    ("keep", Unprovable::Keep),
                    ("twice", Unprovable::Twice),
                    ("size", Unprovable::Size),
                ],
            )
            .map(Spanned::into_inner),
        unconditional_deletes: found
            .word(
                sheet,
                "unconditional_deletes",
                &[
                    ("refuse", UnconditionalDeletes::Refuse),
                    ("compare-first", UnconditionalDeletes::CompareFirst),
                ],
            )
            .map(Spanned::into_inner),
    };
    table.broken = found.0.len() > before;
    table
}

fn restore_table(archive: &Sheet<'_, '_>, found: &mut Findings) -> RestoreTable {
    let place = format!("`restore` in {}", archive.place);
    let Some(sheet) = found.table(archive, "restore", place) else {
        return RestoreTable::default();
    };
    found.unknown_keys(&sheet, keys::RESTORE);
    let days = found.whole(
        &sheet,
        "days",
        1..=u64::from(u16::MAX),
        "write the whole days that S3 keeps a restored copy, 1 or more",
    );
    RestoreTable {
        tier: found
            .word(
                &sheet,
                "tier",
                &[Tier::Bulk, Tier::Standard, Tier::Expedited].map(|tier| (tier.as_str(), tier)),
            )
            .map(Spanned::into_inner),
        days: days.and_then(|days| KeepDays::new(u16::try_from(days).ok()?)),
        max_cost: found.dollars(&sheet, "max_cost"),
    }
}

fn globs(
    sheet: &Sheet<'_, '_>,
    key: &'static str,
    found: &mut Findings,
) -> Option<Spanned<Vec<String>>> {
    let globs = found.texts(sheet, key, Kind::Texts)?;
    let at = globs.span();
    let before = found.0.len();
    for glob in globs.get_ref() {
        if let Err(bad) = read_glob(glob.get_ref(), GlobScope::Keys) {
            found.push(ManifestError::BadGlob {
                glob: glob.get_ref().clone(),
                why: bad.why,
                at: glob.span(),
            });
        }
    }
    let globs: Vec<String> = globs.into_inner().into_iter().map(Spanned::into_inner).collect();
    if globs.is_empty() {
        found.bad(key, "is an empty list", "remove it: without it nothing is left out", at.clone());
    } else if found.0.len() == before
        && let Err(bad) = KeyFilter::new(&globs, &[])
    {
        found.bad(key, format!("cannot be used: {}", bad.why), "use fewer globs", at.clone());
    }
    Some(Spanned::new(at, globs))
}

fn policy_table(sheet: &Sheet<'_, '_>, at: Span, found: &mut Findings) -> PolicyTable {
    let before = found.0.len();
    found.unknown_keys(sheet, keys::POLICY);
    let mut sources = Vec::new();
    if let Some(whom) = found.texts(sheet, "lock_to", Kind::Identities) {
        let span = whom.span();
        if whom.get_ref().is_empty() {
            let help = "name somebody; `policy = false` leaves the policy alone";
            found.bad("lock_to", "is an empty list", help, span.clone());
        }
        let whom = whom.into_inner().iter().filter_map(|who| identity(who, found)).collect();
        sources.push(Spanned::new(span, Source::Lock(whom)));
    }
    if let Some(file) = found.text(sheet, "file") {
        check::place("file", &file, found);
        sources.push(Spanned::new(file.span(), Source::File(file.into_inner())));
    }
    if let Some(none) = found.flag(sheet, "none") {
        if !none.get_ref() {
            let help = "write `none = true` to remove the policy, or nothing";
            found.bad("none", "can only be `true`", help, none.span());
        }
        sources.push(Spanned::new(none.span(), Source::None));
    }
    sources.sort_by_key(|source| source.span().start);
    if let [first, second, ..] = sources.as_slice() {
        found.push(ManifestError::TwoPolicySources { at: first.span(), other: second.span() });
    }
    let mut table = PolicyTable {
        at,
        broken: false,
        source: sources.into_iter().next(),
        lock_mode: found.word(
            sheet,
            "lock_mode",
            &[("full", LockMode::Full), ("data", LockMode::Data)],
        ),
        replace_statements: found.flag(sheet, "replace_statements"),
        lose_access: found.flag(sheet, "lose_access").map(Spanned::into_inner),
    };
    table.broken = found.0.len() > before;
    table
}

fn identity(who: &Spanned<String>, found: &mut Findings) -> Option<LockTo> {
    match check::identity(who.get_ref()) {
        Ok(identity) => Some(identity),
        Err(why) => {
            found.push(ManifestError::BadIdentity {
                who: who.get_ref().clone(),
                why,
                at: who.span(),
            });
            None
        }
    }
}

fn transfer(top: &Sheet<'_, '_>, found: &mut Findings) -> Transfer {
    let Some(sheet) = found.table(top, "transfer", "[transfer]") else {
        return Transfer::default();
    };
    found.unknown_keys(&sheet, keys::TRANSFER);
    let bandwidth = found.size(&sheet, "max_bandwidth", size::read_speed);
    if let Some(speed) = &bandwidth
        && *speed.get_ref() == 0
    {
        let help = "write bytes a second, such as \"50MB\"; without it there is no limit";
        found.bad("max_bandwidth", "lets nothing through", help, speed.span());
    }
    let help = "write how many connections may be open at a time, 1 or more";
    let connections = found.whole(&sheet, "max_connections", 1..=u64::from(u32::MAX), help);
    Transfer {
        max_bandwidth: bandwidth.map(Spanned::into_inner),
        max_connections: connections.and_then(|n| u32::try_from(n).ok()),
    }
}

fn limits(top: &Sheet<'_, '_>, found: &mut Findings) -> Limits {
    let Some(sheet) = found.table(top, "limits", "[limits]") else { return Limits::default() };
    found.unknown_keys(&sheet, keys::LIMITS);
    let help = "write a whole number, 0 or more";
    Limits {
        max_delete_objects: found.whole(&sheet, "max_delete_objects", 0..=u64::MAX, help),
        max_delete_bytes: found.bytes(&sheet, "max_delete_bytes"),
        max_download_bytes: found.bytes(&sheet, "max_download_bytes"),
        max_cost: found.dollars(&sheet, "max_cost"),
    }
}
