//! Jobs of recovery points, for whoever asks before a run: whose they are, and what they were asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::flight::{Kin, is_of, kin};
use super::listing_window::listed_since;
use super::skew::{Moment, Skew};
use crate::backup::{ApiError, Job, JobQuery, Reader, each_job_page};
use crate::plan::{MARK, Plan, Request, TokenedRequest, mark, token};
use crate::state::RestoreState;

/// The jobs of a type that AWS lists since a time; of some recovery points, where those are named.
///
/// # Errors
///
/// The first answer that is none.
pub async fn jobs_of(
    aws: &impl Reader,
    account: &str,
    resource_type: &str,
    points: Option<&BTreeSet<&str>>,
    since: Timestamp,
) -> Result<Vec<Job>, ApiError> {
    let query = JobQuery::since(account, since).of_type(resource_type);
    let is_asked = |job: &Job| {
        let point = job.recovery_point_arn.as_deref();
        let is_wanted = |arn| points.is_none_or(|points| points.contains(arn));
        !job.id.is_empty() && is_of(job, account) && point.is_some_and(is_wanted)
    };
    let mut found = Vec::new();
    let take = |page: Vec<Job>| {
        found.extend(page.into_iter().filter(is_asked));
        ControlFlow::Continue(())
    };
    each_job_page(aws, &query, take).await?;
    Ok(found)
}

/// From when on the job of a request without an answer may be.
#[must_use]
pub fn may_be_since(past: &RestoreState, now: Timestamp) -> Timestamp {
    // A job with the mark is its own however old, and so is one that was about to be adopted.
    if past.is_marked || past.adopts.is_some() {
        return listed_since(now);
    }
    let now_here = Moment {
        here: now,
        aws: None,
    };
    let left = now_here.left(past);
    left.sent_since(Skew::default()).max(listed_since(now))
}

/// Whose a job is, by what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// It has the mark of this very request.
    Own,
    /// It asks for the same, and no mark tells whose it is.
    Alike,
    /// It has the mark of this run and restore, and asks for something else.
    OfThisRun,
    /// Another's.
    Other,
}

/// Whose a job is that was asked for a metadata, as seen from a request with its token.
#[must_use]
pub fn whose(metadata: &BTreeMap<String, String>, request: &TokenedRequest) -> Whose {
    match kin(metadata, request) {
        Some(Kin::Marked) => Whose::Own,
        Some(Kin::Alike) => Whose::Alike,
        None => Whose::Other,
    }
}

/// The same for a restore of a plan whose journal is not there: a mark is made from all of a request, so that of a changed one
/// shows as soon as it is made again from what AWS says that the job was asked for: its metadata and its recovery point.
#[must_use]
pub fn whose_without_journal(
    metadata: &BTreeMap<String, String>,
    recovery_point_arn: &str,
    plan: &Plan,
    step: usize,
) -> Whose {
    /// Of so many attempts it is looked for.
    const ATTEMPTS: u32 = 5;
    let draft = &plan.steps[step].draft;
    let is_of_point = draft.request.recovery_point_arn == recovery_point_arn;
    if is_of_point {
        let Some(own) = plan.token(step, 1) else {
            return Whose::Other;
        };
        let whose = whose(metadata, &draft.sent_with(&own));
        if whose != Whose::Other {
            return whose;
        }
    }
    let mut asked = metadata.clone();
    let marks: Vec<String> = asked
        .keys()
        .filter(|key| key.eq_ignore_ascii_case(MARK))
        .cloned()
        .collect();
    let marks: Vec<String> = marks.iter().filter_map(|key| asked.remove(key)).collect();
    if marks.is_empty() {
        return Whose::Other;
    }
    let asked = Request {
        metadata: asked.into_iter().collect(),
        recovery_point_arn: recovery_point_arn.to_owned(),
        ..draft.request.clone()
    };
    let asks = |request: &Request| {
        (1..=ATTEMPTS).any(|attempt| {
            let mark = mark(&token(&plan.identity(step, attempt), request));
            marks.iter().any(|of| of.trim().eq_ignore_ascii_case(&mark))
        })
    };
    // Another attempt of the same request is no other request.
    match (is_of_point && asks(&draft.request), asks(&asked)) {
        (true, _) => Whose::Own,
        (false, true) => Whose::OfThisRun,
        (false, false) => Whose::Other,
    }
}
