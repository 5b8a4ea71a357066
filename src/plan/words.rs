//! A plan in words: the screen that `plan` prints, and the comment that reviewers read.

use std::fmt::Write as _;

use bytesize::ByteSize;

use crate::model::{
    Action, ActionKind, AfterArchive, Count, Endpoint, SeenBucket, Tally, UnconditionalDeletes,
    Unprovable, Usd,
};

use super::{Body, PlannedArchive, PlannedBucket, estimate};

/// Tells a plan. `seen` is what was observed, in the order of the plan's buckets.
pub fn tell(body: &Body, seen: &[SeenBucket]) -> String {
    let mut text = String::new();
    let endpoint = match body.endpoint {
        Endpoint::Aws => "",
        Endpoint::Custom => ", on a custom endpoint (not AWS)",
    };
    line(&mut text, format_args!("Account {} as {}{endpoint}", body.account, body.caller.arn));
    for (bucket, seen) in body.buckets.iter().zip(seen) {
        line(&mut text, format_args!(""));
        tell_bucket(&mut text, body, bucket, seen);
    }
    line(&mut text, format_args!(""));
    line(&mut text, format_args!("{}", summary(body)));
    text
}

/// The last line: what it adds up to.
fn summary(body: &Body) -> String {
    if body.actions.is_empty() {
        return "Plan: nothing to do. What is wanted is what is.".into();
    }
    let sum = |kind: ActionKind| {
        let of_kind = body.actions.iter().filter(|action| action.kind == kind);
        of_kind.fold(Count::default(), |sum, a| sum + Count { objects: a.objects, bytes: a.bytes })
    };
    let mut parts = Vec::new();
    for (kind, verb) in [
        (ActionKind::Restore, "to restore"),
        (ActionKind::Download, "to download"),
        (ActionKind::DeleteObjects, "to delete"),
    ] {
        let count = sum(kind);
        if !count.is_empty() {
            parts.push(format!("{} {verb} ({})", objects(count.objects), bytes(count.bytes)));
        }
    }
    let buckets = body.actions.iter().filter(|a| a.kind == ActionKind::DeleteBucket).count();
    match buckets {
        0 => {}
        1 => parts.push("1 bucket to delete".into()),
        n => parts.push(format!("{n} buckets to delete")),
    }
    if parts.is_empty() {
        parts.push(format!("{} actions", body.actions.len()));
    }
    let cost: Usd = body.actions.iter().map(|action| action.cost).sum();
    let hours: f64 = body.actions.iter().filter_map(|action| action.hours).sum();
    format!(
        "Plan: {}; about {cost} and {} (estimates: list prices of {}).",
        parts.join(", "),
        duration(hours),
        estimate::PRICES_AS_OF,
    )
}

fn tell_bucket(text: &mut String, body: &Body, bucket: &PlannedBucket, seen: &SeenBucket) {
    let Some(archive) = &bucket.archive else {
        line(text, format_args!("{} ({})", bucket.name, bucket.region));
        return;
    };
    let then = match archive.then {
        AfterArchive::Keep => "keep what is in S3",
        AfterArchive::DeleteObjects => "delete the archived objects",
        AfterArchive::DeleteBucket => "delete the bucket",
    };
    line(text, format_args!("{} ({}) → {}, then {then}", bucket.name, bucket.region, archive.to));
    if let Some(tally) = &seen.tally {
        tell_tally(text, archive, tally);
    }
    let actions: Vec<&Action> =
        body.actions.iter().filter(|action| action.bucket == bucket.name).collect();
    if actions.is_empty() {
        line(text, format_args!("  nothing to do"));
    }
    let mut returned = true;
    for action in actions {
        if returned && action.kind.is_irreversible() {
            line(text, format_args!("  ─────────────── no way back from here ───────────────"));
            returned = false;
        }
        tell_action(text, action);
    }
}

