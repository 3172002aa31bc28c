//! Calls to AWS that run beside the engine, and when the next ones are due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{JoinError, JoinSet};

use super::skew::{Moment, Skew};
use crate::backup::{
    ApiError, Backoff, Job, JobQuery, Keeping, Operation, Pace, Page, Reader, Started, Writer,
};
use crate::ids::{Indexed, JobId, StepIndex, TargetIndex};
use crate::plan::{Draft, TokenedRequest};
use crate::render::Target;

/// Calls under way at once. AWS allows 50 a second in all, and a call takes well under a second.
const AT_ONCE: usize = 32;
/// The same where nobody counts the calls: enough that the disk's flush is shared by many.
const AT_ONCE_WITHOUT_RATES: usize = 128;

/// Call that is due for a restore at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DueCall {
    /// Send its request.
    Start,
    /// List jobs that may be its.
    List,
    /// Compare it with one of them.
    Compare,
    /// Tell what its checks have come to.
    Publish,
    /// List the jobs that are nested in its own.
    Nested,
    /// Look whether what its job made is still there.
    Look,
}

impl DueCall {
    /// Calls in order: those that others wait for first.
    pub(super) const ALL: [Self; 6] = [
        Self::Publish,
        Self::Nested,
        Self::Look,
        Self::List,
        Self::Compare,
        Self::Start,
    ];

    fn operation(self) -> Operation {
        match self {
            Self::Start => Operation::StartRestoreJob,
            Self::List | Self::Nested => Operation::ListRestoreJobs,
            Self::Compare => Operation::GetRestoreJobMetadata,
            Self::Publish => Operation::PutRestoreValidationResult,
            Self::Look => Operation::GetResource,
        }
    }
}

/// Answer to a call.
pub(super) enum Answer {
    /// Of a request, and when that left.
    Started(StepIndex, Moment, Result<Started, ApiError>),
    /// Of the jobs that may be a restore's.
    Candidates(StepIndex, Result<Page<Job>, ApiError>),
    /// Of one of them, by its id.
    Metadata(StepIndex, JobId, Result<BTreeMap<String, String>, ApiError>),
    /// Of the jobs that are nested in a restore's.
    Nested(StepIndex, Result<Page<Job>, ApiError>),
    /// Of a job that is followed.
    Polled(StepIndex, Result<Job, ApiError>),
    /// Of the jobs of a target, by its index.
    Listed(TargetIndex, Result<Page<Job>, ApiError>),
    /// Of the jobs of a target, whoever has started them.
    Around(TargetIndex, Result<Page<Job>, ApiError>),
    /// Of a job that is not this run's: its id, its recovery point, and what it was asked for.
    Other(JobId, String, Result<BTreeMap<String, String>, ApiError>),
    /// Of what the job of a restore has made: whether it is still there.
    LookedFor(StepIndex, Result<Option<bool>, ApiError>),
    /// Of what the checks of a restore have come to.
    Published(StepIndex, Result<&'static str, ApiError>),
}

/// The calls under way and the calls to come.
pub(super) struct Calls<A> {
    /// One a target of the plan.
    places: Indexed<TargetIndex, TargetCalls<A>>,
    pace: Pace,
    tasks: JoinSet<Answer>,
    starts_under_way: usize,
    /// Calls that leave once what they follow from is on disk.
    reserved: usize,
    /// Time at which the rates let the next call leave that was held back.
    held_until: Option<Timestamp>,
    /// Observed error of this machine's clock.
    skew: Skew,
}

/// A target, as far as calls are concerned.
struct TargetCalls<A> {
    api: Arc<A>,
    /// One for each [`DueCall`]: what the rates hold back of one operation stands in no other's way.
    timers: [BinaryHeap<Reverse<(Timestamp, StepIndex)>>; DueCall::ALL.len()],
}

impl<A: Reader + Writer + 'static> Calls<A> {
    /// Calls to the targets, each with its client; at AWS's published rates, or at any.
    pub(super) fn new(
        targets: &[Target],
        api: Vec<Arc<A>>,
        keep_rates: bool,
        now: Timestamp,
    ) -> Self {
        let keeping = match keep_rates {
            true => Keeping::Always,
            false => Keeping::Never,
        };
        let place = |api| TargetCalls {
            api,
            timers: Default::default(),
        };
        Self {
            places: api.into_iter().map(place).collect(),
            pace: Pace::of(targets.iter().map(Target::place), keeping, now),
            tasks: JoinSet::new(),
            starts_under_way: 0,
            reserved: 0,
            held_until: None,
            skew: Skew::default(),
        }
    }

    /// Returns true if a call may leave now. A yes requires the call; a no is remembered for the next waking.
    pub(super) fn may(&mut self, place: TargetIndex, operation: Operation, now: Timestamp) -> bool {
        if self.is_full() {
            return false;
        }
        match self.pace.take(place.get(), operation, now) {
            Ok(()) => true,
            Err(at) => self.hold(at, now),
        }
    }

