//! The one task that decides.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;

use super::calls::{Answer, Calls, DueCall};
use super::checking::Checking;
use super::engine::{Control, Ended, Engine, Stopped};
use super::late::Late;
use super::lookout::Lookout;
use super::nested::Parent;
use super::outage::{Outage, Tries};
use super::poller::Poller;
use super::presence::Presence;
use super::reconciliation::Reconciliation;
use super::recording::Recording;
use super::schedule::Schedule;
use super::skew::{Moment, Skew};
use super::waiting::Silence;
use super::{Observer, Policy};
use crate::backup::{ApiError, Clock, Fault, Job, Reader, Writer};
use crate::diff::Diff;
use crate::plan::{Draft, Plan, Planner, Request};
use crate::render::Known;
use crate::state;
use crate::state::{Event, Journal, Recorded, RestoreStage, RestoreState, RunState};

/// How long to wait before it is asked again about a job that AWS does not know yet.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// What the tries of a target's listings are counted under; those of a restore under its step.
pub(super) fn sweeps_of(place: usize) -> usize {
    usize::MAX - place
}

/// What a run is given, apart from what has a keeper of its own.
pub(super) struct Given<'a, C, O> {
    pub(super) planner: &'a Planner,
    pub(super) plan: &'a Plan,
    pub(super) clock: &'a C,
    pub(super) observer: O,
    pub(super) control: UnboundedReceiver<Control>,
    pub(super) policy: Policy,
}

pub(super) struct Run<'a, A, J, C, O> {
    pub(super) engine: Given<'a, C, O>,
    /// What is to be sent, until it has a job.
    pub(super) drafts: Vec<Option<Arc<Draft>>>,
    /// What requests are held against that become complete while the run goes on.
    pub(super) late: Option<Late>,
    pub(super) schedule: Schedule,
    pub(super) calls: Calls<A>,
    pub(super) checking: Checking,
    /// How often AWS Backup was told in vain what the checks of a restore have come to.
    pub(super) publishing: BTreeMap<usize, u32>,
    /// Jobs that have ended, of which nested ones are being listed.
    pub(super) parents: BTreeMap<usize, Parent>,
    /// Attempts other than the first.
    pub(super) attempts: BTreeMap<usize, u32>,
    pub(super) observed: RunState,
    pub(super) known: Known,
    pub(super) recording: Recording<J>,
    /// Requests without a job, with their tokens.
    pub(super) requests: BTreeMap<usize, Arc<Request>>,
    /// What is being found out about them.
    pub(super) questions: BTreeMap<usize, Reconciliation>,
    /// One a target.
    pub(super) pollers: Vec<Poller>,
    pub(super) tries: Tries,
    /// Requests of which a copy may have arrived without our knowing, and since when their tokens count: when the first
    /// left, for a machine can sleep before it hears that there is no answer.
    pub(super) exposed_since: BTreeMap<usize, Moment>,
    /// When the last copy left that may have arrived.
    pub(super) last_sent: BTreeMap<usize, Timestamp>,
    /// Refusals of requests of which an earlier copy may have been accepted.
    pub(super) refused: BTreeMap<usize, ApiError>,
    /// Jobs of the plan's recovery points that were there before: by recovery point, for each target.
    pub(super) existing: Vec<HashMap<String, Vec<Job>>>,
    /// When they were listed.
    pub(super) looked_at: Moment,
    /// How far this machine's clock was seen to be off.
    pub(super) skew: Skew,
    /// Whether others start the same.
    pub(super) lookout: Lookout,
    /// Recovery points of more than one restore.
    pub(super) shared: HashSet<(usize, String)>,
    /// Whether what jobs have made is still there that ended before they were known here.
    pub(super) presence: Presence,
    /// What the jobs of those were asked for, which each restore is compared with; and of which it is being asked.
    pub(super) read: HashMap<String, BTreeMap<String, String>>,
    pub(super) being_read: HashSet<String>,
    /// Since when each operation fails, by target.
    pub(super) outages: BTreeMap<(usize, &'static str), Outage>,
    /// When AWS has last answered as it should.
    pub(super) last_success: Timestamp,
    pub(super) detaching: bool,
    pub(super) stopped: Option<Stopped>,
    /// AWS has been silent for longer than anybody wants to wait.
    pub(super) given_up: bool,
    pub(super) silence: Silence,
}

