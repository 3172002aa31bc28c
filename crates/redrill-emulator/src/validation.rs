//! PutRestoreValidationResult: what a client says of a restore's worth.
//! <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutRestoreValidationResult.html>

use serde::{Deserialize, Serialize};

use super::error::{ApiError, ErrorCode};
use super::start_request::{Member, read, text, utf8};

/// `RestoreValidationStatus` of the API model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ValidationStatus {
    Failed,
    Successful,
    TimedOut,
    Validating,
}

impl ValidationStatus {
    fn parse(text: &str) -> Option<ValidationStatus> {
        Some(match text {
            "FAILED" => ValidationStatus::Failed,
            "SUCCESSFUL" => ValidationStatus::Successful,
            "TIMED_OUT" => ValidationStatus::TimedOut,
            "VALIDATING" => ValidationStatus::Validating,
            _ => return None,
        })
    }

    /// Returns the name in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            ValidationStatus::Failed => "FAILED",
            ValidationStatus::Successful => "SUCCESSFUL",
            ValidationStatus::TimedOut => "TIMED_OUT",
            ValidationStatus::Validating => "VALIDATING",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ValidationResult {
    pub(super) status: ValidationStatus,
    pub(super) message: Option<String>,
}

impl ValidationResult {
    /// The body of the request.
    pub(super) fn parse(body: &[u8]) -> Result<ValidationResult, ApiError> {
        let (mut status, mut message) = (Member::Absent, Member::Absent);
        read(utf8(body)?, |name, value| match name {
            "ValidationStatus" => status = value,
            "ValidationStatusMessage" => message = value,
            _ => {}
        })?;
        let status = text("ValidationStatus", status)?
            .ok_or_else(|| ApiError::missing("ValidationStatus"))?;
        let status = ValidationStatus::parse(&status).ok_or_else(|| {
            ApiError::invalid(
                "ValidationStatus",
                format!("ValidationStatus has no value {status:?}."),
            )
        })?;
        Ok(ValidationResult {
            status,
            message: text("ValidationStatusMessage", message)?.map(Into::into),
        })
    }

    /// "Once set, a validation status cannot be changed"
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/restore-testing.html>). Whether VALIDATING is set in that
    /// sense is not said; it would be of no use, so it may be followed by another. The same result again changes nothing.
    pub(super) fn may_follow(&self, before: &ValidationResult) -> Result<(), ApiError> {
        if before.status == ValidationStatus::Validating || before == self {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::InvalidRequest,
            "The validation status of this restore job is set and cannot be changed.",
        ))
    }
}
