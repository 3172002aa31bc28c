//! One record: a JSON object on a line, numbered, with a sum over itself and everything before it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Error;
use crate::state::Recorded;

/// The format that is written.
pub(super) const VERSION: u32 = 1;
/// Hexadecimal digits of a sum: 128 bits of SHA-256.
const SUM: usize = 32;
/// Text before the sum, and after it.
const BEFORE: &str = ",\"sum\":\"";
const AFTER: &str = "\"}";

#[derive(Serialize, Deserialize)]
struct Line<R> {
    v: u32,
    seq: usize,
    #[serde(flatten)]
    recorded: R,
}

/// Position in a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    records: usize,
    sum: String,
}

impl Chain {
    /// Number of records so far.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// The lines of more events.
    pub(super) fn lines(&mut self, events: &[Recorded]) -> serde_json::Result<Vec<u8>> {
        let mut next = self.clone();
        let mut bytes = Vec::new();
        for event in events {
            let mut line = serde_json::to_string(&Line {
                v: VERSION,
                seq: next.records + 1,
                recorded: event,
            })?;
            line.pop();
            next = next.then(&line);
            line.push_str(BEFORE);
            line.push_str(&next.sum);
            line.push_str(AFTER);
            line.push('\n');
            bytes.extend_from_slice(line.as_bytes());
        }
        *self = next;
        Ok(bytes)
    }

    /// The chain behind a record, whose text is given up to its sum.
    fn then(&self, body: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(&self.sum);
        hash.update(body);
        let mut sum = String::with_capacity(SUM);
        for byte in hash.finalize().iter().take(SUM / 2) {
            use std::fmt::Write as _;
            let _ = write!(sum, "{byte:02x}");
        }
        Self {
            records: self.records + 1,
            sum,
        }
    }
}

/// Reads all whole records of a segment from an offset on, going on with the chain; gives the end of what is whole.
pub(super) fn read<E: From<Error>>(
    bytes: &[u8],
    mut offset: usize,
    path: &Path,
    chain: &mut Chain,
    take: &mut impl FnMut(Recorded) -> Result<(), E>,
) -> Result<usize, E> {
    // A record without its end of line is one that a crash cut off: nothing has followed from it.
    while let Some(length) = bytes[offset..].iter().position(|byte| *byte == b'\n') {
        let line = &bytes[offset..offset + length];
        let (next, recorded) = match one(chain, line) {
            Ok(ReadRecord::Record(next, recorded)) => (next, *recorded),
            Ok(ReadRecord::Newer(version)) => {
                let path = path.to_owned();
                return Err(Error::Newer { path, version }.into());
            }
            Err(why) => {
                let damaged = Error::Damaged {
                    path: path.to_owned(),
                    offset,
                    record: chain.records + 1,
                    why,
                };
                return Err(damaged.into());
            }
        };
        *chain = next;
        take(recorded)?;
        offset += length + 1;
    }
    Ok(offset)
}

enum ReadRecord {
    Record(Chain, Box<Recorded>),
    Newer(u32),
}

fn one(chain: &Chain, line: &[u8]) -> Result<ReadRecord, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let version: Version =
        serde_json::from_str(text).map_err(|err| format!("it is not a record: {err}"))?;
    if version.v > VERSION {
        return Ok(ReadRecord::Newer(version.v));
    }
    let body = text
        .strip_suffix(AFTER)
        .and_then(|text| Some((text.get(..text.len().checked_sub(SUM)?)?, text)))
        .and_then(|(body, text)| Some((body.strip_suffix(BEFORE)?, &text[text.len() - SUM..])));
    let Some((body, sum)) = body else {
        return Err("it has no sum".to_owned());
    };
    let next = chain.then(body);
    if next.sum != sum {
        return Err("its sum does not match it and the records before".to_owned());
    }
    let record: Line<Recorded> =
        serde_json::from_str(text).map_err(|err| format!("it is not a record: {err}"))?;
    if record.seq != next.records {
        return Err(format!("it is numbered {}", record.seq));
    }
    Ok(ReadRecord::Record(next, Box::new(record.recorded)))
}