impl<'a, A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'a, A, J, C, O>
{
    pub(super) fn new(
        engine: Engine<'a, A, J, C, O>,
        mut observed: RunState,
        known: Known,
        diff: &Diff,
    ) -> Self {
        let Engine {
            planner,
            plan,
            drafts,
            api,
            commands,
            journal,
            clock,
            observer,
            control,
            policy,
        } = engine;
        let now = clock.now();
        let pasts = observed.restores.values();
        let own = pasts.flat_map(|past| {
            past.stage
                .job_id()
                .into_iter()
                .chain(past.former.iter().map(String::as_str))
        });
        let lookout = Lookout::new(plan.targets.len(), own);
        let pasts = observed.restores.values_mut();
        pasts
            .filter(|past| past.stage.job_id().is_some())
            .for_each(forget);
        Self {
            late: Late::of(planner, plan, &drafts),
            schedule: Schedule::new(plan, |step| &drafts[step], diff),
            drafts: drafts.into_iter().map(Some).collect(),
            calls: Calls::new(&plan.targets, api, !policy.no_rate_limit, now),
            checking: Checking::new(commands),
            publishing: BTreeMap::new(),
            parents: BTreeMap::new(),
            attempts: diff
                .changes
                .iter()
                .filter(|change| change.attempt > 1)
                .map(|change| (change.step, change.attempt))
                .collect(),
            observed,
            known,
            recording: Recording::new(journal),
            requests: BTreeMap::new(),
            questions: BTreeMap::new(),
            pollers: plan.targets.iter().map(|_| Poller::default()).collect(),
            tries: Tries::default(),
            exposed_since: BTreeMap::new(),
            last_sent: BTreeMap::new(),
            refused: BTreeMap::new(),
            existing: vec![HashMap::new(); plan.targets.len()],
            looked_at: Moment {
                here: now,
                aws: None,
            },
            skew: Skew::default(),
            lookout,
            shared: HashSet::new(),
            presence: Presence::default(),
            read: HashMap::new(),
            being_read: HashSet::new(),
            outages: BTreeMap::new(),
            last_success: now,
            detaching: false,
            stopped: None,
            given_up: false,
            silence: Silence::new(policy.says_after, now),
            engine: Given {
                planner,
                plan,
                clock,
                observer,
                control,
                policy,
            },
        }
    }

    /// Looks at what exists already, takes up what an earlier runner left, and goes on from there.
    pub(super) async fn begin(
        mut self,
        opening: Vec<Event>,
        diff: &Diff,
    ) -> Result<Ended, Stopped> {
        match self.list_existing_jobs(diff).await? {
            None => {}
            Some(Control::Detach) => return Ok(Ended::Detached),
            Some(Control::Now) => return Ok(Ended::Interrupted),
        }
        self.emit(opening)?;
        self.flush_all().await?;
        self.resume(diff)?;
        self.go().await
    }

    /// Takes events in: through the table now, onto the disk and the screen with the next flush.
    pub(super) fn emit(&mut self, events: Vec<Event>) -> Result<(), Stopped> {
        let at = self.engine.clock.now();
        let aws_ahead = self.skew.ahead();
        for event in events {
            let mut recorded = Recorded {
                at,
                aws_ahead,
                event,
            };
            state::apply(&mut self.observed, &recorded)?;
            // The engine goes on with what AWS has said, and shows and keeps what may be seen of it.
            recorded.event = recorded.event.redacted(self.engine.planner.secrets());
            if let Event::Intended { restore, .. } | Event::Completed { restore, .. } =
                &recorded.event
                && let Some(past) = self.observed.restores.get_mut(restore)
            {
                forget(past);
            }
            self.recording.take(recorded);
        }
        Ok(())
    }

