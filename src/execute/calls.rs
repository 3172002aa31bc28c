//! Calls to AWS that run beside the engine, and when the next ones are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::Writer;
use super::settle;
use crate::diff::{ApiError, Job, Reader};
use crate::plan::Request;

/// Calls under way at once. AWS allows 50 a second in all and 5 StartRestoreJob
/// (<https://docs.aws.amazon.com/general/latest/gr/bk.html>); a call takes well under a second.
const AT_ONCE: usize = 16;

/// What is to be done about a restore, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Send its request.
    Start,
    /// Find out whether its job exists.
    Settle,
    /// Ask how its job is.
    Poll,
}

/// What came back.
pub(super) enum Answer {
    Started(Result<String, ApiError>),
    Settled(Result<Vec<String>, ApiError>),
    Polled(Result<Job, ApiError>),
}

/// The calls under way and the calls to come.
pub(super) struct Calls<A> {
    api: Arc<A>,
    account: String,
    tasks: JoinSet<(usize, Answer)>,
    starts_under_way: usize,
    timers: BinaryHeap<Reverse<(Timestamp, usize, Due)>>,
}

impl<A: Reader + Writer + 'static> Calls<A> {
    pub(super) fn new(api: Arc<A>, account: &str) -> Self {
        Self {
            api,
            account: account.to_owned(),
            tasks: JoinSet::new(),
            starts_under_way: 0,
            timers: BinaryHeap::new(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.tasks.len() < AT_ONCE
    }

    pub(super) fn room(&self) -> usize {
        AT_ONCE.saturating_sub(self.tasks.len())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn nothing_to_come(&self) -> bool {
        self.tasks.is_empty() && self.timers.is_empty()
    }

    /// Whether a request is on its way whose answer is worth waiting for.
    pub(super) fn is_starting(&self) -> bool {
        self.starts_under_way > 0
    }

    pub(super) fn at(&mut self, at: Timestamp, step: usize, due: Due) {
        self.timers.push(Reverse((at, step, due)));
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.timers.peek().map(|Reverse((at, _, _))| *at)
    }

    /// The next thing that is due by now.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(usize, Due)> {
        let due = self.next_at().is_some_and(|at| at <= now);
        let Reverse((_, step, what)) = due.then(|| self.timers.pop()).flatten()?;
        Some((step, what))
    }

    pub(super) fn start(&mut self, step: usize, request: Request) {
        let api = Arc::clone(&self.api);
        self.starts_under_way += 1;
        self.tasks
            .spawn(async move { (step, Answer::Started(api.start(&request).await)) });
    }

    pub(super) fn settle(&mut self, step: usize, request: Request, intended_at: Timestamp) {
        let api = Arc::clone(&self.api);
        let account = self.account.clone();
        self.tasks.spawn(async move {
            let found = settle::candidates(&*api, &account, &request, intended_at).await;
            (step, Answer::Settled(found))
        });
    }

    pub(super) fn poll(&mut self, step: usize, job_id: String) {
        let api = Arc::clone(&self.api);
        self.tasks
            .spawn(async move { (step, Answer::Polled(api.job(&job_id).await)) });
    }

    /// The next answer; never returns while nothing is under way.
    pub(super) async fn answer(&mut self) -> (usize, Answer) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((step, answer))) => {
                    if matches!(answer, Answer::Started(_)) {
                        self.starts_under_way -= 1;
                    }
                    return (step, answer);
                }
                // A task neither panics nor is cancelled while the engine runs.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// How long to wait before a call is made again that got no good answer.
pub(super) fn backoff(tries: u32) -> SignedDuration {
    let full = 1_000_i64 << tries.min(5);
    // Half of it by chance, so that many restores do not come back at once.
    SignedDuration::from_millis(full / 2 + fastrand::i64(0..=full / 2))
}

/// How long to wait before a job is asked about again: an eighth of its age, from 1 s up to 30 s.
pub(super) fn interval(age: SignedDuration) -> SignedDuration {
    let eighth = age.as_millis() as i64 / 8;
    SignedDuration::from_millis(eighth.clamp(1_000, 30_000))
}
