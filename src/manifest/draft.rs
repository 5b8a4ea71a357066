//! The manifest that `s3plan init` writes: it validates, plans, and says what else could be said.

use std::fmt::Write;

use super::words::quoted;
use crate::model::{AccountId, BucketName};

/// Writes a manifest for these buckets.
///
/// `archive_to` is a folder; without a `{bucket}` in it each bucket gets a folder below. `lock_to`
/// is whatever the manifest's `lock_to` takes, several with commas between them. With neither, the
/// buckets are archived below the manifest's folder. Nothing that a draft asks for deletes.
pub fn draft(
    account: &AccountId,
    buckets: &[BucketName],
    archive_to: Option<&str>,
    lock_to: Option<&str>,
) -> String {
    let archive_to = match (archive_to, lock_to) {
        (None, None) => Some("./archive"),
        (given, _) => given,
    };
    let mut text = format!(
        "# What shall become of these buckets. `s3plan plan` shows what that takes and changes nothing.\n\
         # `s3plan schema manifest` prints every key, for editors too.\n\
         \n\
         [account]\n\
         id = {} # plan and apply refuse any other account\n",
        quoted(account.as_str())
    );
    if archive_to.is_some() {
        text.push_str(
            "\n\
             # archive.to    where the files go; {bucket} is filled in\n\
             # archive.then  what happens in S3 once every object is proven and you have approved:\n\
             #               \"keep\" nothing, \"delete-objects\" what was archived goes,\n\
             #               \"delete-bucket\" the bucket goes too\n",
        );
    }
    if lock_to.is_some() {
        text.push_str(
            "\n\
             # policy.lock_to  who alone keeps access: \"me\", an IAM user's name, an ARN, or a list\n",
        );
    }
    if buckets.is_empty() {
        text.push_str("\n# [bucket.\"NAME\"] # one table a bucket; \"logs-*\" covers many\n");
    }
    for bucket in buckets {
        // Infallible: a String takes whatever is written.
        let _ = write!(text, "\n[bucket.{}]\n", quoted(bucket.as_str()));
        if let Some(to) = archive_to {
            let _ = writeln!(text, "archive = {{ to = {}, then = \"keep\" }}", quoted(&place(to)));
        }
        if let Some(who) = lock_to {
            let _ = writeln!(text, "policy = {{ lock_to = {} }}", identities(who));
        }
    }
    text
}

/// A folder's path with `{bucket}` in it.
fn place(to: &str) -> String {
    if to.contains("{bucket}") {
        return to.to_owned();
    }
    format!("{}/{{bucket}}", to.strip_suffix('/').unwrap_or(to))
}

fn identities(who: &str) -> String {
    let names: Vec<String> = who.split(',').map(|name| quoted(name.trim())).collect();
    match names.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}
