//! What can go wrong between us and AWS, in words that a person can act on.
//!
//! In: the SDK's errors and raw answers. Out: one [`AwsError`], which says what was tried, on which
//! bucket and key, and why it failed. No type of the SDK leaves this room.
//!
//! Promises: a 403 is never read as "gone"; an answer without a body (every failed HEAD) is judged
//! by its raw status; a lost answer to a mutating request is said to be unknown, never assumed.

mod classify;

use std::fmt;

pub(crate) use classify::classify;

/// What kind of failure it was; what a caller may do about it follows from this alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No usable credentials: none found, or the service does not know the key.
    NoCredentials,
    /// The session is over: a person must log in again.
    ExpiredCredentials,
    /// 403 and its kin: the caller may not, or may not know. Never "gone".
    Denied,
    /// The bucket belongs to another account than the expected one.
    OtherOwner,
    /// There is no such bucket.
    NoSuchBucket,
    /// There is no such key or version, or it is a delete marker.
    NoSuchKey,
    /// There is no such IAM user.
    NoSuchUser,
    /// A condition did not hold (412, or 409 for a concurrent write): the object is another one.
    Changed,
    /// The object is archived and no restored copy is there.
    NotThawed,
    /// A key that only the customer has encrypts the object (SSE-C): without it S3 tells nothing.
    CustomerKey,
    /// Too many requests, or the service is overloaded.
    Throttled,
    /// No connection, or it broke.
    Unreachable,
    /// No answer within the time allowed.
    TimedOut,
    /// A body came too slowly, or not at all.
    Stalled,
    /// The bucket lives elsewhere.
    WrongRegion {
        /// Where, if the answer says so.
        region: Option<String>,
    },
    /// Something answered that does not speak S3: a proxy, a captive portal.
    NotS3,
    /// The answer contradicts itself or the request; nothing in it is believed.
    BadAnswer,
    /// The service does not know this operation.
    NotImplemented,
    /// Anything else; the code and the message say what.
    Other,
}

/// Whether a request only looks or may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It only looks.
    Reads,
    /// It may change something, and asking twice has the same end as asking once.
    Changes,
    /// It may change something, and asking twice may cost twice: a lost answer is not asked again.
    ChangesOnce,
}

/// What a request is about, for the words in its error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// S3's name of the operation, for example `GetObject`.
    pub operation: &'static str,
    /// What was tried, to follow "could not": `read`, `list the uploads of`.
    pub doing: &'static str,
    pub bucket: Option<&'a str>,
    pub key: Option<&'a str>,
    pub effect: Effect,
}

impl<'a> About<'a> {
    /// A request that only looks.
    pub fn reads(operation: &'static str, doing: &'static str) -> Self {
        Self { operation, doing, bucket: None, key: None, effect: Effect::Reads }
    }

    /// A request that may change something.
    pub fn changes(operation: &'static str, doing: &'static str) -> Self {
        Self { effect: Effect::Changes, ..Self::reads(operation, doing) }
    }

    pub fn bucket(self, bucket: &'a str) -> Self {
        Self { bucket: Some(bucket), ..self }
    }

    pub fn key(self, key: &'a str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// An error of our own making.
    pub fn error(&self, kind: ErrorKind, message: impl Into<String>) -> AwsError {
        AwsError(Box::new(Failure {
            kind,
            operation: self.operation,
            doing: self.doing,
            effect: self.effect,
            bucket: self.bucket.map(str::to_owned),
            key: self.key.map(str::to_owned),
            code: None,
            message: shortened(&message.into()),
            status: None,
            request_id: None,
        }))
    }

    /// An answer that cannot be believed.
    pub fn bad_answer(&self, message: impl Into<String>) -> AwsError {
        self.error(ErrorKind::BadAnswer, message)
    }
}

/// A request to AWS that failed: what was tried, on what, and why.
///
/// Its text is one sentence for people.
#[derive(Clone)]
pub struct AwsError(Box<Failure>);

#[derive(Clone, Debug)]
struct Failure {
    kind: ErrorKind,
    operation: &'static str,
    doing: &'static str,
    effect: Effect,
    bucket: Option<String>,
    key: Option<String>,
    code: Option<String>,
    message: String,
    status: Option<u16>,
    request_id: Option<String>,
}

impl AwsError {
    /// What kind of failure it was.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// S3's name of the operation, for example `GetObject`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The bucket it was about; `None` where it was about none.
    pub fn bucket(&self) -> Option<&str> {
        self.0.bucket.as_deref()
    }

