//! What one bucket policy says of one request: yes, no, nothing, or that it cannot be told.
//!
//! A policy is one voice among several: where it says nothing, somebody's own IAM permissions
//! decide; where it allows, an organization's or a boundary's Deny still counts. That is left to
//! AWS. Source: IAM User Guide, "Policy evaluation logic".

use super::condition;
use super::document::{Document, Effect, Named, Sense, Statement};
use super::pattern::{Pattern, Variables, Wildcards};
use super::principal::{Context, Who};
use super::truth::Truth;
use crate::model::AccountId;

/// One request.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Who asks.
    pub who: &'a Who,
    /// For what, as IAM names it: `s3:GetObject`.
    pub action: &'a str,
    /// The ARN of a bucket, or of everything in it where it ends in `/`.
    pub resource: &'a str,
    /// The account that the bucket belongs to.
    pub account: &'a AccountId,
    /// What is known of the request.
    pub context: &'a Context,
}

/// What the Deny statements and what the Allow statements come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub(super) denied: Truth,
    pub(super) allowed: Truth,
}

/// A verdict in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Says {
    /// It allows the request.
    Allows,
    /// It denies the request; nothing else can allow it then.
    Denies,
    /// It says nothing: somebody's own permissions decide, and who has none may not.
    Nothing,
    /// It depends on what is not known.
    CannotTell,
}

impl Verdict {
    /// A bucket without a policy.
    pub const SILENT: Self = Self { denied: Truth::No, allowed: Truth::No };

    /// The verdict in one word.
    pub fn says(self) -> Says {
        match (self.denied, self.allowed) {
            (Truth::Yes, _) => Says::Denies,
            (Truth::CannotTell, _) | (_, Truth::CannotTell) => Says::CannotTell,
            (Truth::No, Truth::Yes) => Says::Allows,
            (Truth::No, Truth::No) => Says::Nothing,
        }
    }

    /// Whether it denies, or may deny for all that is known.
    pub fn may_deny(self) -> bool {
        self.denied != Truth::No
    }
}

/// What a policy says of a request.
pub fn evaluate(policy: &Document, ask: &Ask<'_>) -> Verdict {
    verdict_of(policy.statements.iter(), policy.variables, ask)
}

pub(super) fn verdict_of<'a>(
    statements: impl Iterator<Item = &'a Statement>,
    variables: Variables,
    ask: &Ask<'_>,
) -> Verdict {
    let mut verdict = Verdict::SILENT;
    for statement in statements {
        let meant = ask.who.is_meant(&statement.principals, ask.account);
        let rest = || {
            covers_action(&statement.actions, ask.action)
                .and(covers_resource(&statement.resources, variables, ask))
                .and(condition::holds(&statement.conditions, variables, ask.context))
        };
        match statement.effect {
            Effect::Deny => verdict.denied = verdict.denied.or(meant.denied.and(rest())),
            Effect::Allow => verdict.allowed = verdict.allowed.or(meant.allowed.and(rest())),
        }
    }
    // The owner's root can always read, replace and delete the policy. Source: S3 API Reference,
    // GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy.
    if *ask.who == Who::Root && is_about_the_policy(ask.action) {
        verdict.denied = Truth::No;
    }
    verdict
}

fn is_about_the_policy(action: &str) -> bool {
    ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(action))
}

fn covers_action(named: &Named, action: &str) -> Truth {
    let action = action.to_ascii_lowercase();
    let is_named = named.names.iter().any(|name| Pattern::glob(name).matches(&action));
    sensed(named.sense, is_named.into())
}

fn covers_resource(named: &Named, variables: Variables, ask: &Ask<'_>) -> Truth {
    let names = named.names.iter().map(|name| {
        match Pattern::fill(name, Wildcards::Match, variables, ask.context) {
            None => Truth::CannotTell,
            Some(pattern) if ask.resource.ends_with('/') => pattern.matches_all_from(ask.resource),
            Some(pattern) => pattern.matches(ask.resource).into(),
        }
    });
    sensed(named.sense, Truth::any(names))
}

fn sensed(sense: Sense, named: Truth) -> Truth {
    match sense {
        Sense::These => named,
        Sense::AllBut => !named,
    }
}
