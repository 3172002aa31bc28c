//! What exists already when a runner begins: jobs that a run without a journal may have started elsewhere, and those of
//! requests that an earlier runner sent without seeing the answer.
//!
//! One listing a resource type and target serves all of them, however many there are.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Observer;
use super::engine::{Control, Ended, Stopped};
use super::reconciliation::is_of;
use super::run::{Run, sweeps_of};
use super::skew::Moment;
use crate::backup::{ApiError, Clock, Fault, Job, JobQuery, Pages, Reader, Writer};
use crate::diff::{Action, Diff};
use crate::state::{Journal, RestoreStage, RestoreState};

/// How far back a run without a journal looks for its jobs: AWS Backup's own summaries of jobs reach as far
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreJobSummaries.html>).
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

/// From when on AWS Backup lists restore jobs.
#[must_use]
pub fn listed_since(now: Timestamp) -> Timestamp {
    lookback_start(now)
}

/// As far back as that.
pub(super) fn lookback_start(now: Timestamp) -> Timestamp {
    now.saturating_sub(LOOK_BACK).unwrap_or(now)
}

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// Lists the jobs of the recovery points of what would be started, and of what was sent and not answered; what a
    /// person has to say meanwhile.
    pub(super) async fn list_existing_jobs(
        &mut self,
        diff: &Diff,
    ) -> Result<Option<Control>, Stopped> {
        let plan = self.engine.plan;
        let lookback_start = lookback_start(self.moment().earlier());
        let mut wanted = Vec::new();
        for change in &diff.changes {
            let past = self.observed.restores.get(&*plan.steps[change.step].name);
            match (change.action, past) {
                (Action::Start, _) => {
                    wanted.push((change.step, lookback_start));
                }
                (Action::Resume, Some(past)) if past.stage == RestoreStage::Intended => {
                    // A job with the mark is its own however old: the intent may have been written to adopt it, and earlier
                    // versions do not say so.
                    let is_old = self.is_told_by_its_mark(change.step) || past.adopts.is_some();
                    let since = match is_old {
                        true => lookback_start,
                        false => self.sent_since(past),
                    };
                    wanted.push((change.step, since));
                }
                _ => {}
            }
        }
        self.list(&wanted).await
    }

    /// The jobs of a type from a time of AWS's on.
    pub(super) fn query(&self, place: usize, resource_type: &str, since: Timestamp) -> JobQuery {
        JobQuery {
            account: self.engine.plan.targets[place].account.clone(),
            resource_type: Some(resource_type.to_owned()),
            created_after: Some(since),
            ..JobQuery::default()
        }
    }

    /// Now, by both clocks.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            here: self.engine.clock.now(),
            aws: self.calls.date(),
        }
    }

    /// When a request was meant to leave.
    pub(super) fn left(&self, past: &RestoreState) -> Moment {
        Moment {
            here: past.intended_at.min(self.engine.clock.now()),
            aws: past.aws_at,
        }
    }

    /// From when on the job of a request may be, by AWS's clock.
    pub(super) fn sent_since(&self, past: &RestoreState) -> Timestamp {
        self.left(past).sent_since(self.skew)
    }

    /// Looks again where that is due; how the run ends, where a person ends it meanwhile.
    pub(super) async fn look_again_if_due(&mut self) -> Result<Option<Ended>, Stopped> {
        if self.detaching || !self.is_to_look_again() {
            return Ok(None);
        }
        match self.look_again().await {
            Ok(None) => Ok(None),
            Ok(Some(control)) => self.on_control(control).await,
            // What runs is followed all the same.
            Err(why @ Stopped::Aws(_)) => {
                self.given_up = false;
                self.stop(why);
                Ok(None)
            }
            Err(why) => Err(why),
        }
    }

    /// Whether something may start now, and what others may have started in the meantime was looked at so long ago that
    /// AWS may have forgotten their tokens: a machine that slept may have been given up for lost.
    fn is_to_look_again(&self) -> bool {
        self.looked_at.is_long_ago(self.moment())
            && (0..self.pollers.len()).any(|place| self.schedule.has_next(place))
    }

    /// Lists what has been started since then.
    async fn look_again(&mut self) -> Result<Option<Control>, Stopped> {
        let since = self.looked_at.earliest(self.skew);
        let waiting = self.schedule.waiting();
        let wanted: Vec<_> = waiting.map(|step| (step, since)).collect();
        // What was looked at before is as old as it was.
        for step in self.requests.keys() {
            self.exposed_since.entry(*step).or_insert(self.looked_at);
        }
        self.list(&wanted).await
    }

    /// Whether AWS shows of a job of a restore whose it is.
    pub(super) fn is_told_by_its_mark(&self, step: usize) -> bool {
        let draft = self.drafts[step].as_ref();
        draft.is_some_and(|draft| draft.takes_mark)
    }

    /// Lists the jobs of the recovery points of some restores, of each from a time on.
    async fn list(&mut self, wanted: &[(usize, Timestamp)]) -> Result<Option<Control>, Stopped> {
        let plan = self.engine.plan;
        let mut looked_at = self.moment();
        // Shared, so that calls can be made meanwhile.
        let drafts = self.drafts.clone();
        let mut points: BTreeSet<(usize, &str)> = BTreeSet::new();
        // From when on, by target and type.
        let mut windows: BTreeMap<(usize, &str), Timestamp> = BTreeMap::new();
        for (step, since) in wanted {
            let place = plan.steps[*step].target;
            let draft = drafts[*step].as_ref();
            let Some(draft) = draft.filter(|draft| !draft.waits_for_its_point()) else {
                continue;
            };
            let arn = draft.request.recovery_point_arn.as_str();
            if !points.insert((place, arn)) {
                self.shared.insert((place, arn.to_owned()));
            }
            windows
                .entry((place, draft.request.resource_type.as_str()))
                .and_modify(|earliest| *earliest = (*since).min(*earliest))
                .or_insert(*since);
        }
        if windows.is_empty() {
            self.looked_at = looked_at;
            return Ok(None);
        }
        // Those of this run are its own.
        let account = |place: usize| plan.targets[place].account.as_str();
        for ((place, resource_type), since) in windows {
            let query = self.query(place, resource_type, since);
            let mut pages = Pages::default();
            loop {
                let (jobs, next) = match self.page(place, &query, &pages).await? {
                    Ok(page) => page,
                    Err(control) => return Ok(Some(control)),
                };
                // What AWS's clock said first is as old as the look at the most.
                looked_at.aws = looked_at.aws.or(self.moment().aws);
                let ids = jobs.iter().map(|job| job.id.as_str());
                let goes_on = pages.turn_after("ListRestoreJobs", next, ids);
                for job in jobs {
                    if let Some(arn) = job.recovery_point_arn.as_deref()
                        && points.contains(&(place, arn))
                        && is_of(&job, account(place))
                        && !self.lookout.is_own(&job.id)
                    {
                        let known = self.existing[place].entry(arn.to_owned()).or_default();
                        known.retain(|earlier| earlier.id != job.id);
                        known.push(job);
                    }
                }
                if !goes_on.map_err(Stopped::Aws)? {
                    break;
                }
            }
        }
        self.looked_at = looked_at;
        Ok(None)
    }

    /// A page of a listing, at the rates and with the patience of every other call.
    async fn page(
        &mut self,
        place: usize,
        query: &JobQuery,
        pages: &Pages,
    ) -> Result<Result<(Vec<Job>, Option<String>), Control>, Stopped> {
        const OPERATION: &str = "ListRestoreJobs";
        loop {
            let now = self.engine.clock.now();
            let retry = if self.calls.may(place, OPERATION, now) {
                let asked = tokio::select! {
                    biased;
                    Some(control) = self.engine.control.recv() => return Ok(Err(control)),
                    asked = Box::pin(self.calls.page(place, query, pages.token())) => asked,
                };
                self.break_silence(pages.read());
                self.skew.see(self.moment());
                match asked {
                    Ok(page) => {
                        self.tries.answered(sweeps_of(place), OPERATION);
                        self.succeeded_at(place, OPERATION)?;
                        return Ok(Ok(page));
                    }
                    Err(error) => self.later(place, error)?,
                }
            } else {
                self.calls.take_held().unwrap_or(now)
            };
            self.flush_all().await?;
            if let Some(control) = self.pause(retry).await {
                return Ok(Err(control));
            }
        }
    }

    /// When to ask again, where that may help.
    fn later(&mut self, place: usize, error: ApiError) -> Result<Timestamp, Stopped> {
        if matches!(error.fault, Fault::Denied | Fault::Refused) {
            return Err(Stopped::Aws(error));
        }
        let at = self.retry_at(place, &error, sweeps_of(place))?;
        if self.given_up {
            return Err(Stopped::Aws(error));
        }
        Ok(at)
    }

    /// The jobs of a recovery point that were there already.
    pub(super) fn existing_jobs(&self, place: usize, arn: &str) -> &[Job] {
        self.existing[place].get(arn).map_or(&[], Vec::as_slice)
    }
}
