//! A run that has had nothing to say for a while says what it waits for.

use jiff::Timestamp;

use super::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::execute::Observer;
use crate::execute::silence::NAMED;
use crate::ids::StepIndex;
use crate::state::{Append, Awaited, CheckStage, Event};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Reports what the run waits for, once it has been silent for long; `pages` are those of a listing under way.
    pub(super) fn break_silence(&mut self, pages: u32) {
        let at = self.engine.clock.now();
        if self.recording.silence.is_over(at) {
            let event = Event::Waiting {
                awaited: self.awaited(at, pages),
            }
            .redacted(self.engine.planner.secrets());
            // Nothing has happened: it is for the screen alone.
            self.engine.observer.observe(&crate::state::Recorded {
                at,
                aws_ahead: None,
                event,
            });
        }
    }

    fn awaited(&self, now: Timestamp, pages: u32) -> Awaited {
        let seconds = |since: Timestamp| now.duration_since(since).as_secs().max(0);
        let mut followed: Vec<(Timestamp, StepIndex)> = self
            .targets
            .iter()
            .flat_map(|target| target.poller.followed())
            .collect();
        let jobs = followed.len();
        followed.sort_unstable();
        let longest = followed.into_iter().take(NAMED);
        let longest = longest.map(|(since, step)| (self.name(step), seconds(since)));
        let restores = self.observed.restores.iter();
        let of_restores = restores.flat_map(|(name, past)| {
            let running = past
                .checks
                .iter()
                .filter(|(_, seen)| seen.is == CheckStage::Started);
            running.map(move |(check, _)| (Some(name.clone()), check.clone()))
        });
        let whole = self.observed.checks.iter().chain(&self.observed.cutover);
        let of_plan = whole.filter(|(_, seen)| seen.is == CheckStage::Started);
        let checks = of_restores.chain(of_plan.map(|(check, _)| (None, check.clone())));
        Awaited {
            jobs,
            longest: longest.collect(),
            requests: self.flights.open_count(),
            elsewhere: match self.lookout.elsewhere {
                Some(_) => self.schedule.waiting().count(),
                None => 0,
            },
            checks: match self.checking.is_idle() {
                true => Vec::new(),
                false => checks.take(NAMED).collect(),
            },
            pages,
            trouble: self
                .targets
                .iter()
                .flat_map(|target| target.outages.values())
                .map(|outage| (outage.message.clone(), seconds(outage.since)))
                .collect(),
        }
    }
}
