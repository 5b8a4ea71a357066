//! Words for error messages: text made safe to print, lists, and the nearest spelling.

/// The most characters of a foreign text that a message repeats.
const LONGEST: usize = 80;

/// A text of the manifest or the account, safe for terminals: control and direction characters
/// are escaped, and what is long is cut.
pub(super) fn shown(text: &str) -> String {
    let mut safe = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST {
            safe.push('…');
            break;
        }
        if is_unsafe(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    safe
}

/// Whether a character could move the cursor, change colours or hide what stands there.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// A TOML string of the text, as a key or a value.
pub(super) fn quoted(text: &str) -> String {
    // JSON's strings are TOML basic strings, but for U+007F, which TOML wants escaped.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// "`a`, `b`, `c`".
pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The candidate that is spelled nearest; `None` where none is near.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // Two thirds alike or more: a slip of the finger or a forgotten ending, not another word.
    const NEAR: f64 = 0.66;
    let word: String = word.chars().take(LONGEST).collect::<String>().to_lowercase();
    candidates
        .map(|other| (strsim::normalized_damerau_levenshtein(&word, &other.to_lowercase()), other))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let keys = ["archive", "policy"];
        assert_eq!(nearest("archve", keys.into_iter()), Some("archive"));
        assert_eq!(nearest("Policy", keys.into_iter()), Some("policy"));
        assert_eq!(nearest("zebra", keys.into_iter()), None);
    }

    #[test]
    fn what_could_move_a_cursor_is_escaped() {
        assert_eq!(shown("a\u{1b}[2J\u{9b}\u{202e}"), r"a\u{1b}[2J\u{9b}\u{202e}");
        assert_eq!(shown(&"x".repeat(200)).chars().count(), 81);
    }
}
