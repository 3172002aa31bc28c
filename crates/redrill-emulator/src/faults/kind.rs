//! Kinds of faults, with the names by which scripts ask for them.

use std::time::Duration;

use jiff::SignedDuration;

use super::super::course::JobFault;

/// Fault that strikes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// `ThrottlingException` (400, "Rate exceeded"), as AWS Backup throttles.
    Throttle,
    /// Whatever is asked above this rate in a second of the emulator's time is throttled: others use the account too.
    Squeeze(u32),
    /// Any error.
    Error {
        /// HTTP status.
        status: u16,
        /// In the header `x-amzn-ErrorType` and the body.
        code: String,
        /// In the body.
        message: String,
    },
    /// An error whose code is in the body alone, where the Rust SDK does not look.
    CodeInBodyOnly {
        /// HTTP status.
        status: u16,
        /// In the body.
        code: String,
        /// In the body.
        message: String,
    },
    /// A status without code or body.
    Bare(u16),
    /// A status with a page for people, as proxies and load balancers write.
    Html(u16),
    /// The request is done, and a status with a page for people comes in place of the answer, without AWS's request id: as a
    /// proxy, a firewall or a login page on the way back writes.
    HtmlAfter(u16),
    /// 200 with a body that is no JSON.
    Garbage,
    /// The connection is reset; the request has done nothing.
    ResetBefore,
    /// The request is done, a job is started, and the connection is reset in place of the answer.
    ResetAfter,
    /// The connection is closed; the request has done nothing.
    CloseBefore,
    /// The request is done, and the connection is closed in place of the answer.
    CloseAfter,
    /// The request is done; half of the answer comes, then the connection ends.
    Truncate,
    /// The request is done; the answer comes byte by byte, so long from one to the next, in real time.
    Drip(Duration),
    /// The request is done, and no answer ever comes.
    NoAnswer,
    /// The answer comes so much later, in real time. The request is done when it arrives.
    Latency(Duration),
    /// The request is done so much later, in real time.
    LateDeed(Duration),
    /// The connection ends after the answer, politely.
    CloseConnection,
    /// Every connection is reset, this one before its request has done anything: as if the service were restarted. Jobs
    /// and tokens stay.
    Restart,
    /// To a StartRestoreJob: the job that it makes goes otherwise.
    Job(JobFault),
    /// To a StartRestoreJob: its token is taken for a new one.
    ForgetToken,
    /// To a list of jobs: it lacks those created within so long of now.
    ListLag(SignedDuration),
    /// To a DescribeRestoreJob or GetRestoreJobMetadata: the job is not known yet.
    NotYet,
    /// To a StartRestoreJob: it is done, and the answer names this job, whoever's it is.
    NamesJob(String),
    /// To a StartRestoreJob: it arrives twice, as from a network that repeats it; the second answer counts.
    Twice,
    /// To an answer about jobs: each job has the data of another one.
    Mixed,
    /// To a GetRestoreJobMetadata: keys and marks are in upper case, and there is a key more.
    MetadataUpper,
    /// To a GetRestoreJobMetadata: the mark is not in it.
    MetadataUnmarked,
    /// To any list: its page token is refused.
    LostPage,
    /// To an answer about jobs: they have a status that is not in the API model.
    UnknownStatus,
    /// To an answer about jobs: CreatedResourceArn, PercentDone and sizes are absent.
    Sparse,
    /// To an answer about jobs: PercentDone is a number, as it is in the events that AWS sends.
    PercentNumber,
}