    pub(super) fn name(&self, step: usize) -> String {
        self.engine.plan.steps[step].name.to_string()
    }

    /// The index of the target that a restore runs in.
    pub(super) fn place(&self, step: usize) -> usize {
        self.engine.plan.steps[step].target
    }

    pub(super) fn attempt(&self, step: usize) -> u32 {
        self.attempts.get(&step).copied().unwrap_or(1)
    }

    async fn go(mut self) -> Result<Ended, Stopped> {
        loop {
            if let Some(ended) = self.look_again_if_due().await? {
                return Ok(ended);
            }
            if !self.detaching {
                self.make_due_calls()?;
                self.start_ready()?;
                self.look();
                self.look_around();
                self.check()?;
            }
            if self.detaching && !self.calls.is_starting() {
                let called = self.called();
                self.emit(vec![called, Event::Detached])?;
                self.flush_all().await?;
                return Ok(Ended::Detached);
            }
            let watches = self.pollers.iter().any(|place| !place.is_empty());
            if self.calls.nothing_to_come() && !watches && self.checking.nothing_to_come() {
                if self.begin_after()? || self.look_last() {
                    continue;
                }
                break;
            }
            self.flush()?;
            if let Some(ended) = self.next().await? {
                return Ok(ended);
            }
            if self.given_up {
                break;
            }
        }
        let called = self.called();
        self.emit(vec![called])?;
        if self.stopped.is_none() {
            self.emit(vec![Event::RunEnded])?;
        }
        self.flush_all().await?;
        match self.stopped {
            Some(stopped) => Err(stopped),
            None => Ok(Ended::Finished),
        }
    }

    /// A person wants to leave, at once or when everything that was sent has its answer.
    pub(super) async fn on_control(&mut self, control: Control) -> Result<Option<Ended>, Stopped> {
        if control == Control::Now || self.detaching {
            self.flush_all().await?;
            return Ok(Some(Ended::Interrupted));
        }
        self.detaching = true;
        self.schedule.drain();
        self.emit(vec![Event::Draining])?;
        Ok(None)
    }

    /// Waits for whatever comes first, an answer, a person or a time; how it ends, where it ends at once.
    async fn next(&mut self) -> Result<Option<Ended>, Stopped> {
        let now = self.engine.clock.now();
        let held = self.calls.take_held();
        // What is due by now and was not done is held back by the rates.
        let after = held.map(|_| now);
        let looks = self.pollers.iter().filter_map(|w| w.next_at(after));
        let due = self
            .calls
            .next_due()
            .filter(|at| after.is_none_or(|after| *at > after));
        let next = looks
            .chain(due)
            .chain(self.checking.next_at())
            .chain(self.lookout.next_at(after))
            .chain(held)
            .min();
        let wake = next.filter(|_| !self.calls.is_full() && !self.detaching);
        let wake = wake.unwrap_or(now + SignedDuration::from_hours(1));
        let wake = self.silence.until().map_or(wake, |until| until.min(wake));
        let idle = self.calls.is_idle() && self.checking.is_idle() && self.recording.is_idle();
        let clock = self.engine.clock;
        tokio::select! {
            Some(control) = self.engine.control.recv() => return self.on_control(control).await,
            answer = self.calls.answer() => {
                self.take(answer)?;
                // Whatever else has come by now shares the next flush.
                while let Some(answer) = self.calls.answer_now() {
                    self.take(answer)?;
                }
            }
            batch = self.recording.ended() => self.recorded(&batch?)?,
            (task, ran) = self.checking.ended() => self.checked(task, ran)?,
            () = wait(clock, wake, idle) => self.break_silence(0),
        }
        Ok(None)
    }

