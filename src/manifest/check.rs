//! The rules that a manifest keeps beyond keys and types: a function a rule. No account is needed.

use toml::Spanned;

use super::error::{ManifestError, Span};
use super::table::{ArchiveTable, BucketTable, Defaults, Outcome, PolicyTable, Source};
use super::value::Findings;
use crate::model::{AfterArchive, LockTo};

/// The placeholders of `to` and `file`.
const PLACEHOLDERS: [&str; 3] = ["bucket", "account", "region"];

/// Asks every rule about every bucket's outcomes, the defaults filled in.
pub(super) fn outcomes(buckets: &[BucketTable], defaults: &Defaults, found: &mut Findings) {
    locks_own_their_options(&defaults.policy, &defaults.policy, found);
    for bucket in buckets {
        if let Some(Outcome::Wanted(own)) = &bucket.archive {
            let archive = own.or(&defaults.archive);
            an_archive_has_a_place(&archive, bucket, found);
            a_deleted_bucket_is_not_filtered(&archive, found);
        }
        if let Some(Outcome::Wanted(own)) = &bucket.policy {
            let policy = own.or(&defaults.policy);
            a_policy_has_a_source(&policy, bucket, found);
            locks_own_their_options(&policy, own, found);
        }
    }
}

fn an_archive_has_a_place(archive: &ArchiveTable, bucket: &BucketTable, found: &mut Findings) {
    if archive.to.is_none() && !archive.broken {
        found.push(ManifestError::NoDestination { place: bucket.header(), at: archive.at.clone() });
    }
}

/// What filters leave out would keep the bucket from going; better said before anything is moved.
fn a_deleted_bucket_is_not_filtered(archive: &ArchiveTable, found: &mut Findings) {
    let Some(then) = archive.then.as_ref().filter(|t| *t.get_ref() == AfterArchive::DeleteBucket)
    else {
        return;
    };
    if let Some(filter) = archive.include.as_ref().or(archive.exclude.as_ref()) {
        found.push(ManifestError::FilteredDeletion { at: then.span(), filter: filter.span() });
    }
}

fn a_policy_has_a_source(policy: &PolicyTable, bucket: &BucketTable, found: &mut Findings) {
    if policy.source.is_none() && !policy.broken {
        found.push(ManifestError::NoPolicySource { place: bucket.header(), at: policy.at.clone() });
    }
}

/// `lock_mode` and `replace_statements` mean nothing without `lock_to`. `own` is what the table
/// itself says; defaults of locks may lie ready for tables that lock.
fn locks_own_their_options(policy: &PolicyTable, own: &PolicyTable, found: &mut Findings) {
    match &policy.source {
        Some(source) if !matches!(source.get_ref(), Source::Lock(_)) => {}
        _ => return,
    }
    let options = [
        ("lock_mode", own.lock_mode.as_ref().map(Spanned::span)),
        ("replace_statements", own.replace_statements.as_ref().map(Spanned::span)),
    ];
    for (key, at) in options {
        if let Some(at) = at {
            found.push(ManifestError::NeedsLock { key, at });
        }
    }
}

/// A path on this machine with placeholders: `to` and `file`.
pub(super) fn place(key: &'static str, path: &Spanned<String>, found: &mut Findings) {
    let (text, at) = (path.get_ref(), path.span());
    if text.trim().is_empty() {
        found.bad(key, "is empty", "write a path, such as \"/mnt/nas/{bucket}\"", at);
        return;
    }
    if text.contains(char::is_control) {
        found.bad(key, "has control characters in it", "write a path without them", at.clone());
    }
    if text.contains("://") {
        found.bad(key, "is not a path on this machine", "write a folder or file", at.clone());
    }
    if text.starts_with('~') && text != "~" && !text.starts_with("~/") {
        let help = "write another user's home folder as a full path";
        found.bad(key, "begins with `~` and a name", help, at.clone());
    }
    placeholders(key, text, &at, found);
}

fn placeholders(key: &'static str, text: &str, at: &Span, found: &mut Findings) {
    let mut rest = text;
    while let Some(brace) = rest.find(['{', '}']) {
        let inside = rest[brace..].strip_prefix('{').and_then(|tail| tail.split_once('}'));
        let Some((name, tail)) = inside else {
            let help = "braces are for `{bucket}`, `{account}`, `{region}`";
            found.bad(key, "has a brace without its other half", help, at.clone());
            return;
        };
        if !PLACEHOLDERS.contains(&name) {
            found.push(ManifestError::UnknownPlaceholder { name: name.to_owned(), at: at.clone() });
        }
        rest = tail;
    }
}

/// Reads whom a bucket is locked to.
///
/// # Errors
/// What is wrong, as a phrase. Whether such an identity exists only IAM can tell.
///
/// Source: IAM User Guide, "IAM identifiers" (ARNs) and "IAM and STS quotas" (names: up to 64
/// letters, digits and `+=,.@_-`).
pub fn identity(text: &str) -> Result<LockTo, &'static str> {
    if text == "me" {
        return Ok(LockTo::Me);
    }
    if text.starts_with("arn:") {
        return arn(text).map(|()| LockTo::Arn(text.to_owned()));
    }
    if text.is_empty() {
        return Err("the name is empty");
    }
    if text.len() > 64 {
        return Err("an IAM user's name has at most 64 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b)) {
        return Err("an IAM user's name has only letters, digits and `+=,.@_-`");
    }
    Ok(LockTo::User(text.to_owned()))
}

fn arn(text: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = parts.as_slice() else {
        return Err("an ARN has six parts with `:` between them");
    };
    if !(*partition == "aws" || partition.starts_with("aws-")) {
        return Err("its partition is not `aws`, `aws-cn`, `aws-us-gov` or the like");
    }
    if !matches!(*service, "iam" | "sts") {
        return Err("it is not an ARN of IAM or STS");
    }
    if !region.is_empty() {
        return Err("an ARN of IAM or STS has no region");
    }
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return Err("its account is not twelve digits");
    }
    if resource.contains(['*', '?']) {
        return Err("a pattern would let in whoever matches it; name each identity");
    }
    if !resource.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("it has characters that no ARN has");
    }
    let named = ["user/", "role/", "assumed-role/", "federated-user/"].iter().any(|kind| {
        resource.strip_prefix(kind).is_some_and(|n| !n.is_empty() && !n.ends_with('/'))
    });
    if named || *resource == "root" {
        Ok(())
    } else {
        Err("it names no user, role, session or root")
    }
}
