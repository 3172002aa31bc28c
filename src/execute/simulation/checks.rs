//! Commands that judge what came back: so many at a time, in the order in which they become due.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::execute::checking::AT_ONCE;
use crate::ids::StepIndex;

/// The checks of restores, those of each as one command.
#[derive(Debug, Default)]
pub(super) struct CheckQueue {
    /// Steps, and how long in milliseconds.
    ready: VecDeque<(StepIndex, i64)>,
    running: BinaryHeap<Reverse<(Timestamp, StepIndex)>>,
}

impl CheckQueue {
    pub(super) fn add(&mut self, step: StepIndex, millis: i64) {
        self.ready.push_back((step, millis));
    }

    /// Starts as many as may run.
    pub(super) fn start(&mut self, now: Timestamp) {
        while self.running.len() < AT_ONCE
            && let Some((step, millis)) = self.ready.pop_front()
        {
            let end = now + SignedDuration::from_millis(millis.max(0));
            self.running.push(Reverse((end, step)));
        }
    }

    /// The next that has ended by now.
    pub(super) fn ended(&mut self, now: Timestamp) -> Option<StepIndex> {
        self.next().filter(|end| *end <= now)?;
        self.running.pop().map(|Reverse((_, step))| step)
    }

    /// Returns the time when the next one ends.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.running.peek().map(|Reverse((end, _))| *end)
    }
}
