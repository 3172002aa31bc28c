//! The jobs that are nested in a restore's own, one for each recovery point of a composite one: what they have made belongs
//! to the restore. They are listed when the job ends, and known before its end is said.

use super::Run;
use crate::backup::{
    ApiError, Clock, Fault, Job, JobQuery, Operation, Page, Pages, Reader, Writer,
};
use crate::execute::Observer;
use crate::execute::calls::{DueCall, backoff};
use crate::execute::engine::Stopped;
use crate::execute::flight::{Parent, Phase};
use crate::ids::{StepIndex, TargetIndex};
use crate::state::{Append, Event, NestedJob};

/// Pages before it is taken for a listing without an end: AWS restores far fewer parts of one recovery point.
const PAGES: u32 = 100;
/// Number of tries before AWS's silence is taken for a no: a run does not wait for this for ever.
const TRIES: u32 = 6;

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// A job has ended that others are nested in.
    pub(super) fn look_inside(&mut self, step: StepIndex, job: Job) {
        if matches!(self.flights[step].phase, Phase::Nested(_)) {
            return;
        }
        let parent = Parent {
            job,
            jobs: Vec::new(),
            pages: Pages::default(),
            tries: 0,
        };
        self.flights[step].phase = Phase::Nested(Box::new(parent));
        let now = self.engine.clock.now();
        self.calls
            .at(self.target_of(step), now, step, DueCall::Nested);
    }

    /// Asks for the next page of them.
    pub(super) fn list_nested(&mut self, target: TargetIndex, step: StepIndex) {
        let Phase::Nested(parent) = &self.flights[step].phase else {
            return;
        };
        let query = JobQuery::nested_in(&self.engine.plan.targets[target].account, &parent.job.id);
        let token = parent.pages.token();
        self.calls.nested(target, step, query, token);
    }

    /// A page of them has come, or has not. Where AWS does not list them, the job has ended all the same: who cleans up asks
    /// again.
    pub(super) fn nested(
        &mut self,
        step: StepIndex,
        answer: Result<Page<Job>, ApiError>,
    ) -> Result<(), Stopped> {
        let target = self.target_of(step);
        let Phase::Nested(parent) = &mut self.flights[step].phase else {
            return Ok(());
        };
        let now = self.engine.clock.now();
        if let Err(error) = &answer
            && error.fault == Fault::Throttled
        {
            self.calls.throttled(target, error.operation, now);
        }
        let retry = match answer {
            Ok((jobs, next)) => {
                let goes_on = parent.pages.turn(Operation::ListRestoreJobs, next, &jobs);
                // An answer is not believed by its place: a job names the one that it is nested in.
                let id = &parent.job.id;
                let own = jobs.into_iter().filter(|job| job.is_nested_in(id));
                parent.jobs.extend(own.map(NestedJob::from));
                match goes_on {
                    Ok(false) => None,
                    Ok(true) if parent.pages.read() < PAGES => Some(now),
                    Ok(true) | Err(_) => return self.end_without_nested(step),
                }
            }
            Err(error) if matches!(error.fault, Fault::Refused | Fault::Denied) => {
                return self.end_without_nested(step);
            }
            Err(_) if parent.tries >= TRIES => return self.end_without_nested(step),
            Err(_) => {
                parent.tries += 1;
                Some(now + backoff(parent.tries))
            }
        };
        if let Some(at) = retry {
            self.calls.at(target, at, step, DueCall::Nested);
            return Ok(());
        }
        let Some(parent) = self.take_parent(step) else {
            return Ok(());
        };
        self.emit(vec![Event::Nested {
            restore: self.name(step),
            job_id: parent.job.id.clone(),
            jobs: parent.jobs,
        }])?;
        self.took_in(step, parent.job)
    }

    fn end_without_nested(&mut self, step: StepIndex) -> Result<(), Stopped> {
        match self.take_parent(step) {
            Some(parent) => self.took_in(step, parent.job),
            None => Ok(()),
        }
    }

    fn take_parent(&mut self, step: StepIndex) -> Option<Parent> {
        let phase = &mut self.flights[step].phase;
        match std::mem::replace(phase, Phase::Quiet) {
            Phase::Nested(parent) => Some(*parent),
            other => {
                *phase = other;
                None
            }
        }
    }
}
