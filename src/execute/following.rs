//! From a job to its end.

use std::sync::Arc;

use super::calls::Due;
use super::engine::{Run, Stopped};
use super::settle::TOKEN_IS_SAFE;
use super::{Clock, Event, Journal, Observer, Writer};
use crate::diff::{Action, Diff, Job, JobStatus, Reader, Stage};
use crate::render::Created;

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
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
            self.schedule.running(step);
            match &past.stage {
                Stage::Running { job_id } => {
                    self.watching
                        .follow(step, job_id.clone(), past.intended_at, now);
                }
                _ => {
                    let draft = &self.engine.plan.steps[step].draft;
                    self.requests.insert(step, draft.sent_with(&past.token));
                    self.perhaps_sent.insert(step);
                    let due = if now.duration_since(past.intended_at) < TOKEN_IS_SAFE {
                        Due::Start
                    } else {
                        Due::Settle
                    };
                    self.calls.at(now, step, due);
                }
            }
        }
        Ok(())
    }

    /// A restore has its job.
    pub(super) fn begin_following(
        &mut self,
        step: usize,
        job_id: String,
        event: Event,
    ) -> Result<(), Stopped> {
        self.emit(vec![event])?;
        self.requests.remove(&step);
        self.tries.remove(&step);
        let now = self.engine.clock.now();
        self.watching.follow(step, job_id, now, now);
        Ok(())
    }

    /// What AWS says of a job.
    pub(super) fn polled(&mut self, step: usize, job: Job) -> Result<(), Stopped> {
        let restore = self.name(step);
        match job.status {
            JobStatus::Completed => {
                if !self.watching.forget(step) {
                    return Ok(());
                }
                if let Some(arn) = &job.created_resource_arn {
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
                }])?;
                self.schedule.completed(step);
                Ok(())
            }
            JobStatus::Failed | JobStatus::Aborted => {
                if !self.watching.forget(step) {
                    return Ok(());
                }
                self.emit(vec![Event::Failed {
                    restore,
                    status: job.status.to_string(),
                    message: job
                        .message
                        .unwrap_or_else(|| "AWS gives no reason".to_owned()),
                    started_at: job.created_at,
                    ended_at: job.completed_at,
                }])?;
                self.fail(step)
            }
            status => {
                self.tries.remove(&step);
                let now = self.engine.clock.now();
                if self.watching.still(step, &status, now) {
                    let status = status.to_string();
                    self.emit(vec![Event::Seen { restore, status }])?;
                }
                Ok(())
            }
        }
    }
}
