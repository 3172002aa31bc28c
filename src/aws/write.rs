//! The calls that write.

use std::collections::BTreeMap;

use aws_sdk_backup::operation::RequestId as _;
use aws_sdk_backup::types::RestoreValidationStatus;

use super::bounds;
use super::{Aws, Writes};
use crate::backup::{ApiError, Fault, Operation, Started, Writer};
use crate::ids::JobId;
use crate::plan::TokenedRequest;

impl Writer for Aws<Writes> {
    async fn start(&self, request: &TokenedRequest) -> Result<Started, ApiError> {
        self.pass().await;
        let operation = self.counted(Operation::StartRestoreJob);
        let answer = self
            .jobs
            .start_restore_job()
            .recovery_point_arn(&request.recovery_point_arn)
            .set_metadata(Some(
                request
                    .metadata
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            ))
            .set_iam_role_arn(request.iam_role_arn.clone())
            .idempotency_token(request.token().as_str())
            .resource_type(&request.resource_type)
            .set_copy_source_tags_to_restored_resource(
                request.copy_source_tags_to_restored_resource,
            )
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        let request_id = answer.request_id().map(bounds::message);
        match answer.restore_job_id.filter(|id| is_id(id)) {
            Some(id) => Ok(Started {
                job_id: JobId::new(id),
                request_id,
            }),
            None => Err(ApiError {
                operation,
                fault: Fault::Service,
                code: None,
                request_id,
                message: "the answer names no job".to_owned(),
            }),
        }
    }

    async fn publish(&self, job_id: &JobId, failure: Option<&str>) -> Result<(), ApiError> {
        self.pass().await;
        let operation = self.counted(Operation::PutRestoreValidationResult);
        let status = match failure {
            None => RestoreValidationStatus::Successful,
            Some(_) => RestoreValidationStatus::Failed,
        };
        self.backup
            .put_restore_validation_result()
            .restore_job_id(job_id.as_str())
            .validation_status(status)
            .set_validation_status_message(failure.map(str::to_owned))
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        Ok(())
    }

    fn calls(&self) -> BTreeMap<Operation, u64> {
        Aws::calls(self)
    }
}

/// Returns true if a text can be a job's id. The form of ids is AWS's affair, but an empty one, or one with a line end
/// in it, could never be asked about.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 256 && id.chars().all(|c| c.is_ascii_graphic())
}
