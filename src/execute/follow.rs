//! From a job to its end.

use std::sync::Arc;

use super::Observer;
use super::engine::Stopped;
use super::poller::OVERLAP;
use super::reconciliation::{Reason, Reconciliation};
use super::run::Run;
use crate::backup::{Clock, Job, JobStatus, Reader, Writer};
use crate::diff::{Action, Diff};
use crate::render::Created;
use crate::state::{Event, Journal, RestoreStage};

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// Takes up what an earlier runner left.
    pub(super) fn resume(&mut self, diff: &Diff) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let resumed = diff.changes.iter().filter(|c| c.action == Action::Resume);
        for change in resumed {
            let step = change.step;
            let Some(past) = self
                .observed
                .restores
                .get(&*self.engine.plan.steps[step].name)
            else {
                continue;
            };
            if matches!(past.stage, RestoreStage::Completed { .. }) {
                self.begin_checks(step)?;
                continue;
            }
            self.schedule.running(step);
            let place = self.place(step);
            let timeout = self.engine.plan.steps[step].timeout;
            match &past.stage {
                RestoreStage::Running { job_id } => {
                    self.pollers[place].follow(step, job_id, past.intended_at, now, timeout);
                }
                _ => {
                    let Some(draft) = &self.drafts[step] else {
                        continue;
                    };
                    let request = Arc::new(draft.sent_with(&past.token));
                    let since = self.sent_since(past);
                    let since = Some(since).filter(|_| past.adopts.is_none());
                    let existing_jobs = self
                        .existing_jobs(place, &request.recovery_point_arn)
                        .iter();
                    let jobs = existing_jobs
                        .filter(|job| {
                            self.is_told_by_its_mark(step)
                                || job
                                    .created_at
                                    .is_none_or(|made| since.is_none_or(|since| made >= since))
                        })
                        .cloned()
                        .collect();
                    self.requests.insert(step, request);
                    // The earlier runner's clock is not asked how long ago it was: what exists is looked at first, and
                    // the token takes care of what a listing does not show yet.
                    self.exposed_since.insert(step, self.looked_at);
                    let looked = self.looked_at;
                    self.ask(
                        step,
                        Reconciliation::of(Reason::Unanswered, jobs, since, looked),
                    )?;
                }
            }
        }
        Ok(())
    }

    /// A restore has its job.
    pub(super) fn begin_following(
        &mut self,
        step: usize,
        job_id: &str,
        event: Event,
    ) -> Result<(), Stopped> {
        let is_adopted = matches!(event, Event::Adopted { .. });
        self.emit(vec![event])?;
        let (request, sent) = self.finish_request(step);
        let now = self.engine.clock.now();
        let place = self.place(step);
        let timeout = self.engine.plan.steps[step].timeout;
        // A listing of what has ended lately does not show a job that ended before it was known here.
        let before = request.as_ref().and_then(|request| {
            let mut existing_jobs = self
                .existing_jobs(place, &request.recovery_point_arn)
                .iter();
            existing_jobs.find(|job| job.id == job_id).cloned()
        });
        let since = before.as_ref().and_then(|job| job.created_at);
        let since = since.map_or(now, |created| created.min(now));
        self.pollers[place].follow(step, job_id, since, now, timeout);
        self.look_after(step, job_id, request)?;
        if before.is_some() {
            // What has ended since the listing.
            self.pollers[place].sweep_from(self.looked_at.here);
        }
        if before.as_ref().is_some_and(|job| !job.status.is_final()) {
            self.is_running(step);
        }
        let before = before.filter(|job| job.status.is_final() && !Self::lacks(job));
        if let Some(job) = before {
            return self.polled(step, job);
        }
        if is_adopted || sent.is_some_and(|sent| now.duration_since(sent.here) > OVERLAP) {
            self.pollers[place].look_again(step, now);
        }
        Ok(())
    }

    /// Whether a listing leaves out what a job has made, which a description may say: it is needed for what hangs on it, and
    /// to clean up.
    pub(super) fn lacks(job: &Job) -> bool {
        job.status == JobStatus::Completed && job.created_resource_arn.is_none()
    }

    /// What AWS says of a job.
    pub(super) fn polled(&mut self, step: usize, job: Job) -> Result<(), Stopped> {
        if job.is_parent && job.status.is_final() {
            self.look_inside(step, job);
            return Ok(());
        }
        self.took_in(step, job)
    }

    /// The same, once what is nested in it is known.
    pub(super) fn took_in(&mut self, step: usize, job: Job) -> Result<(), Stopped> {
        let restore = self.name(step);
        let place = self.place(step);
        match job.status {
            JobStatus::Completed => {
                if self.is_looked_for(step, &job) {
                    return Ok(());
                }
                if !self.was_looked_for(step) && !self.pollers[place].forget(step) {
                    return Ok(());
                }
                let mismatch = self.misfit(step, &job);
                self.is_over(step);
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
                self.emit(vec![Event::Completed {
                    restore,
                    created_resource_arn: job.created_resource_arn,
                    started_at: job.created_at,
                    ended_at: job.completed_at,
                    recovery_point_created_at: job.recovery_point_created_at,
                    message: job.message,
                    mismatch: mismatch.clone(),
                }])?;
                match mismatch {
                    Some(_) => self.fail(step, "failed"),
                    None => self.restored(step),
                }
            }
            JobStatus::Failed | JobStatus::Aborted => {
                if !self.pollers[place].forget(step) {
                    return Ok(());
                }
                self.is_over(step);
                self.emit(vec![Event::Failed {
                    restore,
                    status: job.status.to_string(),
                    message: job
                        .message
                        .unwrap_or_else(|| "AWS gives no reason".to_owned()),
                    started_at: job.created_at,
                    ended_at: job.completed_at,
                    created_resource_arn: job.created_resource_arn,
                }])?;
                self.fail(step, "failed")
            }
            status => {
                self.tries.forget(step);
                self.is_running(step);
                let now = self.engine.clock.now();
                if self.pollers[place].still(step, &status, now) {
                    let status = status.to_string();
                    self.emit(vec![Event::StatusChanged { restore, status }])?;
                }
                if self.pollers[place].is_overdue(step, now) {
                    self.overdue(step)?;
                }
                Ok(())
            }
        }
    }

    /// Nothing more is compared with what was asked for; what judges a restore is told of what it was made.
    fn is_over(&mut self, step: usize) {
        if self.engine.plan.steps[step].checks.is_empty() {
            self.drafts[step] = None;
        }
    }

    /// A job goes on for longer than the plan wants: it is not followed any more, and nothing waits for it.
    fn overdue(&mut self, step: usize) -> Result<(), Stopped> {
        let place = self.place(step);
        self.pollers[place].forget(step);
        self.emit(vec![Event::Overdue {
            restore: self.name(step),
        }])?;
        self.fail(step, "was not back within its timeout")
    }
}
