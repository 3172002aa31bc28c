//! The one task that decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;

use super::calls::{Answer, Calls, Due, backoff};
use super::schedule::Schedule;
use super::state::{self, Illegal};
use super::{Clock, Event, Journal, JournalError, Recorded, Writer};
use crate::diff::{ApiError, Diff, Fault, JobStatus, Observed, Reader};
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
}

impl<A, J, C, O> Engine<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// Carries out the changes; `opening` is the first event, `observed` and `known` are what came before it.
    ///
    /// # Errors
    ///
    /// Where it cannot go on. Everything that was started is in the journal.
    pub async fn run(
        self,
        opening: Event,
        observed: Observed,
        known: Known,
        diff: &Diff,
    ) -> Result<Ended, Stopped> {
        let mut run = Run {
            schedule: Schedule::new(self.plan, diff),
            calls: Calls::new(Arc::clone(&self.api), &self.plan.target.account),
            attempts: diff.changes.iter().map(|c| (c.step, c.attempt)).collect(),
            engine: self,
            observed,
            known,
            requests: BTreeMap::new(),
            jobs: BTreeMap::new(),
            tries: BTreeMap::new(),
            perhaps_sent: BTreeSet::new(),
            refused: BTreeMap::new(),
            troubles: BTreeMap::new(),
            detaching: false,
            stopped: None,
        };
        run.emit(vec![opening])?;
        run.resume(diff)?;
        run.go().await
    }
}

/// A job that is followed.
pub(super) struct Followed {
    pub(super) job_id: String,
    pub(super) since: Timestamp,
    pub(super) status: Option<JobStatus>,
}

