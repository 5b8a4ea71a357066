//! The credential scope of a request: who signed it, and for which service.

use http::HeaderMap;

use crate::shared::Shared;
use crate::sts_iam::Service;

/// The part of a signature that names who, where and which service.
#[derive(Debug, Default)]
pub struct Scope {
    /// The access key; `None` when nobody signed.
    pub access_key: Option<String>,
    service: Option<String>,
}

impl Scope {
    /// Reads the `Authorization` header or the query of a presigned URL.
    pub fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let header = headers.get("authorization").and_then(|value| value.to_str().ok());
        let from_header = header.and_then(|header| {
            let credential = header.split("Credential=").nth(1)?;
            Some(credential.split([',', ' ']).next()?.to_owned())
        });
        let credential = from_header.or_else(|| {
            let pairs = crate::call::decode_query(query?);
            pairs.into_iter().find(|(name, _)| name == "X-Amz-Credential").map(|(_, value)| value)
        });
        let Some(credential) = credential else { return Self::default() };
        // From the right: an access key may hold a slash, the rest may not.
        let mut fields = credential.rsplitn(5, '/');
        let (_, service) = (fields.next(), fields.next());
        let access_key = fields.nth(2);
        Self { access_key: access_key.map(str::to_owned), service: service.map(str::to_owned) }
    }

    /// The service, when it is not S3.
    pub fn service(&self) -> Option<Service> {
        match self.service.as_deref() {
            Some("sts") => Some(Service::Sts),
            Some("iam") => Some(Service::Iam),
            _ => None,
        }
    }

    /// The name of the user whose access key that is.
    pub fn user(&self, shared: &Shared) -> Option<String> {
        let account = shared.account();
        account.by_access_key(self.access_key.as_deref()?).map(|user| user.name.to_string())
    }
}
