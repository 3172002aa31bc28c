//! The ledger: every line has its own digest and names those that it follows, so that a line that was changed, removed, moved or
//! doubled is found; and two branches that each add lines are one ledger once they are merged, with two heads.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::line::{SCHEMA, parted};
use super::{Assessed, Proof, ProofResult};
use crate::backup::Endpoint;
use crate::ids::RestoreName;
use crate::plan::sha256;

/// Part of a line that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// ARN of the backed-up resource.
    pub resource: Arc<str>,
    /// Result that counts here: never more than the rest of the line supports.
    pub result: ProofResult,
    /// When.
    pub at: Timestamp,
    /// Time that it took, in seconds.
    pub rto_seconds: Option<i64>,
    /// The plan's name.
    pub plan: Arc<str>,
    /// The run id.
    pub run: Arc<str>,
    /// The restore's name.
    pub restore: RestoreName,
    /// Reason that it is not proven, in words.
    pub message: Option<Arc<str>>,
    /// True if the evidence was signed when the line was written.
    pub is_signed: bool,
}

/// A line, as far as it is kept.
#[derive(Deserialize)]
struct LedgerLine<'a> {
    #[serde(borrow)]
    schema: Cow<'a, str>,
    follows: Vec<String>,
    #[serde(borrow)]
    resource_arn: Cow<'a, str>,
    result: ProofResult,
    reason: Option<String>,
    message: Option<String>,
    at: Timestamp,
    rto_seconds: Option<i64>,
    checks: Vec<String>,
    #[serde(borrow)]
    plan: Cow<'a, str>,
    #[serde(borrow)]
    run: Cow<'a, str>,
    #[serde(borrow)]
    restore: Cow<'a, str>,
    job_id: Option<String>,
    #[serde(default)]
    recovery_point_arn: Option<String>,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    evidence_sha256: String,
    #[serde(default)]
    signer: Option<String>,
    endpoint: Endpoint,
}

/// Damage to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerDamage {
    /// Its number, from 1.
    pub line: usize,
    /// Description of the damage.
    pub why: String,
}

impl fmt::Display for LedgerDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// A digest, which is what a line is called.
type LineDigest = [u8; 32];

/// The lines of a ledger. They are taken in one by one; of each only what is asked later is kept.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
    lines: usize,
    /// The number of the line with a digest.
    numbers: HashMap<LineDigest, usize>,
    /// Lines that nothing follows yet.
    heads: BTreeSet<LineDigest>,
    /// Digests that were followed before they had been seen, and by which line.
    early: Vec<(LineDigest, usize)>,
    damages: Vec<LedgerDamage>,
    texts: HashSet<Arc<str>>,
}

