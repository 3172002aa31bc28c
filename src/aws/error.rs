//! Classification of AWS's answers.
//!
//! Throttling and refusals of the caller are not in AWS Backup's model, so they are told apart by their code, not by
//! their type. An answer that does not have AWS's form is nobody's refusal: a proxy, a firewall or a login page between
//! here and AWS may have let the request through and kept the answer.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_backup::config::http::HttpResponse;
use aws_sdk_backup::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_backup::operation::RequestId;
use serde_json::Value;

use super::bounds;
use crate::backup::{ApiError, Fault, Operation, denied_action, remedy};

/// The codes that both the Rust SDK and botocore take for throttling.
const THROTTLING: [&str; 14] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// The caller is unknown, too late, or not allowed
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/CommonErrors.html>).
const DENIED: [&str; 13] = [
    "AccessDenied",
    "AccessDeniedException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// Meaning of an answer without AWS's form and request id.
const BETWEEN: &str =
    "something between here and AWS has answered, such as a proxy, a firewall or a login page";

/// The caller's session has run out.
const EXPIRED: [&str; 2] = ["ExpiredToken", "ExpiredTokenException"];

/// Classifies an error; `host` is the endpoint that was asked, if any.
pub(super) fn classify<E>(
    operation: Operation,
    error: &SdkError<E, HttpResponse>,
    host: Option<&str>,
) -> ApiError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (fault, code, message) = match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let has_id = context.raw().headers().request_id().is_some();
            let code = context.err().code().map(bounds::message);
            let said = match (context.err().message(), &code) {
                (Some(message), Some(code)) => format!("{} ({code})", bounds::message(message)),
                (None, Some(code)) => code.clone(),
                (_, None) => BETWEEN.to_owned(),
            };
            let fault = match of_answer(status, code.as_deref().filter(|_| has_id)) {
                // A gateway or a firewall has errors of its own, with ids, and may have let the request through.
                Fault::Refused
                    if operation == Operation::StartRestoreJob
                        && !is_of_backup(code.as_deref()) =>
                {
                    Fault::Unreachable
                }
                fault => fault,
            };
            match code {
                Some(code) if has_id => (fault, Some(code), said),
                Some(_) => (
                    fault,
                    None,
                    format!("HTTP {status} in a form that is not AWS's: {said}; {BETWEEN}"),
                ),
                None if has_id && is_done(context.raw()) => {
                    let said = unreadable(context.raw(), context.err());
                    (Fault::Service, None, said)
                }
                None => (
                    fault,
                    None,
                    format!("HTTP {status} in a form that is not AWS's: {said}"),
                ),
            }
        }
        SdkError::ConstructionFailure(_) => (Fault::Refused, None, causes(error)),
        SdkError::TimeoutError(_) => {
            let host = host.unwrap_or("AWS");
            (
                Fault::Unreachable,
                None,
                format!("no answer from {host} in time"),
            )
        }
        SdkError::ResponseError(_) => (Fault::Service, None, causes(error)),
        _ => match credentials(error) {
            Some((fault, message)) => (fault, None, message),
            None => (Fault::Unreachable, None, transport(error, host)),
        },
    };
    let message = match (fault, code.as_deref()) {
        (Fault::Expired, _) => {
            format!("{message}; log in again, for example with `aws sso login`")
        }
        // AWS's words do not always say what would have to be allowed.
        (
            Fault::Denied,
            Some("AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation"),
        ) => {
            let message = match operation.iam_action() {
                action if message.contains(&action) || denied_action(&message).is_some() => message,
                action => format!("{message}; the caller needs {action}"),
            };
            match remedy(operation, &message) {
                Some(remedy) => format!("{message}; {remedy}"),
                None => message,
            }
        }
        _ => message,
    };
    ApiError {
        operation,
        fault,
        code,
        request_id: match error {
            SdkError::ServiceError(context) => {
                let id = context.raw().headers().request_id();
                id.map(bounds::message)
            }
            _ => None,
        },
        message,
    }
}

/// Returns true if an answer says in AWS's form that the request is done, whatever else it holds.
fn is_done(answer: &HttpResponse) -> bool {
    let is_json = |body| serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    answer.status().is_success() && answer.body().bytes().is_some_and(is_json)
}

