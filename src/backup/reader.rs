//! The half of AWS that only reads. A dry run is handed this and nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::{Listed, Operation, Page, PointQuery, RecoveryPoint, Vault, denied_action, each_page};
use crate::ids::{AccountId, JobId};
use crate::plan::Request;
use crate::render::{SourceFacts, VaultName};

/// Whoever knows vaults and recovery points: AWS, or a file that recorded them.
pub trait Sources: Send + Sync {
    /// A recovery point and its restore metadata; `None` where no vault has it, or not the one that is named.
    fn source(
        &self,
        recovery_point_arn: &str,
        vault: Option<&VaultName>,
    ) -> impl Future<Output = Result<Option<SourceFacts>, ApiError>> + Send;

    /// A page of vaults, and the token of the next.
    fn vaults_page(
        &self,
        token: Option<String>,
    ) -> impl Future<Output = Result<Page<Vault>, ApiError>> + Send;

    /// A page of recovery points, and the token of the next.
    fn points_page(
        &self,
        query: &PointQuery,
        token: Option<String>,
    ) -> impl Future<Output = Result<Page<RecoveryPoint>, ApiError>> + Send;

    /// A recovery point with what no listing says; `None` where the vault does not have it, or the caller may not see it:
    /// AWS does not tell the two apart.
    fn point(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> impl Future<Output = Result<Option<RecoveryPoint>, ApiError>> + Send;

    /// Reads what GetRecoveryPointRestoreMetadata returns.
    fn restore_metadata(
        &self,
        vault: &VaultName,
        recovery_point_arn: &str,
    ) -> impl Future<Output = Result<BTreeMap<String, String>, ApiError>> + Send;

    /// A page of the tags of a recovery point, and the token of the next. AWS Backup may refuse them of points whose ARN is
    /// another service's (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListTags.html>).
    fn tags_page(
        &self,
        recovery_point_arn: &str,
        token: Option<String>,
    ) -> impl Future<Output = Result<Page<(String, String)>, ApiError>> + Send;
}

/// Read access to AWS.
pub trait Reader: Sources {
    /// Returns the caller (STS GetCallerIdentity).
    fn caller(&self) -> impl Future<Output = Result<CallerIdentity, ApiError>> + Send;

    /// Returns what AWS's clock said in its latest answer about jobs; none before the first.
    fn date(&self) -> Option<Timestamp>;

    /// One restore job.
    fn job(&self, job_id: &JobId) -> impl Future<Output = Result<Job, ApiError>> + Send;

    /// A page of restore jobs, and the token of the next.
    fn jobs_page(
        &self,
        query: &JobQuery,
        token: Option<String>,
    ) -> impl Future<Output = Result<Page<Job>, ApiError>> + Send;

    /// A page of what AWS calls protected: what has, or had, a recovery point. The token of the next.
    fn protected_page(
        &self,
        _token: Option<String>,
    ) -> impl Future<Output = Result<Page<ClaimedResource>, ApiError>> + Send {
        std::future::ready(Ok((Vec::new(), None)))
    }

    /// Checks if what a job has made for a request is still there; `None` if it made nothing of its own, or nothing
    /// reads its type.
    fn is_there(
        &self,
        _arn: &str,
        _request: &Request,
    ) -> impl Future<Output = Result<Option<bool>, ApiError>> + Send {
        std::future::ready(Ok(None))
    }

    /// The metadata that a job was started with.
    fn job_metadata(
        &self,
        job_id: &JobId,
    ) -> impl Future<Output = Result<BTreeMap<String, String>, ApiError>> + Send;
}

/// Account and ARN of the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account.
    pub account: AccountId,
    /// The ARN of the user, or of the session of a role.
    pub arn: String,
}

/// A resource that AWS Backup calls protected
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListProtectedResources.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedResource {
    /// Its ARN.
    pub arn: String,
    /// AWS's name of its type; empty where it does not say.
    pub resource_type: String,
}

impl Listed for ClaimedResource {
    fn name(&self) -> &str {
        &self.arn
    }
}

/// Everything that AWS calls protected.
///
/// # Errors
///
/// Where AWS does not answer, or the listing does not end.
pub async fn all_protected<R: Reader>(reader: &R) -> Result<Vec<ClaimedResource>, ApiError> {
    let mut all = Vec::new();
    let take = |page| {
        all.extend::<Vec<_>>(page);
        ControlFlow::Continue(())
    };
    let page = |token| reader.protected_page(token);
    each_page(Operation::ListProtectedResources, page, take).await?;
    Ok(all)
}

/// Query for jobs.
#[derive(Clone, Debug, Default)]
pub struct JobQuery {
    /// The account whose jobs they are.
    pub account: AccountId,
    /// AWS's name of the resource type; all where it is absent.
    pub resource_type: Option<String>,
    /// The job that they are nested in; all where it is absent.
    pub parent: Option<JobId>,
    /// Created at this time or later.
    pub created_after: Option<Timestamp>,
    /// Ended at this time or later.
    pub completed_after: Option<Timestamp>,
}

