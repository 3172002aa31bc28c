//! The one task that decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;

use super::calls::{Answer, Calls, Due, backoff, interval};
use super::schedule::Schedule;
use super::settle::TOKEN_IS_SAFE;
use super::state::{self, Illegal};
use super::{Clock, Event, Journal, JournalError, Recorded, Writer};
use crate::diff::{Action, ApiError, Diff, Fault, Job, JobStatus, Observed, Reader, Stage};
use crate::plan::{Plan, Planner, Request, digest};
use crate::render::{Created, Known};

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
struct Followed {
    job_id: String,
    since: Timestamp,
    status: Option<JobStatus>,
}

struct Run<'a, A, J, C, O> {
    engine: Engine<'a, A, J, C, O>,
    schedule: Schedule,
    calls: Calls<A>,
    attempts: BTreeMap<usize, u32>,
    observed: Observed,
    known: Known,
    /// Requests without a job, with their tokens.
    requests: BTreeMap<usize, Request>,
    jobs: BTreeMap<usize, Followed>,
    tries: BTreeMap<usize, u32>,
    /// Requests of which a copy may have arrived without our knowing.
    perhaps_sent: BTreeSet<usize>,
    /// Refusals of requests of which an earlier copy may have been accepted.
    refused: BTreeMap<usize, ApiError>,
    /// Since when each operation fails.
    troubles: BTreeMap<&'static str, Timestamp>,
    detaching: bool,
    stopped: Option<Stopped>,
}

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// The way of every event: the table, the disk, the screen.
    fn emit(&mut self, events: Vec<Event>) -> Result<(), Stopped> {
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

    fn name(&self, step: usize) -> String {
        self.engine.plan.steps[step].name.to_string()
    }

    /// Takes up what an earlier runner left.
    fn resume(&mut self, diff: &Diff) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let resumed = diff.changes.iter().filter(|c| c.action == Action::Resume);
        for change in resumed {
            let step = change.step;
            let Some(past) = self
                .observed
                .restores
                .get(&*self.engine.plan.steps[step].name)
            else {
                continue;
            };
            self.schedule.running(step);
            match &past.stage {
                Stage::Running { job_id } => {
                    let job_id = job_id.clone();
                    let since = past.intended_at;
                    self.follow(step, job_id, since, now);
                }
                _ => {
                    let intended_at = past.intended_at;
                    let token = past.token.clone();
                    let request = self.engine.plan.steps[step].draft.request.clone();
                    self.requests.insert(step, request.with_token(&token));
                    self.perhaps_sent.insert(step);
                    let due = if now.duration_since(intended_at) < TOKEN_IS_SAFE {
                        Due::Start
                    } else {
                        Due::Settle
                    };
                    self.calls.at(now, step, due);
                }
            }
        }
        Ok(())
    }

    async fn go(mut self) -> Result<Ended, Stopped> {
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

    /// Writes the intents of all that may start, in one go, then sends them.
    fn start_ready(&mut self) -> Result<(), Stopped> {
        let mut events = Vec::new();
        let mut failed = Vec::new();
        let mut sent = Vec::new();
        while sent.len() < self.calls.room() {
            let Some(step) = self.schedule.start_next() else {
                break;
            };
            let restore = self.name(step);
            let attempt = self.attempts.get(&step).copied().unwrap_or(1);
            match self.complete(step) {
                Ok(request) => {
                    let identity = self.engine.plan.identity(&restore, attempt);
                    let token = crate::plan::token(&identity, &request);
                    events.push(Event::Intended {
                        attempt,
                        digest: digest(&request),
                        request: request.clone().with_token(&token),
                        token: token.clone(),
                        restore,
                    });
                    sent.push((step, request.with_token(&token)));
                }
                Err(message) => {
                    events.push(Event::Rejected {
                        restore,
                        attempt,
                        message,
                    });
                    failed.push(step);
                }
            }
        }
        self.emit(events)?;
        for (step, request) in sent {
            self.requests.insert(step, request.clone());
            self.calls.start(step, request);
        }
        for step in failed {
            self.fail(step)?;
        }
        Ok(())
    }

    /// The whole request, with what has become known by now.
    fn complete(&self, step: usize) -> Result<Request, String> {
        let draft = &self.engine.plan.steps[step].draft;
        if draft.pending.is_empty() {
            return Ok(draft.request.clone());
        }
        let mut findings = Vec::new();
        let draft = self.engine.planner.draft(step, &self.known, &mut findings);
        let error = findings
            .iter()
            .find(|f| f.severity == crate::diagnostic::Severity::Error);
        if let Some(finding) = error {
            return Err(format!("{} ({})", finding.message, finding.rule));
        }
        match draft {
            Some(draft) if draft.pending.is_empty() => Ok(draft.request),
            Some(draft) => {
                let names: Vec<String> = draft.pending.into_iter().collect();
                Err(format!("AWS has not said what {} is", names.join(", ")))
            }
            None => Err("the request could not be completed".to_owned()),
        }
    }

    fn make_due_calls(&mut self) {
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

    fn take(&mut self, step: usize, answer: Answer) -> Result<(), Stopped> {
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

    fn begin_following(
        &mut self,
        step: usize,
        job_id: String,
        event: Event,
    ) -> Result<(), Stopped> {
        self.emit(vec![event])?;
        self.requests.remove(&step);
        self.tries.remove(&step);
        let now = self.engine.clock.now();
        self.follow(step, job_id, now, now + interval(SignedDuration::ZERO));
        Ok(())
    }

    fn follow(&mut self, step: usize, job_id: String, since: Timestamp, first: Timestamp) {
        self.jobs.insert(
            step,
            Followed {
                job_id,
                since,
                status: None,
            },
        );
        self.calls.at(first, step, Due::Poll);
    }

    fn not_started(&mut self, step: usize, error: ApiError) -> Result<(), Stopped> {
        if let Some(job_id) = finished_job(&error) {
            let event = Event::Adopted {
                restore: self.name(step),
                job_id: job_id.clone(),
                because: "AWS named it when it was asked again with the same token".to_owned(),
            };
            return self.begin_following(step, job_id, event);
        }
        match error.fault {
            Fault::Throttled => self.again(step, Due::Start, &error),
            Fault::Unreachable | Fault::Service => {
                self.perhaps_sent.insert(step);
                self.again(step, Due::Start, &error)
            }
            Fault::Refused if self.perhaps_sent.contains(&step) => {
                // An earlier copy may have been taken; AWS refuses this one perhaps for that very reason.
                self.refused.insert(step, error);
                let now = self.engine.clock.now();
                self.calls.at(now, step, Due::Settle);
                Ok(())
            }
            Fault::Refused => self.refuse(step, error),
            Fault::Denied => {
                if !self.perhaps_sent.contains(&step) {
                    let withdrawn = Event::Withdrawn {
                        restore: self.name(step),
                        message: error.message.clone(),
                    };
                    self.emit(vec![withdrawn])?;
                }
                self.requests.remove(&step);
                self.stop(Stopped::Aws(error));
                Ok(())
            }
        }
    }

    fn refuse(&mut self, step: usize, error: ApiError) -> Result<(), Stopped> {
        self.requests.remove(&step);
        let refused = Event::Refused {
            restore: self.name(step),
            code: error.code,
            message: error.message,
        };
        self.emit(vec![refused])?;
        self.fail(step)
    }

    fn settled(&mut self, step: usize, mut jobs: Vec<String>) -> Result<(), Stopped> {
        self.well("ListRestoreJobs")?;
        match (jobs.len(), self.refused.remove(&step)) {
            (1, _) => {
                let job_id = jobs.remove(0);
                let event = Event::Adopted {
                    restore: self.name(step),
                    job_id: job_id.clone(),
                    because: "it is the one job of this recovery point and metadata since the request left"
                        .to_owned(),
                };
                self.begin_following(step, job_id, event)
            }
            (0, Some(refusal)) => self.refuse(step, refusal),
            (0, None) => {
                let now = self.engine.clock.now();
                self.calls.at(now, step, Due::Start);
                Ok(())
            }
            _ => {
                let restore = self.name(step);
                self.stop(Stopped::Ambiguous { restore, jobs });
                Ok(())
            }
        }
    }

    fn polled(&mut self, step: usize, job: Job) -> Result<(), Stopped> {
        let restore = self.name(step);
        let Some(followed) = self.jobs.get_mut(&step) else {
            return Ok(());
        };
        match job.status {
            JobStatus::Completed => {
                if let Some(arn) = &job.created_resource_arn {
                    self.known.created.insert(
                        restore.clone(),
                        Created {
                            job_id: job.id.clone(),
                            resource_arn: arn.clone(),
                        },
                    );
                }
                self.jobs.remove(&step);
                self.emit(vec![Event::Completed {
                    restore,
                    created_resource_arn: job.created_resource_arn,
                    started_at: job.created_at,
                    ended_at: job.completed_at,
                    recovery_point_created_at: job.recovery_point_created_at,
                    message: job.message,
                }])?;
                self.schedule.completed(step);
                Ok(())
            }
            JobStatus::Failed | JobStatus::Aborted => {
                self.jobs.remove(&step);
                self.emit(vec![Event::Failed {
                    restore,
                    status: job.status.to_string(),
                    message: job
                        .message
                        .unwrap_or_else(|| "AWS gives no reason".to_owned()),
                    started_at: job.created_at,
                    ended_at: job.completed_at,
                }])?;
                self.fail(step)
            }
            status => {
                let now = self.engine.clock.now();
                let again = now + interval(now.duration_since(followed.since));
                let changed = followed.status.as_ref() != Some(&status);
                followed.status = Some(status.clone());
                self.tries.remove(&step);
                self.calls.at(again, step, Due::Poll);
                if changed {
                    let status = status.to_string();
                    self.emit(vec![Event::Seen { restore, status }])?;
                }
                Ok(())
            }
        }
    }

    /// A restore has failed: so have those that hang on it.
    fn fail(&mut self, step: usize) -> Result<(), Stopped> {
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

    /// The same call later; what stands in the way is said once.
    fn again(&mut self, step: usize, due: Due, error: &ApiError) -> Result<(), Stopped> {
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
    fn well(&mut self, operation: &str) -> Result<(), Stopped> {
        if self.troubles.remove(operation).is_some() && self.troubles.is_empty() {
            self.emit(vec![Event::Recovered])?;
        }
        Ok(())
    }

    /// Starts nothing new; what runs is followed to its end, and then the first reason is given.
    fn stop(&mut self, why: Stopped) {
        self.schedule.drain();
        self.stopped.get_or_insert(why);
    }

    /// Whether AWS has been silent for longer than anybody wants to wait.
    fn is_out_of_patience(&self) -> bool {
        let Some(Stopped::Aws(error)) = &self.stopped else {
            return false;
        };
        error.is_transient()
            || (error.fault == Fault::Denied && error.operation == "DescribeRestoreJob")
    }
}

async fn wait<C: Clock>(clock: &C, at: Timestamp, idle: bool) {
    if idle {
        clock.idle_until(at).await;
    } else {
        clock.sleep_until(at).await;
    }
}

/// The job in `Restore job <ID> already finished`, which AWS was seen to answer to a token whose job had ended
/// (facts recorded in 2020; the documented answer is the job's id).
fn finished_job(error: &ApiError) -> Option<String> {
    let rest = error.message.split("Restore job ").nth(1)?;
    let id = rest.split(" already finished").next()?;
    let is_id = !id.is_empty() && id.len() < rest.len() && !id.contains(char::is_whitespace);
    (error.fault == Fault::Refused && is_id).then(|| id.to_owned())
}
