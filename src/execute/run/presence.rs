//! Check that what a job has made is still there, if the job ended before this run knew of it. A run that is resumed
//! without its journal, weeks after a drill, finds jobs that have completed and resources that were cleaned up since.
//! Nothing is built on those, and no check runs against them.
//!
//! Asked of jobs that were adopted and never seen running here, and of those that a token has answered with although
//! they had ended before the request was meant to leave. All others were started by this run, which follows them to
//! their end.

use super::Run;
use crate::backup::{ApiError, Clock, Fault, Job, Operation, Reader, Writer};
use crate::execute::Observer;
use crate::execute::calls::DueCall;
use crate::execute::engine::{DuplicatePolicy, Stopped};
use crate::execute::flight::Phase;
use crate::ids::{JobId, RestoreName, StepIndex, TargetIndex};
use crate::state::{Append, Event, RestoreState};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    fn past(&self, step: StepIndex) -> Option<&RestoreState> {
        let name = self.engine.plan.steps[step].name.as_str();
        self.observed.restores.get(name)
    }

    /// Returns true if what a completed job has made has to be looked for first; asks for it in that case.
    pub(super) fn is_looked_for(&mut self, step: StepIndex, job: &Job) -> bool {
        if matches!(self.flights[step].phase, Phase::LookedFor(_)) {
            return true;
        }
        let was_seen_running = self.flights[step].was_seen_running;
        let is_old = self.past(step).is_some_and(|past| {
            past.adopted && !was_seen_running
                // By one clock: that of AWS, as it was when the request was meant to leave.
                || (job.completed_at).is_some_and(|at| at <= past.aws_at.unwrap_or(past.intended_at))
        });
        let has_to = is_old
            && job.created_resource_arn.is_some()
            && self.flights[step].draft.is_some()
            && self.misfit(step, job).is_none();
        // Nobody has to ask how far it is any more; an answer to who did comes too late.
        let target = self.target_of(step);
        if has_to && self.targets[target].poller.forget(step) {
            self.flights[step].phase = Phase::LookedFor(Box::new(job.clone()));
            let now = self.engine.clock.now();
            self.calls.at(target, now, step, DueCall::Look);
        }
        has_to
    }

    /// Makes the call.
    pub(super) fn look_for(&mut self, target: TargetIndex, step: StepIndex) {
        let flight = &self.flights[step];
        if let (Phase::LookedFor(job), Some(draft)) = (&flight.phase, &flight.draft)
            && let Some(arn) = &job.created_resource_arn
        {
            let draft = std::sync::Arc::clone(draft);
            self.calls.look_for(target, step, arn.clone(), draft);
        }
    }

    /// Takes in what was found; none if nothing can tell.
    pub(super) fn looked_for(
        &mut self,
        step: StepIndex,
        found: Result<Option<bool>, ApiError>,
    ) -> Result<(), Stopped> {
        let Phase::LookedFor(job) = &self.flights[step].phase else {
            return Ok(());
        };
        let job = (**job).clone();
        let found = match found {
            // A person has said that it is good.
            Err(error) if is_final(&error) && self.is_chosen(&job.id) => None,
            Err(error) if is_final(&error) => {
                let error = cannot_tell(error, &self.name(step), &job.id);
                self.flights[step].phase = Phase::Quiet;
                self.stop(Stopped::Aws(error));
                return Ok(());
            }
            Err(error) => return self.retry(step, DueCall::Look, &error),
            Ok(found) => {
                self.succeeded(step, Operation::GetResource)?;
                found
            }
        };
        self.flights[step].phase = Phase::Quiet;
        match (found, job.created_resource_arn.clone()) {
            (Some(false), Some(arn)) => self.gone(step, job, arn),
            _ => self.came_back(step, job),
        }
    }

    fn is_chosen(&self, job_id: &JobId) -> bool {
        let policy = &self.engine.policy;
        let mut chosen = policy.chosen.iter();
        chosen.any(|id| id.is_same(job_id))
            || policy.chosen.is_empty() && policy.duplicates == DuplicatePolicy::Adopt
    }

    /// The job has completed, and what it made is gone since: nothing is built on that, and nothing judges it.
    fn gone(&mut self, step: StepIndex, job: Job, arn: String) -> Result<(), Stopped> {
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
                size_bytes: job.size_bytes,
                source_resource_arn: job.source_resource_arn,
            },
            Event::Deleted { restore, arn },
        ])?;
        self.fail(step, "had ended before, and what it made no longer exists")
    }
}

fn is_final(error: &ApiError) -> bool {
    matches!(error.fault, Fault::Denied | Fault::Refused)
}

/// Explains why it is not known, and what can be done about it.
fn cannot_tell(error: ApiError, restore: &RestoreName, job_id: &JobId) -> ApiError {
    let message = format!(
        "{}; `{restore}` has job {job_id}, which had ended before this command, and whether what it made is still there cannot be \
         told: allow cloudformation:GetResource and what reads the type, or take the job as it is with --adopt={job_id}",
        error.message
    );
    ApiError { message, ..error }
}
