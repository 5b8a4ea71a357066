//! `set-policy`: replaces or removes the bucket's policy, and sees to it that the caller still gets
//! in.
//!
//! There is no condition on PutBucketPolicy (S3 API Reference: it takes no `If-Match`), so the live
//! policy is read again right before; somebody who replaces it in that moment is overwritten, and
//! their text is not kept. What is read is kept first, in the state and as a file, then the intent
//! is recorded, then the policy is put, read back and compared, and the caller's own access tried.
//! Where that is gone the old policy goes back at once, if S3 still lets us.
//!
//! No canary is put first, a policy whose Deny meets one unused key only: it would be two more
//! replacements of a policy that cannot be replaced conditionally, and no plan shows them. What it
//! would show, the caller's own way in, is evaluated before, simulated by AWS for users, and tried
//! after.

use std::time::Duration;

use serde_json::json;

use crate::apply::end::{End, Trouble};
use crate::apply::work::{Work, blocking};
use crate::aws::{AwsError, ErrorKind, Listing};
use crate::model::{Action, Caller};
use crate::policy::{Document, Realm, Who, fingerprint, is_public, is_same, shut_out, takes_away};
use crate::state::{Batch, Intent, IntentKind, Subject};

/// How long a new policy may take until it shows and holds everywhere, and a new user until S3
/// knows them. Source: S3 User Guide and IAM User Guide, "eventually consistent": seconds.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// Whether the caller keeps access under the new policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Kept,
    /// The manifest accepts that it goes.
    GivenUp,
}

/// What must work after the put, because it worked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    /// Reading the policy, looking at the bucket, listing it.
    All,
    /// Reading the policy; listing did not work before either.
    PolicyOnly,
}

/// A policy that was put or is about to be.
struct Put<'a> {
    work: &'a Work,
    action: &'a Action,
    /// What it replaces.
    old: Option<String>,
    /// The intent that is open until it is seen to hold.
    intent: u64,
    tried: Tried,
}

pub(super) async fn run(work: &Work, action: &Action) -> Result<End, Trouble> {
    let new = action.policy.as_deref();
    let ours = blocking(|| work.state.open_intents(work.name()))?
        .into_iter()
        .find(|intent| intent.kind == IntentKind::SetPolicy && intent.action == action.id);
    let caller = work.aws.caller().await?;
    let live = match work.door.policy().await {
        Ok(live) => live,
        Err(error) => match ours {
            Some(intent) if is_denied(&error) => {
                return after_a_lock_out(work, action, &intent).await;
            }
            _ => return Err(error.into()),
        },
    };
    let access = match access_after(work, action, &caller, live.as_deref()) {
        Ok(access) => access,
        Err(why) => return Ok(End::Refused(why)),
    };
    if is_same(live.as_deref(), new) {
        return match (&ours, access) {
            // A put of ours whose answer was lost, or after which we were killed.
            (Some(intent), Access::Kept) => {
                let old = kept_last(work)?;
                let put = Put { work, action, old, intent: intent.id, tried: tried_in(intent) };
                put.see_that_it_holds().await
            }
            (ours, _) => close(work, ours.as_ref().map(|intent| intent.id)),
        };
    }
    if access == Access::Kept
        && let Some(why) = foreseen_loss(work, action, &caller).await
    {
        return Ok(End::Refused(why));
    }
    if fingerprint(live.as_deref()) != action.policy_before {
        return Ok(End::Stale(
            "its policy is neither what it was when the plan was made nor what it shall be".into(),
        ));
    }
    // Tried before, so that what never worked is not taken for a loss.
    let tried = if can_list(work).await? { Tried::All } else { Tried::PolicyOnly };
    keep(work, live.as_deref())?;
    let intent = match &ours {
        Some(intent) => intent.id,
        None => record_intent(work, action, tried)?,
    };
    work.unless_stopped()?;
    let put = Put { work, action, old: live, intent, tried };
    put.put_patiently().await?;
    match access {
        Access::Kept => put.see_that_it_holds().await,
        Access::GivenUp => put.let_go().await,
    }
}

/// The guard of the plan once more, for whoever applies: it may be somebody else.
fn access_after(
    work: &Work,
    action: &Action,
    caller: &Caller,
    live: Option<&str>,
) -> Result<Access, String> {
    let realm = Realm {
        bucket: work.name().as_str(),
        account: &work.plan.body.account,
        partition: caller.partition(),
    };
    let (who, new) = (Who::caller(caller), action.policy.as_deref());
    if let Some(archive) = &work.bucket.archive
        && !shut_out(&realm, live, new, &who, archive.then.deletes()).is_empty()
    {
        return Err(format!(
            "the new policy would shut {} out of the bucket that is to be archived; nothing was \
             changed: apply as somebody whom it lets in",
            caller.arn
        ));
    }
    match takes_away(&realm, live, new, &who).as_slice() {
        [] => Ok(Access::Kept),
        _ if action.lose_access => Ok(Access::GivenUp),
        _ => Err(format!(
            "the new policy would take away from {} the way to read or replace it; nothing was \
             changed: apply as somebody whom it lets in, or set `lose_access = true` and plan again",
            caller.arn
        )),
    }
}

