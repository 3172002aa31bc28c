//! Jobs that exist already when a runner begins: those that a run without a journal may have started elsewhere, and
//! those of requests that an earlier runner sent without seeing the answer.
//!
//! One listing per resource type and target serves all of them, however many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::Run;
use crate::backup::{
    ApiError, Clock, Fault, Job, JobQuery, Operation, Page, Pages, Reader, Writer,
};
use crate::diff::{Action, Diff};
use crate::execute::Observer;
use crate::execute::engine::{Control, Ended, Stopped};
use crate::execute::flight::is_of;
use crate::execute::listing_window::listed_since;
use crate::execute::outage::Caller;
use crate::ids::{StepIndex, TargetIndex};
use crate::plan::Draft;
use crate::state::{Append, RestoreStage};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Lists the jobs of the recovery points of what would be started, and of what was sent and not answered; what a
    /// person has to say meanwhile.
    pub(super) async fn list_existing_jobs(
        &mut self,
        diff: &Diff,
    ) -> Result<Option<Control>, Stopped> {
        let plan = self.engine.plan;
        let lookback_start = listed_since(self.moment().earlier());
        let mut wanted = Vec::new();
        for change in &diff.changes {
            let past = self
                .observed
                .restores
                .get(plan.steps[change.step].name.as_str());
            match (change.action, past) {
                (Action::Start, _) => {
                    wanted.push((change.step, lookback_start));
                }
                (Action::Resume, Some(past)) if past.stage == RestoreStage::Intended => {
                    // A job with the mark is its own however old: the intent may have been written to adopt it, and earlier
                    // versions do not say so.
                    let is_told_by_its_mark = self.flights[change.step].is_told_by_its_mark();
                    let since = match is_told_by_its_mark || past.adopts.is_some() {
                        true => lookback_start,
                        false => self.moment().left(past).sent_since(self.calls.skew()),
                    };
                    wanted.push((change.step, since));
                }
                _ => {}
            }
        }
        self.list(&wanted).await
    }

    /// Looks again where that is due; how the run ends, where a person ends it meanwhile.
    pub(super) async fn look_again_if_due(&mut self) -> Result<Option<Ended>, Stopped> {
        if self.detaching || !self.is_to_look_again() {
            return Ok(None);
        }
        match self.look_again().await {
            Ok(None) => Ok(None),
            Ok(Some(control)) => self.on_control(control).await,
            // Running jobs are followed all the same.
            Err(why @ Stopped::Aws(_)) => {
                self.patience.is_over = false;
                self.stop(why);
                Ok(None)
            }
            Err(why) => Err(why),
        }
    }

    /// Returns true if something may start now, but what others may have started was last looked at so long ago that
    /// AWS may have forgotten their tokens: a machine that slept may have been given up for lost.
    fn is_to_look_again(&self) -> bool {
        self.lookout.listed_at.is_long_ago(self.moment())
            && (self.targets.positions()).any(|target| self.schedule.has_next(target))
    }

    /// Lists what has been started since then.
    async fn look_again(&mut self) -> Result<Option<Control>, Stopped> {
        let listed_at = self.lookout.listed_at;
        let since = listed_at.earliest(self.calls.skew());
        let waiting = self.schedule.waiting();
        let wanted: Vec<_> = waiting.map(|step| (step, since)).collect();
        // Requests that were looked at before are only as fresh as that look.
        let now = self.engine.clock.now();
        for open in self.flights.open_requests_mut() {
            open.expose(listed_at, now);
        }
        self.list(&wanted).await
    }

    /// Lists the jobs of the recovery points of some restores, of each from a time on.
    async fn list(
        &mut self,
        wanted: &[(StepIndex, Timestamp)],
    ) -> Result<Option<Control>, Stopped> {
        let mut listed_at = self.moment();
        let targets = &self.engine.plan.targets;
        // Shared, so that calls can be made meanwhile.
        let wanted: Vec<(TargetIndex, Arc<Draft>, Timestamp)> = wanted
            .iter()
            .filter_map(|(step, since)| {
                let draft = self.flights[*step].draft.as_ref();
                let draft = draft.filter(|draft| !draft.waits_for_its_point())?;
                Some((self.target_of(*step), Arc::clone(draft), *since))
            })
            .collect();
        let mut points: BTreeSet<(TargetIndex, &str)> = BTreeSet::new();
        // From when on, by target and type.
        let mut windows: BTreeMap<(TargetIndex, &str), Timestamp> = BTreeMap::new();
        for (target, draft, since) in &wanted {
            let arn = draft.request.recovery_point_arn.as_str();
            if !points.insert((*target, arn)) {
                self.targets[*target].shared.insert(arn.to_owned());
            }
            windows
                .entry((*target, draft.request.resource_type.as_str()))
                .and_modify(|earliest| *earliest = (*since).min(*earliest))
                .or_insert(*since);
        }
        for ((target, resource_type), since) in windows {
            let account = &targets[target].account;
            let query = JobQuery::since(account, since).of_type(resource_type);
            let mut pages = Pages::default();
            loop {
                let (jobs, next) = match self.page(target, &query, &pages).await? {
                    Ok(page) => page,
                    Err(control) => return Ok(Some(control)),
                };
                // The first time from AWS's clock is at most as old as the look.
                listed_at.aws = listed_at.aws.or(self.moment().aws);
                let goes_on = pages.turn(Operation::ListRestoreJobs, next, &jobs);
                for job in jobs {
                    if let Some(arn) = job.recovery_point_arn.as_deref()
                        && points.contains(&(target, arn))
                        && is_of(&job, account)
                        // Jobs of this run are its own.
                        && !self.lookout.is_own(&job.id)
                    {
                        let existing = &mut self.targets[target].existing;
                        let known = existing.entry(arn.to_owned()).or_default();
                        known.retain(|earlier| earlier.id != job.id);
                        known.push(job);
                    }
                }
                if !goes_on.map_err(Stopped::Aws)? {
                    break;
                }
            }
        }
        self.lookout.listed_at = listed_at;
        Ok(None)
    }

    /// A page of a listing, at the rates and with the patience of every other call.
    async fn page(
        &mut self,
        target: TargetIndex,
        query: &JobQuery,
        pages: &Pages,
    ) -> Result<Result<Page<Job>, Control>, Stopped> {
        const OPERATION: Operation = Operation::ListRestoreJobs;
        loop {
            let now = self.engine.clock.now();
            let retry = if self.calls.may(target, OPERATION, now) {
                let asked = tokio::select! {
                    biased;
                    Some(control) = self.engine.control.recv() => return Ok(Err(control)),
                    asked = Box::pin(self.calls.page(target, query, pages.token())) => asked,
                };
                self.break_silence(pages.read());
                self.calls.see(self.engine.clock.now());
                match asked {
                    Ok(page) => {
                        self.targets[target].retries.answered(OPERATION);
                        self.succeeded_at(target, OPERATION)?;
                        return Ok(Ok(page));
                    }
                    Err(error) => self.later(target, error)?,
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

    /// Returns the time to ask again, if that may help.
    fn later(&mut self, target: TargetIndex, error: ApiError) -> Result<Timestamp, Stopped> {
        if matches!(error.fault, Fault::Denied | Fault::Refused) {
            return Err(Stopped::Aws(error));
        }
        let at = self.retry_at(Caller::Target(target), &error)?;
        if self.patience.is_over {
            return Err(Stopped::Aws(error));
        }
        Ok(at)
    }
}
