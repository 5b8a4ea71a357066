//! What can be wrong with a manifest: one variant a rule, each with its place, code and help.

use std::ops::Range;

use thiserror::Error;

use super::kind::Kind;
use super::words::{list, nearest, quoted, shown};

/// A range of bytes in the manifest's text.
pub type Span = Range<usize>;

/// Why a manifest cannot be planned. Each variant knows where in the TOML it stands and what to
/// type instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file could not be read at all.
    #[error("cannot read the manifest: {why}")]
    Unreadable {
        /// What the system said.
        why: String,
    },
    /// Over 1 MiB.
    #[error("the manifest is larger than {most} bytes")]
    TooLarge {
        /// The most that is read.
        most: u64,
    },
    /// Bytes that are no UTF-8.
    #[error("the manifest is not UTF-8 from here on")]
    NotUtf8 {
        /// The first such byte.
        at: Span,
    },
    /// Not TOML.
    #[error("not valid TOML: {}", shown(.why))]
    Syntax {
        /// What the TOML reader said.
        why: String,
        /// Where.
        at: Span,
    },
    /// A key that the manifest does not know.
    #[error("unknown key `{}` in {place}", shown(.key))]
    UnknownKey {
        /// As written.
        key: String,
        /// The table it is in.
        place: String,
        /// What could stand there.
        allowed: &'static [&'static str],
        /// Where.
        at: Span,
    },
    /// A key that has to be there.
    #[error("`{key}` is missing in {place}")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The table it is missing in.
        place: String,
        /// What to type.
        help: &'static str,
        /// The table, where there is one.
        at: Option<Span>,
    },
    /// A value of another type.
    #[error("`{key}` must be {wanted}, not {found}")]
    WrongType {
        /// The key.
        key: String,
        /// What it must be.
        wanted: Kind,
        /// With its article.
        found: &'static str,
        /// Where.
        at: Span,
    },
    /// A word that is none of those that the key takes.
    #[error("`{}` is not a value of `{key}`", shown(.word))]
    UnknownWord {
        /// As written.
        word: String,
        /// The key.
        key: &'static str,
        /// What could stand there.
        allowed: Vec<&'static str>,
        /// Where.
        at: Span,
    },
    /// A value of the right type that makes no sense.
    #[error("`{key}` {why}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What is wrong, to be read after the key.
        why: String,
        /// What to type instead.
        help: &'static str,
        /// Where.
        at: Span,
    },
    /// A size that cannot be read.
    #[error("`{key}`: {why}")]
    BadSize {
        /// The key.
        key: &'static str,
        /// What is wrong.
        why: String,
        /// Where.
        at: Span,
    },
    /// A glob that cannot be compiled.
    #[error("`{}` is not a glob: {why}", shown(.glob))]
    BadGlob {
        /// As written.
        glob: String,
        /// What is wrong.
        why: String,
        /// Where.
        at: Span,
    },
    /// A placeholder that nothing fills.
    #[error("nothing fills in the placeholder `{{{}}}`", shown(.name))]
    UnknownPlaceholder {
        /// What stands between the braces.
        name: String,
        /// Where.
        at: Span,
    },
    /// Something that is neither `me`, nor an IAM user's name, nor an ARN.
    #[error("`{}` cannot be locked to: {why}", shown(.who))]
    BadIdentity {
        /// As written.
        who: String,
        /// What is wrong.
        why: &'static str,
        /// Where.
        at: Span,
    },
    /// A policy without a source.
    #[error("the policy of {place} says neither `lock_to` nor `file` nor `none`")]
    NoPolicySource {
        /// The table.
        place: String,
        /// Where.
        at: Span,
    },
    /// A policy with two sources.
    #[error("a policy has one of `lock_to`, `file`, `none`, not two")]
    TwoPolicySources {
        /// The first.
        at: Span,
        /// The second.
        other: Span,
    },
    /// An option of a lock where there is no lock.
    #[error("`{key}` belongs to `lock_to`, which this policy does not have")]
    NeedsLock {
        /// The option.
        key: &'static str,
        /// Where.
        at: Span,
    },
    /// An archive that does not say where.
    #[error("the archive of {place} has no `to`")]
    NoDestination {
        /// The table.
        place: String,
        /// Where.
        at: Span,
    },
    /// A bucket cannot go while filters leave objects in it.
    #[error("a bucket cannot be deleted while filters leave objects in it")]
    FilteredDeletion {
        /// The `then`.
        at: Span,
        /// The `include` or `exclude`.
        filter: Span,
    },
    /// The account whose buckets were listed is not the manifest's.
    #[error("the manifest is for account {wanted}, not for {found}")]
    OtherAccount {
        /// The manifest's.
        wanted: String,
        /// The one that was listed.
        found: String,
        /// The `id`.
        at: Span,
    },
    /// A name that no bucket has.
    #[error("the account has no bucket `{}`", shown(.name))]
    UnknownBucket {
        /// As written.
        name: String,
        /// The nearest name that exists.
        nearest: Option<String>,
        /// How many buckets the account has.
        buckets: usize,
        /// Where.
        at: Span,
    },
    /// Two globs that set one outcome for one bucket.
    #[error("two globs set `{outcome}` for bucket `{}`", shown(.bucket))]
    TwoGlobs {
        /// `archive` or `policy`.
        outcome: &'static str,
        /// The bucket.
        bucket: String,
        /// The first.
        at: Span,
        /// The second.
        other: Span,
    },
    /// Two buckets whose archives would be one folder.
    #[error("buckets `{}` and `{}` would be archived to one place", shown(.bucket), shown(.second))]
    SamePlace {
        /// The first bucket.
        bucket: String,
        /// The second bucket.
        second: String,
        /// The place.
        place: String,
        /// The first one's table.
        at: Span,
        /// The second one's table; the same for a glob.
        other: Span,
    },
    /// An archive inside another one.
    #[error("the archive of `{}` would lie inside that of `{}`", shown(.bucket), shown(.outer))]
    NestedPlace {
        /// The inner one's bucket.
        bucket: String,
        /// The outer one's bucket.
        outer: String,
        /// Where the inner one would be.
        place: String,
        /// The inner one's table.
        at: Span,
        /// The outer one's table.
        other: Span,
    },
    /// `~` where the caller has no home folder.
    #[error("`~` cannot be expanded: the home folder is not known")]
    NoHome {
        /// Where.
        at: Span,
    },
    /// A bucket's name that would lead its archive elsewhere.
    #[error("the name of bucket `{}` cannot be part of a path", shown(.bucket))]
    UnsafeName {
        /// The bucket.
        bucket: String,
        /// The table that covers it.
        at: Span,
    },
}

