//! Concurrency of lanes: they are in pools, so that no limit is exceeded whatever the lanes of a pool do.
//!
//! A state machine has no semaphore over resource types. It can only limit how many lanes of a map run at once, and how
//! many restores of a level. Lanes that share a limit that could be exceeded therefore form one pool, and the pool runs
//! as many of them as fit if each has as many of the limited restores running as its widest level. That never exceeds
//! the limit, and is fewer than `run` would start where lanes are uneven.

use std::collections::BTreeMap;

use super::lanes::{Joined, Lane};
use crate::execute;
use crate::ids::{AccountId, StepIndex, TargetIndex};
use crate::plan::Plan;

/// Iterations of an inline map at once
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html>).
const INLINE: usize = 40;
/// Lanes of a pool at once where no limit says less. Step Functions takes 10,000; each place makes looks at jobs rarer.
const LANES: usize = 1000;

/// All lanes of a Region.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) pools: Vec<Pool>,
    /// Restores that may run at once.
    pub(super) places: usize,
}

/// Lanes that run beside one another.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) lanes: Vec<PooledLane>,
    /// Number of lanes that run at once.
    pub(super) at_once: usize,
}

/// A lane, and how many restores of each level run at once.
#[derive(Debug)]
pub(super) struct PooledLane {
    pub(super) lane: Lane,
    pub(super) at_once: Vec<usize>,
}

impl PooledLane {
    /// Returns how many of its restores run at once, at the most.
    pub(super) fn width(&self) -> usize {
        self.at_once.iter().copied().max().unwrap_or(1)
    }
}

/// Scope of a limit.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limited<'p> {
    All,
    Target(TargetIndex),
    Type(&'p AccountId, &'p str),
}

/// The limits that could be passed: how many restores each allows, and which it is about.
struct Limits {
    most: Vec<usize>,
    of_step: BTreeMap<StepIndex, Vec<usize>>,
}

impl Limits {
    /// Collects the limits of a plan for some steps, with a share of its `concurrent`.
    fn new(plan: &Plan, steps: &[StepIndex], share: Option<u32>) -> Self {
        let mut members: BTreeMap<Limited<'_>, (u32, Vec<StepIndex>)> = BTreeMap::new();
        let mut documented: BTreeMap<&str, u32> = BTreeMap::new();
        for at in steps.iter().copied() {
            let step = &plan.steps[at];
            let target = plan.target_of(step);
            let name = step.draft.request.resource_type.as_str();
            let of_type = *documented
                .entry(name)
                .or_insert_with(|| execute::at_once(plan, name));
            let by_name = target.name.as_ref();
            let of_target = by_name.and_then(|name| plan.limits.by_target.get(name));
            let limits = [
                // `run` counts a type by target, and AWS by account: the account has at least as many restores.
                (Limited::Type(&target.account, name), Some(of_type)),
                (Limited::Target(step.target), of_target.copied()),
                (Limited::All, share),
            ];
            for (limited, most) in limits {
                if let Some(most) = most.filter(|most| *most != u32::MAX) {
                    members
                        .entry(limited)
                        .or_insert((most, Vec::new()))
                        .1
                        .push(at);
                }
            }
        }
        let mut limits = Self {
            most: Vec::new(),
            of_step: BTreeMap::new(),
        };
        for (most, steps) in members.into_values() {
            let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
            // One that all of them together do not reach is none.
            if most < steps.len() {
                for at in steps {
                    limits
                        .of_step
                        .entry(at)
                        .or_default()
                        .push(limits.most.len());
                }
                limits.most.push(most);
            }
        }
        limits
    }

    fn of(&self, step: StepIndex) -> &[usize] {
        self.of_step.get(&step).map_or(&[], Vec::as_slice)
    }

    /// Returns how many restores of a level run at once.
    fn at_once(&self, level: &[StepIndex]) -> usize {
        let limits = level.iter().flat_map(|at| self.of(*at));
        let most = limits.map(|limit| self.most[*limit]).min();
        most.unwrap_or(usize::MAX).min(INLINE).min(level.len())
    }

    /// Returns how many lanes fit, each with as many restores of a limit as run at once in its widest level.
    fn lanes_at_once(&self, lanes: &[PooledLane]) -> usize {
        let mut widest: BTreeMap<usize, usize> = BTreeMap::new();
        for lane in lanes {
            for (level, at_once) in lane.lane.levels.iter().zip(&lane.at_once) {
                let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
                for limit in level.iter().flat_map(|at| self.of(*at)) {
                    *counts.entry(*limit).or_default() += 1;
                }
                for (limit, count) in counts {
                    let width = widest.entry(limit).or_default();
                    *width = (*width).max(count.min(*at_once));
                }
            }
        }
        let fit = widest
            .iter()
            .map(|(limit, width)| self.most[*limit] / width);
        fit.min().unwrap_or(LANES).clamp(1, LANES).min(lanes.len())
    }
}

impl Pools {
    pub(super) fn new(plan: &Plan, lanes: Vec<Lane>, share: Option<u32>) -> Self {
        let steps: Vec<StepIndex> = lanes.iter().flat_map(Lane::steps).collect();
        let limits = Limits::new(plan, &steps, share);
        // Lanes and limits; lanes without one are a pool of their own, which stands behind all of them.
        let unlimited = limits.most.len();
        let mut joined = Joined::new(unlimited + 1);
        let mut first = Vec::with_capacity(lanes.len());
        for lane in &lanes {
            let mut of_lane = lane.steps().flat_map(|at| limits.of(at)).copied();
            let limit = of_lane.next().unwrap_or(unlimited);
            of_lane.for_each(|other| joined.join(limit, other));
            first.push(limit);
        }
        let mut pools: BTreeMap<usize, Vec<PooledLane>> = BTreeMap::new();
        for (lane, limit) in lanes.into_iter().zip(first) {
            let at_once = lane
                .levels
                .iter()
                .map(|level| limits.at_once(level))
                .collect();
            let pool = pools.entry(joined.root(limit)).or_default();
            pool.push(PooledLane { lane, at_once });
        }
        let pools: Vec<Pool> = pools
            .into_values()
            .map(|lanes| Pool {
                at_once: limits.lanes_at_once(&lanes),
                lanes,
            })
            .collect();
        let places = pools.iter().map(Pool::places).sum();
        Self { pools, places }
    }
}

impl Pool {
    /// Restores that may run at once.
    fn places(&self) -> usize {
        let mut widths: Vec<usize> = self.lanes.iter().map(PooledLane::width).collect();
        widths.sort_unstable_by(|a, b| b.cmp(a));
        widths.iter().take(self.at_once).sum()
    }
}