    /// Returns true if a request may leave for a target now, as [`Calls::may`] would say, and remember; takes nothing.
    pub(super) fn could_start(&mut self, place: TargetIndex, now: Timestamp) -> bool {
        let start = Operation::StartRestoreJob;
        let free_at = self.pace.free_at(place.get(), start, now);
        self.hold(free_at, now)
    }

    /// Returns true if a time has come; otherwise remembers it as a time to wake at.
    fn hold(&mut self, at: Timestamp, now: Timestamp) -> bool {
        if at > now {
            self.held_until = Some(self.held_until.map_or(at, |held| held.min(at)));
        }
        at <= now
    }

    /// AWS has throttled a call.
    pub(super) fn throttled(&mut self, place: TargetIndex, operation: Operation, now: Timestamp) {
        self.pace.throttled(place.get(), operation, now);
    }

    /// Returns how many calls may be under way.
    pub(super) fn at_once(&self) -> usize {
        match self.pace.is_kept() {
            true => AT_ONCE,
            false => AT_ONCE_WITHOUT_RATES,
        }
    }

    /// Returns how many more calls may be under way.
    pub(super) fn room(&self) -> usize {
        self.at_once()
            .saturating_sub(self.tasks.len() + self.reserved)
    }

    /// Keeps the place of a call that leaves shortly.
    pub(super) fn reserve(&mut self) {
        self.reserved += 1;
    }

    pub(super) fn release(&mut self) {
        self.reserved -= 1;
    }

    /// The same for a request, whose answer is worth waiting for.
    pub(super) fn reserve_start(&mut self) {
        self.reserve();
        self.starts_under_way += 1;
    }

    pub(super) fn release_start(&mut self) {
        self.release();
        self.starts_under_way -= 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.room() == 0
    }

    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn nothing_to_come(&self) -> bool {
        self.tasks.is_empty()
            && self.reserved == 0
            && self
                .places
                .iter()
                .flat_map(|place| &place.timers)
                .all(BinaryHeap::is_empty)
            && self.held_until.is_none()
    }

    /// Returns true if a request is under way whose answer is worth waiting for.
    pub(super) fn is_starting(&self) -> bool {
        self.starts_under_way > 0
    }

    pub(super) fn at(&mut self, place: TargetIndex, at: Timestamp, step: StepIndex, due: DueCall) {
        self.places[place].timers[due as usize].push(Reverse((at, step)));
    }

    /// Returns the times at which something is due, by target and operation.
    pub(super) fn next_due(&self) -> impl Iterator<Item = Timestamp> {
        let timers = self.places.iter().flat_map(|place| &place.timers);
        let next = timers.filter_map(BinaryHeap::peek);
        next.map(|Reverse((at, _))| *at)
    }

    /// Takes the time at which the rates let a held-back call leave, if one was; it is asked about again after this.
    pub(super) fn take_held(&mut self) -> Option<Timestamp> {
        self.held_until.take()
    }

    /// The next thing about a target that is due by now.
    pub(super) fn due(
        &self,
        place: TargetIndex,
        due: DueCall,
        now: Timestamp,
    ) -> Option<StepIndex> {
        let Reverse((at, step)) = *self.places[place].timers[due as usize].peek()?;
        (at <= now).then_some(step)
    }

    /// Takes that thing off the list.
    pub(super) fn take_due(&mut self, place: TargetIndex, due: DueCall) {
        self.places[place].timers[due as usize].pop();
    }

    /// The same, as soon as its call may leave: a yes has to be followed by the call.
    pub(super) fn take_due_if_it_may(
        &mut self,
        place: TargetIndex,
        due: DueCall,
        now: Timestamp,
    ) -> bool {
        let may = self.may(place, due.operation(), now);
        if may {
            self.take_due(place, due);
        }
        may
    }

    fn api(&self, place: TargetIndex) -> Arc<A> {
        Arc::clone(&self.places[place].api)
    }

    pub(super) fn start(
        &mut self,
        place: TargetIndex,
        step: StepIndex,
        request: Arc<TokenedRequest>,
        now: Timestamp,
    ) {
        let api = self.api(place);
        self.starts_under_way += 1;
        let left = Moment {
            here: now,
            aws: self.date(),
        };
        self.tasks
            .spawn(async move { Answer::Started(step, left, api.start(&request).await) });
    }

    pub(super) fn candidates(
        &mut self,
        place: TargetIndex,
        step: StepIndex,
        query: JobQuery,
        token: Option<String>,
    ) {
        let api = self.api(place);
        self.tasks
            .spawn(async move { Answer::Candidates(step, api.jobs_page(&query, token).await) });
    }

    pub(super) fn nested(
        &mut self,
        place: TargetIndex,
        step: StepIndex,
        query: JobQuery,
        token: Option<String>,
    ) {
        let api = self.api(place);
        self.tasks
            .spawn(async move { Answer::Nested(step, api.jobs_page(&query, token).await) });
    }

    pub(super) fn metadata(&mut self, place: TargetIndex, step: StepIndex, job_id: JobId) {
        let api = self.api(place);
        self.tasks.spawn(async move {
            let metadata = api.job_metadata(&job_id).await;
            Answer::Metadata(step, job_id, metadata)
        });
    }

