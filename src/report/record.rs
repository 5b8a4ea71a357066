//! The record of a run, as Markdown for the file beside the JSON.

use std::fmt::Write as _;

use crate::model::{BucketRecord, Ending, Record, grouped};

use super::text::{bytes, moment, shown};

/// Tells the record of a run.
pub fn record_markdown(record: &Record) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = tell(record, &mut text);
    text
}

fn tell(record: &Record, text: &mut String) -> std::fmt::Result {
    let run = record.run.get(..16).unwrap_or(&record.run);
    writeln!(text, "# s3plan run `{run}`\n")?;
    writeln!(text, "Account {}, planned from `{}`.", record.account, plain(&record.manifest))?;
    if let (Some(from), Some(to)) = (record.started_at, record.last_at) {
        writeln!(text, "Begun {}, last entry {}.", moment(from), moment(to))?;
    }
    for (who, times) in &record.processes {
        writeln!(text, "Taken up {} by `{}`.", times_of(*times), plain(who))?;
    }
    writeln!(text, "\n## Planned and done\n")?;
    writeln!(text, "| what | planned | done |\n|---|---|---|")?;
    for total in &record.totals {
        writeln!(
            text,
            "| {} | {} | {} |",
            total.kind,
            amount(total.planned_objects, total.planned_bytes),
            amount(total.done_objects, total.done_bytes)
        )?;
    }
    let most = match record.cost_at_most > record.cost {
        true => format!(", up to {} with early-deletion fees", record.cost_at_most),
        false => String::new(),
    };
    writeln!(text, "\nEstimated cost: {}{most}. AWS's bill has the last word.", record.cost)?;
    if !record.requests.is_empty() {
        let each = record.requests.iter();
        let each: Vec<String> =
            each.map(|(operation, count)| format!("{operation} {}", grouped(*count))).collect();
        writeln!(text, "Requests sent, retries included: {}.", each.join(", "))?;
    }
    for bucket in &record.buckets {
        tell_bucket(bucket, text)?;
    }
    if !record.unreadable_lines.is_empty() {
        let lines: Vec<String> = record.unreadable_lines.iter().map(usize::to_string).collect();
        writeln!(text, "\nLines of the audit log that cannot be read: {}.", lines.join(", "))?;
    }
    Ok(())
}

fn tell_bucket(bucket: &BucketRecord, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n## {}: {}\n", bucket.bucket, words(bucket.ending))?;
    if let Some(detail) = &bucket.detail {
        writeln!(text, "{}\n", plain(detail))?;
    }
    if let Some(archive) = &bucket.archive {
        writeln!(text, "Archive: `{}`", plain(archive))?;
    }
    if let Some(evidence) = &bucket.evidence {
        writeln!(text, "Evidence: `{evidence}`")?;
    }
    for yes in &bucket.approvals {
        let who = [&yes.os_user, &yes.caller_arn];
        let who: Vec<String> = who.into_iter().flatten().map(|who| plain(who)).collect();
        let who = who.join(", ");
        writeln!(text, "Approved {} by {who}: `{}`", moment(yes.at), yes.evidence)?;
    }
    writeln!(text, "\n| action | done | objects | in AWS | request ids |\n|---|---|---|---|---|")?;
    for action in &bucket.actions {
        let name = action.id.as_str().rsplit('/').next().unwrap_or_default();
        let done = match (&action.done_at, &action.failed) {
            (Some(at), _) => moment(*at),
            (None, Some(why)) => format!("failed: {}", plain(why)),
            (None, None) => "not yet".into(),
        };
        let mutations: Vec<String> = action
            .mutations
            .iter()
            .map(|(operation, count)| format!("{operation} {}", grouped(*count)))
            .collect();
        let mut ids: Vec<String> =
            action.request_ids.iter().map(|id| format!("`{}`", plain(id))).collect();
        if action.more_request_ids > 0 {
            ids.push(format!("{} more in audit.jsonl", grouped(action.more_request_ids)));
        }
        writeln!(
            text,
            "| {name} | {done} | {} | {} | {} |",
            amount(action.objects, action.bytes),
            mutations.join(", "),
            ids.join(" ")
        )?;
    }
    if !bucket.named.is_empty() {
        writeln!(text, "\nLeft alone, or not brought home:\n")?;
        for line in &bucket.named {
            writeln!(text, "- {}", plain(line))?;
        }
        if bucket.more_named > 0 {
            writeln!(text, "- and {} more, in audit.jsonl", grouped(bucket.more_named))?;
        }
    }
    Ok(())
}

fn words(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Pending => "not begun",
        Ending::Stopped => "stopped on the way",
        Ending::Waiting => "waits",
        Ending::Failed => "failed",
        Ending::Stale => "stale, left alone",
        Ending::Abandoned => "abandoned",
    }
}

fn amount(objects: u64, size: u64) -> String {
    match (objects, size) {
        (0, 0) => String::new(),
        (n, 0) => grouped(n),
        (n, size) => format!("{}, {}", grouped(n), bytes(size)),
    }
}

fn times_of(times: u64) -> String {
    match times {
        1 => "once".into(),
        n => format!("{} times", grouped(n)),
    }
}

/// Text that breaks no table and no code span.
fn plain(text: &str) -> String {
    shown(text).replace('|', "\\|").replace('`', "'")
}
