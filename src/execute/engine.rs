//! The one task that decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;

use super::calls::{Answer, Calls, Due, backoff};
use super::rates::Rates;
use super::schedule::Schedule;
use super::state::{self, Illegal};
use super::watching::Watching;
use super::{Clock, Event, Journal, JournalError, Recorded, Writer};
use crate::diff::{ApiError, Diff, Fault, Job, Observed, Reader};
use crate::plan::{Plan, Planner, Request};
use crate::render::Known;

/// How long AWS may be silent while jobs are followed.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// How long it may be silent while nothing runs that would be worth waiting for.
const PATIENCE_WITHOUT_JOBS: SignedDuration = SignedDuration::from_mins(1);

/// What a person asks of a run that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Start nothing new, and leave.
    Detach,
    /// Leave at once.
    Now,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is left to start or to follow.
    Finished,
    /// It was asked to leave; jobs may go on.
    Detached,
    /// It was asked to leave at once.
    Interrupted,
}

/// Why a run could not go on. Whatever was started goes on; the same command takes it up again.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The disk, or whoever filled it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// AWS, the network or the caller's permissions.
    #[error(transparent)]
    Aws(ApiError),
    /// Nobody: what is known does not tell which of several jobs it is.
    #[error("`{restore}` was sent and not answered, and {} jobs fit it: {}", jobs.len(), jobs.join(", "))]
    Ambiguous {
        /// The restore.
        restore: String,
        /// The jobs.
        jobs: Vec<String>,
    },
    /// Somebody, elsewhere: the same restore has been asked for, and not by this plan.
    #[error(
        "`{restore}` has not been started by this run, but {} asks for the same: {}",
        if jobs.len() == 1 { "a job" } else { "several jobs" },
        jobs.join(", ")
    )]
    Twin {
        /// The restore.
        restore: String,
        /// The jobs.
        jobs: Vec<String>,
    },
    /// redrill: an event that its own table forbids.
    #[error("this is a bug in redrill: {0}")]
    Illegal(#[from] Illegal),
}

/// Sees every event, after it is on disk.
pub trait Observer {
    /// Takes one in.
    fn observe(&mut self, recorded: &Recorded);
}

/// Everything a run works with.
pub struct Engine<'a, A, J, C, O> {
    /// Completes requests while the run goes on.
    pub planner: &'a Planner,
    /// What is to come back.
    pub plan: &'a Plan,
    /// AWS.
    pub api: Arc<A>,
    /// The journal of this run.
    pub journal: J,
    /// Time.
    pub clock: &'a C,
    /// The screen, and whoever else watches.
    pub observer: O,
    /// What a person asks for.
    pub control: UnboundedReceiver<Control>,
    /// How it behaves where there is a choice.
    pub policy: Policy,
}

/// How a run behaves where there is a choice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// Ask AWS as fast as it answers, not as fast as it publishes.
    pub no_rate_limit: bool,
    /// What a job means that asks for the same as a restore and was not started by this run.
    pub twins: Twins,
}

/// What to do about a job of somebody else that asks for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Twins {
    /// Stop, and show it.
    #[default]
    Ask,
    /// It is this restore's.
    Adopt,
    /// It is somebody else's; start another.
    StartAnyway,
}

impl<A, J, C, O> Engine<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// Carries out the changes; `opening` are the first events, `observed` and `known` are what came before them.
    ///
    /// # Errors
    ///
    /// Where it cannot go on. Everything that was started is in the journal.
    pub async fn run(
        self,
        opening: Vec<Event>,
        observed: Observed,
        known: Known,
        diff: &Diff,
    ) -> Result<Ended, Stopped> {
        let now = self.clock.now();
        let rates = (!self.policy.no_rate_limit).then(|| Rates::published(now));
        let mut run = Run {
            schedule: Schedule::new(self.plan, diff),
            calls: Calls::new(Arc::clone(&self.api), rates),
            attempts: diff.changes.iter().map(|c| (c.step, c.attempt)).collect(),
            engine: self,
            observed,
            known,
            buffer: Vec::new(),
            requests: BTreeMap::new(),
            watching: Watching::default(),
            tries: BTreeMap::new(),
            perhaps_sent: BTreeSet::new(),
            refused: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            troubles: BTreeMap::new(),
            detaching: false,
            stopped: None,
            given_up: false,
        };
        run.look_elsewhere(diff).await?;
        run.emit(opening)?;
        run.flush()?;
        run.resume(diff)?;
        run.go().await
    }
}

