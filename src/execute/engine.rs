//! Inputs of a run, and how it can end.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::AtMost;
use super::Commands;
use super::run::Run;
use crate::backup::{ApiError, Clock, Reader, Writer};
use crate::diff::Diff;
use crate::ids::{Indexed, JobId, RestoreName, StepIndex};
use crate::plan::{Draft, Plan, Planner};
use crate::render::Known;
use crate::state::{Append, Event, Illegal, JournalError, Recorded, RunState};

/// Request of a person to a run that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Start nothing new, and leave.
    Detach,
    /// Leave at once.
    Now,
}

/// Outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is left to start or to follow.
    Finished,
    /// Asked to leave; jobs may go on.
    Detached,
    /// Asked to leave at once.
    Interrupted,
}

/// Reason why a run could not go on. Jobs that were started go on; the same command resumes the run.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The disk, or whoever filled it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// AWS, the network or the caller's permissions.
    #[error(transparent)]
    Aws(ApiError),
    /// Nobody: what is known does not tell which of several jobs it is.
    #[error("`{restore}` was sent and not answered, and {} jobs fit it: {}", jobs.len(), jobs.join(", "))]
    Ambiguous {
        /// The restore.
        restore: RestoreName,
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// Somebody, elsewhere: the same restore has been asked for, and not by this plan.
    #[error(
        "`{restore}` has not been started by this run, but {} for the same: {}",
        if jobs.len() == 1 { "a job asks" } else { "several jobs ask" },
        jobs.join(", ")
    )]
    Duplicate {
        /// The restore.
        restore: RestoreName,
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// Somebody, elsewhere: this run has begun the same restore, with another request.
    #[error(
        "`{restore}` was started elsewhere in this run, with another request, by {}",
        jobs.join(", ")
    )]
    Changed {
        /// The restore.
        restore: RestoreName,
        /// The jobs.
        jobs: Vec<JobId>,
    },
    /// Somebody, elsewhere, at the same time: a restore of this run has two jobs.
    #[error("`{restore}` has a second job: {job} beside {beside}")]
    SecondJob {
        /// The restore.
        restore: RestoreName,
        /// The second one.
        job: JobId,
        /// The first one.
        beside: JobId,
    },
    /// Nobody: AWS does not list jobs from as long ago as a request was sent that has no answer.
    #[error(
        "`{restore}` was sent and not answered, perhaps as long ago as {since}, and AWS Backup lists restore jobs of the last 30 \
         days, since {oldest}: none of those is its job, and an older one would not show"
    )]
    TooLongAgo {
        /// The restore.
        restore: RestoreName,
        /// From when on its job may be.
        since: jiff::Timestamp,
        /// From when on AWS lists jobs.
        oldest: jiff::Timestamp,
    },
    /// Somebody in between, or the caller of another account: AWS does not know a job that it has answered with.
    #[error("AWS does not know job {job}, which is that of `{restore}`: {message}")]
    NoSuchJob {
        /// The restore.
        restore: RestoreName,
        /// The job.
        job: JobId,
        /// AWS's words.
        message: String,
    },
    /// redrill: an event that its own table forbids.
    #[error("this is a bug in redrill: {0}")]
    Illegal(#[from] Illegal),
}

/// Sees every event, after it is on disk.
pub trait Observer {
    /// Takes one in.
    fn observe(&mut self, recorded: &Recorded);
}

/// Nobody looks on.
impl Observer for () {
    fn observe(&mut self, _: &Recorded) {}
}

impl<O: Observer> Observer for &mut O {
    fn observe(&mut self, recorded: &Recorded) {
        (**self).observe(recorded);
    }
}

/// Everything a run works with.
pub struct Engine<'a, A, J, C, O> {
    /// Completes requests while the run goes on.
    pub planner: &'a Planner,
    /// Plan of what is to be restored.
    pub plan: &'a Plan,
    /// Drafts to be sent for each step of the plan, which has handed them over.
    pub drafts: Indexed<StepIndex, Arc<Draft>>,
    /// AWS: a client for each target of the plan.
    pub api: Vec<Arc<A>>,
    /// Whoever runs the checks.
    pub commands: Arc<dyn Commands>,
    /// The journal of this run.
    pub journal: J,
    /// Time.
    pub clock: &'a C,
    /// The screen, and whoever else watches.
    pub observer: O,
    /// Requests of a person.
    pub control: UnboundedReceiver<Control>,
    /// Behaviour where there is a choice.
    pub policy: Policy,
}

/// Behaviour of a run where there is a choice.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Ask AWS as fast as it answers, not as fast as it publishes.
    pub no_rate_limit: bool,
    /// Meaning of a job that asks for the same as a restore and was not started by this run.
    pub duplicates: DuplicatePolicy,
    /// Jobs that a person has chosen: each belongs to the restore that it fits.
    pub chosen: BTreeSet<JobId>,
    /// Run checks of the plan as a whole, and steps of the cutover, that have failed.
    pub retry_failed: bool,
    /// Switch over to what came back once it is good.
    pub cutover: bool,
    /// After how long in which nothing has happened it says what it waits for; never where absent.
    pub says_after: Option<SignedDuration>,
    /// Somebody else sends the requests: nothing is sent from here.
    pub started_elsewhere: Option<StartedElsewhere>,
    /// Fewer restores at once than the plan allows.
    pub at_most: Vec<AtMost>,
    /// Write into what exists, also where the plan does not say so.
    pub into_existing: bool,
}

/// Sender of the requests of a plan, with its tokens, in place of this run.
#[derive(Clone, Debug)]
pub struct StartedElsewhere {
    /// Since when, by AWS's clock.
    pub since: Timestamp,
    /// True once they start nothing more.
    pub has_ended: watch::Receiver<bool>,
}

/// Treatment of a job of somebody else that asks for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicatePolicy {
    /// Stop, and show it.
    #[default]
    Ask,
    /// Adopt it as this restore's.
    Adopt,
    /// Leave it to somebody else; start another.
    StartAnyway,
}

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer>
    Engine<'_, A, J, C, O>
{
    /// Carries out the changes; `opening` are the first events, `observed` and `known` are what came before them.
    ///
    /// # Errors
    ///
    /// Where it cannot go on. Everything that was started is in the journal.
    pub async fn run(
        self,
        opening: Vec<Event>,
        observed: RunState,
        known: Known,
        diff: &Diff,
    ) -> Result<Ended, Stopped> {
        Run::new(self, observed, known, diff)
            .begin(opening, diff)
            .await
    }
}
