//! From a job to its end.

use std::sync::Arc;

use jiff::SignedDuration;

use super::Run;
use crate::backup::{ApiError, Clock, Fault, Job, JobStatus, Operation, Reader, Writer};
use crate::diff::{Action, Diff};
use crate::execute::Observer;
use crate::execute::engine::Stopped;
use crate::execute::flight::{OpenRequest, Reconciliation, ReconciliationReason};
use crate::execute::outage::Caller;
use crate::execute::poller::OVERLAP;
use crate::ids::{JobId, StepIndex};
use crate::render::Created;
use crate::state::{Append, Event, RestoreStage};

/// Wait before asking again about a job that AWS does not know yet.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Takes up what an earlier runner left.
    pub(super) fn resume(&mut self, diff: &Diff) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let resumed = diff.changes.iter().filter(|c| c.action == Action::Resume);
        for change in resumed {
            let step = change.step;
            let Some(past) = self
                .observed
                .restores
                .get(self.engine.plan.steps[step].name.as_str())
            else {
                continue;
            };
            if matches!(past.stage, RestoreStage::Completed { .. }) {
                self.begin_checks(step)?;
                continue;
            }
            self.schedule.running(step);
            let target = self.target_of(step);
            let timeout = self.engine.plan.steps[step].timeout;
            match &past.stage {
                RestoreStage::Running { job_id } => {
                    self.targets[target].poller.follow(
                        step,
                        job_id,
                        past.intended_at,
                        now,
                        timeout,
                    );
                }
                _ => self.resume_open(step)?,
            }
        }
        Ok(())
    }

    /// Takes up a request that an earlier runner sent, as far as its journal tells, without seeing the answer.
    fn resume_open(&mut self, step: StepIndex) -> Result<(), Stopped> {
        let past = self
            .observed
            .restores
            .get(self.engine.plan.steps[step].name.as_str());
        let (Some(draft), Some(past)) = (&self.flights[step].draft, past) else {
            return Ok(());
        };
        let Some(sent) = &past.sent else {
            return Ok(());
        };
        let request = Arc::new(draft.sent_with(&sent.token));
        let since = self.moment().left(past).sent_since(self.calls.skew());
        let since = Some(since).filter(|_| past.adopts.is_none());
        let existing =
            self.targets[self.target_of(step)].existing_jobs(&request.recovery_point_arn);
        let is_told_by_its_mark = self.flights[step].is_told_by_its_mark();
        let jobs = existing.iter().filter(|job| {
            let is_late = |since| job.created_at.is_none_or(|made| made >= since);
            is_told_by_its_mark || since.is_none_or(is_late)
        });
        let jobs = jobs.cloned().collect();
        let listed_at = self.lookout.listed_at;
        // The earlier runner's clock is not asked how long ago it was: what exists is looked at first, and the token takes
        // care of what a listing does not show yet.
        self.flights
            .open(step, OpenRequest::new(request).exposed(listed_at));
        let reconciliation =
            Reconciliation::of(ReconciliationReason::Unanswered, jobs, since, listed_at);
        self.decide(step, |open, sight| open.reconcile(reconciliation, sight))
    }

    /// A restore has its job.
    pub(super) fn begin_following(
        &mut self,
        step: StepIndex,
        job_id: &JobId,
        event: Event,
    ) -> Result<(), Stopped> {
        let is_adopted = matches!(event, Event::Adopted { .. });
        self.emit(vec![event])?;
        let open = self.flights.close(step);
        let sent = open.as_ref().and_then(OpenRequest::exposed_since);
        let request = open.map(|open| open.request);
        let now = self.engine.clock.now();
        let timeout = self.engine.plan.steps[step].timeout;
        let of = self.target_of(step);
        let target = &mut self.targets[of];
        // A listing of what has ended lately does not show a job that ended before it was known here.
        let before = request.as_ref().and_then(|request| {
            let mut existing = target.existing_jobs(&request.recovery_point_arn).iter();
            existing.find(|job| job.id == *job_id).cloned()
        });
        let since = before.as_ref().and_then(|job| job.created_at);
        let since = since.map_or(now, |created| created.min(now));
        target.poller.follow(step, job_id, since, now, timeout);
        if before.is_some() {
            // The job may have ended since the listing.
            target.poller.sweep_from(self.lookout.listed_at.here);
        }
        self.look_after(step, job_id, request);
        if before.as_ref().is_some_and(|job| !job.status.is_final()) {
            self.flights[step].was_seen_running = true;
        }
        let before = before.filter(|job| job.status.is_final() && !Self::lacks(job));
        if let Some(job) = before {
            return self.polled(step, job);
        }
        if is_adopted || sent.is_some_and(|sent| now.duration_since(sent.here) > OVERLAP) {
            self.targets[of].poller.look_again(step, now);
        }
        Ok(())
    }

    /// Returns true if a listing leaves out what a job has made, which a description may give: dependents and cleanup
    /// need it.
    pub(super) fn lacks(job: &Job) -> bool {
        job.status == JobStatus::Completed && job.created_resource_arn.is_none()
    }

    /// AWS has answered about a job, or has not.
    pub(super) fn on_poll(
        &mut self,
        step: StepIndex,
        answer: Result<Job, ApiError>,
    ) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let target = self.target_of(step);
        let error = match answer {
            Ok(job) => match self.is_another(step, &job) {
                None => {
                    self.succeeded(step, Operation::DescribeRestoreJob)?;
                    return self.polled(step, job);
                }
                Some(error) => error,
            },
            Err(error) if error.fault == Fault::Refused => {
                let poller = &mut self.targets[target].poller;
                if poller.is_new(step, now) {
                    poller.look_again(step, now + AGAIN);
                    return Ok(());
                }
                return self.not_known(step, error);
            }
            Err(error) => error,
        };
        let poller = &mut self.targets[target].poller;
        if poller.is_hopeless(step, now) {
            // Others are answered: this one never is. The journal keeps it as running.
            poller.forget(step);
            self.stop(Stopped::Aws(error));
            return Ok(());
        }
        let at = self.retry_at(Caller::Restore(step), &error)?;
        self.targets[target].poller.look_again(step, at);
        Ok(())
    }

    /// Takes in what AWS says of a job.
    pub(super) fn polled(&mut self, step: StepIndex, job: Job) -> Result<(), Stopped> {
        if job.is_parent && job.status.is_final() {
            self.look_inside(step, job);
            return Ok(());
        }
        self.took_in(step, job)
    }

    /// The same, once what is nested in it is known.
    pub(super) fn took_in(&mut self, step: StepIndex, job: Job) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let target = self.target_of(step);
        let poller = &mut self.targets[target].poller;
        match job.status {
            JobStatus::Completed => {
                if self.is_looked_for(step, &job) || !self.targets[target].poller.forget(step) {
                    return Ok(());
                }
                self.came_back(step, job)
            }
            JobStatus::Failed | JobStatus::Aborted => {
                if !poller.forget(step) {
                    return Ok(());
                }
                self.release_draft(step);
                self.emit(vec![Event::Failed {
                    restore: self.name(step),
                    status: job.status.to_string(),
                    message: job
                        .message
                        .unwrap_or_else(|| "AWS gives no reason".to_owned()),
                    started_at: job.created_at,
                    ended_at: job.completed_at,
                    created_resource_arn: job.created_resource_arn,
                    source_resource_arn: job.source_resource_arn,
                }])?;
                self.fail(step, "failed")
            }
            status => {
                let is_new = poller.still(step, &status, now);
                let is_overdue = poller.is_overdue(step, now);
                self.flights[step].retries.clear();
                self.flights[step].was_seen_running = true;
                if is_new {
                    let (restore, status) = (self.name(step), status.to_string());
                    self.emit(vec![Event::StatusChanged { restore, status }])?;
                }
                if is_overdue {
                    self.overdue(step)?;
                }
                Ok(())
            }
        }
    }

    /// A job has completed, and what it made is there as far as anybody can tell.
    pub(super) fn came_back(&mut self, step: StepIndex, job: Job) -> Result<(), Stopped> {
        let restore = self.name(step);
        let mismatch = self.misfit(step, &job);
        self.release_draft(step);
        let is_needed = self.schedule.is_needed(step) || self.is_judged(step);
        let is_needed = is_needed && mismatch.is_none();
        if let Some(arn) = job.created_resource_arn.as_ref().filter(|_| is_needed) {
            Arc::make_mut(&mut self.known.created).insert(
                restore.clone(),
                Created {
                    job_id: job.id.clone(),
                    resource_arn: arn.clone(),
                },
            );
        }
        let is_good = mismatch.is_none();
        self.emit(vec![Event::Completed {
            restore,
            created_resource_arn: job.created_resource_arn,
            started_at: job.created_at,
            ended_at: job.completed_at,
            recovery_point_created_at: job.recovery_point_created_at,
            message: job.message,
            mismatch,
            size_bytes: job.size_bytes,
            source_resource_arn: job.source_resource_arn,
        }])?;
        match is_good {
            true => self.restored(step),
            false => self.fail(step, "failed"),
        }
    }

    /// Lets go of a request that nothing is compared with any more, unless checks are told what was asked for.
    fn release_draft(&mut self, step: StepIndex) {
        if self.engine.plan.steps[step].checks.is_empty() {
            self.flights[step].draft = None;
        }
    }

    /// A job goes on for longer than the plan wants: it is not followed any more, and nothing waits for it.
    fn overdue(&mut self, step: StepIndex) -> Result<(), Stopped> {
        let target = self.target_of(step);
        self.targets[target].poller.forget(step);
        self.emit(vec![Event::Overdue {
            restore: self.name(step),
        }])?;
        self.fail(step, "was not back within its timeout")
    }
}
