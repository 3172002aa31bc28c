//! How a run would go if every restore took as long as it is likely to: the scheduler on paper.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::SignedDuration;

use super::schedule::Schedule;
use crate::diff::Diff;
use crate::ids::{StepIndex, TargetIndex};
use crate::plan::Plan;

/// When everything that a run starts would have ended, from its beginning on. AWS's rates are left out: they delay a
/// restore by a fifth of a second for each that starts before it.
#[must_use]
pub fn forecast(plan: &Plan, diff: &Diff) -> SignedDuration {
    let mut schedule = Schedule::new(plan, |at| &plan.steps[at].draft, diff);
    let targets: Vec<TargetIndex> = plan.targets.positions().collect();
    let mut running: BinaryHeap<Reverse<(SignedDuration, StepIndex)>> = BinaryHeap::new();
    let mut now = SignedDuration::ZERO;
    loop {
        while let Some(step) = schedule.start_next(&targets) {
            running.push(Reverse((now + plan.steps[step].draft.expected, step)));
        }
        let Some(Reverse((end, step))) = running.pop() else {
            return now;
        };
        now = end;
        schedule.completed(step);
    }
}
