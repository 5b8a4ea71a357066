//! What a person sees before they say yes to a deletion.

use crate::model::{AccountId, AfterArchive, BucketName, Count, EvidenceId};

use super::Screen;
use super::fact::{BOLD, RED, YELLOW, styled};
use super::text::{bytes, counted, shown};

/// A bucket's proven set, as it is shown at its gate.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// In which account.
    pub account: AccountId,
    /// Which bucket.
    pub bucket: BucketName,
    /// What an approval names.
    pub id: EvidenceId,
    /// What will be done after a yes.
    pub then: AfterArchive,
    /// Where the archive is.
    pub archive: String,
    /// What will be deleted: proven, durable, read back.
    pub proven: Count,
    /// The same by the kind of proof, in words, strongest first.
    pub proofs: Vec<(String, Count)>,
    /// How the files were read back, in words: `from the medium`, `through the client`.
    pub readback: String,
    /// What stays in S3: without proof, failed, or new since the plan.
    pub kept: Count,
    /// Unfinished uploads that will be aborted.
    pub uploads: u64,
    /// Whatever weakens the promise, one sentence each.
    pub warnings: Vec<String>,
}

/// Shows evidence on stderr, where the question follows.
pub fn evidence(screen: &Screen, evidence: &Evidence) {
    screen.err(&text(evidence));
}

fn text(evidence: &Evidence) -> String {
    let amount =
        |count: Count| format!("{}, {}", counted(count.objects, "object"), bytes(count.bytes));
    let bucket = shown(evidence.bucket.as_str());
    let mut lines = vec![
        String::new(),
        styled(BOLD, &format!("{bucket}: everything is proven and waits for a person")),
        format!("  account    {}", evidence.account),
        format!("  archive    {}", shown(&evidence.archive)),
        format!("  proven     {}", amount(evidence.proven)),
    ];
    for (proof, count) in &evidence.proofs {
        lines.push(format!("             {}: {}", shown(proof), amount(*count)));
    }
    lines.push(format!("  read back  {}", shown(&evidence.readback)));
    if !evidence.kept.is_empty() {
        lines.push(styled(YELLOW, &format!("  stays      {} in S3", amount(evidence.kept))));
    }
    lines.push(format!("  evidence   {}", evidence.id));
    for warning in &evidence.warnings {
        lines.push(styled(YELLOW, &format!("  ! {}", shown(warning))));
    }
    let uploads = match evidence.uploads {
        0 => String::new(),
        n => format!(", {} aborted", counted(n, "unfinished upload")),
    };
    let act = match evidence.then {
        AfterArchive::Keep => "Nothing will be deleted".to_owned(),
        AfterArchive::DeleteObjects => {
            format!("A yes deletes {} from S3{uploads}", counted(evidence.proven.objects, "object"))
        }
        AfterArchive::DeleteBucket => format!(
            "A yes deletes {} from S3{uploads}, and the bucket",
            counted(evidence.proven.objects, "object")
        ),
    };
    lines.push(styled(RED, &format!("{act}. There is no way back but the archive.")));
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::screen::captured;
    use super::*;

    #[test]
    fn the_screen_at_a_gate_says_what_a_yes_means() {
        let (screen, out, err) = captured::plain();
        let count = |objects, gib: u64| Count { objects, bytes: gib << 30 };
        evidence(
            &screen,
            &Evidence {
                account: AccountId::new("123456789012").expect("12 digits"),
                bucket: BucketName::new("photos-2019"),
                id: EvidenceId::new("0123456789abcdef").expect("16 digits"),
                then: AfterArchive::DeleteBucket,
                archive: "/mnt/nas/photos-2019".into(),
                proven: count(1_204, 41),
                proofs: vec![
                    ("full CRC64NVME".into(), count(1_200, 40)),
                    ("md5-etag".into(), count(4, 1)),
                ],
                readback: "from the medium".into(),
                kept: count(1, 0),
                uploads: 2,
                warnings: vec!["the server does not honour conditional deletes".into()],
            },
        );
        assert_eq!(out.text(), "");
        insta::assert_snapshot!(err.text());
    }
}
