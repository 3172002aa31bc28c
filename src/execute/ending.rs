//! What follows from an end: a failure passes on, and a runner says what it has done before it leaves.

use super::engine::{Run, Stopped};
use super::schedule::Skip;
use super::{Clock, Event, Journal, Observer, Writer};
use crate::diff::Reader;

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// How often this runner has called AWS.
    pub(super) fn called(&self) -> Event {
        let calls = self.engine.api.calls();
        Event::Called {
            calls: calls
                .into_iter()
                .map(|(name, n)| (name.to_owned(), n))
                .collect(),
        }
    }

    /// A restore has failed: so have those that hang on it.
    pub(super) fn fail(&mut self, step: usize) -> Result<(), Stopped> {
        let skips = self.schedule.failed(step);
        self.skip(skips, &format!("`{}` failed", self.name(step)))
    }

    /// What will not start, and because of what.
    pub(super) fn skip(&mut self, skips: Vec<Skip>, because: &str) -> Result<(), Stopped> {
        let events = skips
            .into_iter()
            .filter(|skip| {
                // A failed restore that would have been tried again keeps its failure.
                let name = &*self.engine.plan.steps[skip.step].name;
                let past = self.observed.restores.get(name);
                !past.is_some_and(|past| past.stage.has_ended())
            })
            .map(|skip| Event::Skipped {
                restore: self.name(skip.step),
                because: because.to_owned(),
            })
            .collect();
        self.emit(events)
    }
}
