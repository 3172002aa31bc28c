//! From a restore that is back to one that is good: its checks, one after the other, beside everything else.
//!
//! A check that is under way when the run is left is killed with its children, and run again by the next runner.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::calls::next_of;
use super::command::{Command, Commands, Exited, Ran};
use crate::ids::StepIndex;
use crate::parse::Check;
use crate::state::{CheckStage, NOT_RUN, RestoreState, Told};

/// Commands under way at once.
pub(super) const AT_ONCE: usize = 16;
/// Bytes of a command's output that are kept.
pub(super) const KEPT: usize = 16 * 1024;
/// The longest wait between two tries.
pub(super) const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(10);

/// Owner of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    /// A restore's, by its step.
    Restore(StepIndex),
    /// The plan's.
    Plan,
    /// A step of the cutover.
    Cutover,
}

/// One check, to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Task {
    pub(super) of: Of,
    /// Index of the check among its owner's.
    pub(super) at: usize,
    /// Number of tries by this runner.
    pub(super) tries: u32,
}

/// The checks under way and those to come.
pub(super) struct Checking {
    pub(super) commands: Arc<dyn Commands>,
    pub(super) tasks: JoinSet<(Task, Ran)>,
    /// Commands that are started once their records are on disk.
    pub(super) reserved: usize,
    pub(super) ready: VecDeque<Task>,
    pub(super) later: BinaryHeap<Reverse<(Timestamp, Task)>>,
    /// Checks of the plan as a whole that this runner has begun.
    pub(super) begun: BTreeSet<Of>,
}

impl Checking {
    pub(super) fn new(commands: Arc<dyn Commands>) -> Self {
        Self {
            commands,
            tasks: JoinSet::new(),
            reserved: 0,
            ready: VecDeque::new(),
            later: BinaryHeap::new(),
            begun: BTreeSet::new(),
        }
    }

    pub(super) fn commands(&self) -> &dyn Commands {
        &*self.commands
    }

    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn nothing_to_come(&self) -> bool {
        self.tasks.is_empty()
            && self.reserved == 0
            && self.ready.is_empty()
            && self.later.is_empty()
    }

    /// Returns the time at which the next try is due.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn next(&mut self, now: Timestamp) -> Option<Task> {
        while let Some(Reverse((at, task))) = self.later.peek().copied() {
            if at > now {
                break;
            }
            self.later.pop();
            self.ready.push_back(task);
        }
        if self.tasks.len() + self.reserved >= AT_ONCE {
            return None;
        }
        self.ready.pop_front()
    }

    pub(super) fn reserve(&mut self) {
        self.reserved += 1;
    }

    pub(super) fn release(&mut self) {
        self.reserved -= 1;
    }

    pub(super) fn start(&mut self, task: Task, command: Command) {
        let commands = Arc::clone(&self.commands);
        self.tasks
            .spawn(async move { (task, commands.run(command).await) });
    }

    /// The next command that has ended; never returns while none is under way.
    pub(super) async fn ended(&mut self) -> (Task, Ran) {
        next_of(&mut self.tasks).await
    }
}

/// Decides what to tell AWS Backup of a restore whose checks have ended; nothing where the only thing known is that
/// some of them could not be run.
pub(super) fn verdict(checks: &[Check], past: &RestoreState) -> Option<Told> {
    let any = |is| {
        let mut seen = checks
            .iter()
            .filter_map(|check| past.checks.get(&check.name.value));
        seen.any(|seen| seen.is == is)
    };
    match (any(CheckStage::Failed), any(CheckStage::NotRun)) {
        (true, _) => Some(Told::Failed),
        (false, true) => None,
        (false, false) => Some(Told::Successful),
    }
}

/// Explains why a command has not passed; none where it has.
pub(super) fn failure(check: &Check, exited: &Exited, output: &str) -> Option<String> {
    match exited {
        Exited::NotStarted(why) => Some(format!("{NOT_RUN}: {why}")),
        Exited::TimedOut => Some(format!(
            "it took longer than {:#}, and was killed with its children",
            check.timeout
        )),
        Exited::Signal(signal) => Some(format!("it was ended by signal {signal}")),
        Exited::Code(code) if *code != check.expect.exit => Some(match check.expect.exit {
            0 => format!("it ended with exit code {code}"),
            wanted => format!("it ended with exit code {code}, not {wanted}"),
        }),
        Exited::Code(_) => check
            .expect
            .output
            .as_ref()
            .filter(|pattern| !pattern.is_match(output))
            .map(|pattern| format!("its output does not match `{pattern}`")),
    }
}
