//! Sizes as people write them: `500MB`, `1.5 TiB`, `10MiB/s`. Exact: no floating point on the way.

/// The units and their bytes. Case matters: `Mb` is a megabit to many.
const UNITS: [(&str, u64); 12] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
];

/// Reads a size in bytes; a fraction of a byte is dropped.
///
/// # Errors
/// Why the text is none, as a phrase.
pub(super) fn read_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || number.ends_with('.') || fraction.contains('.') {
        return Err("it does not begin with a number".to_owned());
    }
    if unit.is_empty() {
        return Err("the number has no unit".to_owned());
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let unit = super::words::shown(unit);
        let near = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&unit));
        return Err(match near {
            Some((name, _)) => format!("`{unit}` is not a unit; did you mean `{name}`?"),
            None => format!("`{unit}` is not a unit"),
        });
    };
    exact(whole, fraction, *factor).ok_or_else(|| "it is too large".to_owned())
}

/// Reads a speed in bytes a second: a size, with or without `/s` behind it.
///
/// # Errors
/// Why the text is none, as a phrase.
pub(super) fn read_speed(text: &str) -> Result<u64, String> {
    read_size(text.trim().strip_suffix("/s").unwrap_or(text))
}

/// `whole.fraction × factor`; `None` past 64 bits.
fn exact(whole: &str, fraction: &str, factor: u64) -> Option<u64> {
    let factor = u128::from(factor);
    let whole = u128::from(whole.parse::<u64>().ok()?).checked_mul(factor)?;
    // Eighteen digits decide every byte of the largest unit; later ones are below a byte.
    let digits = &fraction[..fraction.len().min(18)];
    let part = if digits.is_empty() { 0 } else { digits.parse::<u128>().ok()? };
    let part = part.checked_mul(factor)? / 10_u128.pow(u32::try_from(digits.len()).ok()?);
    u64::try_from(whole.checked_add(part)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_mean_what_they_say() {
        assert_eq!(read_size("50MB"), Ok(50_000_000));
        assert_eq!(read_size("1TB"), Ok(1_000_000_000_000));
        assert_eq!(read_size("1.5 TiB"), Ok(3 << 39));
        assert_eq!(read_size("0.1GB"), Ok(100_000_000));
        assert_eq!(read_speed("10MiB/s"), Ok(10 << 20));
        assert_eq!(read_speed("10 MiB"), Ok(10 << 20));
        assert_eq!(read_size("18446744073709551615B"), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_size_says_why() {
        for text in [
            "",
            "MB",
            "5",
            "5Mb",
            "5mb",
            "-1MB",
            "1e3MB",
            "1..2MB",
            ".5MB",
            "5.MB",
            "10Mbit/s",
            "99999999999PB",
            "18446744073709551616B",
            "5MB/s",
        ] {
            assert!(read_size(text).is_err(), "{text:?}");
        }
        assert_eq!(read_size("5mb"), Err("`mb` is not a unit; did you mean `MB`?".to_owned()));
    }

    proptest! {
        #[test]
        fn sizes_near_2_to_the_53rd_are_exact(off in -5_000_i64..5_000) {
            let bytes = (1_u64 << 53).checked_add_signed(off).unwrap();
            prop_assert_eq!(read_size(&format!("{bytes}B")), Ok(bytes));
            let text = format!("{}.{:09}GB", bytes / 1_000_000_000, bytes % 1_000_000_000);
            prop_assert_eq!(read_size(&text), Ok(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = read_speed(&text);
        }
    }
}
