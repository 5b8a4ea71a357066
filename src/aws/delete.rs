//! Deletes exactly the object versions that are named, each under a condition, and accounts for
//! every one by name.
//!
//! A batch answers 200 even when every key in it failed, and a server may leave a key out of its
//! answer: so the outcome is one per target, never one per request, and a key without an answer is
//! [`Deletion::Unknown`].

use std::collections::HashMap;

use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;

use super::blank;
use super::bucket::Bucket;
use super::error::{About, AwsError, ErrorKind};
use super::wire::Watch;
use crate::model::ETag;

/// The most targets that one batch may name.
pub const BATCH: usize = 1000;

/// One object version to be deleted, and what it must still be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteTarget {
    /// The exact key.
    pub key: String,
    /// The version. Without one the current version under the key goes; where the bucket keeps
    /// versions, that leaves a delete marker.
    pub version_id: Option<String>,
    /// The tag that it must have. S3 compares it with the key's *current* version only, so it goes
    /// with targets without a version id.
    pub etag: Option<ETag>,
}

impl DeleteTarget {
    /// Whether a batch can name the key: XML 1.0 cannot carry some characters at all, and readers
    /// bend others. Those keys go one by one.
    pub fn fits_xml(&self) -> bool {
        let fits = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{fffe}' | '\u{ffff}');
        let edge = char::is_whitespace;
        self.key.chars().all(fits) && !self.key.starts_with(edge) && !self.key.ends_with(edge)
    }
}

/// Whether a single delete carries the target's ETag as its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `If-Match`: an object that was overwritten survives.
    IfMatch,
    /// None: whatever stands under the key goes. Only after a comparison, and only where the
    /// manifest accepts it.
    Unconditional,
}

/// What became of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// S3 says that it is deleted. A batch says so too of keys that were not there.
    Deleted {
        /// S3's id of the request; empty where the server gave none.
        request_id: String,
        /// The version id of the delete marker that this left behind; `None`: it left none.
        marker: Option<String>,
    },
    /// It was not there.
    Gone,
    /// Another object stands there; it is untouched.
    Changed,
    /// A lock or hold keeps it; with S3's words.
    Held(String),
    /// The caller may not; with S3's words.
    Denied(String),
    /// S3 did not say, or said something else: look before asking again.
    Unknown(String),
}

impl Deletion {
    /// AWS's id of the request that deleted; `None` where nothing was deleted, or where the server
    /// gave none.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Deleted { request_id, .. } if !request_id.is_empty() => Some(request_id),
            _ => None,
        }
    }
}

/// What became of the targets of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchDeletion {
    /// One each, in their order.
    pub outcomes: Vec<Deletion>,
    /// AWS's id of the request; `None` where the server gave none, or where nothing was sent.
    pub request_id: Option<String>,
}

impl Bucket {
    /// Deletes up to [`BATCH`] targets in one request; answers one outcome each, in their order.
    ///
    /// A second call is harmless. Where the whole request fails, look at
    /// [`AwsError::outcome_unknown`].
    ///
    /// # Errors
    /// [`ErrorKind::BadAnswer`] where the answer is cut off or speaks of keys that were not named;
    /// [`ErrorKind::Other`] before anything is sent for targets that do not fit; all others.
    ///
    /// Source: S3 API Reference, DeleteObjects, `ETag` and `VersionId` of an object identifier.
    pub async fn delete_batch(&self, targets: &[DeleteTarget]) -> Result<BatchDeletion, AwsError> {
        let about = self.changes("DeleteObjects", "delete objects of");
        if targets.is_empty() {
            return Ok(BatchDeletion::default());
        }
        let delete = delete_document(targets, &about)?;
        let watch = Watch::default();
        let answer = self
            .ask(&about, |_, s3| {
                s3.delete_objects()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .delete(delete.clone())
                    .customize()
                    .interceptor(watch.clone())
                    .send()
            })
            .await?;
        let whole = watch.closes("DeleteResult") || watch.body().trim_ascii_end().ends_with(b"/>");
        if !whole {
            return Err(about.bad_answer("it is cut off"));
        }
        let outcomes = account(targets, &answer, &about)?;
        Ok(BatchDeletion { outcomes, request_id: answer.request_id().map(str::to_owned) })
    }

