//! A request that has no job yet, and what follows from each answer.
//!
//! A request leaves, and the answer may be lost: then a job may exist that nobody knows. It is looked for before the
//! request is sent again, because AWS may have forgotten the token by then. A [`Reconciliation`] looks for it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::reconciliation::{
    JobMetadata, Kin, KinOfMark, Match, Reconciliation, ReconciliationReason,
};
use crate::backup::{ApiError, Fault, Job, JobQuery, Operation, Started};
use crate::execute::calls::DueCall;
use crate::execute::engine::{DuplicatePolicy, Policy, Stopped};
use crate::execute::listing_window::listed_since;
use crate::execute::skew::{Moment, Skew};
use crate::ids::{AccountId, JobId, RestoreName};
use crate::plan::TokenedRequest;
use crate::state::RestoreState;

/// Longest lag of a listing: a refusal of a request that may have arrived is not believed at once.
pub(super) const LISTING_LAG: SignedDuration = SignedDuration::from_mins(2);
/// Wait before asking again for what is being read for others.
const SHORTLY: SignedDuration = SignedDuration::from_millis(100);

/// Reason for adopting a job of this run.
const MARKED: &str = "found again by its idempotency mark";
/// Reason for adopting a job that somebody else started for this run.
const STARTED: &str = "started elsewhere for this run, as its mark shows";
/// Reason for adopting a job that a person chose.
const CHOSEN: &str = "chosen with --adopt";
/// Reason for adopting a job that a person allowed it to adopt.
const TAKEN: &str = "it makes the same request, and --adopt was given";
/// Reason for an adoption that a dead runner left half done in its journal.
const BEGUN: &str = "it was about to be adopted when the runner before ended";
/// Reason for adopting a job without a mark.
const ALONE: &str = "the only job with this recovery point and metadata since the request was sent; it has no mark, so \
                     whether this run started it is not known";
/// Reason for adopting a job that AWS named.
const NAMED: &str = "AWS named it when it was asked again with the same token";

/// Everything besides the request that a decision about it depends on.
pub(in crate::execute) struct Sight<'a> {
    pub(in crate::execute) restore: &'a RestoreName,
    /// The attempt that the request is.
    pub(in crate::execute) attempt: u32,
    /// Likeness told by a mark that is not the request's own.
    pub(in crate::execute) kin_of_mark: KinOfMark<'a>,
    pub(in crate::execute) account: &'a AccountId,
    pub(in crate::execute) now: Moment,
    pub(in crate::execute) skew: Skew,
    /// Time of the last listing of jobs that exist already.
    pub(in crate::execute) listed_at: Moment,
    /// State of the restore in the journal.
    pub(in crate::execute) past: Option<&'a RestoreState>,
    pub(in crate::execute) policy: &'a Policy,
    /// Nothing is started any more.
    pub(in crate::execute) is_drained: bool,
    pub(in crate::execute) metadata: &'a JobMetadata,
    /// Returns true for a job of this run.
    pub(in crate::execute) is_own: &'a dyn Fn(&JobId) -> bool,
}

impl Sight<'_> {
    /// The first job that a person has chosen among several.
    fn chosen<'m>(&self, matches: &'m [Match]) -> Option<&'m Match> {
        let mut matches = matches.iter();
        matches.find(|found| {
            let mut chosen = self.policy.chosen.iter();
            chosen.any(|id| id.is_same(&found.job_id))
        })
    }

    /// Returns the policy for a duplicate that nobody has named: a person who names jobs adopts those, and no others.
    fn of_duplicates(&self) -> DuplicatePolicy {
        match self.policy.duplicates {
            DuplicatePolicy::Adopt if !self.policy.chosen.is_empty() => DuplicatePolicy::Ask,
            policy => policy,
        }
    }
}

