//! Which restore may start: dependencies, limits, failures. Pure: no time, no network.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::{Action, Diff};
use crate::parse::OnFailure;
use crate::plan::Plan;

/// Restores at once where the plan does not say.
pub(super) const DEFAULT_CONCURRENT: u32 = 50;

/// The order of starting.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Restores that each step still waits for.
    waits: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    /// May start now, in the plan's order.
    ready: BTreeSet<usize>,
    /// Not started, not given up.
    waiting: BTreeSet<usize>,
    types: Vec<String>,
    in_flight: u32,
    in_flight_by_type: BTreeMap<String, u32>,
    concurrent: u32,
    by_type: BTreeMap<String, u32>,
    on_failure: OnFailure,
}

/// A restore that will not start, and because of which.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skip {
    pub(super) step: usize,
    pub(super) because: usize,
}

impl Schedule {
    pub(super) fn new(plan: &Plan, diff: &Diff) -> Self {
        let mut schedule = Self {
            waits: vec![0; plan.steps.len()],
            dependents: vec![Vec::new(); plan.steps.len()],
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            types: plan
                .steps
                .iter()
                .map(|step| step.draft.request.resource_type.clone())
                .collect(),
            in_flight: 0,
            in_flight_by_type: BTreeMap::new(),
            concurrent: plan.limits.concurrent.unwrap_or(DEFAULT_CONCURRENT),
            by_type: plan.limits.by_type.clone(),
            on_failure: plan.on_failure,
        };
        // Only what this run starts or follows can be waited for; the rest has ended, or blocks for good.
        let acts: BTreeSet<usize> = diff
            .changes
            .iter()
            .filter(|change| matches!(change.action, Action::Start | Action::Resume))
            .map(|change| change.step)
            .collect();
        for change in &diff.changes {
            let at = change.step;
            for need in plan.steps[at]
                .needs
                .iter()
                .filter(|need| acts.contains(need))
            {
                schedule.dependents[*need].push(at);
                schedule.waits[at] += 1;
            }
            if change.action == Action::Start {
                schedule.waiting.insert(at);
                if schedule.waits[at] == 0 {
                    schedule.ready.insert(at);
                }
            }
        }
        schedule
    }

    /// The next restore to start, within the limits; it counts as running from here on.
    pub(super) fn start_next(&mut self) -> Option<usize> {
        if self.in_flight >= self.concurrent {
            return None;
        }
        let at = self.ready.iter().copied().find(|at| {
            let resource_type = &self.types[*at];
            let running = self
                .in_flight_by_type
                .get(resource_type)
                .copied()
                .unwrap_or(0);
            self.by_type
                .get(resource_type)
                .is_none_or(|limit| running < *limit)
        })?;
        self.ready.remove(&at);
        self.waiting.remove(&at);
        self.running(at);
        Some(at)
    }

    /// A restore runs that was started before.
    pub(super) fn running(&mut self, at: usize) {
        self.in_flight += 1;
        *self
            .in_flight_by_type
            .entry(self.types[at].clone())
            .or_default() += 1;
    }

    fn ended(&mut self, at: usize) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(count) = self.in_flight_by_type.get_mut(&self.types[at]) {
            *count = count.saturating_sub(1);
        }
    }

    /// A restore has completed: those that waited for it alone may start.
    pub(super) fn completed(&mut self, at: usize) {
        self.ended(at);
        for dependent in std::mem::take(&mut self.dependents[at]) {
            self.waits[dependent] -= 1;
            if self.waits[dependent] == 0 && self.waiting.contains(&dependent) {
                self.ready.insert(dependent);
            }
        }
    }

    /// A restore has failed: what will not start because of it.
    pub(super) fn failed(&mut self, at: usize) -> Vec<Skip> {
        self.ended(at);
        let mut skips = Vec::new();
        let mut stack = std::mem::take(&mut self.dependents[at]);
        while let Some(step) = stack.pop() {
            if self.waiting.remove(&step) {
                self.ready.remove(&step);
                skips.push(Skip { step, because: at });
            }
            stack.append(&mut self.dependents[step]);
        }
        if self.on_failure == OnFailure::Stop {
            let rest = std::mem::take(&mut self.waiting);
            self.ready.clear();
            skips.extend(rest.into_iter().map(|step| Skip { step, because: at }));
        }
        skips.sort_by_key(|skip| skip.step);
        skips
    }

    /// Starts nothing from here on; what was not started stays that way without being given up.
    pub(super) fn drain(&mut self) {
        self.ready.clear();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schedule over `needs`, every restore of type `T` unless named otherwise.
    fn schedule(needs: &[&[usize]], concurrent: u32, on_failure: OnFailure) -> Schedule {
        let mut dependents = vec![Vec::new(); needs.len()];
        for (at, needs) in needs.iter().enumerate() {
            for need in *needs {
                dependents[*need].push(at);
            }
        }
        Schedule {
            waits: needs.iter().map(|needs| needs.len()).collect(),
            dependents,
            ready: (0..needs.len())
                .filter(|at| needs[*at].is_empty())
                .collect(),
            waiting: (0..needs.len()).collect(),
            types: vec!["T".to_owned(); needs.len()],
            in_flight: 0,
            in_flight_by_type: BTreeMap::new(),
            concurrent,
            by_type: BTreeMap::new(),
            on_failure,
        }
    }

    fn started(schedule: &mut Schedule) -> Vec<usize> {
        std::iter::from_fn(|| schedule.start_next()).collect()
    }

    #[test]
    fn a_restore_starts_when_all_it_needs_has_completed() {
        let mut s = schedule(&[&[], &[], &[0, 1], &[2]], 50, OnFailure::Continue);
        assert_eq!(started(&mut s), [0, 1]);
        s.completed(0);
        assert!(started(&mut s).is_empty());
        s.completed(1);
        assert_eq!(started(&mut s), [2]);
        s.completed(2);
        assert_eq!(started(&mut s), [3]);
    }

    #[test]
    fn limits_hold_in_all_and_by_type() {
        let mut s = schedule(&[&[], &[], &[], &[]], 3, OnFailure::Continue);
        s.types[1] = "EKS".to_owned();
        s.types[2] = "EKS".to_owned();
        s.by_type.insert("EKS".to_owned(), 1);
        assert_eq!(started(&mut s), [0, 1, 3]);
        s.completed(0);
        assert!(started(&mut s).is_empty());
        s.completed(1);
        assert_eq!(started(&mut s), [2]);
    }

    #[test]
    fn a_failure_skips_all_that_hangs_on_it_and_nothing_else() {
        let mut s = schedule(&[&[], &[0], &[1], &[]], 1, OnFailure::Continue);
        assert_eq!(started(&mut s), [0]);
        let skips = s.failed(0);
        assert_eq!(
            skips,
            [
                Skip {
                    step: 1,
                    because: 0
                },
                Skip {
                    step: 2,
                    because: 0
                }
            ]
        );
        assert_eq!(started(&mut s), [3]);
    }

    #[test]
    fn on_failure_stop_skips_everything_that_has_not_started() {
        let mut s = schedule(&[&[], &[], &[]], 2, OnFailure::Stop);
        assert_eq!(started(&mut s), [0, 1]);
        assert_eq!(
            s.failed(0),
            [Skip {
                step: 2,
                because: 0
            }]
        );
        assert!(started(&mut s).is_empty());
        s.completed(1);
    }
}
