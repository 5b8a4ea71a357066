//! Who asks AWS, and where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name::AccountId;

/// The identity behind the credentials, as `sts:GetCallerIdentity` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The account the credentials belong to.
    pub account: AccountId,
    /// For example `arn:aws:iam::123456789012:user/alice`.
    pub arn: String,
    /// The unique id: `AIDA…` for a user, `AROA…:session` for a role, the account id for the root.
    pub user_id: String,
}

/// What kind of identity an ARN names. Source: IAM User Guide, policy variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// An IAM user.
    User,
    /// A role's session, single sign-on included.
    AssumedRole,
    /// A federated session.
    Federated,
    /// The account's root.
    Root,
    /// Anything else.
    Other,
}

impl Caller {
    /// What kind of identity this is, from its ARN.
    pub fn kind(&self) -> CallerKind {
        match self.arn.splitn(6, ':').nth(5) {
            Some("root") => CallerKind::Root,
            Some(rest) if rest.starts_with("user/") => CallerKind::User,
            Some(rest) if rest.starts_with("assumed-role/") => CallerKind::AssumedRole,
            Some(rest) if rest.starts_with("federated-user/") => CallerKind::Federated,
            _ => CallerKind::Other,
        }
    }

    /// The name people know it by: the user's, the role's, `root`; the ARN where it has none.
    pub fn name(&self) -> &str {
        match self.kind() {
            CallerKind::User | CallerKind::Federated => {
                self.arn.rsplit('/').next().unwrap_or(&self.arn)
            }
            CallerKind::AssumedRole => self.arn.split('/').nth(1).unwrap_or(&self.arn),
            CallerKind::Root => "root",
            CallerKind::Other => &self.arn,
        }
    }

    /// The partition in the ARN: `aws`, `aws-cn`, `aws-us-gov`, …
    pub fn partition(&self) -> &str {
        self.arn.split(':').nth(1).filter(|p| !p.is_empty()).unwrap_or("aws")
    }
}

/// Which service answers: plans are bound to it, addresses and ports are not written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    /// AWS itself.
    Aws,
    /// A custom endpoint: another server that speaks S3.
    Custom,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_what_kind_of_caller_it_is() {
        let of = |arn: &str| Caller {
            account: AccountId::new("123456789012").expect("twelve digits"),
            arn: arn.into(),
            user_id: String::new(),
        };
        let user = of("arn:aws:iam::123456789012:user/team/alice");
        assert_eq!((user.kind(), user.name()), (CallerKind::User, "alice"));
        let role = of("arn:aws-cn:sts::123456789012:assumed-role/Admin/session-1");
        assert_eq!((role.kind(), role.name()), (CallerKind::AssumedRole, "Admin"));
        assert_eq!(role.partition(), "aws-cn");
        assert_eq!(of("arn:aws:iam::123456789012:root").kind(), CallerKind::Root);
    }
}
