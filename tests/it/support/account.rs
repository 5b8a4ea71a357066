//! An account on some server: where it is, whose keys open it, and a real SDK client for it.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;

/// The region that tests are in unless they say otherwise.
pub const HOME_REGION: &str = "us-east-1";

/// An account on the sandbox or on a third party's server.
#[derive(Clone, Debug)]
pub struct Account {
    /// The server's name, for messages.
    pub server: &'static str,
    pub endpoint: String,
    /// Twelve digits.
    pub id: String,
    pub access_key: String,
    pub secret_key: String,
}

impl Account {
    pub fn new(server: &'static str, endpoint: String, id: &str, access_key: &str) -> Self {
        Self {
            server,
            endpoint,
            id: id.to_owned(),
            access_key: access_key.to_owned(),
            secret_key: "secret".to_owned(),
        }
    }

    /// The environment in which every AWS tool finds this account, and no other.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", self.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key.clone()),
            ("AWS_REGION", HOME_REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// An S3 client in one region. To be made and used inside one runtime.
    pub fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config(region));
        aws_sdk_s3::Client::from_conf(config.force_path_style(true).build())
    }

    /// An STS client.
    pub fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config(HOME_REGION))
    }

    /// An IAM client.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config(HOME_REGION))
    }

    /// What clients of all services are told.
    fn config(&self, region: &str) -> SdkConfig {
        let credentials =
            Credentials::new(&self.access_key, &self.secret_key, None, None, "the test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new(region.to_owned()))
            .endpoint_url(&self.endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }
}
