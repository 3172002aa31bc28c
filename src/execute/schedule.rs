//! Scheduler of restores: dependencies, limits, failures. Pure: no time, no network.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::barriers::Barriers;
use crate::diff::{Action, Diff};
use crate::ids::{Indexed, StepIndex, TargetIndex};
use crate::parse::OnFailure;
use crate::plan::{Draft, Plan};
use crate::rules::Facts;

/// Order of those that are ready: the longest way still to go first, in seconds, then the plan's order.
type Ready = BTreeSet<(Reverse<u64>, StepIndex)>;

/// The order of starting.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    barriers: Barriers,
    /// Expected duration of the longest chain that begins with a step, in seconds.
    chain: Arc<Indexed<StepIndex, u64>>,
    /// Not started, not given up: by step.
    waiting: Indexed<StepIndex, bool>,
    of_type: Arc<Indexed<StepIndex, usize>>,
    types: Vec<Type>,
    targets: Indexed<TargetIndex, TargetCapacity>,
    in_flight: u32,
    concurrent: u32,
    on_failure: OnFailure,
    /// Nothing is started any more.
    drained: bool,
    stopped_by: Option<StepIndex>,
}

/// One target and how much of it may start.
#[derive(Clone, Debug)]
struct TargetCapacity {
    limit: u32,
    in_flight: u32,
}

/// One resource type in one target, and what of it may start.
#[derive(Clone, Debug)]
struct Type {
    target: TargetIndex,
    limit: u32,
    in_flight: u32,
    ready: Ready,
}

/// Reason that keeps restores of a type from starting where nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocked {
    /// The type's limit in the target is reached.
    Type,
    /// The limit of the target, given by its index, is reached.
    Target(TargetIndex),
    /// The limit of all restores together is reached.
    Concurrent,
    /// No limit of these.
    Otherwise,
}

/// A restore that will not start, and because of which.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Skip {
    pub(super) step: StepIndex,
    pub(super) because: StepIndex,
}

