//! Runs in a directory: `<state>/<plan>/<run>/journal/00000001.jsonl` and so on, and a lock beside them.
//!
//! The first format was one file that grew, `journal.jsonl`. It is read as the first segment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::local_lock::{self, LocalLock};
use super::store::{Owner, RunKey, RunStore};
use super::{Error, FOLDER, called, refuse_no_file};
use crate::ids::RunId;
use crate::state::JournalError;

/// File in place of the first segment, in the directory of a run that was begun when a journal was one file.
const ONE_FILE: &str = "journal.jsonl";

/// Runs in a directory.
#[derive(Clone, Debug)]
pub struct LocalStore {
    state: PathBuf,
    /// True if what is created has to survive a crash of the machine.
    is_durable: bool,
}

impl LocalStore {
    /// The runs in a directory, which need not be there yet.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            is_durable: true,
        }
    }

    /// The same for runs that nobody will take up again, such as a rehearsal: nothing waits for the disk.
    #[must_use]
    pub fn in_passing(self) -> Self {
        Self {
            is_durable: false,
            ..self
        }
    }

    /// Returns the directory.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    fn directory(&self, run: &RunKey) -> PathBuf {
        self.state.join(&run.plan).join(run.run.as_str())
    }

    fn folder(&self, run: &RunKey) -> PathBuf {
        self.directory(run).join(FOLDER)
    }

    /// Two beginnings are two journals, and which of them is the run's is not for a program to say.
    fn refuse_two_beginnings(&self, run: &RunKey) -> Result<(), Error> {
        let path = self.folder(run).join(called(1));
        if self.path(run, 1) == path || !path.exists() {
            return Ok(());
        }
        Err(Error::Damaged {
            path,
            offset: 0,
            record: 1,
            why: format!("the run begins in {ONE_FILE} already"),
        })
    }
}

impl RunStore for LocalStore {
    type Lease = LocalLock;

    async fn runs(&self) -> Result<Vec<RunKey>, Error> {
        let mut runs = Vec::new();
        for plan in names(&self.state)? {
            for run in names(&self.state.join(&plan))? {
                let key = RunKey::new(&plan, &RunId::new(run));
                let directory = self.directory(&key);
                if [FOLDER, ONE_FILE]
                    .iter()
                    .any(|of| directory.join(of).exists())
                {
                    runs.push(key);
                }
            }
        }
        Ok(runs)
    }

    async fn latest_other(&self, but: &RunKey) -> Option<RunKey> {
        let others = names(&self.state.join(&but.plan)).ok()?;
        others
            .into_iter()
            .map(RunId::new)
            .filter(|other| *other != but.run)
            .map(|other| RunKey::new(&but.plan, &other))
            .filter_map(|other| {
                let directory = self.directory(&other);
                let modified = |of| fs::metadata(directory.join(of)).ok()?.modified().ok();
                let modified = [FOLDER, ONE_FILE].into_iter().filter_map(modified).max()?;
                Some((modified, other))
            })
            .max()
            .map(|(_, other)| other)
    }

    fn path(&self, run: &RunKey, segment: u32) -> PathBuf {
        let one_file = self.directory(run).join(ONE_FILE);
        if segment == 1 && one_file.exists() {
            return one_file;
        }
        self.folder(run).join(called(segment))
    }

    async fn read(&self, run: &RunKey, segment: u32) -> Result<Option<Vec<u8>>, Error> {
        if segment == 1 {
            self.refuse_two_beginnings(run)?;
        }
        match bytes_of(&self.path(run, segment)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(err),
        }
    }

    async fn is_followed(&self, run: &RunKey, segment: u32) -> Result<bool, Error> {
        let behind = called(segment);
        // Names have one length, so that they sort as their numbers.
        Ok(names(&self.folder(run))?
            .into_iter()
            .any(|name| name.ends_with(".jsonl") && name > behind))
    }

    async fn create(
        &self,
        lease: &Arc<LocalLock>,
        run: &RunKey,
        segment: u32,
        bytes: Vec<u8>,
    ) -> Result<(), JournalError> {
        let path = self.path(run, segment);
        if !self.is_durable {
            return create(&path, &bytes, false);
        }
        // A disk takes its time, and there is other work. The run is held until it is done, whoever waits for that.
        let held = Arc::clone(lease);
        let write = move || {
            let created = create(&path, &bytes, true);
            drop(held);
            created
        };
        let created = tokio::task::spawn_blocking(write).await;
        created.map_err(|err| JournalError::Disk(err.to_string()))?
    }

    async fn complete(&self, run: &RunKey, segment: u32, bytes: &[u8]) -> Result<(), Error> {
        replace(&self.path(run, segment), bytes)
    }

    async fn cut(
        &self,
        run: &RunKey,
        segment: u32,
        length: usize,
        take_over: bool,
    ) -> Result<(), Error> {
        let path = self.path(run, segment);
        match take_over {
            true => {
                let mut bytes = bytes_of(&path)?;
                bytes.truncate(length);
                replace(&path, &bytes)
            }
            false => cut_off(&path, length),
        }
    }

    async fn lease(
        &self,
        run: &RunKey,
        owner: &Owner,
        take_over: bool,
    ) -> Result<LocalLock, Error> {
        let (directory, folder) = (self.directory(run), self.folder(run));
        fs::create_dir_all(&folder).map_err(super::io(&folder))?;
        let lock = match LocalLock::take(&directory, owner) {
            Err(Error::Held { .. }) if take_over => LocalLock::take_over(&directory, owner)?,
            lock => lock?,
        };
        // The names of new directories have to survive as well. Not every file system can be asked.
        for directory in folder.ancestors().take(4) {
            sync(directory);
        }
        Ok(lock)
    }

    async fn holder(&self, run: &RunKey) -> Result<Option<Owner>, Error> {
        local_lock::holder(&self.directory(run))
    }
}

/// Creates a segment; once it is on the disk, where it has to survive the machine.
fn create(path: &Path, bytes: &[u8], is_durable: bool) -> Result<(), JournalError> {
    let fail = |err: io::Error| JournalError::Disk(format!("{}: {err}", path.display()));
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
            refuse_no_file(path).map_err(|err| JournalError::Disk(err.to_string()))?;
            return Err(JournalError::TakenOver);
        }
        Err(err) => return Err(fail(err)),
    };
    file.write_all(bytes).map_err(fail)?;
    if is_durable {
        file.sync_data().map_err(fail)?;
        if let Some(folder) = path.parent() {
            sync(folder);
        }
    }
    if !is_at(&file, path) {
        return Err(JournalError::TakenOver);
    }
    Ok(())
}

/// Cuts off what is not whole of a segment, in the room that it has: a disk may be full.
fn cut_off(path: &Path, length: usize) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|file| {
        file.set_len(length as u64)?;
        file.sync_all()
    })
    .map_err(super::io(path))
}

/// Puts other bytes in the place of a segment. Whoever is still writing it writes into a file that has no name any more, and
/// finds that out.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    refuse_no_file(&beside)?;
    File::create(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(super::io(&beside))?;
    fs::rename(&beside, path).map_err(super::io(path))
}

/// Returns true if `file` is still the one at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(named)) => (file.ino(), file.dev()) == (named.ino(), named.dev()),
        _ => false,
    }
}

/// Returns true if `path` is still there: outside Unix, an open file keeps its name.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Makes the names in a directory durable, where the system can.
fn sync(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    refuse_no_file(path)?;
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(super::io(path))?;
    Ok(bytes)
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
        Err(err) => return Err(super::io(directory)(err)),
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}
