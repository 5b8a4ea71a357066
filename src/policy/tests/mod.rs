//! The room as a whole: locks, published examples, properties, a second opinion.

mod examples;
mod locks;
mod meaning;
mod second_opinion;
mod strategies;

use super::{Ask, Context, Document, Says, Who, evaluate};
use crate::model::{AccountId, Caller, Identity};

pub(super) const ACCOUNT: &str = "123456789012";

pub(super) fn account() -> AccountId {
    AccountId::new(ACCOUNT).expect("twelve digits")
}

pub(super) fn alice() -> Who {
    Who::identity(&alice_as_identity())
}

pub(super) fn alice_as_identity() -> Identity {
    Identity::User {
        arn: format!("arn:aws:iam::{ACCOUNT}:user/team/alice"),
        user_id: Some("AIDAALICEALICEALICE00".into()),
    }
}

pub(super) fn bob() -> Caller {
    Caller {
        account: account(),
        arn: format!("arn:aws:iam::{ACCOUNT}:user/bob"),
        user_id: "AIDABOBBOBBOBBOBBOB00".into(),
    }
}

pub(super) fn admin() -> Caller {
    Caller {
        account: account(),
        arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/Admin/me@example.com"),
        user_id: "AROAADMINADMINADMIN00:me@example.com".into(),
    }
}

/// What a policy says of a request, with nothing known but who asks.
pub(super) fn says(policy: &str, who: &Who, action: &str, resource: &str) -> Says {
    says_with(policy, who, action, resource, Context::of(who, &account(), "aws"))
}

/// The same, with more that is known.
pub(super) fn says_with(
    policy: &str,
    who: &Who,
    action: &str,
    resource: &str,
    context: Context,
) -> Says {
    let policy = Document::parse(policy).unwrap_or_else(|error| panic!("{error}: {policy}"));
    let (account, context) = (&account(), &context);
    evaluate(&policy, &Ask { who, action, resource, account, context }).says()
}
