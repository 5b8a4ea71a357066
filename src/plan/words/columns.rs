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
            let room = WIDTH.saturating_sub(indent).max(LEAST_ROOM);
            told.push_str(&wrapped(&row.why, room).join(&format!("\n{}", " ".repeat(indent))));
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
            only_if(action.cost > Usd::ZERO, action.cost.to_string()),
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

/// Breaks a text between words into lines of at most so many characters, longer words apart.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut();
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_goes_on_below_and_loses_no_word() {
        let text = "the manifest says then = \"delete-bucket\" and more";
        let lines = wrapped(text, 20);
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= 20), "{lines:?}");
        assert_eq!(lines.join(" "), text);
        assert_eq!(wrapped("averyverylongword", 3), ["averyverylongword"]);
    }
}
