//! Calls to AWS that run beside the engine, and when the next ones are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::Writer;
use super::rates::Rates;
use super::settle::{self, Match};
use crate::diff::{ApiError, Job, JobQuery, Reader};
use crate::plan::Request;

/// Calls under way at once. AWS allows 50 a second in all, and a call takes well under a second.
const AT_ONCE: usize = 32;

/// What is to be done about a restore, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Compare it with the jobs of its recovery point, before it is sent for the first time.
    Compare,
    /// Send its request.
    Start,
    /// Find out whether its job exists.
    Settle,
    /// Tell what its checks have come to.
    Publish,
}

/// What came back.
pub(super) enum Answer {
    Compared(usize, Result<Vec<Match>, ApiError>),
    Started(usize, Result<String, ApiError>),
    Settled(usize, Result<Vec<Match>, ApiError>),
    Polled(usize, Result<Job, ApiError>),
    Listed(Result<(Vec<Job>, Option<String>), ApiError>),
    Published(usize, Result<&'static str, ApiError>),
}

/// The calls under way and the calls to come.
pub(super) struct Calls<A> {
    api: Arc<A>,
    tasks: JoinSet<Answer>,
    starts_under_way: usize,
    timers: BinaryHeap<Reverse<(Timestamp, usize, Due)>>,
    rates: Option<Rates>,
    /// When the rates let the next call leave that was held back.
    held_until: Option<Timestamp>,
}

impl<A: Reader + Writer + 'static> Calls<A> {
    pub(super) fn new(api: Arc<A>, rates: Option<Rates>) -> Self {
        Self {
            api,
            tasks: JoinSet::new(),
            starts_under_way: 0,
            timers: BinaryHeap::new(),
            rates,
            held_until: None,
        }
    }

    /// Whether a call may leave now. A yes has to be followed by the call; a no is remembered for the next waking.
    pub(super) fn may(&mut self, operation: &str, now: Timestamp) -> bool {
        if self.tasks.len() >= AT_ONCE {
            return false;
        }
        match self.rates.as_mut().map(|rates| rates.take(operation, now)) {
            None | Some(Ok(())) => true,
            Some(Err(at)) => {
                self.held_until = Some(self.held_until.map_or(at, |held| held.min(at)));
                false
            }
        }
    }

    /// AWS has throttled a call.
    pub(super) fn throttled(&mut self, operation: &str, now: Timestamp) {
        if let Some(rates) = &mut self.rates {
            rates.throttled(operation, now);
        }
    }

    /// How many more calls may be under way.
    pub(super) fn room(&self) -> usize {
        AT_ONCE.saturating_sub(self.tasks.len())
    }

    pub(super) fn is_full(&self) -> bool {
        self.tasks.len() >= AT_ONCE
    }

    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn nothing_to_come(&self) -> bool {
        self.tasks.is_empty() && self.timers.is_empty() && self.held_until.is_none()
    }

    /// Whether a request is on its way whose answer is worth waiting for.
    pub(super) fn is_starting(&self) -> bool {
        self.starts_under_way > 0
    }

    pub(super) fn at(&mut self, at: Timestamp, step: usize, due: Due) {
        self.timers.push(Reverse((at, step, due)));
    }

    /// When something is due or may leave; what was held back is asked about anew after this.
    pub(super) fn next_at(&mut self) -> Option<Timestamp> {
        let due = self.timers.peek().map(|Reverse((at, _, _))| *at);
        [due, self.held_until.take()].into_iter().flatten().min()
    }

    /// The next thing that is due by now and may leave.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(usize, Due)> {
        let Reverse((at, _, due)) = *self.timers.peek()?;
        let operation = match due {
            Due::Start => "StartRestoreJob",
            Due::Settle => "ListRestoreJobs",
            Due::Compare => "GetRestoreJobMetadata",
            Due::Publish => "PutRestoreValidationResult",
        };
        if at > now || !self.may(operation, now) {
            return None;
        }
        let Reverse((_, step, due)) = self.timers.pop()?;
        Some((step, due))
    }

    pub(super) fn start(&mut self, step: usize, request: Request) {
        let api = Arc::clone(&self.api);
        self.starts_under_way += 1;
        self.tasks
            .spawn(async move { Answer::Started(step, api.start(&request).await) });
    }

    pub(super) fn settle(&mut self, step: usize, query: JobQuery, request: Request) {
        let api = Arc::clone(&self.api);
        self.tasks.spawn(async move {
            Answer::Settled(step, settle::candidates(&*api, &query, &request).await)
        });
    }

    pub(super) fn compare(&mut self, step: usize, jobs: Vec<Job>, request: Request) {
        let api = Arc::clone(&self.api);
        self.tasks.spawn(async move {
            Answer::Compared(step, settle::matches(&*api, jobs, &request).await)
        });
    }

    /// `failure` says why what came back is not good; it is where there is none.
    pub(super) fn publish(&mut self, step: usize, job_id: String, failure: Option<String>) {
        let api = Arc::clone(&self.api);
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

    pub(super) fn poll(&mut self, step: usize, job_id: String) {
        let api = Arc::clone(&self.api);
        self.tasks
            .spawn(async move { Answer::Polled(step, api.job(&job_id).await) });
    }

    pub(super) fn list(&mut self, query: JobQuery, token: Option<String>) {
        let api = Arc::clone(&self.api);
        self.tasks
            .spawn(async move { Answer::Listed(api.jobs_page(&query, token).await) });
    }

    /// The next answer; never returns while nothing is under way.
    pub(super) async fn answer(&mut self) -> Answer {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(answer)) => return self.taken(answer),
                // A task neither panics nor is cancelled while the engine runs.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// An answer that is there already.
    pub(super) fn answer_now(&mut self) -> Option<Answer> {
        let answer = self.tasks.try_join_next()?.ok()?;
        Some(self.taken(answer))
    }

    fn taken(&mut self, answer: Answer) -> Answer {
        if matches!(answer, Answer::Started(..)) {
            self.starts_under_way -= 1;
        }
        answer
    }
}

/// How long to wait before a call is made again that got no good answer.
pub(super) fn backoff(tries: u32) -> SignedDuration {
    let full = 1_000_i64 << tries.min(5);
    // Half of it by chance, so that many restores do not come back at once.
    SignedDuration::from_millis(full / 2 + fastrand::i64(0..=full / 2))
}
