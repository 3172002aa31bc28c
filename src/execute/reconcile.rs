//! Questions about requests that may have a job already: their calls, and what follows from the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Observer;
use super::calls::DueCall;
use super::engine::{DuplicatePolicy, Stopped};
use super::preexisting::lookback_start;
use super::reconciliation::{Match, Reason, Reconciliation};
use super::recording::Effect;
use super::run::Run;
use super::skew::Moment;
use crate::backup::{ApiError, Clock, Reader, Writer};
use crate::plan::Request;
use crate::state::{Event, Journal};

/// How far a listing may lag behind, so that a refusal is not believed at once of a request that may have arrived.
const LISTING_LAG: SignedDuration = SignedDuration::from_mins(2);
/// When to ask again for what others are being told.
const SHORTLY: SignedDuration = SignedDuration::from_millis(100);

/// Why a job was adopted that is this run's.
pub(super) const MARKED: &str = "it has the mark of this restore's token";
/// Why a job was adopted that a person has chosen.
pub(super) const CHOSEN: &str = "it was chosen with --adopt";

/// Why a job was adopted that a person has let it adopt.
const TAKEN: &str = "it asks for the same, and --adopt was given";
/// Why the journal of a runner that died has the half of an adoption.
const BEGUN: &str = "it was about to be adopted when the runner before ended";
/// Why a job was adopted that nothing marks.
const ALONE: &str = "it is the one job of this recovery point and metadata since the request left; nothing marks it, so \
                     whether this run has started it cannot be told";

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// Whether the recovery point of a restore hangs on what another has made, so that it was not looked for.
    pub(super) fn becomes_known_late(&self, step: usize) -> bool {
        let draft = self.drafts[step].as_ref();
        draft.is_some_and(|draft| draft.waits_for_its_point())
    }

    /// What finds out whether a request that may have arrived has made a job.
    pub(super) fn lost(&self, step: usize) -> Option<Reconciliation> {
        let name = &*self.engine.plan.steps[step].name;
        let now = self.moment();
        let past = self.observed.restores.get(name);
        let left = past.map_or(now, |past| self.left(past));
        let looked = self.exposed_since.get(&step).unwrap_or(&self.looked_at);
        let adopts = past.is_some_and(|past| past.adopts.is_some());
        let since = match adopts {
            true => lookback_start(now.earlier()),
            false => left.sent_since(self.skew).min(looked.sent_since(self.skew)),
        };
        let resource_type = &self.requests.get(&step)?.resource_type;
        let query = self.query(self.place(step), resource_type, since);
        let question = Reconciliation::listing(Reason::Unanswered, query, now);
        Some(Reconciliation {
            since: question.since.filter(|_| !adopts),
            ..question
        })
    }

    /// Asks that.
    pub(super) fn reconcile(&mut self, step: usize) -> Result<(), Stopped> {
        match self.lost(step) {
            Some(question) => self.ask(step, question),
            None => Ok(()),
        }
    }

    /// Finds out whether the job of a request exists.
    pub(super) fn ask(&mut self, step: usize, question: Reconciliation) -> Result<(), Stopped> {
        self.questions.insert(step, question);
        self.go_on_asking(step)
    }

    /// The question about a restore, and its request.
    pub(super) fn question(&mut self, step: usize) -> Option<(&mut Reconciliation, Arc<Request>)> {
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
            DueCall::List
        } else if !question.jobs.is_empty() {
            DueCall::Compare
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
        // One without a mark may be another restore's that asks for the same, or an earlier attempt's.
        let may_be = |found: &Match| {
            let is_late = |since| found.created_at.is_none_or(|made| made >= since);
            question.why != Reason::Unanswered || question.since.is_none_or(is_late)
        };
        matches.retain(|found| {
            found.is_marked || may_be(found) && !self.lookout.is_own(&found.job_id)
        });
        match question.why {
            Reason::First => self.compared(step, matches),
            Reason::Unanswered => self.settled(step, matches, question.since, question.listed_at),
            Reason::Lost => self.found_again(step, matches),
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
            // A request of this run's own, whose answer was lost, has started its job whenever that ended.
            ended_at: match ours && self.exposed_since.contains_key(&step) {
                true => None,
                false => self.ended_before(step, job_id),
            },
        };
        self.begin_following(step, job_id, adopted)
    }

    /// When a job ended that was there already, as the listing of those says.
    fn ended_before(&self, step: usize, job_id: &str) -> Option<Timestamp> {
        let request = self.requests.get(&step)?;
        let mut existing_jobs = self
            .existing_jobs(self.place(step), &request.recovery_point_arn)
            .iter();
        let job = existing_jobs.find(|job| job.id == job_id && job.status.is_final())?;
        job.completed_at
    }

    /// The first job that a person has chosen among several.
    pub(super) fn chosen(&self, matches: &[Match]) -> Option<Match> {
        let mut matches = matches.iter();
        matches
            .find(|found| {
                let mut chosen = self.engine.policy.chosen.iter();
                chosen.any(|id| id.eq_ignore_ascii_case(&found.job_id))
            })
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
        // Nothing is started any more; what a person has named is there already.
        let chosen = self.chosen(&matches);
        if self.schedule.is_drained() && chosen.is_none() {
            return self.not_sent(step);
        }
        // A job without a mark is asked about however young it is: its token would tell, as long as AWS remembers it, and
        // where AWS does not, asking with it starts a second job.
        let (marked, twins): (Vec<&Match>, Vec<&Match>) =
            matches.iter().partition(|found| found.is_marked);
        let ids = |matches: &[&Match]| matches.iter().map(|found| found.job_id.clone()).collect();
        let restore = self.name(step);
        // Whoever names jobs adopts those, and no others.
        let policy = match self.engine.policy.twins {
            DuplicatePolicy::Adopt if !self.engine.policy.chosen.is_empty() => DuplicatePolicy::Ask,
            policy => policy,
        };
        let adopted = match (chosen, marked.as_slice(), twins.as_slice(), policy) {
            (Some(chosen), ..) => Some((chosen, CHOSEN)),
            (None, [one], _, _) => Some(((*one).clone(), MARKED)),
            (None, [], [], _) | (None, [], _, DuplicatePolicy::StartAnyway) => None,
            (None, [], [one], DuplicatePolicy::Adopt) => Some(((*one).clone(), TAKEN)),
            (None, several, twins, _) => {
                let jobs = ids(if several.is_empty() { twins } else { several });
                self.stop(Stopped::Duplicate { restore, jobs });
                return Ok(());
            }
        };
        let adopts = adopted.as_ref().map(|(found, _)| found.job_id.as_str());
        let intended = self.intended(step, &draft, &request, adopts);
        self.emit(vec![intended])?;
        match adopted {
            Some((found, because)) => self.adopt(step, &found.job_id, because, found.is_marked),
            None => {
                self.then(Effect::StartDue(step));
                Ok(())
            }
        }
    }

    /// The jobs that fit an unanswered request: one that is its own is adopted, none means it is sent, and where that cannot
    /// be told the run stops.
    fn settled(
        &mut self,
        step: usize,
        matches: Vec<Match>,
        since: Option<Timestamp>,
        listed_at: Moment,
    ) -> Result<(), Stopped> {
        let restore = self.name(step);
        let past = self.observed.restores.get(&restore);
        let has_mark = past.is_some_and(|past| past.is_marked);
        let about_to_adopt = past.and_then(|past| past.adopts.clone());
        let now = self.moment();
        // Other machines may have sent it a while before: what was there then is somebody else's, as likely as not.
        let left = past.map_or(now, |past| self.left(past)).earliest(self.skew);
        let is_drained = self.schedule.is_drained();
        let refusal = self.refused.remove(&step);
        let twins = self.engine.policy.twins;
        let (marked, alike): (Vec<&Match>, Vec<&Match>) =
            matches.iter().partition(|found| found.is_marked);
        let ids = |of: &[&Match]| of.iter().map(|found| found.job_id.clone()).collect();
        let begun = matches
            .iter()
            .find(|found| about_to_adopt.as_ref() == Some(&found.job_id));
        let adopted = match (self.chosen(&matches), marked.as_slice(), alike.as_slice()) {
            (Some(chosen), ..) => Some((chosen, CHOSEN)),
            _ if begun.is_some() => begun.map(|found| (found.clone(), BEGUN)),
            (None, [one], _) => Some(((*one).clone(), MARKED)),
            (None, [], [one])
                if twins == DuplicatePolicy::Adopt && self.engine.policy.chosen.is_empty() =>
            {
                Some(((*one).clone(), TAKEN))
            }
            // A mark would tell it apart, and there is none.
            (None, [], [one])
                if !has_mark
                    && twins == DuplicatePolicy::Ask
                    && (refusal.is_some() || !is_drained)
                    && one.created_at.is_none_or(|made| made >= left) =>
            {
                Some(((*one).clone(), ALONE))
            }
            _ => None,
        };
        if let Some((found, because)) = adopted {
            // The request was taken, whatever became of the answer.
            self.recovered_at(self.place(step), "StartRestoreJob")?;
            return self.adopt(step, &found.job_id, because, found.is_marked);
        }
        if let Some(job) = about_to_adopt.filter(|_| twins != DuplicatePolicy::StartAnyway) {
            let jobs = vec![job];
            self.stop(Stopped::Duplicate { restore, jobs });
            return Ok(());
        }
        let goes_on = matches.is_empty() || twins == DuplicatePolicy::StartAnyway;
        match refusal {
            Some(refusal) if goes_on => return self.refused_for_good(step, refusal, listed_at),
            Some(_) => {}
            // Perhaps it has arrived all the same, and the next run will see it.
            None if is_drained => {
                self.finish_request(step);
                self.schedule.ended(step);
                return Ok(());
            }
            None => {}
        }
        if !goes_on && !marked.is_empty() {
            let jobs = ids(&marked);
            self.stop(Stopped::Ambiguous { restore, jobs });
            return Ok(());
        }
        if !goes_on {
            let jobs = ids(&alike);
            let is_one = jobs.len() == 1;
            self.stop(match has_mark || is_one {
                true => Stopped::Duplicate { restore, jobs },
                false => Stopped::Ambiguous { restore, jobs },
            });
            return Ok(());
        }
        let oldest = lookback_start(now.earlier());
        if let Some(since) =
            since.filter(|since| *since < oldest && twins != DuplicatePolicy::StartAnyway)
        {
            self.stop(Stopped::TooLongAgo {
                restore,
                since,
                oldest,
            });
            return Ok(());
        }
        // Nothing had arrived by then: the token counts anew.
        self.exposed_since.insert(step, listed_at);
        self.calls
            .at(self.place(step), listed_at.here, step, DueCall::Start);
        Ok(())
    }

    /// AWS has refused a request of which no copy has made a job, as far as a listing shows; and that may lag behind.
    fn refused_for_good(
        &mut self,
        step: usize,
        refusal: ApiError,
        listed_at: Moment,
    ) -> Result<(), Stopped> {
        match self.last_sent.get(&step).copied() {
            Some(left) if listed_at.here.duration_since(left) < LISTING_LAG => {
                self.refused.insert(step, refusal);
                let at = left + LISTING_LAG;
                if let Some(mut question) = self.lost(step) {
                    question.listed_at.here = at;
                    self.questions.insert(step, question);
                    self.calls.at(self.place(step), at, step, DueCall::List);
                }
                Ok(())
            }
            _ => self.refuse(step, refusal),
        }
    }
}
