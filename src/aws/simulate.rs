//! IAM's own policy simulator: asked where that is permitted, needed nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};

use super::connect::Aws;
use super::error::About;
use crate::model::{BucketName, Caller, CallerKind};

/// Pages of one answer that are read: a simulator that has more to say goes in circles.
const PAGES: usize = 100;

/// What the simulator says of one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Simulated {
    /// It is allowed.
    Allowed,
    /// Some statement denies it.
    Denied,
    /// No statement allows it.
    NotAllowed,
    /// It depends on these condition keys of the live request, which s3plan cannot tell
    /// beforehand; none are named where the answer is one that s3plan does not know.
    CannotTell(BTreeSet<String>),
}

/// What the simulator sees of the caller's way to a bucket's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnWay {
    /// The actions that the caller would not have, as IAM names them.
    pub lost: Vec<String>,
    /// Condition keys of live requests that the rest depends on.
    pub depends_on: BTreeSet<String>,
}

/// Reading and replacing a bucket's policy.
const OWN_WAY: [&str; 2] = ["s3:GetBucketPolicy", "s3:PutBucketPolicy"];

impl Aws {
    /// Asks whether the caller could read and replace a bucket's policy under another one; without
    /// one, whether they could if it had none. `None`: as [`Aws::simulate`].
    pub async fn own_way_under(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        policy: Option<&str>,
    ) -> Option<OwnWay> {
        let resource = format!("arn:{}:s3:::{bucket}", caller.partition());
        let told = self.simulate(caller, &resource, policy, &OWN_WAY).await?;
        let mut way = OwnWay::default();
        for (action, says) in told {
            match says {
                Simulated::Allowed => {}
                Simulated::Denied | Simulated::NotAllowed => way.lost.push(action),
                Simulated::CannotTell(keys) => way.depends_on.extend(keys),
            }
        }
        Some(way)
    }

    /// Asks what the caller may do with one resource, by their IAM policies, boundary and
    /// organization, and under this policy of the bucket. By action, as IAM names them; an action
    /// without an answer is left out.
    ///
    /// `None`: nothing can be told. The caller is neither a user nor a role, or no user where a
    /// bucket's policy is given, for the simulator knows those for users alone; they may not
    /// simulate; or the server has no simulator. It knows nothing of live requests, so it is told
    /// what s3plan knows of the caller.
    ///
    /// Source: IAM API Reference, SimulatePrincipalPolicy, `ResourcePolicy` and `CallerArn`.
    pub async fn simulate(
        &self,
        caller: &Caller,
        resource: &str,
        policy: Option<&str>,
        actions: &[&str],
    ) -> Option<BTreeMap<String, Simulated>> {
        // A courtesy, which must not hold up a plan.
        let asked = self.with_patience(Duration::ZERO);
        let source = match (caller.kind(), policy) {
            (CallerKind::User, _) => caller.arn.clone(),
            (CallerKind::AssumedRole, None) => asked.role(caller.name()).await.ok()?.arn,
            _ => return None,
        };
        let about = About::reads("SimulatePrincipalPolicy", "simulate the caller's access");
        let (mut told, mut marker) = (BTreeMap::new(), None::<String>);
        for _ in 0..PAGES {
            let answer = asked.ask(&about, |link| {
                link.iam
                    .simulate_principal_policy()
                    .policy_source_arn(&source)
                    .set_caller_arn(policy.map(|_| source.clone()))
                    .set_resource_policy(policy.map(str::to_owned))
                    // One at a time: an answer is about all resources together.
                    .resource_arns(resource)
                    .set_action_names(Some(actions.iter().map(|&name| name.to_owned()).collect()))
                    .set_context_entries(Some(context_of(caller)))
                    .set_marker(marker.clone())
                    .send()
            });
            let answer = answer.await.inspect_err(|error| tracing::debug!(%error, "not simulated"));
            let answer = answer.ok()?;
            for result in answer.evaluation_results() {
                let each = result.resource_specific_results().iter();
                let missing = each.flat_map(|each| each.missing_context_values());
                let missing = result.missing_context_values().iter().chain(missing).cloned();
                let says = read(result.eval_decision(), missing.collect());
                told.insert(result.eval_action_name().to_owned(), says);
            }
            match answer.marker().filter(|_| answer.is_truncated()) {
                Some(next) if marker.as_deref() == Some(next) => return None,
                Some(next) => marker = Some(next.to_owned()),
                None if answer.is_truncated() => return None,
                None => return Some(told),
            }
        }
        None
    }
}

fn read(decision: &PolicyEvaluationDecisionType, missing: BTreeSet<String>) -> Simulated {
    match decision {
        _ if !missing.is_empty() => Simulated::CannotTell(missing),
        PolicyEvaluationDecisionType::Allowed => Simulated::Allowed,
        PolicyEvaluationDecisionType::ExplicitDeny => Simulated::Denied,
        PolicyEvaluationDecisionType::ImplicitDeny => Simulated::NotAllowed,
        _ => Simulated::CannotTell(missing),
    }
}

/// What is always so in the caller's requests.
fn context_of(caller: &Caller) -> Vec<ContextEntry> {
    let (text, truth) = (ContextKeyTypeEnum::String, ContextKeyTypeEnum::Boolean);
    let mut entries = vec![
        ("aws:PrincipalAccount", caller.account.as_str(), text.clone()),
        ("aws:PrincipalIsAWSService", "false", truth.clone()),
        ("aws:ResourceAccount", caller.account.as_str(), text.clone()),
        ("aws:SecureTransport", "true", truth),
        ("aws:userid", caller.user_id.as_str(), text.clone()),
    ];
    // A session's ARN is not the role's, by which conditions go, and it has no user name.
    if caller.kind() == CallerKind::User {
        entries.push(("aws:PrincipalArn", caller.arn.as_str(), text.clone()));
        entries.push(("aws:username", caller.name(), text));
    }
    let entry = |(key, value, kind)| {
        ContextEntry::builder()
            .context_key_name(key)
            .context_key_type(kind)
            .context_key_values(value)
            .build()
    };
    entries.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_an_unknown_key_is_no_answer() {
        let keys = || BTreeSet::from(["aws:SourceVpce".to_owned()]);
        for decision in [
            PolicyEvaluationDecisionType::Allowed,
            PolicyEvaluationDecisionType::ExplicitDeny,
            PolicyEvaluationDecisionType::ImplicitDeny,
        ] {
            assert_eq!(read(&decision, keys()), Simulated::CannotTell(keys()), "{decision}");
            assert_ne!(read(&decision, BTreeSet::new()), Simulated::CannotTell(BTreeSet::new()));
        }
        let odd = PolicyEvaluationDecisionType::from("perhaps");
        assert_eq!(read(&odd, BTreeSet::new()), Simulated::CannotTell(BTreeSet::new()));
    }
}
