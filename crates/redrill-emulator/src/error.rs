//! The errors that AWS Backup answers with.

/// An error answer: its code, its status, its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) code: ErrorCode,
    pub(super) message: String,
    /// Some exceptions of AWS Backup carry one; the name of the parameter at fault here.
    pub(super) context: Option<String>,
}

/// Codes and statuses: <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html#API_StartRestoreJob_Errors>
/// for those the operations model (a missing resource is 400 there, not 404), and
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/CommonErrors.html> for those common to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) enum ErrorCode {
    #[serde(rename = "InvalidParameterValueException")]
    InvalidParameterValue,
    #[serde(rename = "InvalidRequestException")]
    InvalidRequest,
    #[serde(rename = "MissingParameterValueException")]
    MissingParameterValue,
    #[serde(rename = "ResourceNotFoundException")]
    ResourceNotFound,
    #[serde(rename = "ServiceUnavailableException")]
    ServiceUnavailable,
    #[serde(rename = "AccessDeniedException")]
    AccessDenied,
    #[serde(rename = "AlreadyExistsException")]
    AlreadyExists,
    #[serde(rename = "InvalidResourceStateException")]
    InvalidResourceState,
    #[serde(rename = "LimitExceededException")]
    LimitExceeded,
    #[serde(rename = "ThrottlingException")]
    Throttling,
    #[serde(rename = "InternalFailure")]
    InternalFailure,
    #[serde(rename = "SerializationException")]
    Serialization,
    #[serde(rename = "UnknownOperationException")]
    UnknownOperation,
    #[serde(rename = "RequestEntityTooLargeException")]
    TooLarge,
    #[serde(rename = "RequestTimeoutException")]
    Timeout,
}

impl ErrorCode {
    pub(super) fn name(self) -> &'static str {
        match self {
            ErrorCode::InvalidParameterValue => "InvalidParameterValueException",
            ErrorCode::InvalidRequest => "InvalidRequestException",
            ErrorCode::MissingParameterValue => "MissingParameterValueException",
            ErrorCode::ResourceNotFound => "ResourceNotFoundException",
            ErrorCode::ServiceUnavailable => "ServiceUnavailableException",
            ErrorCode::AccessDenied => "AccessDeniedException",
            ErrorCode::AlreadyExists => "AlreadyExistsException",
            ErrorCode::InvalidResourceState => "InvalidResourceStateException",
            ErrorCode::LimitExceeded => "LimitExceededException",
            ErrorCode::Throttling => "ThrottlingException",
            ErrorCode::InternalFailure => "InternalFailure",
            ErrorCode::Serialization => "SerializationException",
            ErrorCode::UnknownOperation => "UnknownOperationException",
            ErrorCode::TooLarge => "RequestEntityTooLargeException",
            ErrorCode::Timeout => "RequestTimeoutException",
        }
    }

    pub(super) fn status(self) -> u16 {
        match self {
            ErrorCode::AccessDenied => 403,
            ErrorCode::UnknownOperation => 404,
            ErrorCode::Timeout => 408,
            ErrorCode::TooLarge => 413,
            ErrorCode::ServiceUnavailable | ErrorCode::InternalFailure => 500,
            _ => 400,
        }
    }
}

impl ApiError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> ApiError {
        ApiError {
            code,
            message: message.into(),
            context: None,
        }
    }

    /// A parameter whose value the API refuses.
    pub(super) fn invalid(parameter: &str, message: impl Into<String>) -> ApiError {
        ApiError {
            code: ErrorCode::InvalidParameterValue,
            message: message.into(),
            context: Some(parameter.to_owned()),
        }
    }

    /// A required parameter that is absent or null.
    pub(super) fn missing(parameter: &str) -> ApiError {
        ApiError {
            code: ErrorCode::MissingParameterValue,
            message: format!("Required parameter {parameter} is missing."),
            context: Some(parameter.to_owned()),
        }
    }

    /// Returns AWS's answer for a vault that does not exist, or is another account's, or denies the call: they cannot
    /// be told apart, on purpose. Recorded in <https://github.com/boto/boto3/issues/2269>.
    pub(super) fn insufficient_privileges() -> ApiError {
        ApiError::new(
            ErrorCode::AccessDenied,
            "Insufficient privileges to perform this action.",
        )
    }
}
