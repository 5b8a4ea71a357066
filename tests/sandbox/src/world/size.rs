//! Sizes as people write them: `"3MiB"`, `"10 kB"`, `4096`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// Reads `"3MiB"`, `"1.5 kB"`, `"4096"`; `None` when it is no size.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
        let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
        let number = number.replace('_', "");
        let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1000,
            "mb" => 1000 * 1000,
            "gb" => 1000 * 1000 * 1000,
            "tb" => 1000 * 1000 * 1000 * 1000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return None,
        };
        match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(unit).map(Self),
            Err(_) => number.parse::<f64>().ok().map(|number| Self((number * unit as f64) as u64)),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeText;
        impl Visitor<'_> for SizeText {
            type Value = Size;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a size such as 4096 or \"3MiB\"")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Size, E> {
                Ok(Size(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Size, E> {
                u64::try_from(number).map(Size).map_err(|_| E::custom("a size is not negative"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).ok_or_else(|| E::custom(format!("`{text}` is no size")))
            }
        }
        deserializer.deserialize_any(SizeText)
    }
}

/// How an object was cut into parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartSizes {
    /// Every part this size, the last what remains.
    Equal(Size),
    /// These sizes.
    Listed(Vec<Size>),
}

impl PartSizes {
    /// The sizes of an object's parts; `None` when they do not add up to its size.
    pub fn of(&self, total: u64) -> Option<Vec<u64>> {
        match self {
            Self::Equal(Size(0)) => None,
            Self::Equal(Size(part)) if total == 0 => (*part > 0).then(|| vec![0]),
            Self::Equal(Size(part)) => {
                let whole = vec![*part; usize::try_from(total / part).ok()?];
                let rest = total % part;
                Some(whole.into_iter().chain((rest > 0).then_some(rest)).collect())
            }
            Self::Listed(sizes) => {
                let sizes: Vec<u64> = sizes.iter().map(|size| size.0).collect();
                (sizes.iter().sum::<u64>() == total && !sizes.is_empty()).then_some(sizes)
            }
        }
    }
}

impl<'de> Deserialize<'de> for PartSizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = PartSizes;

            fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
                out.write_str("a part size such as \"5MiB\", or a list of part sizes")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<PartSizes, E> {
                u64::try_from(number)
                    .map(|size| PartSizes::Equal(Size(size)))
                    .map_err(|_| E::custom("a size is not negative"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PartSizes, E> {
                Size::parse(text)
                    .map(PartSizes::Equal)
                    .ok_or_else(|| E::custom(format!("`{text}` is no size")))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PartSizes, A::Error> {
                let mut sizes = Vec::new();
                while let Some(size) = list.next_element()? {
                    sizes.push(size);
                }
                Ok(PartSizes::Listed(sizes))
            }
        }
        deserializer.deserialize_any(Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(Size::parse("3MiB"), Some(Size(3 << 20)));
        assert_eq!(Size::parse("1.5 kB"), Some(Size(1500)));
        assert_eq!(Size::parse("4_096"), Some(Size(4096)));
        assert_eq!(Size::parse("3 apples"), None);
    }

    #[test]
    fn the_last_part_holds_what_remains() {
        assert_eq!(PartSizes::Equal(Size(5)).of(12), Some(vec![5, 5, 2]));
        assert_eq!(PartSizes::Equal(Size(5)).of(10), Some(vec![5, 5]));
        assert_eq!(PartSizes::Listed(vec![Size(3), Size(4)]).of(8), None);
    }
}