/// A job that becomes a restore's without having been started for it just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::execute) struct Adoption {
    pub(in crate::execute) job_id: JobId,
    pub(in crate::execute) because: Cow<'static, str>,
    /// This run, or another runner of it, has started it.
    pub(in crate::execute) is_ours: bool,
    /// True if it answers a request that was sent.
    pub(in crate::execute) answers: bool,
    /// The later attempt that it is of, where it is of one.
    pub(in crate::execute) attempt: Option<u32>,
    /// The jobs of the attempts before that one.
    pub(in crate::execute) former: Vec<JobId>,
}

impl Adoption {
    fn of(found: &Match, because: &'static str) -> Self {
        Self {
            job_id: found.job_id.clone(),
            because: because.into(),
            is_ours: found.kin != Kin::Alike,
            answers: false,
            attempt: None,
            former: Vec::new(),
        }
    }
}

/// Next step of a request.
#[derive(Debug)]
pub(in crate::execute) enum Next {
    /// An answer that is under way is waited for.
    Wait,
    /// A call is due at a time.
    Call(DueCall, Timestamp),
    /// A call is made again, once that may help.
    Retry(DueCall, ApiError),
    /// Nothing stands against the request: it is recorded, and sent, or the job is adopted in its place.
    Intend(Option<Adoption>),
    /// A job that exists is the restore's.
    Adopt(Adoption),
    /// AWS has accepted the request.
    Follow(Started),
    /// AWS has refused the request for good.
    Refuse(ApiError),
    /// AWS does not let the caller send it; whether it is known that nothing has left.
    Deny(ApiError, bool),
    /// The run has stopped before it was sent.
    NotSent,
    /// Somebody else sends it, and has not yet.
    NotThereYet,
    /// The run has stopped, and whether it has arrived shows to the next one.
    LeaveOpen,
    /// The job that the restore had is not at AWS, which says so.
    Missing(String),
    /// People have to decide.
    Stop(Stopped),
}

/// Point at which a reconciliation continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::execute) enum ReconciliationStart {
    /// With the next page of the listing.
    List,
    /// With the metadata of a job.
    Read(usize),
}

/// Since when a copy of a request may be at AWS.
#[derive(Clone, Copy, Debug)]
struct Exposure {
    /// Since when its token counts: when the first copy left, for a machine can sleep before it hears that there is no
    /// answer.
    since: Moment,
    /// Until when copies may have left: a listing shows what they made only later.
    until: Timestamp,
}

/// A request without a job.
#[derive(Debug)]
pub(in crate::execute) struct OpenRequest {
    pub(in crate::execute) request: Arc<TokenedRequest>,
    exposure: Option<Exposure>,
    /// A refusal that is not believed yet, for an earlier copy may have been accepted.
    refusal: Option<ApiError>,
    reconciliation: Option<Reconciliation>,
}

impl OpenRequest {
    /// A request of which nothing has left.
    pub(in crate::execute) fn new(request: Arc<TokenedRequest>) -> Self {
        Self {
            request,
            exposure: None,
            refusal: None,
            reconciliation: None,
        }
    }

    /// A request that another runner may have sent until then.
    pub(in crate::execute) fn exposed(mut self, until: Moment) -> Self {
        self.expose(until, until.here);
        self
    }

    /// The request of a job that AWS does not know, as it says.
    pub(in crate::execute) fn refused(mut self, error: ApiError) -> Self {
        self.refusal = Some(error);
        self
    }

    /// Copies may have left from one time until another.
    pub(in crate::execute) fn expose(&mut self, since: Moment, until: Timestamp) {
        let exposure = self.exposure.get_or_insert(Exposure { since, until });
        exposure.until = exposure.until.max(until);
    }

    /// Since when a copy may have arrived.
    pub(in crate::execute) fn exposed_since(&self) -> Option<Moment> {
        self.exposure.map(|exposure| exposure.since)
    }

    /// Returns true if AWS may have forgotten the token of a copy that may have arrived, or that somebody else may have
    /// sent since the last look: sent now, it could be a second job.
    fn token_may_have_expired(&self, sight: &Sight<'_>) -> bool {
        let since = self.exposed_since().unwrap_or(sight.listed_at);
        since.is_long_ago(sight.now)
    }

