//! From a restore that is back to one that is good: its checks, one after the other, beside everything else.
//!
//! A check that is under way when the run is left is killed with its children, and run again by the next runner.

use std::cmp::Reverse;
use std::sync::Arc;

use super::Run;
use super::begun::said;
use crate::backup::{Backoff, Clock, Reader, Writer};
use crate::execute::Observer;
use crate::execute::calls::DueCall;
use crate::execute::checking::{KEPT, LONGEST_WAIT, Of, Task, failure, verdict};
use crate::execute::command::{Command, Exited, Left, Ran};
use crate::execute::engine::Stopped;
use crate::execute::flight::Phase;
use crate::execute::recording::Effect;
use crate::ids::StepIndex;
use crate::parse::Check;
use crate::state::{Append, CheckStage, CheckVerdict, Event, Judged, Told, due_after, judged};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    pub(super) fn checks(&self, of: Of) -> Arc<Vec<Check>> {
        let plan = self.engine.plan;
        Arc::clone(match of {
            Of::Restore(step) => &plan.steps[step].checks,
            Of::Plan => &plan.checks,
            Of::Cutover => &plan.cutover,
        })
    }

    pub(super) fn seen(&self, of: Of, name: &str) -> Option<&crate::state::CheckProgress> {
        let observed = &self.observed;
        match of {
            Of::Restore(step) => {
                let past = observed
                    .restores
                    .get(self.engine.plan.steps[step].name.as_str());
                past.and_then(|past| past.checks.get(name))
            }
            Of::Plan => observed.checks.get(name),
            Of::Cutover => observed.cutover.get(name),
        }
    }

    /// Returns true if a command will ask what a restore has made.
    pub(super) fn is_judged(&self, step: StepIndex) -> bool {
        let plan = self.engine.plan;
        let whole = !plan.checks.is_empty() || self.engine.policy.cutover;
        whole || !plan.steps[step].checks.is_empty()
    }

    /// A restore is back: its place is free, and it is checked before anything follows from it.
    pub(super) fn restored(&mut self, step: StepIndex) -> Result<(), Stopped> {
        self.schedule.ended(step);
        self.begin_checks(step)
    }

    /// Runs those checks of a restore that have not passed.
    pub(super) fn begin_checks(&mut self, step: StepIndex) -> Result<(), Stopped> {
        self.go_on_checking(Of::Restore(step), 0)
    }

    /// The first check from `from` on that is to be run; the end of them where there is none.
    fn go_on_checking(&mut self, of: Of, from: usize) -> Result<(), Stopped> {
        let checks = self.checks(of);
        let next = (from..checks.len()).find(|at| {
            let check = &checks[*at];
            let seen = self.seen(of, &check.name.value);
            let is = match of {
                // A step that was switched over is not switched again.
                Of::Cutover => seen.map(|seen| seen.is),
                Of::Restore(_) | Of::Plan => seen.and_then(|seen| seen.under(&check.definition)),
            };
            match is {
                Some(CheckStage::Passed) => false,
                Some(CheckStage::Failed | CheckStage::NotRun) => self.engine.policy.retry_failed,
                Some(CheckStage::Started | CheckStage::Again) | None => true,
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
                    // A command that cannot be written now cannot be written next time either.
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
            let waits = Backoff::doubled(check.backoff, LONGEST_WAIT.max(check.backoff));
            let at = self.engine.clock.now() + waits.wait(task.tries);
            let tries = task.tries + 1;
            self.checking
                .later
                .push(Reverse((at, Task { tries, ..task })));
            return Ok(());
        }
        if task.of == Of::Cutover && verdict == CheckVerdict::Failed {
            // Later steps build on this one.
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
