//! Recording of what happens, and of its effects once it is on disk.

use super::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::execute::Observer;
use crate::execute::calls::DueCall;
use crate::execute::engine::Stopped;
use crate::execute::recording::Effect;
use crate::state::{Append, Event, Recorded};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Begins to record what has happened. What is being recorded is waited for by nobody but its effects; where there are
    /// none before it, those follow at once.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        self.recording.begin();
        self.follow()
    }

    /// Records all that has happened, and waits for it.
    pub(super) async fn flush_all(&mut self) -> Result<(), Stopped> {
        loop {
            self.recording.begin();
            if self.recording.is_idle() {
                return self.follow();
            }
            let batch = self.recording.ended().await?;
            self.recorded(&batch)?;
        }
    }

    /// Events are on disk: they are shown, and what follows from them is done.
    pub(super) fn recorded(&mut self, batch: &[Recorded]) -> Result<(), Stopped> {
        let outage = (batch.iter().rev()).find_map(|recorded| match recorded.event {
            Event::AwsUnavailable { .. } => Some(true),
            Event::Recovered => Some(false),
            _ => None,
        });
        let now = self.engine.clock.now();
        self.recording.silence.is_broken(now, outage);
        for recorded in batch {
            self.engine.observer.observe(recorded);
        }
        self.follow()
    }

    /// Does this once all that has happened by now is on disk.
    pub(super) fn then(&mut self, effect: Effect) {
        match &effect {
            Effect::Start(_) => self.calls.reserve_start(),
            Effect::StartDue(_) | Effect::Publish(_) => self.calls.reserve(),
            Effect::Check(..) => self.checking.reserve(),
        }
        self.recording.then(effect);
    }

    fn follow(&mut self) -> Result<(), Stopped> {
        while let Some(effect) = self.recording.effect() {
            match effect {
                Effect::Start(step) => {
                    self.calls.release_start();
                    self.start(step)?;
                }
                Effect::StartDue(step) => {
                    self.calls.release();
                    let now = self.engine.clock.now();
                    self.calls
                        .at(self.target_of(step), now, step, DueCall::Start);
                }
                Effect::Check(task, command) => {
                    self.checking.release();
                    self.checking.start(task, command);
                }
                Effect::Publish(step) => {
                    self.calls.release();
                    self.publish(step);
                }
            }
        }
        Ok(())
    }
}
