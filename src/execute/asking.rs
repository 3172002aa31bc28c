//! Questions about requests that may have a job already: their calls, and what follows from the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::calls::Due;
use super::engine::{Stopped, Twins};
use super::run::Run;
use super::settle::{Match, Question, TOKEN_IS_SAFE, Why, sent_since};
use super::{Clock, Event, Journal, Observer, Writer};
use crate::diff::Reader;
use crate::plan::Request;

/// How far a listing may lag behind, so that a refusal is not believed at once of a request that may have arrived.
const LISTING_LAG: SignedDuration = SignedDuration::from_mins(2);
/// When to ask again for what others are being told.
const SHORTLY: SignedDuration = SignedDuration::from_millis(100);

/// Why a job was adopted that is this run's.
const MARKED: &str = "it has the mark of this restore's token";
/// Why a job was adopted that a person has chosen.
const CHOSEN: &str = "it was chosen with --adopt";

impl<A: Reader + Writer + 'static, J: Journal, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Whether the recovery point of a restore hangs on what another has made, so that it was not looked for.
    pub(super) fn becomes_known_late(&self, step: usize) -> bool {
        let draft = self.drafts[step].as_ref();
        draft.is_some_and(|draft| draft.waits_for_its_point())
    }

    /// What finds out whether a request that may have arrived has made a job.
    fn lost(&self, step: usize, now: Timestamp) -> Option<Question> {
        let name = &*self.engine.plan.steps[step].name;
        let past = self.observed.restores.get(name);
        let left = past.map_or(now, |past| past.intended_at).min(now);
        let looked = self.perhaps_sent.get(&step).unwrap_or(&self.looked_at);
        let since = sent_since(left.min(*looked));
        let resource_type = &self.requests.get(&step)?.resource_type;
        let query = self.query(self.place(step), resource_type, since);
        Some(Question::listing(Why::Unanswered, query, now))
    }

    /// Asks that.
    pub(super) fn settle(&mut self, step: usize, now: Timestamp) -> Result<(), Stopped> {
        match self.lost(step, now) {
            Some(question) => self.ask(step, question),
            None => Ok(()),
        }
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

    /// The next job of a question that nobody is asking about.
    fn unread(&self, step: usize) -> Option<&String> {
        let question = self.questions.get(&step)?;
        let mut jobs = question.jobs.iter().map(|job| &job.id);
        jobs.find(|id| !self.read.contains_key(*id) && !self.being_read.contains(*id))
    }

    /// Whether a question takes a call now: others may be told of the jobs that are left.
    pub(super) fn has_to_call(&self, step: usize) -> bool {
        let question = self.questions.get(&step);
        question.is_some_and(|question| question.listing.is_some()) || self.unread(step).is_some()
    }

    /// Makes the next call of a question that is due.
    pub(super) fn ask_next(&mut self, place: usize, step: usize) {
        let listing = self.questions.get(&step).and_then(|q| q.listing.clone());
        if let Some((query, pages)) = listing {
            self.calls.candidates(place, step, query, pages.token());
        } else if let Some(job_id) = self.unread(step).cloned() {
            self.being_read.insert(job_id.clone());
            self.calls.metadata(place, step, job_id);
        }
    }

    /// Asks on once others have been told.
    pub(super) fn go_on_asking_shortly(&mut self, step: usize) -> Result<(), Stopped> {
        self.go_on_asking_at(step, self.engine.clock.now() + SHORTLY)
    }

    /// What a job was asked for. It is kept where more than one restore may be compared with it.
    pub(super) fn told_of(
        &mut self,
        step: usize,
        job_id: &str,
        metadata: BTreeMap<String, String>,
    ) {
        self.being_read.remove(job_id);
        if let Some((question, request)) = self.question(step) {
            question.compare(job_id, &metadata, &request);
            let point = (self.place(step), request.recovery_point_arn.clone());
            if self.shared.contains(&point) {
                self.read.insert(job_id.to_owned(), metadata);
            }
        }
    }

    /// Asks on, or goes on with the answer.
    pub(super) fn go_on_asking(&mut self, step: usize) -> Result<(), Stopped> {
        self.go_on_asking_at(step, self.engine.clock.now())
    }

    /// The same, asking at a time.
    fn go_on_asking_at(&mut self, step: usize, at: Timestamp) -> Result<(), Stopped> {
        let Some(question) = self.questions.get_mut(&step) else {
            return Ok(());
        };
        if let Some(request) = self.requests.get(&step) {
            let jobs = question.jobs.iter();
            let read: Vec<_> = jobs
                .filter_map(|job| self.read.get_key_value(&job.id))
                .collect();
            for (job_id, metadata) in read {
                question.compare(job_id, metadata, request);
            }
        }
        let due = if question.listing.is_some() {
            Due::List
        } else if !question.jobs.is_empty() {
            Due::Compare
        } else {
            return self.answered(step);
        };
        self.calls.at(self.place(step), at, step, due);
        Ok(())
    }

    /// All that a question asks about has been compared.
    fn answered(&mut self, step: usize) -> Result<(), Stopped> {
        let Some(question) = self.questions.remove(&step) else {
            return Ok(());
        };
        let mut matches = question.matches;
        // One without a mark may be another restore's that asks for the same.
        matches.retain(|found| found.is_marked || !self.is_known(&found.job_id));
        match question.why {
            Why::First => self.compared(step, matches),
            Why::Unanswered => self.settled(step, matches, question.listed_at),
        }
    }

    /// A job that exists is a restore's.
    pub(super) fn adopt(
        &mut self,
        step: usize,
        job_id: &str,
        because: &str,
        ours: bool,
    ) -> Result<(), Stopped> {
        let adopted = Event::Adopted {
            restore: self.name(step),
            job_id: job_id.to_owned(),
            because: because.to_owned(),
            ours: Some(ours),
        };
        self.begin_following(step, job_id, adopted)
    }

    /// Whether a job is that of a restore of this run.
    fn is_known(&self, job_id: &str) -> bool {
        let mut pasts = self.observed.restores.values();
        pasts.any(|past| past.stage.job_id() == Some(job_id))
    }

    /// The first job that a person has chosen among several.
    fn chosen(&self, matches: &[Match]) -> Option<Match> {
        let mut matches = matches.iter();
        matches
            .find(|found| self.engine.policy.chosen.contains(&found.job_id))
            .cloned()
    }

    /// A restore of a new run was compared with the jobs of its recovery point.
    fn compared(&mut self, step: usize, matches: Vec<Match>) -> Result<(), Stopped> {
        let Some(request) = self.requests.get(&step).cloned() else {
            return Ok(());
        };
        let Ok(draft) = self.complete(step) else {
            return Ok(());
        };
        if self.schedule.is_drained() {
            return self.not_sent(step);
        }
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
            (None, [one], _, _) => Some(((*one).clone(), MARKED)),
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
            Some((found, because)) => self.adopt(step, &found.job_id, because, found.is_marked),
            None => {
                self.flush()?;
                // A token that answers for a job is as old as that.
                let young = matches.iter().filter(|found| is_young(found));
                if let Some(made) = young.filter_map(|found| found.created_at).min() {
                    self.perhaps_sent.insert(step, made.min(now));
                }
                self.calls.at(self.place(step), now, step, Due::Start);
                Ok(())
            }
        }
    }

    /// The jobs that fit an unanswered request: one is adopted, none means it is sent, several stop the run.
    fn settled(
        &mut self,
        step: usize,
        matches: Vec<Match>,
        listed_at: Timestamp,
    ) -> Result<(), Stopped> {
        let chosen = self.chosen(&matches);
        let because = match chosen {
            Some(_) => CHOSEN,
            None => "it is the one job of this recovery point and metadata since the request left",
        };
        let marked: Vec<Match> = matches.iter().filter(|m| m.is_marked).cloned().collect();
        let restore = self.name(step);
        let past = self.observed.restores.get(&restore);
        let has_mark = past.is_some_and(|past| past.is_marked);
        let twins = self.engine.policy.twins;
        let fitting = match (chosen, marked.is_empty()) {
            (Some(chosen), _) => vec![chosen],
            (None, false) => marked,
            // Its own would have the mark.
            (None, true) if has_mark && !matches.is_empty() && twins == Twins::Ask => {
                let jobs = matches.into_iter().map(|found| found.job_id).collect();
                self.stop(Stopped::Twin { restore, jobs });
                return Ok(());
            }
            (None, true) if has_mark && twins == Twins::StartAnyway => Vec::new(),
            (None, true) => matches,
        };
        match (fitting.as_slice(), self.refused.remove(&step)) {
            ([one], _) => self.adopt(step, &one.job_id, because, one.is_marked || !has_mark),
            ([], Some(refusal)) => match self.last_sent.get(&step).copied() {
                // A listing may lag behind.
                Some(left) if listed_at.duration_since(left) < LISTING_LAG => {
                    self.refused.insert(step, refusal);
                    let at = left + LISTING_LAG;
                    if let Some(mut question) = self.lost(step, at) {
                        question.listed_at = at;
                        self.questions.insert(step, question);
                        self.calls.at(self.place(step), at, step, Due::List);
                    }
                    Ok(())
                }
                _ => self.refuse(step, refusal),
            },
            // Perhaps it has arrived all the same, and the next run will see it.
            (_, None) if self.schedule.is_drained() => {
                self.let_go(step);
                self.schedule.ended(step);
                Ok(())
            }
            (several, None) if several.is_empty() || twins == Twins::StartAnyway => {
                let now = self.engine.clock.now();
                // Nothing had arrived by then: the token counts anew.
                self.perhaps_sent.insert(step, listed_at);
                self.calls.at(self.place(step), now, step, Due::Start);
                Ok(())
            }
            (several, _) => {
                let jobs = several.iter().map(|found| found.job_id.clone()).collect();
                self.stop(Stopped::Ambiguous { restore, jobs });
                Ok(())
            }
        }
    }
}
