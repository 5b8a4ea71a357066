//! The types that a manifest's values have.

use std::fmt;

/// What a key's value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A string or a list of strings.
    Identities,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole,
    /// A number with or without a fraction.
    Amount,
    /// A string with a unit, or a whole number of bytes.
    Size,
    /// A table.
    Table,
    /// The table of an archive, or `false`.
    Archive,
    /// The table of a policy, or `false`.
    Policy,
}

impl Kind {
    /// What to type; `None` where the type's name says it.
    pub(super) fn example(self) -> Option<&'static str> {
        Some(match self {
            Self::Archive => {
                "write `archive = { to = \"/mnt/nas/{bucket}\" }`, or `false` to opt out of a glob"
            }
            Self::Policy => {
                "write `policy = { lock_to = \"me\" }`, or `false` to opt out of a glob"
            }
            Self::Size => "write \"500MB\", \"2TiB\" or a whole number of bytes",
            Self::Texts => "write a list such as [\"live/**\", \"tmp/**\"]",
            Self::Identities => "write \"me\", or a list such as [\"me\", \"alice\"]",
            Self::Text | Self::Flag | Self::Whole | Self::Amount | Self::Table => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a string",
            Self::Texts => "a list of strings",
            Self::Identities => "a string or a list of strings",
            Self::Flag => "`true` or `false`",
            Self::Whole => "a whole number, 0 or more",
            Self::Amount => "a number",
            Self::Size => "a size",
            Self::Table => "a table",
            Self::Archive | Self::Policy => "a table or `false`",
        })
    }
}
