//! The few answers of STS and IAM that are asked for: query protocol in, XML out.
//!
//! The access key must be known and not expired; signatures are not computed again here.
//! `SimulatePrincipalPolicy` answers from the world's table.

use http::StatusCode;
use s3s::Body;

use crate::account::{Account, Kind, User};
use crate::call::{Answer, decode_query, set_header};
use crate::fault::glob_matches;
use crate::refusal::Refusal;
use crate::xml::Xml;

/// Which of the two services a request was signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
}

impl Service {
    fn namespace(self) -> &'static str {
        match self {
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
        }
    }
}

/// The parameters of a query-protocol request.
#[derive(Debug)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form body.
    pub fn of(body: &[u8]) -> Self {
        Self(decode_query(&String::from_utf8_lossy(body)))
    }

    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The values of a list parameter, in order.
    pub fn list(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|n| self.get(&format!("{name}.member.{n}"))).collect()
    }

    /// The operation; `Unknown` when none is named.
    pub fn action(&self) -> &str {
        self.get("Action").unwrap_or("Unknown")
    }
}

/// Answers a request of a known user.
///
/// # Errors
/// The refusal of the service.
pub fn answer(
    account: &Account,
    service: Service,
    user: &User,
    form: &Form,
    request_id: &str,
) -> Result<Answer, Refusal> {
    let action = form.action();
    let iam_action = format!("{}:{action}", service.prefix());
    // No permission is needed to ask who one is, and none can be taken away.
    if action != "GetCallerIdentity"
        && user.denied.iter().any(|glob| glob_matches(glob, &iam_action))
    {
        let message = format!("User: {} is not authorized to perform: {iam_action}", user.arn);
        return Err(Refusal::new(403, "AccessDenied", message));
    }
    let mut page = Xml::document();
    page.open_root(&format!("{action}Response"), service.namespace());
    let result = format!("{action}Result");
    page.open(&result);
    match (service, action) {
        (Service::Sts, "GetCallerIdentity") => {
            page.text("Arn", &user.arn).text("UserId", &user.id).text("Account", &user.account);
        }
        (Service::Iam, "GetUser") => {
            describe(&mut page, find_user(account, user, form.get("UserName"))?, "User");
        }
        (Service::Iam, "GetRole") => {
            let (role, session) = find_role(account, user, form.get("RoleName"))?;
            page.open("Role").text("Path", "/").text("RoleName", role);
            page.text("RoleId", session.id.split(':').next().unwrap_or_default());
            page.text("Arn", &format!("arn:aws:iam::{}:role/{role}", session.account));
            page.text("CreateDate", "2020-01-01T00:00:00Z").close("Role");
        }
        (Service::Iam, "ListUsers") => {
            let prefix = form.get("PathPrefix").unwrap_or("/");
            page.open("Users");
            for known in users_of(account, user).filter(|known| known.path.starts_with(prefix)) {
                describe(&mut page, known, "member");
            }
            page.close("Users").text("IsTruncated", "false");
        }
        (Service::Iam, "ListAccountAliases") => {
            page.open("AccountAliases");
            page.maybe("member", account.alias.as_deref());
            page.close("AccountAliases").text("IsTruncated", "false");
        }
        (Service::Iam, "SimulatePrincipalPolicy") if account.simulator.is_some() => {
            simulate(&mut page, account, form)?;
        }
        _ => {
            let message = format!("Could not find operation {action}");
            return Err(Refusal::new(400, "InvalidAction", message));
        }
    }
    page.close(&result).open("ResponseMetadata").text("RequestId", request_id);
    page.close("ResponseMetadata").close(&format!("{action}Response"));
    let mut answer = http::Response::new(Body::from(page.finish()));
    set_header(&mut answer, "content-type", "text/xml");
    Ok(answer)
}

/// Puts a refusal on the wire as these services do.
pub fn refuse(service: Service, refusal: &Refusal, request_id: &str) -> Answer {
    let mut page = Xml::document();
    page.open_root("ErrorResponse", service.namespace()).open("Error");
    page.text("Type", if refusal.status < 500 { "Sender" } else { "Receiver" });
    page.text("Code", &refusal.code).text("Message", &refusal.message).close("Error");
    page.text("RequestId", request_id).close("ErrorResponse");
    let mut answer = http::Response::new(Body::from(page.finish()));
    *answer.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or_default();
    set_header(&mut answer, "content-type", "text/xml");
    answer
}

