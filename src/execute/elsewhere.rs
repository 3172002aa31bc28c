//! What exists already when a runner begins: jobs that a run without a journal may have started elsewhere, and those of
//! requests that an earlier runner sent without seeing the answer.
//!
//! One listing a resource type and target serves all of them, however many there are.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::engine::{Ended, Stopped};
use super::run::{Run, sweeps_of};
use super::settle::at_aws;
use super::{Clock, Journal, Observer, Writer};
use crate::diff::{Action, ApiError, Diff, Fault, Job, JobQuery, Reader, Stage};

/// How far back a run without a journal looks for its jobs: AWS Backup's own summaries of jobs reach as far
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreJobSummaries.html>).
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// Lists the jobs of the recovery points of what would be started for the first time, and of what was sent and not
    /// answered; how the run ends, where a person ends it meanwhile.
    pub(super) async fn look_elsewhere(&mut self, diff: &Diff) -> Result<Option<Ended>, Stopped> {
        let plan = self.engine.plan;
        let now = self.engine.clock.now();
        // Shared, so that calls can be made meanwhile.
        let drafts = self.drafts.clone();
        let mut points: BTreeSet<(usize, &str)> = BTreeSet::new();
        // From when on, by target and type.
        let mut windows: BTreeMap<(usize, &str), Timestamp> = BTreeMap::new();
        for change in &diff.changes {
            let step = &plan.steps[change.step];
            let Some(draft) = &drafts[change.step] else {
                continue;
            };
            let request = &draft.request;
            let past = self.observed.restores.get(&*step.name);
            let since = match (change.action, past) {
                (Action::Start, _) if change.attempt == 1 => {
                    now.saturating_sub(LOOK_BACK).unwrap_or(now)
                }
                (Action::Resume, Some(past)) if past.stage == Stage::Intended => {
                    at_aws(past.intended_at.min(now))
                }
                _ => continue,
            };
            points.insert((step.target, request.recovery_point_arn.as_str()));
            windows
                .entry((step.target, request.resource_type.as_str()))
                .and_modify(|earliest| *earliest = since.min(*earliest))
                .or_insert(since);
        }
        for ((place, resource_type), since) in windows {
            let query = JobQuery {
                account: plan.targets[place].account.clone(),
                resource_type: Some(resource_type.to_owned()),
                created_after: Some(since),
                completed_after: None,
            };
            let mut token = None;
            loop {
                let (jobs, next) = match self.page(place, &query, token.clone()).await? {
                    Ok(page) => page,
                    Err(ended) => return Ok(Some(ended)),
                };
                for job in jobs {
                    if let Some(arn) = job.recovery_point_arn.as_deref()
                        && points.contains(&(place, arn))
                    {
                        let key = (place, arn.to_owned());
                        self.elsewhere.entry(key).or_default().push(job);
                    }
                }
                token = next;
                if token.is_none() {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// A page of a listing, at the rates and with the patience of every other call.
    async fn page(
        &mut self,
        place: usize,
        query: &JobQuery,
        token: Option<String>,
    ) -> Result<Result<(Vec<Job>, Option<String>), Ended>, Stopped> {
        const OPERATION: &str = "ListRestoreJobs";
        loop {
            let now = self.engine.clock.now();
            let again = if self.calls.may(place, OPERATION, now) {
                match self.calls.page(place, query, token.clone()).await {
                    Ok(page) => {
                        self.tries.remove(&sweeps_of(place));
                        self.well_at(place, OPERATION)?;
                        return Ok(Ok(page));
                    }
                    Err(error) => self.later(place, error)?,
                }
            } else {
                self.calls.next_at().unwrap_or(now)
            };
            self.flush()?;
            if let Some(ended) = self.pause(again).await {
                return Ok(Err(ended));
            }
        }
    }

    /// When to ask again, where that may help.
    fn later(&mut self, place: usize, error: ApiError) -> Result<Timestamp, Stopped> {
        if matches!(error.fault, Fault::Denied | Fault::Refused) {
            return Err(Stopped::Aws(error));
        }
        let at = self.trouble(place, &error, sweeps_of(place))?;
        if self.given_up {
            return Err(Stopped::Aws(error));
        }
        Ok(at)
    }

    /// The jobs of a recovery point that were there already, from a time on.
    pub(super) fn found(&self, place: usize, arn: &str, since: Timestamp) -> Vec<Job> {
        self.elsewhere
            .get(&(place, arn.to_owned()))
            .into_iter()
            .flatten()
            .filter(|job| job.created_at.is_none_or(|created| created >= since))
            .cloned()
            .collect()
    }
}
