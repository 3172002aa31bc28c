//! Objects in memory: a store as it should be, and every way in which one is not, for tests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::objects::{Object, ObjectError, Objects, Put};

/// Objects in memory; copies share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryObjects {
    kept: Arc<Mutex<MemoryBucket>>,
}

#[derive(Debug, Default)]
struct MemoryBucket {
    objects: BTreeMap<String, Object>,
    versions: u64,
    /// Writes, by what becomes of each; what is not said works.
    writes: VecDeque<Mishap>,
    reads: VecDeque<Mishap>,
    ignores_conditions: bool,
    /// Keys of one answer.
    page: Option<usize>,
    counts: RequestCounts,
}

/// Number of requests to a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// For objects.
    pub gets: u64,
    /// To write.
    pub puts: u64,
    /// For keys.
    pub lists: u64,
}

/// Outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Success.
    None,
    /// 500, 503 SlowDown, a reset or silence before anything was done.
    Before,
    /// A reset or silence after it was done: the answer is lost.
    After,
    /// 409: somebody writes the same key at the same moment.
    Conflict,
    /// 403, 404 of the bucket, credentials that have expired.
    Denied,
}

impl MemoryObjects {
    /// Sets the outcome of the next writes, one after another.
    pub fn disturb_writes(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        self.kept().writes.extend(mishaps);
    }

    /// Sets the outcome of the next reads.
    pub fn disturb_reads(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        self.kept().reads.extend(mishaps);
    }

    /// From now on conditions are ignored, as by stores that do not know the headers.
    pub fn ignore_conditions(&self) {
        self.kept().ignores_conditions = true;
    }

    /// Answers with so many keys at once.
    pub fn page_by(&self, keys: usize) {
        self.kept().page = Some(keys);
    }

    /// Returns the number of requests.
    #[must_use]
    pub fn counts(&self) -> RequestCounts {
        self.kept().counts
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let kept = self.kept();
        let objects = kept.objects.iter();
        objects
            .map(|(key, of)| (key.clone(), of.bytes.clone()))
            .collect()
    }

    /// Puts something there past every condition, as somebody with other tools would.
    pub fn put(&self, key: &str, bytes: Vec<u8>) {
        self.kept().write(key, bytes, None);
    }

    fn kept(&self) -> MutexGuard<'_, MemoryBucket> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryBucket {
    fn write(&mut self, key: &str, bytes: Vec<u8>, writer: Option<&str>) -> String {
        self.versions += 1;
        let etag = format!("\"{}\"", self.versions);
        let object = Object {
            bytes,
            etag: etag.clone(),
            writer: writer.map(str::to_owned),
        };
        self.objects.insert(key.to_owned(), object);
        etag
    }

    fn conditional(
        &mut self,
        key: &str,
        bytes: Vec<u8>,
        writer: &str,
        holds: impl Fn(Option<&Object>) -> bool,
    ) -> Result<Put, ObjectError> {
        self.counts.puts += 1;
        let mishap = self.writes.pop_front().unwrap_or(Mishap::None);
        match mishap {
            Mishap::Before => return Err(unavailable()),
            Mishap::Denied => {
                return Err(ObjectError::Denied(
                    "Access Denied (AccessDenied)".to_owned(),
                ));
            }
            Mishap::Conflict => return Ok(Put::Refused),
            Mishap::None | Mishap::After => {}
        }
        let put = match self.ignores_conditions || holds(self.objects.get(key)) {
            true => Put::Done(self.write(key, bytes, Some(writer))),
            false => Put::Refused,
        };
        match mishap {
            Mishap::After => Err(unavailable()),
            _ => Ok(put),
        }
    }

    fn read(&mut self) -> Result<(), ObjectError> {
        match self.reads.pop_front().unwrap_or(Mishap::None) {
            Mishap::None => Ok(()),
            Mishap::Denied => Err(ObjectError::Denied(
                "Access Denied (AccessDenied)".to_owned(),
            )),
            Mishap::Before | Mishap::After | Mishap::Conflict => Err(unavailable()),
        }
    }
}

fn unavailable() -> ObjectError {
    ObjectError::Unavailable("no answer in time".to_owned())
}

impl Objects for MemoryObjects {
    fn place(&self) -> String {
        "memory:".to_owned()
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, ObjectError> {
        let mut kept = self.kept();
        kept.counts.gets += 1;
        kept.read()?;
        Ok(kept.objects.get(key).cloned())
    }

    async fn create(&self, key: &str, bytes: Vec<u8>, writer: &str) -> Result<Put, ObjectError> {
        self.kept()
            .conditional(key, bytes, writer, |there| there.is_none())
    }

    async fn replace(
        &self,
        key: &str,
        bytes: Vec<u8>,
        writer: &str,
        etag: &str,
    ) -> Result<Put, ObjectError> {
        let is_it = |there: Option<&Object>| there.is_some_and(|there| there.etag == etag);
        self.kept().conditional(key, bytes, writer, is_it)
    }

    async fn folders(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let mut kept = self.kept();
        kept.counts.lists += 1;
        kept.read()?;
        let names = kept.objects.keys().filter_map(|key| {
            let (name, _) = key.strip_prefix(prefix)?.split_once('/')?;
            Some(name.to_owned())
        });
        let mut names: Vec<String> = names.collect();
        names.dedup();
        Ok(names)
    }

    async fn keys(&self, prefix: &str, after: &str) -> Result<Vec<String>, ObjectError> {
        let mut kept = self.kept();
        kept.counts.lists += 1;
        kept.read()?;
        let page = kept.page.unwrap_or(1000);
        let keys = kept.objects.keys();
        let keys = keys.filter(|key| key.starts_with(prefix) && key.as_str() > after);
        Ok(keys.take(page).cloned().collect())
    }
}
