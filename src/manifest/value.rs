//! One value of the file at a time: its type, its range, its word; what is wrong is gathered.

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::error::{ManifestError, Span};
use super::kind::Kind;
use super::size;
use crate::model::Usd;

/// A value and where it stands.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// A table of the file with the words to speak of it.
pub(super) struct Sheet<'t, 'i> {
    pub(super) table: &'t DeTable<'i>,
    /// How messages call it: `[bucket."x"]`.
    pub(super) place: String,
}

impl<'t, 'i> Sheet<'t, 'i> {
    /// The value of a key, `None` where it is left out.
    pub(super) fn get(&self, key: &str) -> Option<&'t Value<'i>> {
        self.table.get(key)
    }
}

/// Everything wrong that was found so far.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<ManifestError>);

impl Findings {
    /// Adds one.
    pub(super) fn push(&mut self, error: ManifestError) {
        self.0.push(error);
    }

    /// Reports the keys that a table should not have.
    pub(super) fn unknown_keys(&mut self, sheet: &Sheet<'_, '_>, allowed: &'static [&'static str]) {
        for key in sheet.table.keys() {
            if !allowed.contains(&key.get_ref().as_ref()) {
                self.push(ManifestError::UnknownKey {
                    key: key.get_ref().to_string(),
                    place: sheet.place.clone(),
                    allowed,
                    at: key.span(),
                });
            }
        }
    }

    fn wrong_type(&mut self, key: &str, wanted: Kind, value: &Value<'_>) {
        self.push(ManifestError::WrongType {
            key: key.to_owned(),
            wanted,
            found: type_of(value.get_ref()),
            at: value.span(),
        });
    }

    /// A sub-table; `None` where it is left out or no table.
    pub(super) fn table<'t, 'i>(
        &mut self,
        sheet: &Sheet<'t, 'i>,
        key: &str,
        place: impl Into<String>,
    ) -> Option<Sheet<'t, 'i>> {
        self.as_table(sheet.get(key)?, key, Kind::Table, place)
    }

    /// A value that has to be a table.
    pub(super) fn as_table<'t, 'i>(
        &mut self,
        value: &'t Value<'i>,
        key: &str,
        wanted: Kind,
        place: impl Into<String>,
    ) -> Option<Sheet<'t, 'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Sheet { table, place: place.into() }),
            _ => {
                self.wrong_type(key, wanted, value);
                None
            }
        }
    }

    /// A string.
    pub(super) fn text(&mut self, sheet: &Sheet<'_, '_>, key: &str) -> Option<Spanned<String>> {
        let value = sheet.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Spanned::new(value.span(), text.to_string())),
            _ => {
                self.wrong_type(key, Kind::Text, value);
                None
            }
        }
    }

    /// A list of strings, each with its place; a lone string is one where `wanted` says so. `None`
    /// too where an item is no string.
    pub(super) fn texts(
        &mut self,
        sheet: &Sheet<'_, '_>,
        key: &str,
        wanted: Kind,
    ) -> Option<Spanned<Vec<Spanned<String>>>> {
        let value = sheet.get(key)?;
        let one = |item: &Value<'_>| match item.get_ref() {
            DeValue::String(text) => Some(Spanned::new(item.span(), text.to_string())),
            _ => None,
        };
        let before = self.0.len();
        let mut texts = Vec::new();
        match value.get_ref() {
            DeValue::Array(items) => {
                for item in items.iter() {
                    match one(item) {
                        Some(text) => texts.push(text),
                        None => self.wrong_type(&format!("{key}[]"), Kind::Text, item),
                    }
                }
            }
            DeValue::String(_) if wanted == Kind::Identities => texts.extend(one(value)),
            _ => {
                self.wrong_type(key, wanted, value);
                return None;
            }
        }
        (self.0.len() == before).then(|| Spanned::new(value.span(), texts))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, sheet: &Sheet<'_, '_>, key: &str) -> Option<Spanned<bool>> {
        let value = sheet.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(Spanned::new(value.span(), *flag)),
            _ => {
                self.wrong_type(key, Kind::Flag, value);
                None
            }
        }
    }

    /// A whole number in a range.
    pub(super) fn whole(
        &mut self,
        sheet: &Sheet<'_, '_>,
        key: &'static str,
        range: std::ops::RangeInclusive<u64>,
        help: &'static str,
    ) -> Option<u64> {
        let value = sheet.get(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(key, Kind::Whole, value);
            return None;
        };
        let found = to_u64(number).filter(|n| range.contains(n));
        if found.is_none() {
            self.bad(key, "is out of range", help, value.span());
        }
        found
    }

    /// An amount of US dollars.
    pub(super) fn dollars(&mut self, sheet: &Sheet<'_, '_>, key: &'static str) -> Option<Usd> {
        let value = sheet.get(key)?;
        let amount = match value.get_ref() {
            DeValue::Integer(number) => to_u64(number)
                .and_then(|dollars| dollars.checked_mul(1_000_000))
                .filter(|micros| *micros < i64::MAX as u64)
                .map(Usd::from_micros),
            DeValue::Float(number) => number.as_str().parse().ok().and_then(|dollars: f64| {
                Usd::from_dollars(dollars).filter(|_| dollars.is_sign_positive())
            }),
            _ => {
                self.wrong_type(key, Kind::Amount, value);
                return None;
            }
        };
        if amount.is_none() {
            let help = "write US dollars, 0 or more, such as 25.0";
            self.bad(key, "is not an amount of money", help, value.span());
        }
        amount
    }

    /// A size in bytes: a whole number, or a string with a unit.
    pub(super) fn size(
        &mut self,
        sheet: &Sheet<'_, '_>,
        key: &'static str,
        read: fn(&str) -> Result<u64, String>,
    ) -> Option<Spanned<u64>> {
        let value = sheet.get(key)?;
        let found = match value.get_ref() {
            DeValue::Integer(number) => {
                to_u64(number).ok_or_else(|| "it is negative or too large".to_owned())
            }
            DeValue::String(text) => read(text),
            _ => {
                self.wrong_type(key, Kind::Size, value);
                return None;
            }
        };
        match found {
            Ok(bytes) => Some(Spanned::new(value.span(), bytes)),
            Err(why) => {
                self.push(ManifestError::BadSize { key, why, at: value.span() });
                None
            }
        }
    }

    /// A limit in bytes.
    pub(super) fn bytes(&mut self, sheet: &Sheet<'_, '_>, key: &'static str) -> Option<u64> {
        self.size(sheet, key, size::read_size).map(Spanned::into_inner)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        sheet: &Sheet<'_, '_>,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<Spanned<T>> {
        let text = self.text(sheet, key)?;
        match words.iter().find(|(word, _)| word == text.get_ref()) {
            Some((_, meaning)) => Some(Spanned::new(text.span(), *meaning)),
            None => {
                self.push(ManifestError::UnknownWord {
                    at: text.span(),
                    word: text.into_inner(),
                    key,
                    allowed: words.iter().map(|(word, _)| *word).collect(),
                });
                None
            }
        }
    }

    /// A value that makes no sense; `why` is read after the key.
    pub(super) fn bad(
        &mut self,
        key: &'static str,
        why: impl Into<String>,
        help: &'static str,
        at: Span,
    ) {
        self.push(ManifestError::BadValue { key, why: why.into(), help, at });
    }
}

fn to_u64(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A value's type with its article.
fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(true) => "`true`",
        DeValue::Boolean(false) => "`false`",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