fn tell_tally(text: &mut String, archive: &PlannedArchive, tally: &Tally) {
    let classes: Vec<String> = tally
        .by_class
        .iter()
        .map(|(class, count)| format!("{class} {} ({})", count.objects, bytes(count.bytes)))
        .collect();
    let listed = match classes.is_empty() {
        true => String::from("no objects"),
        false => format!(
            "{}, {}: {}",
            objects(tally.selected.objects),
            bytes(tally.selected.bytes),
            classes.join(", ")
        ),
    };
    line(text, format_args!("  {listed}"));
    if !tally.left_out.is_empty() {
        line(
            text,
            format_args!(
                "  left out, stays in S3: {} ({})",
                objects(tally.left_out.objects),
                bytes(tally.left_out.bytes)
            ),
        );
    }
    if tally.delete_markers > 0 || !tally.noncurrent.is_empty() {
        line(
            text,
            format_args!(
                "  versions: {} noncurrent, {} delete markers",
                tally.noncurrent.objects, tally.delete_markers
            ),
        );
    }
    let proofs: Vec<String> = tally
        .by_forecast
        .iter()
        .map(|(forecast, count)| format!("{} {}", forecast.words(), count.objects))
        .collect();
    if !proofs.is_empty() {
        line(text, format_args!("  proof expected: {}", proofs.join(", ")));
    }
    match archive.unprovable {
        Unprovable::Keep => {}
        Unprovable::Twice => line(
            text,
            format_args!("  ! objects without proof are deleted once two downloads agree"),
        ),
        Unprovable::Size => line(
            text,
            format_args!("  ! objects without proof are deleted when only their SIZE agrees"),
        ),
    }
    if archive.unconditional_deletes == UnconditionalDeletes::CompareFirst {
        line(
            text,
            format_args!(
                "  ! if the server ignores conditions, objects are compared right before an \
                 unconditional delete"
            ),
        );
    }
}

fn tell_action(text: &mut String, action: &Action) {
    let sign = match action.kind {
        ActionKind::SetPolicy => '~',
        ActionKind::Approve => '?',
        kind if kind.is_irreversible() => '-',
        _ => '+',
    };
    let name = action.id.as_str().rsplit('/').next().unwrap_or(action.kind.as_str());
    let amount = match action.kind {
        ActionKind::AbortUploads => format!("{} uploads", action.objects),
        _ if action.objects == 0 => String::new(),
        _ if action.bytes == 0 => objects(action.objects),
        _ => format!("{}, {}", objects(action.objects), bytes(action.bytes)),
    };
    let mut notes = Vec::new();
    if let (Some(tier), Some(days)) = (action.tier, action.days) {
        notes.push(format!("{tier} tier, kept {} days", days.get()));
    }
    if action.done > 0 {
        notes.push(format!("{} done", action.done));
    }
    if action.cost > Usd::ZERO {
        notes.push(format!("about {}", action.cost));
    }
    if let Some(hours) = action.hours {
        notes.push(match action.kind {
            ActionKind::AwaitRestore => format!("within {}", duration(hours)),
            _ => format!("about {}", duration(hours)),
        });
    }
    notes.push(action.reason.clone());
    let told = format!("  {sign} {name:<16} {amount:<26} {}", notes.join("; "));
    line(text, format_args!("{}", told.trim_end()));
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{words}");
}

fn objects(count: u64) -> String {
    match count {
        1 => "1 object".into(),
        n => format!("{n} objects"),
    }
}

fn bytes(bytes: u64) -> String {
    ByteSize::b(bytes).to_string()
}

/// `less than 6 min`, `48 h`, `5.5 days`.
fn duration(hours: f64) -> String {
    match hours {
        h if h <= 0.1 => "less than 6 min".into(),
        h if h < 1.0 => format!("{:.0} min", (h * 60.0).ceil()),
        h if h < 100.0 => format!("{:.0} h", h.ceil()),
        h => format!("{:.1} days", h / 24.0),
    }
}
