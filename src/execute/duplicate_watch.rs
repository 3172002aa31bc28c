//! Whoever starts things looks up once a minute: has somebody else started the same?
//!
//! Two runners of one run that looked before either had started anything do not see each other, and a token is only as
//! good as AWS's memory of it. So jobs are listed again while things are started, and for a while after. A job that
//! belongs to a restore that waits is found when its turn comes; a second job of one that has started is said at once.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::elsewhere::Elsewhere;
use super::flight::{Kin, attempt_among, kin};
use super::skew::Moment;
use crate::backup::{JobQuery, Pages};
use crate::ids::{JobId, StepIndex, TargetIndex};
use crate::plan::{Plan, TokenedRequest, attempt_marks};

/// Interval between two looks.
pub(super) const EVERY: SignedDuration = SignedDuration::from_mins(1);
/// For how long a restore that has started is looked after: another runner looks as often, and a listing may lag.
pub(super) const AFTERWARDS: SignedDuration = SignedDuration::from_mins(2);
/// So many restores are looked after at a time: more than AWS's rates let start meanwhile.
pub(super) const MOST: usize = 2_000;
/// So often a look is tried that gets no answer; the next one makes up for it.
pub(super) const TRIES: u32 = 3;

/// Restores that were started lately, and other jobs of their recovery points.
#[derive(Debug)]
pub(super) struct Lookout {
    /// The jobs of this run, each by a hash of its id.
    pub(super) own: HashSet<u64>,
    pub(super) started: Vec<StartedRestore>,
    /// Requests of other jobs of the same recovery points, by job id; none while that is being asked.
    pub(super) others: HashMap<JobId, Option<Other>>,
    /// Time at which jobs that exist already were last listed.
    pub(super) listed_at: Moment,
    /// Progress of the search for what somebody else starts, where that is so.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// A restore that has a job since a little while.
#[derive(Debug)]
pub(super) struct StartedRestore {
    pub(super) step: StepIndex,
    pub(super) target: TargetIndex,
    pub(super) job_id: JobId,
    pub(super) request: Arc<TokenedRequest>,
    pub(super) at: Timestamp,
    /// The marks of its attempts, once they were asked for.
    pub(super) marks: OnceCell<Vec<String>>,
}

impl StartedRestore {
    /// Tells how another job resembles the request.
    pub(super) fn kin(&self, metadata: &BTreeMap<String, String>, plan: &Plan) -> Option<Kin> {
        kin(metadata, &self.request, &|mark, _| {
            let identity = plan.identity(self.step, 1);
            let marks = || attempt_marks(&identity, &self.request);
            attempt_among(self.marks.get_or_init(marks), mark).map(Kin::Attempt)
        })
    }
}

/// A job that is not this run's.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) point: String,
    pub(super) metadata: BTreeMap<String, String>,
}

/// Progress of the search in one target.
#[derive(Debug, Default)]
pub(super) struct DuplicateSearch {
    pub(super) due: Option<Timestamp>,
    /// From when on jobs were not looked at.
    pub(super) since: Option<Moment>,
    /// Start of the look under way.
    pub(super) began: Option<Moment>,
    pub(super) listing: Option<(JobQuery, Pages)>,
    pub(super) is_asked: bool,
    /// Start of the last whole look.
    pub(super) looked: Option<Timestamp>,
    /// Jobs to be asked about.
    pub(super) to_ask: Vec<(JobId, String)>,
    pub(super) tries: u32,
}

/// Returns the hash that a job is known by.
pub(super) fn id(job_id: &JobId) -> u64 {
    let mut hasher = DefaultHasher::new();
    job_id.as_str().to_ascii_lowercase().hash(&mut hasher);
    hasher.finish()
}

impl Lookout {
    pub(super) fn new<'a>(listed_at: Moment, own: impl Iterator<Item = &'a JobId>) -> Self {
        Self {
            own: own.map(id).collect(),
            started: Vec::new(),
            others: HashMap::new(),
            listed_at,
            elsewhere: None,
        }
    }

    /// Returns true if a job is one of this run's.
    pub(super) fn is_own(&self, job_id: &JobId) -> bool {
        self.own.contains(&id(job_id))
    }

    /// A restore has a job.
    pub(super) fn note_job(&mut self, job_id: &JobId) {
        self.own.insert(id(job_id));
    }

    /// A restore is looked after for a while.
    pub(super) fn note(&mut self, started: StartedRestore) {
        if self.started.len() < MOST {
            self.started.push(started);
        }
    }
}

impl DuplicateSearch {
    /// Returns the time of the next look.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.filter(|_| self.began.is_none())
    }
}
