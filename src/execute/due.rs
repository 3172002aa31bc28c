//! Calls whose time has come.

use std::sync::Arc;

use jiff::Timestamp;

use super::Observer;
use super::calls::Due;
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
        for place in 0..self.watching.len() {
            for due in Due::ALL {
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
        due: Due,
        step: usize,
        now: Timestamp,
    ) -> Result<bool, Stopped> {
        let is_drained = self.schedule.is_drained();
        match due {
            Due::Publish | Due::Nested | Due::Look => {}
            _ if !self.requests.contains_key(&step) => {
                self.calls.take_due(place, due);
                return Ok(true);
            }
            Due::Start if is_drained && !self.perhaps_sent.contains_key(&step) => {
                self.calls.take_due(place, due);
                self.not_sent(step)?;
                return Ok(true);
            }
            // A run that has stopped looks for what may have arrived, and sends nothing.
            Due::Start if is_drained || self.is_forgotten(step) => {
                self.calls.take_due(place, due);
                self.settle(step)?;
                return Ok(true);
            }
            Due::List | Due::Compare if !self.has_to_call(step) => {
                self.calls.take_due(place, due);
                self.go_on_asking_shortly(step)?;
                return Ok(true);
            }
            Due::Start | Due::List | Due::Compare => {}
        }
        if !self.calls.take_due_if_it_may(place, due, now) {
            return Ok(false);
        }
        match (due, self.requests.get(&step)) {
            (Due::Start, Some(request)) => {
                let request = Arc::clone(request);
                self.calls.start(place, step, request, now);
            }
            (Due::Look, _) => {
                self.look_for(place, step);
            }
            (Due::Publish, _) => {
                // What the checks have come to is on disk first.
                self.then(Effect::Publish(step));
            }
            (Due::Nested, _) => self.list_nested(place, step),
            _ => self.ask_next(place, step),
        }
        Ok(true)
    }
}
