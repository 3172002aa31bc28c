//! Calls whose time has come.

use std::sync::Arc;

use jiff::Timestamp;

use super::Observer;
use super::calls::DueCall;
use super::engine::Stopped;
use super::recording::Effect;
use super::run::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::state::Journal;

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// Makes the calls that are due, as far as the rates let it.
    pub(super) fn make_due_calls(&mut self) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        for place in 0..self.pollers.len() {
            for due in DueCall::ALL {
                while let Some(step) = self.calls.due(place, due, now) {
                    if !self.make_due_call(place, due, step, now)? {
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
        place: usize,
        due: DueCall,
        step: usize,
        now: Timestamp,
    ) -> Result<bool, Stopped> {
        let is_drained = self.schedule.is_drained();
        match due {
            DueCall::Publish | DueCall::Nested | DueCall::Look => {}
            _ if !self.requests.contains_key(&step) => {
                self.calls.take_due(place, due);
                return Ok(true);
            }
            DueCall::Start if is_drained && !self.exposed_since.contains_key(&step) => {
                self.calls.take_due(place, due);
                self.not_sent(step)?;
                return Ok(true);
            }
            // A run that has stopped looks for what may have arrived, and sends nothing.
            DueCall::Start if is_drained || self.token_may_have_expired(step) => {
                self.calls.take_due(place, due);
                self.reconcile(step)?;
                return Ok(true);
            }
            DueCall::List | DueCall::Compare if !self.has_to_call(step) => {
                self.calls.take_due(place, due);
                self.go_on_asking_shortly(step)?;
                return Ok(true);
            }
            DueCall::Start | DueCall::List | DueCall::Compare => {}
        }
        if !self.calls.take_due_if_it_may(place, due, now) {
            return Ok(false);
        }
        match (due, self.requests.get(&step)) {
            (DueCall::Start, Some(request)) => {
                let request = Arc::clone(request);
                self.calls.start(place, step, request, now);
            }
            (DueCall::Look, _) => {
                self.look_for(place, step);
            }
            (DueCall::Publish, _) => {
                // What the checks have come to is on disk first.
                self.then(Effect::Publish(step));
            }
            (DueCall::Nested, _) => self.list_nested(place, step),
            _ => self.ask_next(place, step),
        }
        Ok(true)
    }
}
