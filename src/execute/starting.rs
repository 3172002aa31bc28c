//! From a restore that may start to a job: intent, request, answer, and what to do without one.

use std::sync::Arc;

use super::Observer;
use super::calls::DueCall;
use super::engine::Stopped;
use super::preexisting::lookback_start;
use super::reconciliation::{Reason, Reconciliation};
use super::recording::Effect;
use super::run::Run;
use super::skew::Moment;
use crate::backup::{ApiError, Clock, Fault, Reader, Started, Writer};
use crate::diagnostic::Findings;
use crate::plan::{Draft, Request, digest};
use crate::state::{Event, Journal, RestoreStage};

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// Records the intents of all that may start, in one go, and has each sent once its own is on disk.
    pub(super) fn start_ready(&mut self) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let places = self.pollers.len();
        let mut failed = Vec::new();
        // As many as there is room for calls; what is being compared takes up room as well.
        while self.calls.room() > 0 && self.requests.len() < self.calls.at_once() {
            let open: Vec<usize> = (0..places)
                .filter(|place| {
                    self.schedule.has_next(*place) && self.calls.could_start(*place, now)
                })
                .collect();
            let Some(step) = self.schedule.start_next(&open) else {
                break;
            };
            let restore = self.name(step);
            let attempt = self.attempt(step);
            match self.completed(step) {
                Ok(draft) => {
                    let identity = self.engine.plan.identity(step, attempt);
                    let token = crate::plan::token(&identity, &draft.request);
                    let request = Arc::new(draft.sent_with(&token));
                    self.requests.insert(step, Arc::clone(&request));
                    let place = self.place(step);
                    let existing_jobs = self.existing_jobs(place, &request.recovery_point_arn);
                    if !existing_jobs.is_empty() {
                        let jobs = existing_jobs.to_vec();
                        self.ask(
                            step,
                            Reconciliation::of(Reason::First, jobs, None, self.looked_at),
                        )?;
                        continue;
                    }
                    if self.becomes_known_late(step) {
                        let moment = self.moment();
                        let since = lookback_start(moment.earlier());
                        let query = self.query(place, &request.resource_type, since);
                        self.ask(step, Reconciliation::listing(Reason::First, query, moment))?;
                        continue;
                    }
                    let intended = self.intended(step, &draft, &request, None);
                    self.emit(vec![intended])?;
                    // There is room and time, as was found above.
                    self.calls.may(place, "StartRestoreJob", now);
                    self.then(Effect::Start(step, request));
                }
                Err(message) => {
                    self.emit(vec![Event::Rejected {
                        restore,
                        attempt,
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

    /// Sends a request whose intent is on disk.
    pub(super) fn start(&mut self, step: usize, request: Arc<Request>) -> Result<(), Stopped> {
        // It has its job by now, or is not wanted any more.
        if !self.requests.contains_key(&step) {
            return Ok(());
        }
        if self.schedule.is_drained() {
            return self.not_sent(step);
        }
        // A disk can be slow, and a machine fall asleep.
        if self.token_may_have_expired(step) {
            return self.reconcile(step);
        }
        let now = self.engine.clock.now();
        self.calls.start(self.place(step), step, request, now);
        Ok(())
    }

    /// `adopts` is the job that is adopted in place of sending it.
    pub(super) fn intended(
        &self,
        step: usize,
        draft: &Draft,
        request: &Request,
        adopts: Option<&str>,
    ) -> Event {
        Event::Intended {
            restore: self.name(step),
            attempt: self.attempt(step),
            token: request.idempotency_token.clone().unwrap_or_default(),
            digest: digest(&draft.request),
            request: request.clone(),
            aws_at: self.calls.date(),
            adopts: adopts.map(str::to_owned),
        }
    }

    /// The whole request where nothing stands against sending it.
    fn completed(&mut self, step: usize) -> Result<Arc<Draft>, String> {
        let was_open = matches!(&self.drafts[step], Some(draft) if !draft.pending.is_empty());
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
    pub(super) fn complete(&self, step: usize) -> Result<Arc<Draft>, String> {
        match &self.drafts[step] {
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
                let names: Vec<String> = draft.pending.into_iter().collect();
                Err(format!("AWS has not said what {} is", names.join(", ")))
            }
            None => Err("the request could not be completed".to_owned()),
        }
    }

    /// Whether AWS may have forgotten the token of a request that may have arrived, or that somebody else may have sent
    /// since the last look: sent now, it could be a second job.
    pub(super) fn token_may_have_expired(&self, step: usize) -> bool {
        let since = self.exposed_since.get(&step).unwrap_or(&self.looked_at);
        since.is_long_ago(self.moment())
    }

    /// A request is none any more: it has its job, or is not sent. What it was, and since when a copy may have arrived.
    pub(super) fn finish_request(&mut self, step: usize) -> (Option<Arc<Request>>, Option<Moment>) {
        self.tries.forget(step);
        self.last_sent.remove(&step);
        (
            self.requests.remove(&step),
            self.exposed_since.remove(&step),
        )
    }

    /// The run has stopped before a request was sent, or while it was being compared.
    pub(super) fn not_sent(&mut self, step: usize) -> Result<(), Stopped> {
        self.finish_request(step);
        self.schedule.ended(step);
        let restore = self.name(step);
        let past = self.observed.restores.get(&restore);
        if past.is_some_and(|past| past.stage == RestoreStage::Intended) {
            let message = "the run has stopped before it was sent".to_owned();
            return self.emit(vec![Event::Withdrawn { restore, message }]);
        }
        match self.schedule.stopped_by() {
            Some(because) => {
                let because = format!("`{}` failed", self.name(because));
                self.skip([step], &because)
            }
            None => Ok(()),
        }
    }

    /// A request that left at a time has made no job, or not said so.
    pub(super) fn not_started(
        &mut self,
        step: usize,
        left: Moment,
        error: ApiError,
    ) -> Result<(), Stopped> {
        if let Some(job_id) = finished_job(&error) {
            let because = "AWS named it when it was asked again with the same token";
            return self.adopt(step, &job_id, because, true);
        }
        match error.fault {
            Fault::Throttled | Fault::Expired => self.retry(step, DueCall::Start, &error),
            Fault::Unreachable | Fault::Service => {
                self.exposed_since.entry(step).or_insert(left);
                self.last_sent.insert(step, left.here);
                self.look_before_sending_again(step, &error)
            }
            Fault::Refused if self.exposed_since.contains_key(&step) => {
                // An earlier copy may have been taken; AWS refuses this one perhaps for that very reason.
                self.refused.insert(step, error);
                self.reconcile(step)
            }
            Fault::Refused => self.refuse(step, error),
            Fault::Denied => {
                if !self.exposed_since.contains_key(&step) {
                    let withdrawn = Event::Withdrawn {
                        restore: self.name(step),
                        message: error.message.clone(),
                    };
                    self.emit(vec![withdrawn])?;
                }
                self.finish_request(step);
                self.stop(Stopped::Aws(error));
                Ok(())
            }
        }
    }

    /// AWS has answered with a job: where that is another restore's, the answer is not this request's.
    pub(super) fn accepted(
        &mut self,
        step: usize,
        left: Moment,
        started: &Started,
    ) -> Result<(), Stopped> {
        let job_id = started.job_id.as_str();
        self.succeeded(step, "StartRestoreJob")?;
        self.exposed_since.entry(step).or_insert(left);
        if let Some(owner) = self.owner(job_id) {
            self.last_sent.insert(step, left.here);
            let error = ApiError {
                operation: "StartRestoreJob",
                fault: Fault::Refused,
                code: None,
                request_id: None,
                message: format!(
                    "AWS answered `{}` with job {job_id}, which is that of {owner}: one job for two requests",
                    self.name(step)
                ),
            };
            self.refused.insert(step, error);
            return self.reconcile(step);
        }
        let event = Event::Accepted {
            restore: self.name(step),
            job_id: job_id.to_owned(),
            request_id: started.request_id.clone(),
        };
        self.begin_following(step, job_id, event)?;
        self.compare_with_others(step)
    }

    /// Whose job it is, where it is one of this run's.
    fn owner(&self, job_id: &str) -> Option<String> {
        if !self.lookout.is_own(job_id) {
            return None;
        }
        let is = |id: &str| id.eq_ignore_ascii_case(job_id);
        let mut pasts = self.observed.restores.iter();
        pasts.find_map(|(name, past)| {
            if past.stage.job_id().is_some_and(is) {
                Some(format!("`{name}`"))
            } else if past.former.iter().any(|former| is(former)) {
                Some(format!("an earlier attempt of `{name}`"))
            } else {
                None
            }
        })
    }

    pub(super) fn refuse(&mut self, step: usize, error: ApiError) -> Result<(), Stopped> {
        self.finish_request(step);
        let refused = Event::Refused {
            restore: self.name(step),
            code: error.code,
            request_id: error.request_id,
            message: error.message,
        };
        self.emit(vec![refused])?;
        self.fail(step, "failed")
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
