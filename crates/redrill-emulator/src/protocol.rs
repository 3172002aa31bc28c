//! Errors as each service writes them: REST with JSON, JSON with a target, the query protocol with XML.

use serde::Serialize;

use super::answer::Answer;
use super::operation::Api;
use super::policy::Denial;
use super::xml;

/// An error of a service.
pub(super) fn error(api: Api, status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    match api {
        Api::Backup => Answer::error_of(status, code, message, None),
        Api::Sts | Api::Iam => xml::error(xml::namespace(api), status, code, message, request_id),
        Api::CloudControl => json(api, "com.amazon.cloudapiservice#", status, code, message),
        Api::ServiceQuotas | Api::Kms => json(api, "", status, code, message),
    }
}

/// The JSON protocols have the code in the body alone, as captured in <https://github.com/aws/aws-sdk/issues/140>.
fn json(api: Api, prefix: &str, status: u16, code: &str, message: &str) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        __type: String,
        #[serde(rename = "Message")]
        message: &'a str,
    }
    let prefix = match code {
        // The framework answers these, before the service.
        "AccessDeniedException" | "UnknownOperationException" | "SerializationException" => {
            "com.amazon.coral.service#"
        }
        _ => prefix,
    };
    let body = Body {
        __type: format!("{prefix}{code}"),
        message,
    };
    Answer {
        status,
        content_type: json_type(api),
        error_type: Some(code.to_owned()),
        ..Answer::json(&body)
    }
}

/// The content type of a JSON protocol.
pub(super) fn json_type(api: Api) -> &'static str {
    match api {
        Api::ServiceQuotas | Api::Kms => "application/x-amz-json-1.1",
        _ => "application/x-amz-json-1.0",
    }
}

/// Throttles as each service does: the model of Service Quotas has an exception of its own.
pub(super) fn throttled(api: Api, request_id: &str) -> Answer {
    let code = match api {
        Api::ServiceQuotas => "TooManyRequestsException",
        Api::Backup | Api::Sts | Api::CloudControl | Api::Iam | Api::Kms => "ThrottlingException",
    };
    error(api, 400, code, "Rate exceeded", request_id)
}

/// A refusal by policies. Cloud Control API answers it with 400, as captured in
/// <https://github.com/aws/aws-sdk/issues/140>; that Service Quotas, of the same protocol, does too is an assumption.
pub(super) fn denied(api: Api, message: &str, request_id: &str) -> Answer {
    let (status, code) = match api {
        Api::Backup => (403, "AccessDeniedException"),
        Api::Sts | Api::Iam => (403, "AccessDenied"),
        Api::CloudControl | Api::ServiceQuotas | Api::Kms => (400, "AccessDeniedException"),
    };
    error(api, status, code, message, request_id)
}

/// The words of a denial, which of AssumeRole are fewer: captured in
/// <https://github.com/amzn/selling-partner-api-models/issues/2523>.
pub(super) fn words(denial: &Denial, user: &str, action: &str, resource: &str) -> String {
    match action {
        "sts:AssumeRole" => {
            format!("User: {user} is not authorized to perform: {action} on resource: {resource}")
        }
        _ => denial.words(user, action, resource),
    }
}
