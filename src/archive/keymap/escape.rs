//! The escape `^XX` inside one part of a path, and its way back.

use std::fmt::Write;

/// Escapes a name, so that it is safe as a part of a path or of a line of text.
pub(in crate::archive) fn escape_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    escape_part(&mut out, name);
    out
}

/// Appends one part of a key, escaped. The part is not empty.
pub(super) fn escape_part(out: &mut String, part: &str) {
    let first_too = part == "." || part == ".." || is_device_name(part);
    let last = part.char_indices().next_back().map_or(0, |(at, _)| at);
    for (at, c) in part.char_indices() {
        let trailing = at == last && (c == '.' || c.is_whitespace());
        if is_escaped(c) || trailing || (at == 0 && first_too) {
            escape_char(out, c);
        } else {
            out.push(c);
        }
    }
}

fn escape_char(out: &mut String, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a string cannot fail.
        let _ = write!(out, "^{byte:02X}");
    }
}

/// Whether a character is escaped wherever it stands.
///
/// `^` is the escape itself; `/` only comes in a version id. `%`, `\` and line ends: BagIt readers
/// decode or forbid them, and `sha256sum` writes such lines differently. `: * ? " < > |`: Windows
/// and exFAT forbid them. The controls of writing direction make a name look like another one to a
/// person.
fn is_escaped(c: char) -> bool {
    matches!(c, '^' | '%' | '\\' | '/' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
        || c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}')
}

/// Whether Windows takes a name for a device, with or without an extension.
///
/// Source: Microsoft, "Naming Files, Paths, and Namespaces".
fn is_device_name(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().trim_end();
    let is = |name: &str| stem.eq_ignore_ascii_case(name);
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].into_iter().any(is) {
        return true;
    }
    let mut chars = stem.chars();
    let digit = chars.next_back();
    let port = chars.as_str();
    (port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"))
        && digit.is_some_and(|d| matches!(d, '0'..='9' | '¹' | '²' | '³'))
}

/// Gives the key back from the path of its current version, or of one under `data/^versions/`.
///
/// `None` where the path alone does not hold it (a hash stands for a part), and where the text is
/// no path that this rule makes. `metadata/objects.jsonl` has every key as it is.
pub fn unescape(path: &str) -> Option<String> {
    let inside = path.strip_prefix("data/")?;
    let inside = match inside.strip_prefix("^versions/") {
        Some(versioned) => versioned.rsplit_once('/')?.0,
        None => inside,
    };
    let mut key = String::with_capacity(inside.len());
    let mut parts = inside.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match (without_twin(part), last) {
            ("^d", true) => {}
            ("^e", false) => key.push('/'),
            (name, true) => {
                key.push_str(&unescape_part(name.strip_suffix("^f").unwrap_or(name))?);
            }
            (name, false) => {
                key.push_str(&unescape_part(name)?);
                key.push('/');
            }
        }
    }
    Some(key)
}

/// The name without a `^c` and eight digits at its end, however often.
fn without_twin(name: &str) -> &str {
    let Some(at) = name.len().checked_sub(10) else { return name };
    match name.as_bytes()[at..].split_at(2) {
        (b"^c", digits) if digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => {
            without_twin(&name[..at])
        }
        _ => name,
    }
}

/// Undoes the escapes of one part; `None` for a mark, and for what is no escape.
pub(in crate::archive) fn unescape_part(part: &str) -> Option<String> {
    if part.is_empty() {
        return None;
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'^' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        if !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')) {
            return None;
        }
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}
