//! A plan as Markdown that fits a pull-request comment, however many buckets it covers.

use std::fmt::Write as _;

use crate::plan::Plan;

use super::text::shown;

/// The most bytes of a plan in Markdown. GitHub takes 65,536 characters in a comment.
pub const MARKDOWN_LIMIT: usize = 65_000;

/// The plan as Markdown, at most [`MARKDOWN_LIMIT`] bytes: its summary first, then its words until
/// there is no more room, and how much was left out.
pub fn markdown(plan: &Plan) -> String {
    let lines: Vec<String> = plan.words.lines().map(diff_line).collect();
    let summary =
        plan.words.lines().rev().find(|line| line.starts_with("Plan:")).unwrap_or_default();
    let fence = fence_around(&lines);
    let head = format!(
        "### s3plan\n\n{}\n\nPlan `{}` of `{}`.\n\n{fence}diff\n",
        in_prose(summary),
        plan.digest.get(..16).unwrap_or(&plan.digest),
        in_prose(&plan.body.manifest.path),
    );
    let room = MARKDOWN_LIMIT.saturating_sub(head.len() + fence.len() + 120);
    let mut text = head;
    let (mut used, mut told) = (0, 0);
    for line in &lines {
        used += line.len() + 1;
        if used > room {
            break;
        }
        told += 1;
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&fence);
    text.push('\n');
    let left_out = lines.len() - told;
    if left_out > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{left_out} more lines: `s3plan show` tells them all.");
    }
    text
}

/// A line with its sign in the first column, where renderers of diffs look for it.
fn diff_line(line: &str) -> String {
    let line = shown(line);
    match line.strip_prefix("  ").map(|rest| (rest.chars().next(), rest)) {
        Some((Some(sign @ ('+' | '-' | '!')), rest)) => format!("{sign} {}", &rest[1..]),
        Some((Some('~' | '?'), rest)) => format!("! {rest}"),
        _ => line.into_owned(),
    }
}

/// A fence longer than any run of backticks inside.
fn fence_around(lines: &[String]) -> String {
    let runs = lines.iter().flat_map(|line| line.split(|c| c != '`').map(str::len));
    "`".repeat(runs.max().unwrap_or(0).max(2) + 1)
}

/// Text that stays text: no links, mentions or HTML.
fn in_prose(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in shown(text).chars() {
        if matches!(c, '`' | '<' | '>' | '[' | ']' | '*' | '_' | '\\' | '&' | '@' | '#' | '|') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_plan_reads_as_a_diff() {
        insta::assert_snapshot!(markdown(&samples::plan()));
    }

    #[test]
    fn ten_thousand_buckets_fit_a_comment() {
        let mut plan = samples::plan();
        plan.words = format!("```\n{}Plan: all of it.\n", "  + download  ─────\n".repeat(10_000));
        let text = markdown(&plan);
        assert!(text.len() <= MARKDOWN_LIMIT, "{}", text.len());
        assert!(text.starts_with("### s3plan\n\nPlan: all of it."), "{}", &text[..60]);
        assert!(text.contains("\n````\n"), "the fence outlasts what is inside");
        assert!(text.contains("more lines"));
    }
}