/// What AWS's own simulator foresees for whoever applies. The planner was told when the plan was
/// made.
async fn foreseen_loss(work: &Work, action: &Action, caller: &Caller) -> Option<String> {
    if caller.arn == work.plan.body.caller.arn {
        return None;
    }
    let way = work.aws.own_way_under(caller, work.name(), action.policy.as_deref()).await?;
    (!way.lost.is_empty()).then(|| {
        format!(
            "AWS's own simulator says that the new policy would take away from {} {}; nothing was \
             changed: apply as somebody whom it lets in",
            caller.arn,
            way.lost.join(", ")
        )
    })
}

/// Keeps the policy that is about to go, once.
fn keep(work: &Work, live: Option<&str>) -> Result<(), Trouble> {
    let last = blocking(|| work.state.policies(work.name()))?.pop();
    if last.is_none_or(|last| last.text.as_deref() != live) {
        let now_ms = work.clock.now().as_millisecond();
        blocking(|| work.state.keep_policy(work.name(), live.map(str::to_owned), now_ms))?;
    }
    Ok(())
}

/// The policy that our put replaced, as it was kept.
fn kept_last(work: &Work) -> Result<Option<String>, Trouble> {
    Ok(blocking(|| work.state.policies(work.name()))?.pop().and_then(|kept| kept.text))
}

fn record_intent(work: &Work, action: &Action, tried: Tried) -> Result<u64, Trouble> {
    let could_list = json!({ "could_list": tried == Tried::All });
    work.intend(action, IntentKind::SetPolicy, Subject::Payload(could_list))
}

fn tried_in(intent: &Intent) -> Tried {
    match &intent.subject {
        Subject::Payload(payload) if payload["could_list"] == json!(false) => Tried::PolicyOnly,
        _ => Tried::All,
    }
}

fn close(work: &Work, intent: Option<u64>) -> Result<End, Trouble> {
    if let Some(id) = intent {
        let mut batch = Batch::new();
        batch.outcome(id);
        blocking(|| work.state.commit(batch))?;
    }
    Ok(End::Done { objects: 0, bytes: 0 })
}

/// The live policy cannot be read, and our own put may be why: it was accepted, or it goes back.
async fn after_a_lock_out(work: &Work, action: &Action, put: &Intent) -> Result<End, Trouble> {
    if action.lose_access {
        return close(work, Some(put.id));
    }
    let old = kept_last(work)?;
    let put = Put { work, action, old, intent: put.id, tried: Tried::PolicyOnly };
    put.see_that_it_holds().await
}

/// What a look after the put found.
enum Look {
    Holds,
    Denied(&'static str),
    /// The live policy is another one.
    Other(Option<String>),
}

impl Put<'_> {
    fn new_policy(&self) -> Option<&str> {
        self.action.policy.as_deref()
    }

    /// Puts the policy. A user who was made a moment ago is not known everywhere yet, and S3 then
    /// calls the policy malformed: that is tried again for a while.
    async fn put_patiently(&self) -> Result<(), Trouble> {
        let mut waited = Duration::ZERO;
        loop {
            let answer = self.send(self.new_policy()).await?;
            let Err(error) = answer else { return Ok(()) };
            // A lost answer is a question to S3, which the look after it asks.
            if error.outcome_unknown() {
                return Ok(());
            }
            if is_denied(&error) && self.is_public() {
                return Err(Trouble::Ends(End::Refused(format!(
                    "{error}; the new policy is public, so Block Public Access of the account or of \
                     its organization may be why: pin each Allow to fixed principals, or have the \
                     block taken off; the policy is as it was"
                ))));
            }
            if !is_invalid_principal(&error) {
                return Err(error.into());
            }
            if waited >= SETTLES_WITHIN {
                return Err(Trouble::Ends(End::Failed(format!(
                    "{error}; a user or role in the new policy does not exist; the policy is \
                     as it was"
                ))));
            }
            self.work.unless_stopped()?;
            self.work.clock.sleep(PAUSE).await;
            waited += PAUSE;
        }
    }

    /// Whether Block Public Access would refuse it.
    fn is_public(&self) -> bool {
        let document = self.new_policy().and_then(|new| Document::parse(new).ok());
        document.as_ref().is_some_and(is_public)
    }

