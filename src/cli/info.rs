//! `s3plan info`: whose credentials these are, and every bucket of the account.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::aws::BucketEntry;
use crate::manifest::{Resolved, Wanted};
use crate::model::{DesiredBucket, PolicySource};
use crate::report::{Table, counted, shown};
use crate::state::Open;

use super::account::Account;
use super::exit::{Exit, Failure};
use super::session::{Format, Session};

/// Show the account, the user and every bucket; with a manifest, which outcome covers each
#[derive(Debug, clap::Args)]
pub struct InfoArgs {
    /// Manifest to hold the buckets against
    manifest: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The answer as other programs read it; a minor step of `format` only adds.
#[derive(Debug, Serialize)]
struct InfoDoc {
    format: &'static str,
    account: String,
    alias: Option<String>,
    user: String,
    arn: String,
    user_id: String,
    buckets: Vec<BucketDoc>,
}

#[derive(Debug, Serialize)]
struct BucketDoc {
    name: String,
    region: String,
    /// RFC 3339; null where the server does not say.
    created: Option<String>,
    /// What becomes of the bucket once it is archived; absent without a manifest, null where no
    /// archive is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<Option<&'static str>>,
    /// Where the policy comes from; absent and null as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Option<&'static str>>,
}

pub async fn run(args: &InfoArgs, session: &Session) -> Result<Exit, Failure> {
    let wanted = args.manifest.as_deref().map(|path| session.manifest(path)).transpose()?;
    let aws = session.aws(None).await?;
    let account = Account::look(&aws).await?;
    let alias = aws.account_alias().await;
    let (mut resolved, mut trouble) = (None, None);
    if let (Some(wanted), Some(path)) = (&wanted, &args.manifest) {
        if wanted.account != account.caller.account {
            // Only looking does no harm; plan and apply refuse it.
            session.say(&format!(
                "warning: the manifest is for account {}, and these credentials are of {}; plan \
                 and apply refuse that",
                wanted.account, account.caller.account
            ));
        } else {
            // The buckets are shown even where the manifest is at odds with them.
            match resolve(&account, wanted, path, session) {
                Ok(found) => resolved = Some(found),
                Err(failure) => trouble = Some(failure),
            }
        }
    }
    let document = document(&account, alias, resolved.as_ref());
    match Format::from_flag(args.json) {
        Format::Json => session.screen().json(&document),
        Format::Words => session.screen().out(&words(&document, session.width())),
    }
    for warning in resolved.iter().flat_map(|resolved| &resolved.warnings) {
        session.say(&format!("warning: {}", shown(warning)));
    }
    match trouble {
        Some(failure) => Err(failure),
        None => Ok(Exit::Done),
    }
}

fn resolve(
    account: &Account,
    wanted: &Wanted,
    manifest: &Path,
    session: &Session,
) -> Result<Resolved, Failure> {
    let project = session.project_of(manifest);
    let state = session.state(&project, Open::Read).ok();
    account.resolve(wanted, &project, state.as_ref(), session)
}

fn document(account: &Account, alias: Option<String>, resolved: Option<&Resolved>) -> InfoDoc {
    let covered: Option<BTreeMap<&str, &DesiredBucket>> = resolved.map(|resolved| {
        resolved.desired.buckets.iter().map(|bucket| (bucket.name.as_str(), bucket)).collect()
    });
    let bucket = |entry: &BucketEntry| {
        let outcome = covered.as_ref().map(|covered| covered.get(entry.name.as_str()));
        BucketDoc {
            name: entry.name.clone(),
            region: entry.region.clone(),
            created: entry.created_ms.and_then(created),
            archive: outcome.map(|bucket| bucket.and_then(|bucket| archive_word(bucket))),
            policy: outcome.map(|bucket| bucket.and_then(|bucket| policy_word(bucket))),
        }
    };
    InfoDoc {
        format: "1.0",
        account: account.caller.account.to_string(),
        alias,
        user: account.caller.name().to_owned(),
        arn: account.caller.arn.clone(),
        user_id: account.caller.user_id.clone(),
        buckets: account.buckets.iter().map(bucket).collect(),
    }
}

fn created(created_ms: i64) -> Option<String> {
    Timestamp::from_millisecond(created_ms).ok().map(|at| at.to_string())
}

fn archive_word(bucket: &DesiredBucket) -> Option<&'static str> {
    bucket.archive.as_ref().map(|archive| archive.then.as_str())
}

