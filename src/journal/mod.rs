//! The durable record of a run: numbered segments of JSON lines, each created once, one runner at a time.
//!
//! `docs/journal.md` describes the format. A record is on disk before anything follows from it; a torn last record
//! is what a crash leaves and is cut off; any other damage is an error that names the byte. A segment is created and
//! never written again: a runner whose run was taken over meets a segment that it did not write, and stops.
//!
//! The first format was one file that grew. It is read as the first segment, and what follows is segments.

mod lock;
mod record;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

pub use lock::{Lock, Owner};

use crate::execute::{Journal as Append, JournalError, Recorded};
use record::Chain;

/// The segments, in a run's directory.
const FOLDER: &str = "journal";
/// What stands for the first segment in the directory of a run that was begun when a journal was one file.
const ONE_FILE: &str = "journal.jsonl";

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
    /// Something that is no file lies where the journal has one: to read it could take for ever.
    #[error("{}: it is {what}, and the journal has a file there", path.display())]
    NotAFile {
        /// Where.
        path: PathBuf,
        /// What it is.
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

/// Refuses what is there and is no file: a named pipe would be waited for.
fn refuse_no_file(path: &Path) -> Result<(), Error> {
    let what = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(metadata) if metadata.is_dir() => "a directory",
        Ok(_) => "a named pipe, a socket or a device",
        // What follows says what is wrong.
        Err(_) => return Ok(()),
    };
    let path = path.to_owned();
    Err(Error::NotAFile { path, what })
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
    /// The run's.
    directory: PathBuf,
    /// The number of the next segment.
    next: u32,
    chain: Chain,
    /// Whether what was appended has to survive the machine.
    durable: bool,
    /// Released when the journal is dropped, or the process ends however it ends.
    _lock: Lock,
}

impl Journal {
    /// Takes the run's lock, hands over what is there record by record, and cuts off a torn last one.
    ///
    /// With `take_over` a lock that somebody else holds is passed over: whoever holds it finds the next segment
    /// written, and stops.
    ///
    /// # Errors
    ///
    /// Where another runner holds the run, the disk refuses, the journal is damaged, or `take` refuses a record.
    pub fn open<E: From<Error>>(
        directory: &Path,
        owner: &Owner,
        take_over: bool,
        take: impl FnMut(Recorded) -> Result<(), E>,
    ) -> Result<Self, E> {
        let folder = directory.join(FOLDER);
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        let lock = match Lock::take(directory, owner) {
            Ok(lock) => lock,
            Err(Error::Held { .. }) if take_over => Lock::take_over(directory, owner)?,
            Err(err) => return Err(err.into()),
        };
        let whole = load(directory, take)?;
        match &whole.torn {
            Some((path, length)) if take_over => replace(path, *length)?,
            Some((path, length)) => cut_off(path, *length)?,
            None => {}
        }
        // The names of new directories have to survive as well. Not every file system can be asked.
        for directory in folder.ancestors().take(4) {
            sync(directory);
        }
        Ok(Self {
            directory: directory.to_owned(),
            next: whole.segments + 1,
            chain: whole.chain,
            durable: true,
            _lock: lock,
        })
    }

    /// The same journal of a run that nobody will take up again, such as a rehearsal: nothing waits for the disk.
    #[must_use]
    pub fn in_passing(self) -> Self {
        Self {
            durable: false,
            ..self
        }
    }
}

impl Append for Journal {
    fn append(&mut self, events: &[Recorded]) -> Result<(), JournalError> {
        let path = segment(&self.directory, self.next);
        let fail = |why: String| JournalError::Disk(format!("{}: {why}", path.display()));
        let lines = self
            .chain
            .lines(events)
            .map_err(|err| fail(err.to_string()))?;
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                refuse_no_file(&path).map_err(|err| JournalError::Disk(err.to_string()))?;
                return Err(JournalError::TakenOver);
            }
            Err(err) => return Err(fail(err.to_string())),
        };
        file.write_all(&lines)
            .map_err(|err| fail(err.to_string()))?;
        if self.durable {
            file.sync_data().map_err(|err| fail(err.to_string()))?;
            sync(&self.directory.join(FOLDER));
        }
        if !is_at(&file, &path) {
            return Err(JournalError::TakenOver);
        }
        self.next += 1;
        Ok(())
    }
}

/// What a segment is called.
fn called(number: u32) -> String {
    format!("{number:08}.jsonl")
}

/// Where a segment of a run is, or would be.
fn segment(directory: &Path, number: u32) -> PathBuf {
    let one_file = directory.join(ONE_FILE);
    if number == 1 && one_file.exists() {
        return one_file;
    }
    directory.join(FOLDER).join(called(number))
}

/// Two beginnings are two journals, and which of them is the run's is not for a program to say.
fn refuse_two_beginnings(directory: &Path) -> Result<(), Error> {
    let path = directory.join(FOLDER).join(called(1));
    if segment(directory, 1) == path || !path.exists() {
        return Ok(());
    }
    Err(Error::Damaged {
        path,
        offset: 0,
        record: 1,
        why: format!("the run begins in {ONE_FILE} already"),
    })
}

/// Cuts off what is not whole of a segment, in the room that it has: a disk may be full.
fn cut_off(path: &Path, length: usize) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|file| {
        file.set_len(length as u64)?;
        file.sync_all()
    })
    .map_err(io(path))
}