    /// Sends one request; what may have taken effect is in the audit log when this returns.
    async fn send(&self, policy: Option<&str>) -> Result<Result<(), AwsError>, Trouble> {
        let door = &self.work.door;
        let (operation, answer) = match policy {
            Some(policy) => ("PutBucketPolicy", door.put_policy(policy).await),
            None => ("DeleteBucketPolicy", door.delete_policy().await),
        };
        let request_id = match &answer {
            Ok(request_id) => request_id.clone(),
            Err(error) => error.request_id().map(str::to_owned),
        };
        if answer.as_ref().err().is_none_or(AwsError::outcome_unknown) {
            self.work.audit(self.action, operation, 1, request_id)?;
        }
        Ok(answer.map(drop))
    }

    /// Reads the policy back and tries the caller's access, for as long as S3 may take to agree
    /// with itself. Where access stays away, the old policy goes back.
    async fn see_that_it_holds(&self) -> Result<End, Trouble> {
        let mut waited = Duration::ZERO;
        loop {
            let settled = waited >= SETTLES_WITHIN;
            match self.look().await? {
                Look::Holds => return close(self.work, Some(self.intent)),
                Look::Denied(what) if settled => return self.put_back(what).await,
                Look::Other(now) if settled => return Ok(self.not_what_was_put(now.as_deref())),
                Look::Denied(_) | Look::Other(_) => {}
            }
            self.work.unless_stopped()?;
            self.work.clock.sleep(PAUSE).await;
            waited += PAUSE;
        }
    }

    async fn look(&self) -> Result<Look, Trouble> {
        match self.work.door.policy().await {
            Err(error) if is_denied(&error) => return Ok(Look::Denied("read its policy")),
            Err(error) => return Err(error.into()),
            Ok(now) if !is_same(now.as_deref(), self.new_policy()) => return Ok(Look::Other(now)),
            Ok(_) => {}
        }
        match self.tried {
            Tried::All if !can_list(self.work).await? => Ok(Look::Denied("list it")),
            Tried::All | Tried::PolicyOnly => Ok(Look::Holds),
        }
    }

    /// Undoes the put, or says who else can.
    async fn put_back(&self, lost: &str) -> Result<End, Trouble> {
        let name = self.work.name();
        match self.send(self.old.as_deref()).await? {
            Ok(()) => {
                close(self.work, Some(self.intent))?;
                Ok(End::Refused(format!(
                    "under the new policy you could not {lost} any more, although nothing in \
                     the policy says so (a permissions boundary or an organization's policy may); \
                     the old one was put back"
                )))
            }
            Err(error) => Ok(End::Failed(format!(
                "under the new policy you can not {lost} any more, and the old one could \
                 not be put back: {error}. {}",
                way_out(self.work, name.as_str())
            ))),
        }
    }

    fn not_what_was_put(&self, now: Option<&str>) -> End {
        if is_same(now, self.old.as_deref()) {
            return End::Failed(
                "S3 still shows the old policy, so the request was lost: run the same command again"
                    .into(),
            );
        }
        End::Stale(
            "its policy is another one than was put: somebody replaced it at the same time".into(),
        )
    }

    /// The end where losing access was accepted: whatever can still be seen must be right.
    async fn let_go(&self) -> Result<End, Trouble> {
        match self.work.door.policy().await {
            Ok(now) if !is_same(now.as_deref(), self.new_policy()) => {
                return Ok(self.not_what_was_put(now.as_deref()));
            }
            Err(error) if !is_denied(&error) => return Err(error.into()),
            _ => {}
        }
        let name = self.work.name();
        self.work.recorder.note(&format!(
            "{name}: locked, and you gave up your own access. {}",
            way_out(self.work, name.as_str())
        ));
        close(self.work, Some(self.intent))
    }
}

/// How a policy comes off that keeps everybody out. Sources: S3 API Reference, DeleteBucketPolicy
/// (the root); IAM User Guide, "Perform a privileged task on a member account" (the task policy).
fn way_out(work: &Work, bucket: &str) -> String {
    format!(
        "The account's root can always remove it: `aws s3api delete-bucket-policy --bucket \
         {bucket}`. Where the root has no credentials, the organization's management account can: \
         `aws sts assume-root --target-principal {} --task-policy-arn \
         arn=arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy`. The old policy is kept under \
         .s3plan/policies/",
        work.plan.body.account
    )
}

/// Whether the caller may look at the bucket and list it.
async fn can_list(work: &Work) -> Result<bool, Trouble> {
    for answer in [work.door.look().await, list_a_page(work).await] {
        match answer {
            Ok(()) => {}
            Err(error) if is_denied(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

async fn list_a_page(work: &Work) -> Result<(), AwsError> {
    work.door.list(Listing::Current, None).next().await.map(drop)
}

fn is_denied(error: &AwsError) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::OtherOwner)
}

/// Source: AWS re:Post, "Invalid principal in policy" (`MalformedPolicy`, 400).
fn is_invalid_principal(error: &AwsError) -> bool {
    error.code() == Some("MalformedPolicy") && error.message().contains("nvalid principal")
}