    /// The key it was about; `None` where it was about none.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The service's error code; `None` where the answer carried none.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The service's message, or ours where the service gave none.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The HTTP status; `None` where no answer came.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The service's id of the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Whether the same request may well succeed a little later.
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Throttled
            | ErrorKind::Unreachable
            | ErrorKind::TimedOut
            | ErrorKind::Stalled => true,
            ErrorKind::Other => self.0.status.is_some_and(|status| status >= 500),
            _ => false,
        }
    }

    /// Whether a mutating request may have taken effect although it failed for us.
    ///
    /// Then what is must be looked up; it is never assumed.
    pub fn outcome_unknown(&self) -> bool {
        if self.0.effect == Effect::Reads {
            return false;
        }
        match self.0.kind {
            ErrorKind::TimedOut
            | ErrorKind::Unreachable
            | ErrorKind::Stalled
            | ErrorKind::BadAnswer
            | ErrorKind::NotS3 => true,
            ErrorKind::Other => self.0.status.is_none_or(|status| status >= 500),
            _ => false,
        }
    }

    /// What a person can do about it; `None` where we know nothing better than the message.
    pub fn hint(&self) -> Option<&'static str> {
        match self.0.kind {
            ErrorKind::NoCredentials => Some(
                "set --profile or AWS_PROFILE, or log in (`aws sso login`, `aws configure`), and \
                 run the same command again",
            ),
            ErrorKind::ExpiredCredentials => {
                Some("log in again (`aws sso login`), then run the same command again")
            }
            ErrorKind::NotS3 => Some("check the network, the proxy and the endpoint URL"),
            ErrorKind::CustomerKey => Some(
                "leave it out with `exclude`, or have whoever holds the key copy it to an object \
                 without SSE-C; then plan again",
            ),
            ErrorKind::Unreachable => Some("check the network, the region and the endpoint URL"),
            ErrorKind::Denied => Some(
                "ask for the permission, or check that the bucket belongs to the expected account",
            ),
            _ if self.0.code.as_deref() == Some("RequestTimeTooSkewed") => {
                Some("set this machine's clock")
            }
            _ => None,
        }
    }

    /// The same failure, but without doubt about its outcome: nothing had left yet.
    pub(crate) fn of(mut self, kind: ErrorKind, message: impl Into<String>) -> Self {
        self.0.kind = kind;
        self.0.message = message.into();
        self
    }
}

impl AwsError {
    /// Adds where it was asked, to failures that are about the way there.
    pub(crate) fn asked_at(mut self, endpoint: &str) -> Self {
        if matches!(self.0.kind, ErrorKind::Unreachable | ErrorKind::TimedOut | ErrorKind::NotS3) {
            self.0.message = format!("{endpoint}: {}", self.0.message);
        }
        self
    }
}

impl std::error::Error for AwsError {}

impl fmt::Debug for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = &self.0;
        write!(f, "could not {}", failure.doing)?;
        match (&failure.bucket, &failure.key) {
            (Some(bucket), Some(key)) => write!(f, " `{}` in `{bucket}`", key.escape_debug())?,
            (Some(bucket), None) => write!(f, " `{bucket}`")?,
            _ => {}
        }
        write!(f, ": {}", failure.kind.words())?;
        if let ErrorKind::WrongRegion { region: Some(region) } = &failure.kind {
            write!(f, " ({region})")?;
        }
        if !failure.message.is_empty() {
            write!(f, ": {}", failure.message.trim_end_matches('.'))?;
        }
        let mut marks = Vec::new();
        marks.extend(failure.code.clone());
        marks.extend(failure.status.map(|status| format!("HTTP {status}")));
        marks.extend(failure.request_id.as_ref().map(|id| format!("request {id}")));
        if marks.is_empty() { Ok(()) } else { write!(f, " [{}]", marks.join(", ")) }
    }
}

impl ErrorKind {
    fn words(&self) -> &'static str {
        match self {
            Self::NoCredentials => "no usable AWS credentials",
            Self::ExpiredCredentials => "the AWS session has expired",
            Self::Denied => "access denied",
            Self::OtherOwner => "it belongs to another account",
            Self::NoSuchBucket => "there is no such bucket",
            Self::NoSuchKey => "there is no such object version",
            Self::NoSuchUser => "there is no such user",
            Self::Changed => "it has changed since",
            Self::NotThawed => "it is archived and not restored",
            Self::CustomerKey => "a key that only the customer has encrypts it (SSE-C)",
            Self::Throttled => "the service asks to slow down",
            Self::Unreachable => "the connection failed",
            Self::TimedOut => "no answer in time",
            Self::Stalled => "the data stopped coming",
            Self::WrongRegion { .. } => "the bucket lives in another region",
            Self::NotS3 => "what answered is not S3",
            Self::BadAnswer => "the answer cannot be right",
            Self::NotImplemented => "the service does not offer this",
            Self::Other => "the request failed",
        }
    }
}

/// What a server says is repeated to people and kept in the journal: no more of it than a person
/// reads.
fn shortened(said: &str) -> String {
    const MOST: usize = 1_000;
    match said.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said.to_owned(),
    }
}

/// An error and its causes in one line, each cause once.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
