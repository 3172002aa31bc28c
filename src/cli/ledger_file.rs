//! The file of a ledger: read line by line, and only ever added to.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::proof::{LEDGER, Ledger};

/// Number of damaged lines that are named.
const NAMED: usize = 20;

/// The ledger that is meant: the one that is named, or the one next to a plan or another file.
pub(super) fn path(named: Option<&PathBuf>, next_to: &Path) -> PathBuf {
    let own = next_to.parent().unwrap_or(Path::new("")).join(LEDGER);
    named.cloned().unwrap_or(own)
}

/// Reads a ledger; one that is not there has no lines.
///
/// # Errors
///
/// Where it cannot be read, or was changed by anything but `prove` and a merge: every line that was.
pub(super) fn read(path: &Path) -> Result<Ledger, Failure> {
    let fail = |source| Failure::Io {
        path: path.to_owned(),
        source,
    };
    let mut ledger = Ledger::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(ledger),
        Err(err) => return Err(fail(err)),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).map_err(fail)? > 0 {
        ledger.take(&line);
        line.clear();
    }
    let damages = ledger.damages();
    if damages.is_empty() {
        return Ok(ledger);
    }
    let named = damages.iter().take(NAMED).map(ToString::to_string);
    let mut lines: Vec<String> = named.collect();
    if damages.len() > NAMED {
        lines.push(format!("and {} more", damages.len() - NAMED));
    }
    Err(Failure::Ledger(format!(
        "{}: {}",
        path.display(),
        lines.join("\n  ")
    )))
}

/// Adds lines to the end of a ledger, in one write, flushed to the disk.
pub(super) fn append(path: &Path, lines: &str) -> Result<(), Failure> {
    let fail = |source| Failure::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(fail)?;
    let before = file.metadata().map_err(fail)?.len();
    let written = file
        .write_all(lines.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|source| {
        // Half a line would be in the way of the next: where even this fails, reading says what to remove.
        let _ = file.set_len(before);
        fail(source)
    })
}