impl Schedule {
    pub(super) fn new<'d>(
        plan: &Plan,
        draft: impl Fn(StepIndex) -> &'d Draft,
        diff: &Diff,
    ) -> Self {
        let mut names: BTreeMap<(TargetIndex, &str), usize> = BTreeMap::new();
        let mut types = Vec::new();
        let mut of_type = Indexed::default();
        for (at, step) in plan.steps.enumerated() {
            let name = draft(at).request.resource_type.as_str();
            of_type.push(*names.entry((step.target, name)).or_insert_with(|| {
                types.push(Type {
                    target: step.target,
                    limit: at_once(plan, name),
                    in_flight: 0,
                    ready: Ready::new(),
                });
                types.len() - 1
            }));
        }
        let mut schedule = Self {
            barriers: Barriers::default(),
            chain: Arc::new(
                plan.steps
                    .positions()
                    .map(|at| draft(at).expected.as_secs().unsigned_abs().max(1))
                    .collect(),
            ),
            waiting: vec![false; plan.steps.len()].into(),
            of_type: Arc::new(of_type),
            types,
            targets: plan
                .targets
                .iter()
                .map(|target| TargetCapacity {
                    limit: target
                        .name
                        .as_ref()
                        .and_then(|name| plan.limits.by_target.get(name))
                        .copied()
                        .unwrap_or(u32::MAX),
                    in_flight: 0,
                })
                .collect(),
            in_flight: 0,
            concurrent: plan.limits.concurrent.unwrap_or(u32::MAX),
            on_failure: plan.on_failure,
            drained: false,
            stopped_by: None,
        };
        // Only what this run starts or follows can be waited for; the rest has ended, or blocks for good.
        let acts: BTreeSet<StepIndex> = diff
            .changes
            .iter()
            .filter(|change| matches!(change.action, Action::Start | Action::Resume))
            .map(|change| change.step)
            .collect();
        let needs: Indexed<StepIndex, Arc<[StepIndex]>> =
            plan.steps.iter().map(|s| Arc::clone(&s.needs)).collect();
        let members = diff.changes.iter().map(|change| change.step);
        schedule.barriers = Barriers::new(&needs, members, |at| acts.contains(&at));
        let starts = diff.changes.iter().filter(|c| c.action == Action::Start);
        starts.for_each(|change| schedule.waiting[change.step] = true);
        schedule.measure(plan.order.iter().rev().copied());
        schedule
    }

    /// Finds the longest chain behind each step, which come last first, and what may start at once.
    fn measure(&mut self, backwards: impl Iterator<Item = StepIndex>) {
        let mut chain = Indexed::clone(&self.chain);
        self.barriers.measure(&mut chain, backwards);
        self.chain = Arc::new(chain);
        let ready: Vec<StepIndex> = self
            .waiting()
            .filter(|at| self.barriers.is_open(*at))
            .collect();
        for at in ready {
            self.set_ready(at);
        }
    }

    fn key(&self, at: StepIndex) -> (Reverse<u64>, StepIndex) {
        (Reverse(self.chain[at]), at)
    }

    fn set_ready(&mut self, at: StepIndex) {
        let key = self.key(at);
        self.types[self.of_type[at]].ready.insert(key);
    }

    /// Returns true if nothing is started any more.
    pub(super) fn is_drained(&self) -> bool {
        self.drained
    }

    /// Returns the restore whose failure has stopped the run, if any.
    pub(super) fn stopped_by(&self) -> Option<StepIndex> {
        self.stopped_by
    }

    /// Returns the restores that were neither started nor given up.
    pub(super) fn waiting(&self) -> impl Iterator<Item = StepIndex> {
        let waiting = self.waiting.enumerated();
        waiting.filter_map(|(at, waits)| waits.then_some(at))
    }

    /// Returns true if something could start in a target within the limits.
    pub(super) fn has_next(&self, target: TargetIndex) -> bool {
        let place = &self.targets[target];
        self.in_flight < self.concurrent
            && place.in_flight < place.limit
            && self
                .types
                .iter()
                .any(|t| t.target == target && t.has_next())
    }

    /// Returns true if something waits for a restore.
    pub(super) fn is_needed(&self, at: StepIndex) -> bool {
        self.barriers.is_needed(at)
    }

    /// The next restore to start in one of some targets, within the limits; it counts as running from here on.
    pub(super) fn start_next(&mut self, targets: &[TargetIndex]) -> Option<StepIndex> {
        if self.in_flight >= self.concurrent {
            return None;
        }
        let next = self
            .types
            .iter()
            .filter(|t| targets.contains(&t.target) && t.has_next())
            .filter(|t| self.targets[t.target].in_flight < self.targets[t.target].limit)
            .filter_map(|t| t.ready.first())
            .min();
        let (_, at) = *next?;
        self.start(at);
        Some(at)
    }

    /// Returns the number of types, counted in each target.
    pub(super) fn types(&self) -> usize {
        self.types.len()
    }

    /// The number of a restore's type.
    pub(super) fn type_of(&self, at: StepIndex) -> usize {
        self.of_type[at]
    }

    /// Returns what keeps the first of a type from starting, where one waits.
    pub(super) fn blocked(&self, of_type: usize) -> Option<(StepIndex, Blocked)> {
        let of_type = &self.types[of_type];
        let (_, first) = *of_type.ready.first()?;
        let place = &self.targets[of_type.target];
        let blocked = if of_type.in_flight >= of_type.limit {
            Blocked::Type
        } else if place.in_flight >= place.limit {
            Blocked::Target(of_type.target)
        } else if self.in_flight >= self.concurrent {
            Blocked::Concurrent
        } else {
            Blocked::Otherwise
        };
        Some((first, blocked))
    }

    /// Returns the restores that may start as far as others go, whatever the limits say.
    pub(super) fn ready(&self) -> impl Iterator<Item = StepIndex> {
        self.types
            .iter()
            .flat_map(|of_type| of_type.ready.iter().map(|(_, at)| *at))
    }

    /// A restore that may start does; it counts as running from here on.
    pub(super) fn start(&mut self, at: StepIndex) {
        let key = self.key(at);
        self.types[self.of_type[at]].ready.remove(&key);
        self.waiting[at] = false;
        self.running(at);
    }

    /// Puts back a restore that has not started after all.
    pub(super) fn put_back(&mut self, at: StepIndex) {
        self.ended(at);
        if !self.drained {
            self.waiting[at] = true;
            self.set_ready(at);
        }
    }

    /// A restore runs that was started before.
    pub(super) fn running(&mut self, at: StepIndex) {
        self.in_flight += 1;
        let of_type = &mut self.types[self.of_type[at]];
        of_type.in_flight += 1;
        self.targets[of_type.target].in_flight += 1;
    }

    /// A restore has ended: its place is free, and nothing follows from it yet.
    pub(super) fn ended(&mut self, at: StepIndex) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let of_type = &mut self.types[self.of_type[at]];
        of_type.in_flight = of_type.in_flight.saturating_sub(1);
        let place = &mut self.targets[of_type.target];
        place.in_flight = place.in_flight.saturating_sub(1);
    }

    /// A restore has completed, and nothing has to be checked: those that waited for it alone may start.
    #[cfg(test)]
    fn completed(&mut self, at: StepIndex) {
        self.ended(at);
        self.found_good(at);
    }

    /// A restore that has ended is good: those that waited for it alone may start. They are given back.
    pub(super) fn found_good(&mut self, at: StepIndex) -> Vec<StepIndex> {
        let mut freed = self.barriers.open(at);
        freed.retain(|dependent| self.waiting[*dependent]);
        for dependent in &freed {
            self.set_ready(*dependent);
        }
        freed
    }

    /// A restore has failed: what will not start because of it.
    pub(super) fn failed(&mut self, at: StepIndex) -> Vec<Skip> {
        self.ended(at);
        self.found_bad(at)
    }

    /// A restore that has ended is not good: what will not start because of it.
    pub(super) fn found_bad(&mut self, at: StepIndex) -> Vec<Skip> {
        let mut skips = Vec::new();
        for step in self.barriers.bar(at) {
            if std::mem::take(&mut self.waiting[step]) {
                let key = self.key(step);
                self.types[self.of_type[step]].ready.remove(&key);
                skips.push(Skip { step, because: at });
            }
        }
        if self.on_failure == OnFailure::Stop {
            self.stopped_by.get_or_insert(at);
            skips.extend(self.waiting().map(|step| Skip { step, because: at }));
            self.drain();
        }
        skips.sort_by_key(|skip| skip.step);
        skips
    }

    /// Starts nothing from here on; what was not started stays that way without being given up.
    pub(super) fn drain(&mut self) {
        self.drained = true;
        self.waiting.fill(false);
        for of_type in &mut self.types {
            of_type.ready.clear();
        }
    }
}

