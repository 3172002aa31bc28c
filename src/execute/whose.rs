//! Jobs of recovery points, for whoever asks before a run: whose they are, and what they were asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::flight::{Kin, asked_for, attempt_among, is_of, kin};
use super::listing_window::listed_since;
use super::skew::{Moment, Skew};
use crate::backup::{ApiError, Job, JobQuery, Reader, each_job_page};
use crate::ids::{AccountId, IdempotencyToken, StepIndex};
use crate::plan::{Draft, Identity, MARK, Plan, Request, TokenedRequest, attempt_marks};
use crate::render::RequestField;
use crate::state::RestoreState;

/// The jobs of a type that AWS lists since a time; of some recovery points, where those are named.
///
/// # Errors
///
/// The first answer that is none.
pub async fn jobs_of(
    aws: &impl Reader,
    account: &AccountId,
    resource_type: &str,
    points: Option<&BTreeSet<&str>>,
    since: Timestamp,
) -> Result<Vec<Job>, ApiError> {
    let query = JobQuery::since(account, since).of_type(resource_type);
    let is_asked = |job: &Job| {
        let point = job.recovery_point_arn.as_deref();
        let is_wanted = |arn| points.is_none_or(|points| points.contains(arn));
        !job.id.as_str().is_empty() && is_of(job, account) && point.is_some_and(is_wanted)
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

/// Ownership of a job, judged by what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Carries the mark of this very request.
    Own,
    /// Carries the mark of another attempt of this very restore.
    OtherAttempt,
    /// Asks for the same, with no mark to tell whose it is.
    Alike,
    /// Carries the mark of this run and restore, and asks for something else.
    OfThisRun,
    /// Another's.
    Other,
}

/// Decides whose a job with this metadata is, as seen from a request with its token, whoever sends that.
#[must_use]
pub fn whose(
    metadata: &BTreeMap<String, String>,
    request: &TokenedRequest,
    identity: &Identity<'_>,
) -> Whose {
    let kin_of_mark = |mark: &str, _: &BTreeMap<String, String>| {
        attempt_among(&attempt_marks(identity, request), mark).map(Kin::Attempt)
    };
    match kin(metadata, request, &kin_of_mark) {
        Some(Kin::Marked) => Whose::Own,
        Some(Kin::Attempt(_)) => Whose::OtherAttempt,
        Some(Kin::Alike) => Whose::Alike,
        Some(Kin::Changed) | None => Whose::Other,
    }
}

/// The same for a restore of a plan whose journal is not there: a mark is made from all of a request, so that of a changed one
/// shows as soon as it is made again from what AWS says that the job was asked for: its metadata and its recovery point.
#[must_use]
pub fn whose_without_journal(
    metadata: &BTreeMap<String, String>,
    recovery_point_arn: &str,
    plan: &Plan,
    step: StepIndex,
) -> Whose {
    let draft = &plan.steps[step].draft;
    let identity = plan.identity(step, 1);
    let is_of_point = draft.request.recovery_point_arn == recovery_point_arn;
    if let Some(own) = plan.token(step, 1).filter(|_| is_of_point) {
        let whose = whose(metadata, &draft.sent_with(&own), &identity);
        if whose != Whose::Other {
            return whose;
        }
    }
    let mut keys = metadata.iter();
    let Some((_, mark)) = keys.find(|(key, _)| key.eq_ignore_ascii_case(MARK)) else {
        return Whose::Other;
    };
    let asked = Request {
        recovery_point_arn: recovery_point_arn.to_owned(),
        ..asked_for(metadata, &draft.request)
    };
    let differs = !is_of_point || is_known_to_differ(draft, &asked);
    let marks = attempt_marks(
        &identity,
        &TokenedRequest::new(asked, &IdempotencyToken::new("")),
    );
    match attempt_among(&marks, mark.trim()) {
        // A value that is not known yet may turn out the same: that shows when its turn comes.
        Some(_) if !differs => Whose::Own,
        Some(_) => Whose::OfThisRun,
        None => Whose::Other,
    }
}

/// Returns true if the known part of a request already differs from what was asked for.
fn is_known_to_differ(draft: &Draft, asked: &Request) -> bool {
    let waits = |key: &str| draft.holes.contains_key(&RequestField::Key(key.to_owned()));
    let known = &draft.request.metadata;
    let is_new = |key: &String| !waits(key) && !known.contains_key(key);
    let is_another =
        |key: &String, value: &String| !waits(key) && asked.metadata.get(key) != Some(value);
    asked.metadata.keys().any(is_new) || known.iter().any(|(key, value)| is_another(key, value))
}
