//! A number of things, in words.

/// A number of things, with thousands apart: `1 object`, `12,345 objects`.
pub fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(count))
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_thousands_are_apart() {
        assert_eq!(counted(1, "upload"), "1 upload");
        assert_eq!(counted(0, "upload"), "0 uploads");
        assert_eq!(counted(999, "object"), "999 objects");
        assert_eq!(counted(10_000_000, "object"), "10,000,000 objects");
    }
}
