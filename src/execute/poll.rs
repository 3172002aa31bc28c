//! A look at jobs from outside, for whoever only wants to know how far they are.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::Timestamp;

use super::listing_window::listed_since;
use super::poller::HANDFUL;
use super::skew::Skew;
use crate::backup::{ApiError, Fault, Job, JobQuery, Reader, ask_all, each_job_page};
use crate::ids::{AccountId, JobId};

/// Returns what AWS says of the jobs, which are given with the times of this machine at which their requests left;
/// those that it does not know are missing. A handful is described one by one, more are listed.
///
/// # Errors
///
/// The first answer that says nothing of the jobs.
pub async fn describe_jobs(
    aws: &impl Reader,
    account: &AccountId,
    mut jobs: BTreeMap<JobId, Timestamp>,
    now: Timestamp,
) -> Result<Vec<Job>, ApiError> {
    let mut found = Vec::with_capacity(jobs.len());
    let earliest = jobs
        .values()
        .min()
        .map_or(now, |at| Skew::default().at_aws(*at));
    // A job that was adopted is older than the request that it was found for.
    for since in [earliest, listed_since(now)] {
        if jobs.len() <= HANDFUL {
            break;
        }
        match listed(aws, account, since, &mut jobs, &mut found).await {
            Ok(()) => {}
            // Not everybody may list.
            Err(error) if error.fault == Fault::Denied => break,
            Err(error) => return Err(error),
        }
    }
    let questions = jobs.keys().map(async |job_id| match aws.job(job_id).await {
        Ok(job) => Ok(Some(job)),
        Err(error) if error.may_mean_absence() => Ok(None),
        Err(error) => Err(error),
    });
    ask_all(questions, |job| found.extend(job)).await?;
    Ok(found)
}

/// Takes those jobs that were created since a time.
async fn listed(
    aws: &impl Reader,
    account: &AccountId,
    since: Timestamp,
    jobs: &mut BTreeMap<JobId, Timestamp>,
    found: &mut Vec<Job>,
) -> Result<(), ApiError> {
    let query = JobQuery::since(account, since);
    let take = |page: Vec<Job>| {
        let page = page.into_iter();
        found.extend(page.filter(|job| jobs.remove(&job.id).is_some()));
        match jobs.is_empty() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    each_job_page(aws, &query, take).await
}
