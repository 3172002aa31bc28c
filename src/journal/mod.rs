//! The durable record of a run: numbered segments of JSON lines, each created once, one runner at a time.
//!
//! `docs/journal.md` describes the format. A record is kept before anything follows from it; a torn last record
//! is what a crash leaves and is cut off; any other damage is an error that names the byte. A segment is created and
//! never written again: a runner whose run was taken over meets a segment that it did not write, and stops.
//!
//! What a record is stands in `record.rs`; where records lie is a [`RunStore`].

mod bucket;
mod local;
mod local_lock;
mod memory;
mod record;
mod store;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use bucket::{
    LEASE, MemoryObjects, Mishap, Object, ObjectError, ObjectLease, ObjectStore, Objects,
    ProbeVerdict, Put, RequestCounts, probe,
};
pub use local::LocalStore;
pub use memory::MemoryStore;
pub use store::{Ahead, Fence, Owner, RunKey, RunStore};

use crate::backup::ask_all;
use crate::state::{Append, JournalError, Recorded};
use record::Chain;

/// The segments of a run: a folder of its directory, and of a bundle of evidence.
const FOLDER: &str = "journal";

/// Error of a journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else works on this run.
    #[error("{owner} holds this run since {}", owner.since.strftime("%Y-%m-%d %H:%M UTC"))]
    Held {
        /// Who.
        owner: Box<Owner>,
    },
    /// The disk, or its permissions.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// A store that does not answer, or refuses the caller.
    #[error("{}: {message}", path.display())]
    Store {
        /// Path that was asked for.
        path: PathBuf,
        /// Message of the store.
        message: String,
    },
    /// Something that is no file lies where the journal has one: to read it could take for ever.
    #[error("{}: it is {what}, and the journal has a file there", path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
        /// Kind of what is there instead.
        what: &'static str,
    },
    /// Bytes that redrill did not write.
    #[error("{}: damaged at byte {offset} (record {record}): {why}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// From the beginning of the segment.
        offset: usize,
        /// From 1.
        record: usize,
        /// Description of the damage.
        why: String,
    },
    /// A journal of a later redrill: it is neither read nor written.
    #[error("{}: this journal has format {version}, and this redrill knows formats up to {}", path.display(), record::VERSION)]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
}

/// Refuses what is there and is no file: a named pipe would be waited for.
fn refuse_no_file(path: &Path) -> Result<(), Error> {
    let what = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(metadata) if metadata.is_dir() => "a directory",
        Ok(_) => "a named pipe, a socket or a device",
        // The next operation reports what is wrong.
        Err(_) => return Ok(()),
    };
    let path = path.to_owned();
    Err(Error::NotAFile { path, what })
}

fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

/// The journal of a run that this process may write.
pub struct Journal<S: RunStore> {
    store: S,
    run: RunKey,
    /// The number of the next segment.
    next: u32,
    chain: Chain,
    /// Given back when the journal is dropped, or the process ends however it ends.
    lease: Arc<S::Lease>,
}

impl<S: RunStore> Journal<S> {
    /// Takes a run, hands over what is there record by record, and cuts off a torn last one.
    ///
    /// With `take_over` somebody else who holds it is passed over: they find the next segment written, and stop.
    ///
    /// # Errors
    ///
    /// Where another runner holds the run, the store refuses, the journal is damaged, or `take` refuses a record.
    pub async fn open<E: From<Error>>(
        store: &S,
        run: &RunKey,
        owner: &Owner,
        take_over: bool,
        take: impl FnMut(Recorded) -> Result<(), E>,
    ) -> Result<Self, E> {
        let lease = store.lease(run, owner, take_over).await?;
        let whole = load(store, run, take).await?;
        if let Some((segment, length)) = whole.torn {
            store.cut(run, segment, length, take_over).await?;
        }
        Ok(Self {
            store: store.clone(),
            run: run.clone(),
            next: whole.segments + 1,
            chain: whole.chain,
            lease: Arc::new(lease),
        })
    }
}

impl<S: RunStore> Journal<S> {
    /// Fence that keeps this process from sending anything once the run may be another's.
    #[must_use]
    pub fn fence(&self) -> Fence {
        S::fence(&self.lease)
    }

    /// Returns the handle that gives the run back: ask for it before the journal is handed to its writer.
    #[must_use]
    pub fn held(&self) -> Held<S> {
        Held {
            store: self.store.clone(),
            lease: Arc::clone(&self.lease),
        }
    }
}

/// A run that is held.
pub struct Held<S: RunStore> {
    store: S,
    lease: Arc<S::Lease>,
}

impl<S: RunStore> Held<S> {
    /// Gives it back, and is done once others know.
    pub async fn release(self) {
        self.store.release(self.lease).await;
    }
}

impl<S: RunStore> Append for Journal<S> {
    async fn append(&mut self, events: &[Recorded]) -> Result<(), JournalError> {
        let (run, segment) = (&self.run, self.next);
        let lines = self.chain.lines(events).map_err(|err| {
            let path = self.store.path(run, segment);
            JournalError::Disk(format!("{}: {err}", path.display()))
        })?;
        self.store.create(&self.lease, run, segment, lines).await?;
        self.next += 1;
        Ok(())
    }
}

/// Returns the file name of a segment.
fn called(number: u32) -> String {
    format!("{number:08}.jsonl")
}

/// Extent to which a journal was read.
#[derive(Default)]
struct Whole {
    segments: u32,
    chain: Chain,
    /// The last segment and the length of what is whole in it, where that is not all.
    torn: Option<(u32, usize)>,
}

