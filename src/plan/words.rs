//! A plan in words: the screen that `plan` prints, and the comment that reviewers read.

mod columns;
mod kept;
mod money;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytesize::ByteSize;

use crate::model::{
    Action, ActionKind, AfterArchive, Change, Count, Desired, Endpoint, Named, Observed,
    PolicyChange, SeenBucket, Tally, UnconditionalDeletes, Unprovable, Usd, counted, grouped,
};

use super::prices::Prices;
use super::{Body, PlannedArchive, PlannedBucket};

/// Tells a plan. What is wanted and what was observed stand in the order of the plan's buckets.
pub fn tell(
    body: &Body,
    desired: &Desired,
    observed: &Observed,
    changes: &[Change],
    prices: &Prices,
) -> String {
    let mut text = String::new();
    let endpoint = match body.endpoint {
        Endpoint::Aws => "",
        Endpoint::Custom => ", on a custom endpoint (not AWS)",
    };
    line(&mut text, format_args!("Account {} as {}{endpoint}", body.account, body.caller.arn));
    let seen = desired.buckets.iter().zip(&observed.buckets);
    for (bucket, (wanted, seen)) in body.buckets.iter().zip(seen) {
        line(&mut text, format_args!(""));
        tell_bucket(&mut text, bucket, seen, |text, tally| {
            if let Some(archive) = &wanted.archive {
                kept::tell(text, archive, seen.bucket.versioning, tally);
                money::tell(text, archive, tally, prices);
            }
        });
        let policy = changes.iter().filter(|change| change.bucket == bucket.name);
        let policy = policy.filter_map(|change| change.policy.as_ref()).next();
        tell_actions(&mut text, body, bucket, policy);
    }
    line(&mut text, format_args!(""));
    line(&mut text, format_args!("{}", summary(body)));
    text
}

/// The last lines: what it adds up to.
fn summary(body: &Body) -> String {
    if body.actions.is_empty() {
        return "Plan: nothing to do. What is wanted is what is.".into();
    }
    let mut parts = Vec::new();
    for (kind, verb) in [
        (ActionKind::Restore, "restore"),
        (ActionKind::Adopt, "adopt"),
        (ActionKind::Download, "download"),
        (ActionKind::DeleteObjects, "delete"),
    ] {
        let of_kind = body.actions.iter().filter(|action| action.kind == kind);
        let sum = of_kind
            .fold(Count::default(), |sum, a| sum + Count { objects: a.objects, bytes: a.bytes });
        if !sum.is_empty() {
            // Only the first says what is counted: the line is long enough.
            let number = match parts.is_empty() {
                true => counted(sum.objects, "object"),
                false => grouped(sum.objects),
            };
            parts.push(format!("{verb} {number} ({})", ByteSize::b(sum.bytes)));
        }
    }
    let of_kind = |kind| body.actions.iter().filter(|a| a.kind == kind).count() as u64;
    let policies = of_kind(ActionKind::SetPolicy);
    if policies > 0 {
        parts.insert(0, format!("set the policy of {}", counted(policies, "bucket")));
    }
    let buckets = of_kind(ActionKind::DeleteBucket);
    if buckets > 0 {
        parts.push(format!("delete {}", counted(buckets, "bucket")));
    }
    if parts.is_empty() {
        parts.push(counted(body.actions.len() as u64, "action"));
    }
    let cost: Usd = body.actions.iter().map(|action| action.cost).sum();
    let cost = match cost.to_string() {
        tiny if tiny.starts_with('<') => tiny.replacen('<', "less than", 1),
        cost => format!("about {cost}"),
    };
    let cost = match early_deletion(body) {
        Some(at_most) => format!("{cost} (with early-deletion fees up to {at_most})"),
        None => cost,
    };
    let time = match duration(super::span::hours(&body.actions)) {
        short if short.starts_with('<') => short.replacen('<', "less than", 1),
        time => format!("about {time}"),
    };
    let buckets: BTreeSet<_> = body.actions.iter().map(|action| &action.bucket).collect();
    let together = match buckets.len() {
        0 | 1 => "",
        _ => {
            "\nBuckets go side by side and move data one at a time; waits for people are not counted."
        }
    };
    format!(
        "Plan: {}.\nEstimate: {cost}, {time} (list prices of {}).{together}",
        parts.join(", "),
        body.prices,
    )
}

/// The most that the plan may cost, where early-deletion fees make that a cent more or worse.
fn early_deletion(body: &Body) -> Option<Usd> {
    let cost: Usd = body.actions.iter().map(|action| action.cost).sum();
    let at_most: Usd = body.actions.iter().map(Action::ceiling).sum();
    Some(at_most).filter(|most| most.micros() >= cost.micros().saturating_add(10_000))
}

fn tell_bucket(
    text: &mut String,
    bucket: &PlannedBucket,
    seen: &SeenBucket,
    tell_money: impl Fn(&mut String, &Tally),
) {
    let Some(archive) = &bucket.archive else {
        line(text, format_args!("{} ({}), its policy only", bucket.name, bucket.region));
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
        tell_money(text, tally);
    }
}

