//! Which operation a request is: from method, path, query and headers to a name.
//!
//! A subresource that is not in the tables is no operation here and gets 501. It never falls
//! through to the plain GET or PUT of the same path, as it does on some servers.

use http::Method;

use crate::config_table::{CONFIGS, Config};

/// An operation of S3, named as in the S3 API Reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    PutBucketVersioning,
    GetBucketPolicy,
    PutBucketPolicy,
    DeleteBucketPolicy,
    GetBucketPolicyStatus,
    GetObjectLockConfiguration,
    PutObjectLockConfiguration,
    GetConfig(&'static Config),
    PutConfig(&'static Config),
    DeleteConfig(&'static Config),
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListMultipartUploads,
    DeleteObjects,
    HeadObject,
    GetObject,
    GetObjectAttributes,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
    GetObjectAcl,
    ListObjectAnnotations,
    GetObjectAnnotation,
    GetObjectLegalHold,
    PutObjectLegalHold,
    GetObjectRetention,
    PutObjectRetention,
    PutObject,
    CopyObject,
    DeleteObject,
    RestoreObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
}

impl Op {
    /// Its name in the S3 API Reference.
    pub fn name(self) -> String {
        match self {
            Self::GetConfig(config) => config.names[0].to_owned(),
            Self::PutConfig(config) => config.names[1].to_owned(),
            Self::DeleteConfig(config) => config.names[2].to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// Whether it can change the account.
    pub fn is_mutating(self) -> bool {
        let name = self.name();
        !["Get", "Head", "List"].iter().any(|read| name.starts_with(read))
    }

    /// The IAM action that it needs; `versioned` when the request names a version.
    ///
    /// Source: IAM's service authorization reference for S3.
    pub fn action(self, versioned: bool) -> &'static str {
        match (self, versioned) {
            (Self::ListBuckets, _) => "s3:ListAllMyBuckets",
            (Self::CreateBucket, _) => "s3:CreateBucket",
            (Self::HeadBucket | Self::ListObjects | Self::ListObjectsV2, _) => "s3:ListBucket",
            (Self::DeleteBucket, _) => "s3:DeleteBucket",
            (Self::GetBucketLocation, _) => "s3:GetBucketLocation",
            (Self::GetBucketVersioning, _) => "s3:GetBucketVersioning",
            (Self::PutBucketVersioning, _) => "s3:PutBucketVersioning",
            (Self::GetBucketPolicy, _) => "s3:GetBucketPolicy",
            (Self::PutBucketPolicy, _) => "s3:PutBucketPolicy",
            (Self::DeleteBucketPolicy, _) => "s3:DeleteBucketPolicy",
            (Self::GetBucketPolicyStatus, _) => "s3:GetBucketPolicyStatus",
            (Self::GetObjectLockConfiguration, _) => "s3:GetBucketObjectLockConfiguration",
            (Self::PutObjectLockConfiguration, _) => "s3:PutBucketObjectLockConfiguration",
            (Self::GetConfig(config), _) => config.actions[0],
            (Self::PutConfig(config) | Self::DeleteConfig(config), _) => config.actions[1],
            (Self::ListObjectVersions, _) => "s3:ListBucketVersions",
            (Self::ListMultipartUploads, _) => "s3:ListBucketMultipartUploads",
            (Self::HeadObject | Self::GetObject | Self::GetObjectAttributes, false) => {
                "s3:GetObject"
            }
            (Self::HeadObject | Self::GetObject | Self::GetObjectAttributes, true) => {
                "s3:GetObjectVersion"
            }
            (Self::GetObjectTagging, false) => "s3:GetObjectTagging",
            (Self::GetObjectTagging, true) => "s3:GetObjectVersionTagging",
            (Self::PutObjectTagging, _) => "s3:PutObjectTagging",
            (Self::DeleteObjectTagging, _) => "s3:DeleteObjectTagging",
            (Self::GetObjectAcl, _) => "s3:GetObjectAcl",
            (Self::ListObjectAnnotations, _) => "s3:ListObjectAnnotations",
            (Self::GetObjectAnnotation, _) => "s3:GetObjectAnnotation",
            (Self::GetObjectLegalHold, _) => "s3:GetObjectLegalHold",
            (Self::PutObjectLegalHold, _) => "s3:PutObjectLegalHold",
            (Self::GetObjectRetention, _) => "s3:GetObjectRetention",
            (Self::PutObjectRetention, _) => "s3:PutObjectRetention",
            (Self::DeleteObject | Self::DeleteObjects, false) => "s3:DeleteObject",
            (Self::DeleteObject | Self::DeleteObjects, true) => "s3:DeleteObjectVersion",
            (Self::RestoreObject, _) => "s3:RestoreObject",
            (Self::AbortMultipartUpload, _) => "s3:AbortMultipartUpload",
            (Self::ListParts, _) => "s3:ListMultipartUploadParts",
            (
                Self::PutObject
                | Self::CopyObject
                | Self::CreateMultipartUpload
                | Self::UploadPart
                | Self::CompleteMultipartUpload,
                _,
            ) => "s3:PutObject",
        }
    }

    /// Tells the operation of a request; `None` when this account has no such operation.
    pub fn of(
        method: &Method,
        has_bucket: bool,
        has_key: bool,
        query: &[(String, String)],
        is_copy: bool,
    ) -> Option<Self> {
        let has = |name: &str| query.iter().any(|(known, _)| known == name);
        let is = |name: &str, value: &str| query.iter().any(|(n, v)| n == name && v == value);
        let stranger = query.iter().any(|(name, _)| is_unknown_subresource(name));
        let is_annotation_read = method == Method::GET && has_key;
        if stranger || (has("annotation") && !is_annotation_read) {
            return None;
        }
        let config = CONFIGS.iter().find(|config| !has_key && has(config.query));
        match (method.as_str(), has_bucket, has_key) {
            ("GET", false, _) => Some(Self::ListBuckets),
            ("HEAD", true, false) => Some(Self::HeadBucket),
            ("HEAD", true, true) => Some(Self::HeadObject),
            ("GET", true, false) => Some(match config {
                Some(config) => Self::GetConfig(config),
                None if has("location") => Self::GetBucketLocation,
                None if has("versioning") => Self::GetBucketVersioning,
                None if has("policy") => Self::GetBucketPolicy,
                None if has("policyStatus") => Self::GetBucketPolicyStatus,
                None if has("object-lock") => Self::GetObjectLockConfiguration,
                None if has("uploads") => Self::ListMultipartUploads,
                None if has("versions") => Self::ListObjectVersions,
                None if is("list-type", "2") => Self::ListObjectsV2,
                None => Self::ListObjects,
            }),
            ("GET", true, true) => Some(match () {
                () if has("attributes") => Self::GetObjectAttributes,
                () if has("acl") => Self::GetObjectAcl,
                () if has("annotation") && has("annotationName") => Self::GetObjectAnnotation,
                () if has("annotation") => Self::ListObjectAnnotations,
                () if has("legal-hold") => Self::GetObjectLegalHold,
                () if has("retention") => Self::GetObjectRetention,
                () if has("tagging") => Self::GetObjectTagging,
                () if has("uploadId") => Self::ListParts,
                () => Self::GetObject,
            }),
            ("PUT", true, false) => Some(match config {
                Some(config) => Self::PutConfig(config),
                None if has("versioning") => Self::PutBucketVersioning,
                None if has("policy") => Self::PutBucketPolicy,
                None if has("object-lock") => Self::PutObjectLockConfiguration,
                None => Self::CreateBucket,
            }),
            ("PUT", true, true) => match () {
                () if has("acl") => None,
                () if has("legal-hold") => Some(Self::PutObjectLegalHold),
                () if has("retention") => Some(Self::PutObjectRetention),
                () if has("tagging") => Some(Self::PutObjectTagging),
                () if has("uploadId") && is_copy => None,
                () if has("uploadId") => Some(Self::UploadPart),
                () if is_copy => Some(Self::CopyObject),
                () => Some(Self::PutObject),
            },
            ("POST", true, false) => has("delete").then_some(Self::DeleteObjects),
            ("POST", true, true) => match () {
                () if has("uploads") => Some(Self::CreateMultipartUpload),
                () if has("restore") => Some(Self::RestoreObject),
                () if has("uploadId") => Some(Self::CompleteMultipartUpload),
                () => None,
            },
            ("DELETE", true, false) => match config {
                Some(config) => Some(Self::DeleteConfig(config)),
                None if has("policy") => Some(Self::DeleteBucketPolicy),
                None => Some(Self::DeleteBucket),
            },
            ("DELETE", true, true) => Some(match () {
                () if has("uploadId") => Self::AbortMultipartUpload,
                () if has("tagging") => Self::DeleteObjectTagging,
                () => Self::DeleteObject,
            }),
            _ => None,
        }
    }
}

/// Subresources that S3 has and this account has not; everything else in a query is a parameter.
fn is_unknown_subresource(name: &str) -> bool {
    const STRANGERS: [&str; 7] = [
        "session",
        "metadataInventoryTable",
        "metadataJournalTable",
        "torrent",
        "select",
        "encryption-context",
        "renameObject",
    ];
    STRANGERS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: (bool, bool), query: &[&str]) -> Option<Op> {
        let query: Vec<_> = query
            .iter()
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Op::of(&method.parse().unwrap(), path.0, path.1, &query, false)
    }

    #[test]
    fn a_request_is_told_by_its_subresource() {
        assert_eq!(of("GET", (true, false), &["list-type=2"]), Some(Op::ListObjectsV2));
        assert_eq!(of("GET", (true, true), &["versionId=x"]), Some(Op::GetObject));
        assert_eq!(of("POST", (true, true), &["restore"]), Some(Op::RestoreObject));
        assert_eq!(of("GET", (true, false), &["cors"]).map(Op::name), Some("GetBucketCors".into()));
    }

    #[test]
    fn an_unknown_subresource_is_never_taken_for_the_object_itself() {
        assert_eq!(of("PUT", (true, true), &["annotation"]), None);
        assert_eq!(of("GET", (true, true), &["torrent"]), None);
        assert_eq!(of("PUT", (true, false), &["metadataInventoryTable"]), None);
    }

    #[test]
    fn only_reads_are_called_reads() {
        assert!(!Op::ListObjectsV2.is_mutating());
        assert!(!Op::GetConfig(&CONFIGS[0]).is_mutating());
        assert!(Op::DeleteConfig(&CONFIGS[0]).is_mutating());
        assert!(Op::RestoreObject.is_mutating());
    }
}
