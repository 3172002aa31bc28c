//! What waits for what. Restores that need the same ones share a gate: ten thousand that need ten thousand others are
//! twenty thousand edges, not a hundred million.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::{Indexed, StepIndex};

/// The gates of a plan.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    /// The gate that each step waits at.
    of: Indexed<StepIndex, Option<usize>>,
    /// The gates that each step opens, together with others.
    opened_by: Indexed<StepIndex, Vec<usize>>,
    all: Vec<Barrier>,
}

/// Steps that wait for the same others.
#[derive(Debug, Default)]
struct Barrier {
    /// How many of those have not ended.
    left: usize,
    dependents: Vec<StepIndex>,
}

impl Barriers {
    /// The gates of `members`, by what each step needs; only what `acts` can be waited for.
    pub(super) fn new(
        needs: &Indexed<StepIndex, Arc<[StepIndex]>>,
        members: impl IntoIterator<Item = StepIndex>,
        acts: impl Fn(StepIndex) -> bool,
    ) -> Self {
        let mut barriers = Self {
            of: vec![None; needs.len()].into(),
            opened_by: vec![Vec::new(); needs.len()].into(),
            all: Vec::new(),
        };
        let mut known: HashMap<*const StepIndex, Option<usize>> = HashMap::new();
        for at in members {
            let gate = *known.entry(needs[at].as_ptr()).or_insert_with(|| {
                let waited_for: Vec<StepIndex> = needs[at]
                    .iter()
                    .copied()
                    .filter(|need| acts(*need))
                    .collect();
                if waited_for.is_empty() {
                    return None;
                }
                let gate = barriers.all.len();
                for need in &waited_for {
                    barriers.opened_by[*need].push(gate);
                }
                barriers.all.push(Barrier {
                    left: waited_for.len(),
                    dependents: Vec::new(),
                });
                Some(gate)
            });
            if let Some(gate) = gate {
                barriers.of[at] = Some(gate);
                barriers.all[gate].dependents.push(at);
            }
        }
        barriers
    }

    /// Adds to how long each step takes what comes behind it; `backwards` are all steps, dependents first.
    pub(super) fn measure(
        &self,
        chain: &mut Indexed<StepIndex, u64>,
        backwards: impl Iterator<Item = StepIndex>,
    ) {
        let mut longest = vec![0; self.all.len()];
        for at in backwards {
            let behind = self.opened_by[at].iter().map(|gate| longest[*gate]).max();
            chain[at] += behind.unwrap_or(0);
            if let Some(gate) = self.of[at] {
                longest[gate] = chain[at].max(longest[gate]);
            }
        }
    }

    /// Whether a step waits for nothing.
    pub(super) fn is_open(&self, at: StepIndex) -> bool {
        self.of[at].is_none_or(|gate| self.all[gate].left == 0)
    }

    /// Whether something waits for a step.
    pub(super) fn is_needed(&self, at: StepIndex) -> bool {
        !self.opened_by[at].is_empty()
    }

    /// A step has ended well: those that waited for it alone.
    pub(super) fn open(&mut self, at: StepIndex) -> Vec<StepIndex> {
        let mut freed = Vec::new();
        for gate in std::mem::take(&mut self.opened_by[at]) {
            let gate = &mut self.all[gate];
            gate.left -= 1;
            if gate.left == 0 {
                freed.append(&mut gate.dependents);
            }
        }
        freed
    }

    /// A step has not: all that waits for it, directly or not.
    pub(super) fn bar(&mut self, at: StepIndex) -> Vec<StepIndex> {
        let mut barred = Vec::new();
        let mut next = 0;
        let mut step = at;
        loop {
            for gate in std::mem::take(&mut self.opened_by[step]) {
                barred.append(&mut self.all[gate].dependents);
            }
            match barred.get(next) {
                Some(dependent) => step = *dependent,
                None => return barred,
            }
            next += 1;
        }
    }
}
