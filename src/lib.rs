//! s3plan retires S3 buckets from a reviewed plan.

pub mod apply;
pub mod archive;
pub mod aws;
pub mod cli;
pub mod clock;
pub mod diff;
pub mod event;
pub mod graph;
pub mod manifest;
pub mod model;
pub mod observe;
pub mod plan;
pub mod policy;
pub mod proof;
pub mod report;
pub mod state;
