//! AWS Backup, Cloud Control API, STS and S3: the only place that names the SDK.
//!
//! Region, endpoint, profile and credentials come from the SDK's own configuration, so that everything AWS documents
//! for its tools works here unchanged.

mod bounds;
mod client;
mod date;
mod error;
mod lean;
mod looks;
mod paced;
mod points;
mod profile;
mod read;
mod s3;
mod sfn;
mod write;
mod xml;

pub use client::{Aws, ConnectionSettings, Reads, Writes};
pub use paced::Paced;
pub use profile::NO_PROFILE;
pub use s3::{Bucket, BucketSettings, BucketTraits};
pub use sfn::{Execution, ExecutionStart, MachineSettings, StateMachine};
