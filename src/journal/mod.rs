//! The durable record of a run: one file of JSON lines, one runner at a time.
//!
//! `docs/journal.md` describes the format. A record is on disk before anything follows from it; a torn last record
//! is what a crash leaves and is cut off; any other damage is an error that names the byte.

mod lock;
mod record;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub use lock::{Lock, Owner};

use crate::execute::{Journal as Append, JournalError, Recorded};
use record::Chain;

/// The file in a run's directory.
const FILE: &str = "journal.jsonl";

/// What can be wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else works on this run.
    #[error("{owner} holds this run since {}", owner.since)]
    Held {
        /// Who.
        owner: Box<Owner>,
    },
    /// The disk, or its permissions.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Bytes that redrill did not write.
    #[error("{}: damaged at byte {offset} (record {record}): {why}", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// From the beginning of the file.
        offset: usize,
        /// From 1.
        record: usize,
        /// What was expected.
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

fn io(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

/// Where the runs of a plan are kept: `<state>/<plan>/<run>/`.
#[must_use]
pub fn directory(state: &Path, plan: &str, run: &str) -> PathBuf {
    state.join(plan).join(run)
}

/// The journal of a run that this process may write.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    chain: Chain,
    /// Released when the journal is dropped, or the process ends however it ends.
    _lock: Lock,
}

impl Journal {
    /// Takes the run's lock, reads what is there, and cuts off a torn last record.
    ///
    /// # Errors
    ///
    /// Where another runner holds the run, the disk refuses, or the journal is damaged.
    pub fn open(directory: &Path, owner: &Owner) -> Result<(Self, Vec<Recorded>), Error> {
        fs::create_dir_all(directory).map_err(io(directory))?;
        let lock = Lock::take(directory, owner)?;
        let path = directory.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(io(&path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io(&path))?;
        let (chain, records, whole) = record::read(&bytes, &path)?;
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io(&path))?;
            file.sync_all().map_err(io(&path))?;
        }
        file.seek(SeekFrom::End(0)).map_err(io(&path))?;
        // The names of the new file and directories have to survive as well. Not every file system can be asked.
        for directory in directory.ancestors().take(3) {
            let _ = File::open(directory).and_then(|directory| directory.sync_all());
        }
        let journal = Self {
            file,
            path,
            chain,
            _lock: lock,
        };
        Ok((journal, records))
    }
}

impl Append for Journal {
    fn append(&mut self, events: &[Recorded]) -> Result<(), JournalError> {
        let fail = |why: String| JournalError(format!("{}: {why}", self.path.display()));
        let lines = self
            .chain
            .lines(events)
            .map_err(|err| fail(err.to_string()))?;
        self.file
            .write_all(&lines)
            .and_then(|()| self.file.sync_data())
            .map_err(|err| fail(err.to_string()))
    }
}

/// Reads a run's journal without taking its lock; nothing where there is none.
///
/// # Errors
///
/// Where the disk refuses or the journal is damaged.
pub fn read(directory: &Path) -> Result<Vec<Recorded>, Error> {
    let path = directory.join(FILE);
    let mut bytes = Vec::new();
    match File::open(&path) {
        Ok(mut file) => file.read_to_end(&mut bytes).map_err(io(&path))?,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(io(&path)(err)),
    };
    record::read(&bytes, &path).map(|(_, records, _)| records)
}

/// The runs that a state directory knows, as plan and run id, sorted.
///
/// # Errors
///
/// Where the disk refuses.
pub fn runs(state: &Path) -> Result<Vec<(String, String)>, Error> {
    let mut runs = Vec::new();
    for plan in names(state)? {
        for run in names(&state.join(&plan))? {
            if directory(state, &plan, &run).join(FILE).exists() {
                runs.push((plan.clone(), run));
            }
        }
    }
    Ok(runs)
}

/// Who works on a run now, if anybody does.
///
/// # Errors
///
/// Where the disk refuses.
pub fn holder(directory: &Path) -> Result<Option<Owner>, Error> {
    lock::holder(directory)
}

fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(err)
            if matches!(
                err.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(err) => return Err(io(directory)(err)),
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}
