//! Polling: its calls, and what follows from their answers.

use jiff::Timestamp;

use super::Run;
use crate::backup::{ApiError, Clock, Fault, Job, Operation, Reader, Writer};
use crate::execute::Observer;
use crate::execute::engine::Stopped;
use crate::execute::outage::Caller;
use crate::ids::TargetIndex;
use crate::state::Append;

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Asks about what is due, as far as the rates let it.
    pub(super) fn look(&mut self) {
        let now = self.engine.clock.now();
        for target in self.targets.positions() {
            self.look_at(target, now);
        }
    }

    fn look_at(&mut self, target: TargetIndex, now: Timestamp) {
        let skew = self.calls.skew();
        let poller = &mut self.targets[target].poller;
        if poller.one_by_one() {
            poller.sweep = None;
            for (step, job) in &mut poller.jobs {
                if job.is_asked || job.look_at > now {
                    continue;
                }
                if !self.calls.may(target, Operation::DescribeRestoreJob, now) {
                    return;
                }
                job.is_asked = true;
                self.calls.poll(target, *step, job.job_id.clone());
            }
            return;
        }
        while let Some((at, step)) = poller.alone.first().copied() {
            if at > now {
                break;
            }
            let job = poller.jobs.get_mut(&step).filter(|job| !job.is_asked);
            if let Some(job) = job {
                if !self.calls.may(target, Operation::DescribeRestoreJob, now) {
                    return;
                }
                job.is_asked = true;
                self.calls.poll(target, step, job.job_id.clone());
            }
            poller.alone.remove(&(at, step));
        }
        if poller.sweep.is_none() && poller.sweep_at.is_none_or(|at| at <= now) {
            let account = &self.engine.plan.targets[target].account;
            poller.begin_sweep(account, now, skew);
        }
        if let Some(sweep) = &mut poller.sweep
            && !sweep.is_asked
            && self.calls.may(target, Operation::ListRestoreJobs, now)
        {
            sweep.is_asked = true;
            self.calls
                .list(target, sweep.query.clone(), sweep.pages.token());
        }
    }

    /// A listing got no good answer.
    pub(super) fn not_listed(
        &mut self,
        target: TargetIndex,
        error: ApiError,
    ) -> Result<(), Stopped> {
        let at = self.retry_at(Caller::Target(target), &error)?;
        self.targets[target].poller.sweep_again(at);
        if matches!(error.fault, Fault::Refused | Fault::Denied) {
            self.targets[target].poller.refused();
        }
        Ok(())
    }

    /// A page of a listing has come.
    pub(super) fn listed(
        &mut self,
        target: TargetIndex,
        jobs: Vec<Job>,
        next: Option<String>,
    ) -> Result<(), Stopped> {
        self.targets[target].retries.clear();
        let now = self.engine.clock.now();
        self.targets[target].poller.refusals = 0;
        let sweeps = self.targets[target].poller.sweeps;
        let goes_on = match &mut self.targets[target].poller.sweep {
            Some(sweep) => sweep.pages.turn(Operation::ListRestoreJobs, next, &jobs),
            None => Ok(false),
        };
        for job in jobs {
            let Some(step) = self.targets[target]
                .poller
                .by_id
                .get(job.id.as_str())
                .copied()
            else {
                continue;
            };
            if let Some(followed) = self.targets[target].poller.jobs.get_mut(&step) {
                followed.sweep = sweeps;
            }
            if Self::lacks(&job) || self.is_another(step, &job).is_some() {
                self.targets[target].poller.look_again(step, now);
            } else {
                self.polled(step, job)?;
            }
        }
        let poller = &mut self.targets[target].poller;
        match (goes_on, &mut poller.sweep) {
            (Ok(true), Some(sweep)) => sweep.is_asked = false,
            (Ok(_), _) => poller.end_sweep(now),
            (Err(endless), _) => {
                poller.refused();
                return self.not_listed(target, endless);
            }
        }
        Ok(())
    }
}
