//! Input and outcome of a simulated run. Times are milliseconds from the beginning of the run.

use crate::ids::{Indexed, StepIndex, TargetIndex};

/// Course of a restore once it has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// Duration of its job, as AWS gives it, in milliseconds; for one that runs already, the time left.
    pub job: i64,
    /// Duration of its checks, in milliseconds, with their tries.
    pub checks: i64,
    /// True if the job fails at its end.
    pub fails: bool,
    /// True if a check fails.
    pub check_fails: bool,
}

/// Outcome of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// By the index of the step.
    pub steps: Indexed<StepIndex, PlayedStep>,
    /// Time when the last of them ended: its job seen to have ended, and its checks done.
    pub end: i64,
}

/// Times and outcome of a restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayedStep {
    /// Time from which nothing that it needs held it back.
    pub ready: i64,
    /// Time when its request left; none if it never did.
    pub started: Option<i64>,
    /// Time when its job ended, as AWS gives it.
    pub job_ended: i64,
    /// Time when that was seen.
    pub seen: i64,
    /// Time when it was back and its checks had passed; none if that never happened.
    pub good: Option<i64>,
    /// True if its job or a check failed, or it took longer than its timeout.
    pub has_failed: bool,
    /// Last thing that it waited for.
    pub held: HeldBy,
}

impl PlayedStep {
    /// Returns the time after which nothing more came of it; none if it never started.
    #[must_use]
    pub fn over(&self) -> Option<i64> {
        self.started?;
        Some(self.good.unwrap_or(self.seen))
    }
}

/// Last thing that a restore waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeldBy {
    /// Nothing: it started with the run.
    #[default]
    Nothing,
    /// A restore that it needs, by its step.
    Need(StepIndex),
    /// A place under a limit, which this step has left.
    Limit(PlanLimit, Option<StepIndex>),
    /// AWS's rate of requests; this step was the last to start before.
    Rate(Option<StepIndex>),
}

/// A limit of how much runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlanLimit {
    /// In all.
    Concurrent,
    /// In a target, by its index.
    Target(TargetIndex),
    /// Of a type in a target: the type of this step.
    TypeOf(StepIndex),
}

impl Played {
    /// Empties it for a run of so many steps.
    pub(super) fn clear(&mut self, steps: usize) {
        self.steps.refill(steps, PlayedStep::default());
        self.end = 0;
    }

    /// Goes back from the restore that ended last to what it waited for, and so on to the beginning: each step on the way,
    /// what that waited for, and whether its own work was waited for, or only its start.
    pub fn critical(&self) -> impl Iterator<Item = (StepIndex, HeldBy, bool)> {
        let ends = self.steps.enumerated();
        let ends = ends.filter_map(|(at, step)| Some((step.over()?, at)));
        let last = ends.max().map(|(_, at)| (at, true));
        std::iter::successors(last, |(at, _)| match self.steps[*at].held {
            HeldBy::Nothing => None,
            HeldBy::Need(before) => Some((before, true)),
            HeldBy::Limit(_, before) => Some((before?, true)),
            HeldBy::Rate(before) => Some((before?, false)),
        })
        .take(self.steps.len())
        .map(|(at, works)| (at, self.steps[at].held, works))
    }
}
