//! A run whose requests somebody else sends, with the tokens of this plan: their jobs are found, recorded and followed, and
//! nothing is sent from here.

use super::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::execute::Observer;
use crate::execute::engine::Stopped;
use crate::execute::target::TargetState;
use crate::ids::StepIndex;
use crate::state::Append;

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Looks from now on.
    pub(super) fn begin_elsewhere(&mut self) {
        if self.lookout.elsewhere.is_some() {
            self.look_now();
        }
    }

    fn look_now(&mut self) {
        let now = self.engine.clock.now();
        for target in &mut self.targets {
            target.look.since.get_or_insert(self.lookout.listed_at);
            target.look.due = Some(now);
        }
    }

    /// Nothing more is started there: one more look shows all that was.
    pub(super) fn end_elsewhere(&mut self) {
        let now = self.engine.clock.now();
        if let Some(elsewhere) = &mut self.lookout.elsewhere {
            elsewhere.ended_at.get_or_insert(now);
            self.look_now();
        }
    }

    /// A look is over: whatever it has shown is compared.
    pub(super) fn looked_elsewhere(&mut self) {
        if let Some(elsewhere) = &mut self.lookout.elsewhere {
            elsewhere.compared.clear();
        }
    }

    /// Takes up the jobs of restores that may have started; those whose job is not there yet wait on.
    pub(super) fn find_elsewhere(&mut self) -> Result<(), Stopped> {
        let Some(elsewhere) = &mut self.lookout.elsewhere else {
            return Ok(());
        };
        let (flights, targets, steps) = (&self.flights, &self.targets, &self.engine.plan.steps);
        let has_jobs = |step: &StepIndex| {
            let draft = flights[*step].draft.as_ref();
            let of = &targets[steps[*step].target];
            draft.is_some_and(|draft| {
                let jobs = of.existing_jobs(&draft.request.recovery_point_arn);
                !jobs.is_empty()
            })
        };
        let found = self.schedule.ready().filter(has_jobs);
        let found: Vec<StepIndex> = found
            .filter(|step| elsewhere.compared.insert(*step))
            .collect();
        for step in found {
            self.schedule.start(step);
            match self.completed(step) {
                Ok(draft) => self.begin_request(step, &draft)?,
                // Whoever sends it has been given the same plan, and would have been told the same.
                Err(_) => self.schedule.put_back(step),
            }
        }
        Ok(())
    }

    /// The job of a restore is not there yet.
    pub(super) fn not_there_yet(&mut self, step: StepIndex) {
        self.flights.close(step);
        self.schedule.put_back(step);
    }

    /// Returns true if something may still be started there; once nothing can be, what waits is left as it is.
    pub(super) fn waits_for_elsewhere(&mut self) -> bool {
        let Some(elsewhere) = &self.lookout.elsewhere else {
            return false;
        };
        if self.schedule.waiting().next().is_none() {
            return false;
        }
        let is_seen = |target: &TargetState| {
            let looked = target.look.looked;
            elsewhere
                .ended_at
                .is_some_and(|ended| looked.is_some_and(|looked| looked >= ended))
        };
        if !self.targets.iter().all(is_seen) {
            return true;
        }
        self.schedule.drain();
        false
    }
}
