//! One deletion: asked for, followed, and looked for until it is gone.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::deleting::{DeleteAnswer, DeletionProgress, Resources};
use super::{ExistingResource, Named};
use crate::backup::{ApiError, Backoff, Clock, Fault, Interval, Operation, Pace, Retry};
use crate::ids::ClientToken;

/// Interval between two looks.
const WAITS: Interval = Interval {
    part: 4,
    shortest: SignedDuration::from_millis(500),
    longest: SignedDuration::from_secs(15),
};
/// Number of looks for an absence that AWS does not show yet.
const LOOKS: u32 = 20;
/// Retries of a call; a deletion that was requested twice is the same, by its token.
const RETRY: Retry = Retry {
    backoff: Backoff {
        first: SignedDuration::from_millis(500),
        factor: 2,
        longest: SignedDuration::from_secs(15),
        jitter: 0.5,
    },
    throttled: 20,
    silent: 3,
};

/// Outcome of a deletion.
#[derive(Debug)]
pub(super) enum DeletionOutcome {
    /// Resource that was deleted, and is gone.
    Gone,
    /// Resource that was gone when its deletion was requested, or that somebody else has deleted.
    WasGone,
    /// Resource that is still there: why.
    Left(String),
    /// Somebody wanted to leave before that was known.
    Open,
    /// AWS did not answer, or would answer to every deletion alike.
    Failed(ApiError),
}

impl From<ApiError> for DeletionOutcome {
    fn from(error: ApiError) -> Self {
        // A refusal is about this one, such as one of two accounts or types: it goes on with the others.
        match error.may_mean_absence() {
            true => Self::Left(error.message),
            false => Self::Failed(error),
        }
    }
}

/// One deletion.
pub(super) struct One<R, C> {
    pub(super) resources: Arc<R>,
    pub(super) pace: Pace,
    pub(super) clock: C,
    pub(super) named: Named,
    pub(super) token: ClientToken,
    /// Set once somebody wants to leave: no further call is made then.
    pub(super) leaving: watch::Receiver<bool>,
}

impl<R: Resources, C: Clock> One<R, C> {
    /// To its end; says once when AWS has answered to the request, or will not be asked.
    pub(super) async fn carry_out(mut self, answers: &UnboundedSender<()>) -> DeletionOutcome {
        let began = self.clock.now();
        let asked = self.ask().await;
        // Whoever waits for it may have left.
        let _ = answers.send(());
        match asked {
            Ok(asked) => match self.follow(asked, began).await {
                Ok(outcome) | Err(outcome) => outcome,
            },
            Err(outcome) => outcome,
        }
    }

    async fn ask(&mut self) -> Result<DeleteAnswer, DeletionOutcome> {
        let mut calls = Self::calls(Operation::DeleteResource);
        loop {
            self.turn(&calls).await?;
            let answer = self.resources.delete(&self.named, &self.token).await;
            if let Some(asked) = self.taken(&mut calls, answer).await? {
                return Ok(asked);
            }
        }
    }

    async fn find(&mut self) -> Result<Option<ExistingResource>, DeletionOutcome> {
        let mut calls = Self::calls(Operation::GetResource);
        loop {
            self.turn(&calls).await?;
            let answer = self.resources.find(&self.named).await;
            match self.taken(&mut calls, answer).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                // The resource is looked for once its deletion has been requested.
                Err(DeletionOutcome::Left(why)) => {
                    return Err(DeletionOutcome::Left(format!(
                        "AWS was asked to delete it; whether it is gone cannot be read: {why}"
                    )));
                }
                Err(outcome) => return Err(outcome),
            }
        }
    }

    async fn progress(&mut self, request: &str) -> Result<DeletionProgress, DeletionOutcome> {
        let mut calls = Self::calls(Operation::GetResourceRequestStatus);
        loop {
            self.turn(&calls).await?;
            let answer = self.resources.progress(&self.named, request).await;
            if let Some(progress) = self.taken(&mut calls, answer).await? {
                return Ok(progress);
            }
        }
    }

    /// Waits for the end of a deletion, and looks whether it is gone.
    async fn follow(
        &mut self,
        asked: DeleteAnswer,
        began: Timestamp,
    ) -> Result<DeletionOutcome, DeletionOutcome> {
        let was_gone = asked == DeleteAnswer::Gone;
        if let DeleteAnswer::Request(request) = asked {
            loop {
                match self.progress(&request).await? {
                    DeletionProgress::UnderWay => self.wait(began).await?,
                    DeletionProgress::Done => break,
                    DeletionProgress::Failed(why) => {
                        // Somebody may have been faster.
                        return Ok(match self.find().await? {
                            Some(_) => DeletionOutcome::Left(why),
                            None => DeletionOutcome::WasGone,
                        });
                    }
                }
            }
        }
        for _ in 0..LOOKS {
            if self.find().await?.is_none() {
                return Ok(if was_gone {
                    DeletionOutcome::WasGone
                } else {
                    DeletionOutcome::Gone
                });
            }
            self.wait(began).await?;
        }
        let why = "AWS reported it as deleted, but still shows it";
        Ok(DeletionOutcome::Left(why.to_owned()))
    }

    /// Waits, unless somebody wants to leave.
    async fn wait(&mut self, began: Timestamp) -> Result<(), DeletionOutcome> {
        let passed = self.clock.now().duration_since(began);
        self.wait_for(WAITS.after(passed)).await
    }

    async fn wait_for(&mut self, long: SignedDuration) -> Result<(), DeletionOutcome> {
        let until = self.clock.now() + long;
        tokio::select! {
            biased;
            _ = self.leaving.wait_for(|is_leaving| *is_leaving) => Err(DeletionOutcome::Open),
            () = self.clock.idle_until(until) => Ok(()),
        }
    }

    fn calls(operation: Operation) -> RepeatedCall {
        RepeatedCall { operation, made: 0 }
    }

    /// Waits for a call's turn, unless somebody wants to leave. The call itself is waited for then.
    async fn turn(&mut self, calls: &RepeatedCall) -> Result<(), DeletionOutcome> {
        let turn = self
            .pace
            .turn(self.named.place.get(), calls.operation, &self.clock);
        tokio::select! {
            biased;
            _ = self.leaving.wait_for(|is_leaving| *is_leaving) => Err(DeletionOutcome::Open),
            () = turn => Ok(()),
        }
    }

    /// Returns the answer of a call; none if the call is to be made again.
    async fn taken<T>(
        &mut self,
        calls: &mut RepeatedCall,
        answer: Result<T, ApiError>,
    ) -> Result<Option<T>, DeletionOutcome> {
        let error = match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        calls.made += 1;
        if error.fault == Fault::Throttled {
            let now = self.clock.now();
            self.pace
                .throttled(self.named.place.get(), calls.operation, now);
        }
        match RETRY.wait(error.fault, calls.made) {
            Some(wait) => self.wait_for(wait).await.map(|()| None),
            None => Err(error.into()),
        }
    }
}

/// One call, as often as it is made.
struct RepeatedCall {
    operation: Operation,
    made: u32,
}