pub(super) struct Run<'a, A, J, C, O> {
    pub(super) engine: Engine<'a, A, J, C, O>,
    pub(super) schedule: Schedule,
    pub(super) calls: Calls<A>,
    pub(super) attempts: BTreeMap<usize, u32>,
    pub(super) observed: Observed,
    pub(super) known: Known,
    /// Requests without a job, with their tokens.
    pub(super) requests: BTreeMap<usize, Request>,
    pub(super) jobs: BTreeMap<usize, Followed>,
    pub(super) tries: BTreeMap<usize, u32>,
    /// Requests of which a copy may have arrived without our knowing.
    pub(super) perhaps_sent: BTreeSet<usize>,
    /// Refusals of requests of which an earlier copy may have been accepted.
    pub(super) refused: BTreeMap<usize, ApiError>,
    /// Since when each operation fails.
    pub(super) troubles: BTreeMap<&'static str, Timestamp>,
    pub(super) detaching: bool,
    pub(super) stopped: Option<Stopped>,
}

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// The way of every event: the table, the disk, the screen.
    pub(super) fn emit(&mut self, events: Vec<Event>) -> Result<(), Stopped> {
        if events.is_empty() {
            return Ok(());
        }
        let at = self.engine.clock.now();
        let secrets = self.engine.planner.secrets();
        let recorded: Vec<Recorded> = events
            .into_iter()
            .map(|event| Recorded {
                at,
                event: event.redacted(secrets),
            })
            .collect();
        for recorded in &recorded {
            state::apply(&mut self.observed, recorded)?;
        }
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
            }
            if self.detaching && !self.calls.is_starting() {
                self.emit(vec![Event::Detached])?;
                return Ok(Ended::Detached);
            }
            if self.calls.nothing_to_come() {
                break;
            }
            let now = self.engine.clock.now();
            let wake = self
                .calls
                .next_at()
                .filter(|_| self.calls.has_room() && !self.detaching);
            let wake = wake.unwrap_or(now + SignedDuration::from_hours(1));
            let idle = self.calls.is_idle();
            let clock = self.engine.clock;
            tokio::select! {
                Some(control) = self.engine.control.recv() => {
                    if control == Control::Now || self.detaching {
                        return Ok(Ended::Interrupted);
                    }
                    self.detaching = true;
                    self.schedule.drain();
                    self.emit(vec![Event::Draining])?;
                }
                (step, answer) = self.calls.answer() => self.take(step, answer)?,
                () = wait(clock, wake, idle) => {}
            }
            if self.is_out_of_patience() {
                break;
            }
        }
        if let Some(stopped) = self.stopped {
            return Err(stopped);
        }
        self.emit(vec![Event::RunEnded])?;
        Ok(Ended::Finished)
    }

    pub(super) fn take(&mut self, step: usize, answer: Answer) -> Result<(), Stopped> {
        match answer {
            Answer::Started(Ok(job_id)) => {
                self.well("StartRestoreJob")?;
                let event = Event::Accepted {
                    restore: self.name(step),
                    job_id: job_id.clone(),
                };
                self.begin_following(step, job_id, event)
            }
            Answer::Started(Err(error)) => self.not_started(step, error),
            Answer::Settled(Ok(jobs)) => self.settled(step, jobs),
            Answer::Settled(Err(error)) => {
                if matches!(error.fault, Fault::Denied | Fault::Refused) {
                    self.stop(Stopped::Aws(error));
                    return Ok(());
                }
                self.again(step, Due::Settle, &error)
            }
            Answer::Polled(Ok(job)) => {
                self.well("DescribeRestoreJob")?;
                self.polled(step, job)
            }
            Answer::Polled(Err(error)) if error.fault == Fault::Refused => {
                // Another account, Region or endpoint than the one that started it, most likely: the journal
                // keeps the job as running, and nothing is concluded.
                self.stop(Stopped::Aws(error));
                Ok(())
            }
            Answer::Polled(Err(error)) => self.again(step, Due::Poll, &error),
        }
    }

    /// Starts nothing new; what runs is followed to its end, and then the first reason is given.
    pub(super) fn stop(&mut self, why: Stopped) {
        self.schedule.drain();
        self.stopped.get_or_insert(why);
    }

    /// Whether AWS has been silent for longer than anybody wants to wait.
    pub(super) fn is_out_of_patience(&self) -> bool {
        let Some(Stopped::Aws(error)) = &self.stopped else {
            return false;
        };
        error.is_transient()
            || (error.fault == Fault::Denied && error.operation == "DescribeRestoreJob")
    }

    /// The same call later; what stands in the way is said once.
    pub(super) fn again(&mut self, step: usize, due: Due, error: &ApiError) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let tries = self.tries.entry(step).or_default();
        let at = now + backoff(*tries);
        *tries += 1;
        self.calls.at(at, step, due);
        let since = *self.troubles.entry(error.operation).or_insert(now);
        if since == now {
            self.emit(vec![Event::Trouble {
                message: error.to_string(),
            }])?;
        }
        let patience = if self.jobs.is_empty() {
            PATIENCE_WITHOUT_JOBS
        } else {
            PATIENCE
        };
        if now.duration_since(since) > patience {
            self.stop(Stopped::Aws(error.clone()));
        }
        Ok(())
    }

    /// An operation has answered.
    pub(super) fn well(&mut self, operation: &str) -> Result<(), Stopped> {
        if self.troubles.remove(operation).is_some() && self.troubles.is_empty() {
            self.emit(vec![Event::Recovered])?;
        }
        Ok(())
    }

    pub(super) fn make_due_calls(&mut self) {
        let now = self.engine.clock.now();
        while self.calls.has_room() {
            let Some((step, due)) = self.calls.pop_due(now) else {
                return;
            };
            match due {
                Due::Poll => {
                    if let Some(job_id) = self.jobs.get(&step).map(|job| job.job_id.clone()) {
                        self.calls.poll(step, job_id);
                    }
                }
                Due::Start => {
                    if let Some(request) = self.requests.get(&step).cloned() {
                        self.calls.start(step, request);
                    }
                }
                Due::Settle => {
                    let name = &*self.engine.plan.steps[step].name;
                    let since = self
                        .observed
                        .restores
                        .get(name)
                        .map_or(now, |p| p.intended_at);
                    if let Some(request) = self.requests.get(&step).cloned() {
                        self.calls.settle(step, request, since);
                    }
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
}

async fn wait<C: Clock>(clock: &C, at: Timestamp, idle: bool) {
    if idle {
        clock.idle_until(at).await;
    } else {
        clock.sleep_until(at).await;
    }
}
