//! Dependencies of restores. Those that need the same ones share a gate: ten thousand that need ten thousand others are
//! twenty thousand edges, not a hundred million.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::{Indexed, StepIndex};

/// The gates of a plan, and how far they are. A clone shares the gates: a forecast goes through them a thousand times.
#[derive(Clone, Debug, Default)]
pub(super) struct Barriers {
    gates: Arc<Gates>,
    /// Number of restores that each gate waits for and that have not ended.
    left: Vec<usize>,
    /// Gates whose dependents were given out.
    is_spent: Vec<bool>,
    /// Steps that have ended, well or not.
    has_ended: Indexed<StepIndex, bool>,
}

/// Part of the barriers that does not change while a plan is carried out.
#[derive(Debug, Default)]
struct Gates {
    /// The gate that each step waits at.
    of: Indexed<StepIndex, Option<usize>>,
    /// The gates that each step opens, together with others.
    opened_by: Indexed<StepIndex, Vec<usize>>,
    /// The steps that wait at each gate.
    dependents: Vec<Vec<StepIndex>>,
}

impl Barriers {
    /// The gates of `members`, by what each step needs; only what `acts` can be waited for.
    pub(super) fn new(
        needs: &Indexed<StepIndex, Arc<[StepIndex]>>,
        members: impl IntoIterator<Item = StepIndex>,
        acts: impl Fn(StepIndex) -> bool,
    ) -> Self {
        let mut gates = Gates {
            of: vec![None; needs.len()].into(),
            opened_by: vec![Vec::new(); needs.len()].into(),
            dependents: Vec::new(),
        };
        let mut left = Vec::new();
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
                let gate = left.len();
                for need in &waited_for {
                    gates.opened_by[*need].push(gate);
                }
                left.push(waited_for.len());
                gates.dependents.push(Vec::new());
                Some(gate)
            });
            if let Some(gate) = gate {
                gates.of[at] = Some(gate);
                gates.dependents[gate].push(at);
            }
        }
        Self {
            is_spent: vec![false; left.len()],
            left,
            has_ended: vec![false; needs.len()].into(),
            gates: Arc::new(gates),
        }
    }

    /// Adds to how long each step takes what comes behind it; `backwards` are all steps, dependents first.
    pub(super) fn measure(
        &self,
        chain: &mut Indexed<StepIndex, u64>,
        backwards: impl Iterator<Item = StepIndex>,
    ) {
        let gates = &self.gates;
        let mut longest = vec![0; self.left.len()];
        for at in backwards {
            let behind = gates.opened_by[at].iter().map(|gate| longest[*gate]);
            chain[at] += behind.max().unwrap_or(0);
            if let Some(gate) = gates.of[at] {
                longest[gate] = chain[at].max(longest[gate]);
            }
        }
    }

    /// Returns true if a step waits for nothing.
    pub(super) fn is_open(&self, at: StepIndex) -> bool {
        self.gates.of[at].is_none_or(|gate| self.left[gate] == 0)
    }

    /// Returns true if something waits for a step.
    pub(super) fn is_needed(&self, at: StepIndex) -> bool {
        !self.has_ended[at] && !self.gates.opened_by[at].is_empty()
    }

    /// A step has ended well: those that waited for it alone.
    pub(super) fn open(&mut self, at: StepIndex) -> Vec<StepIndex> {
        let mut freed = Vec::new();
        if std::mem::replace(&mut self.has_ended[at], true) {
            return freed;
        }
        for gate in &self.gates.opened_by[at] {
            self.left[*gate] -= 1;
            if self.left[*gate] == 0 && !std::mem::replace(&mut self.is_spent[*gate], true) {
                freed.extend_from_slice(&self.gates.dependents[*gate]);
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
            if !std::mem::replace(&mut self.has_ended[step], true) {
                for gate in &self.gates.opened_by[step] {
                    if !std::mem::replace(&mut self.is_spent[*gate], true) {
                        barred.extend_from_slice(&self.gates.dependents[*gate]);
                    }
                }
            }
            match barred.get(next) {
                Some(dependent) => step = *dependent,
                None => return barred,
            }
            next += 1;
        }
    }
}
