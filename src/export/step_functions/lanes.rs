//! The lanes of a plan: what hangs together by `needs`, in levels.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::ids::{DocumentIndex, Indexed, StepIndex};
use crate::plan::Plan;

/// Restores that need one another, directly or not.
#[derive(Debug)]
pub(super) struct Lane {
    /// Steps of the plan: a level is what needs nothing but the levels before it.
    pub(super) levels: Vec<Vec<StepIndex>>,
    /// Expected duration of its longest chain, in seconds.
    chain: u64,
}

impl Lane {
    /// All of its steps.
    pub(super) fn steps(&self) -> impl Iterator<Item = StepIndex> {
        self.levels.iter().flatten().copied()
    }
}

/// Sets that are joined.
pub(super) struct Joined(Vec<usize>);

impl Joined {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// Returns the representative of a member's set.
    pub(super) fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// The lanes of some steps of one Region, which come with all that they need; the longest first, as `run` starts them.
pub(super) fn lanes(plan: &Plan, members: &[StepIndex]) -> Vec<Lane> {
    let count = plan.steps.len();
    let mut joined = Joined::new(count);
    let mut level: Indexed<StepIndex, usize> = vec![0; count].into();
    let mut chain: Indexed<StepIndex, u64> = vec![0; count].into();
    // All instances of a restore need the same steps: looked through once, however many they are.
    let mut behind: BTreeMap<DocumentIndex, (usize, u64)> = BTreeMap::new();
    for at in members.iter().copied() {
        let step = &plan.steps[at];
        let (depth, before) = *behind.entry(step.restore).or_insert_with(|| {
            let mut needs = step.needs.iter().copied();
            step.needs
                .iter()
                .for_each(|need| joined.join(need.get(), step.needs[0].get()));
            let depth = step.needs.iter().map(|need| level[*need] + 1).max();
            let before = needs.by_ref().map(|need| chain[need]).max();
            (depth.unwrap_or(0), before.unwrap_or(0))
        });
        level[at] = depth;
        chain[at] = before + step.draft.expected.as_secs().unsigned_abs().max(1);
        if let Some(need) = step.needs.first() {
            joined.join(at.get(), need.get());
        }
    }
    let mut lanes: BTreeMap<usize, Lane> = BTreeMap::new();
    let mut in_order = members.to_vec();
    in_order.sort_unstable();
    for at in in_order {
        let lane = lanes.entry(joined.root(at.get())).or_insert_with(|| Lane {
            levels: Vec::new(),
            chain: 0,
        });
        if lane.levels.len() <= level[at] {
            lane.levels.resize_with(level[at] + 1, Vec::new);
        }
        lane.levels[level[at]].push(at);
        lane.chain = lane.chain.max(chain[at]);
    }
    let mut lanes: Vec<Lane> = lanes.into_values().collect();
    lanes.sort_by_key(|lane| Reverse(lane.chain));
    lanes
}
