//! Does the job of a request exist already?
//!
//! Asked in two cases. A request may have left without an answer, and its token cannot be trusted any more: AWS
//! documents a token without a lifetime today and said «one hour» in 2019
//! (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>). Or a run begins without a
//! journal, and may have run before, elsewhere. `ListRestoreJobs` has no filter by recovery point or token: a window is
//! listed, and the metadata of what is left is compared, a call each.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::diff::{ApiError, Job, JobQuery, Pages};
use crate::plan::{MARK, Request};

/// How long a token is trusted to be remembered: under the hour that AWS once documented.
pub(super) const TOKEN_IS_SAFE: SignedDuration = SignedDuration::from_mins(45);
/// How far the clocks of this machine and AWS may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// The earliest that AWS may call a time of this machine.
pub(super) fn at_aws(at: Timestamp) -> Timestamp {
    at.saturating_sub(CLOCK_SKEW).unwrap_or(at)
}

/// Whether AWS may have forgotten the token of a request of that time. A clock that went backwards says nothing about how
/// long it is.
pub(super) fn is_long_ago(at: Timestamp, now: Timestamp) -> bool {
    at > now || now.duration_since(at) >= TOKEN_IS_SAFE
}

/// The earliest that the job of a request may be of, by AWS's clock, where the request was meant to leave at a time: what
/// there was before that was looked at so long before at the most, and somebody else may have sent it since.
pub(super) fn sent_since(at: Timestamp) -> Timestamp {
    at_aws(at.saturating_sub(TOKEN_IS_SAFE).unwrap_or(at))
}

/// A job that asks for the same as a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) job_id: String,
    /// Whether it has the mark that redrill leaves, made from this very token.
    pub(super) is_marked: bool,
    pub(super) created_at: Option<Timestamp>,
}

/// Why it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing has been sent by this run, as far as its journal knows.
    First,
    /// The request may have arrived.
    Unanswered,
}

/// The question about one request, and how far the answer is.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) why: Why,
    /// What is still to be listed, and from which page on.
    pub(super) listing: Option<(JobQuery, Pages)>,
    /// Jobs of the recovery point that are still to be compared.
    pub(super) jobs: Vec<Job>,
    /// Those that ask for the same.
    pub(super) matches: Vec<Match>,
    /// When the listing was asked for.
    pub(super) listed_at: Timestamp,
}

impl Question {
    /// About jobs that have been listed already.
    pub(super) fn of(why: Why, jobs: Vec<Job>, listed_at: Timestamp) -> Self {
        Self {
            why,
            listing: None,
            jobs,
            matches: Vec::new(),
            listed_at,
        }
    }

    /// About jobs that have to be listed first.
    pub(super) fn listing(why: Why, query: JobQuery, now: Timestamp) -> Self {
        Self {
            listing: Some((query, Pages::default())),
            ..Self::of(why, Vec::new(), now)
        }
    }

    /// A page of the listing has come.
    pub(super) fn listed(
        &mut self,
        jobs: Vec<Job>,
        next: Option<String>,
        request: &Request,
    ) -> Result<(), ApiError> {
        self.jobs.extend(jobs.into_iter().filter(|job| {
            job.recovery_point_arn.as_deref() == Some(request.recovery_point_arn.as_str())
        }));
        if let Some((_, pages)) = &mut self.listing
            && !pages.turn("ListRestoreJobs", next)?
        {
            self.listing = None;
        }
        Ok(())
    }

    /// The metadata of one of the jobs has come.
    pub(super) fn compare(
        &mut self,
        job_id: &str,
        metadata: &BTreeMap<String, String>,
        request: &Request,
    ) {
        let Some(at) = self.jobs.iter().position(|job| job.id == job_id) else {
            return;
        };
        let job = self.jobs.swap_remove(at);
        let (wanted, mark) = folded(request.metadata.iter());
        let (found, other) = folded(metadata.iter());
        // A value that the plan gives itself is the same in every run of it, and marks none.
        let own = request.idempotency_token.as_deref().map(crate::plan::mark);
        let is_marked = other.is_some() && other == own.as_deref();
        // The mark is made from all of the request, whatever AWS makes of a value.
        if is_marked || found == wanted && !is_another_runs(other, mark) {
            self.matches.push(Match {
                job_id: job.id,
                is_marked,
                created_at: job.created_at,
            });
        }
    }
}

/// A mark of redrill's own making that is another token's: another run asked for it, and said so.
fn is_another_runs(other: Option<&str>, mark: Option<&str>) -> bool {
    other != mark
        && other
            .and_then(|other| uuid::Uuid::parse_str(other).ok())
            .is_some_and(|other| other.get_version_num() == 5)
}

/// Keys without case, which AWS does not keep for every type; the mark apart.
fn folded<'a>(
    metadata: impl Iterator<Item = (&'a String, &'a String)>,
) -> (BTreeMap<String, &'a str>, Option<&'a str>) {
    let mut folded: BTreeMap<String, &str> = metadata
        .map(|(key, value)| (key.to_lowercase(), value.as_str()))
        .collect();
    let mark = folded.remove(MARK);
    (folded, mark)
}