    /// Deletes one target: for keys that XML cannot carry, and for servers that honour conditions
    /// on single deletes only.
    ///
    /// # Errors
    /// Those that say nothing of the target itself; look at [`AwsError::outcome_unknown`].
    ///
    /// Source: S3 API Reference, DeleteObject, `If-Match`.
    pub async fn delete_one(
        &self,
        target: &DeleteTarget,
        condition: Condition,
    ) -> Result<Deletion, AwsError> {
        let about = self.changes("DeleteObject", "delete").key(&target.key);
        let pin = match (condition, &target.etag, &target.version_id) {
            (Condition::Unconditional, _, _) => None,
            // Compared with the current version only: an older one would never match.
            (Condition::IfMatch, _, Some(_)) => None,
            (Condition::IfMatch, Some(etag), None) => Some(etag.quoted()),
            (Condition::IfMatch, None, None) => {
                return Err(about.error(ErrorKind::Other, "it has neither a version nor an ETag"));
            }
        };
        let answer = self
            .ask(&about, |_, s3| {
                s3.delete_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(&target.key))
                    .set_version_id(target.version_id.clone())
                    .set_if_match(pin.clone())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => {
                let left_marker =
                    target.version_id.is_none() && answer.delete_marker() == Some(true);
                Ok(Deletion::Deleted {
                    request_id: answer.request_id().unwrap_or_default().to_owned(),
                    marker: answer.version_id().filter(|_| left_marker).map(str::to_owned),
                })
            }
            Err(error) => match error.kind() {
                ErrorKind::NoSuchKey => Ok(Deletion::Gone),
                ErrorKind::Changed => Ok(Deletion::Changed),
                ErrorKind::Denied => Ok(refusal(error.message())),
                _ => Err(error),
            },
        }
    }

    /// Writes a small object of our own, to try deletes on; never over an existing one, where the
    /// server honours that. Gives AWS's id of the request; `None` where the server gives none.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] where the key is taken; all others.
    pub async fn put_canary(&self, key: &str, body: Bytes) -> Result<Option<String>, AwsError> {
        let about = self.changes("PutObject", "write the test object").key(key);
        let answer = self
            .ask(&about, |_, s3| {
                s3.put_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(key)
                    .if_none_match("*")
                    .body(ByteStream::from(body.clone()))
                    .send()
            })
            .await?;
        Ok(answer.request_id().map(str::to_owned))
    }
}

/// The request's document. Refuses, before anything is sent, what a batch cannot say or what would
/// go unconditionally.
fn delete_document(targets: &[DeleteTarget], about: &About<'_>) -> Result<Delete, AwsError> {
    let refuse = |message: String| about.error(ErrorKind::Other, message);
    if targets.len() > BATCH {
        return Err(refuse(format!("{} targets in one batch", targets.len())));
    }
    let mut delete = Delete::builder().quiet(false);
    for target in targets {
        let key = &target.key;
        if !target.fits_xml() {
            return Err(refuse(format!("`{}` does not fit into XML", key.escape_debug())));
        }
        if target.version_id.is_none() && target.etag.is_none() {
            return Err(refuse(format!("`{key}` has neither a version nor an ETag")));
        }
        // Compared with the current version only, hence not beside a version id.
        let etag = target.etag.as_ref().filter(|_| target.version_id.is_none());
        let object = ObjectIdentifier::builder()
            .key(key)
            .set_version_id(target.version_id.clone())
            .set_e_tag(etag.map(ETag::quoted))
            .build();
        delete = delete.objects(object.map_err(|error| refuse(error.to_string()))?);
    }
    delete.build().map_err(|error| refuse(error.to_string()))
}

/// `null` is the version of objects from before versioning; servers leave it out or write it.
fn plain_version(version_id: Option<&str>) -> Option<&str> {
    version_id.filter(|id| !id.is_empty() && *id != "null")
}

/// Finds each target's answer by its name. Pure.
fn account(
    targets: &[DeleteTarget],
    answer: &DeleteObjectsOutput,
    about: &About<'_>,
) -> Result<Vec<Deletion>, AwsError> {
    let request_id = answer.request_id().unwrap_or_default();
    let mut places: HashMap<(&str, Option<&str>), Vec<usize>> = HashMap::new();
    for (place, target) in targets.iter().enumerate() {
        let name = (target.key.as_str(), plain_version(target.version_id.as_deref()));
        places.entry(name).or_default().push(place);
    }
    let mut outcomes: Vec<Option<Deletion>> = vec![None; targets.len()];
    let mut note = |key: Option<&str>, version: Option<&str>, outcome: Deletion| {
        let key = key.unwrap_or_default();
        // A target without a version may be answered with the version that went.
        let named = [(key, plain_version(version)), (key, None)];
        let Some(found) = named.iter().find_map(|name| places.get(name)) else {
            let message = format!("it speaks of `{}`, which was not named", key.escape_debug());
            return Err(about.bad_answer(message));
        };
        for &place in found {
            outcomes[place] = Some(match outcomes[place].take() {
                None => outcome.clone(),
                Some(first) if first == outcome => first,
                Some(_) => Deletion::Unknown("the answer says two things of it".to_owned()),
            });
        }
        Ok(())
    };
    for deleted in answer.deleted() {
        let marker = deleted.delete_marker_version_id().filter(|_| deleted.version_id().is_none());
        let outcome = Deletion::Deleted {
            request_id: request_id.to_owned(),
            marker: marker.map(str::to_owned),
        };
        note(deleted.key(), deleted.version_id(), outcome)?;
    }
    for error in answer.errors() {
        let (code, message) = (error.code().unwrap_or("?"), error.message().unwrap_or_default());
        let outcome = match code {
            "NoSuchKey" | "NoSuchVersion" => Deletion::Gone,
            "PreconditionFailed" | "ConditionalRequestConflict" => Deletion::Changed,
            code if code.starts_with("AccessDenied") => refusal(message),
            code => Deletion::Unknown(format!("{code}: {message}")),
        };
        note(error.key(), error.version_id(), outcome)?;
    }
    let unnamed = || Deletion::Unknown("the answer does not name it".to_owned());
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unnamed)).collect())
}

