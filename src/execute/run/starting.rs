//! From a restore that may start to a job: intent, request, answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Run;
use crate::backup::{Clock, Operation, Reader, Writer};
use crate::diagnostic::Findings;
use crate::execute::Observer;
use crate::execute::engine::Stopped;
use crate::execute::flight::{OpenRequest, Reconciliation, ReconciliationReason};
use crate::execute::listing_window::listed_since;
use crate::execute::recording::Effect;
use crate::ids::{JobId, StepIndex, TargetIndex};
use crate::plan::{Draft, TokenedRequest};
use crate::render::Fact;
use crate::state::{Append, Event};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Records the intents of all that may start, in one go, and has each sent once its own is on disk.
    pub(super) fn start_ready(&mut self) -> Result<(), Stopped> {
        if self.lookout.elsewhere.is_some() {
            return self.find_elsewhere();
        }
        let now = self.engine.clock.now();
        let mut failed = Vec::new();
        // Requests are limited by the room for calls; those being compared take up room as well.
        while self.calls.room() > 0 && self.flights.open_count() < self.calls.at_once() {
            let may_start: Vec<TargetIndex> = self
                .targets
                .positions()
                .filter(|target| {
                    self.schedule.has_next(*target) && self.calls.could_start(*target, now)
                })
                .collect();
            let Some(step) = self.schedule.start_next(&may_start) else {
                break;
            };
            match self.completed(step) {
                Ok(draft) => self.begin_request(step, &draft)?,
                Err(message) => {
                    self.emit(vec![Event::Rejected {
                        restore: self.name(step),
                        attempt: self.flights[step].attempt,
                        message,
                    }])?;
                    failed.push(step);
                }
            }
        }
        for step in failed {
            self.fail(step, "failed")?;
        }
        Ok(())
    }

    /// Begins a request: where a job for the same may exist, it is compared with that first.
    pub(super) fn begin_request(&mut self, step: StepIndex, draft: &Draft) -> Result<(), Stopped> {
        let request = self.request_of(step, self.flights[step].attempt, draft);
        let target = &self.targets[self.target_of(step)];
        let jobs = target.existing_jobs(&request.recovery_point_arn).to_vec();
        let open = OpenRequest::new(request);
        let reconciliation = if !jobs.is_empty() {
            Reconciliation::of(
                ReconciliationReason::First,
                jobs,
                None,
                self.lookout.listed_at,
            )
        } else if self.flights[step].becomes_known_late() {
            let now = self.moment();
            let account = &self.engine.plan.targets[self.target_of(step)].account;
            let query = open.query(account, listed_since(now.earlier()));
            Reconciliation::listing(ReconciliationReason::First, query, now)
        } else {
            self.flights.open(step, open);
            return self.send(step, draft);
        };
        self.flights.open(step, open);
        self.decide(step, |open, sight| open.reconcile(reconciliation, sight))
    }

    /// The request of an attempt, with its token.
    pub(super) fn request_of(
        &self,
        step: StepIndex,
        attempt: u32,
        draft: &Draft,
    ) -> Arc<TokenedRequest> {
        let identity = self.engine.plan.identity(step, attempt);
        let token = crate::plan::token(&identity, &draft.request);
        Arc::new(draft.sent_with(&token))
    }

    /// Records that a request is about to leave, and has it sent once that is on disk.
    fn send(&mut self, step: StepIndex, draft: &Draft) -> Result<(), Stopped> {
        let Some(open) = self.flights[step].request() else {
            return Ok(());
        };
        let request = Arc::clone(&open.request);
        self.emit(vec![self.intended(step, draft, &request, None)])?;
        // There is room and time, as was found before.
        let now = self.engine.clock.now();
        self.calls
            .may(self.target_of(step), Operation::StartRestoreJob, now);
        self.then(Effect::Start(step));
        Ok(())
    }

    /// Sends a request whose intent is on disk, unless it has its job by now or is not wanted any more.
    pub(super) fn start(&mut self, step: StepIndex) -> Result<(), Stopped> {
        match self.decided(step, |open, sight| open.on_due(sight)) {
            None => Ok(()),
            Some(Some(next)) => self.carry_out(step, next),
            Some(None) => {
                self.start_call(step);
                Ok(())
            }
        }
    }

    /// Makes the call.
    pub(super) fn start_call(&mut self, step: StepIndex) {
        if let Some(open) = self.flights[step].request() {
            let request = Arc::clone(&open.request);
            let now = self.engine.clock.now();
            self.calls.start(self.target_of(step), step, request, now);
        }
    }

    /// `adopts` is the job that is adopted in place of sending it.
    pub(super) fn intended(
        &self,
        step: StepIndex,
        draft: &Draft,
        request: &TokenedRequest,
        adopts: Option<JobId>,
    ) -> Event {
        Event::Intended {
            restore: self.name(step),
            attempt: self.flights[step].attempt,
            token: request.token().clone(),
            digest: crate::plan::digest(&draft.request),
            request: request.clone().into_request(),
            aws_at: self.calls.date(),
            adopts,
        }
    }

    /// The whole request where nothing stands against sending it.
    pub(super) fn completed(&mut self, step: StepIndex) -> Result<Arc<Draft>, String> {
        let was_open =
            matches!(&self.flights[step].draft, Some(draft) if !draft.pending.is_empty());
        let draft = self.complete(step)?;
        if was_open && let Some(late) = &mut self.late {
            let into_existing = self.engine.policy.into_existing;
            if let Some(why) = late.refuses(self.engine.plan, step, &draft, into_existing) {
                return Err(why);
            }
        }
        Ok(draft)
    }

    /// The whole request, with what has become known by now.
    pub(super) fn complete(&self, step: StepIndex) -> Result<Arc<Draft>, String> {
        match &self.flights[step].draft {
            Some(draft) if draft.pending.is_empty() => return Ok(Arc::clone(draft)),
            Some(_) => {}
            None => return Err("it has a job already".to_owned()),
        }
        let mut findings = Findings::default();
        let draft = self.engine.planner.draft(step, &self.known, &mut findings);
        if let Some(finding) = findings.first_error() {
            return Err(format!("{} ({})", finding.message, finding.rule));
        }
        match draft {
            Some(draft) if draft.pending.is_empty() => Ok(Arc::new(draft)),
            Some(draft) => {
                let names: Vec<&str> = draft.pending.iter().map(Fact::as_str).collect();
                Err(format!("AWS has not said what {} is", names.join(", ")))
            }
            None => Err("the request could not be completed".to_owned()),
        }
    }

    /// Names the owner of a job, if the job is one of this run's.
    pub(super) fn owner(&self, job_id: &JobId) -> Option<String> {
        if !self.lookout.is_own(job_id) {
            return None;
        }
        let is = |id: &JobId| id.is_same(job_id);
        let mut pasts = self.observed.restores.iter();
        pasts.find_map(|(name, past)| {
            if past.stage.job_id().is_some_and(is) {
                Some(format!("`{name}`"))
            } else if past.former.iter().any(is) {
                Some(format!("an earlier attempt of `{name}`"))
            } else {
                None
            }
        })
    }

    /// Counts the calls of this runner to AWS.
    pub(super) fn called(&self) -> Event {
        let mut calls: BTreeMap<String, u64> = BTreeMap::new();
        for (name, count) in self.calls.made() {
            *calls.entry(name.to_string()).or_default() += count;
        }
        Event::CallsMade { calls }
    }
}
