//! s3plan retires S3 buckets from a reviewed plan.

pub mod archive;
pub mod clock;
pub mod event;
pub mod model;
pub mod proof;