    /// Waits until a call of a look at what exists may leave or be tried again, or a person says something.
    pub(super) async fn pause(&mut self, until: Timestamp) -> Option<Control> {
        let clock = self.engine.clock;
        tokio::select! {
            biased;
            Some(control) = self.engine.control.recv() => Some(control),
            () = clock.idle_until(until) => None,
        }
    }

    fn take(&mut self, answer: Answer) -> Result<(), Stopped> {
        self.skew.see(self.moment());
        match answer {
            Answer::Started(step, left, Ok(started)) => self.accepted(step, left, &started),
            Answer::Started(step, left, Err(error)) => self.not_started(step, left, error),
            Answer::Candidates(step, Ok((jobs, next))) => {
                self.looked_up(step, "ListRestoreJobs")?;
                if let Some((question, request)) = self.question(step)
                    && let Err(endless) = question.listed(jobs, next, &request)
                {
                    self.questions.remove(&step);
                    self.stop(Stopped::Aws(endless));
                    return Ok(());
                }
                self.go_on_asking(step)
            }
            Answer::Candidates(step, Err(error)) => self.on_no_answer(step, DueCall::List, error),
            Answer::Metadata(step, job_id, Ok(metadata)) => {
                self.looked_up(step, "GetRestoreJobMetadata")?;
                self.told_of(step, &job_id, metadata);
                self.go_on_asking(step)
            }
            Answer::Metadata(step, job_id, Err(error)) => {
                self.being_read.remove(&job_id);
                self.on_no_answer(step, DueCall::Compare, error)
            }
            Answer::Polled(step, Ok(job)) => match self.is_another(step, &job) {
                Some(error) => self.take(Answer::Polled(step, Err(error))),
                None => {
                    self.succeeded(step, "DescribeRestoreJob")?;
                    self.polled(step, job)
                }
            },
            Answer::Polled(step, Err(error)) if error.fault == Fault::Refused => {
                let place = self.place(step);
                let now = self.engine.clock.now();
                if self.pollers[place].is_new(step, now) {
                    self.pollers[place].look_again(step, now + AGAIN);
                    return Ok(());
                }
                self.not_known(step, error)
            }
            Answer::Polled(step, Err(error)) => {
                let place = self.place(step);
                let now = self.engine.clock.now();
                if self.pollers[place].is_hopeless(step, now) {
                    // Others are answered: this one never is. The journal keeps it as running.
                    self.pollers[place].forget(step);
                    self.stop(Stopped::Aws(error));
                    return Ok(());
                }
                let at = self.retry_at(place, &error, step)?;
                self.pollers[place].look_again(step, at);
                Ok(())
            }
            Answer::Nested(step, answer) => self.nested(step, answer),
            Answer::LookedFor(step, found) => self.looked_for(step, found),
            Answer::Published(step, answer) => self.published(step, answer),
            Answer::Listed(place, Ok((jobs, next))) => {
                self.succeeded_at(place, "ListRestoreJobs")?;
                self.listed(place, jobs, next)
            }
            Answer::Listed(place, Err(error)) => self.not_listed(place, error),
            Answer::Around(place, Ok((jobs, next))) => self.looked(place, jobs, next),
            Answer::Around(place, Err(error)) => self.not_looked(place, &error),
            Answer::Other(job_id, point, metadata) => self.told_of_other(job_id, point, metadata),
        }
    }
}

/// What was sent, and what came of it, is in the journal. Here it counts how far a restore is, of which there may be many.
fn forget(past: &mut RestoreState) {
    past.token = String::new();
    past.digest = String::new();
    if let RestoreStage::Completed {
        created_resource_arn,
        ..
    } = &mut past.stage
    {
        *created_resource_arn = None;
    }
}

async fn wait<C: Clock>(clock: &C, at: Timestamp, idle: bool) {
    if idle {
        clock.idle_until(at).await;
    } else {
        clock.sleep_until(at).await;
    }
}
