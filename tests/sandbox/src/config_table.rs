//! The configuration documents that a bucket can have: what they are called, and what a GET answers
//! while nobody has made one.

/// One of a bucket's configuration documents, kept as XML text.
#[derive(Debug, PartialEq, Eq)]
pub struct Config {
    /// The query parameter, which is also its name in `world.toml`.
    pub query: &'static str,
    /// Operation names for GET, PUT and DELETE.
    pub names: [&'static str; 3],
    /// IAM actions for reading and for writing.
    pub actions: [&'static str; 2],
    /// What a GET answers while nothing is configured.
    pub unset: Unset,
}

/// How many configurations a page of a list holds. Source: S3 API Reference,
/// ListBucketInventoryConfigurations.
pub const PAGE: usize = 100;

impl Config {
    /// The element that a listing of such configurations repeats, where a bucket can have many.
    pub fn listed(&self) -> Option<&'static str> {
        match self.query {
            "analytics" => Some("AnalyticsConfiguration"),
            "intelligent-tiering" => Some("IntelligentTieringConfiguration"),
            "inventory" => Some("InventoryConfiguration"),
            "metrics" => Some("MetricsConfiguration"),
            _ => None,
        }
    }
}

/// The answer to the GET of a configuration that nobody has made.
#[derive(Debug, PartialEq, Eq)]
pub enum Unset {
    /// 404 with this code and message.
    Error(&'static str, &'static str),
    /// This document.
    Document(&'static str),
    /// Something that depends on the account: the ACL.
    OwnersAcl,
}

macro_rules! config {
    ($query:literal, $noun:literal, [$get:literal, $put:literal], $unset:expr) => {
        Config {
            query: $query,
            names: [concat!("Get", $noun), concat!("Put", $noun), concat!("Delete", $noun)],
            actions: [concat!("s3:", $get), concat!("s3:", $put)],
            unset: $unset,
        }
    };
}

/// Every configuration document that a bucket can have.
pub static CONFIGS: [Config; 20] = [
    config!(
        "lifecycle",
        "BucketLifecycleConfiguration",
        ["GetLifecycleConfiguration", "PutLifecycleConfiguration"],
        Unset::Error("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
    ),
    config!(
        "cors",
        "BucketCors",
        ["GetBucketCORS", "PutBucketCORS"],
        Unset::Error("NoSuchCORSConfiguration", "The CORS configuration does not exist")
    ),
    config!(
        "website",
        "BucketWebsite",
        ["GetBucketWebsite", "PutBucketWebsite"],
        Unset::Error(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration"
        )
    ),
    config!(
        "tagging",
        "BucketTagging",
        ["GetBucketTagging", "PutBucketTagging"],
        Unset::Error("NoSuchTagSet", "The TagSet does not exist")
    ),
    config!(
        "encryption",
        "BucketEncryption",
        ["GetEncryptionConfiguration", "PutEncryptionConfiguration"],
        Unset::Document(
            "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
             </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>\
             </ServerSideEncryptionConfiguration>"
        )
    ),
    config!("acl", "BucketAcl", ["GetBucketAcl", "PutBucketAcl"], Unset::OwnersAcl),
    config!(
        "replication",
        "BucketReplication",
        ["GetReplicationConfiguration", "PutReplicationConfiguration"],
        Unset::Error(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found"
        )
    ),
    config!(
        "logging",
        "BucketLogging",
        ["GetBucketLogging", "PutBucketLogging"],
        Unset::Document("<BucketLoggingStatus xmlns=\"http://doc.s3.amazonaws.com/2006-03-01\"/>")
    ),
    config!(
        "notification",
        "BucketNotificationConfiguration",
        ["GetBucketNotification", "PutBucketNotification"],
        Unset::Document(
            "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"
        )
    ),
    config!(
        "requestPayment",
        "BucketRequestPayment",
        ["GetBucketRequestPayment", "PutBucketRequestPayment"],
        Unset::Document(
            "<RequestPaymentConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
        )
    ),
    config!(
        "publicAccessBlock",
        "PublicAccessBlock",
        ["GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock"],
        Unset::Error(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found"
        )
    ),
    config!(
        "ownershipControls",
        "BucketOwnershipControls",
        ["GetBucketOwnershipControls", "PutBucketOwnershipControls"],
        Unset::Error(
            "OwnershipControlsNotFoundError",
            "The bucket ownership controls were not found"
        )
    ),
    config!(
        "intelligent-tiering",
        "BucketIntelligentTieringConfiguration",
        ["GetIntelligentTieringConfiguration", "PutIntelligentTieringConfiguration"],
        Unset::Document(
            "<ListBucketIntelligentTieringConfigurationsOutput \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>false</IsTruncated>\
             </ListBucketIntelligentTieringConfigurationsOutput>"
        )
    ),
    config!(
        "accelerate",
        "BucketAccelerateConfiguration",
        ["GetAccelerateConfiguration", "PutAccelerateConfiguration"],
        Unset::Document(
            "<AccelerateConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"
        )
    ),
    config!(
        "inventory",
        "BucketInventoryConfiguration",
        ["GetInventoryConfiguration", "PutInventoryConfiguration"],
        Unset::Document(
            "<ListInventoryConfigurationsResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>false</IsTruncated>\
             </ListInventoryConfigurationsResult>"
        )
    ),
    config!(
        "analytics",
        "BucketAnalyticsConfiguration",
        ["GetAnalyticsConfiguration", "PutAnalyticsConfiguration"],
        Unset::Document(
            "<ListBucketAnalyticsConfigurationResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>false</IsTruncated>\
             </ListBucketAnalyticsConfigurationResult>"
        )
    ),
    config!(
        "metrics",
        "BucketMetricsConfiguration",
        ["GetMetricsConfiguration", "PutMetricsConfiguration"],
        Unset::Document(
            "<ListMetricsConfigurationsResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>false</IsTruncated>\
             </ListMetricsConfigurationsResult>"
        )
    ),
    config!(
        "abac",
        "BucketAbac",
        ["GetBucketAbac", "PutBucketAbac"],
        Unset::Document(
            "<AbacStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Status>Disabled</Status></AbacStatus>"
        )
    ),
    config!(
        "metadataConfiguration",
        "BucketMetadataConfiguration",
        ["GetBucketMetadataTableConfiguration", "CreateBucketMetadataTableConfiguration"],
        Unset::Error("MetadataConfigurationNotFound", "The metadata configuration does not exist")
    ),
    config!(
        "metadataTable",
        "BucketMetadataTableConfiguration",
        ["GetBucketMetadataTableConfiguration", "CreateBucketMetadataTableConfiguration"],
        Unset::Error(
            "MetadataTableConfigurationNotFound",
            "The metadata table configuration does not exist"
        )
    ),
];