    /// The request is due. What else has to be done first; nothing where it may leave.
    pub(in crate::execute) fn on_due(&mut self, sight: &Sight<'_>) -> Option<Next> {
        if sight.policy.started_elsewhere.is_some() {
            return Some(Next::LeaveOpen);
        }
        if sight.is_drained && self.exposure.is_none() {
            return Some(Next::NotSent);
        }
        // A run that has stopped looks for what may have arrived, and sends nothing. A disk can be slow, and a machine fall
        // asleep.
        (sight.is_drained || self.token_may_have_expired(sight)).then(|| self.look(sight))
    }

    /// A copy that left at a time has made no job, or not said so.
    pub(in crate::execute) fn on_error(
        &mut self,
        left: Moment,
        error: ApiError,
        sight: &Sight<'_>,
    ) -> Next {
        if let Some(job_id) = finished_job(&error) {
            return Next::Adopt(Adoption {
                job_id,
                because: NAMED.into(),
                is_ours: true,
                answers: false,
                attempt: None,
                former: Vec::new(),
            });
        }
        match error.fault {
            Fault::Throttled | Fault::Expired => Next::Retry(DueCall::Start, error),
            Fault::Unreachable | Fault::Service => {
                self.expose(left, left.here);
                // AWS may forget tokens at once: its job is looked for before it is sent again.
                self.reconciliation = Some(self.lost(sight));
                Next::Retry(DueCall::List, error)
            }
            Fault::Refused if self.exposure.is_some() => {
                // An earlier copy may have been taken; AWS refuses this one perhaps for that very reason.
                self.refusal = Some(error);
                self.look(sight)
            }
            Fault::Refused => Next::Refuse(error),
            Fault::Denied => Next::Deny(error, self.exposure.is_none()),
        }
    }

    /// AWS has answered with a job. Where that is another restore's, the answer is not this request's.
    pub(in crate::execute) fn on_started(
        &mut self,
        left: Moment,
        started: Started,
        owner: Option<String>,
        sight: &Sight<'_>,
    ) -> Next {
        self.expose(left, left.here);
        let Some(owner) = owner else {
            return Next::Follow(started);
        };
        self.refusal = Some(ApiError {
            operation: Operation::StartRestoreJob,
            fault: Fault::Refused,
            code: None,
            request_id: None,
            message: format!(
                "AWS answered `{}` with job {}, which is that of {owner}: one job for two requests",
                sight.restore, started.job_id
            ),
        });
        self.look(sight)
    }

    /// Builds the reconciliation that finds out whether a copy that may have arrived has made a job.
    fn lost(&self, sight: &Sight<'_>) -> Reconciliation {
        let now = sight.now;
        let left = sight.past.map_or(now, |past| now.left(past));
        let looked = self.exposed_since().unwrap_or(sight.listed_at);
        let adopts = sight.past.is_some_and(|past| past.adopts.is_some());
        let since = match adopts {
            true => listed_since(now.earlier()),
            false => left
                .sent_since(sight.skew)
                .min(looked.sent_since(sight.skew)),
        };
        let query = self.query(sight.account, since);
        let question = Reconciliation::listing(ReconciliationReason::Unanswered, query, now);
        Reconciliation {
            since: question.since.filter(|_| !adopts),
            ..question
        }
    }

    /// The jobs that may be its, from a time of AWS's on.
    pub(in crate::execute) fn query(&self, account: &AccountId, since: Timestamp) -> JobQuery {
        JobQuery::since(account, since).of_type(&self.request.resource_type)
    }

    /// Looks for a job of a copy that may have arrived.
    fn look(&mut self, sight: &Sight<'_>) -> Next {
        let lost = self.lost(sight);
        self.reconcile(lost, sight)
    }