/// Answers from the world's table, one result an action, a page at a time.
///
/// Source: IAM API Reference, SimulatePrincipalPolicy: a resource policy needs a `CallerArn`, which
/// only a user can be; missing context stands with the single resources where some were named.
fn simulate(page: &mut Xml, account: &Account, form: &Form) -> Result<(), Refusal> {
    let Some(simulator) = &account.simulator else { return Ok(()) };
    let invalid = |message: &'static str| Refusal::new(400, "InvalidInput", message);
    let source = form.get("PolicySourceArn").unwrap_or_default();
    let role = source.split(":role/").nth(1).and_then(|path| path.rsplit('/').next());
    let exists = account.users.iter().any(|known| match role {
        Some(role) => known.kind == Kind::Role && known.arn.split('/').nth(1) == Some(role),
        None => known.kind == Kind::User && known.arn == source,
    });
    if !exists {
        return Err(Refusal::new(404, "NoSuchEntity", "The specified entity does not exist."));
    }
    if let Some(policy) = form.get("ResourcePolicy") {
        let caller = form.get("CallerArn").unwrap_or_default();
        if !caller.contains(":user/") {
            return Err(invalid("CallerArn must be the ARN of an IAM user."));
        }
        if serde_json::from_str::<serde_json::Value>(policy).is_err() {
            return Err(invalid("Invalid resource policy."));
        }
    }
    let actions = form.list("ActionNames");
    let from: usize = form.get("Marker").and_then(|marker| marker.parse().ok()).unwrap_or(0);
    let to = from.saturating_add(simulator.page.unwrap_or(usize::MAX)).min(actions.len());
    let resources = form.list("ResourceArns");
    page.open("EvaluationResults");
    for action in actions.get(from..to).unwrap_or_default() {
        let told = simulator.answers.iter().find(|row| {
            row.actions.iter().any(|glob| glob_matches(glob, action))
                && row.source.as_ref().is_none_or(|glob| glob_matches(glob, source))
                && row.resource.as_ref().is_none_or(|glob| {
                    resources.iter().any(|resource| glob_matches(glob, resource))
                })
        });
        let decision = told.map_or("allowed", |row| row.decision.as_str());
        page.open("member").text("EvalActionName", action).text("EvalResourceName", "*");
        page.text("EvalDecision", decision).open("ResourceSpecificResults");
        for resource in &resources {
            page.open("member").text("EvalResourceName", resource);
            page.text("EvalResourceDecision", decision).open("MissingContextValues");
            for key in told.map(|row| row.missing.as_slice()).unwrap_or_default() {
                page.text("member", key);
            }
            page.close("MissingContextValues").close("member");
        }
        page.close("ResourceSpecificResults").close("member");
    }
    page.close("EvaluationResults").show("IsTruncated", to < actions.len());
    if to < actions.len() {
        page.show("Marker", to);
    }
    Ok(())
}

fn users_of<'a>(account: &'a Account, asker: &'a User) -> impl Iterator<Item = &'a User> {
    account.users.iter().filter(|known| known.kind == Kind::User && known.account == asker.account)
}

fn find_user<'a>(
    account: &'a Account,
    asker: &'a User,
    name: Option<&str>,
) -> Result<&'a User, Refusal> {
    match name {
        None if asker.kind != Kind::User => Err(Refusal::new(
            400,
            "ValidationError",
            "Must specify userName when calling with non-User credentials",
        )),
        None => Ok(asker),
        Some(name) => {
            users_of(account, asker).find(|known| *known.name == *name).ok_or_else(|| {
                let message = format!("The user with name {name} cannot be found.");
                Refusal::new(404, "NoSuchEntity", message)
            })
        }
    }
}

/// A role, by a session of it: the world knows no others.
fn find_role<'a>(
    account: &'a Account,
    asker: &User,
    name: Option<&'a str>,
) -> Result<(&'a str, &'a User), Refusal> {
    let name = name.unwrap_or_default();
    let session = account.users.iter().find(|known| {
        known.kind == Kind::Role
            && known.account == asker.account
            && known.arn.split('/').nth(1) == Some(name)
    });
    session.map(|session| (name, session)).ok_or_else(|| {
        let message = format!("The role with name {name} cannot be found.");
        Refusal::new(404, "NoSuchEntity", message)
    })
}

fn describe(page: &mut Xml, user: &User, element: &str) {
    page.open(element).text("Path", &user.path).text("UserName", &user.name);
    page.text("UserId", &user.id).text("Arn", &user.arn);
    page.text("CreateDate", "2020-01-01T00:00:00Z").close(element);
}
