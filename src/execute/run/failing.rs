//! A failure passes on to what needs the restore.

use super::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::execute::Observer;
use crate::execute::engine::Stopped;
use crate::ids::StepIndex;
use crate::state::{Append, Event};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// A restore has failed, or is not waited for any longer: nor are those that hang on it.
    pub(super) fn fail(&mut self, step: StepIndex, what: &str) -> Result<(), Stopped> {
        let skips = self.schedule.failed(step);
        self.skip(
            skips.iter().map(|skip| skip.step),
            &format!("`{}` {what}", self.name(step)),
        )
    }

    /// Records what will not start, and because of what.
    pub(super) fn skip(
        &mut self,
        steps: impl IntoIterator<Item = StepIndex>,
        because: &str,
    ) -> Result<(), Stopped> {
        let events = steps
            .into_iter()
            .filter(|step| {
                // A failed restore that would have been tried again keeps its failure.
                let name = self.engine.plan.steps[*step].name.as_str();
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