    /// Finds out whether its job exists.
    pub(in crate::execute) fn reconcile(
        &mut self,
        reconciliation: Reconciliation,
        sight: &Sight<'_>,
    ) -> Next {
        self.reconciliation = Some(reconciliation);
        self.go_on(sight.now.here, sight)
    }

    /// The next call of the reconciliation; none where others are being told of the jobs that are left.
    pub(in crate::execute) fn next_call(
        &self,
        metadata: &JobMetadata,
    ) -> Option<ReconciliationStart> {
        let reconciliation = self.reconciliation.as_ref()?;
        if reconciliation.listing.is_some() {
            return Some(ReconciliationStart::List);
        }
        let mut jobs = reconciliation.jobs.iter();
        jobs.position(|job| metadata.is_unread(&job.id))
            .map(ReconciliationStart::Read)
    }

    /// The page to be listed next.
    pub(in crate::execute) fn page(&self) -> Option<(JobQuery, Option<String>)> {
        let (query, pages) = self.reconciliation.as_ref()?.listing.as_ref()?;
        Some((query.clone(), pages.token()))
    }

    /// The job at an index of those to be compared.
    pub(in crate::execute) fn job(&self, at: usize) -> Option<&Job> {
        self.reconciliation.as_ref()?.jobs.get(at)
    }

    /// A page of the listing has come.
    pub(in crate::execute) fn on_page(
        &mut self,
        jobs: Vec<Job>,
        next: Option<String>,
        sight: &Sight<'_>,
    ) -> Next {
        if let Some(reconciliation) = &mut self.reconciliation
            && let Err(endless) = reconciliation.listed(jobs, next, &self.request)
        {
            self.reconciliation = None;
            return Next::Stop(Stopped::Aws(endless));
        }
        self.go_on(sight.now.here, sight)
    }

    /// The metadata of a job has come.
    pub(in crate::execute) fn on_metadata(
        &mut self,
        job_id: &JobId,
        metadata: &BTreeMap<String, String>,
        sight: &Sight<'_>,
    ) -> Next {
        if let Some(reconciliation) = &mut self.reconciliation {
            reconciliation.compare(job_id, metadata, &self.request, sight.kin_of_mark);
        }
        self.go_on(sight.now.here, sight)
    }

    /// A call of the reconciliation got no good answer; how often before.
    pub(in crate::execute) fn on_no_answer(
        &mut self,
        call: DueCall,
        error: ApiError,
        retries: u32,
    ) -> Next {
        /// Number of times to ask about a job that AWS says does not exist.
        const TRIES: u32 = 3;
        // A job that a listing has shown may not be known everywhere yet.
        let may_be_new =
            error.fault == Fault::Refused && call == DueCall::Compare && retries < TRIES;
        if !may_be_new && matches!(error.fault, Fault::Denied | Fault::Refused) {
            self.reconciliation = None;
            return Next::Stop(Stopped::Aws(error));
        }
        Next::Retry(call, error)
    }

    /// Others are being told of the jobs that are left: a little later.
    pub(in crate::execute) fn go_on_shortly(&mut self, sight: &Sight<'_>) -> Next {
        self.go_on(sight.now.here + SHORTLY, sight)
    }

    /// Goes on with the reconciliation at a time, or with what it has found.
    fn go_on(&mut self, at: Timestamp, sight: &Sight<'_>) -> Next {
        let Some(mut reconciliation) = self.reconciliation.take() else {
            return Next::Wait;
        };
        reconciliation.compare_read(sight.metadata, &self.request, sight.kin_of_mark);
        let call = if reconciliation.listing.is_some() {
            DueCall::List
        } else if !reconciliation.jobs.is_empty() {
            DueCall::Compare
        } else {
            return self.found(reconciliation, sight);
        };
        self.reconciliation = Some(reconciliation);
        Next::Call(call, at)
    }