pub(super) struct Run<'a, A, J, C, O> {
    pub(super) engine: Engine<'a, A, J, C, O>,
    pub(super) schedule: Schedule,
    pub(super) calls: Calls<A>,
    pub(super) attempts: BTreeMap<usize, u32>,
    pub(super) observed: Observed,
    pub(super) known: Known,
    /// Events that are not on disk yet, and so not on the screen either.
    buffer: Vec<Recorded>,
    /// Requests without a job, with their tokens.
    pub(super) requests: BTreeMap<usize, Request>,
    pub(super) watching: Watching,
    pub(super) tries: BTreeMap<usize, u32>,
    /// Requests of which a copy may have arrived without our knowing.
    pub(super) perhaps_sent: BTreeSet<usize>,
    /// Refusals of requests of which an earlier copy may have been accepted.
    pub(super) refused: BTreeMap<usize, ApiError>,
    /// Jobs of the plan's recovery points that were there before a new run, by recovery point.
    pub(super) elsewhere: BTreeMap<String, Vec<Job>>,
    /// Since when each operation fails.
    pub(super) troubles: BTreeMap<&'static str, Timestamp>,
    pub(super) detaching: bool,
    pub(super) stopped: Option<Stopped>,
    /// AWS has been silent for longer than anybody wants to wait.
    given_up: bool,
}

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// Takes events in: through the table now, onto the disk and the screen with the next flush.
    pub(super) fn emit(&mut self, events: Vec<Event>) -> Result<(), Stopped> {
        let at = self.engine.clock.now();
        for event in events {
            let event = event.redacted(self.engine.planner.secrets());
            let recorded = Recorded { at, event };
            state::apply(&mut self.observed, &recorded)?;
            self.buffer.push(recorded);
        }
        Ok(())
    }

    /// Writes what has happened, in one go. Has to come before anything that follows from it.
    pub(super) fn flush(&mut self) -> Result<(), Stopped> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let recorded = std::mem::take(&mut self.buffer);
        let durable: Vec<Recorded> = recorded
            .iter()
            .filter(|recorded| recorded.event.is_durable())
            .cloned()
            .collect();
        if !durable.is_empty() {
            self.engine.journal.append(&durable)?;
        }
        for recorded in &recorded {
            self.engine.observer.observe(recorded);
        }
        Ok(())
    }

    pub(super) fn name(&self, step: usize) -> String {
        self.engine.plan.steps[step].name.to_string()
    }

    pub(super) async fn go(mut self) -> Result<Ended, Stopped> {
        loop {
            if !self.detaching {
                self.start_ready()?;
                self.make_due_calls();
                self.look();
            }
            if self.detaching && !self.calls.is_starting() {
                self.emit(vec![Event::Detached])?;
                self.flush()?;
                return Ok(Ended::Detached);
            }
            if self.calls.nothing_to_come() && self.watching.is_empty() {
                break;
            }
            self.flush()?;
            let now = self.engine.clock.now();
            let next = [self.calls.next_at(), self.watching.next_at()];
            let next = next.into_iter().flatten().min();
            let wake = next.filter(|_| !self.calls.is_full() && !self.detaching);
            let wake = wake.unwrap_or(now + SignedDuration::from_hours(1));
            let idle = self.calls.is_idle();
            let clock = self.engine.clock;
            tokio::select! {
                Some(control) = self.engine.control.recv() => {
                    if control == Control::Now || self.detaching {
                        self.flush()?;
                        return Ok(Ended::Interrupted);
                    }
                    self.detaching = true;
                    self.schedule.drain();
                    self.emit(vec![Event::Draining])?;
                }
                answer = self.calls.answer() => {
                    self.take(answer)?;
                    // Whatever else has come by now shares the next flush.
                    while let Some(answer) = self.calls.answer_now() {
                        self.take(answer)?;
                    }
                }
                () = wait(clock, wake, idle) => {}
            }
            if self.given_up {
                break;
            }
        }
        if self.stopped.is_none() {
            self.emit(vec![Event::RunEnded])?;
        }
        self.flush()?;
        match self.stopped {
            Some(stopped) => Err(stopped),
            None => Ok(Ended::Finished),
        }
    }

    pub(super) fn take(&mut self, answer: Answer) -> Result<(), Stopped> {
        match answer {
            Answer::Compared(step, Ok(matches)) => {
                self.well("GetRestoreJobMetadata")?;
                self.compared(step, matches)
            }
            Answer::Compared(step, Err(error)) => self.unanswered(step, Due::Compare, error),
            Answer::Started(step, Ok(job_id)) => {
                self.well("StartRestoreJob")?;
                let event = Event::Accepted {
                    restore: self.name(step),
                    job_id: job_id.clone(),
                };
                self.begin_following(step, job_id, event)
            }
            Answer::Started(step, Err(error)) => self.not_started(step, error),
            Answer::Settled(step, Ok(matches)) => {
                self.well("ListRestoreJobs")?;
                self.settled(step, matches)
            }
            Answer::Settled(step, Err(error)) => self.unanswered(step, Due::Settle, error),
            Answer::Polled(step, Ok(job)) => {
                self.well("DescribeRestoreJob")?;
                self.polled(step, job)
            }
            Answer::Polled(step, Err(error)) if error.fault == Fault::Refused => {
                // Another account, Region or endpoint than the one that started it, most likely: the journal
                // keeps the job as running, and nothing is concluded.
                self.watching.forget(step);
                self.stop(Stopped::Aws(error));
                Ok(())
            }
            Answer::Polled(step, Err(error)) => {
                let at = self.trouble(&error, step)?;
                self.watching.look_again(step, at);
                Ok(())
            }
            Answer::Listed(Ok((jobs, next))) => {
                self.well("ListRestoreJobs")?;
                self.listed(jobs, next)
            }
            Answer::Listed(Err(error)) => {
                let at = self.trouble(&error, usize::MAX)?;
                self.watching.sweep_again(at);
                if matches!(error.fault, Fault::Refused | Fault::Denied) {
                    self.watching.no_sweeps();
                }
                Ok(())
            }
        }
    }

    pub(super) fn make_due_calls(&mut self) {
        let now = self.engine.clock.now();
        while let Some((step, due)) = self.calls.pop_due(now) {
            let Some(request) = self.requests.get(&step).cloned() else {
                continue;
            };
            match due {
                Due::Start => self.calls.start(step, request),
                Due::Settle => {
                    let query = self.since_intent(step, &request, now);
                    self.calls.settle(step, query, request);
                }
                Due::Compare => {
                    let jobs = self.elsewhere.get(&request.recovery_point_arn).cloned();
                    self.calls.compare(step, jobs.unwrap_or_default(), request);
                }
            }
        }
    }

    /// A restore has failed: so have those that hang on it.
    pub(super) fn fail(&mut self, step: usize) -> Result<(), Stopped> {
        let skips = self.schedule.failed(step);
        let because = format!("`{}` failed", self.name(step));
        let events = skips
            .into_iter()
            .filter(|skip| {
                // A failed restore that would have been tried again keeps its failure.
                let name = &*self.engine.plan.steps[skip.step].name;
                let past = self.observed.restores.get(name);
                !past.is_some_and(|past| past.stage.has_ended())
            })
            .map(|skip| Event::Skipped {
                restore: self.name(skip.step),
                because: because.clone(),
            })
            .collect();
        self.emit(events)
    }

    /// A question about a restore that got no good answer.
    fn unanswered(&mut self, step: usize, due: Due, error: ApiError) -> Result<(), Stopped> {
        if matches!(error.fault, Fault::Denied | Fault::Refused) {
            self.stop(Stopped::Aws(error));
            return Ok(());
        }
        self.again(step, due, &error)
    }

    /// The same call later.
    pub(super) fn again(&mut self, step: usize, due: Due, error: &ApiError) -> Result<(), Stopped> {
        let at = self.trouble(error, step)?;
        self.calls.at(at, step, due);
        Ok(())
    }

    /// What stands in the way is said once; when to try again.
    fn trouble(&mut self, error: &ApiError, step: usize) -> Result<Timestamp, Stopped> {
        let now = self.engine.clock.now();
        if error.fault == Fault::Throttled {
            self.calls.throttled(error.operation, now);
        }
        let tries = self.tries.entry(step).or_default();
        let at = now + backoff(*tries);
        *tries += 1;
        let is_first = !self.troubles.contains_key(error.operation);
        let since = *self.troubles.entry(error.operation).or_insert(now);
        if is_first {
            self.emit(vec![Event::Trouble {
                message: error.to_string(),
            }])?;
        }
        let patience = if self.watching.is_empty() {
            PATIENCE_WITHOUT_JOBS
        } else {
            PATIENCE
        };
        if now.duration_since(since) > patience {
            self.given_up = true;
            self.stop(Stopped::Aws(error.clone()));
        }
        Ok(at)
    }

    /// An operation has answered.
    pub(super) fn well(&mut self, operation: &str) -> Result<(), Stopped> {
        if self.troubles.remove(operation).is_some() && self.troubles.is_empty() {
            self.emit(vec![Event::Recovered])?;
        }
        Ok(())
    }

    /// Starts nothing new; what runs is followed to its end, and then the first reason is given.
    pub(super) fn stop(&mut self, why: Stopped) {
        self.schedule.drain();
        self.stopped.get_or_insert(why);
    }
}

async fn wait<C: Clock>(clock: &C, at: Timestamp, idle: bool) {
    if idle {
        clock.idle_until(at).await;
    } else {
        clock.sleep_until(at).await;
    }
}
