//! Stores for the records of runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Error;
use crate::ids::RunId;
use crate::state::JournalError;

/// Key of a run: a plan's name and a run id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run: RunId,
}

impl RunKey {
    /// The run of a plan.
    #[must_use]
    pub fn new(plan: &str, run: &RunId) -> Self {
        Self {
            plan: plan.to_owned(),
            run: run.clone(),
        }
    }
}

/// Process that works on a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// The machine.
    pub host: String,
    /// The account on that machine.
    pub user: String,
    /// Since when.
    pub since: Timestamp,
    /// Time of its last heartbeat, by its own clock, if it sends heartbeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beat_at: Option<Timestamp>,
}

impl Owner {
    /// Returns true if it has been silent for long, as far as two clocks can say: for people, and never to take a run
    /// from anybody.
    #[must_use]
    pub fn is_silent(&self, now: Timestamp) -> bool {
        const LONG: SignedDuration = SignedDuration::from_mins(5);
        self.beat_at
            .is_some_and(|beat| now.duration_since(beat) > LONG)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} (process {}", self.user, self.host, self.pid)?;
        match self.beat_at {
            Some(at) => write!(
                f,
                ", last heard of {})",
                at.strftime("%Y-%m-%d %H:%M:%S UTC")
            ),
            None => f.write_str(")"),
        }
    }
}

/// A segment that was read ahead, or several in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Its number: of several, that of the last.
    pub number: u32,
    /// Content of the segment.
    pub bytes: Vec<u8>,
}

/// Guard that keeps a runner from sending anything once its run may be another's.
#[derive(Clone, Default)]
pub struct Fence {
    watched: Option<Watched>,
}

#[derive(Clone)]
struct Watched {
    is_fresh: Arc<dyn Fn() -> bool + Send + Sync>,
    is_lost: watch::Receiver<bool>,
    beats: watch::Receiver<u64>,
}

impl Fence {
    /// The fence of a lease: whether its last heartbeat is younger than it lasts, whether somebody else has it by now, and
    /// what rings with each heartbeat.
    #[must_use]
    pub fn new(
        is_fresh: impl Fn() -> bool + Send + Sync + 'static,
        is_lost: watch::Receiver<bool>,
        beats: watch::Receiver<u64>,
    ) -> Self {
        let is_fresh = Arc::new(is_fresh);
        Self {
            watched: Some(Watched {
                is_fresh,
                is_lost,
                beats,
            }),
        }
    }

    /// Done once something may be sent: at once, where nobody else can hold the run; never, where somebody does.
    pub async fn pass(self) {
        let Some(mut of) = self.watched else {
            return;
        };
        while *of.is_lost.borrow() || !(of.is_fresh)() {
            // A heart that beats no more rings no more.
            if of.beats.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Returns true if another process may hold the run at all.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// Done once somebody else holds the run.
    pub async fn lost(self) {
        match self.watched {
            Some(mut of) => {
                if of.is_lost.wait_for(|is_lost| *is_lost).await.is_err() {
                    std::future::pending().await
                }
            }
            None => std::future::pending().await,
        }
    }
}

/// A store of runs: each a row of segments that are created once and never written again, and a lease for whoever works on
/// it. The segments are the fence: of two who create one of the same number, one learns that it is there. The lease is for
/// people, who want to know that somebody works on a run.
pub trait RunStore: Clone + Send + Sync + 'static {
    /// Held while somebody works on a run; given back when it is dropped.
    type Lease: Send + Sync + 'static;

    /// The runs, sorted.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    fn runs(&self) -> impl Future<Output = Result<Vec<RunKey>, Error>> + Send;

    /// The run of a plan that was worked on last, but for one.
    fn latest_other(&self, but: &RunKey) -> impl Future<Output = Option<RunKey>> + Send;

    /// Returns the path of a segment, for people; segments are numbered from 1.
    fn path(&self, run: &RunKey, segment: u32) -> PathBuf;

    /// The bytes of a segment; none where there is no such segment.
    ///
    /// # Errors
    ///
    /// Where the store does not answer, or has something else there.
    fn read(
        &self,
        run: &RunKey,
        segment: u32,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Error>> + Send;

    /// Segments from a number on, as many as are good to hold at once; none where that one is not there.
    ///
    /// # Errors
    ///
    /// Where the store does not answer, or has something else there.
    fn ahead(
        &self,
        run: &RunKey,
        from: u32,
    ) -> impl Future<Output = Result<Vec<Ahead>, Error>> + Send {
        async move {
            let bytes = self.read(run, from).await?;
            let ahead = bytes.map(|bytes| Ahead {
                number: from,
                bytes,
            });
            Ok(ahead.into_iter().collect())
        }
    }

    /// Returns true if there is a segment after this one.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    fn is_followed(
        &self,
        run: &RunKey,
        segment: u32,
    ) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Creates a segment, and is done once it survives whatever the store survives.
    ///
    /// # Errors
    ///
    /// Where it may not be there, or was there already: another runner has taken the run over.
    fn create(
        &self,
        lease: &Arc<Self::Lease>,
        run: &RunKey,
        segment: u32,
        bytes: Vec<u8>,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Writes a segment again that a copy has not written to its end, where the store can leave one so.
    ///
    /// # Errors
    ///
    /// Where the store refuses.
    fn complete(
        &self,
        run: &RunKey,
        segment: u32,
        bytes: &[u8],
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Cuts a segment that was not written to its end. Whoever may still be writing it, past whom the lease was taken over, is
    /// kept from it.
    ///
    /// # Errors
    ///
    /// Where the store refuses.
    fn cut(
        &self,
        run: &RunKey,
        segment: u32,
        length: usize,
        take_over: bool,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Takes a run to work on it; `take_over` passes over somebody who holds it and does not work any more.
    ///
    /// # Errors
    ///
    /// Where somebody else holds it, or the store refuses.
    fn lease(
        &self,
        run: &RunKey,
        owner: &Owner,
        take_over: bool,
    ) -> impl Future<Output = Result<Self::Lease, Error>> + Send;

    /// Keeps a run that has ended so that it is read in few calls, where that is not so anyway. Nothing depends on it.
    fn compact(&self, _: &RunKey) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Gives a run back, and is done once others know that.
    fn release(&self, lease: Arc<Self::Lease>) -> impl Future<Output = ()> + Send {
        async move { drop(lease) }
    }

    /// Fence that keeps the holder of a lease from sending anything once it may be another's. On one machine the system
    /// does.
    fn fence(_: &Self::Lease) -> Fence {
        Fence::default()
    }

    /// Returns the process that works on a run now, if any.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    fn holder(&self, run: &RunKey) -> impl Future<Output = Result<Option<Owner>, Error>> + Send;
}