    /// All jobs have been compared.
    fn found(&mut self, reconciliation: Reconciliation, sight: &Sight<'_>) -> Next {
        let Reconciliation {
            why,
            since,
            listed_at,
            mut matches,
            ..
        } = reconciliation;
        // One without a mark may be another restore's that asks for the same, or an earlier attempt's.
        let may_be = |found: &Match| {
            let is_late = |since| found.created_at.is_none_or(|made| made >= since);
            why != ReconciliationReason::Unanswered || since.is_none_or(is_late)
        };
        let changed: Vec<Match> = matches
            .extract_if(.., |found| found.kin == Kin::Changed)
            .collect();
        if why == ReconciliationReason::First
            && !changed.is_empty()
            && sight.policy.duplicates != DuplicatePolicy::StartAnyway
        {
            return Next::Stop(Stopped::Changed {
                restore: sight.restore.to_owned(),
                jobs: ids(&changed.iter().collect::<Vec<_>>()),
            });
        }
        let of_attempts: Vec<Match> = matches
            .extract_if(.., |found| matches!(found.kin, Kin::Attempt(_)))
            .collect();
        if why != ReconciliationReason::Lost
            && let Some(next) = Self::retried(&of_attempts, &matches, why, sight)
        {
            return next;
        }
        matches
            .retain(|found| found.is_marked() || may_be(found) && !(sight.is_own)(&found.job_id));
        match why {
            ReconciliationReason::First => self.compared(&matches, sight),
            ReconciliationReason::Unanswered => self.settled(&matches, since, listed_at, sight),
            ReconciliationReason::Lost => self.found_again(&matches, sight),
        }
    }

    /// A later attempt of the restore has a job, which this record does not know of: somebody has retried it from another
    /// machine. It is the restore's, where the attempts before it have failed.
    fn retried(
        of_attempts: &[Match],
        matches: &[Match],
        why: ReconciliationReason,
        sight: &Sight<'_>,
    ) -> Option<Next> {
        let attempt = |found: &Match| match found.kin {
            Kin::Attempt(attempt) => attempt,
            Kin::Marked | Kin::Alike | Kin::Changed => sight.attempt,
        };
        let latest = of_attempts.iter().map(attempt).max();
        let latest = latest.filter(|latest| *latest > sight.attempt)?;
        if sight.chosen(matches).is_some() {
            return None;
        }
        if sight.is_drained && why == ReconciliationReason::First {
            return Some(Next::NotSent);
        }
        let own = matches.iter().filter(|found| found.is_marked());
        let all = of_attempts.iter().chain(own);
        let all = all.filter(|found| !(sight.is_own)(&found.job_id));
        let (of_latest, earlier): (Vec<&Match>, Vec<&Match>) =
            all.partition(|found| attempt(found) == latest);
        let chosen = sight.chosen(of_attempts);
        let one = match (chosen, &*of_latest) {
            (Some(chosen), _) if attempt(chosen) == latest => Some(chosen),
            (None, [one]) if earlier.iter().all(|found| found.has_failed) => Some(*one),
            _ => None,
        };
        let Some(found) = one else {
            let all: Vec<&Match> = earlier.into_iter().chain(of_latest).collect();
            return Some(Next::Stop(Stopped::Duplicate {
                restore: sight.restore.to_owned(),
                jobs: ids(&all),
            }));
        };
        Some(Next::Intend(Some(Adoption {
            because: format!("the idempotency mark of its attempt {latest}").into(),
            attempt: Some(latest),
            former: ids(&earlier),
            ..Adoption::of(found, MARKED)
        })))
    }