fn policy_word(bucket: &DesiredBucket) -> Option<&'static str> {
    bucket.policy.as_ref().map(|policy| match policy.source {
        PolicySource::Lock { .. } => "lock",
        PolicySource::File(_) => "file",
        PolicySource::None => "none",
    })
}

fn words(document: &InfoDoc, width: Option<u16>) -> String {
    let alias = document.alias.as_deref().map(|alias| format!(" ({})", shown(alias)));
    let mut text = format!(
        "Account  {}{}\nUser     {}\nARN      {}\n\n",
        document.account,
        alias.unwrap_or_default(),
        shown(&document.user),
        shown(&document.arn),
    );
    let with_outcome = document.buckets.iter().any(|bucket| bucket.archive.is_some());
    let mut headings = vec!["Bucket", "Region", "Created"];
    if with_outcome {
        headings.push("Outcome");
    }
    let mut table = Table::new(&headings);
    for bucket in &document.buckets {
        let day = bucket.created.as_deref().and_then(|at| at.get(..10)).unwrap_or("?");
        let mut cells = vec![bucket.name.clone(), bucket.region.clone(), day.to_owned()];
        if with_outcome {
            cells.push(outcome(bucket));
        }
        table.row(cells);
    }
    if !document.buckets.is_empty() {
        text.push_str(&table.text(width));
        text.push('\n');
    }
    text.push_str(&counted(document.buckets.len() as u64, "bucket"));
    text.push('\n');
    text
}

fn outcome(bucket: &BucketDoc) -> String {
    let archive = bucket.archive.flatten().map(|then| match then {
        "keep" => "archive".to_owned(),
        then => format!("archive, then {then}"),
    });
    let policy = bucket.policy.flatten().map(|policy| match policy {
        "lock" => "lock".to_owned(),
        "none" => "no policy".to_owned(),
        other => format!("policy from {other}"),
    });
    let parts: Vec<String> = policy.into_iter().chain(archive).collect();
    if parts.is_empty() { "-".into() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AccountId, Caller};

    fn account() -> Account {
        let bucket = |name: &str, created_ms| BucketEntry {
            name: name.into(),
            region: "eu-west-1".into(),
            created_ms,
        };
        Account {
            caller: Caller {
                account: AccountId::new("123456789012").expect("12 digits"),
                arn: "arn:aws:iam::123456789012:user/alice".into(),
                user_id: "AIDAEXAMPLE".into(),
            },
            buckets: vec![bucket("logs", None), bucket("photos-2019", Some(1_560_000_000_000))],
        }
    }

    #[test]
    fn the_json_has_the_fields_that_others_lean_on() {
        let json = serde_json::to_value(document(&account(), None, None)).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!({
                "format": "1.0", "account": "123456789012", "alias": null, "user": "alice",
                "arn": "arn:aws:iam::123456789012:user/alice", "user_id": "AIDAEXAMPLE",
                "buckets": [
                    { "name": "logs", "region": "eu-west-1", "created": null },
                    { "name": "photos-2019", "region": "eu-west-1",
                      "created": "2019-06-08T13:20:00Z" },
                ],
            })
        );
    }

    #[test]
    fn people_get_a_table() {
        insta::assert_snapshot!(words(&document(&account(), Some("acme".into()), None), None));
    }

    #[test]
    fn an_unknown_bucket_is_told_with_the_nearest_name() {
        let failure = account().knows(&["photos-2018".into()]).expect_err("unknown");
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.help.as_deref(), Some("did you mean `photos-2019`?"));
        assert!(account().knows(&["logs".into()]).is_ok());
    }
}
