//! Small readers for what S3 says in text: pure, and never guessing.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use crate::model::Thaw;

/// Text in an answer that has none of the forms S3 documents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {expected}")]
pub struct Unreadable {
    text: String,
    expected: &'static str,
}

fn unreadable(text: &str, expected: &'static str) -> Unreadable {
    Unreadable { text: text.chars().take(200).collect(), expected }
}

/// Reads the `x-amz-restore` header of a HEAD answer.
///
/// Absent header: the object was never asked for, or its copy has lapsed; both mean "ask again".
///
/// # Errors
/// [`Unreadable`] when the text has neither known form. Never guesses: a wrong guess here downloads
/// a 403 or pays for a second restore.
///
/// Source: S3 API Reference, HeadObject, response header `x-amz-restore`.
pub fn read_restore_header(header: Option<&str>) -> Result<Thaw, Unreadable> {
    let Some(text) = header else { return Ok(Thaw::NotAsked) };
    let bad = || unreadable(text, "restore status");
    match attribute(text, "ongoing-request").ok_or_else(bad)? {
        "true" => Ok(Thaw::Ongoing),
        "false" => match attribute(text, "expiry-date") {
            Some(date) => Ok(Thaw::ReadyUntil { until_ms: read_http_date(date).ok_or_else(bad)? }),
            // An INTELLIGENT_TIERING object moves back for good: it has no expiry.
            None => Ok(Thaw::NotAsked),
        },
        _ => Err(bad()),
    }
}

/// The value of `name="value"`; `None` where the text has no such attribute.
fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(name)?;
    let (value, _) =
        behind.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(value)
}

/// Milliseconds since the epoch of a date such as `Fri, 21 Dec 2012 00:00:00 GMT`.
fn read_http_date(text: &str) -> Option<i64> {
    static PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
    PARSER.parse_timestamp(text).ok().map(Timestamp::as_millisecond)
}

/// A `Content-Range`: first byte, end (one behind the last byte) and the whole object's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The first byte's place, from 0.
    pub first: u64,
    /// One behind the last byte's place.
    pub end: u64,
    /// The whole object's size.
    pub total: u64,
}

/// Reads `bytes 0-499/1234`.
///
/// # Errors
/// [`Unreadable`] for every other form, and for ranges that are empty or reach behind the object.
pub fn read_content_range(text: &str) -> Result<ContentRange, Unreadable> {
    let parts = || {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let digits = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
            true => text.parse::<u64>().ok(),
            false => None,
        };
        let (first, last, total) = (digits(first)?, digits(last)?, digits(total)?);
        (first <= last && last < total).then(|| ContentRange { first, end: last + 1, total })
    };
    parts().ok_or_else(|| unreadable(text, "range of bytes"))
}

/// Undoes the `encoding-type=url` of listings: `+` is a space, `%XX` a byte of UTF-8.
///
/// # Errors
/// [`Unreadable`] for a `%` without two hex digits, and for bytes that are no UTF-8: such a key is
/// refused by name, never bent.
///
/// Source: S3 API Reference, ListObjectsV2, `EncodingType`.
pub fn decode_key(text: &str) -> Result<String, Unreadable> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let bad = || unreadable(text, "key in URL encoding");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let pair = behind.get(..2).ok_or_else(bad)?;
                let mut byte = [0];
                hex::decode_to_slice(pair, &mut byte).map_err(|_| bad())?;
                bytes.push(byte[0]);
                rest = &behind[2..];
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_restore_header_is_read_in_both_forms() {
        assert_eq!(read_restore_header(None), Ok(Thaw::NotAsked));
        assert_eq!(read_restore_header(Some("ongoing-request=\"true\"")), Ok(Thaw::Ongoing));
        let ready = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"";
        assert_eq!(
            read_restore_header(Some(ready)),
            Ok(Thaw::ReadyUntil { until_ms: 1_356_048_000_000 })
        );
        // Python servers write single digits and wrong weekdays now and then.
        let wrong_day = ready.replace("Fri", "Mon");
        assert!(matches!(read_restore_header(Some(&wrong_day)), Ok(Thaw::ReadyUntil { .. })));
    }

    #[test]
    fn an_odd_restore_header_is_an_error_and_no_guess() {
        for odd in ["", "ongoing", "ongoing-request=true", "ongoing-request=\"maybe\""] {
            assert!(read_restore_header(Some(odd)).is_err(), "{odd}");
        }
        let odd = "ongoing-request=\"false\", expiry-date=\"soon\"";
        assert!(read_restore_header(Some(odd)).is_err());
    }

    #[test]
    fn a_content_range_is_exact() {
        let range = ContentRange { first: 0, end: 500, total: 1234 };
        assert_eq!(read_content_range("bytes 0-499/1234"), Ok(range));
        let odd = [
            "bytes */1234",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "0-1/2",
            "bytes 0-1/*",
            "bytes +0-1/2",
        ];
        for odd in odd {
            assert!(read_content_range(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn lone_percent_signs_and_broken_utf8_are_refused() {
        for odd in ["%", "a%2", "%zz", "%ff", "%+1"] {
            assert!(decode_key(odd).is_err(), "{odd}");
        }
        assert_eq!(decode_key("a%03b+c%2Bd%C3%A4").as_deref(), Ok("a\u{3}b c+dä"));
    }

    proptest! {
        /// Whatever the key is made of.
        #[test]
        fn an_encoded_key_comes_back_as_it_was(key in "\\PC*|[\\x00-\\x7f]{0,40}") {
            let encoded: String = key.bytes().map(|b| match b {
                b' ' => "+".to_owned(),
                b if b.is_ascii_alphanumeric() || b == b'/' => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            }).collect();
            prop_assert_eq!(decode_key(&encoded), Ok(key));
        }
    }
}
