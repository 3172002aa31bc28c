//! Runs in an object store: the same segments as in a directory, under keys of the same names, and a lease next to them.
//!
//! A segment is created and never written again (`If-None-Match: *`): of two runners that write the same one, one learns that
//! it is there. That is the fence, whatever a clock says. The lease is for liveness alone ([`lease`]).

mod lease;
mod memory;
mod objects;
mod probe;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::store::{Ahead, Fence, Owner, RunKey, RunStore};
use super::{Error, FOLDER, called};
use crate::backup::{Backoff, Clock as _, SystemClock, Tell, ask_all};
use crate::ids::RunId;
use crate::state::JournalError;
pub use lease::ObjectLease;
pub use memory::{MemoryObjects, Mishap, RequestCounts};
pub use objects::{Object, ObjectError, Objects, Put};
pub use probe::{ProbeVerdict, probe};

/// Default duration of a lease.
pub const LEASE: Duration = Duration::from_mins(1);
/// Time for which a store that does not answer is retried before the run stops. Its jobs go on at AWS.
const PATIENCE: Duration = Duration::from_mins(5);
/// Backoff between retries of a store that does not answer.
const BACKOFF: Backoff = Backoff {
    first: SignedDuration::from_millis(200),
    factor: 2,
    longest: SignedDuration::from_secs(5),
    jitter: 0.5,
};
/// Folder for objects of several segments, next to the journal, each under the name of the last of them.
const COMPACTED: &str = "compacted";
/// Fewer segments than this are read as they are.
const MANY: usize = 32;
/// After so many writes in vain it is said.
const SAID_AFTER: u32 = 2;
/// Segments that are read ahead: a run can have thousands, and whoever reads it keeps what it needs.
const HELD: usize = 128;

/// Ownership of something in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ownership {
    Mine,
    Lost,
    Unknown,
}

/// Runs in an object store.
#[derive(Clone)]
pub struct ObjectStore<O> {
    objects: O,
    lasts: Duration,
    patience: Duration,
    tell: Tell,
}

impl<O: Objects> ObjectStore<O> {
    /// The runs in a store. A runner that is not heard of for as long as a lease `lasts` counts as gone.
    #[must_use]
    pub fn new(objects: O, lasts: Duration) -> Self {
        Self {
            objects,
            lasts,
            patience: PATIENCE,
            tell: Arc::new(|_: &str| {}),
        }
    }

    /// The same, which asks a store that does not answer for so long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, which says where it does not answer.
    #[must_use]
    pub fn telling(self, tell: Tell) -> Self {
        Self { tell, ..self }
    }

    /// The store itself.
    #[must_use]
    pub fn objects(&self) -> &O {
        &self.objects
    }

