//! Who may do what before a policy is set, and after.

use std::collections::BTreeSet;

use super::document::Statement;
use super::evaluate::Says;
use super::principal::{Who, services_in};
use super::realm::{Action, Reading, Realm};

/// The six actions that matter to people.
pub(super) const ACTIONS: [Action; 6] = [
    Action::bucket("s3:ListBucket"),
    Action::objects("s3:GetObject"),
    Action::objects("s3:PutObject"),
    Action::objects("s3:DeleteObject"),
    Action::bucket("s3:GetBucketPolicy"),
    Action::bucket("s3:PutBucketPolicy"),
];

/// The service that stands for all of AWS's where a policy names none.
const LOG_DELIVERY: &str = "logging.s3.amazonaws.com";

/// What one principal may do before and after, action by action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub who: String,
    /// Whether they may do what no policy of the bucket speaks of.
    pub has_own_permissions: bool,
    /// In the order of [`ACTIONS`].
    pub says: Vec<(&'static str, Says, Says)>,
}

/// What everybody who matters may do before and after. `people` are the caller and those that the
/// bucket is locked to, with what they are called.
pub(super) fn table(
    realm: &Realm<'_>,
    people: &[(String, Who)],
    before: &Reading,
    after: &Reading,
) -> Vec<Access> {
    let mut rows: Vec<(String, Who)> = people.to_vec();
    rows.push(("any other user".into(), Who::AnotherUser));
    rows.push(("the account's root".into(), Who::Root));
    let statements = [before, after].into_iter().filter_map(Reading::policy);
    let statements = statements.flat_map(|policy| &policy.statements);
    let mut services: BTreeSet<String> =
        services_in(statements.map(|statement: &Statement| &statement.principals));
    if services.is_empty() {
        services.insert(LOG_DELIVERY.into());
    }
    rows.extend(services.into_iter().map(|name| (format!("AWS's {name}"), Who::Service(name))));
    rows.push(("anonymous".into(), Who::Anonymous));
    rows.into_iter()
        .map(|(name, who)| {
            let says = ACTIONS.iter().map(|action| {
                let of = |policy| realm.verdict(policy, &who, action).says();
                (action.short(), of(before), of(after))
            });
            let says = says.collect();
            let has_own_permissions = !matches!(who, Who::Anonymous | Who::Service(_));
            Access { who: name, has_own_permissions, says }
        })
        .collect()
}