/// Describes an answer that is AWS's, but not as its API says: nothing on the way has spoilt it.
fn unreadable(answer: &HttpResponse, error: &(dyn Error + 'static)) -> String {
    let why = innermost(error);
    let body = answer.body().bytes().unwrap_or_default();
    let field = field_at(body, &why).or_else(|| misfit(body, &why));
    let place = field.map_or(String::new(), |field| format!(" at `{field}`"));
    let id = answer.headers().request_id().unwrap_or_default();
    format!(
        "AWS's answer could not be read{place} ({why}); what was asked for is done: look at it with the AWS CLI, and use a \
         newer redrill, or report this with the request id {id}"
    )
}

/// The member of a JSON text that the SDK was reading where it says that it stopped: `Error at offset 17: …`.
fn field_at(body: &[u8], why: &str) -> Option<String> {
    let (_, offset) = why.split_once("offset ")?;
    let digits = offset.find(|c: char| !c.is_ascii_digit())?;
    let read = body.get(..offset[..digits].parse().ok()?)?;
    let read = String::from_utf8_lossy(read);
    let is_name = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    // A colon within a text has no quoted name before it.
    let mut names = read.rmatch_indices(':').filter_map(|(at, _)| {
        let before = read[..at].trim_end().strip_suffix('"')?;
        before.rsplit_once('"').map(|(_, name)| name)
    });
    names.find(is_name).map(str::to_owned)
}

/// The member that has a value of another kind than the SDK expects of it: of a value that is well-formed the SDK does not
/// say where it stands.
fn misfit(body: &[u8], why: &str) -> Option<String> {
    let fits = |name: &str, value: &Value| {
        let is_text = !["Date", "Bytes", "Minutes", "Time", "Count", "Days", "At"]
            .iter()
            .any(|end| name.ends_with(end));
        let is_flag = name.starts_with("Is") || name == "Locked";
        match value {
            Value::String(_) => is_text && !is_flag,
            Value::Bool(_) => is_flag,
            Value::Number(_) => !is_text || name.starts_with("Number"),
            Value::Null | Value::Array(_) | Value::Object(_) => true,
        }
    };
    if !why.contains("expected Value") {
        return None;
    }
    let mut left = vec![serde_json::from_slice::<Value>(body).ok()?];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(members) => {
                let wrong = members.iter().find(|(name, value)| !fits(name, value));
                if let Some((name, _)) = wrong {
                    return Some(name.clone());
                }
                left.extend(members.into_iter().map(|(_, value)| value));
            }
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    None
}

/// Returns true if a refusal is one that AWS Backup's model has, or that AWS documents for every service
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>, and `CommonErrors.html` there).
fn is_of_backup(code: Option<&str>) -> bool {
    const CODES: [&str; 19] = [
        "AlreadyExistsException",
        "ConflictException",
        "DependencyFailureException",
        "InvalidAction",
        "InvalidParameterCombination",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "InvalidQueryParameter",
        "InvalidRequestException",
        "InvalidResourceStateException",
        "LimitExceededException",
        "MalformedQueryString",
        "MissingAction",
        "MissingParameter",
        "MissingParameterValueException",
        "ResourceNotFoundException",
        "SerializationException",
        "ValidationError",
        "ValidationException",
    ];
    code.is_some_and(|code| CODES.contains(&code))
}

/// Classifies an answer by its HTTP status; the code is one of AWS's, with a request id.
fn of_answer(status: u16, code: Option<&str>) -> Fault {
    match code {
        Some(code) if THROTTLING.contains(&code) => Fault::Throttled,
        Some("RequestTimeout" | "RequestTimeoutException") => Fault::Service,
        _ if status >= 500 => Fault::Service,
        Some(code) if EXPIRED.contains(&code) => Fault::Expired,
        Some(code) if DENIED.contains(&code) => Fault::Denied,
        Some(_) if status == 429 => Fault::Throttled,
        Some(_) if (400..500).contains(&status) => Fault::Refused,
        _ => Fault::Unreachable,
    }
}

/// The error and what caused it, outermost first, each said once.
fn causes(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        next = error.source();
    }
    bounds::message(parts.join(": "))
}

/// Explains why the host that was asked gave no answer.
fn transport(error: &(dyn Error + 'static), host: Option<&str>) -> String {
    let is_connected = !causes(error).contains("(Connect)");
    let why = innermost(error);
    let host = host.unwrap_or("AWS");
    match is_connected {
        true => format!("the connection to {host} broke: {why}"),
        false => format!("cannot connect to {host}: {why}"),
    }
}

/// Returns the root cause, in its own words.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    bounds::message(innermost).trim_end_matches('.').to_owned()
}