    /// A restore of a new run was compared with the jobs of its recovery point.
    fn compared(&self, matches: &[Match], sight: &Sight<'_>) -> Next {
        let has_mark = self.request.has_mark();
        // Nothing is started any more; what a person has named is there already.
        let chosen = sight.chosen(matches);
        if sight.is_drained && chosen.is_none() {
            return Next::NotSent;
        }
        // A job without a mark is asked about however young it is: its token would tell, as long as AWS remembers it, and
        // where AWS does not, asking with it starts a second job.
        let (marked, duplicates): (Vec<&Match>, Vec<&Match>) =
            matches.iter().partition(|found| found.is_marked());
        if let Some(elsewhere) = &sight.policy.started_elsewhere {
            let is_since =
                |found: &&Match| found.created_at.is_none_or(|made| made >= elsewhere.since);
            let alike: Vec<&Match> = duplicates.iter().copied().filter(is_since).collect();
            return match (&*marked, &*alike) {
                ([one], _) => Next::Intend(Some(Adoption::of(one, STARTED))),
                // An unmarked job of a type that takes a mark belongs to somebody else who asks for the same.
                ([], [one]) if !has_mark => Next::Intend(Some(Adoption::of(one, ALONE))),
                ([], _) if has_mark => Next::NotThereYet,
                ([], []) => Next::NotThereYet,
                _ => Next::Stop(Stopped::Duplicate {
                    restore: sight.restore.to_owned(),
                    jobs: ids(if marked.is_empty() { &alike } else { &marked }),
                }),
            };
        }
        let adopted = match (chosen, &*marked, &*duplicates, sight.of_duplicates()) {
            (Some(chosen), ..) => (chosen, CHOSEN),
            (None, [one], _, _) => (*one, MARKED),
            (None, [], [], _) | (None, [], _, DuplicatePolicy::StartAnyway) => {
                return Next::Intend(None);
            }
            (None, [], [one], DuplicatePolicy::Adopt) => (*one, TAKEN),
            (None, several, duplicates, _) => {
                let jobs = ids(if several.is_empty() {
                    duplicates
                } else {
                    several
                });
                let restore = sight.restore.to_owned();
                return Next::Stop(Stopped::Duplicate { restore, jobs });
            }
        };
        Next::Intend(Some(Adoption::of(adopted.0, adopted.1)))
    }

    /// The jobs that fit an unanswered request: one that is its own is adopted, none means it is sent, and where that cannot
    /// be told the run stops.
    fn settled(
        &mut self,
        matches: &[Match],
        since: Option<Timestamp>,
        listed_at: Moment,
        sight: &Sight<'_>,
    ) -> Next {
        let Sight {
            past,
            now,
            policy,
            is_drained,
            ..
        } = *sight;
        let restore = || sight.restore.to_owned();
        let has_mark = past.is_some_and(|past| past.is_marked);
        let about_to_adopt = past.and_then(|past| past.adopts.clone());
        // Other machines may have sent it a while before: what was there then is somebody else's, as likely as not.
        let left = past.map_or(now, |past| now.left(past)).earliest(sight.skew);
        let refusal = self.refusal.take();
        let duplicates = policy.duplicates;
        let (marked, alike): (Vec<&Match>, Vec<&Match>) =
            matches.iter().partition(|found| found.is_marked());
        let begun = matches
            .iter()
            .find(|found| about_to_adopt.as_ref() == Some(&found.job_id));
        let adopted = match (sight.chosen(matches), begun, &*marked, &*alike) {
            (Some(chosen), ..) => Some((chosen, CHOSEN)),
            (None, Some(begun), ..) => Some((begun, BEGUN)),
            (None, None, [one], _) => Some((*one, MARKED)),
            (None, None, [], [one]) if sight.of_duplicates() == DuplicatePolicy::Adopt => {
                Some((*one, TAKEN))
            }
            // A mark would tell it apart, and there is none.
            (None, None, [], [one])
                if !has_mark
                    && duplicates == DuplicatePolicy::Ask
                    && (refusal.is_some() || !is_drained)
                    && one.created_at.is_none_or(|made| made >= left) =>
            {
                Some((*one, ALONE))
            }
            _ => None,
        };
        if let Some((found, because)) = adopted {
            return Next::Adopt(Adoption {
                // The request was taken, whatever became of the answer.
                answers: true,
                ..Adoption::of(found, because)
            });
        }
        let starts_anyway = duplicates == DuplicatePolicy::StartAnyway;
        if let Some(job) = about_to_adopt.filter(|_| !starts_anyway) {
            let (restore, jobs) = (restore(), vec![job]);
            return Next::Stop(Stopped::Duplicate { restore, jobs });
        }
        if policy.started_elsewhere.is_some() {
            // Whoever sends it now sends it with the same token.
            return Next::LeaveOpen;
        }
        let goes_on = matches.is_empty() || starts_anyway;
        match refusal {
            Some(refusal) if goes_on => return self.refused_for_good(refusal, listed_at, sight),
            Some(_) => {}
            // Perhaps it has arrived all the same, and the next run will see it.
            None if is_drained => return Next::LeaveOpen,
            None => {}
        }
        if !goes_on {
            let restore = restore();
            let is_ambiguous = !marked.is_empty() || !has_mark && alike.len() > 1;
            let jobs = ids(if marked.is_empty() { &alike } else { &marked });
            return Next::Stop(match is_ambiguous {
                true => Stopped::Ambiguous { restore, jobs },
                false => Stopped::Duplicate { restore, jobs },
            });
        }
        let oldest = listed_since(now.earlier());
        if let Some(since) = since.filter(|since| *since < oldest && !starts_anyway) {
            let restore = restore();
            return Next::Stop(Stopped::TooLongAgo {
                restore,
                since,
                oldest,
            });
        }
        // Nothing had arrived by then: the token counts from there.
        self.exposure = Some(Exposure {
            since: listed_at,
            until: self
                .exposure
                .map_or(listed_at.here, |exposure| exposure.until),
        });
        Next::Call(DueCall::Start, listed_at.here)
    }

