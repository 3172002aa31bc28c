//! What follows from an end: a failure passes on, and a runner says what it has done before it leaves.

use std::collections::BTreeMap;

use super::Observer;
use super::engine::Stopped;
use super::run::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::state::{Event, Journal};

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// How often this runner has called AWS.
    pub(super) fn called(&self) -> Event {
        let mut calls: BTreeMap<String, u64> = BTreeMap::new();
        for (name, count) in self.calls.made() {
            *calls.entry(name.to_owned()).or_default() += count;
        }
        Event::CallsMade { calls }
    }

    /// A restore has failed, or is not waited for any longer: nor are those that hang on it.
    pub(super) fn fail(&mut self, step: usize, what: &str) -> Result<(), Stopped> {
        let skips = self.schedule.failed(step);
        self.skip(
            skips.iter().map(|skip| skip.step),
            &format!("`{}` {what}", self.name(step)),
        )
    }

    /// What will not start, and because of what.
    pub(super) fn skip(
        &mut self,
        steps: impl IntoIterator<Item = usize>,
        because: &str,
    ) -> Result<(), Stopped> {
        let events = steps
            .into_iter()
            .filter(|step| {
                // A failed restore that would have been tried again keeps its failure.
                let name = &*self.engine.plan.steps[*step].name;
                let past = self.observed.restores.get(name);
                !past.is_some_and(|past| past.stage.has_ended())
            })
            .map(|step| Event::Skipped {
                restore: self.name(step),
                because: because.to_owned(),
            })
            .collect();
        self.emit(events)
    }
}
