//! From a job to its end.

use jiff::{SignedDuration, Timestamp};

use super::calls::{Due, interval};
use super::engine::{Followed, Run, Stopped};
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
                    let job_id = job_id.clone();
                    let since = past.intended_at;
                    self.follow(step, job_id, since, now);
                }
                _ => {
                    let intended_at = past.intended_at;
                    let token = past.token.clone();
                    let request = self.engine.plan.steps[step].draft.request.clone();
                    self.requests.insert(step, request.with_token(&token));
                    self.perhaps_sent.insert(step);
                    let due = if now.duration_since(intended_at) < TOKEN_IS_SAFE {
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
        self.follow(step, job_id, now, now + interval(SignedDuration::ZERO));
        Ok(())
    }

    pub(super) fn follow(
        &mut self,
        step: usize,
        job_id: String,
        since: Timestamp,
        first: Timestamp,
    ) {
        self.jobs.insert(
            step,
            Followed {
                job_id,
                since,
                status: None,
            },
        );
        self.calls.at(first, step, Due::Poll);
    }

    pub(super) fn polled(&mut self, step: usize, job: Job) -> Result<(), Stopped> {
        let restore = self.name(step);
        let Some(followed) = self.jobs.get_mut(&step) else {
            return Ok(());
        };
        match job.status {
            JobStatus::Completed => {
                if let Some(arn) = &job.created_resource_arn {
                    self.known.created.insert(
                        restore.clone(),
                        Created {
                            job_id: job.id.clone(),
                            resource_arn: arn.clone(),
                        },
                    );
                }
                self.jobs.remove(&step);
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
                self.jobs.remove(&step);
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
                let now = self.engine.clock.now();
                let again = now + interval(now.duration_since(followed.since));
                let changed = followed.status.as_ref() != Some(&status);
                followed.status = Some(status.clone());
                self.tries.remove(&step);
                self.calls.at(again, step, Due::Poll);
                if changed {
                    let status = status.to_string();
                    self.emit(vec![Event::Seen { restore, status }])?;
                }
                Ok(())
            }
        }
    }
}