/// Puts what is whole of a segment in its place. Whoever is still writing it writes into a file that has no name any more,
/// and finds that out.
fn replace(path: &Path, length: usize) -> Result<(), Error> {
    let mut bytes = bytes_of(path)?;
    bytes.truncate(length);
    let beside = path.with_extension("new");
    refuse_no_file(&beside)?;
    File::create(&beside)
        .and_then(|mut file| {
            file.write_all(&bytes)?;
            file.sync_all()
        })
        .map_err(io(&beside))?;
    fs::rename(&beside, path).map_err(io(path))
}

/// Whether a file is the one of that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(named)) => (file.ino(), file.dev()) == (named.ino(), named.dev()),
        _ => false,
    }
}

/// Whether a file is the one of that name: elsewhere a file that is open keeps it.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Makes the names in a directory durable, where the system can.
fn sync(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

/// How far a journal was read.
#[derive(Default)]
struct Whole {
    segments: u32,
    chain: Chain,
    /// The last segment and the length of what is whole in it, where that is not all.
    torn: Option<(PathBuf, usize)>,
}

/// Segment by segment: a large run has hundreds of thousands of records, and whoever reads them keeps what it needs.
fn load<E: From<Error>>(
    directory: &Path,
    mut take: impl FnMut(Recorded) -> Result<(), E>,
) -> Result<Whole, E> {
    refuse_two_beginnings(directory)?;
    let mut whole = Whole::default();
    let Whole {
        segments,
        chain,
        torn,
    } = &mut whole;
    loop {
        let path = segment(directory, *segments + 1);
        let Some(bytes) = bytes(&path)? else {
            if !is_followed(directory, *segments + 1)? {
                return Ok(whole);
            }
            // Whoever works on the run may have written both a moment ago.
            if path.exists() {
                continue;
            }
            let damaged = Error::Damaged {
                path,
                offset: 0,
                record: chain.records() + 1,
                why: "it is missing, and later segments are there".to_owned(),
            };
            return Err(damaged.into());
        };
        if let Some((path, length)) = torn.take() {
            // Whoever works on the run may have been writing it a moment ago; by now it is written.
            let bytes = bytes_of(&path)?;
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
        let length = record::read(&bytes, 0, &path, chain, &mut take)?;
        // A segment that is empty is one that is being written, or was never.
        *torn = (length < bytes.len() || bytes.is_empty()).then_some((path, length));
        *segments += 1;
    }
}

/// Whether there is a segment behind one.
fn is_followed(directory: &Path, number: u32) -> Result<bool, Error> {
    let behind = called(number);
    // Names have one length, so that they sort as their numbers.
    Ok(names(&directory.join(FOLDER))?
        .into_iter()
        .any(|name| name.ends_with(".jsonl") && name > behind))
}

/// The bytes of a segment; none where there is no such segment.
fn bytes(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match bytes_of(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err),
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    refuse_no_file(path)?;
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(io(path))?;
    Ok(bytes)
}

/// Reads a run's journal without taking its lock, and hands it over record by record; nothing where there is none.
///
/// # Errors
///
/// Where the disk refuses, the journal is damaged, or `take` refuses a record.
pub fn each<E: From<Error>>(
    directory: &Path,
    take: impl FnMut(Recorded) -> Result<(), E>,
) -> Result<(), E> {
    load(directory, take).map(|_| ())
}

/// The same all at once.
///
/// # Errors
///
/// Where the disk refuses or the journal is damaged.
pub fn read(directory: &Path) -> Result<Vec<Recorded>, Error> {
    let mut records = Vec::new();
    each(directory, |recorded| {
        records.push(recorded);
        Ok::<(), Error>(())
    })?;
    Ok(records)
}

/// The segments of a run's journal as they lie on the disk, by their names, after they were read whole. What was begun as
/// one file has the name of the segment that it stands for: a bundle of evidence is read by these names.
///
/// # Errors
///
/// Where the disk refuses or the journal is damaged.
pub fn segments(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let whole = load(directory, |_| Ok::<(), Error>(()))?;
    (1..=whole.segments)
        .map(|number| {
            let path = segment(directory, number);
            let mut bytes = bytes_of(&path)?;
            if let Some((torn, length)) = &whole.torn
                && *torn == path
            {
                bytes.truncate(*length);
            }
            Ok((format!("{FOLDER}/{}", called(number)), bytes))
        })
        .collect()
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

/// The runs that a state directory knows, as plan and run id, sorted.
///
/// # Errors
///
/// Where the disk refuses.
pub fn runs(state: &Path) -> Result<Vec<(String, String)>, Error> {
    let mut runs = Vec::new();
    for plan in names(state)? {
        for run in names(&state.join(&plan))? {
            if [FOLDER, ONE_FILE]
                .iter()
                .any(|of| directory(state, &plan, &run).join(of).exists())
            {
                runs.push((plan.clone(), run));
            }
        }
    }
    Ok(runs)
}

/// The run of a plan that was worked on last, but for one.
#[must_use]
pub fn latest_other(state: &Path, plan: &str, run: &str) -> Option<PathBuf> {
    let others = names(&state.join(plan)).ok()?;
    others
        .iter()
        .filter(|other| *other != run)
        .map(|other| directory(state, plan, other))
        .filter_map(|directory| {
            let modified = |of| fs::metadata(directory.join(of)).ok()?.modified().ok();
            let modified = [FOLDER, ONE_FILE].into_iter().filter_map(modified).max()?;
            Some((modified, directory))
        })
        .max()
        .map(|(_, directory)| directory)
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