/// S3 refuses locked versions with plain AccessDenied and words about the lock.
fn refusal(message: &str) -> Deletion {
    let words = message.to_ascii_lowercase();
    let locks = ["object lock", "legal hold", "retention", "worm protected", "event hold"];
    if locks.iter().any(|lock| words.contains(lock)) {
        Deletion::Held(message.to_owned())
    } else {
        Deletion::Denied(message.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{DeletedObject, Error};

    use super::*;

    fn target(key: &str, version_id: Option<&str>) -> DeleteTarget {
        let etag = version_id.is_none().then(|| ETag::new("abc"));
        DeleteTarget { key: key.into(), version_id: version_id.map(str::to_owned), etag }
    }

    fn deleted(key: &str, version: Option<&str>) -> DeletedObject {
        DeletedObject::builder().key(key).set_version_id(version.map(str::to_owned)).build()
    }

    fn error(key: &str, code: &str, message: &str) -> Error {
        Error::builder().key(key).code(code).message(message).build()
    }

    fn account_for(
        targets: &[DeleteTarget],
        answer: &DeleteObjectsOutput,
    ) -> Result<Vec<Deletion>, AwsError> {
        account(targets, answer, &About::changes("DeleteObjects", "delete objects of"))
    }

    fn done() -> Deletion {
        Deletion::Deleted { request_id: String::new(), marker: None }
    }

    #[test]
    fn every_target_is_accounted_for_by_name_and_in_order() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let targets: Vec<_> = names.iter().map(|key| target(key, None)).collect();
        let answer = DeleteObjectsOutput::builder()
            .deleted(deleted("b", None))
            .errors(error(
                "f",
                "AccessDenied",
                "Access Denied because object protected by object lock.",
            ))
            .errors(error("c", "PreconditionFailed", "no"))
            .errors(error("d", "AccessDenied", "Access Denied"))
            .errors(error("a", "NoSuchKey", "gone"))
            .build();
        let outcomes = account_for(&targets, &answer).expect("every key was named");
        assert_eq!(outcomes[..3], [Deletion::Gone, done(), Deletion::Changed]);
        assert_eq!(outcomes[3], Deletion::Denied("Access Denied".into()));
        assert!(matches!(outcomes[4], Deletion::Unknown(_)), "left out of the answer");
        assert!(matches!(outcomes[5], Deletion::Held(_)));
    }

    #[test]
    fn a_key_that_succeeded_and_failed_is_unknown() {
        let answer = DeleteObjectsOutput::builder()
            .deleted(deleted("a", None))
            .errors(error("a", "InternalError", ""))
            .build();
        let outcomes = account_for(&[target("a", None)], &answer).expect("named");
        assert!(matches!(outcomes[0], Deletion::Unknown(_)));
    }

    #[test]
    fn an_answer_about_another_key_is_not_believed() {
        let answer = DeleteObjectsOutput::builder().deleted(deleted("z", None)).build();
        let refused = account_for(&[target("a", None)], &answer).expect_err("z was not named");
        assert_eq!(*refused.kind(), ErrorKind::BadAnswer);
        assert!(refused.outcome_unknown());
    }

    #[test]
    fn versions_of_one_key_are_told_apart() {
        let targets = [target("a", Some("1")), target("a", Some("2")), target("a", Some("null"))];
        let answer = DeleteObjectsOutput::builder()
            .deleted(deleted("a", Some("2")))
            .deleted(deleted("a", Some("null")))
            .build();
        let outcomes = account_for(&targets, &answer).expect("named");
        assert!(matches!(outcomes[0], Deletion::Unknown(_)));
        assert_eq!(outcomes[1..], [done(), done()]);
    }

    #[test]
    fn keys_that_xml_cannot_carry_do_not_fit() {
        for key in ["a\u{1}", "a\nb", "a\r", "\u{fffe}", "a\u{85}", " a", "a ", "\u{3000}"] {
            assert!(!target(key, None).fits_xml(), "{key:?}");
        }
        for key in ["a b", "ä/<&>\"'", "🦀", "a+b%2B"] {
            assert!(target(key, None).fits_xml(), "{key:?}");
        }
    }

    #[test]
    fn nothing_goes_without_a_condition() {
        let bare = DeleteTarget { key: "a".into(), version_id: None, etag: None };
        let about = About::changes("DeleteObjects", "delete objects of");
        assert!(delete_document(&[bare], &about).is_err());
        let versioned = DeleteTarget { etag: Some(ETag::new("x")), ..target("a", Some("1")) };
        let document = delete_document(&[versioned], &about).expect("a version is enough");
        assert_eq!(document.objects()[0].e_tag(), None);
        let pinned = delete_document(&[target("a", None)], &about).expect("an ETag is enough");
        assert_eq!(pinned.objects()[0].e_tag(), Some("\"abc\""));
    }
}
