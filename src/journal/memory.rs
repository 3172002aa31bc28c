//! Runs in memory, for tests and for runs that nobody wants to keep.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store::{Owner, RunKey, RunStore};
use super::{Error, called};
use crate::state::JournalError;

/// Runs in memory; copies share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    runs: Arc<Mutex<BTreeMap<RunKey, MemoryRun>>>,
}

#[derive(Debug, Default)]
struct MemoryRun {
    segments: BTreeMap<u32, Vec<u8>>,
    held_by: Option<Owner>,
    /// The lease that counts; one that was taken over does not.
    lease: u64,
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct MemoryLease {
    store: MemoryStore,
    run: RunKey,
    number: u64,
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        if let Some(kept) = self.store.kept().get_mut(&self.run)
            && kept.lease == self.number
        {
            kept.held_by = None;
        }
    }
}

impl MemoryStore {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<RunKey, MemoryRun>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunStore for MemoryStore {
    type Lease = MemoryLease;

    async fn runs(&self) -> Result<Vec<RunKey>, Error> {
        Ok(self.kept().keys().cloned().collect())
    }

    async fn latest_other(&self, but: &RunKey) -> Option<RunKey> {
        let kept = self.kept();
        let mut others = kept.keys().filter(|of| of.plan == but.plan && *of != but);
        others.next_back().cloned()
    }

    fn path(&self, run: &RunKey, segment: u32) -> PathBuf {
        ["memory", &run.plan, run.run.as_str(), &called(segment)]
            .iter()
            .collect()
    }

    async fn read(&self, run: &RunKey, segment: u32) -> Result<Option<Vec<u8>>, Error> {
        let kept = self.kept();
        Ok(kept
            .get(run)
            .and_then(|run| run.segments.get(&segment).cloned()))
    }

    async fn is_followed(&self, run: &RunKey, segment: u32) -> Result<bool, Error> {
        let kept = self.kept();
        let last = kept
            .get(run)
            .and_then(|run| run.segments.keys().next_back());
        Ok(last.is_some_and(|last| *last > segment))
    }

    async fn create(
        &self,
        _: &Arc<MemoryLease>,
        run: &RunKey,
        segment: u32,
        bytes: Vec<u8>,
    ) -> Result<(), JournalError> {
        let mut kept = self.kept();
        let segments = &mut kept.entry(run.clone()).or_default().segments;
        if segments.contains_key(&segment) {
            return Err(JournalError::TakenOver);
        }
        segments.insert(segment, bytes);
        Ok(())
    }

    async fn complete(&self, run: &RunKey, segment: u32, bytes: &[u8]) -> Result<(), Error> {
        let mut kept = self.kept();
        let segments = &mut kept.entry(run.clone()).or_default().segments;
        segments.insert(segment, bytes.to_vec());
        Ok(())
    }

    async fn cut(&self, run: &RunKey, segment: u32, length: usize, _: bool) -> Result<(), Error> {
        let mut kept = self.kept();
        if let Some(bytes) = kept
            .get_mut(run)
            .and_then(|run| run.segments.get_mut(&segment))
        {
            bytes.truncate(length);
        }
        Ok(())
    }

    async fn lease(
        &self,
        run: &RunKey,
        owner: &Owner,
        take_over: bool,
    ) -> Result<MemoryLease, Error> {
        let mut kept = self.kept();
        let of = kept.entry(run.clone()).or_default();
        if let Some(owner) = of.held_by.clone().filter(|_| !take_over) {
            let owner = Box::new(owner);
            return Err(Error::Held { owner });
        }
        of.held_by = Some(owner.clone());
        of.lease += 1;
        Ok(MemoryLease {
            store: self.clone(),
            run: run.clone(),
            number: of.lease,
        })
    }

    async fn holder(&self, run: &RunKey) -> Result<Option<Owner>, Error> {
        let kept = self.kept();
        Ok(kept.get(run).and_then(|run| run.held_by.clone()))
    }
}