impl Type {
    fn has_next(&self) -> bool {
        self.in_flight < self.limit && !self.ready.is_empty()
    }
}

/// Restores of a type at once: what the plan says, else what AWS documents. Nothing is published for most types.
#[must_use]
pub fn at_once(plan: &Plan, resource_type: &str) -> u32 {
    let documented = || Some(Facts::of(resource_type)?.at_once.as_ref()?.restores);
    let by_plan = plan.limits.by_type.get(resource_type).copied();
    by_plan.or_else(documented).unwrap_or(u32::MAX)
}

/// Number of restores that a person wants at once, whatever the plan says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtMost {
    /// Of which type, in each target; none is all of them together.
    pub resource_type: Option<String>,
    /// So many.
    pub restores: u32,
}

/// Lowers the limits of a plan; what is lower already stays.
pub fn lower(plan: &mut Plan, to: &[AtMost]) {
    for at_most in to {
        match &at_most.resource_type {
            None => {
                let limit = &mut plan.limits.concurrent;
                *limit = Some(limit.unwrap_or(u32::MAX).min(at_most.restores));
            }
            Some(resource_type) => {
                let limit = at_once(plan, resource_type).min(at_most.restores);
                plan.limits.by_type.insert(resource_type.clone(), limit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: usize) -> StepIndex {
        StepIndex::new(step)
    }

    /// A schedule over `needs`, whose restores have the types and limits given.
    fn schedule(
        needs: &[&[usize]],
        of_type: &[usize],
        limits: &[u32],
        concurrent: u32,
        on_failure: OnFailure,
    ) -> Schedule {
        let shared: Indexed<StepIndex, Arc<[StepIndex]>> = needs
            .iter()
            .map(|needs| needs.iter().copied().map(StepIndex::new).collect())
            .collect();
        let mut schedule = Schedule {
            barriers: Barriers::new(&shared, shared.positions(), |_| true),
            chain: Arc::new(vec![1; needs.len()].into()),
            waiting: vec![true; needs.len()].into(),
            of_type: Arc::new(of_type.to_vec().into()),
            types: limits
                .iter()
                .map(|limit| Type {
                    target: TargetIndex::FIRST,
                    limit: *limit,
                    in_flight: 0,
                    ready: Ready::new(),
                })
                .collect(),
            targets: vec![TargetCapacity {
                limit: u32::MAX,
                in_flight: 0,
            }]
            .into(),
            in_flight: 0,
            concurrent,
            on_failure,
            drained: false,
            stopped_by: None,
        };
        schedule.measure(shared.positions().rev());
        schedule
    }

    fn started(schedule: &mut Schedule) -> Vec<usize> {
        std::iter::from_fn(|| schedule.start_next(&[TargetIndex::FIRST]))
            .map(StepIndex::get)
            .collect()
    }

    #[test]
    fn a_restore_starts_when_all_it_needs_has_completed() {
        let mut s = schedule(
            &[&[], &[], &[0, 1], &[2]],
            &[0; 4],
            &[9],
            50,
            OnFailure::Continue,
        );
        assert_eq!(started(&mut s), [0, 1]);
        s.completed(at(0));
        assert!(started(&mut s).is_empty());
        s.completed(at(1));
        assert_eq!(started(&mut s), [2]);
        s.completed(at(2));
        assert_eq!(started(&mut s), [3]);
    }

    #[test]
    fn limits_hold_in_all_and_by_type() {
        let mut s = schedule(
            &[&[], &[], &[], &[]],
            &[0, 1, 1, 0],
            &[9, 1],
            3,
            OnFailure::Continue,
        );
        assert_eq!(started(&mut s), [0, 1, 3]);
        s.completed(at(0));
        assert!(started(&mut s).is_empty());
        s.completed(at(1));
        assert_eq!(started(&mut s), [2]);
    }

    #[test]
    fn a_failure_skips_all_that_hangs_on_it_and_nothing_else() {
        let mut s = schedule(
            &[&[], &[0], &[1], &[]],
            &[0; 4],
            &[9],
            1,
            OnFailure::Continue,
        );
        assert_eq!(started(&mut s), [0]);
        let skips = s.failed(at(0));
        assert_eq!(
            skips,
            [
                Skip {
                    step: at(1),
                    because: at(0)
                },
                Skip {
                    step: at(2),
                    because: at(0)
                }
            ]
        );
        assert_eq!(started(&mut s), [3]);
    }

    #[test]
    fn on_failure_stop_skips_everything_that_has_not_started() {
        let mut s = schedule(&[&[], &[], &[]], &[0; 3], &[9], 2, OnFailure::Stop);
        assert_eq!(started(&mut s), [0, 1]);
        assert_eq!(
            s.failed(at(0)),
            [Skip {
                step: at(2),
                because: at(0)
            }]
        );
        assert!(started(&mut s).is_empty());
        s.completed(at(1));
    }

    #[test]
    fn the_longest_chain_goes_first() {
        // 3 begins a chain of three, 1 one of two, 0 and 2 stand alone.
        let needs: &[&[usize]] = &[&[], &[], &[], &[], &[1], &[3], &[5]];
        let mut s = schedule(needs, &[0; 7], &[9], 2, OnFailure::Continue);
        assert_eq!(started(&mut s), [3, 1]);
        s.completed(at(1));
        assert_eq!(started(&mut s), [0]);
    }

    #[test]
    fn those_that_need_the_same_wait_together() {
        let all: Arc<[StepIndex]> = (0..3).map(at).collect();
        let none: Arc<[StepIndex]> = Arc::from([]);
        let needs = [&none, &none, &none, &all, &all].map(Arc::clone);
        let needs = Indexed::from(needs.to_vec());
        let mut barriers = Barriers::new(&needs, needs.positions(), |_| true);
        assert!(barriers.is_open(at(0)) && !barriers.is_open(at(3)) && barriers.is_needed(at(1)));
        assert!(barriers.open(at(0)).is_empty() && barriers.open(at(1)).is_empty());
        assert_eq!(barriers.open(at(2)), [at(3), at(4)]);
        let mut barriers = Barriers::new(&needs, needs.positions(), |_| true);
        assert_eq!(barriers.bar(at(1)), [at(3), at(4)]);
        assert!(barriers.bar(at(2)).is_empty());
    }
}
