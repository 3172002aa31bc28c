//! Where the records of runs lie.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::state::JournalError;

/// Which run: a plan's name and a run id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run: String,
}

impl RunKey {
    /// The run of a plan.
    #[must_use]
    pub fn new(plan: &str, run: &str) -> Self {
        Self {
            plan: plan.to_owned(),
            run: run.to_owned(),
        }
    }
}

/// Who works on a run.
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
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} (process {})", self.user, self.host, self.pid)
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

    /// What a segment is called, for people; segments are numbered from 1.
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

    /// Whether there is a segment behind one.
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
        lease: &std::sync::Arc<Self::Lease>,
        run: &RunKey,
        segment: u32,
        bytes: Vec<u8>,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

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

    /// Who works on a run now, if anybody does.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    fn holder(&self, run: &RunKey) -> impl Future<Output = Result<Option<Owner>, Error>> + Send;
}
