//! The one task that decides: it drives every restore.

mod awaiting;
mod begun;
mod checks;
mod duplicates;
mod effects;
mod elsewhere;
mod failing;
mod following;
mod nested;
mod outages;
mod polling;
mod preexisting;
mod presence;
mod publishing;
mod reconciling;
mod starting;
mod timers;
mod unknown_jobs;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::backup::{Clock, Operation, Reader, Writer};
use crate::diff::Diff;
use crate::execute::calls::{Answer, Calls};
use crate::execute::checking::Checking;
use crate::execute::duplicate_watch::Lookout;
use crate::execute::elsewhere::{Elsewhere, ended};
use crate::execute::engine::{Control, Ended, Engine, Stopped};
use crate::execute::flight::{Flights, JobMetadata};
use crate::execute::late::Late;
use crate::execute::outage::OutagePatience;
use crate::execute::recording::Recording;
use crate::execute::schedule::Schedule;
use crate::execute::silence::Silence;
use crate::execute::skew::Moment;
use crate::execute::target::TargetState;
use crate::execute::{Observer, Policy};
use crate::ids::{Indexed, RestoreName, StepIndex, TargetIndex};
use crate::plan::{Plan, Planner};
use crate::render::Known;
use crate::state;
use crate::state::{Append, Event, Recorded, RestoreStage, RestoreState, RunState};

/// Inputs of a run, apart from those that are kept elsewhere.
pub(in crate::execute) struct Given<'a, C, O> {
    pub(super) planner: &'a Planner,
    pub(super) plan: &'a Plan,
    pub(super) clock: &'a C,
    pub(super) observer: O,
    pub(super) control: UnboundedReceiver<Control>,
    pub(super) policy: Policy,
}

/// A run that goes on. What one restore is doing is a [`Flight`](crate::execute::flight::Flight); this drives all of them.
pub(in crate::execute) struct Run<'a, A, J, C, O> {
    pub(super) engine: Given<'a, C, O>,
    pub(super) flights: Flights,
    pub(super) targets: Indexed<TargetIndex, TargetState>,
    /// Checks of requests that become complete only during the run.
    pub(super) late: Option<Late>,
    pub(super) schedule: Schedule,
    pub(super) calls: Calls<A>,
    pub(super) checking: Checking,
    /// State of the run, as the journal has it by now.
    pub(super) observed: RunState,
    /// Values that templates and checks are told.
    pub(super) known: Known,
    pub(super) recording: Recording<J>,
    pub(super) lookout: Lookout,
    pub(super) job_metadata: JobMetadata,
    pub(super) patience: OutagePatience,
    /// A person has asked to leave.
    pub(super) detaching: bool,
    pub(super) stopped: Option<Stopped>,
}