/// A named error: status, code, message, and who says so.
type Named = (&'static str, u16, &'static str, &'static str);

/// Errors that AWS documents, by the names of scripts. Those without another source are of
/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/CommonErrors.html>.
const ERRORS: &[Named] = &[
    (
        "internal-failure",
        500,
        "InternalFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
    (
        // Of the operations themselves: <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>
        "service-unavailable",
        500,
        "ServiceUnavailableException",
        "The request failed due to a temporary failure of the server.",
    ),
    (
        "unavailable-503",
        503,
        "ServiceUnavailable",
        "The request has failed due to a temporary failure of the server.",
    ),
    (
        // <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DescribeRestoreJob.html>
        "dependency-failure",
        500,
        "DependencyFailureException",
        "A dependent Amazon Web Services service or resource returned an error to the Backup service, and the action cannot be completed.",
    ),
    (
        "too-many-requests",
        429,
        "TooManyRequestsException",
        "Too many requests",
    ),
    (
        // A quota of the account, which SDKs retry as if it were a rate:
        // <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupPlan.html>
        "limit-exceeded",
        400,
        "LimitExceededException",
        "A limit in the request has been exceeded; for example, a maximum number of items allowed in a request.",
    ),
    (
        "expired-token",
        403,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    ),
    (
        "invalid-token",
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    (
        "missing-token",
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    ),
    (
        "access-denied",
        403,
        "AccessDeniedException",
        "You do not have sufficient access to perform this action.",
    ),
    (
        "clock-skew",
        403,
        "InvalidSignatureException",
        "Signature expired: the date of the request is too far from that of the server.",
    ),
    (
        "opt-in",
        403,
        "OptInRequired",
        "The AWS access key ID needs a subscription for the service.",
    ),
    (
        "validation",
        400,
        "ValidationError",
        "The input fails to satisfy the constraints specified by an AWS service.",
    ),
];

/// Parameters of a kind in a script, besides its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Words {
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    /// A duration: `200ms`, `30s`, `1h`.
    pub(super) delay: Option<String>,
    pub(super) rate: Option<u32>,
    pub(super) factor: Option<u32>,
}

impl FaultKind {
    /// The names of all kinds, as `--fault` and fault scripts take them.
    pub fn names() -> Vec<&'static str> {
        let others = [
            "throttle",
            "squeeze",
            "error",
            "code-in-body-only",
            "bare-status",
            "html-error",
            "html-success",
            "html-after",
            "garbage",
            "reset-before",
            "reset-after",
            "close-before",
            "close-after",
            "truncate",
            "drip",
            "no-answer",
            "latency",
            "late-deed",
            "close-connection",
            "restart",
            "job-fails",
            "job-aborts",
            "job-issues",
            "job-hangs",
            "job-waits",
            "job-slow",
            "job-without-arn",
            "forget-token",
            "list-lag",
            "not-yet",
            "names-job",
            "twice",
            "mixed",
            "metadata-upper",
            "metadata-unmarked",
            "lost-page",
            "unknown-status",
            "sparse",
            "percent-number",
        ];
        let errors = ERRORS.iter().map(|(name, ..)| *name);
        others.into_iter().chain(errors).collect()
    }

    /// The error of that name, such as `expired-token`.
    fn named(name: &str) -> Option<FaultKind> {
        let (_, status, code, message) = ERRORS.iter().find(|(known, ..)| *known == name)?;
        Some(FaultKind::Error {
            status: *status,
            code: (*code).to_owned(),
            message: (*message).to_owned(),
        })
    }

    /// 500 `InternalFailure`.
    pub fn internal_failure() -> FaultKind {
        FaultKind::named("internal-failure").unwrap_or(FaultKind::Bare(500))
    }

    /// 500 `ServiceUnavailableException`, the error that AWS Backup documents for its own bad days.
    pub fn service_unavailable() -> FaultKind {
        FaultKind::named("service-unavailable").unwrap_or(FaultKind::Bare(500))
    }

    /// 403 `ExpiredTokenException`: the session's credentials have run out.
    pub fn expired_token() -> FaultKind {
        FaultKind::named("expired-token").unwrap_or(FaultKind::Bare(403))
    }

    /// The kind of that name, with what the script says besides.
    pub(super) fn parse(name: &str, words: Words) -> Result<FaultKind, String> {
        let delay = |usual: &str| -> Result<SignedDuration, String> {
            let text = words.delay.as_deref().unwrap_or(usual);
            match text.parse::<SignedDuration>() {
                Ok(delay) if !delay.is_negative() => Ok(delay),
                _ => Err(format!(
                    "{text:?} is not a duration: write 200ms, 30s or 1h"
                )),
            }
        };
        let real = |usual| {
            let delay = delay(usual)?;
            Duration::try_from(delay).map_err(|_| "the delay is too long".to_owned())
        };
        let message = |usual: &str| words.message.clone().unwrap_or_else(|| usual.to_owned());
        let status = words.status.unwrap_or(500);
        if !(200..=599).contains(&status) {
            return Err(format!("{status} is not an HTTP status: write 200 to 599"));
        }
        let code = || {
            words
                .code
                .clone()
                .unwrap_or_else(|| "InternalFailure".into())
        };
        Ok(match name {
            "throttle" => FaultKind::Throttle,
            "squeeze" => FaultKind::Squeeze(words.rate.unwrap_or(1)),
            "error" => FaultKind::Error {
                status,
                code: code(),
                message: message("Scripted."),
            },
            "code-in-body-only" => FaultKind::CodeInBodyOnly {
                status,
                code: code(),
                message: message("Scripted."),
            },
            "bare-status" => FaultKind::Bare(words.status.unwrap_or(429)),
            "html-error" => FaultKind::Html(words.status.unwrap_or(502)),
            "html-success" => FaultKind::Html(200),
            "html-after" => FaultKind::HtmlAfter(words.status.unwrap_or(403)),
            "garbage" => FaultKind::Garbage,
            "reset-before" => FaultKind::ResetBefore,
            "reset-after" => FaultKind::ResetAfter,
            "close-before" => FaultKind::CloseBefore,
            "close-after" => FaultKind::CloseAfter,
            "truncate" => FaultKind::Truncate,
            "drip" => FaultKind::Drip(real("1ms")?),
            "no-answer" => FaultKind::NoAnswer,
            "latency" => FaultKind::Latency(real("1s")?),
            "late-deed" => FaultKind::LateDeed(real("1s")?),
            "close-connection" => FaultKind::CloseConnection,
            "restart" => FaultKind::Restart,
            "job-fails" => FaultKind::Job(JobFault::Fails(message("Scripted failure."))),
            "job-aborts" => FaultKind::Job(JobFault::Aborts(message("Scripted abortion."))),
            "job-issues" => FaultKind::Job(JobFault::Issues(message("Completed with issues."))),
            "job-hangs" => FaultKind::Job(JobFault::Hangs),
            "job-waits" => FaultKind::Job(JobFault::Waits),
            "job-slow" => FaultKind::Job(JobFault::Slow(words.factor.unwrap_or(10))),
            "job-without-arn" => FaultKind::Job(JobFault::NoCreatedArn),
            "forget-token" => FaultKind::ForgetToken,
            "list-lag" => FaultKind::ListLag(delay("1m")?),
            "not-yet" => FaultKind::NotYet,
            "names-job" => FaultKind::NamesJob(message("")),
            "twice" => FaultKind::Twice,
            "mixed" => FaultKind::Mixed,
            "metadata-upper" => FaultKind::MetadataUpper,
            "metadata-unmarked" => FaultKind::MetadataUnmarked,
            "lost-page" => FaultKind::LostPage,
            "unknown-status" => FaultKind::UnknownStatus,
            "sparse" => FaultKind::Sparse,
            "percent-number" => FaultKind::PercentNumber,
            name => FaultKind::named(name).ok_or_else(|| {
                let names = FaultKind::names();
                format!("there is no fault {name:?}; there are {}", names.join(", "))
            })?,
        })
    }

    /// Returns true if it adds to what else happens, and does not decide.
    pub(super) fn adds_up(&self) -> bool {
        matches!(self, FaultKind::Latency(_))
    }
}
