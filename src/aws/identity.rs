//! Who asks: STS and IAM.

use std::time::Duration;

use super::connect::Aws;
use super::error::{About, AwsError};
use crate::model::{AccountId, Caller};

/// An IAM user as `iam:GetUser` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserIdentity {
    /// The name without its path.
    pub name: String,
    /// For example `arn:aws:iam::123456789012:user/team/alice`.
    pub arn: String,
    /// The unique id, `AIDA…`; it stays when the user is renamed.
    pub user_id: String,
    /// `/` or `/team/`.
    pub path: String,
}

/// A role as `iam:GetRole` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleIdentity {
    /// With its path, for example `arn:aws:iam::123456789012:role/team/Admin`.
    pub arn: String,
    /// The unique id, `AROA…`.
    pub role_id: String,
}

impl Aws {
    /// Asks whom the credentials belong to. The first request of every command, so it fails fast:
    /// only the SDK's own quick attempts are made.
    ///
    /// # Errors
    /// Any; no permission is needed for it, so that even a denial is worth telling.
    ///
    /// Source: STS API Reference, GetCallerIdentity.
    pub async fn caller(&self) -> Result<Caller, AwsError> {
        let about = About::reads("GetCallerIdentity", "ask whose credentials these are");
        let answer = self
            .with_patience(Duration::ZERO)
            // Outside the limit on connections: it is asked amid other requests too.
            .ask_holding_slot(&about, |link| link.sts.get_caller_identity().send())
            .await?;
        let account = answer.account().and_then(AccountId::new);
        match (account, answer.arn(), answer.user_id()) {
            (Some(account), Some(arn), Some(user_id)) => {
                Ok(Caller { account, arn: arn.to_owned(), user_id: user_id.to_owned() })
            }
            _ => Err(about.bad_answer("it names no account, ARN or user id")),
        }
    }

    /// Asks for the account's alias. `None` where it has none, or where the caller may not know:
    /// it is only ever shown.
    pub async fn account_alias(&self) -> Option<String> {
        let about = About::reads("ListAccountAliases", "ask for the account's alias");
        let asked = self.with_patience(Duration::ZERO);
        let answer = asked.ask(&about, |link| link.iam.list_account_aliases().send()).await.ok()?;
        answer.account_aliases().first().cloned()
    }

    /// Asks for an IAM user by name (without path); `None` asks for the caller's own, which fails
    /// for roles.
    ///
    /// # Errors
    /// [`super::ErrorKind::NoSuchUser`], [`super::ErrorKind::Denied`] and all others.
    ///
    /// Source: IAM API Reference, GetUser.
    pub async fn user(&self, name: Option<&str>) -> Result<UserIdentity, AwsError> {
        let about = About::reads("GetUser", "look up the IAM user");
        let answer = self
            .ask(&about, |link| link.iam.get_user().set_user_name(name.map(str::to_owned)).send())
            .await?;
        let user = answer.user().ok_or_else(|| about.bad_answer("it holds no user"))?;
        Ok(UserIdentity {
            name: user.user_name().to_owned(),
            arn: user.arn().to_owned(),
            user_id: user.user_id().to_owned(),
            path: user.path().to_owned(),
        })
    }

    /// Asks for a role by name (without path).
    ///
    /// # Errors
    /// [`super::ErrorKind::NoSuchUser`], [`super::ErrorKind::Denied`] and all others.
    ///
    /// Source: IAM API Reference, GetRole.
    pub async fn role(&self, name: &str) -> Result<RoleIdentity, AwsError> {
        let about = About::reads("GetRole", "look up the role");
        let answer = self.ask(&about, |link| link.iam.get_role().role_name(name).send()).await?;
        let role = answer.role().ok_or_else(|| about.bad_answer("it holds no role"))?;
        Ok(RoleIdentity { arn: role.arn().to_owned(), role_id: role.role_id().to_owned() })
    }
}
