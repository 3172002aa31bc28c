//! Does the job of a request exist already?
//!
//! Asked in two cases. A request left, no answer came, and it is too long ago for its token to be trusted: AWS
//! documents a token without a lifetime today and said «one hour» in 2019
//! (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>). Or a run begins without a
//! journal, and may have run before, elsewhere. `ListRestoreJobs` has no filter by recovery point or token: a window is
//! listed, and the metadata of what is left is compared.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::diff::{ApiError, Job, JobQuery, Reader};
use crate::plan::{MARK, Request};

/// How long a token is trusted to be remembered: under the hour that AWS once documented.
pub(super) const TOKEN_IS_SAFE: SignedDuration = SignedDuration::from_mins(45);
/// How far the clocks of this machine and AWS may differ.
pub(super) const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// A job that asks for the same as a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) job_id: String,
    /// Whether it has the mark that redrill leaves, made from this very token.
    pub(super) is_marked: bool,
    pub(super) created_at: Option<Timestamp>,
}

/// The jobs of a window that this request may have started.
pub(super) async fn candidates<R: Reader>(
    reader: &R,
    query: &JobQuery,
    request: &Request,
) -> Result<Vec<Match>, ApiError> {
    let jobs = all_jobs(reader, query).await?;
    let jobs = jobs
        .into_iter()
        .filter(|job| {
            job.recovery_point_arn.as_deref() == Some(request.recovery_point_arn.as_str())
        })
        .collect();
    matches(reader, jobs, request).await
}

/// Every page of a window.
pub(super) async fn all_jobs<R: Reader>(
    reader: &R,
    query: &JobQuery,
) -> Result<Vec<Job>, ApiError> {
    let (mut jobs, mut token) = reader.jobs_page(query, None).await?;
    while token.is_some() {
        let (more, next) = reader.jobs_page(query, token).await?;
        jobs.extend(more);
        token = next;
    }
    Ok(jobs)
}

/// Those among the jobs of a recovery point that ask for the same as a request.
pub(super) async fn matches<R: Reader>(
    reader: &R,
    jobs: Vec<Job>,
    request: &Request,
) -> Result<Vec<Match>, ApiError> {
    let (wanted, mark) = folded(&request.metadata);
    // A mark of redrill's own making that is another token's: another run asked for it, and said so.
    let is_another_runs = |other: Option<&str>| {
        other != mark
            && other
                .and_then(|other| uuid::Uuid::parse_str(other).ok())
                .is_some_and(|other| other.get_version_num() == 5)
    };
    let mut found = Vec::new();
    for job in jobs {
        let metadata = reader.job_metadata(&job.id).await?;
        let (metadata, other) = folded(&metadata);
        if metadata == wanted && !is_another_runs(other) {
            found.push(Match {
                job_id: job.id,
                is_marked: mark.is_some() && other == mark,
                created_at: job.created_at,
            });
        }
    }
    Ok(found)
}

/// Keys without case, which AWS does not keep for every type; the mark apart.
fn folded(metadata: &BTreeMap<String, String>) -> (BTreeMap<String, &str>, Option<&str>) {
    let mut folded: BTreeMap<String, &str> = metadata
        .iter()
        .map(|(key, value)| (key.to_lowercase(), value.as_str()))
        .collect();
    let mark = folded.remove(MARK);
    (folded, mark)
}
