//! From a restore that is back to one that is good: its checks, one after the other, beside everything else.
//!
//! A check that is under way when the run is left is killed with its children, and run again by the next runner.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::Observer;
use super::begun::said;
use super::calls::{DueCall, next_of};
use super::command::{Command, Commands, Exited, Left, Ran};
use super::engine::Stopped;
use super::flight::Phase;
use super::recording::Effect;
use super::run::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::parse::Check;
use crate::state::{
    Check as Is, CheckVerdict, Event, Journal, Judged, NOT_RUN, RestoreState, Told, due_after,
    judged,
};

/// Commands under way at once.
const AT_ONCE: usize = 16;
/// Bytes of a command's output that are kept.
const KEPT: usize = 16 * 1024;
/// The longest wait between two tries.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(10);

/// Whose check it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    /// A restore's, by its step.
    Restore(usize),
    /// The plan's.
    Plan,
    /// A step of the cutover.
    Cutover,
}

/// One check, to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Task {
    of: Of,
    /// Which of them.
    at: usize,
    /// How often this runner has tried it.
    tries: u32,
}

/// The checks under way and those to come.
pub(super) struct Checking {
    commands: Arc<dyn Commands>,
    tasks: JoinSet<(Task, Ran)>,
    /// Commands that are started once their records are on disk.
    reserved: usize,
    ready: VecDeque<Task>,
    later: BinaryHeap<Reverse<(Timestamp, Task)>>,
    /// What belongs to the plan as a whole and was begun by this runner.
    begun: BTreeSet<Of>,
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

    /// When the next try is due.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    fn next(&mut self, now: Timestamp) -> Option<Task> {
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

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    pub(super) fn checks(&self, of: Of) -> Arc<Vec<Check>> {
        let plan = self.engine.plan;
        Arc::clone(match of {
            Of::Restore(step) => &plan.steps[step].checks,
            Of::Plan => &plan.checks,
            Of::Cutover => &plan.cutover,
        })
    }

    pub(super) fn seen(&self, of: Of, name: &str) -> Option<&crate::state::Checked> {
        let observed = &self.observed;
        match of {
            Of::Restore(step) => {
                let past = observed.restores.get(&*self.engine.plan.steps[step].name);
                past.and_then(|past| past.checks.get(name))
            }
            Of::Plan => observed.checks.get(name),
            Of::Cutover => observed.cutover.get(name),
        }
    }

    /// Whether a command will ask what a restore has made.
    pub(super) fn is_judged(&self, step: usize) -> bool {
        let plan = self.engine.plan;
        let whole = !plan.checks.is_empty() || self.engine.policy.cutover;
        whole || !plan.steps[step].checks.is_empty()
    }

    /// A restore is back: its place is free, and it is checked before anything follows from it.
    pub(super) fn restored(&mut self, step: usize) -> Result<(), Stopped> {
        self.schedule.ended(step);
        self.begin_checks(step)
    }

    /// Runs those checks of a restore that have not passed.
    pub(super) fn begin_checks(&mut self, step: usize) -> Result<(), Stopped> {
        self.go_on_checking(Of::Restore(step), 0)
    }

    /// The first check from `from` on that is to be run; the end of them where there is none.
    fn go_on_checking(&mut self, of: Of, from: usize) -> Result<(), Stopped> {
        let checks = self.checks(of);
        let next = (from..checks.len()).find(|at| {
            let check = &checks[*at];
            let seen = self.seen(of, &check.name.value);
            let is = match of {
                // What was switched over is not switched again.
                Of::Cutover => seen.map(|seen| seen.is),
                Of::Restore(_) | Of::Plan => seen.and_then(|seen| seen.under(&check.definition)),
            };
            match is {
                Some(Is::Passed) => false,
                Some(Is::Failed | Is::NotRun) => self.engine.policy.retry_failed,
                Some(Is::Started | Is::Again) | None => true,
            }
        });
        match next {
            Some(at) => {
                let task = Task { of, at, tries: 0 };
                self.checking.ready.push_back(task);
                Ok(())
            }
            None => self.all_checked(of),
        }
    }

    /// The last check of a restore, or of the plan, has ended.
    fn all_checked(&mut self, of: Of) -> Result<(), Stopped> {
        let Of::Restore(step) = of else {
            return Ok(());
        };
        let checks = self.checks(of);
        let name = self.name(step);
        let past = self.observed.restores.get(&name);
        let good = past.map_or(Judged::Good, |past| judged(&checks, &past.checks));
        let verdict = past.and_then(|past| verdict(&checks, past));
        let is_new = verdict.is_some_and(|verdict| {
            let told = past.and_then(|past| past.told);
            told.is_none_or(|told| told != verdict && told != Told::Refused)
        });
        if self.engine.plan.steps[step].publishes() && is_new {
            self.flights[step].phase = Phase::Publishing(0);
            let now = self.engine.clock.now();
            self.calls
                .at(self.target_of(step), now, step, DueCall::Publish);
        }
        match good {
            Judged::Failed(check) => {
                let skips = self.schedule.found_bad(step);
                self.skip(
                    skips.iter().map(|skip| skip.step),
                    &format!("the check `{check}` of `{name}` failed"),
                )
            }
            _ => {
                self.schedule.found_good(step);
                Ok(())
            }
        }
    }

