//! `s3plan approve`: a person's yes to exactly one bucket's evidence.

use crate::apply;
use crate::model::{BucketName, BucketStatus, Count, EvidenceId, StatusDoc};
use crate::report;
use crate::state::{self, Approval, AuditEntry, AuditLog, Batch, Open, State, StateError};

use super::account::right_account;
use super::exit::{Exit, Failure};
use super::project::Project;
use super::session::Session;

/// Open a bucket's gate: approve that what was proven is deleted from S3
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    /// The bucket, and the evidence that is approved; without it the evidence is shown and asked
    /// about, on a terminal only
    #[arg(value_name = "BUCKET[@EVIDENCE]")]
    pub gate: String,
}

/// The state, or what a running apply that holds it says of itself.
enum Gatehouse {
    /// Nobody else holds the state: the approval goes straight into it.
    Open(State),
    /// An apply holds it, and takes in what is left in the box.
    Held,
}

pub async fn run(args: &ApproveArgs, session: &Session) -> Result<Exit, Failure> {
    let (bucket, named) = parse(&args.gate)?;
    let project = session.project()?;
    let (gatehouse, document) = look(&project, session)?;
    let status = document.buckets.iter().find(|status| status.bucket == bucket);
    let status = status.ok_or_else(|| {
        let message = format!("no plan here covers a bucket `{bucket}`");
        Failure::usage("cli/unknown-bucket", message).help("`s3plan status` lists them")
    })?;
    let evidence = status.evidence.clone().ok_or_else(|| {
        let message = format!("the gate of {bucket} is not open: nothing of it waits for a yes");
        Failure::new(Exit::Refused, "approve/no-gate", message)
            .help("`s3plan apply` opens it once everything is proven")
    })?;
    match named {
        Some(named) if named == evidence => {}
        Some(named) => return Err(other_evidence(&bucket, &named, &evidence)),
        None => ask(&bucket, &evidence, status, session)?,
    }
    let aws = session.aws(None).await?;
    let caller = aws.caller().await?;
    if let Some(account) = &document.account {
        right_account(&caller, account)?;
    }
    let approval = Approval {
        bucket: bucket.clone(),
        evidence: evidence.clone(),
        caller_arn: caller.arn,
        os_user: session.person(),
        at_ms: session.now().as_millisecond(),
        run: document.run.clone(),
    };
    give(&gatehouse, &project, &approval, session)?;
    session.screen().out_line(&format!("{bucket}: evidence {evidence} is approved."));
    session.say(match gatehouse {
        Gatehouse::Open(_) => "The next `s3plan apply` deletes exactly that.",
        Gatehouse::Held => "The running apply takes it in.",
    });
    Ok(Exit::Done)
}

/// Takes `BUCKET` or `BUCKET@EVIDENCE` apart. No bucket has an `@` in its name.
///
/// # Errors
/// Where what stands behind the `@` is no evidence.
pub(super) fn parse(text: &str) -> Result<(BucketName, Option<EvidenceId>), Failure> {
    let Some((bucket, evidence)) = text.split_once('@') else {
        return Ok((BucketName::new(text), None));
    };
    let id = EvidenceId::new(evidence).ok_or_else(|| {
        let message = format!("`{evidence}` is no evidence: it has 16 hex digits");
        Failure::usage("cli/bad-evidence", message).help("`s3plan status` shows it")
    })?;
    Ok((BucketName::new(bucket), Some(id)))
}

fn look(project: &Project, session: &Session) -> Result<(Gatehouse, StatusDoc), Failure> {
    match session.open_state(project, Open::Write { holder: &session.holder("approve") }) {
        Ok(state) => {
            let document = apply::status::document(&state, false)?;
            Ok((Gatehouse::Open(state), document))
        }
        Err(held @ StateError::Held { .. }) => {
            let said = state::read_status(&project.state_folder())?;
            let said = said.and_then(|said| serde_json::from_value(said).ok());
            Ok((Gatehouse::Held, said.ok_or(held)?))
        }
        Err(error) => Err(error.into()),
    }
}

fn other_evidence(bucket: &BucketName, named: &EvidenceId, evidence: &EvidenceId) -> Failure {
    let message = format!("{named} is not what was proven of {bucket}: that is {evidence}");
    Failure::new(Exit::Refused, "approve/other-evidence", message)
        .help("look at `s3plan status` and the archive again before you approve; nothing was done")
}

fn ask(
    bucket: &BucketName,
    evidence: &EvidenceId,
    status: &BucketStatus,
    session: &Session,
) -> Result<(), Failure> {
    if !session.can_ask() {
        let message = "without a terminal, an approval has to name its evidence";
        return Err(Failure::usage("cli/no-terminal", message)
            .help(format!("s3plan approve {bucket}@{evidence}")));
    }
    let consequences =
        [format!("what the plan of {bucket} deletes is deleted from S3 by the next apply")];
    report::evidence(
        session.screen(),
        &report::Evidence {
            bucket,
            id: evidence,
            proven: Count { objects: status.verified_objects, bytes: status.bytes },
            proofs: &status.proofs,
            caveats: status.detail.as_slice(),
            consequences: &consequences,
        },
    );
    let answer = session.ask(&format!("Type the bucket's name ({bucket}) to approve:"))?;
    if answer == bucket.as_str() {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, "cli/declined", "not approved: that is not the bucket's name")
        .help("nothing was done"))
}

fn give(
    gatehouse: &Gatehouse,
    project: &Project,
    approval: &Approval,
    session: &Session,
) -> Result<(), Failure> {
    let Gatehouse::Open(state) = gatehouse else {
        return Ok(state::drop_in(&project.state_folder(), approval)?);
    };
    let mut batch = Batch::new();
    batch.approval(approval.clone());
    state.commit(batch)?;
    let mut entry = AuditEntry::new(session.now(), "approve", &approval.bucket);
    entry.run.clone_from(&approval.run);
    entry.caller_arn = Some(approval.caller_arn.clone());
    entry.os_user = Some(approval.os_user.clone());
    entry.evidence = Some(approval.evidence.clone());
    Ok(AuditLog::open(&project.state_folder())?.append(&entry)?)
}
