//! Calls whose time has come.

use jiff::Timestamp;

use super::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::execute::Observer;
use crate::execute::calls::DueCall;
use crate::execute::engine::Stopped;
use crate::execute::recording::Effect;
use crate::ids::{StepIndex, TargetIndex};
use crate::state::Append;

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Makes the calls that are due, as far as the rates let it.
    pub(super) fn make_due_calls(&mut self) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        for target in self.targets.positions() {
            for due in DueCall::ALL {
                while let Some(step) = self.calls.due(target, due, now) {
                    if !self.make_due_call(target, due, step, now)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes one of them, or finds that there is none to be made; whether the next one may follow.
    fn make_due_call(
        &mut self,
        target: TargetIndex,
        due: DueCall,
        step: StepIndex,
        now: Timestamp,
    ) -> Result<bool, Stopped> {
        let is_obsolete = match due {
            DueCall::Publish | DueCall::Nested | DueCall::Look => false,
            DueCall::Start => match self.decided(step, |open, sight| open.on_due(sight)) {
                Some(None) => false,
                Some(Some(next)) => {
                    self.calls.take_due(target, due);
                    self.carry_out(step, next)?;
                    return Ok(true);
                }
                None => true,
            },
            DueCall::List | DueCall::Compare => match self.flights[step].request() {
                Some(open) if open.next_call(&self.job_metadata).is_some() => false,
                Some(_) => {
                    self.calls.take_due(target, due);
                    self.decide(step, |open, sight| open.go_on_shortly(sight))?;
                    return Ok(true);
                }
                None => true,
            },
        };
        if is_obsolete {
            self.calls.take_due(target, due);
            return Ok(true);
        }
        if !self.calls.take_due_if_it_may(target, due, now) {
            return Ok(false);
        }
        match due {
            DueCall::Start => self.start_call(step),
            DueCall::Look => self.look_for(target, step),
            // Results of the checks are on disk first.
            DueCall::Publish => self.then(Effect::Publish(step)),
            DueCall::Nested => self.list_nested(target, step),
            DueCall::List | DueCall::Compare => self.make_next_call(target, step),
        }
        Ok(true)
    }
}