    pub(super) fn look_for(
        &mut self,
        place: TargetIndex,
        step: StepIndex,
        arn: String,
        draft: Arc<Draft>,
    ) {
        let api = self.api(place);
        self.tasks.spawn(async move {
            Answer::LookedFor(step, api.is_there(&arn, &draft.request).await)
        });
    }

    /// `failure` says why what came back is not good; it is where there is none.
    pub(super) fn publish(
        &mut self,
        place: TargetIndex,
        step: StepIndex,
        job_id: JobId,
        failure: Option<String>,
    ) {
        let api = self.api(place);
        self.tasks.spawn(async move {
            let told = api.publish(&job_id, failure.as_deref()).await;
            let status = if failure.is_none() {
                "SUCCESSFUL"
            } else {
                "FAILED"
            };
            Answer::Published(step, told.map(|()| status))
        });
    }

    /// Returns AWS's clock as last seen. It is one clock in all Regions.
    pub(super) fn date(&self) -> Option<Timestamp> {
        self.places
            .iter()
            .filter_map(|place| place.api.date())
            .max()
    }

    /// Returns how far AWS's clock was seen behind this machine's.
    pub(super) fn skew(&self) -> Skew {
        self.skew
    }

    /// An answer has come.
    pub(super) fn see(&mut self, here: Timestamp) {
        let aws = self.date();
        self.skew.see(Moment { here, aws });
    }

    /// Counts the calls to AWS by operation, over all targets.
    pub(super) fn made(&self) -> Vec<(Operation, u64)> {
        let all = self.places.iter().map(|place| place.api.calls());
        all.flatten().collect()
    }

    pub(super) fn poll(&mut self, place: TargetIndex, step: StepIndex, job_id: JobId) {
        let api = self.api(place);
        self.tasks
            .spawn(async move { Answer::Polled(step, api.job(&job_id).await) });
    }

    pub(super) fn list(&mut self, place: TargetIndex, query: JobQuery, token: Option<String>) {
        let api = self.api(place);
        self.tasks
            .spawn(async move { Answer::Listed(place, api.jobs_page(&query, token).await) });
    }

    pub(super) fn around(&mut self, place: TargetIndex, query: JobQuery, token: Option<String>) {
        let api = self.api(place);
        self.tasks
            .spawn(async move { Answer::Around(place, api.jobs_page(&query, token).await) });
    }

    pub(super) fn other(&mut self, place: TargetIndex, job_id: JobId, point: String) {
        let api = self.api(place);
        self.tasks.spawn(async move {
            let metadata = api.job_metadata(&job_id).await;
            Answer::Other(job_id, point, metadata)
        });
    }

    /// A page of jobs, waited for: before a run, when there is nothing else to do.
    pub(super) async fn page(
        &self,
        place: TargetIndex,
        query: &JobQuery,
        token: Option<String>,
    ) -> Result<Page<Job>, ApiError> {
        self.places[place].api.jobs_page(query, token).await
    }

    /// The next answer; never returns while nothing is under way.
    pub(super) async fn answer(&mut self) -> Answer {
        let answer = next_of(&mut self.tasks).await;
        self.taken(answer)
    }

    /// An answer that is there already.
    pub(super) fn answer_now(&mut self) -> Option<Answer> {
        let answer = of_task(self.tasks.try_join_next()?)?;
        Some(self.taken(answer))
    }

    fn taken(&mut self, answer: Answer) -> Answer {
        if matches!(answer, Answer::Started(..)) {
            self.starts_under_way -= 1;
        }
        answer
    }
}

/// Returns the result of the next task to end; never returns while none is under way.
pub(super) async fn next_of<T: 'static>(tasks: &mut JoinSet<T>) -> T {
    loop {
        match tasks.join_next().await.map(of_task) {
            Some(Some(value)) => return value,
            Some(None) => {}
            None => std::future::pending().await,
        }
    }
}

/// Returns the result of a task; none where it was cancelled, as when the program ends.
///
/// # Panics
///
/// Where the task has: the run ends, and goes on from its journal. It would wait for the answer for ever.
fn of_task<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(value) => Some(value),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => None,
    }
}

/// Returns the wait before the retry of a call that got no good answer.
pub(super) fn backoff(tries: u32) -> SignedDuration {
    const BACKOFF: Backoff = Backoff {
        first: SignedDuration::from_secs(1),
        factor: 2,
        longest: SignedDuration::from_secs(32),
        jitter: 0.5,
    };
    BACKOFF.wait(tries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_panic_of_a_task_is_not_an_answer_that_never_comes() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { panic!("a bug") });
        let ended: Result<(), JoinError> = tasks.join_next().await.unwrap();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| of_task(ended)));
        assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "a bug");
    }

    #[tokio::test]
    async fn a_task_that_is_cancelled_has_no_answer() {
        let mut tasks = JoinSet::new();
        let task = tasks.spawn(std::future::pending::<()>());
        task.abort();
        assert_eq!(of_task(tasks.join_next().await.unwrap()), None);
    }
}
