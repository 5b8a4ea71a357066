//! Names of accounts, buckets and contents, and the number that stands for an object version.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A twelve-digit AWS account id.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[0-9]{12}$"))]
pub struct AccountId(String);

impl AccountId {
    /// Takes exactly twelve ASCII digits; `None` for anything else.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| Self(text.to_owned()))
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a bucket.
///
/// Not checked against S3's naming rules: old buckets break them, and only S3 knows which exist.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct BucketName(String);

impl BucketName {
    /// Takes the name as it is.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a directory bucket (S3 Express One Zone), which s3plan refuses.
    ///
    /// Source: S3 User Guide, directory bucket naming rules: the suffix `--x-s3`.
    pub fn is_directory_bucket(&self) -> bool {
        self.0.ends_with("--x-s3")
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for BucketName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// An entity tag without its quotes. Equal tags mean equal bytes, not equal metadata.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    /// Takes a tag with or without the quotes that headers carry, and keeps it without; what was
    /// kept stays as it is when it is taken again.
    pub fn new(text: &str) -> Self {
        Self(text.trim_matches(|c: char| c == '"' || c.is_whitespace()).to_owned())
    }

    /// The tag without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag as `If-Match` wants it.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// The MD5 in it, where the tag has the form of a single PUT's; `None` for every other form.
    ///
    /// The form alone proves nothing: SSE-KMS objects carry 32 hex digits that are no MD5.
    pub fn as_md5(&self) -> Option<[u8; 16]> {
        let mut md5 = [0; 16];
        hex::decode_to_slice(&self.0, &mut md5).ok()?;
        Some(md5)
    }

    /// The MD5 of MD5s and the number of parts in it, where the tag has a multipart upload's form.
    pub fn as_multipart(&self) -> Option<([u8; 16], u32)> {
        let (digest, parts) = self.0.split_once('-')?;
        let mut md5 = [0; 16];
        hex::decode_to_slice(digest, &mut md5).ok()?;
        Some((md5, parts.parse().ok().filter(|&n| n > 0)?))
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of an object version in its bucket's inventory, counted from 0 in listing order.
///
/// Dense, so that progress can be kept as rows in order and as bits.
pub type Number = u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_is_twelve_digits_and_nothing_else() {
        assert!(AccountId::new("123456789012").is_some());
        for bad in ["", "12345678901", "1234567890123", "12345678901x", "１２３４５６７８９０１２"]
        {
            assert!(AccountId::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_etag_tells_a_plain_md5_from_a_multipart_one() {
        let plain = ETag::new("\"d41d8cd98f00b204e9800998ecf8427e\"");
        assert!(plain.as_md5().is_some() && plain.as_multipart().is_none());
        let parts = ETag::new("d41d8cd98f00b204e9800998ecf8427e-12");
        assert_eq!(parts.as_multipart().map(|(_, n)| n), Some(12));
        assert!(parts.as_md5().is_none());
        assert!(ETag::new("d41d8cd98f00b204e9800998ecf8427e-0").as_multipart().is_none());
    }

    #[test]
    fn an_etag_taken_twice_is_the_same() {
        for text in ["\"a\"", " \"a\" ", "\"a\u{b}\"", "\" \"", "a b"] {
            let once = ETag::new(text);
            assert_eq!(ETag::new(once.as_str()), once, "{text:?}");
        }
    }
}