/// Describes what is wrong with the credentials, if they are the cause.
fn credentials(error: &(dyn Error + 'static)) -> Option<(Fault, String)> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(credentials) = error.downcast_ref::<CredentialsError>() {
            return Some(match credentials {
                CredentialsError::CredentialsNotLoaded(_) => (
                    Fault::Denied,
                    "no AWS credentials were found; set AWS_PROFILE or give --profile".to_owned(),
                ),
                // The instance metadata service is asked last, where nothing else has any: it is told of what is missing.
                other if causes(other).contains("IMDS") => (
                    Fault::Expired,
                    format!(
                        "no AWS credentials were found in the environment, in the profile, from a container or from the \
                         instance metadata service ({})",
                        innermost(other)
                    ),
                ),
                // Whoever gives them out has none to give any more, such as IAM Identity Center after a day.
                other => (Fault::Expired, causes(other)),
            });
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issue_14_g_an_answer_that_cannot_be_read_names_its_field() {
        use aws_sdk_backup::operation::describe_restore_job::DescribeRestoreJobError;
        use aws_smithy_types::body::SdkBody;

        let body = r#"{"RestoreJobId":"a:b","Status":"RUNNING","PercentDone":50}"#;
        let offset = body.find("50").unwrap();
        let answer = |id: Option<&'static str>| {
            let mut answer = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body));
            if let Some(id) = id {
                answer.headers_mut().insert("x-amzn-requestid", id);
            }
            let why = format!("Error at offset {offset}: expected a string");
            let error = DescribeRestoreJobError::unhandled(why);
            classify(
                Operation::DescribeRestoreJob,
                &SdkError::service_error(error, answer),
                None,
            )
        };
        let error = answer(Some("r-1"));
        assert_eq!(
            (error.fault, error.operation),
            (Fault::Service, Operation::DescribeRestoreJob)
        );
        let told = "AWS's answer could not be read at `PercentDone` (Error at offset";
        assert!(error.message.contains(told), "{}", error.message);
        assert!(
            error.message.ends_with("with the request id r-1"),
            "{}",
            error.message
        );
        assert!(!error.message.contains("proxy"), "{}", error.message);
        // Without AWS's request id nobody knows who has answered.
        let error = answer(None);
        assert!(
            error.message.contains("such as a proxy"),
            "{}",
            error.message
        );
    }

    #[test]
    fn issue_14_g_fields_by_their_kind() {
        let body = br#"{"NextToken":null,"RestoreJobs":[{"IsParent":false,"CreationDate":1.5E9,"PercentDone":0}]}"#;
        let why = "failed to parse JSON: expected ValueString or ValueNull";
        assert_eq!(misfit(body, why).as_deref(), Some("PercentDone"));
        let body = br#"{"CreationDate":"today","Status":"RUNNING"}"#;
        let why = "failed to parse JSON: expected ValueNumber, ValueString, or ValueNull";
        assert_eq!(misfit(body, why).as_deref(), Some("CreationDate"));
        assert_eq!(misfit(br#"{"Status":"RUNNING"}"#, why), None);
        assert_eq!(misfit(body, "no"), None);
    }

    #[test]
    fn issue_14_g_fields_by_where_the_sdk_stopped() {
        let body = br#"{"RestoreJobs":[{"A":"x\":y"},{"PercentDone" : 1}]}"#;
        let text = std::str::from_utf8(body).unwrap();
        let at = |offset: usize| field_at(body, &format!("Error at offset {offset}: no"));
        assert_eq!(at(text.find("1}").unwrap()).as_deref(), Some("PercentDone"));
        assert_eq!(at(text.find("y\"").unwrap()).as_deref(), Some("A"));
        assert_eq!(at(0), None);
        assert_eq!(at(9999), None);
        assert_eq!(field_at(body, "no offset"), None);
    }

    /// Reliability R1.1: a refusal of StartRestoreJob is AWS Backup's.
    #[test]
    fn reliability_r1_1_a_gateway_has_errors_of_its_own() {
        for code in ["InvalidParameterValueException", "ValidationException"] {
            assert!(is_of_backup(Some(code)), "{code}");
        }
        for code in ["ForbiddenException", "WAFBlockedException", "BadRequest"] {
            assert!(!is_of_backup(Some(code)), "{code}");
        }
        assert!(!is_of_backup(None));
    }

    /// Reliability R1.1: a refusal has AWS's form, and is of the client's making.
    #[test]
    fn only_what_has_aws_form_is_a_refusal() {
        let of = |status, code| of_answer(status, code);
        assert_eq!(
            of(400, Some("InvalidParameterValueException")),
            Fault::Refused
        );
        assert_eq!(of(403, Some("AccessDeniedException")), Fault::Denied);
        assert_eq!(of(403, Some("ExpiredTokenException")), Fault::Expired);
        assert_eq!(of(429, Some("TooManyRequestsException")), Fault::Throttled);
        assert_eq!(of(503, Some("SlowDown")), Fault::Throttled);
        for status in [301, 302, 307, 400, 401, 403, 404, 407, 409, 418, 429, 451] {
            assert_eq!(of(status, None), Fault::Unreachable, "{status}");
        }
        for status in [500, 502, 503, 504] {
            assert_eq!(of(status, None), Fault::Service, "{status}");
            // Whoever fails may have acted first.
            assert_eq!(of(status, Some("AccessDeniedException")), Fault::Service);
        }
    }
}
