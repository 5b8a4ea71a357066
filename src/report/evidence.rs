//! What a person sees before they say yes to a deletion.

use std::collections::BTreeMap;

use crate::model::{BucketName, Count, EvidenceId};

use super::Screen;
use super::fact::{BOLD, RED, styled};
use super::text::{bytes, counted, grouped, shown};

/// A bucket's proven set, as it is shown at its gate.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// Which bucket.
    pub bucket: &'a BucketName,
    /// What an approval names.
    pub id: &'a EvidenceId,
    /// What may be deleted: proven, durable, read back.
    pub proven: Count,
    /// How many by each kind of proof, in words.
    pub proofs: &'a BTreeMap<String, u64>,
    /// Where a guarantee is weaker than usual, one line each.
    pub caveats: &'a [String],
    /// What follows a yes, one line each.
    pub consequences: &'a [String],
}

/// Shows evidence on stderr, where the question follows.
pub fn evidence(screen: &Screen, evidence: &Evidence<'_>) {
    screen.err(&evidence_words(evidence));
}

/// The same as text, with line ends: for a question that follows right behind it.
pub fn evidence_words(evidence: &Evidence<'_>) -> String {
    let Count { objects, bytes: size } = evidence.proven;
    let bucket = shown(evidence.bucket.as_str());
    let mut lines = vec![
        String::new(),
        styled(BOLD, &format!("{bucket}: proven, and waits for a person")),
        format!("  proven    {}, {}", counted(objects, "object"), bytes(size)),
    ];
    for (proof, count) in evidence.proofs {
        lines.push(format!("            {}: {}", shown(proof), counted(*count, "object")));
    }
    lines.push(format!("  evidence  {}", evidence.id));
    for caveat in evidence.caveats {
        lines.push(styled(BOLD, &format!("  ! {}", shown(caveat))));
    }
    lines.push(styled(BOLD, "A yes means:"));
    for consequence in evidence.consequences {
        lines.push(styled(RED, &format!("  - {}", shown(consequence))));
    }
    lines.push("There is no way back but the archive.\n".into());
    lines.join("\n")
}

/// What a proven set rests on, behind "proven": ` by full CRC32 (1,200), md5-etag (4)`; empty where
/// that was not told.
pub(super) fn proofs_told(proofs: &BTreeMap<String, u64>) -> String {
    let each: Vec<String> =
        proofs.iter().map(|(proof, n)| format!("{} ({})", shown(proof), grouped(*n))).collect();
    if each.is_empty() { String::new() } else { format!(" by {}", each.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::super::screen::captured;
    use super::*;

    #[test]
    fn the_screen_at_a_gate_says_what_a_yes_means() {
        let (screen, out, err) = captured::plain();
        evidence(
            &screen,
            &Evidence {
                bucket: &BucketName::new("photos-2019"),
                id: &EvidenceId::new("0123456789abcdef").expect("16 digits"),
                proven: Count { objects: 1_204, bytes: 41 << 30 },
                proofs: &[("full CRC64NVME".to_owned(), 1_200), ("md5-etag".to_owned(), 4)].into(),
                caveats: &["readback = client: 4 files were read back through a client".into()],
                consequences: &[
                    "deletes 1,204 object versions from S3".into(),
                    "the bucket is deleted".into(),
                ],
            },
        );
        assert_eq!(out.text(), "");
        insta::assert_snapshot!(err.text());
    }
}
