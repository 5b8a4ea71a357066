//! Where a policy holds: one bucket of one account.

use super::canonical::canonical_statement;
use super::document::{Document, Effect, Statement};
use super::evaluate::{Ask, Verdict, verdict_of};
use super::principal::{Context, Who};
use super::truth::Truth;
use crate::model::AccountId;

/// One bucket of one account.
#[derive(Clone, Copy, Debug)]
pub struct Realm<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// The account that owns it.
    pub account: &'a AccountId,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: &'a str,
}

/// A bucket's policy as far as it can be read.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    Absent,
    Policy(Document),
    /// A text that is no policy as we know them: nothing of it can be told.
    Unreadable,
}

impl Reading {
    pub fn of(text: Option<&str>) -> Self {
        match text.map(Document::parse) {
            None => Self::Absent,
            Some(Ok(policy)) => Self::Policy(policy),
            Some(Err(_)) => Self::Unreadable,
        }
    }

    pub fn policy(&self) -> Option<&Document> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

impl Realm<'_> {
    /// The bucket's ARN.
    pub fn bucket_arn(&self) -> String {
        format!("arn:{}:s3:::{}", self.partition, self.bucket)
    }

    /// The beginning of the ARN of everything in the bucket.
    pub fn objects_arn(&self) -> String {
        format!("{}/", self.bucket_arn())
    }

    /// What a policy says of an action on the bucket, or on everything in it.
    pub(super) fn verdict(&self, policy: &Reading, who: &Who, action: &Action) -> Verdict {
        match policy {
            Reading::Absent => Verdict::SILENT,
            Reading::Unreadable => {
                Verdict { denied: Truth::CannotTell, allowed: Truth::CannotTell }
            }
            Reading::Policy(policy) => self.verdict_by(policy, |_| true, who, action),
        }
    }

    /// What those Deny statements of a policy say that another one does not have.
    pub(super) fn verdict_of_news(
        &self,
        policy: &Document,
        before: &Reading,
        who: &Who,
        action: &Action,
    ) -> Verdict {
        let old: Vec<_> = match before.policy() {
            // Another version may read the same text otherwise.
            Some(old) if old.variables == policy.variables => {
                old.statements.iter().map(canonical_statement).collect()
            }
            _ => Vec::new(),
        };
        let is_new = |statement: &Statement| {
            statement.effect == Effect::Deny && !old.contains(&canonical_statement(statement))
        };
        self.verdict_by(policy, is_new, who, action)
    }

    fn verdict_by(
        &self,
        policy: &Document,
        counts: impl Fn(&Statement) -> bool,
        who: &Who,
        action: &Action,
    ) -> Verdict {
        let resource = match action.on {
            On::Bucket => self.bucket_arn(),
            On::Objects => self.objects_arn(),
        };
        let context = Context::of(who, self.account, self.partition);
        let ask = Ask {
            who,
            action: action.name,
            resource: &resource,
            account: self.account,
            context: &context,
        };
        let statements = policy.statements.iter().filter(|statement| counts(statement));
        verdict_of(statements, policy.variables, &ask)
    }
}

/// An action and what it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub name: &'static str,
    pub on: On,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Bucket,
    Objects,
}

impl Action {
    pub const fn bucket(name: &'static str) -> Self {
        Self { name, on: On::Bucket }
    }

    pub const fn objects(name: &'static str) -> Self {
        Self { name, on: On::Objects }
    }

    /// Its name without the service.
    pub fn short(&self) -> &'static str {
        self.name.strip_prefix("s3:").unwrap_or(self.name)
    }
}