    async fn asked<T, F>(&self, key: &str, ask: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, ObjectError>>,
    {
        asked(&self.objects, &self.tell, key, ask).await
    }

    /// The runs of a plan, sorted.
    async fn runs_of(&self, plan: &str) -> Result<Vec<RunKey>, Error> {
        let prefix = format!("{plan}/");
        let runs = self
            .asked(&prefix, || self.objects.folders(&prefix))
            .await?;
        let runs = runs.iter().map(|run| RunId::new(run.as_str()));
        Ok(runs.map(|run| RunKey::new(plan, &run)).collect())
    }

    fn key(run: &RunKey, name: &str) -> String {
        format!("{}/{}/{name}", run.plan, run.run)
    }

    fn segment(run: &RunKey, number: u32) -> String {
        Self::key(run, &format!("{FOLDER}/{}", called(number)))
    }

    /// The first segments of a run that has ended, in one object; what is behind them is in segments.
    async fn compacted(&self, run: &RunKey) -> Result<Option<Ahead>, Error> {
        let folder = Self::key(run, &format!("{COMPACTED}/"));
        let there = self
            .asked(&folder, || self.objects.keys(&folder, ""))
            .await?;
        // The last is of the most segments.
        let Some(key) = there.last() else {
            return Ok(None);
        };
        let number = key[folder.len()..].trim_end_matches(".jsonl").parse();
        let object = self.asked(key, || self.objects.get(key)).await?;
        Ok(number.ok().zip(object).map(|(number, object)| Ahead {
            number,
            bytes: object.bytes,
        }))
    }

    /// The segments behind a key, as many as one answer has and at least one where there is any. What others have put
    /// there is passed over.
    async fn segments(&self, run: &RunKey, after: &str) -> Result<Vec<String>, Error> {
        let folder = Self::key(run, &format!("{FOLDER}/"));
        let is_segment = |key: &String| {
            let number = key[folder.len()..].strip_suffix(".jsonl");
            number.is_some_and(|of| of.len() == 8 && of.bytes().all(|digit| digit.is_ascii_digit()))
        };
        let mut after = after.to_owned();
        loop {
            let asking = || self.objects.keys(&folder, &after);
            let page = self.asked(&folder, asking).await?;
            let Some(last) = page.last().cloned() else {
                return Ok(Vec::new());
            };
            let segments: Vec<String> = page.into_iter().filter(is_segment).collect();
            if !segments.is_empty() {
                return Ok(segments);
            }
            after = last;
        }
    }
}

/// Asks a store until it answers, for a while; only for what changes nothing. Where that takes long, it is said why.
async fn asked<O: Objects, T, F>(
    objects: &O,
    tell: &Tell,
    key: &str,
    ask: impl Fn() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, ObjectError>>,
{
    /// Tries before it counts as not answering.
    const TRIES: u32 = 6;
    /// Longer than what a person takes for a slow network.
    const LONG: Duration = Duration::from_secs(5);
    let began = Instant::now();
    let (mut tries, mut is_said) = (0, false);
    loop {
        tries += 1;
        let message = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(ObjectError::Unavailable(message)) if tries < TRIES => {
                if !is_said && began.elapsed() > LONG {
                    tell(&format!(
                        "{} does not answer ({message}); asking again, {} more times",
                        objects.place(),
                        TRIES - tries
                    ));
                    is_said = true;
                }
                pause(tries).await;
                continue;
            }
            Err(error) => error.to_string(),
        };
        return Err(Error::Store {
            path: format!("{}/{key}", objects.place()).into(),
            message,
        });
    }
}

/// Waits before another try, after so many tries, from one on.
async fn pause(tries: u32) {
    SystemClock
        .sleep_until(SystemClock.now() + BACKOFF.wait(tries - 1))
        .await;
}

impl<O: Objects> RunStore for ObjectStore<O> {
    type Lease = ObjectLease;

    async fn runs(&self) -> Result<Vec<RunKey>, Error> {
        let mut runs = Vec::new();
        let plans = self.asked("", || self.objects.folders("")).await?;
        let questions = plans.into_iter().map(async |plan| {
            let of = self.runs_of(&plan).await?;
            Ok::<_, Error>(of)
        });
        ask_all(questions, |of| runs.extend(of)).await?;
        runs.sort();
        Ok(runs)
    }

    async fn latest_other(&self, but: &RunKey) -> Option<RunKey> {
        // By their names: run ids are dates and quarters more often than not, and an object store has no better order that
        // costs as little.
        let runs = self.runs_of(&but.plan).await.ok()?;
        let mut others = runs.into_iter().filter(|of| of != but);
        others.next_back()
    }

    fn path(&self, run: &RunKey, segment: u32) -> PathBuf {
        format!("{}/{}", self.objects.place(), Self::segment(run, segment)).into()
    }

    async fn read(&self, run: &RunKey, segment: u32) -> Result<Option<Vec<u8>>, Error> {
        let key = Self::segment(run, segment);
        let object = self.asked(&key, || self.objects.get(&key)).await?;
        Ok(object.map(|object| object.bytes))
    }

    async fn ahead(&self, run: &RunKey, from: u32) -> Result<Vec<Ahead>, Error> {
        if from == 1
            && let Some(all) = self.compacted(run).await?
        {
            return Ok(vec![all]);
        }
        let after = Self::segment(run, from - 1);
        let there = self.segments(run, &after).await?;
        let follow = (from..)
            .zip(&there)
            .take_while(|(number, key)| Self::segment(run, *number) == **key);
        let numbers: Vec<u32> = follow.map(|(number, _)| number).take(HELD).collect();
        let questions = numbers.into_iter().map(async |number| {
            let bytes = self.read(run, number).await?;
            Ok::<_, Error>(bytes.map(|bytes| Ahead { number, bytes }))
        });
        let mut read = Vec::new();
        ask_all(questions, |ahead| read.push(ahead)).await?;
        Ok(read.into_iter().map_while(|ahead| ahead).collect())
    }

    async fn is_followed(&self, run: &RunKey, segment: u32) -> Result<bool, Error> {
        let behind = Self::segment(run, segment);
        Ok(!self.segments(run, &behind).await?.is_empty())
    }

