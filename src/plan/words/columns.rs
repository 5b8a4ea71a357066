//! Actions as aligned lines: sign, name, objects, bytes, dollars, hours, and why.

use bytesize::ByteSize;

use crate::model::{Action, ActionKind, Usd, counted, grouped};

use super::duration;

/// Lines end before this column, so that a plan also fits a review in the browser.
const WIDTH: usize = 108;
/// However wide the columns are, the reason has this much room.
const LEAST_ROOM: usize = 30;

/// One action, cell by cell.
struct Row {
    sign: char,
    name: String,
    /// Objects, bytes, dollars, hours.
    numbers: [String; 4],
    why: String,
}

/// A line for each action, with the columns of all of them aligned; a long reason goes on below.
pub fn lines(actions: &[&Action]) -> Vec<String> {
    let rows: Vec<Row> = actions.iter().map(|action| Row::of(action)).collect();
    let names = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(|column| {
        rows.iter().map(|row| row.numbers[column].chars().count()).max().unwrap_or(0)
    });
    rows.iter()
        .map(|row| {
            let mut told = format!("  {} {:<names$}", row.sign, row.name);
            for (number, width) in row.numbers.iter().zip(widths).filter(|(_, width)| *width > 0) {
                told.push_str(&format!("  {number:>width$}"));
            }
            told.push_str("  ");
            let indent = told.chars().count();
            told.push_str(&wrapped(row.why.split(' '), indent));
            told.truncate(told.trim_end().len());
            told
        })
        .collect()
}

impl Row {
    fn of(action: &Action) -> Self {
        let sign = match action.kind {
            ActionKind::SetPolicy => '~',
            ActionKind::Approve => '?',
            kind if kind.is_irreversible() => '-',
            _ => '+',
        };
        let name = action.id.as_str().rsplit('/').next().unwrap_or(action.kind.as_str());
        let thing = match action.kind {
            ActionKind::AbortUploads => "upload",
            _ => "object",
        };
        let only_if = |so: bool, text: String| if so { text } else { String::new() };
        let numbers = [
            only_if(action.objects > 0, counted(action.objects, thing)),
            only_if(action.bytes > 0, ByteSize::b(action.bytes).to_string()),
            only_if(is_worth_telling(action), action.cost.to_string()),
            match (action.kind, action.hours) {
                (_, None) => String::new(),
                (ActionKind::AwaitRestore, Some(hours)) => format!("≤ {}", duration(hours)),
                (_, Some(hours)) => duration(hours),
            },
        ];
        let mut why = Vec::new();
        if let (Some(tier), Some(days)) = (action.tier, action.days) {
            why.push(format!("{tier}, kept {}", counted(days.get().into(), "day")));
        }
        if action.done > 0 {
            why.push(format!("{} done", grouped(action.done)));
        }
        why.push(action.reason.clone());
        Self { sign, name: name.to_owned(), numbers, why: why.join("; ") }
    }
}

/// Sets pieces of a text into lines that begin after `indent` columns; only a piece that is too
/// long by itself stands out. The first line comes without its indent.
pub fn wrapped<'a>(pieces: impl IntoIterator<Item = &'a str>, indent: usize) -> String {
    let room = WIDTH.saturating_sub(indent).max(LEAST_ROOM);
    let mut text = String::new();
    let mut used = 0;
    for piece in pieces {
        let width = piece.chars().count();
        if used == 0 {
            used = width;
        } else if used + 1 + width <= room {
            text.push(' ');
            used += 1 + width;
        } else {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            used = width;
        }
        text.push_str(piece);
    }
    text
}

/// The few listings around a gate cost next to nothing; what is restored or moved is always told.
fn is_worth_telling(action: &Action) -> bool {
    let moves = matches!(action.kind, ActionKind::Restore | ActionKind::Download);
    action.cost > if moves { Usd::ZERO } else { Usd::from_micros(9_999) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_goes_on_below_and_loses_no_word() {
        let text = "the manifest says then = \"delete-bucket\" and more ".repeat(5);
        let told = wrapped(text.trim_end().split(' '), 60);
        let lines: Vec<&str> = told.lines().map(str::trim_start).collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= WIDTH - 60), "{told}");
        assert_eq!(lines.join(" "), text.trim_end());
        assert_eq!(wrapped(["x"; 3], WIDTH), "x x x", "there is always some room");
        assert_eq!(wrapped([&*"x".repeat(200)], 10), "x".repeat(200));
    }
}
