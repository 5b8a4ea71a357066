//! The clients of the services, made of one reading of the configuration.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;

use super::connect::{Tuning, timeout_config};
use super::plane::Plane;
use super::wire::{Counting, Tally, connector};

/// Used where nothing names a region: it answers STS, IAM and ListBuckets for every account.
const DEFAULT_REGION: &str = "us-east-1";

/// Clients that share one set of credentials.
pub(crate) struct Link {
    generation: u64,
    sdk: SdkConfig,
    custom: bool,
    pub tally: Arc<Tally>,
    s3: Mutex<HashMap<String, aws_sdk_s3::Client>>,
    /// The short way for GETs; made at first use, `None` where it is closed.
    plane: OnceLock<Option<Plane>>,
    pub sts: aws_sdk_sts::Client,
    pub iam: aws_sdk_iam::Client,
}

impl Link {
    pub fn new(sdk: SdkConfig, custom: bool, generation: u64, tally: &Arc<Tally>) -> Self {
        let counting = || Counting(Arc::clone(tally));
        let region = Region::new(region_of(&sdk));
        let sts = aws_sdk_sts::config::Builder::from(&sdk).region(region.clone());
        let iam = aws_sdk_iam::config::Builder::from(&sdk).region(region);
        Self {
            generation,
            custom,
            tally: Arc::clone(tally),
            s3: Mutex::default(),
            plane: OnceLock::new(),
            sts: aws_sdk_sts::Client::from_conf(sts.interceptor(counting()).build()),
            iam: aws_sdk_iam::Client::from_conf(iam.interceptor(counting()).build()),
            sdk,
        }
    }

    /// Which reading of the credentials these clients have, counted from 0.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The region for requests that are about no bucket.
    pub fn region(&self) -> String {
        region_of(&self.sdk)
    }

    /// The S3 client of a region; made once.
    pub fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        let mut clients = self.s3.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return client.clone();
        }
        let mut config = aws_sdk_s3::config::Builder::from(&self.sdk)
            .region(aws_sdk_s3::config::Region::new(region.to_owned()))
            .disable_s3_express_session_auth(true)
            // Every byte is proven by our own digests; the SDK's checks cover only some objects.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .interceptor(Counting(Arc::clone(&self.tally)));
        if self.custom {
            // Host names of buckets rarely resolve there, and older servers choke on checksums.
            config = config
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        }
        let client = aws_sdk_s3::Client::from_conf(config.build());
        clients.insert(region.to_owned(), client.clone());
        client
    }

    /// The short way for GETs; `None` where it is closed.
    pub fn plane(&self, tuning: Tuning) -> Option<&Plane> {
        let make = || {
            let limits = timeout_config(tuning);
            let mut settings = HttpConnectorSettings::builder();
            settings.set_connect_timeout(limits.connect_timeout());
            settings.set_read_timeout(limits.read_timeout());
            Plane::new(&self.sdk, connector(settings.build(), self.sdk.sleep_impl()))
        };
        self.plane.get_or_init(make).as_ref()
    }

    /// The S3 client for requests that are about no bucket.
    pub fn s3_home(&self) -> aws_sdk_s3::Client {
        self.s3(&self.region())
    }

    /// Overrides for a request that the SDK must send once only.
    pub fn once(&self) -> aws_sdk_s3::config::Builder {
        aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled())
    }
}

fn region_of(sdk: &SdkConfig) -> String {
    sdk.region().map_or(DEFAULT_REGION, Region::as_ref).to_owned()
}
