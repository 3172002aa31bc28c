//! Limits that hold back a restore whose needs are met.

use super::Playing;
use super::played::{HeldBy, PlanLimit};
use crate::execute::schedule::Blocked;
use crate::ids::{Indexed, StepIndex, TargetIndex};

/// Steps that last left a place free.
#[derive(Debug)]
pub(super) struct Freed {
    any: Option<StepIndex>,
    of_target: Indexed<TargetIndex, Option<StepIndex>>,
    of_type: Vec<Option<StepIndex>>,
    /// The last to start, of each target.
    started: Indexed<TargetIndex, Option<StepIndex>>,
}

impl Freed {
    pub(super) fn new(targets: usize, types: usize) -> Self {
        Self {
            any: None,
            of_target: vec![None; targets].into(),
            of_type: vec![None; types],
            started: vec![None; targets].into(),
        }
    }

    /// A step has ended.
    pub(super) fn by(&mut self, step: StepIndex, target: TargetIndex, of_type: usize) {
        self.any = Some(step);
        self.of_target[target] = Some(step);
        self.of_type[of_type] = Some(step);
    }
}

impl Playing<'_> {
    /// A step starts: if it could have before, it was held by what its type was held by.
    pub(super) fn note_start(&mut self, step: StepIndex) {
        let (now, target) = (self.now.as_millisecond(), self.of.targets[step]);
        let of_type = self.schedule.type_of(step);
        let of = &mut self.played.steps[step];
        if of.ready < now {
            let freed = &self.freed;
            of.held = match self.blocked[of_type] {
                HeldBy::Limit(limit, _) => {
                    let by = match limit {
                        PlanLimit::Concurrent => freed.any,
                        PlanLimit::Target(_) => freed.of_target[target],
                        PlanLimit::TypeOf(_) => freed.of_type[of_type],
                    };
                    HeldBy::Limit(limit, by)
                }
                _ => HeldBy::Rate(freed.started[target]),
            };
        }
        self.freed.started[target] = Some(step);
    }

    /// Remembers what holds those that could start and do not.
    pub(super) fn note_blocked(&mut self) {
        for of_type in 0..self.blocked.len() {
            self.blocked[of_type] = match self.schedule.blocked(of_type) {
                None => HeldBy::Nothing,
                Some((_, Blocked::Concurrent)) => HeldBy::Limit(PlanLimit::Concurrent, None),
                Some((_, Blocked::Target(target))) => {
                    HeldBy::Limit(PlanLimit::Target(target), None)
                }
                Some((step, Blocked::Type)) => HeldBy::Limit(PlanLimit::TypeOf(step), None),
                Some((_, Blocked::Otherwise)) => HeldBy::Rate(None),
            };
        }
    }
}
