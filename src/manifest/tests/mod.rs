//! What the manifest promises, rule by rule.

mod hostile;
mod outcomes;
mod rules;
mod shapes;

use std::path::Path;

use super::{Account, Rejected, Resolved, Wanted, parse};
use crate::model::{AccountId, BucketName};

/// `[account]`, and the given text below it.
fn below_account(text: &str) -> String {
    format!("[account]\nid = \"123456789012\"\n{text}")
}

fn good(text: &str) -> Wanted {
    parse(&below_account(text), "manifest.toml").unwrap_or_else(|e| panic!("{text}\n{e}"))
}

fn bad(text: &str) -> Rejected {
    match parse(&below_account(text), "manifest.toml") {
        Ok(_) => panic!("accepted: {text}"),
        Err(rejected) => rejected,
    }
}

fn codes(rejected: &Rejected) -> Vec<&'static str> {
    rejected.errors().iter().map(|error| error.code()).collect()
}

fn id() -> AccountId {
    AccountId::new("123456789012").unwrap()
}

/// Resolves against buckets of eu-west-1, in the project `/p`, with the home folder `/home/a`.
fn resolve(wanted: &Wanted, buckets: &[&str]) -> Result<Resolved, Rejected> {
    let buckets: Vec<(BucketName, String)> =
        buckets.iter().map(|&b| (b.into(), "eu-west-1".to_owned())).collect();
    wanted.resolve(&Account {
        id: &id(),
        buckets: &buckets,
        retired: &|name| name.as_str() == "long-gone",
        home: Some(Path::new("/home/a")),
        project: Path::new("/p"),
    })
}
