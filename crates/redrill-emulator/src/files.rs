//! The two files that an emulator writes when it is told to: the log of requests and the record of jobs. JSON lines.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::course::JobFault;
use super::validation::ValidationResult;

/// A file that lines are added to.
#[derive(Debug)]
pub(super) struct Lines(Mutex<File>);

impl Lines {
    /// Opens or makes the file; what is in it stays.
    pub(super) fn append(path: &Path) -> io::Result<Lines> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Lines(Mutex::new(file)))
    }

    /// Adds a line, whole or not at all as far as the system can.
    pub(super) fn add(&self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = file.metadata()?.len();
        let written = file.write_all(&text);
        if written.is_err() {
            // A part of a line would spoil the next one. What is no file cannot be cut, and need not be.
            let _ = file.set_len(length);
        }
        written
    }
}

impl Drop for Lines {
    /// A child that is just being started has every file of its parent's open until it is another program: closing this one
    /// alone would leave it locked for that long.
    fn drop(&mut self) {
        let file = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = file.unlock();
    }
}

/// One request, in the log. Metadata may hold secrets, so that bodies are not logged.
#[derive(Debug, Serialize)]
pub(super) struct Logged<'a> {
    /// In the emulator's time.
    pub(super) at: Timestamp,
    pub(super) request_id: &'a str,
    pub(super) operation: Option<&'static str>,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) account: &'a str,
    pub(super) region: Option<&'a str>,
    /// None when no answer was sent.
    pub(super) status: Option<u16>,
    pub(super) error: Option<&'a str>,
    /// Fault that a script applied to it.
    pub(super) fault: Option<String>,
}

/// Entry remembered over a restart: requests that made jobs, to be done again at their time. The first line is the
/// format's version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    Format(u32),
    Started {
        at: Timestamp,
        account: String,
        region: String,
        body: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<JobFault>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        forget_token: bool,
    },
    Validated {
        at: Timestamp,
        account: String,
        region: Option<String>,
        job: String,
        result: ValidationResult,
    },
    /// A resource was asked to be deleted.
    Deleted {
        at: Timestamp,
        account: String,
        arn: String,
    },
    RecoveryPointDeleted {
        at: Timestamp,
        account: String,
        region: Option<String>,
        arn: String,
    },
    AccessPointCreated {
        at: Timestamp,
        account: String,
        region: String,
        body: String,
    },
    AccessPointDeleted {
        at: Timestamp,
        account: String,
        arn: String,
    },
    /// The clock at the end, which goes on from there.
    Stopped {
        at: Timestamp,
    },
}

const FORMAT: u32 = 1;
/// The line that a new record begins with; a crash may have left a part of it.
const NEW: &[u8] = b"{\"format\":1}\n";

impl Record {
    pub(super) fn at(&self) -> Option<Timestamp> {
        match self {
            Record::Format(_) => None,
            Record::Started { at, .. }
            | Record::Validated { at, .. }
            | Record::Deleted { at, .. }
            | Record::RecoveryPointDeleted { at, .. }
            | Record::AccessPointCreated { at, .. }
            | Record::AccessPointDeleted { at, .. }
            | Record::Stopped { at } => Some(*at),
        }
    }
}

/// Opens the record of an emulator, keeps others out of it, and reads what is in it. A last line that a crash tore is cut off; any other damage is
/// an error that names the line.
pub(super) fn open_state(path: &Path) -> io::Result<(Lines, Vec<Record>)> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    private(&mut options);
    let mut file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    make_private(&file)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let kind = io::ErrorKind::ResourceBusy;
            return Err(io::Error::new(kind, "another emulator is using it"));
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let length = bytes.len();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.map_or(0, |end| end + 1);
    // A file of somebody else's is left as it is.
    if whole == 0 && !bytes.is_empty() && !NEW.starts_with(&bytes) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "line 1: it is not a record of an emulator",
        ));
    }
    bytes.truncate(whole);
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let words = format!("line {line}: it is not UTF-8");
        io::Error::new(io::ErrorKind::InvalidData, words)
    })?;
    let mut records = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let damaged = |why: &dyn std::fmt::Display| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("line {}: {why}", index + 1),
            )
        };
        let record = match serde_json::from_str(line) {
            Ok(record) => record,
            Err(_) if index == 0 => return Err(damaged(&"it is not a record of an emulator")),
            Err(error) => return Err(damaged(&error)),
        };
        match record {
            Record::Format(FORMAT) if index == 0 => {}
            Record::Format(other) => {
                return Err(damaged(&format!("format {other} is not known here")));
            }
            _ if index == 0 => return Err(damaged(&"it does not say its format")),
            record => records.push(record),
        }
    }
    if whole < length {
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
    }
    let lines = Lines(Mutex::new(file));
    if whole == 0 {
        lines.add(&Record::Format(FORMAT))?;
    }
    Ok((lines, records))
}

/// A new file is its owner's alone: metadata may hold secrets.
#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
}

/// And so is one that an earlier version made for everyone to read.
#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    match file.metadata()?.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => file.set_permissions(std::fs::Permissions::from_mode(0o600)),
    }
}

#[cfg(not(unix))]
fn private(_options: &mut OpenOptions) {}

#[cfg(not(unix))]
fn make_private(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        (directory, path)
    }

    fn put(path: &Path, text: &str) {
        let mut file = File::create(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn reliability_r5_24_the_state_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, path) = path("state.jsonl");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        drop(open_state(&path).unwrap());
        assert_eq!(mode(&path), 0o600);
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, open).unwrap();
        drop(open_state(&path).unwrap());
        assert_eq!(mode(&path), 0o600, "one of an earlier version");
    }

    #[test]
    fn a_torn_line_is_cut_off_and_damage_is_named() {
        let (_directory, path) = path("state.jsonl");
        let record = Record::Stopped {
            at: Timestamp::UNIX_EPOCH,
        };
        let (lines, records) = open_state(&path).unwrap();
        assert!(records.is_empty());
        lines.add(&record).unwrap();
        drop(lines);
        let whole = std::io::read_to_string(File::open(&path).unwrap()).unwrap();
        put(&path, &format!("{whole}{{\"stopp"));
        let (lines, records) = open_state(&path).unwrap();
        assert_eq!(records, std::slice::from_ref(&record));
        lines.add(&record).unwrap();
        drop(lines);
        assert_eq!(open_state(&path).unwrap().1.len(), 2);
        let error = {
            let _first = open_state(&path).unwrap();
            open_state(&path).unwrap_err().to_string()
        };
        assert!(error.contains("another emulator"), "{error}");
        put(&path, "{\"for");
        open_state(&path).unwrap();
        for (text, words) in [
            ("account: 1", "line 1: it is not a record"),
            ("{\"format\":1}\n{}\n{\"stopped\":{}}\n", "line 2: "),
            ("{\"format\":2}\n", "line 1: format 2"),
            (
                "{\"stopped\":{\"at\":\"2026-01-01T00:00:00Z\"}}\n",
                "line 1: it does not say",
            ),
        ] {
            put(&path, text);
            let error = open_state(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