    /// AWS has refused a request of which no copy has made a job, as far as a listing shows; and that may lag behind.
    fn refused_for_good(
        &mut self,
        refusal: ApiError,
        listed_at: Moment,
        sight: &Sight<'_>,
    ) -> Next {
        match self.exposure {
            Some(Exposure { until, .. }) if listed_at.here.duration_since(until) < LISTING_LAG => {
                self.refusal = Some(refusal);
                let at = until + LISTING_LAG;
                let mut lost = self.lost(sight);
                lost.listed_at.here = at;
                self.reconciliation = Some(lost);
                Next::Call(DueCall::List, at)
            }
            _ => Next::Refuse(refusal),
        }
    }

    /// The jobs that fit a restore whose job AWS does not know.
    fn found_again(&mut self, matches: &[Match], sight: &Sight<'_>) -> Next {
        let own = sight.past.and_then(|past| past.stage.job_id());
        let is_other = |found: &&Match| Some(&found.job_id) != own;
        let mut marked = matches
            .iter()
            .filter(is_other)
            .filter(|found| found.is_marked());
        let chosen = sight.chosen(matches).filter(is_other);
        match (chosen, marked.next(), marked.next()) {
            (Some(chosen), ..) => Next::Adopt(Adoption::of(chosen, CHOSEN)),
            (None, Some(one), None) => Next::Adopt(Adoption::of(one, MARKED)),
            _ => Next::Missing(
                self.refusal
                    .take()
                    .map_or_else(String::new, |refusal| refusal.message),
            ),
        }
    }
}

fn ids(matches: &[&Match]) -> Vec<JobId> {
    matches.iter().map(|found| found.job_id.clone()).collect()
}

/// The job in `Restore job <ID> already finished`, which AWS was seen to answer to a token whose job had ended
/// (facts recorded in 2020; the documented answer is the job's id).
fn finished_job(error: &ApiError) -> Option<JobId> {
    let rest = error.message.split("Restore job ").nth(1)?;
    let id = rest.split(" already finished").next()?;
    let is_id = !id.is_empty() && id.len() < rest.len() && !id.contains(char::is_whitespace);
    (error.fault == Fault::Refused && is_id).then(|| JobId::new(id))
}