impl<'a, A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer>
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
        let own = pasts.flat_map(|past| past.stage.job_id().into_iter().chain(&past.former));
        let listed_at = Moment {
            here: now,
            aws: None,
        };
        let mut lookout = Lookout::new(listed_at, own);
        lookout.elsewhere = policy.started_elsewhere.as_ref().map(Elsewhere::of);
        let pasts = observed.restores.values_mut();
        pasts
            .filter(|past| past.stage.job_id().is_some())
            .for_each(forget);
        let late = Late::of(planner, plan, &drafts);
        let schedule = Schedule::new(plan, |step| &drafts[step], diff);
        let mut flights = Flights::new(drafts);
        for change in &diff.changes {
            flights[change.step].attempt = change.attempt.max(1);
        }
        let silence = Silence::new(policy.says_after, now);
        Self {
            flights,
            targets: plan
                .targets
                .iter()
                .map(|_| TargetState::default())
                .collect(),
            late,
            schedule,
            calls: Calls::new(&plan.targets, api, !policy.no_rate_limit, now),
            checking: Checking::new(commands),
            observed,
            known,
            recording: Recording::new(journal, silence),
            lookout,
            job_metadata: JobMetadata::default(),
            patience: OutagePatience {
                last_success: now,
                is_over: false,
            },
            detaching: false,
            stopped: None,
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
        self.begin_elsewhere();
        self.go().await
    }

    /// Takes events in: through the table now, onto the disk and the screen with the next flush.
    pub(super) fn emit(&mut self, events: Vec<Event>) -> Result<(), Stopped> {
        let at = self.engine.clock.now();
        let aws_ahead = self.calls.skew().ahead();
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

    pub(super) fn name(&self, step: StepIndex) -> RestoreName {
        self.engine.plan.steps[step].name.clone()
    }

    /// The target that a restore runs in.
    pub(super) fn target_of(&self, step: StepIndex) -> TargetIndex {
        self.engine.plan.steps[step].target
    }

    /// Now, by both clocks.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            here: self.engine.clock.now(),
            aws: self.calls.date(),
        }
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
            let watches = !self.targets.iter().all(TargetState::follows_none);
            if self.calls.nothing_to_come() && !watches && self.checking.nothing_to_come() {
                if self.waits_for_elsewhere() {
                    // Nothing is to be done until the next look.
                } else if self.begin_after()? || self.look_last() {
                    continue;
                } else {
                    break;
                }
            }
            self.flush()?;
            if let Some(ended) = self.next().await? {
                return Ok(ended);
            }
            if self.patience.is_over {
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
        // Calls that are due by now and were not made are held back by the rates.
        let after = held.map(|_| now);
        let is_later = |at: &Timestamp| after.is_none_or(|after| *at > after);
        let targets = self.targets.iter();
        let polls = targets.clone().filter_map(|of| of.poller.next_at(after));
        let looks = targets.filter_map(|of| of.look.next_at());
        let next = polls
            .chain(looks.chain(self.calls.next_due()).filter(is_later))
            .chain(self.checking.next_at())
            .chain(held)
            .min();
        let wake = next.filter(|_| !self.calls.is_full() && !self.detaching);
        let wake = wake.unwrap_or(now + SignedDuration::from_hours(1));
        let silence = &self.recording.silence;
        let wake = silence.until().map_or(wake, |until| until.min(wake));
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
            () = ended(&mut self.lookout.elsewhere) => self.end_elsewhere(),
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
        self.calls.see(self.engine.clock.now());
        match answer {
            Answer::Started(step, left, Ok(started)) => {
                self.succeeded(step, Operation::StartRestoreJob)?;
                let owner = self.owner(&started.job_id);
                self.decide(step, |open, sight| {
                    open.on_started(left, started, owner, sight)
                })
            }
            Answer::Started(step, left, Err(error)) => {
                self.decide(step, |open, sight| open.on_error(left, error, sight))
            }
            Answer::Candidates(step, answer) => self.on_candidates(step, answer),
            Answer::Metadata(step, job_id, answer) => self.on_job_metadata(step, &job_id, answer),
            Answer::Polled(step, answer) => self.on_poll(step, answer),
            Answer::Nested(step, answer) => self.nested(step, answer),
            Answer::LookedFor(step, found) => self.looked_for(step, found),
            Answer::Published(step, answer) => self.published(step, answer),
            Answer::Listed(target, Ok((jobs, next))) => {
                self.succeeded_at(target, Operation::ListRestoreJobs)?;
                self.listed(target, jobs, next)
            }
            Answer::Listed(target, Err(error)) => self.not_listed(target, error),
            Answer::Around(target, Ok((jobs, next))) => self.looked(target, jobs, next),
            Answer::Around(target, Err(error)) => self.not_looked(target, &error),
            Answer::Other(job_id, point, metadata) => self.told_of_other(job_id, point, metadata),
        }
    }
}

/// Drops what was sent and what came of it, which the journal has. Only the stage counts here, for what may be many
/// restores.
fn forget(past: &mut RestoreState) {
    past.sent = None;
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
