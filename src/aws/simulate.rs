//! IAM's own policy simulator: asked where that is permitted, needed nowhere.

use std::time::Duration;

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};

use super::connect::Aws;
use super::error::About;
use crate::model::{BucketName, Caller, CallerKind};

/// An action that the simulator says a policy would deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedDenial {
    /// As IAM names it: `s3:GetBucketPolicy`.
    pub action: String,
}

impl Aws {
    /// Asks which of some actions on a bucket a policy would explicitly deny to the caller.
    ///
    /// `None`: it cannot be told. The caller is no IAM user, for whom alone the simulator knows
    /// bucket policies; may not simulate; or the server has no simulator. The simulator knows
    /// nothing of live requests, so it is told what s3plan knows of the caller.
    ///
    /// Source: IAM API Reference, SimulatePrincipalPolicy, `ResourcePolicy` and `CallerArn`.
    pub async fn simulate_denials(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        policy: &str,
        actions: &[&str],
    ) -> Option<Vec<SimulatedDenial>> {
        if caller.kind() != CallerKind::User {
            return None;
        }
        let about = About::reads("SimulatePrincipalPolicy", "simulate the policy of");
        let about = about.bucket(bucket.as_str());
        let resource = format!("arn:{}:s3:::{bucket}", caller.partition());
        let entries = [
            ("aws:userid", caller.user_id.as_str(), ContextKeyTypeEnum::String),
            ("aws:username", caller.name(), ContextKeyTypeEnum::String),
            ("aws:PrincipalArn", caller.arn.as_str(), ContextKeyTypeEnum::String),
            ("aws:PrincipalIsAWSService", "false", ContextKeyTypeEnum::Boolean),
            ("aws:SecureTransport", "true", ContextKeyTypeEnum::Boolean),
        ];
        let entries = entries.map(|(key, value, kind)| {
            let entry = ContextEntry::builder().context_key_name(key).context_key_type(kind);
            entry.context_key_values(value).build()
        });
        let asked = self.with_patience(Duration::ZERO);
        let answer = asked.ask(&about, |link| {
            link.iam
                .simulate_principal_policy()
                .policy_source_arn(&caller.arn)
                .caller_arn(&caller.arn)
                .resource_policy(policy)
                .resource_arns(&resource)
                .set_action_names(Some(actions.iter().map(|&action| action.to_owned()).collect()))
                .set_context_entries(Some(entries.to_vec()))
                .send()
        });
        let answer = answer.await.inspect_err(|error| tracing::debug!(%error, "not simulated"));
        let results = answer.ok()?.evaluation_results?;
        let denied = results
            .into_iter()
            .filter(|result| *result.eval_decision() == PolicyEvaluationDecisionType::ExplicitDeny);
        Some(denied.map(|result| SimulatedDenial { action: result.eval_action_name }).collect())
    }
}
