//! Report of what a run has proven, for people and for machines.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::{Assessed, ProofResult};
use crate::diagnostic::duration;
use crate::ids::RestoreName;
use crate::report::pretty;

/// Report of what a run has proven, and what was written of it.
pub struct ProveReport<'a> {
    /// The plan's name.
    pub plan: &'a str,
    /// The run id.
    pub run_id: &'a str,
    /// The ledger as it was typed.
    pub ledger: &'a str,
    /// The digest of the evidence that was verified.
    pub evidence: &'a str,
    /// Every restore.
    pub assessed: &'a [Assessed],
    /// The digests of the lines that were written, by the place in `assessed`.
    pub written: &'a HashMap<usize, String>,
    /// The heads of the ledger afterwards.
    pub heads: Vec<String>,
}

#[derive(Serialize)]
struct ProveDocument<'a> {
    schema: &'static str,
    plan: &'a str,
    run_id: &'a str,
    ledger: &'a str,
    evidence_sha256: &'a str,
    restores: Vec<ProveRow<'a>>,
    written: usize,
    heads: &'a [String],
}

#[derive(Serialize)]
struct ProveRow<'a> {
    restore: &'a RestoreName,
    resource_arn: Option<&'a str>,
    result: Option<ProofResult>,
    reason: Option<&'static str>,
    message: Option<String>,
    sha256: Option<&'a str>,
}

impl ProveReport<'_> {
    /// Returns the number of restores that are proven.
    #[must_use]
    pub fn proven(&self) -> usize {
        let is_proven = |one: &&Assessed| one.result == Some(ProofResult::Proven);
        self.assessed.iter().filter(is_proven).count()
    }

    /// Returns true if every restore is proven.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.assessed.is_empty() && self.proven() == self.assessed.len()
    }

    /// `redrill.prove/v1`.
    #[must_use]
    pub fn json(&self) -> String {
        let rows = self.assessed.iter().enumerate();
        let rows = rows.map(|(at, one)| ProveRow {
            restore: &one.restore,
            resource_arn: one.proof.as_ref().map(|proof| proof.resource_arn.as_str()),
            result: one.result,
            reason: one.doubt.as_ref().map(super::Doubt::id),
            message: one.doubt.as_ref().map(super::Doubt::words),
            sha256: self.written.get(&at).map(String::as_str),
        });
        pretty(&ProveDocument {
            schema: "redrill.prove/v1",
            plan: self.plan,
            run_id: self.run_id,
            ledger: self.ledger,
            evidence_sha256: self.evidence,
            restores: rows.collect(),
            written: self.written.len(),
            heads: &self.heads,
        })
    }

    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = format!(
            "{} run {}: {} of {} restores are proven\n",
            self.plan,
            self.run_id,
            self.proven(),
            self.assessed.len()
        );
        for one in self.assessed {
            let word = one.result.map_or("nothing", ProofResult::word);
            let resource = one.proof.as_ref().map(|proof| proof.resource_arn.as_str());
            let resource = resource.map_or_else(String::new, |arn| format!(" ({arn})"));
            let why = match (&one.doubt, &one.proof) {
                (Some(doubt), _) => doubt.words(),
                (None, Some(proof)) => {
                    let took = proof.rto_seconds.map(duration);
                    let took = took.map_or_else(String::new, |took| format!("took {took}, "));
                    format!("{took}passed {}", proof.checks.join(", "))
                }
                (None, None) => String::new(),
            };
            let _ = writeln!(text, "  {word:8} {}{resource}: {why}", one.restore);
        }
        match self.written.len() {
            0 => {
                let why = match self.assessed.iter().any(|one| one.proof.is_some()) {
                    true => "it says all of this already",
                    false => "this run shows nothing that it could hold",
                };
                let _ = writeln!(text, "{}: unchanged, because {why}", self.ledger);
            }
            1 => {
                let _ = writeln!(text, "{}: 1 line added", self.ledger);
            }
            count => {
                let _ = writeln!(text, "{}: {count} lines added", self.ledger);
            }
        }
        for head in &self.heads {
            let _ = writeln!(text, "head: {head}");
        }
        text
    }
}
