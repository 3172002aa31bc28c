//! Files that a command names.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::exit::Failure;
use crate::diagnostic::Source;

/// A plan of 100,000 restores is about 50 MB; more than this is not a plan.
const MAX_BYTES: u64 = 256 << 20;

/// Reads a text file, or standard input for `-`.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let fail = |source| Failure::Io {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(fail)?)
    };
    reader
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fail(std::io::Error::other(format!(
            "longer than {} MiB",
            MAX_BYTES >> 20
        ))));
    }
    String::from_utf8(bytes).map_err(|err| {
        fail(std::io::Error::other(format!(
            "not UTF-8 from byte {} on",
            err.utf8_error().valid_up_to()
        )))
    })
}

/// A text file that findings will point into.
pub(super) fn source(path: &Path) -> Result<Arc<Source>, Failure> {
    Ok(Source::new(path.to_string_lossy(), text(path)?))
}

/// Writes a file that a command was asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "the files that a command was asked to write"
)]
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|source| Failure::Io {
        path: path.to_owned(),
        source,
    })
}