impl Ledger {
    /// Reads a whole ledger.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut ledger = Self::default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            ledger.take(line);
        }
        ledger
    }

    /// Takes one line in, with its end.
    pub fn take(&mut self, line: &[u8]) {
        self.lines += 1;
        if let Err(why) = self.take_line(line) {
            self.damage(self.lines, why);
        }
    }

    fn damage(&mut self, line: usize, why: impl Into<String>) {
        let why = why.into();
        self.damages.push(LedgerDamage { line, why });
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), String> {
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(
                "it has no end, because its writer was interrupted or a part of it was removed: remove this line, then run `redrill prove` again".to_owned(),
            );
        };
        if [&b"<<<<<<<"[..], b"=======", b">>>>>>>"]
            .iter()
            .any(|mark| line.starts_with(mark))
        {
            return Err("it is a mark of a merge that git could not make: keep the lines of both sides, and set `merge=union` for this file in .gitattributes".to_owned());
        }
        if line.ends_with(b"\r") {
            return Err("it ends as on Windows: set `text eol=lf` for this file in .gitattributes, then check it out again".to_owned());
        }
        let Some((body, digest)) = parted(line) else {
            return Err("it does not end with its digest: it was changed".to_owned());
        };
        let id = bytes_of(digest).ok_or("its digest cannot be read: it was changed")?;
        let is = sha256(body);
        let is_changed = is != digest;
        if is_changed {
            self.damage(
                self.lines,
                format!("it was changed: its SHA-256 is {is}, and it says {digest}"),
            );
        }
        if let Some(first) = self.numbers.get(&id) {
            return Err(format!("it is line {first} again: it was doubled"));
        }
        self.numbers.insert(id, self.lines);
        self.heads.insert(id);
        if is_changed {
            // A changed line may lie about what it follows; that it is followed is so.
            return Ok(());
        }
        let read: LedgerLine<'_> = serde_json::from_slice(line).map_err(|err| {
            format!("it cannot be read: {err}; was it written by a later version of redrill?")
        })?;
        if read.schema != SCHEMA {
            return Err(format!(
                "it is {}, and this redrill reads {SCHEMA}: use a later version",
                read.schema
            ));
        }
        for followed in &read.follows {
            let Some(followed) = bytes_of(followed) else {
                return Err(format!("it follows `{followed}`, which is not a digest"));
            };
            self.heads.remove(&followed);
            if !self.numbers.contains_key(&followed) {
                self.early.push((followed, self.lines));
            }
        }
        let entry = self.entry(&read);
        self.entries.push(entry);
        Ok(())
    }

    fn entry(&mut self, line: &LedgerLine<'_>) -> LedgerEntry {
        // Whatever a line claims, it is proof only where all that makes one is there.
        let is_given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let is_proof = line.endpoint == Endpoint::Aws
            && line.reason.is_none()
            && !line.checks.is_empty()
            && line.checks.iter().all(|check| !check.is_empty())
            && is_given(&line.job_id)
            && is_given(&line.recovery_point_arn)
            && line.attempts > 0
            && line.rto_seconds.is_none_or(|seconds| seconds >= 0)
            && bytes_of(&line.evidence_sha256).is_some();
        let result = match line.result {
            ProofResult::Proven if !is_proof => ProofResult::Restored,
            result => result,
        };
        LedgerEntry {
            resource: self.text(&line.resource_arn),
            result,
            at: line.at,
            rto_seconds: line.rto_seconds,
            plan: self.text(&line.plan),
            run: self.text(&line.run),
            restore: RestoreName::new(self.text(&line.restore)),
            message: line.message.as_ref().map(|message| self.text(message)),
            is_signed: line.signer.is_some(),
        }
    }

    /// A text that is kept once.
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(kept) = self.texts.get(text) {
            return Arc::clone(kept);
        }
        let kept: Arc<str> = Arc::from(text);
        self.texts.insert(Arc::clone(&kept));
        kept
    }

    /// Everything that is wrong with it, by line; only once all lines were taken in.
    #[must_use]
    pub fn damages(&self) -> Vec<LedgerDamage> {
        let mut damages = self.damages.clone();
        for (followed, line) in &self.early {
            let name = hex_of(followed);
            let why = match self.numbers.get(followed) {
                Some(later) => {
                    format!(
                        "it follows line {later}, which comes after it: one of the two was moved"
                    )
                }
                None => format!("it follows {name}, which is not there: that line was removed"),
            };
            damages.push(LedgerDamage { line: *line, why });
        }
        damages.sort_by_key(|damage| damage.line);
        damages
    }

    /// Returns the number of lines.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Returns the entries, in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }

    /// The digests that no line follows: one, and one more for each branch that was merged since.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.iter().map(hex_of).collect()
    }

    /// Returns true if a line has this digest.
    #[must_use]
    pub fn has(&self, digest: &str) -> bool {
        bytes_of(digest).is_some_and(|id| self.numbers.contains_key(&id))
    }

    /// The lines to add for what a run has shown and the ledger does not say yet, or not yet of signed evidence, each following the one before; with their
    /// digests, by the place in `assessed`.
    #[must_use]
    pub fn additions(&self, assessed: &[Assessed]) -> (String, HashMap<usize, String>) {
        let (mut text, mut digests) = (String::new(), HashMap::new());
        let mut follows = self.heads();
        let mut proofs = assessed.iter().filter_map(|one| one.proof.as_ref());
        let Some(first) = proofs.next() else {
            return (text, digests);
        };
        let of_run = self.entries.iter();
        let of_run =
            of_run.filter(|entry| *entry.plan == *first.plan && *entry.run == *first.run.as_str());
        let said: HashSet<(&str, &str, ProofResult, Timestamp, bool)> = of_run
            .map(|entry| {
                (
                    entry.restore.as_str(),
                    &*entry.resource,
                    entry.result,
                    entry.at,
                    entry.is_signed,
                )
            })
            .collect();
        for (at, one) in assessed.iter().enumerate() {
            let Some(proof) = &one.proof else { continue };
            let says = |is_signed| {
                let (restore, resource) = (proof.restore.as_str(), &*proof.resource_arn);
                said.contains(&(restore, resource, proof.result, proof.at, is_signed))
            };
            if says(true) || (proof.signer.is_none() && says(false)) {
                continue;
            }
            let (line, digest) = Proof {
                follows,
                ..(**proof).clone()
            }
            .line();
            text.push_str(&line);
            text.push('\n');
            follows = vec![digest.clone()];
            digests.insert(at, digest);
        }
        (text, digests)
    }
}

fn bytes_of(digest: &str) -> Option<LineDigest> {
    let mut bytes = LineDigest::default();
    if digest.len() != bytes.len() * 2 || !digest.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digest.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn hex_of(digest: &LineDigest) -> String {
    crate::plan::hex(digest)
}
