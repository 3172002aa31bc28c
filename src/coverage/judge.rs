//! The one rule: what a resource is at a date, from all that the ledger says of it.

use jiff::Timestamp;

use super::policy::{earlier, later};
use super::{CoveragePolicy, CoverageRow, CoverageState, ProtectedResource};
use crate::diagnostic::duration;
use crate::proof::{LedgerEntry, ProofResult};

/// State of a resource, and the line that says so.
pub(super) struct Standing<'a> {
    pub(super) state: CoverageState,
    last: Option<Timestamp>,
    until: Option<Timestamp>,
    line: Option<&'a LedgerEntry>,
    reason: Option<String>,
}

/// A resource with everything that is known of it.
pub(super) struct ResourceJudge<'a> {
    resource: &'a ProtectedResource,
    lines: &'a [&'a LedgerEntry],
    every: jiff::Span,
    rto: Option<i64>,
    expiring: jiff::Span,
    exceptions: Vec<(Timestamp, String)>,
}

impl<'a> ResourceJudge<'a> {
    pub(super) fn new(
        resource: &'a ProtectedResource,
        lines: &'a [&'a LedgerEntry],
        policy: &'a CoveragePolicy,
    ) -> Self {
        let (every, rto) = policy.wanted(resource);
        let exceptions = policy.exceptions_of(resource);
        let exceptions = exceptions.map(|rule| {
            let why = format!("{} ({})", rule.reason, rule.owner);
            (rule.ends(), why)
        });
        Self {
            resource,
            lines,
            every,
            rto,
            expiring: policy.expiring,
            exceptions: exceptions.collect(),
        }
    }

    /// Explains why a line is no proof that this resource is restored as fast as wanted, where it claims to be.
    fn too_slow(&self, line: &LedgerEntry) -> Option<String> {
        let wanted = self.rto?;
        match line.rto_seconds {
            Some(took) if took <= wanted => None,
            Some(took) => Some(format!(
                "it took {}, and {} is wanted",
                duration(took),
                duration(wanted)
            )),
            None => Some(format!(
                "how long it took is not known, and {} is wanted",
                duration(wanted)
            )),
        }
    }

    pub(super) fn judged(&self, at: Timestamp) -> Standing<'a> {
        let judged = self.without_exceptions(at);
        if judged.state.is_proven() {
            return judged;
        }
        let holding = self.exceptions.iter().filter(|(ends, _)| at < *ends);
        match holding.max_by_key(|(ends, _)| *ends) {
            Some((ends, why)) => Standing {
                state: CoverageState::Excepted,
                until: Some(*ends),
                reason: Some(why.clone()),
                ..judged
            },
            None => judged,
        }
    }

    fn without_exceptions(&self, at: Timestamp) -> Standing<'a> {
        let (mut good, mut bad, mut back) = (None, None, None);
        for line in self.lines.iter().copied().take_while(|line| line.at <= at) {
            match line.result {
                ProofResult::Proven if self.too_slow(line).is_none() => good = Some(line),
                ProofResult::Proven | ProofResult::Failed => bad = Some(line),
                ProofResult::Restored => back = Some(line),
            }
        }
        let last = good.map(|line| line.at);
        let until = last.map(|last| later(last, self.every));
        let judged = |state, line: Option<&'a LedgerEntry>, reason| Standing {
            state,
            last,
            until,
            line,
            reason,
        };
        let message = |line: &LedgerEntry, otherwise: &str| {
            let message = line.message.as_deref().unwrap_or(otherwise);
            Some(message.to_owned())
        };
        if !self.resource.is_usable(at) {
            let why = "it has no recovery point that can be restored".to_owned();
            return judged(CoverageState::Unprotected, good, Some(why));
        }
        let is_worse = |bad: &&LedgerEntry| good.is_none_or(|good| bad.at >= good.at);
        if let Some(bad) = bad.filter(is_worse) {
            let why = match bad.result {
                ProofResult::Proven => self.too_slow(bad),
                _ => message(bad, "a restore of it failed"),
            };
            return judged(CoverageState::Failed, Some(bad), why);
        }
        match (until, good, back) {
            (Some(until), Some(_), _) if at < earlier(until, self.expiring) => {
                judged(CoverageState::Proven, good, None)
            }
            (Some(until), Some(_), _) if at < until => judged(CoverageState::Expiring, good, None),
            (Some(_), Some(_), _) => {
                let why = "its proof is too old".to_owned();
                judged(CoverageState::Expired, good, Some(why))
            }
            (_, None, Some(back)) => judged(
                CoverageState::Restored,
                Some(back),
                message(back, "nothing has said that the data is good"),
            ),
            _ => judged(
                CoverageState::Never,
                None,
                Some("it was never restored".to_owned()),
            ),
        }
    }

    pub(super) fn row(&self, at: Timestamp) -> CoverageRow {
        let judged = self.judged(at);
        CoverageRow {
            arn: self.resource.arn.clone(),
            resource_type: self.resource.resource_type.clone(),
            state: judged.state,
            last: judged.last,
            until: judged.until,
            run: judged
                .line
                .map(|line| format!("{} {}", line.plan, line.run)),
            reason: judged.reason,
            bytes: self.resource.bytes,
        }
    }
}
