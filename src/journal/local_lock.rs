//! One runner a run.
//!
//! The lock is the system's own on an open file: it goes when the process goes, however it goes, so no stale lock
//! is ever left. The file's content says who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::{Error, Owner, io, refuse_no_file};

const FILE: &str = "lock";
/// Number of looks at a lock that is held before it is reported as held.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// Held until dropped.
#[derive(Debug)]
pub struct LocalLock {
    _file: File,
}

impl LocalLock {
    pub(super) fn take(directory: &Path, owner: &Owner) -> Result<Self, Error> {
        let path = directory.join(FILE);
        refuse_no_file(&path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io(&path))?;
        let mut looks = LOOKS;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // `redrill status` holds it for an instant.
                Err(TryLockError::WouldBlock) if looks > 0 => {
                    looks -= 1;
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Held {
                        owner: Box::new(named(&mut file)),
                    });
                }
                Err(TryLockError::Error(err)) => return Err(io(&path)(err)),
            }
        }
        let text = serde_json::to_string(owner).unwrap_or_default();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_data())
            .map_err(io(&path))?;
        Ok(Self { _file: file })
    }

    /// The same past somebody who holds it and does not work any more: that lock is left on a file that has no name, and
    /// whoever comes next meets this one.
    pub(super) fn take_over(directory: &Path, owner: &Owner) -> Result<Self, Error> {
        let path = directory.join(FILE);
        match fs::remove_file(&path) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(io(&path)(err)),
            _ => Self::take(directory, owner),
        }
    }
}

/// Finds the holder of the lock. Looking takes a shared lock for an instant; a runner that meets it looks again.
pub(super) fn holder(directory: &Path) -> Result<Option<Owner>, Error> {
    let path = directory.join(FILE);
    refuse_no_file(&path)?;
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(io(&path)(err)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(named(&mut file))),
        Err(TryLockError::Error(err)) => Err(io(&path)(err)),
    }
}

fn named(file: &mut File) -> Owner {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    // The holder may be between taking the lock and writing its name.
    serde_json::from_str(&text).unwrap_or_else(|_| Owner {
        pid: 0,
        host: "an unknown host".to_owned(),
        user: "somebody".to_owned(),
        since: Timestamp::UNIX_EPOCH,
        beat_at: None,
    })
}
