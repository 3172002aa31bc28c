//! Calls that get no good answer: when they are made again, and for how long.

use jiff::Timestamp;

use super::Run;
use crate::backup::{ApiError, Clock, Fault, Operation, Reader, Writer};
use crate::execute::Observer;
use crate::execute::calls::{DueCall, backoff};
use crate::execute::engine::Stopped;
use crate::execute::outage::{
    Caller, LONGEST_TRY, Outage, PATIENCE, PATIENCE_FOR_LOGIN, PATIENCE_WITHOUT_JOBS,
};
use crate::execute::target::TargetState;
use crate::ids::{StepIndex, TargetIndex};
use crate::state::{Append, Event};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Schedules a call about a restore again, after the backoff.
    pub(super) fn retry(
        &mut self,
        step: StepIndex,
        due: DueCall,
        error: &ApiError,
    ) -> Result<(), Stopped> {
        let at = self.retry_at(Caller::Restore(step), error)?;
        self.calls.at(self.target_of(step), at, step, due);
        Ok(())
    }

    /// Returns the time of the next try. An operation that begins to fail is reported once; one that fails for too long
    /// ends the run.
    pub(super) fn retry_at(
        &mut self,
        caller: Caller,
        error: &ApiError,
    ) -> Result<Timestamp, Stopped> {
        let now = self.engine.clock.now();
        let (target, retries) = match caller {
            Caller::Restore(step) => (self.target_of(step), &mut self.flights[step].retries),
            Caller::Target(target) => (target, &mut self.targets[target].retries),
        };
        let at = now + backoff(retries.one_more(error.operation));
        if error.fault == Fault::Throttled {
            self.calls.throttled(target, error.operation, now);
        }
        let outages = &mut self.targets[target].outages;
        let is_first = !outages.contains_key(&error.operation);
        let outage = outages.entry(error.operation).or_insert(Outage {
            since: now,
            last: now,
            message: String::new(),
        });
        // Time that the machine slept through is not AWS's silence.
        if now.duration_since(outage.last) > LONGEST_TRY {
            outage.since = now;
        }
        outage.last = now;
        outage.message = error.to_string();
        let since = outage.since;
        if is_first {
            self.emit(vec![Event::AwsUnavailable {
                message: error.to_string(),
            }])?;
        }
        let patience = if error.fault == Fault::Expired {
            PATIENCE_FOR_LOGIN
        } else if error.fault != Fault::Throttled
            && self.targets.iter().all(TargetState::follows_none)
        {
            PATIENCE_WITHOUT_JOBS
        } else {
            PATIENCE
        };
        if now.duration_since(since.max(self.patience.last_success)) > patience {
            self.patience.is_over = true;
            self.stop(Stopped::Aws(error.clone()));
        }
        Ok(at)
    }

    /// An operation has answered about a restore.
    pub(super) fn succeeded(
        &mut self,
        step: StepIndex,
        operation: Operation,
    ) -> Result<(), Stopped> {
        self.flights[step].retries.answered(operation);
        self.succeeded_at(self.target_of(step), operation)
    }

    pub(super) fn succeeded_at(
        &mut self,
        target: TargetIndex,
        operation: Operation,
    ) -> Result<(), Stopped> {
        self.patience.last_success = self.engine.clock.now();
        self.recovered_at(target, operation)
    }

    /// A call that looks for the job of a request has its answer. That says nothing of the request: where that is never
    /// answered, nobody waits for it longer because AWS answers the looking.
    pub(super) fn looked_up(
        &mut self,
        step: StepIndex,
        operation: Operation,
    ) -> Result<(), Stopped> {
        self.flights[step].retries.answered(operation);
        self.recovered_at(self.target_of(step), operation)
    }

    /// An operation fails no longer.
    pub(super) fn recovered_at(
        &mut self,
        target: TargetIndex,
        operation: Operation,
    ) -> Result<(), Stopped> {
        let has_recovered = self.targets[target].outages.remove(&operation).is_some();
        if has_recovered && self.targets.iter().all(|target| target.outages.is_empty()) {
            self.emit(vec![Event::Recovered])?;
        }
        Ok(())
    }

    /// Starts nothing new; what runs is followed to its end, and then the first reason is given.
    pub(super) fn stop(&mut self, why: Stopped) {
        self.schedule.drain();
        self.stopped.get_or_insert(why);
    }
}