/// Segment by segment: a large run has hundreds of thousands of records, and whoever reads them keeps what it needs.
async fn load<E: From<Error>>(
    store: &impl RunStore,
    run: &RunKey,
    mut take: impl FnMut(Recorded) -> Result<(), E>,
) -> Result<Whole, E> {
    let mut whole = Whole::default();
    let Whole {
        segments,
        chain,
        torn,
    } = &mut whole;
    let mut ahead = VecDeque::new();
    loop {
        let next = *segments + 1;
        if ahead.is_empty() {
            ahead.extend(store.ahead(run, next).await?);
        }
        let Some(Ahead { number, bytes }) = ahead.pop_front() else {
            if !store.is_followed(run, next).await? {
                return Ok(whole);
            }
            // Whoever works on the run may have written both a moment ago.
            if store.read(run, next).await?.is_some() {
                continue;
            }
            let damaged = Error::Damaged {
                path: store.path(run, next),
                offset: 0,
                record: chain.records() + 1,
                why: "it is missing, and later segments are there: where `redrill state copy` was interrupted, repeat it"
                    .to_owned(),
            };
            return Err(damaged.into());
        };
        if let Some((segment, length)) = torn.take() {
            // Whoever works on the run may have been writing it a moment ago; by now it is written.
            let path = store.path(run, segment);
            let bytes = store.read(run, segment).await?.unwrap_or_default();
            let length = record::read(&bytes, length, &path, chain, &mut take)?;
            if length < bytes.len() {
                let damaged = Error::Damaged {
                    path,
                    offset: length,
                    record: chain.records() + 1,
                    why: "it ends in the middle of a record, and is not the last segment"
                        .to_owned(),
                };
                return Err(damaged.into());
            }
        }
        let path = store.path(run, next);
        let length = record::read(&bytes, 0, &path, chain, &mut take)?;
        // A segment that is empty is one that is being written, or was never.
        *torn = (length < bytes.len() || bytes.is_empty()).then_some((next, length));
        *segments = number;
    }
}

/// Reads a run's journal without holding the run, and hands it over record by record; nothing where there is none.
///
/// # Errors
///
/// Where the store does not answer, the journal is damaged, or `take` refuses a record.
pub async fn each<E: From<Error>>(
    store: &impl RunStore,
    run: &RunKey,
    take: impl FnMut(Recorded) -> Result<(), E>,
) -> Result<(), E> {
    load(store, run, take).await.map(|_| ())
}

/// The same all at once.
///
/// # Errors
///
/// Where the store does not answer or the journal is damaged.
pub async fn read(store: &impl RunStore, run: &RunKey) -> Result<Vec<Recorded>, Error> {
    let mut records = Vec::new();
    let take = |recorded| {
        records.push(recorded);
        Ok::<(), Error>(())
    };
    each(store, run, take).await?;
    Ok(records)
}

/// The segments of a run's journal as they are kept, by their names, after they were read whole. What was begun as
/// one file has the name of the segment that it stands for: a bundle of evidence is read by these names.
///
/// # Errors
///
/// Where the store does not answer or the journal is damaged.
pub async fn segments(
    store: &impl RunStore,
    run: &RunKey,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let whole = load(store, run, |_| Ok::<(), Error>(())).await?;
    let mut segments = Vec::new();
    let questions = (1..=whole.segments).map(async |number| {
        let mut bytes = store.read(run, number).await?.unwrap_or_default();
        if let Some((torn, length)) = whole.torn
            && torn == number
        {
            bytes.truncate(length);
        }
        Ok::<_, Error>((format!("{FOLDER}/{}", called(number)), bytes))
    });
    ask_all(questions, |segment| segments.push(segment)).await?;
    Ok(segments)
}

/// Segments with something else in them, record by record, and a chain of sums of their own.
///
/// # Errors
///
/// Where they are not what a journal wrote.
pub fn rewritten(
    segments: &[(String, Vec<u8>)],
    change: impl Fn(Recorded) -> Recorded,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let (mut old, mut new) = (Chain::default(), Chain::default());
    let one = |(name, bytes): &(String, Vec<u8>)| {
        let path = PathBuf::from(name);
        let mut records = Vec::new();
        record::read(bytes, 0, &path, &mut old, &mut |recorded| {
            records.push(change(recorded));
            Ok::<(), Error>(())
        })?;
        let lines = new.lines(&records).map_err(|err| Error::Damaged {
            path,
            offset: 0,
            record: old.records(),
            why: err.to_string(),
        })?;
        Ok((name.clone(), lines))
    };
    segments.iter().map(one).collect()
}

/// Reads segments that lie elsewhere, in their order: the chain of sums has to hold from the first record to the last.
///
/// # Errors
///
/// Where it does not.
pub fn parse<'a>(
    segments: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<Recorded>, Error> {
    let mut chain = Chain::default();
    let mut records = Vec::new();
    for (at, (name, bytes)) in segments.into_iter().enumerate() {
        let path = PathBuf::from(name);
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let length = record::read(bytes, 0, &path, &mut chain, &mut |recorded| {
            records.push(recorded);
            Ok::<(), Error>(())
        })?;
        let is_next = path.file_name().is_some_and(|is| *is == *called(number));
        if !is_next || length < bytes.len() {
            return Err(Error::Damaged {
                path,
                offset: length,
                record: records.len() + 1,
                why: if is_next {
                    "it ends in the middle of a record".to_owned()
                } else {
                    format!("it is not segment {number}")
                },
            });
        }
    }
    Ok(records)
}
