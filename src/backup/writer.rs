//! The half of AWS that writes.

use std::collections::BTreeMap;

use super::{ApiError, Operation};
use crate::ids::JobId;
use crate::plan::TokenedRequest;

/// AWS's answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The job.
    pub job_id: JobId,
    /// AWS's name of the answer.
    pub request_id: Option<String>,
}

/// The half of AWS that writes.
pub trait Writer: Send + Sync {
    /// StartRestoreJob.
    fn start(
        &self,
        request: &TokenedRequest,
    ) -> impl Future<Output = Result<Started, ApiError>> + Send;

    /// PutRestoreValidationResult: what came back is good, or why it is not.
    fn publish(
        &self,
        job_id: &JobId,
        failure: Option<&str>,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// Returns the number of its calls to AWS, by operation.
    fn calls(&self) -> BTreeMap<Operation, u64>;
}