    /// Starts what is due, as far as there is room.
    pub(super) fn check(&mut self) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let mut started = Vec::new();
        while let Some(task) = self.checking.next(now) {
            let checks = self.checks(task.of);
            let check = &checks[task.at];
            let restore = match task.of {
                Of::Restore(step) => Some(step),
                Of::Plan | Of::Cutover => None,
            };
            let mut words = self.engine.planner.words(restore, check, &self.known);
            let name = check.name.value.clone();
            let nth = self.seen(task.of, &name).map_or(0, |seen| seen.starts) + 1;
            let left = self.end_earlier(task.of, &name);
            let begun = self.begins(task.of, &name, nth);
            let id = begun.as_ref().map(|begun| begun.id.clone());
            self.emit(vec![Event::CheckStarted {
                restore: restore.map(|step| self.name(step)),
                check: name,
                cutover: task.of == Of::Cutover,
                nth,
                run: words.clone().unwrap_or_default(),
                definition: (task.of != Of::Cutover).then(|| check.definition.clone()),
                begun: begun.map(Box::new),
                earlier: said(&left),
            }])?;
            if let Left::Alive(process) = left {
                words = Err(format!(
                    "process {process} of its earlier start is still there and cannot be killed"
                ));
            }
            match words {
                Ok(words) => {
                    let command = Command {
                        environment: self.environment(task.of, check, nth, id),
                        words,
                        timeout: check.timeout,
                        keep: KEPT + self.engine.planner.secrets().longest(),
                    };
                    started.push((task, command));
                }
                Err(why) => {
                    let ran = Ran {
                        exited: Exited::NotStarted(why),
                        output: String::new(),
                    };
                    // What cannot be written cannot be written the next time either.
                    let tries = check.retries;
                    self.checked(Task { tries, ..task }, ran)?;
                }
            }
        }
        for (task, command) in started {
            self.then(Effect::Check(task, command));
        }
        Ok(())
    }

    /// A command has ended.
    pub(super) fn checked(&mut self, task: Task, ran: Ran) -> Result<(), Stopped> {
        let checks = self.checks(task.of);
        let check = &checks[task.at];
        let output = self.engine.planner.secrets().tail(&ran.output, KEPT);
        let failure = failure(check, &ran.exited, &output);
        let retry = failure.is_some() && task.tries < check.retries;
        let verdict = match (&failure, retry) {
            (None, _) => CheckVerdict::Passed,
            (Some(_), true) => CheckVerdict::Again,
            (Some(_), false) => CheckVerdict::Failed,
        };
        let nth = self
            .seen(task.of, &check.name.value)
            .map_or(1, |seen| seen.starts);
        let restore = match task.of {
            Of::Restore(step) => Some(self.name(step)),
            Of::Plan | Of::Cutover => None,
        };
        self.emit(vec![Event::CheckEnded {
            restore,
            check: check.name.value.clone(),
            cutover: task.of == Of::Cutover,
            nth,
            verdict,
            exit: match ran.exited {
                Exited::Code(code) => Some(code),
                _ => None,
            },
            message: failure,
            output,
        }])?;
        if retry {
            let wait = check
                .backoff
                .checked_mul(1 << task.tries.min(16))
                .map_or(LONGEST_WAIT, |wait| {
                    wait.min(LONGEST_WAIT.max(check.backoff))
                });
            let at = self.engine.clock.now() + wait;
            let tries = task.tries + 1;
            self.checking
                .later
                .push(Reverse((at, Task { tries, ..task })));
            return Ok(());
        }
        if task.of == Of::Cutover && verdict == CheckVerdict::Failed {
            // What comes behind it builds on it.
            return Ok(());
        }
        self.go_on_checking(task.of, task.at + 1)
    }

    /// Begins what comes when everything is back and good; whether there is something.
    pub(super) fn begin_after(&mut self) -> Result<bool, Stopped> {
        let policy = &self.engine.policy;
        let stays = self.detaching || self.stopped.is_some();
        if stays
            || !due_after(
                self.engine.plan,
                &self.observed,
                policy.retry_failed,
                policy.cutover,
            )
        {
            return Ok(false);
        }
        let plan = judged(&self.engine.plan.checks, &self.observed.checks);
        let of = if plan == Judged::Good {
            Of::Cutover
        } else {
            Of::Plan
        };
        if !self.checking.begun.insert(of) {
            return Ok(false);
        }
        self.go_on_checking(of, 0)?;
        Ok(true)
    }
}

/// What AWS Backup is to be told of a restore whose checks are over; nothing where the only thing known is that some of
/// them could not be run.
fn verdict(checks: &[Check], past: &RestoreState) -> Option<Told> {
    let any = |is| {
        let mut seen = checks
            .iter()
            .filter_map(|check| past.checks.get(&check.name.value));
        seen.any(|seen| seen.is == is)
    };
    match (any(Is::Failed), any(Is::NotRun)) {
        (true, _) => Some(Told::Failed),
        (false, true) => None,
        (false, false) => Some(Told::Successful),
    }
}

/// Why a command has not passed; none where it has.
fn failure(check: &Check, exited: &Exited, output: &str) -> Option<String> {
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
