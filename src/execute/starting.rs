//! From a restore that may start to a job: intent, request, answer, and what to do without one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::calls::Due;
use super::engine::{Run, Stopped, Twins};
use super::settle::{self, CLOCK_SKEW, Match, TOKEN_IS_SAFE};
use super::{Clock, Event, Journal, Observer, Writer};
use crate::diff::{Action, ApiError, Diff, Fault, JobQuery, Reader};
use crate::plan::{Draft, Request, digest};

/// How far back a run without a journal looks for its jobs: AWS Backup's own summaries of jobs reach as far
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreJobSummaries.html>).
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// Lists the jobs of the recovery points of what would be started for the first time: it may have been started
    /// before, on another machine, or by somebody else.
    pub(super) async fn look_elsewhere(&mut self, diff: &Diff) -> Result<(), Stopped> {
        let plan = self.engine.plan;
        let now = self.engine.clock.now();
        let first = || {
            diff.changes
                .iter()
                .filter(|change| change.action == Action::Start && change.attempt == 1)
                .map(|change| &plan.steps[change.step].draft.request)
        };
        let points: BTreeSet<&str> = first().map(|r| r.recovery_point_arn.as_str()).collect();
        let types: BTreeSet<&str> = first().map(|r| r.resource_type.as_str()).collect();
        for resource_type in types {
            let query = JobQuery {
                account: plan.target.account.clone(),
                resource_type: Some(resource_type.to_owned()),
                created_after: Some(now.saturating_sub(LOOK_BACK).unwrap_or(now)),
                completed_after: None,
            };
            let jobs = settle::all_jobs(&*self.engine.api, &query)
                .await
                .map_err(Stopped::Aws)?;
            for job in jobs {
                let Some(arn) = job.recovery_point_arn.clone() else {
                    continue;
                };
                if points.contains(arn.as_str()) {
                    self.elsewhere.entry(arn).or_default().push(job);
                }
            }
        }
        Ok(())
    }

    /// Writes the intents of all that may start, in one go, then sends them.
    pub(super) fn start_ready(&mut self) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let mut failed = Vec::new();
        let mut sent = Vec::new();
        while self.schedule.has_next() && !self.is_crowded(sent.len()) {
            if !self.calls.may("StartRestoreJob", now) {
                break;
            }
            let Some(step) = self.schedule.start_next() else {
                break;
            };
            let restore = self.name(step);
            let attempt = self.attempts.get(&step).copied().unwrap_or(1);
            match self.complete(step) {
                Ok(draft) => {
                    let identity = self.engine.plan.identity(&restore, attempt);
                    let token = crate::plan::token(&identity, &draft.request);
                    let request = draft.sent_with(&token);
                    self.requests.insert(step, request.clone());
                    if attempt == 1 && self.elsewhere.contains_key(&request.recovery_point_arn) {
                        self.calls.at(now, step, Due::Compare);
                        continue;
                    }
                    let intended = self.intended(step, &draft, &request);
                    self.emit(vec![intended])?;
                    sent.push((step, request));
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
        self.flush()?;
        for (step, request) in sent {
            self.calls.start(step, request);
        }
        for step in failed {
            self.fail(step)?;
        }
        Ok(())
    }

    /// Whether as many requests are about to leave as there is room for calls.
    fn is_crowded(&self, about_to_leave: usize) -> bool {
        about_to_leave >= self.calls.room()
    }

    fn intended(&self, step: usize, draft: &Draft, request: &Request) -> Event {
        Event::Intended {
            restore: self.name(step),
            attempt: self.attempts.get(&step).copied().unwrap_or(1),
            token: request.idempotency_token.clone().unwrap_or_default(),
            digest: digest(&draft.request),
            request: request.clone(),
        }
    }

    /// The whole request, with what has become known by now.
    fn complete(&self, step: usize) -> Result<Draft, String> {
        let draft = &self.engine.plan.steps[step].draft;
        if draft.pending.is_empty() {
            return Ok(draft.clone());
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
            Some(draft) if draft.pending.is_empty() => Ok(draft),
            Some(draft) => {
                let names: Vec<String> = draft.pending.into_iter().collect();
                Err(format!("AWS has not said what {} is", names.join(", ")))
            }
            None => Err("the request could not be completed".to_owned()),
        }
    }

    /// A restore of a new run was compared with the jobs of its recovery point.
    pub(super) fn compared(&mut self, step: usize, matches: Vec<Match>) -> Result<(), Stopped> {
        let Some(request) = self.requests.get(&step).cloned() else {
            return Ok(());
        };
        let Ok(draft) = self.complete(step) else {
            return Ok(());
        };
        let now = self.engine.clock.now();
        let marked: Vec<&Match> = matches.iter().filter(|found| found.is_marked).collect();
        let ids = |matches: &[&Match]| matches.iter().map(|found| found.job_id.clone()).collect();
        // Where AWS documents no mark for the type, a job that is young enough is answered by its token.
        let is_young = |found: &Match| {
            !draft.takes_mark
                && found
                    .created_at
                    .is_some_and(|at| now.duration_since(at) < TOKEN_IS_SAFE)
        };
        let twins: Vec<&Match> = matches.iter().filter(|found| !is_young(found)).collect();
        let restore = self.name(step);
        let adopted = match (
            marked.as_slice(),
            twins.as_slice(),
            self.engine.policy.twins,
        ) {
            ([one], _, _) => Some((*one, "it has the mark of this restore's token")),
            ([], [], _) | ([], _, Twins::StartAnyway) => None,
            ([], [one], Twins::Adopt) => {
                Some((*one, "it asks for the same, and --adopt was given"))
            }
            ([], twins, Twins::Ask) => {
                let jobs = ids(twins);
                self.stop(Stopped::Twin { restore, jobs });
                return Ok(());
            }
            (several, twins, _) => {
                let jobs = ids(if several.is_empty() { twins } else { several });
                self.stop(Stopped::Ambiguous { restore, jobs });
                return Ok(());
            }
        };
        let intended = self.intended(step, &draft, &request);
        self.emit(vec![intended])?;
        match adopted {
            Some((found, because)) => {
                let event = Event::Adopted {
                    restore,
                    job_id: found.job_id.clone(),
                    because: because.to_owned(),
                };
                self.begin_following(step, found.job_id.clone(), event)
            }
            None => {
                self.flush()?;
                self.calls.at(now, step, Due::Start);
                Ok(())
            }
        }
    }

    /// The jobs that an unanswered request may have made.
    pub(super) fn since_intent(&self, step: usize, request: &Request, now: Timestamp) -> JobQuery {
        let name = &*self.engine.plan.steps[step].name;
        let since = self
            .observed
            .restores
            .get(name)
            .map_or(now, |p| p.intended_at);
        JobQuery {
            account: self.engine.plan.target.account.clone(),
            resource_type: Some(request.resource_type.clone()),
            created_after: Some(since.saturating_sub(CLOCK_SKEW).unwrap_or(since)),
            completed_after: None,
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

    /// The jobs that fit an unanswered request: one is adopted, none means it is sent, several stop the run.
    pub(super) fn settled(&mut self, step: usize, matches: Vec<Match>) -> Result<(), Stopped> {
        let marked: Vec<Match> = matches.iter().filter(|m| m.is_marked).cloned().collect();
        let fitting = if marked.is_empty() { matches } else { marked };
        match (fitting.as_slice(), self.refused.remove(&step)) {
            ([one], _) => {
                let event = Event::Adopted {
                    restore: self.name(step),
                    job_id: one.job_id.clone(),
                    because: "it is the one job of this recovery point and metadata since the request left"
                        .to_owned(),
                };
                self.begin_following(step, one.job_id.clone(), event)
            }
            ([], Some(refusal)) => self.refuse(step, refusal),
            ([], None) => {
                let now = self.engine.clock.now();
                self.calls.at(now, step, Due::Start);
                Ok(())
            }
            (several, _) => {
                let restore = self.name(step);
                let jobs = several.iter().map(|found| found.job_id.clone()).collect();
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
