//! From a restore that may start to a job: intent, request, answer, and what to do without one.

use std::sync::Arc;

use jiff::Timestamp;

use super::calls::Due;
use super::engine::{Stopped, Twins};
use super::run::Run;
use super::settle::{Match, Question, TOKEN_IS_SAFE, Why, at_aws, is_long_ago};
use super::{Clock, Event, Journal, Observer, Writer};
use crate::diff::{ApiError, Fault, JobQuery, Reader};
use crate::plan::{Draft, Request, digest};

impl<A, J, C, O> Run<'_, A, J, C, O>
where
    A: Reader + Writer + 'static,
    J: Journal,
    C: Clock,
    O: Observer,
{
    /// Writes the intents of all that may start, in one go, then sends them.
    pub(super) fn start_ready(&mut self) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        let places = self.watching.len();
        let mut failed = Vec::new();
        let mut sent = Vec::new();
        // As many as there is room for calls.
        while sent.len() < self.calls.room() {
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
            match self.complete(step) {
                Ok(draft) => {
                    let identity = self.engine.plan.identity(step, attempt);
                    let token = crate::plan::token(&identity, &draft.request);
                    let request = Arc::new(draft.sent_with(&token));
                    self.requests.insert(step, Arc::clone(&request));
                    let place = self.place(step);
                    let jobs = self
                        .may_be_elsewhere(step)
                        .then(|| {
                            let key = (place, request.recovery_point_arn.clone());
                            self.elsewhere.get(&key).cloned()
                        })
                        .flatten();
                    if let Some(jobs) = jobs {
                        self.ask(step, Question::of(Why::First, jobs))?;
                        continue;
                    }
                    let intended = self.intended(step, &draft, &request);
                    self.emit(vec![intended])?;
                    // There is room and time, as was found above.
                    self.calls.may(place, "StartRestoreJob", now);
                    sent.push((place, step, request));
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
        // A disk can be slow, and a machine fall asleep.
        let now = self.engine.clock.now();
        for (place, step, request) in sent {
            if self.is_forgotten(step, now) {
                self.settle(step, now)?;
            } else {
                self.calls.start(place, step, request, now);
            }
        }
        for step in failed {
            self.fail(step, "failed")?;
        }
        Ok(())
    }

    fn intended(&self, step: usize, draft: &Draft, request: &Request) -> Event {
        Event::Intended {
            restore: self.name(step),
            attempt: self.attempt(step),
            token: request.idempotency_token.clone().unwrap_or_default(),
            digest: digest(&draft.request),
            request: request.clone(),
        }
    }

    /// The whole request, with what has become known by now.
    fn complete(&self, step: usize) -> Result<Arc<Draft>, String> {
        match &self.drafts[step] {
            Some(draft) if draft.pending.is_empty() => return Ok(Arc::clone(draft)),
            Some(_) => {}
            None => return Err("it has a job already".to_owned()),
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
    pub(super) fn is_forgotten(&self, step: usize, now: Timestamp) -> bool {
        let since = self.perhaps_sent.get(&step).unwrap_or(&self.looked_at);
        is_long_ago(*since, now)
    }

    /// Finds out whether a request that may have arrived has made a job.
    pub(super) fn settle(&mut self, step: usize, now: Timestamp) -> Result<(), Stopped> {
        let name = &*self.engine.plan.steps[step].name;
        let past = self.observed.restores.get(name);
        let since = past.map_or(now, |past| past.intended_at).min(now);
        let request = self.requests.get(&step);
        let query = JobQuery {
            account: self.engine.plan.targets[self.place(step)].account.clone(),
            resource_type: request.map(|request| request.resource_type.clone()),
            created_after: Some(at_aws(since)),
            completed_after: None,
        };
        self.ask(step, Question::listing(Why::Unanswered, query))
    }

    /// Finds out whether the job of a request exists.
    pub(super) fn ask(&mut self, step: usize, question: Question) -> Result<(), Stopped> {
        self.questions.insert(step, question);
        self.go_on_asking(step)
    }

    /// The question about a restore, and its request.
    pub(super) fn question(&mut self, step: usize) -> Option<(&mut Question, Arc<Request>)> {
        let request = Arc::clone(self.requests.get(&step)?);
        Some((self.questions.get_mut(&step)?, request))
    }

    /// Makes the next call of a question that is due.
    pub(super) fn ask_next(&mut self, place: usize, step: usize) {
        let Some(question) = self.questions.get(&step) else {
            return;
        };
        match (&question.listing, question.jobs.last()) {
            (Some((query, token)), _) => {
                self.calls
                    .candidates(place, step, query.clone(), token.clone());
            }
            (None, Some(job)) => self.calls.metadata(place, step, job.id.clone()),
            (None, None) => {}
        }
    }

    /// Asks on, or goes on with the answer.
    pub(super) fn go_on_asking(&mut self, step: usize) -> Result<(), Stopped> {
        let due = match self.questions.get(&step) {
            None => return Ok(()),
            Some(question) if question.listing.is_some() => Some(Due::List),
            Some(question) if !question.jobs.is_empty() => Some(Due::Compare),
            Some(_) => None,
        };
        let (place, now) = (self.place(step), self.engine.clock.now());
        match due {
            Some(due) => {
                self.calls.at(place, now, step, due);
                Ok(())
            }
            None => match self.questions.remove(&step) {
                Some(question) if question.why == Why::First => {
                    self.compared(step, question.matches)
                }
                Some(question) => self.settled(step, question.matches),
                None => Ok(()),
            },
        }
    }

    /// The one job that a person has chosen among several.
    fn chosen(&self, matches: &[Match]) -> Option<Match> {
        let mut chosen = matches
            .iter()
            .filter(|found| self.engine.policy.chosen.contains(&found.job_id));
        let one = chosen.next()?;
        chosen.next().is_none().then(|| one.clone())
    }

    /// A restore of a new run was compared with the jobs of its recovery point.
    fn compared(&mut self, step: usize, matches: Vec<Match>) -> Result<(), Stopped> {
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
            self.chosen(&matches),
            marked.as_slice(),
            twins.as_slice(),
            self.engine.policy.twins,
        ) {
            (Some(chosen), ..) => Some((chosen, CHOSEN)),
            (None, [one], _, _) => {
                Some(((*one).clone(), "it has the mark of this restore's token"))
            }
            (None, [], [], _) | (None, [], _, Twins::StartAnyway) => None,
            (None, [], [one], Twins::Adopt) => Some((
                (*one).clone(),
                "it asks for the same, and --adopt was given",
            )),
            (None, [], twins, Twins::Ask) => {
                let jobs = ids(twins);
                self.stop(Stopped::Twin { restore, jobs });
                return Ok(());
            }
            (None, several, twins, _) => {
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
                self.begin_following(step, &found.job_id, event)
            }
            None => {
                self.flush()?;
                self.calls.at(self.place(step), now, step, Due::Start);
                Ok(())
            }
        }
    }

    /// A request that left at a time has made no job, or not said so.
    pub(super) fn not_started(
        &mut self,
        step: usize,
        left: Timestamp,
        error: ApiError,
    ) -> Result<(), Stopped> {
        if let Some(job_id) = finished_job(&error) {
            let event = Event::Adopted {
                restore: self.name(step),
                job_id: job_id.clone(),
                because: "AWS named it when it was asked again with the same token".to_owned(),
            };
            return self.begin_following(step, &job_id, event);
        }
        let now = self.engine.clock.now();
        match error.fault {
            Fault::Throttled | Fault::Expired => self.again(step, Due::Start, &error),
            Fault::Unreachable | Fault::Service => {
                self.perhaps_sent.entry(step).or_insert(left);
                self.again(step, Due::Start, &error)
            }
            Fault::Refused if self.perhaps_sent.contains_key(&step) => {
                // An earlier copy may have been taken; AWS refuses this one perhaps for that very reason.
                self.refused.insert(step, error);
                self.settle(step, now)
            }
            Fault::Refused => self.refuse(step, error),
            Fault::Denied => {
                if !self.perhaps_sent.contains_key(&step) {
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
        self.fail(step, "failed")
    }

    /// The jobs that fit an unanswered request: one is adopted, none means it is sent, several stop the run.
    fn settled(&mut self, step: usize, matches: Vec<Match>) -> Result<(), Stopped> {
        let chosen = self.chosen(&matches);
        let because = match chosen {
            Some(_) => CHOSEN,
            None => "it is the one job of this recovery point and metadata since the request left",
        };
        let marked: Vec<Match> = matches.iter().filter(|m| m.is_marked).cloned().collect();
        let fitting = match (chosen, marked.is_empty()) {
            (Some(chosen), _) => vec![chosen],
            (None, true) => matches,
            (None, false) => marked,
        };
        let starts_anyway = self.engine.policy.twins == Twins::StartAnyway;
        match (fitting.as_slice(), self.refused.remove(&step)) {
            ([one], _) => {
                let event = Event::Adopted {
                    restore: self.name(step),
                    job_id: one.job_id.clone(),
                    because: because.to_owned(),
                };
                self.begin_following(step, &one.job_id, event)
            }
            ([], Some(refusal)) => self.refuse(step, refusal),
            (several, None) if several.is_empty() || starts_anyway => {
                let now = self.engine.clock.now();
                // Nothing has arrived up to now: the token counts anew.
                self.perhaps_sent.insert(step, now);
                self.calls.at(self.place(step), now, step, Due::Start);
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

/// Why a job was adopted that a person has chosen.
const CHOSEN: &str = "it was chosen with --adopt";

/// The job in `Restore job <ID> already finished`, which AWS was seen to answer to a token whose job had ended
/// (facts recorded in 2020; the documented answer is the job's id).
fn finished_job(error: &ApiError) -> Option<String> {
    let rest = error.message.split("Restore job ").nth(1)?;
    let id = rest.split(" already finished").next()?;
    let is_id = !id.is_empty() && id.len() < rest.len() && !id.contains(char::is_whitespace);
    (error.fault == Fault::Refused && is_id).then(|| id.to_owned())
}