    async fn create(
        &self,
        lease: &Arc<ObjectLease>,
        run: &RunKey,
        segment: u32,
        bytes: Vec<u8>,
    ) -> Result<(), JournalError> {
        let key = Self::segment(run, segment);
        let began = Instant::now();
        let mut tries = 0;
        let again = |tries: u32| {
            if tries > SAID_AFTER {
                (self.tell)(&format!("{} answers again", self.objects.place()));
            }
            Ok(())
        };
        loop {
            tries += 1;
            let written = self
                .objects
                .create(&key, bytes.clone(), &lease.holder)
                .await;
            let why = match written {
                Ok(Put::Done(_)) => return again(tries),
                Err(ObjectError::Denied(message)) => return Err(self.unwritten(&key, &message)),
                Ok(Put::Refused) => None,
                Err(ObjectError::Unavailable(message)) => Some(message),
            };
            // The segment may be there all the same, and be this runner's own: an answer can be lost, and two writes of
            // one key at one moment refuse each other (409).
            match self.objects.get(&key).await {
                Ok(Some(object)) if object.writer.as_deref() == Some(&lease.holder) => {
                    return again(tries);
                }
                Ok(Some(_)) => return Err(JournalError::TakenOver),
                Ok(None) => {}
                Err(ObjectError::Denied(message)) => return Err(self.unwritten(&key, &message)),
                Err(ObjectError::Unavailable(_)) => {}
            }
            if tries == SAID_AFTER {
                let why = why.as_deref().unwrap_or("it refuses, and does not have it");
                (self.tell)(&format!(
                    "{} does not take the journal ({why}); retrying for {} minutes. Running jobs continue at AWS",
                    self.objects.place(),
                    self.patience.as_secs().div_ceil(60)
                ));
            }
            if began.elapsed() >= self.patience {
                let why = why.unwrap_or_else(|| "the store neither writes nor has it".to_owned());
                return Err(self.unwritten(&key, &why));
            }
            pause(tries).await;
        }
    }

    async fn complete(&self, run: &RunKey, segment: u32, _: &[u8]) -> Result<(), Error> {
        Err(self.broken_off(run, segment, 0))
    }

    async fn cut(&self, run: &RunKey, segment: u32, length: usize, _: bool) -> Result<(), Error> {
        Err(self.broken_off(run, segment, length))
    }

    async fn lease(
        &self,
        run: &RunKey,
        owner: &Owner,
        take_over: bool,
    ) -> Result<ObjectLease, Error> {
        let key = Self::key(run, lease::KEY);
        let asking = lease::LeaseRequest {
            objects: &self.objects,
            tell: &self.tell,
            key: &key,
        };
        ObjectLease::take(asking, owner, self.lasts, take_over).await
    }

    async fn compact(&self, run: &RunKey) {
        // A short journal is read as it is.
        let first = Self::segment(run, 0);
        let count = self.segments(run, &first).await.map_or(0, |of| of.len());
        if count <= MANY {
            return;
        }
        let mut bytes = Vec::new();
        let mut next = 1;
        // Segments that cannot be read now are read one by one later.
        while let Ok(ahead) = self.ahead(run, next).await
            && let Some(last) = ahead.last()
        {
            next = last.number + 1;
            bytes.extend(ahead.into_iter().flat_map(|ahead| ahead.bytes));
        }
        let key = Self::key(run, &format!("{COMPACTED}/{}", called(next - 1)));
        let _ = self.objects.create(&key, bytes, "compacted").await;
    }

    async fn release(&self, lease: Arc<ObjectLease>) {
        lease.release().await;
    }

    fn fence(lease: &ObjectLease) -> Fence {
        lease.fence()
    }

    async fn holder(&self, run: &RunKey) -> Result<Option<Owner>, Error> {
        let key = Self::key(run, lease::KEY);
        let object = self.asked(&key, || self.objects.get(&key)).await?;
        Ok(object.as_ref().and_then(lease::holder))
    }
}

impl<O: Objects> ObjectStore<O> {
    fn broken_off(&self, run: &RunKey, segment: u32, length: usize) -> Error {
        Error::Damaged {
            path: self.path(run, segment),
            offset: length,
            record: 0,
            why: "it ends in the middle of a record, and an object is written whole".to_owned(),
        }
    }

    fn unwritten(&self, key: &str, why: &str) -> JournalError {
        JournalError::Disk(format!("{}/{key}: {why}", self.objects.place()))
    }
}
