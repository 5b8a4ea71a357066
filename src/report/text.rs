//! Small words: sizes, durations, counts, and keys made harmless.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytesize::ByteSize;
use jiff::Timestamp;
use serde::Serialize;

pub use crate::model::counted;
pub(super) use crate::model::grouped;

/// A number of bytes for people: `41.2 GiB`.
pub fn bytes(bytes: u64) -> String {
    ByteSize::b(bytes).to_string()
}

/// A duration in words, its two largest units: `less than a minute`, `5 min`, `2 h 10 min`,
/// `3 days 4 h`.
pub fn duration(seconds: u64) -> String {
    let minutes = seconds / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let day = if days == 1 { "day" } else { "days" };
    match (days, hours, minutes) {
        (0, 0, 0) => "less than a minute".into(),
        (0, 0, m) => format!("{m} min"),
        (0, h, 0) => format!("{h} h"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, 0, _) => format!("{d} {day}"),
        (d, h, _) => format!("{d} {day} {h} h"),
    }
}

/// How long until a moment, in words; `now` for one that has passed.
pub fn until(moment: Timestamp, now: Timestamp) -> String {
    match u64::try_from(moment.as_second() - now.as_second()) {
        Ok(seconds) if seconds > 0 => format!("in {}", duration(seconds)),
        _ => "now".into(),
    }
}

/// A moment for people, UTC, to the minute.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Whether a character could move the cursor, change colours, reorder or hide text.
///
/// Source: Unicode, UAX #9 (the bidirectional controls), and the C0 and C1 controls.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Text that came from elsewhere, such as a key, made harmless for a terminal: what could move the
/// cursor or reorder text is shown as `\u{..}`.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |safe, c| {
        let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
    })
}

/// The same for several lines: line ends stay.
pub(super) fn shown_lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

/// JSON whose strings hold nothing that could harm a terminal; it means the same.
pub(super) fn shown_json(json: &str) -> Cow<'_, str> {
    escaped(json, |safe, c| {
        // A line end as such is between the fields; inside a string it is written as `\n`.
        if c == '\n' {
            return safe.push(c);
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(safe, "\\u{unit:04x}");
        }
    })
}

/// Plain data as one line of JSON, harmless for a terminal, with a line end.
pub fn json_line(document: &impl Serialize) -> String {
    // Documents of text and numbers under text keys always serialise.
    let json = serde_json::to_string(document).unwrap_or_default();
    format!("{}\n", shown_json(&json))
}

fn escaped(text: &str, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_unsafe(c) {
            true => escape(&mut safe, c),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_attacks_the_terminal_is_shown_escaped() {
        assert_eq!(shown("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}");
        assert!(matches!(shown("photos/é 日本.jpg"), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_means_the_same() {
        let key = "a\u{7f}\u{9b}\u{202e}\u{e0041}";
        let json = serde_json::to_string(key).expect("a string");
        let safe = shown_json(&json);
        assert!(!safe.contains(is_unsafe), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).expect("still JSON"), key);
    }

    #[test]
    fn durations_and_counts_read_like_words() {
        for (seconds, words) in [
            (0, "less than a minute"),
            (300, "5 min"),
            (7_800, "2 h 10 min"),
            (86_400, "1 day"),
            (273_600, "3 days 4 h"),
        ] {
            assert_eq!(duration(seconds), words);
        }
        assert_eq!(counted(1, "object"), "1 object");
        assert_eq!(counted(12_345_678, "object"), "12,345,678 objects");
        assert_eq!(counted(999, "object"), "999 objects");
    }
}