fn tell_actions(
    text: &mut String,
    body: &Body,
    bucket: &PlannedBucket,
    policy: Option<&PolicyChange>,
) {
    let actions: Vec<&Action> =
        body.actions.iter().filter(|action| action.bucket == bucket.name).collect();
    if actions.is_empty() {
        line(text, format_args!("  nothing to do"));
    }
    let no_return = actions.iter().position(|action| action.kind.is_irreversible());
    for (place, told) in columns::lines(&actions).into_iter().enumerate() {
        if Some(place) == no_return {
            line(text, format_args!("  ─────────────── no way back from here ───────────────"));
        }
        line(text, format_args!("{told}"));
        let policy = policy.filter(|_| actions[place].kind == ActionKind::SetPolicy);
        for words in policy.iter().flat_map(|policy| &policy.words) {
            line(text, format_args!("      {words}"));
        }
    }
}

/// What is in place already, and what is no longer as it was left.
fn tell_disk(text: &mut String, tally: &Tally) {
    if !tally.present.is_empty() {
        let (all, present) = (tally.selected.objects, tally.present);
        line(
            text,
            format_args!(
                "  {}, of which {} look present ({})",
                counted(all, "object"),
                grouped(present.objects),
                ByteSize::b(present.bytes)
            ),
        );
    }
    let drifted = &tally.drifted;
    if !drifted.count.is_empty() {
        let head = format!("! {} changed on disk or gone:", grouped(drifted.count.objects));
        tell_named(text, head, drifted);
    }
}

/// A line that names the first of some objects.
fn tell_named(text: &mut String, head: String, named: &Named) {
    let mut told = vec![head];
    let more = named.count.objects.saturating_sub(named.names.len() as u64);
    let last = named.names.len().saturating_sub(1);
    for (place, name) in named.names.iter().enumerate() {
        let comma = if place < last { "," } else { "" };
        told.push(format!("{name:?}{comma}"));
    }
    if more > 0 {
        told.push(format!("and {} more", grouped(more)));
    }
    line(text, format_args!("  {}", columns::wrapped(told.iter().map(String::as_str), 4)));
}

fn tell_tally(text: &mut String, archive: &PlannedArchive, tally: &Tally) {
    let mut listed = vec![match tally.by_class.is_empty() {
        true => "no objects".to_owned(),
        false => format!(
            "{}, {}:",
            counted(tally.selected.objects, "object"),
            ByteSize::b(tally.selected.bytes)
        ),
    }];
    for (place, (class, count)) in tally.by_class.iter().enumerate() {
        let comma = if place + 1 < tally.by_class.len() { "," } else { "" };
        let (objects, size) = (grouped(count.objects), ByteSize::b(count.bytes));
        listed.push(format!("{class} {objects} ({size}){comma}"));
    }
    line(text, format_args!("  {}", columns::wrapped(listed.iter().map(String::as_str), 4)));
    tell_disk(text, tally);
    if !tally.left_out.is_empty() {
        line(
            text,
            format_args!(
                "  left out, stays in S3: {} ({})",
                counted(tally.left_out.objects, "object"),
                ByteSize::b(tally.left_out.bytes)
            ),
        );
    }
    if tally.delete_markers > 0 || !tally.noncurrent.is_empty() {
        line(
            text,
            format_args!(
                "  versions: {} noncurrent, {}",
                grouped(tally.noncurrent.objects),
                counted(tally.delete_markers, "delete marker")
            ),
        );
    }
    tell_rollups(text, tally);
    let proofs: Vec<String> = tally
        .by_forecast
        .iter()
        .map(|(forecast, count)| format!("{} {}", forecast.words(), grouped(count.objects)))
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

/// By folder and by year, where there is more than one of them.
fn tell_rollups(text: &mut String, tally: &Tally) {
    let amount =
        |count: &Count| format!("{} ({})", grouped(count.objects), ByteSize::b(count.bytes));
    let mut folders = tally.folders.clone();
    let (largest, others, rest) = folders.largest();
    if largest.len() > 1 {
        let each =
            largest.iter().map(|(name, count)| format!("{} {}", shortened(name), amount(count)));
        let mut each: Vec<String> = each.collect();
        if others > 0 {
            each.push(format!("{others} more {}", amount(&rest)));
        }
        line_of(text, "by folder:", &each);
    }
    if tally.by_year.len() > 1 {
        // The newest years: an old bucket has many.
        let newest = tally.by_year.iter().rev().take(4);
        let mut each: Vec<String> =
            newest.map(|(year, count)| format!("{year} {}", amount(count))).collect();
        let older = tally.by_year.iter().rev().skip(4);
        let older = older.fold(Count::default(), |sum, (_, count)| sum + *count);
        if !older.is_empty() {
            each.push(format!("before {}", amount(&older)));
        }
        line_of(text, "by year:", &each);
    }
}

/// A line that goes on below where it is too long, between its parts.
fn line_of(text: &mut String, head: &str, parts: &[String]) {
    let mut pieces = vec![head.to_owned()];
    for (place, part) in parts.iter().enumerate() {
        let comma = if place + 1 < parts.len() { "," } else { "" };
        pieces.push(format!("{part}{comma}"));
    }
    line(text, format_args!("  {}", columns::wrapped(pieces.iter().map(String::as_str), 4)));
}

/// A folder's name as it fits a line; keys may hold anything.
fn shortened(name: &str) -> String {
    let shown = name.escape_debug().to_string();
    match shown.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{words}");
}

/// An estimate to the hour or so: `< 6 min`, `48 h`, `5.5 days`.
fn duration(hours: f64) -> String {
    match hours {
        h if h <= 0.1 => "< 6 min".into(),
        h if h < 1.0 => format!("{:.0} min", (h * 60.0).ceil()),
        h if h < 100.0 => format!("{:.0} h", h.ceil()),
        h => format!("{:.1} days", h / 24.0),
    }
}
