//! AWS Backup is told what the checks of a restore have come to. A refusal is said, and fails nothing.

use super::Run;
use crate::backup::{ApiError, Clock, Fault, Operation, Reader, Writer};
use crate::execute::Observer;
use crate::execute::calls::{DueCall, backoff};
use crate::execute::engine::Stopped;
use crate::execute::flight::Phase;
use crate::ids::StepIndex;
use crate::state::{Append, CheckStage, Event, RestoreStage};

/// Number of calls to AWS Backup before its silence is taken for a no.
const TELLINGS: u32 = 4;

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// AWS Backup has answered to what the checks of a restore have come to, or has not.
    pub(super) fn published(
        &mut self,
        step: StepIndex,
        answer: Result<&'static str, ApiError>,
    ) -> Result<(), Stopped> {
        let restore = self.name(step);
        let event = match answer {
            Ok(status) => {
                self.succeeded(step, Operation::PutRestoreValidationResult)?;
                Event::Published {
                    restore,
                    status: status.to_owned(),
                }
            }
            Err(error) => {
                let (target, now) = (self.target_of(step), self.engine.clock.now());
                if error.fault == Fault::Throttled {
                    self.calls.throttled(target, error.operation, now);
                }
                let tries = match self.flights[step].phase {
                    Phase::Publishing(tries) => tries + 1,
                    _ => 1,
                };
                let is_final = matches!(error.fault, Fault::Refused | Fault::Denied);
                if !is_final && tries < TELLINGS {
                    self.flights[step].phase = Phase::Publishing(tries);
                    let at = now + backoff(tries);
                    self.calls.at(target, at, step, DueCall::Publish);
                    return Ok(());
                }
                Event::NotPublished {
                    restore,
                    message: error.message,
                }
            }
        };
        self.flights[step].phase = Phase::Quiet;
        self.emit(vec![event])
    }

    /// Tells AWS Backup what the checks of a restore have come to.
    pub(super) fn publish(&mut self, step: StepIndex) {
        let name = self.engine.plan.steps[step].name.as_str();
        let Some(past) = self.observed.restores.get(name) else {
            return;
        };
        let RestoreStage::Completed { job_id, .. } = &past.stage else {
            return;
        };
        let checks = &self.engine.plan.steps[step].checks;
        let failed = checks.iter().map(|check| &check.name.value).find(|name| {
            let seen = past.checks.get(*name);
            seen.is_some_and(|seen| seen.is == CheckStage::Failed)
        });
        let missing = || {
            past.is_incomplete
                .then(|| "not everything was restored".to_owned())
        };
        let message = failed
            .map(|check| format!("check {check} failed"))
            .or_else(missing);
        let job_id = job_id.clone();
        self.calls
            .publish(self.target_of(step), step, job_id, message);
    }
}
