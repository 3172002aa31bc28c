//! From a restore that may start to a job: intent, request, answer, and what to do without one.

use super::calls::Due;
use super::engine::{Run, Stopped};
use super::{Clock, Event, Journal, Observer, Writer};
use crate::diff::{ApiError, Fault, Reader};
use crate::plan::{Request, digest};

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// Writes the intents of all that may start, in one go, then sends them.
    pub(super) fn start_ready(&mut self) -> Result<(), Stopped> {
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
    pub(super) fn complete(&self, step: usize) -> Result<Request, String> {
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

    pub(super) fn not_started(&mut self, step: usize, error: ApiError) -> Result<(), Stopped> {
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

    pub(super) fn refuse(&mut self, step: usize, error: ApiError) -> Result<(), Stopped> {
        self.requests.remove(&step);
        let refused = Event::Refused {
            restore: self.name(step),
            code: error.code,
            message: error.message,
        };
        self.emit(vec![refused])?;
        self.fail(step)
    }

    pub(super) fn settled(&mut self, step: usize, mut jobs: Vec<String>) -> Result<(), Stopped> {
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
}

/// The job in `Restore job <ID> already finished`, which AWS was seen to answer to a token whose job had ended
/// (facts recorded in 2020; the documented answer is the job's id).
fn finished_job(error: &ApiError) -> Option<String> {
    let rest = error.message.split("Restore job ").nth(1)?;
    let id = rest.split(" already finished").next()?;
    let is_id = !id.is_empty() && id.len() < rest.len() && !id.contains(char::is_whitespace);
    (error.fault == Fault::Refused && is_id).then(|| id.to_owned())
}