impl ManifestError {
    /// Stable for ever: people search for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "manifest/unreadable",
            Self::TooLarge { .. } => "manifest/too-large",
            Self::NotUtf8 { .. } => "manifest/not-utf8",
            Self::Syntax { .. } => "manifest/syntax",
            Self::UnknownKey { .. } => "manifest/unknown-key",
            Self::MissingKey { .. } => "manifest/missing-key",
            Self::WrongType { .. } => "manifest/wrong-type",
            Self::UnknownWord { .. } => "manifest/unknown-word",
            Self::BadValue { .. } => "manifest/bad-value",
            Self::BadSize { .. } => "manifest/bad-size",
            Self::BadGlob { .. } => "manifest/bad-glob",
            Self::UnknownPlaceholder { .. } => "manifest/unknown-placeholder",
            Self::BadIdentity { .. } => "manifest/bad-identity",
            Self::NoPolicySource { .. } => "manifest/no-policy-source",
            Self::TwoPolicySources { .. } => "manifest/two-policy-sources",
            Self::NeedsLock { .. } => "manifest/needs-lock",
            Self::NoDestination { .. } => "manifest/no-destination",
            Self::FilteredDeletion { .. } => "manifest/filtered-deletion",
            Self::OtherAccount { .. } => "manifest/other-account",
            Self::UnknownBucket { .. } => "manifest/unknown-bucket",
            Self::TwoGlobs { .. } => "manifest/two-globs",
            Self::SamePlace { .. } => "manifest/same-place",
            Self::NestedPlace { .. } => "manifest/nested-place",
            Self::NoHome { .. } => "manifest/no-home",
            Self::UnsafeName { .. } => "manifest/unsafe-name",
        }
    }

    /// What to do about it; `None` where the error says it all.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } | Self::NotUtf8 { .. } | Self::Syntax { .. } => return None,
            Self::TooLarge { .. } => "a glob such as `[bucket.\"logs-*\"]` covers many buckets".into(),
            Self::UnknownKey { key, allowed, .. } => {
                let hint = nearest(key, allowed.iter().copied());
                suggest(hint, "the keys here are", &list(allowed))
            }
            Self::UnknownWord { word, allowed, .. } => {
                let hint = nearest(word, allowed.iter().copied());
                suggest(hint, "it takes", &list(allowed))
            }
            Self::MissingKey { help, .. } | Self::BadValue { help, .. } => (*help).into(),
            Self::WrongType { wanted, .. } => wanted.example()?.into(),
            Self::BadSize { .. } => {
                "write a whole number of bytes, or a number and a unit: B, kB, MB, GB, TB, PB \
                 (1000 each) or KiB, MiB, GiB, TiB, PiB (1024 each)"
                    .into()
            }
            Self::BadGlob { .. } => {
                "`*` `?` `[a-z]` `{a,b}` are special, in keys `**` crosses `/`; put `\\` before one \
                 to mean the character itself"
                    .into()
            }
            Self::UnknownPlaceholder { .. } => "there are `{bucket}`, `{account}`, `{region}`".into(),
            Self::BadIdentity { .. } => {
                "write \"me\", an IAM user's name, or an ARN such as \
                 \"arn:aws:iam::123456789012:user/alice\""
                    .into()
            }
            Self::NoPolicySource { .. } => {
                "add `lock_to = \"me\"`; to leave the policy alone write `policy = false`".into()
            }
            Self::TwoPolicySources { .. } => "remove one of them".into(),
            Self::NeedsLock { key, .. } => format!("remove `{key}`, or lock the bucket by `lock_to`"),
            Self::NoDestination { .. } => {
                "add `to = \"/mnt/nas/{bucket}\"` here or in [defaults.archive]".into()
            }
            Self::FilteredDeletion { .. } => {
                "remove the filter, or write `then = \"delete-objects\"`: what it leaves out stays"
                    .into()
            }
            Self::OtherAccount { .. } => {
                "choose that account's profile by --profile or AWS_PROFILE; `s3plan info` shows \
                 whose credentials are used"
                    .into()
            }
            Self::UnknownBucket { nearest: Some(name), .. } => {
                format!("did you mean `{}`?", shown(name))
            }
            Self::UnknownBucket { buckets, .. } => {
                format!("`s3plan info` lists the buckets that it has ({buckets})")
            }
            Self::TwoGlobs { bucket, outcome, .. } => format!(
                "give the bucket a table of its own, [bucket.{}], with the `{outcome}` that holds, \
                 or narrow one glob",
                quoted(bucket)
            ),
            Self::SamePlace { place, .. } => {
                format!("both are `{}`; put `{{bucket}}` into `to`", shown(place))
            }
            Self::NestedPlace { place, .. } => {
                format!("it would be `{}`; give each archive a folder of its own", shown(place))
            }
            Self::NoHome { .. } => "set HOME, or write the path in full".into(),
            Self::UnsafeName { .. } => {
                "write a `to` for this bucket alone, without `{bucket}`".into()
            }
        })
    }

    /// The places in the text, each with a word on it; the first is where the error stands. Empty
    /// where the error is about the file as a whole.
    pub fn labels(&self) -> Vec<(Span, &'static str)> {
        match self {
            Self::Unreadable { .. } | Self::TooLarge { .. } => Vec::new(),
            Self::MissingKey { at, .. } => at.iter().map(|at| (at.clone(), "")).collect(),
            Self::NotUtf8 { at }
            | Self::Syntax { at, .. }
            | Self::UnknownKey { at, .. }
            | Self::WrongType { at, .. }
            | Self::UnknownWord { at, .. }
            | Self::BadValue { at, .. }
            | Self::BadSize { at, .. }
            | Self::BadGlob { at, .. }
            | Self::UnknownPlaceholder { at, .. }
            | Self::BadIdentity { at, .. }
            | Self::NoPolicySource { at, .. }
            | Self::NeedsLock { at, .. }
            | Self::NoDestination { at, .. }
            | Self::OtherAccount { at, .. }
            | Self::UnknownBucket { at, .. }
            | Self::NoHome { at }
            | Self::UnsafeName { at, .. } => vec![(at.clone(), "")],
            Self::TwoPolicySources { at, other } => {
                vec![(other.clone(), "the second"), (at.clone(), "the first")]
            }
            Self::FilteredDeletion { at, filter } => {
                vec![(at.clone(), ""), (filter.clone(), "leaves objects behind")]
            }
            Self::TwoGlobs { at, other, .. } => {
                vec![(other.clone(), "this glob matches it"), (at.clone(), "and so does this one")]
            }
            Self::SamePlace { at, other, .. } if at == other => vec![(at.clone(), "covers both")],
            Self::SamePlace { at, other, .. } => {
                vec![(other.clone(), "the second"), (at.clone(), "the first")]
            }
            Self::NestedPlace { at, other, .. } if at == other => vec![(at.clone(), "covers both")],
            Self::NestedPlace { at, other, .. } => {
                vec![(at.clone(), "the inner one"), (other.clone(), "the outer one")]
            }
        }
    }

    /// Where it stands in the text; the whole file's errors come first.
    pub(super) fn position(&self) -> usize {
        self.labels().first().map_or(0, |(at, _)| at.start)
    }

    /// Whether it says that something is not there. Where the text is no TOML nobody can tell.
    pub(super) fn misses_something(&self) -> bool {
        matches!(
            self,
            Self::MissingKey { .. } | Self::NoPolicySource { .. } | Self::NoDestination { .. }
        )
    }
}

/// `did you mean …? …` where there is a near word, else only what is allowed.
fn suggest(hint: Option<impl AsRef<str>>, lead: &str, allowed: &str) -> String {
    match hint {
        Some(word) => format!("did you mean `{}`? {lead} {allowed}", word.as_ref()),
        None => format!("{lead} {allowed}"),
    }
}
