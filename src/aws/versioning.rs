//! Whether a bucket keeps versions, and whether single ones may be held: what a delete means there.

use super::bucket::Bucket;
use super::error::{AwsError, ErrorKind};
use super::wire::Watch;
use crate::model::{Mfa, ObjectLock, Versioning};

impl Bucket {
    /// Asks whether it keeps versions, and whether deletions need a one-time code.
    ///
    /// # Errors
    /// Any; an unknown status is a [`ErrorKind::BadAnswer`].
    pub async fn versioning(&self) -> Result<(Versioning, Mfa), AwsError> {
        let about = self.reads("GetBucketVersioning", "ask for the versioning of");
        let watch = Watch::default();
        let answer = self
            .ask(&about, |_, s3| {
                s3.get_bucket_versioning()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .customize()
                    .interceptor(watch.clone())
                    .send()
            })
            .await;
        match answer {
            // Some servers name the root element otherwise, which the SDK does not take.
            Err(error) if *error.kind() != ErrorKind::BadAnswer => Err(error),
            _ => read_versioning(&watch.body()).map_err(|message| about.bad_answer(message)),
        }
    }

    /// Asks whether single versions may be held.
    ///
    /// # Errors
    /// Any but "not configured".
    pub async fn object_lock(&self) -> Result<ObjectLock, AwsError> {
        let about = self.reads("GetObjectLockConfiguration", "ask for the object lock of");
        let answer = self
            .ask(&about, |_, s3| {
                s3.get_object_lock_configuration()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => {
                let lock = answer.object_lock_configuration();
                let enabled = lock.is_some_and(|lock| lock.object_lock_enabled().is_some());
                Ok(if enabled { ObjectLock::On } else { ObjectLock::Off })
            }
            Err(error) if error.code() == Some("ObjectLockConfigurationNotFoundError") => {
                Ok(ObjectLock::Off)
            }
            Err(error) if self.not_offered(&error) => Ok(ObjectLock::Off),
            Err(error) => Err(error),
        }
    }
}

/// Reads the whole document, not the SDK's view of it: a document that was cut off would read as
/// "never", and deletions would then do something else than what they are meant to.
fn read_versioning(body: &[u8]) -> Result<(Versioning, Mfa), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let root = document.root_element().tag_name().name();
    if !matches!(root, "VersioningConfiguration" | "GetBucketVersioningResponse") {
        return Err(format!("it is a `{root}`"));
    }
    let field = |name: &str| {
        let mut fields = document.root_element().children().filter(|node| node.is_element());
        fields
            .find(|node| node.tag_name().name() == name)
            .map(|node| node.text().unwrap_or_default())
    };
    let versioning = match field("Status") {
        None | Some("") => Versioning::Never,
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(other) => return Err(format!("unknown status `{other}`")),
    };
    let mfa = match field("MfaDelete") {
        None | Some("" | "Disabled") => Mfa::NotRequired,
        Some(_) => Mfa::Required,
    };
    Ok((versioning, mfa))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioning_is_read_from_whole_documents_only() {
        let xml = "<VersioningConfiguration><Status>Suspended</Status>\
                   <MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
        assert_eq!(read_versioning(xml.as_bytes()), Ok((Versioning::Suspended, Mfa::Required)));
        for cut in 0..xml.len() {
            assert!(read_versioning(&xml.as_bytes()[..cut]).is_err(), "cut at {cut}");
        }
        let never = Ok((Versioning::Never, Mfa::NotRequired));
        assert_eq!(read_versioning(b"<GetBucketVersioningResponse xmlns=\"x\"/>"), never);
        let odd = xml.replace("Suspended", "Odd");
        assert!(read_versioning(odd.as_bytes()).is_err());
        assert!(read_versioning(b"<ListBucketResult/>").is_err());
    }
}
