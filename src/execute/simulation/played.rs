//! What is given to a simulated run, and what comes of it. Times are milliseconds from the beginning of the run.

use crate::ids::{Indexed, StepIndex, TargetIndex};

/// What becomes of a restore once it has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// How long its job takes, as AWS says it, in milliseconds: of one that runs already, how long it still takes.
    pub job: i64,
    /// How long its checks take, in milliseconds, with their tries.
    pub checks: i64,
    /// Whether the job fails at its end.
    pub fails: bool,
    /// Whether a check fails.
    pub check_fails: bool,
}

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// By the index of the step.
    pub steps: Indexed<StepIndex, PlayedStep>,
    /// When the last of them was over: its job seen to have ended, and its checks.
    pub end: i64,
}

/// When what became of a restore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayedStep {
    /// When nothing that it needs kept it any more.
    pub ready: i64,
    /// When its request left; none where it never did.
    pub started: Option<i64>,
    /// When its job ended, as AWS says it.
    pub job_ended: i64,
    /// When that was seen.
    pub seen: i64,
    /// When it was back and its checks had passed; none where that never was.
    pub good: Option<i64>,
    /// Whether its job or a check failed, or it took longer than its timeout.
    pub has_failed: bool,
    /// What it waited for last.
    pub held: HeldBy,
}

impl PlayedStep {
    /// When nothing more came of it; none where it never started.
    #[must_use]
    pub fn over(&self) -> Option<i64> {
        self.started?;
        Some(self.good.unwrap_or(self.seen))
    }
}

/// What a restore waited for last.
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
