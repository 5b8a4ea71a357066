//! The account as a command meets it first: who asks, which buckets there are, and what a manifest
//! wants of them.

use std::path::Path;

use crate::archive::bag;
use crate::aws::{Aws, BucketEntry};
use crate::manifest::{self, Resolved, Wanted};
use crate::model::{AccountId, BucketName, Caller};
use crate::state::State;

use super::exit::{Exit, Failure};
use super::project::Project;
use super::session::Session;

/// Who asks, and which buckets the account has.
#[derive(Clone, Debug)]
pub struct Account {
    /// The identity behind the credentials.
    pub caller: Caller,
    /// Every bucket in every region, by name.
    pub buckets: Vec<BucketEntry>,
}

impl Account {
    /// Asks for both, the identity first.
    ///
    /// # Errors
    /// Any of AWS's.
    pub async fn look(aws: &Aws) -> Result<Self, Failure> {
        let caller = aws.caller().await?;
        Ok(Self { caller, buckets: aws.buckets().await? })
    }

    /// The same, but refuses any other account before it asks for anything else.
    ///
    /// # Errors
    /// Another account than the expected one; any of AWS's.
    pub async fn look_for(aws: &Aws, expected: &AccountId) -> Result<Self, Failure> {
        let caller = aws.caller().await?;
        right_account(&caller, expected)?;
        Ok(Self { caller, buckets: aws.buckets().await? })
    }

    /// The region of one of its buckets; empty for a name that it does not have.
    pub fn region_of(&self, name: &BucketName) -> String {
        let bucket = self.buckets.iter().find(|bucket| bucket.name == name.as_str());
        bucket.map(|bucket| bucket.region.clone()).unwrap_or_default()
    }

    /// Holds a manifest against the account. `state` tells which buckets were retired before;
    /// `None` where there is none yet.
    ///
    /// # Errors
    /// Everything that the manifest gets wrong about this account, another account first.
    pub fn resolve(
        &self,
        wanted: &Wanted,
        project: &Project,
        state: Option<&State>,
        session: &Session,
    ) -> Result<Resolved, Failure> {
        let home = session.home();
        let buckets: Vec<_> = self
            .buckets
            .iter()
            .map(|bucket| (BucketName::new(bucket.name.as_str()), bucket.region.clone()))
            .collect();
        let retired =
            |bucket: &BucketName| is_retired(bucket, wanted, project, home.as_deref(), state);
        Ok(wanted.resolve(&manifest::Account {
            id: &self.caller.account,
            buckets: &buckets,
            retired: &retired,
            home: home.as_deref(),
            project: project.folder(),
        })?)
    }

    /// Whether the account has a bucket of this name.
    pub fn has(&self, name: &str) -> bool {
        self.buckets.iter().any(|bucket| bucket.name == name)
    }

    /// Refuses names that no bucket has.
    ///
    /// # Errors
    /// All of them at once, each with the nearest real name.
    pub fn knows(&self, names: &[String]) -> Result<(), Failure> {
        let unknown: Vec<&String> = names.iter().filter(|name| !self.has(name)).collect();
        let Some(first) = unknown.first() else { return Ok(()) };
        let named: Vec<String> = unknown.iter().map(|name| format!("`{name}`")).collect();
        let account = &self.caller.account;
        let message = format!("account {account} has no bucket {}", named.join(", "));
        let help = match self.nearest(first) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "`s3plan info` lists them".into(),
        };
        Err(Failure::new(Exit::Usage, "cli/unknown-bucket", message).help(help))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        let near = |other: &BucketEntry| strsim::normalized_damerau_levenshtein(name, &other.name);
        let close = self.buckets.iter().filter(|other| near(other) > 0.6);
        close.max_by(|a, b| near(a).total_cmp(&near(b))).map(|bucket| bucket.name.as_str())
    }
}

/// Refuses credentials of another account than the expected one.
///
/// # Errors
/// That they are.
pub fn right_account(caller: &Caller, expected: &AccountId) -> Result<(), Failure> {
    if caller.account == *expected {
        return Ok(());
    }
    let message = format!(
        "this is for account {expected}, and these credentials are of account {} ({})",
        caller.account, caller.arn
    );
    Err(Failure::new(Exit::Refused, "aws/other-account", message)
        .help("use the right --profile; nothing was done"))
}

/// Whether the bucket was deleted as planned: the state remembers, or its archive is whole.
fn is_retired(
    bucket: &BucketName,
    wanted: &Wanted,
    project: &Project,
    home: Option<&Path>,
    state: Option<&State>,
) -> bool {
    let remembered = || state.is_some_and(|state| state.is_retired(bucket).unwrap_or(false));
    let sealed = || {
        let place = wanted.place_of(bucket, home, project.folder());
        place.is_some_and(|to| is_sealed_archive_of(&to, &wanted.account, bucket))
    };
    remembered() || sealed()
}

fn is_sealed_archive_of(to: &Path, account: &AccountId, bucket: &BucketName) -> bool {
    let owner = bag::read_identity(to);
    let is_theirs = owner.is_some_and(|o| o.account == *account && o.bucket == *bucket);
    is_theirs && bag::is_sealed(to)
}
