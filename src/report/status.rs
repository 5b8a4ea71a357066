//! Where every bucket stands, as a table.

use jiff::Timestamp;

use crate::model::{BucketPhase, BucketStatus, StatusDoc, Wait};

use super::Table;
use super::evidence::proofs_told;
use super::text::{bytes, grouped, shown, until};

/// The status in words, with line ends. `width` is the terminal's; `None` for a pipe.
pub fn status(document: &StatusDoc, now: Timestamp, width: Option<u16>) -> String {
    let mut text = match (&document.account, &document.run) {
        (None, _) => return "No plan has been made here yet: run `s3plan plan`.\n".into(),
        (Some(account), None) => format!("Account {account}, nothing applied yet\n"),
        (Some(account), Some(run)) => {
            let run = run.get(..16).unwrap_or(run);
            let running = if document.running { ", running now" } else { "" };
            format!("Account {account}, run {}{running}\n", shown(run))
        }
    };
    if document.buckets.is_empty() {
        return text;
    }
    let headings =
        ["Bucket", "Phase", "Objects", "Size", "Downloaded", "Verified", "Deleted", "Waits for"];
    let mut table = Table::new(&headings).numbers(&[2, 3, 4, 5, 6]);
    for bucket in &document.buckets {
        table.row([
            bucket.bucket.as_str().to_owned(),
            phase(bucket).to_owned(),
            grouped(bucket.objects),
            bytes(bucket.bytes),
            grouped(bucket.downloaded_objects),
            grouped(bucket.verified_objects),
            grouped(bucket.deleted_objects),
            waits(bucket, now),
        ]);
    }
    text.push('\n');
    text.push_str(&table.text(width));
    let after: Vec<String> = document.buckets.iter().flat_map(afterwords).collect();
    if !after.is_empty() {
        text.push('\n');
        text.push_str(&after.concat());
    }
    text
}

/// What is worth a line of its own below the table.
fn afterwords(bucket: &BucketStatus) -> Vec<String> {
    let name = &bucket.bucket;
    let mut lines = Vec::new();
    if let Some(detail) = &bucket.detail {
        lines.push(format!("{name}: {}\n", shown(detail)));
    }
    if bucket.failed_objects > 0 {
        let failed = grouped(bucket.failed_objects);
        lines.push(format!("{name}: {failed} could not be brought home and stay in S3\n"));
    }
    if let (Some(evidence), Some(Wait::Approval)) = (&bucket.evidence, bucket.waiting_for) {
        if !bucket.proofs.is_empty() {
            lines.push(format!("{name}: proven{}\n", proofs_told(&bucket.proofs)));
        }
        lines.push(format!("{name}: s3plan approve {name}@{evidence}\n"));
    }
    lines
}

fn waits(bucket: &BucketStatus, now: Timestamp) -> String {
    let on = match bucket.waiting_for {
        None => return String::new(),
        Some(Wait::Thaw) => "thaw",
        Some(Wait::Approval) => "approval",
        Some(Wait::Login) => "login",
    };
    match bucket.until {
        Some(at) => format!("{on}, look again {}", until(at, now)),
        None => on.into(),
    }
}

fn phase(bucket: &BucketStatus) -> &'static str {
    match bucket.phase {
        BucketPhase::Planned => "planned",
        BucketPhase::Restoring => "restoring",
        BucketPhase::Downloading => "downloading",
        BucketPhase::Verifying => "verifying",
        BucketPhase::Sealed => "sealed",
        BucketPhase::AwaitingApproval => "awaiting-approval",
        BucketPhase::Deleting => "deleting",
        BucketPhase::Done => "done",
        BucketPhase::Retired => "retired",
        BucketPhase::Stale if bucket.abandoned_by.is_some() => "abandoned",
        BucketPhase::Stale => "stale",
        BucketPhase::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_table_says_what_to_do_next() {
        let now = (samples::clock())();
        insta::assert_snapshot!("wide", status(&samples::status(), now, None));
        insta::assert_snapshot!("narrow", status(&samples::status(), now, Some(60)));
    }
}