impl JobQuery {
    /// The jobs of an account that were created since a time of AWS's.
    #[must_use]
    pub fn since(account: &AccountId, created_after: Timestamp) -> Self {
        Self {
            account: account.to_owned(),
            created_after: Some(created_after),
            ..Self::default()
        }
    }

    /// Only those of a resource type.
    #[must_use]
    pub fn of_type(mut self, resource_type: &str) -> Self {
        self.resource_type = Some(resource_type.to_owned());
        self
    }

    /// The jobs that are nested in another.
    #[must_use]
    pub fn nested_in(account: &AccountId, job_id: &JobId) -> Self {
        Self {
            account: account.to_owned(),
            parent: Some(job_id.clone()),
            ..Self::default()
        }
    }
}

/// Reads the jobs of a query page by page, for as long as whoever takes them wants more.
///
/// # Errors
///
/// Where AWS does not answer, or the listing does not end.
pub async fn each_job_page<R: Reader>(
    reader: &R,
    query: &JobQuery,
    take: impl FnMut(Vec<Job>) -> ControlFlow<()>,
) -> Result<(), ApiError> {
    let page = |token| reader.jobs_page(query, token);
    each_page(Operation::ListRestoreJobs, page, take).await
}

/// A restore job as AWS describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Opaque: AWS writes it in upper and in lower case.
    pub id: JobId,
    /// Status of the job.
    pub status: JobStatus,
    /// AWS's words, mostly of a failure.
    pub message: Option<String>,
    /// ARN of what it made; may come early, late or never.
    pub created_resource_arn: Option<String>,
    /// Account that it belongs to.
    pub account: Option<AccountId>,
    /// Creation time of the job.
    pub created_at: Option<Timestamp>,
    /// End of the job.
    pub completed_at: Option<Timestamp>,
    /// AWS's name of the type of what it restores.
    pub resource_type: Option<String>,
    /// True if other jobs are nested in it.
    pub is_parent: bool,
    /// The job that it is nested in.
    pub parent: Option<JobId>,
    /// ARN of the recovery point that it restores.
    pub recovery_point_arn: Option<String>,
    /// Creation time of the recovery point.
    pub recovery_point_created_at: Option<Timestamp>,
    /// The resource that was backed up.
    pub source_resource_arn: Option<String>,
    /// The size of the backup, bytes.
    pub size_bytes: Option<i64>,
}

impl Job {
    /// Returns true if it is nested in the given job.
    #[must_use]
    pub fn is_nested_in(&self, id: &JobId) -> bool {
        let parent = self.parent.as_ref();
        parent.is_some_and(|parent| parent.is_same(id))
    }
}

impl Listed for Job {
    fn name(&self) -> &str {
        self.id.as_str()
    }
}

/// Status of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// Waits.
    Pending,
    /// Runs.
    Running,
    /// Has made what was asked for.
    Completed,
    /// Was given up by AWS; no caller can do that.
    Aborted,
    /// Has failed.
    Failed,
    /// A status that AWS has added since; followed on.
    Unknown(String),
}

impl JobStatus {
    /// Returns true if the status is final.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Aborted | Self::Failed)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Aborted => "ABORTED",
            Self::Failed => "FAILED",
            Self::Unknown(other) => other,
        })
    }
}

/// An answer of AWS that is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The call.
    pub operation: Operation,
    /// Fault: whose it is, and what it says about the request.
    pub fault: Fault,
    /// AWS's name of the error.
    pub code: Option<String>,
    /// AWS's name of the answer, which is what its support asks for first.
    pub request_id: Option<String>,
    /// Description of what happened.
    pub message: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request id {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    /// Returns true if it may mean that there is no such thing: AWS answers AccessDenied as well if a vault or recovery
    /// point does not exist. Credentials that have expired say nothing of either.
    #[must_use]
    pub fn may_mean_absence(&self) -> bool {
        match self.fault {
            Fault::Refused => true,
            Fault::Denied => self.code.as_deref() == Some("AccessDeniedException"),
            Fault::Throttled | Fault::Unreachable | Fault::Service | Fault::Expired => false,
        }
    }

    /// Returns true if a policy of IAM keeps the caller from asking, in IAM's words, which says nothing of what was
    /// asked about. AWS Backup's own refusal, of a vault that is not there or that keeps the caller out, names no
    /// action (`Insufficient privileges to perform this action.`, <https://github.com/boto/boto3/issues/2269>).
    #[must_use]
    pub fn lacks_permission(&self) -> bool {
        self.fault == Fault::Denied && denied_action(&self.message).is_some()
    }
}

/// Party at fault, and whether the request may have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Too many calls: not carried out; later.
    Throttled,
    /// No answer: perhaps carried out; later.
    Unreachable,
    /// AWS's own failure: perhaps carried out; later.
    Service,
    /// The caller's session has run out: not carried out; after logging in again.
    Expired,
    /// The caller may not, or is not known: not carried out; after something has been done about it.
    Denied,
    /// AWS has judged the request and refused it: not carried out.
    Refused,
}
