//! The driver of open requests: it carries out what [`OpenRequest`] decides.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Run;
use crate::backup::{ApiError, Clock, Job, Operation, Page, Reader, Writer};
use crate::execute::Observer;
use crate::execute::calls::DueCall;
use crate::execute::engine::{DuplicatePolicy, Stopped};
use crate::execute::flight::{
    Adoption, Kin, Next, OpenRequest, ReconciliationStart, Sight, asked_for, attempt_among,
};
use crate::execute::recording::Effect;
use crate::ids::{IdempotencyToken, JobId, StepIndex, TargetIndex};
use crate::plan::{TokenedRequest, attempt_marks};
use crate::state::{Append, Event, RestoreStage};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Asks an open request; nothing where there is none.
    pub(super) fn decided<T>(
        &mut self,
        step: StepIndex,
        decide: impl FnOnce(&mut OpenRequest, &Sight<'_>) -> T,
    ) -> Option<T> {
        let mut open = self.flights.take_request(step)?;
        let target = self.target_of(step);
        let restore = &self.engine.plan.steps[step].name;
        let marks = OnceCell::new();
        let identity = self.engine.plan.identity(step, self.flights[step].attempt);
        let request = Arc::clone(&open.request);
        let draft = self.flights[step].draft.as_ref();
        let is_late = draft.is_some_and(|draft| !draft.pending.is_empty());
        let decided = decide(
            &mut open,
            &Sight {
                restore,
                attempt: identity.attempt,
                kin_of_mark: &|mark, metadata| {
                    let marks = marks.get_or_init(|| attempt_marks(&identity, &request));
                    if let Some(attempt) = attempt_among(marks, mark) {
                        return Some(Kin::Attempt(attempt));
                    }
                    // A request that was complete before the run was looked at then.
                    let asked = is_late.then(|| asked_for(metadata, &request))?;
                    let marks = attempt_marks(
                        &identity,
                        &TokenedRequest::new(asked, &IdempotencyToken::new("")),
                    );
                    attempt_among(&marks, mark).map(|_| Kin::Changed)
                },
                account: &self.engine.plan.targets[target].account,
                now: self.moment(),
                skew: self.calls.skew(),
                listed_at: self.lookout.listed_at,
                past: self.observed.restores.get(restore),
                policy: &self.engine.policy,
                is_drained: self.schedule.is_drained(),
                metadata: &self.job_metadata,
                is_own: &|job_id| self.lookout.is_own(job_id),
            },
        );
        self.flights.put_request(step, open);
        Some(decided)
    }

    /// Lets an open request decide what follows, and does that.
    pub(super) fn decide(
        &mut self,
        step: StepIndex,
        decide: impl FnOnce(&mut OpenRequest, &Sight<'_>) -> Next,
    ) -> Result<(), Stopped> {
        match self.decided(step, decide) {
            Some(next) => self.carry_out(step, next),
            None => Ok(()),
        }
    }

    /// Does what follows.
    pub(super) fn carry_out(&mut self, step: StepIndex, next: Next) -> Result<(), Stopped> {
        match next {
            Next::Wait => Ok(()),
            Next::Call(call, at) => {
                self.calls.at(self.target_of(step), at, step, call);
                Ok(())
            }
            Next::Retry(call, error) => self.retry(step, call, &error),
            Next::Intend(adoption) => self.intend(step, adoption),
            Next::Adopt(adoption) => self.adopt(step, &adoption),
            Next::Follow(started) => {
                let event = Event::Accepted {
                    restore: self.name(step),
                    job_id: started.job_id.clone(),
                    request_id: started.request_id,
                };
                self.begin_following(step, &started.job_id, event)?;
                self.compare_with_others(step)
            }
            Next::Refuse(error) => {
                self.flights.close(step);
                let refused = Event::Refused {
                    restore: self.name(step),
                    code: error.code,
                    request_id: error.request_id,
                    message: error.message,
                };
                self.emit(vec![refused])?;
                self.fail(step, "failed")
            }
            Next::Deny(error, is_withdrawn) => {
                if is_withdrawn {
                    let withdrawn = Event::Withdrawn {
                        restore: self.name(step),
                        message: error.message.clone(),
                    };
                    self.emit(vec![withdrawn])?;
                }
                self.flights.close(step);
                self.stop(Stopped::Aws(error));
                Ok(())
            }
            Next::NotSent => self.not_sent(step),
            Next::NotThereYet => {
                self.not_there_yet(step);
                Ok(())
            }
            Next::LeaveOpen => {
                self.flights.close(step);
                self.schedule.ended(step);
                Ok(())
            }
            Next::Missing(message) => self.missing(step, message),
            Next::Stop(why) => {
                self.stop(why);
                Ok(())
            }
        }
    }

    /// Records a request: it is sent once that is on disk, or a job that exists is adopted in its place.
    fn intend(&mut self, step: StepIndex, adoption: Option<Adoption>) -> Result<(), Stopped> {
        let (Some(open), Ok(draft)) = (self.flights[step].request(), self.complete(step)) else {
            return Ok(());
        };
        let mut request = Arc::clone(&open.request);
        if let Some(attempt) = adoption.as_ref().and_then(|adoption| adoption.attempt) {
            request = self.request_of(step, attempt, &draft);
            self.take_attempt(step, attempt, &request)?;
        }
        let adopts = adoption.as_ref().map(|adoption| adoption.job_id.clone());
        self.emit(vec![self.intended(step, &draft, &request, adopts)])?;
        match adoption {
            Some(adoption) => self.adopt(step, &adoption),
            None => {
                self.then(Effect::StartDue(step));
                Ok(())
            }
        }
    }

    /// A later attempt has a job: whatever was recorded of this one, nothing of it is sent.
    fn take_attempt(
        &mut self,
        step: StepIndex,
        attempt: u32,
        request: &Arc<TokenedRequest>,
    ) -> Result<(), Stopped> {
        self.flights.close(step);
        self.flights
            .open(step, OpenRequest::new(Arc::clone(request)));
        self.flights[step].attempt = attempt;
        let restore = self.name(step);
        let past = self.observed.restores.get(&restore);
        if past.is_some_and(|past| past.stage == RestoreStage::Intended) {
            let message = format!("its attempt {attempt} was started elsewhere");
            self.emit(vec![Event::Withdrawn { restore, message }])?;
        }
        Ok(())
    }

    /// A job that exists is a restore's.
    fn adopt(&mut self, step: StepIndex, adoption: &Adoption) -> Result<(), Stopped> {
        if adoption.answers {
            self.recovered_at(self.target_of(step), Operation::StartRestoreJob)?;
        }
        let open = self.flights[step].request();
        let is_exposed = open.is_some_and(|open| open.exposed_since().is_some());
        let is_of_run = is_exposed || self.lookout.elsewhere.is_some();
        let adopted = Event::Adopted {
            restore: self.name(step),
            job_id: adoption.job_id.clone(),
            because: adoption.because.clone().into_owned(),
            former: adoption.former.clone(),
            ours: Some(adoption.is_ours),
            // A request of this run, whose answer was lost or went elsewhere, has started its job whenever that ended.
            ended_at: match adoption.is_ours && is_of_run {
                true => None,
                false => self.ended_before(step, &adoption.job_id),
            },
        };
        self.begin_following(step, &adoption.job_id, adopted)
    }

    /// Returns when a job that existed already ended, by the listing of those jobs.
    fn ended_before(&self, step: StepIndex, job_id: &JobId) -> Option<Timestamp> {
        let open = self.flights[step].request()?;
        let target = &self.targets[self.target_of(step)];
        let mut jobs = target
            .existing_jobs(&open.request.recovery_point_arn)
            .iter();
        let job = jobs.find(|job| job.id == *job_id && job.status.is_final())?;
        job.completed_at
    }

    /// The run has stopped before a request was sent, or while it was being compared.
    fn not_sent(&mut self, step: StepIndex) -> Result<(), Stopped> {
        self.flights.close(step);
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

    /// AWS does not know the job of a restore, and none that fits it was found.
    fn missing(&mut self, step: StepIndex, message: String) -> Result<(), Stopped> {
        self.flights.close(step);
        let restore = self.name(step);
        let past = self.observed.restores.get(&restore);
        let job = past.and_then(|past| past.stage.job_id());
        let job = job.cloned().unwrap_or_else(|| JobId::new(""));
        if self.engine.policy.duplicates != DuplicatePolicy::StartAnyway {
            self.stop(Stopped::NoSuchJob {
                restore,
                job,
                message,
            });
            return Ok(());
        }
        // A person says that it is gone: another attempt has another token.
        self.emit(vec![Event::Failed {
            restore,
            status: "NOT FOUND".to_owned(),
            message: format!("AWS does not know job {job}: {message}"),
            started_at: None,
            ended_at: None,
            created_resource_arn: None,
            source_resource_arn: None,
        }])?;
        self.fail(step, "failed")
    }

    /// A page of the jobs that may be a restore's.
    pub(super) fn on_candidates(
        &mut self,
        step: StepIndex,
        answer: Result<Page<Job>, ApiError>,
    ) -> Result<(), Stopped> {
        match answer {
            Ok((jobs, next)) => {
                self.looked_up(step, Operation::ListRestoreJobs)?;
                self.decide(step, |open, sight| open.on_page(jobs, next, sight))
            }
            Err(error) => self.on_no_answer(step, DueCall::List, error),
        }
    }

    /// The metadata of a job that may be a restore's. It is kept where more than one restore may be compared with it.
    pub(super) fn on_job_metadata(
        &mut self,
        step: StepIndex,
        job_id: &JobId,
        answer: Result<BTreeMap<String, String>, ApiError>,
    ) -> Result<(), Stopped> {
        self.job_metadata.end(job_id);
        let metadata = match answer {
            Ok(metadata) => metadata,
            Err(error) => return self.on_no_answer(step, DueCall::Compare, error),
        };
        self.looked_up(step, Operation::GetRestoreJobMetadata)?;
        let next = self.decided(step, |open, sight| {
            open.on_metadata(job_id, &metadata, sight)
        });
        let open = self.flights[step].request();
        let shared = &self.targets[self.target_of(step)].shared;
        if open.is_some_and(|open| shared.contains(&open.request.recovery_point_arn)) {
            self.job_metadata.keep(job_id, metadata);
        }
        match next {
            Some(next) => self.carry_out(step, next),
            None => Ok(()),
        }
    }

    fn on_no_answer(
        &mut self,
        step: StepIndex,
        call: DueCall,
        error: ApiError,
    ) -> Result<(), Stopped> {
        let retries = self.flights[step].retries.of(error.operation);
        self.decide(step, |open, _| open.on_no_answer(call, error, retries))
    }

    /// Makes the next call of a reconciliation that is due.
    pub(super) fn make_next_call(&mut self, target: TargetIndex, step: StepIndex) {
        let Some(open) = self.flights[step].request() else {
            return;
        };
        match open.next_call(&self.job_metadata) {
            Some(ReconciliationStart::List) => {
                if let Some((query, token)) = open.page() {
                    self.calls.candidates(target, step, query, token);
                }
            }
            Some(ReconciliationStart::Read(at)) => {
                if let Some(job) = open.job(at) {
                    self.job_metadata.begin(&job.id);
                    self.calls.metadata(target, step, job.id.clone());
                }
            }
            None => {}
        }
    }
}
