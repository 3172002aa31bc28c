//! Cloud Control API: one call to delete a resource of whatever type.

use aws_sdk_cloudcontrol::types::{OperationStatus, ProgressEvent};

use super::Aws;
use super::error::classify;
use crate::cleanup::{Named, Progress, Resources};
use crate::diff::{ApiError, Fault};

impl Resources for Aws {
    async fn exists(&self, named: &Named) -> Result<bool, ApiError> {
        let operation = self.count("GetResource");
        let answer = self
            .cloudcontrol
            .get_resource()
            .type_name(&named.type_name)
            .identifier(&named.identifier)
            .send()
            .await
            .map_err(|err| classify(operation, &err));
        match answer {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, named: &Named, token: &str) -> Result<Option<String>, ApiError> {
        let operation = self.count("DeleteResource");
        let answer = self
            .cloudcontrol
            .delete_resource()
            .type_name(&named.type_name)
            .identifier(&named.identifier)
            .client_token(token)
            .send()
            .await
            .map_err(|err| classify(operation, &err));
        match answer {
            Ok(answer) => answer
                .progress_event
                .and_then(|event| event.request_token)
                .map(Some)
                .ok_or_else(|| ApiError {
                    operation,
                    fault: Fault::Service,
                    code: None,
                    message: "the answer names no request".to_owned(),
                }),
            Err(error) if is_missing(&error) => Ok(None),
            // A deletion of it goes on already: whether it is gone is looked at later.
            Err(error) if error.code.as_deref() == Some("ConcurrentOperationException") => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn progress(&self, _: &Named, request: &str) -> Result<Progress, ApiError> {
        let operation = self.count("GetResourceRequestStatus");
        let answer = self
            .cloudcontrol
            .get_resource_request_status()
            .request_token(request)
            .send()
            .await
            .map_err(|err| classify(operation, &err))?;
        Ok(answer.progress_event.map_or(Progress::UnderWay, progress))
    }
}

fn progress(event: ProgressEvent) -> Progress {
    match event.operation_status {
        Some(OperationStatus::Success) => Progress::Done,
        Some(OperationStatus::Failed | OperationStatus::CancelComplete) => {
            let code = event.error_code.map(|code| code.as_str().to_owned());
            let message = event.status_message.or(code);
            Progress::Failed(message.unwrap_or_else(|| "AWS gives no reason".to_owned()))
        }
        _ => Progress::UnderWay,
    }
}

/// Cloud Control API was seen to answer a missing resource with other exceptions too, which say so in their message
/// (<https://github.com/pulumi/pulumi-aws-native/pull/682>).
fn is_missing(error: &ApiError) -> bool {
    error.code.as_deref() == Some("ResourceNotFoundException")
        || (error.fault == Fault::Refused
            && (error.message.contains("HandlerErrorCode: NotFound")
                || error.message.contains("ResourceNotFoundException")))
}
