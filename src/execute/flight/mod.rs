//! One restore of a run: what it is doing is one value. Pure: no clock, no network, no disk.

#[cfg(test)]
mod model;
mod open_request;
mod parent;
mod reconciliation;
mod retries;

use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::backup::Job;
use crate::ids::{Indexed, StepIndex};
use crate::plan::Draft;

pub(super) use open_request::{Adoption, Next, OpenRequest, ReconciliationStart, Sight};
pub(super) use parent::Parent;
pub(super) use reconciliation::{
    JobMetadata, Kin, Reconciliation, ReconciliationReason, asked_for, attempt_among, is_of, kin,
};
pub(super) use retries::Retries;

/// One restore.
pub(super) struct Flight {
    /// The attempt of this run, from 1.
    pub(super) attempt: u32,
    /// Draft of its request, for as long as somebody may ask for it.
    pub(super) draft: Option<Arc<Draft>>,
    /// Calls about it that got no good answer.
    pub(super) retries: Retries,
    /// This run has seen its job running.
    pub(super) was_seen_running: bool,
    pub(super) phase: Phase,
}

/// Phase of a restore. Its checks are tracked elsewhere, as they run alongside.
pub(super) enum Phase {
    /// Waiting, with a job that is followed, or ended.
    Quiet,
    /// Its request has no job yet.
    Open(Box<OpenRequest>),
    /// Its job has ended, and the jobs that are nested in it are being listed.
    Nested(Box<Parent>),
    /// Its job completed before this run knew of it: is what it made still there?
    LookedFor(Box<Job>),
    /// AWS Backup is being told what its checks found, after so many calls in vain.
    Publishing(u32),
}

impl Flight {
    /// Returns true if the recovery point depends on what another restore makes and so could not be looked up before
    /// the run.
    pub(super) fn becomes_known_late(&self) -> bool {
        let draft = self.draft.as_ref();
        draft.is_some_and(|draft| draft.waits_for_its_point())
    }

    /// Returns true if AWS shows whose a job of this restore is.
    pub(super) fn is_told_by_its_mark(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| draft.takes_mark)
    }

    /// The request without a job.
    pub(super) fn request(&self) -> Option<&OpenRequest> {
        match &self.phase {
            Phase::Open(open) => Some(open),
            _ => None,
        }
    }
}

/// The restores of a run, by step.
pub(super) struct Flights {
    all: Indexed<StepIndex, Flight>,
    /// Restores whose request is open: a few of thousands.
    open: BTreeSet<StepIndex>,
}

impl Flights {
    pub(super) fn new(drafts: impl IntoIterator<Item = Arc<Draft>>) -> Self {
        let waiting = |draft| Flight {
            attempt: 1,
            draft: Some(draft),
            retries: Retries::default(),
            was_seen_running: false,
            phase: Phase::Quiet,
        };
        Self {
            all: drafts.into_iter().map(waiting).collect(),
            open: BTreeSet::new(),
        }
    }

    /// Returns the number of open requests.
    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// The requests that are open.
    pub(super) fn open_requests(&self) -> impl Iterator<Item = &OpenRequest> {
        self.open
            .iter()
            .filter_map(|step| self.all[*step].request())
    }

    /// The same, to change them.
    pub(super) fn open_requests_mut(&mut self) -> impl Iterator<Item = &mut OpenRequest> {
        let all = self.all.iter_mut();
        all.filter_map(|flight| match &mut flight.phase {
            Phase::Open(open) => Some(&mut **open),
            _ => None,
        })
    }

    /// Begins a request.
    pub(super) fn open(&mut self, step: StepIndex, request: OpenRequest) {
        self.open.insert(step);
        self.all[step].phase = Phase::Open(Box::new(request));
    }

    /// Ends a request, which has its job or is not sent. Its retries are over.
    pub(super) fn close(&mut self, step: StepIndex) -> Option<OpenRequest> {
        self.all[step].retries.clear();
        self.open.remove(&step);
        self.take_request(step).map(|open| *open)
    }

    /// Takes an open request out, to be put back.
    pub(super) fn take_request(&mut self, step: StepIndex) -> Option<Box<OpenRequest>> {
        let phase = &mut self.all[step].phase;
        match std::mem::replace(phase, Phase::Quiet) {
            Phase::Open(open) => Some(open),
            other => {
                *phase = other;
                None
            }
        }
    }

    /// Puts it back.
    pub(super) fn put_request(&mut self, step: StepIndex, open: Box<OpenRequest>) {
        self.all[step].phase = Phase::Open(open);
    }
}

impl Index<StepIndex> for Flights {
    type Output = Flight;

    fn index(&self, step: StepIndex) -> &Flight {
        &self.all[step]
    }
}

impl IndexMut<StepIndex> for Flights {
    fn index_mut(&mut self, step: StepIndex) -> &mut Flight {
        &mut self.all[step]
    }
}
