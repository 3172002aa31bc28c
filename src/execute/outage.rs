//! Calls that get no good answer: when they are made again, and for how long.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::Observer;
use super::calls::{DueCall, backoff};
use super::engine::Stopped;
use super::poller::Poller;
use super::run::Run;
use crate::backup::{ApiError, Clock, Fault, Reader, Writer};
use crate::state::{Event, Journal};

/// How long AWS may be silent while jobs are followed.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// How long it may be silent while nothing runs that would be worth waiting for.
const PATIENCE_WITHOUT_JOBS: SignedDuration = SignedDuration::from_mins(1);
/// How long a person has to log in again.
const PATIENCE_FOR_LOGIN: SignedDuration = SignedDuration::from_hours(1);
/// Longer than any call takes with the wait before it.
const LONGEST_TRY: SignedDuration = SignedDuration::from_mins(2);
/// How often it is asked about a job of which AWS says that there is none.
const TRIES: u32 = 3;

/// An operation that fails.
#[derive(Debug)]
pub(super) struct Outage {
    /// Since when, without what the machine slept through.
    pub(super) since: Timestamp,
    /// When it failed last.
    last: Timestamp,
    /// AWS's last answer, or why there was none.
    pub(super) message: String,
}

/// How often each operation was tried in vain about a restore, or about a target as a whole: one that fails says nothing of
/// the others.
#[derive(Debug, Default)]
pub(super) struct Tries(HashMap<usize, BTreeMap<&'static str, u32>>);

impl Tries {
    fn of(&self, tried: usize, operation: &str) -> u32 {
        let of = self.0.get(&tried).and_then(|of| of.get(operation));
        of.copied().unwrap_or_default()
    }

    /// Another one; how many there were before.
    fn one_more(&mut self, tried: usize, operation: &'static str) -> u32 {
        let tries = self.0.entry(tried).or_default().entry(operation);
        let tries = tries.or_default();
        *tries += 1;
        *tries - 1
    }

    /// An operation has answered.
    pub(super) fn answered(&mut self, tried: usize, operation: &str) {
        if let Some(of) = self.0.get_mut(&tried) {
            of.remove(operation);
        }
    }

    /// Nothing is asked any more, or everything has answered.
    pub(super) fn forget(&mut self, tried: usize) {
        self.0.remove(&tried);
    }
}

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// A question about a restore that got no good answer.
    pub(super) fn on_no_answer(
        &mut self,
        step: usize,
        due: DueCall,
        error: ApiError,
    ) -> Result<(), Stopped> {
        // A job that a listing has shown may not be known everywhere yet.
        let tries = self.tries.of(step, error.operation);
        let may_be_new = error.fault == Fault::Refused && due == DueCall::Compare && tries < TRIES;
        if !may_be_new && matches!(error.fault, Fault::Denied | Fault::Refused) {
            self.questions.remove(&step);
            self.stop(Stopped::Aws(error));
            return Ok(());
        }
        self.retry(step, due, &error)
    }

    /// The same call later.
    pub(super) fn retry(
        &mut self,
        step: usize,
        due: DueCall,
        error: &ApiError,
    ) -> Result<(), Stopped> {
        let place = self.place(step);
        let at = self.retry_at(place, error, step)?;
        self.calls.at(place, at, step, due);
        Ok(())
    }

    /// A request that may have arrived: AWS may forget tokens at once, so its job is looked for before it is sent again.
    pub(super) fn look_before_sending_again(
        &mut self,
        step: usize,
        error: &ApiError,
    ) -> Result<(), Stopped> {
        if let Some(question) = self.lost(step) {
            self.questions.insert(step, question);
        }
        self.retry(step, DueCall::List, error)
    }

    /// What stands in the way is said once; when to try again.
    pub(super) fn retry_at(
        &mut self,
        place: usize,
        error: &ApiError,
        tried: usize,
    ) -> Result<Timestamp, Stopped> {
        let now = self.engine.clock.now();
        if error.fault == Fault::Throttled {
            self.calls.throttled(place, error.operation, now);
        }
        let tries = self.tries.one_more(tried, error.operation);
        let at = now + backoff(tries);
        let key = (place, error.operation);
        let is_first = !self.outages.contains_key(&key);
        let outage = self.outages.entry(key).or_insert(Outage {
            since: now,
            last: now,
            message: String::new(),
        });
        // Time that the machine slept through is not AWS's silence.
        if now.duration_since(outage.last) > LONGEST_TRY {
            outage.since = now;
        }
        outage.last = now;
        outage.message = error.to_string();
        let since = outage.since;
        if is_first {
            self.emit(vec![Event::AwsUnavailable {
                message: error.to_string(),
            }])?;
        }
        let patience = if error.fault == Fault::Expired {
            PATIENCE_FOR_LOGIN
        } else if error.fault != Fault::Throttled && self.pollers.iter().all(Poller::is_empty) {
            PATIENCE_WITHOUT_JOBS
        } else {
            PATIENCE
        };
        if now.duration_since(since.max(self.last_success)) > patience {
            self.given_up = true;
            self.stop(Stopped::Aws(error.clone()));
        }
        Ok(at)
    }

    /// An operation has answered about a restore.
    pub(super) fn succeeded(
        &mut self,
        step: usize,
        operation: &'static str,
    ) -> Result<(), Stopped> {
        self.tries.answered(step, operation);
        self.succeeded_at(self.place(step), operation)
    }

    pub(super) fn succeeded_at(
        &mut self,
        place: usize,
        operation: &'static str,
    ) -> Result<(), Stopped> {
        self.last_success = self.engine.clock.now();
        self.recovered_at(place, operation)
    }

    /// A question about a request has its answer. That says nothing of the request: where that is never answered, nobody
    /// waits for it longer because questions are.
    pub(super) fn looked_up(
        &mut self,
        step: usize,
        operation: &'static str,
    ) -> Result<(), Stopped> {
        self.tries.answered(step, operation);
        self.recovered_at(self.place(step), operation)
    }

    /// An operation fails no more.
    pub(super) fn recovered_at(
        &mut self,
        place: usize,
        operation: &'static str,
    ) -> Result<(), Stopped> {
        if self.outages.remove(&(place, operation)).is_some() && self.outages.is_empty() {
            self.emit(vec![Event::Recovered])?;
        }
        Ok(())
    }

    /// Starts nothing new; what runs is followed to its end, and then the first reason is given.
    pub(super) fn stop(&mut self, why: Stopped) {
        self.schedule.drain();
        self.stopped.get_or_insert(why);
    }
}
