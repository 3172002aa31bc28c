//! What a job has made that ended before this run knew of it: is it still there? A run that is taken up without its journal, weeks
//! after a drill, finds jobs that have completed and resources that were cleaned up since. Nothing is built on those, and no check
//! runs against them.
//!
//! Asked of jobs that were adopted and never seen running here, and of those that a token has answered with although they had ended
//! before the request was meant to leave. All others this run has started, and follows to their end.

use std::collections::{BTreeMap, BTreeSet};

use super::Observer;
use super::calls::DueCall;
use super::engine::{DuplicatePolicy, Stopped};
use super::run::Run;
use crate::backup::{ApiError, Clock, Fault, Job, Reader, Writer};
use crate::state::{Event, Journal};

/// What is known of the presence of what jobs have made.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Jobs that have completed, until it is known whether what they made is there.
    waiting: BTreeMap<usize, Job>,
    /// Restores of which that is known, or cannot be.
    known: BTreeSet<usize>,
    /// Restores whose jobs were seen running.
    running: BTreeSet<usize>,
}

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// The job of an adopted restore runs: it is followed to its end like any other.
    pub(super) fn is_running(&mut self, step: usize) {
        let past = self.past(step);
        if past.is_some_and(|past| past.adopted) {
            self.presence.running.insert(step);
        }
    }

    fn past(&self, step: usize) -> Option<&crate::state::RestoreState> {
        let name = &*self.engine.plan.steps[step].name;
        self.observed.restores.get(name)
    }

    /// Whether it has to be looked for first what a completed job has made; asks, where that is so.
    pub(super) fn is_looked_for(&mut self, step: usize, job: &Job) -> bool {
        if self.presence.waiting.contains_key(&step) {
            return true;
        }
        let is_old = self.past(step).is_some_and(|past| {
            past.adopted && !self.presence.running.contains(&step)
                // By one clock: that of AWS, as it was when the request was meant to leave.
                || (job.completed_at).is_some_and(|at| at <= past.aws_at.unwrap_or(past.intended_at))
        });
        let has_to = is_old
            && job.created_resource_arn.is_some()
            && self.drafts[step].is_some()
            && !self.presence.known.contains(&step)
            && self.misfit(step, job).is_none();
        // Nobody has to ask how far it is any more; an answer to who did comes too late.
        let place = self.place(step);
        if has_to && self.pollers[place].forget(step) {
            self.presence.waiting.insert(step, job.clone());
            let now = self.engine.clock.now();
            self.calls.at(place, now, step, DueCall::Look);
        }
        has_to
    }

    /// Whether it was looked for, and is to be gone on with.
    pub(super) fn was_looked_for(&mut self, step: usize) -> bool {
        self.presence.known.remove(&step)
    }

    /// Makes the call.
    pub(super) fn look_for(&mut self, place: usize, step: usize) {
        let arn = self.presence.waiting.get(&step);
        let arn = arn.and_then(|job| job.created_resource_arn.clone());
        if let (Some(arn), Some(draft)) = (arn, &self.drafts[step]) {
            self.calls
                .look_for(place, step, arn, std::sync::Arc::clone(draft));
        }
    }

    /// It has been looked for; none where nothing can tell.
    pub(super) fn looked_for(
        &mut self,
        step: usize,
        found: Result<Option<bool>, ApiError>,
    ) -> Result<(), Stopped> {
        let found = match found {
            Err(error) if matches!(error.fault, Fault::Denied | Fault::Refused) => {
                match self.presence.waiting.get(&step) {
                    // A person has said that it is good.
                    Some(job) if self.is_chosen(&job.id) => None,
                    Some(job) => {
                        let error = cannot_tell(error, &self.name(step), &job.id);
                        self.presence.waiting.remove(&step);
                        self.stop(Stopped::Aws(error));
                        return Ok(());
                    }
                    None => return Ok(()),
                }
            }
            Err(error) => return self.retry(step, DueCall::Look, &error),
            Ok(found) => {
                self.succeeded(step, "GetResource")?;
                found
            }
        };
        self.presence.known.insert(step);
        let Some(job) = self.presence.waiting.remove(&step) else {
            return Ok(());
        };
        match (found, job.created_resource_arn.clone()) {
            (Some(false), Some(arn)) => self.gone(step, job, arn),
            _ => self.took_in(step, job),
        }
    }

    fn is_chosen(&self, job_id: &str) -> bool {
        let policy = &self.engine.policy;
        let mut chosen = policy.chosen.iter();
        chosen.any(|id| id.eq_ignore_ascii_case(job_id))
            || policy.chosen.is_empty() && policy.twins == DuplicatePolicy::Adopt
    }

    /// The job has completed, and what it made is gone since: nothing is built on that, and nothing judges it.
    fn gone(&mut self, step: usize, job: Job, arn: String) -> Result<(), Stopped> {
        self.presence.known.remove(&step);
        let restore = self.name(step);
        self.emit(vec![
            Event::Completed {
                restore: restore.clone(),
                created_resource_arn: job.created_resource_arn,
                started_at: job.created_at,
                ended_at: job.completed_at,
                recovery_point_created_at: job.recovery_point_created_at,
                message: job.message,
                mismatch: None,
            },
            Event::Deleted { restore, arn },
        ])?;
        self.fail(
            step,
            "had ended before, and what it made is not there any more",
        )
    }
}

/// Why it is not known, and what can be done about it.
fn cannot_tell(error: ApiError, restore: &str, job_id: &str) -> ApiError {
    let message = format!(
        "{}; `{restore}` has job {job_id}, which had ended before this command, and whether what it made is still there cannot be \
         told: allow cloudformation:GetResource and what reads the type, or take the job as it is with --adopt={job_id}",
        error.message
    );
    ApiError { message, ..error }
}
