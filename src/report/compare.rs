//! One run against another: what has become better or worse, restore by restore.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::columns::columns;
use super::run::{RestoreReport, RunReport, Verdict};
use super::signed;
use crate::diagnostic::duration;
use crate::ids::{RestoreName, RunId};

/// Differences of a run from another.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The other run.
    pub run_id: RunId,
    /// This run.
    #[serde(skip)]
    pub now: RunId,
    /// Outcome of that run.
    pub verdict: Verdict,
    /// Duration of that run, seconds.
    pub seconds: Option<i64>,
    /// Additional time that this run took, seconds.
    pub longer_seconds: Option<i64>,
    /// In this run's order; then those that only the other has.
    pub restores: Vec<Difference>,
}

/// Differences of a restore.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Its name.
    pub restore: RestoreName,
    /// Its status in the other run; absent where that does not have it.
    pub before: Option<&'static str>,
    /// Its status in this run; absent where this does not have it.
    pub now: Option<&'static str>,
    /// Time that it took there, from its job's creation until it was good, seconds.
    pub before_seconds: Option<i64>,
    /// Time that it took here.
    pub now_seconds: Option<i64>,
    /// Additional time that it took here.
    pub longer_seconds: Option<i64>,
}

fn took(restore: &RestoreReport) -> Option<i64> {
    let from = restore.started_at?;
    Some(restore.over_at()?.duration_since(from).as_secs())
}

/// Compares a run with another.
#[must_use]
pub fn compare(report: &RunReport, other: &RunReport) -> Comparison {
    let mut before: BTreeMap<&str, &RestoreReport> = other
        .restores
        .iter()
        .map(|restore| (restore.restore.as_str(), restore))
        .collect();
    let difference = |then: Option<&RestoreReport>, now: Option<&RestoreReport>| {
        let (before_seconds, now_seconds) = (then.and_then(took), now.and_then(took));
        Difference {
            restore: now.or(then).map(|r| r.restore.clone()).unwrap_or_default(),
            before: then.map(|restore| restore.outcome().word()),
            now: now.map(|restore| restore.outcome().word()),
            before_seconds,
            now_seconds,
            longer_seconds: now_seconds
                .zip(before_seconds)
                .map(|(now, then)| now - then),
        }
    };
    let mut restores: Vec<Difference> = report
        .restores
        .iter()
        .map(|now| difference(before.remove(now.restore.as_str()), Some(now)))
        .collect();
    restores.extend(
        before
            .into_values()
            .map(|then| difference(Some(then), None)),
    );
    Comparison {
        run_id: other.run_id.clone(),
        now: report.run_id.clone(),
        verdict: other.verdict_before_cleanup.unwrap_or(other.verdict),
        seconds: other.took(),
        longer_seconds: report
            .took()
            .zip(other.took())
            .map(|(now, then)| now - then),
        restores,
    }
}

impl Comparison {
    /// Headings for the cells of a difference: both runs by their ids.
    #[must_use]
    pub fn headings(&self) -> [&str; 5] {
        [
            "restore",
            "result",
            self.run_id.as_str(),
            self.now.as_str(),
            "difference",
        ]
    }

    /// In one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let took = self
            .seconds
            .map_or_else(String::new, |seconds| format!(" in {}", duration(seconds)));
        let longer = match self.longer_seconds {
            None => String::new(),
            Some(0) => "; this one took the same time".to_owned(),
            Some(longer) if longer > 0 => format!("; this one took {} longer", duration(longer)),
            Some(longer) => format!("; this one took {} less", duration(-longer)),
        };
        format!(
            "run {}: {}{took}{longer}",
            self.run_id,
            self.verdict.words()
        )
    }

    /// For the eye: what differs.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = format!("compared with {}\n", self.sentence());
        let mut rows = vec![self.headings().map(str::to_owned).to_vec()];
        rows.extend(self.restores.iter().map(Difference::cells));
        text.push_str(&columns(&rows, "  "));
        let worse = self.restores.iter().filter(|d| d.before != d.now).count();
        if worse > 0 {
            let _ = writeln!(
                text,
                "{worse} ended differently than in run {}",
                self.run_id
            );
        }
        text
    }
}

impl Difference {
    /// Name, what became of it, how long it took, and the difference.
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        let seconds = |seconds: Option<i64>| seconds.map_or_else(|| "-".to_owned(), duration);
        let status = match (self.before, self.now) {
            (Some(before), Some(now)) if before == now => now.to_owned(),
            (Some(before), Some(now)) => format!("{before} → {now}"),
            (None, Some(now)) => format!("new → {now}"),
            (Some(before), None) => format!("{before} → not in this run"),
            (None, None) => String::new(),
        };
        vec![
            self.restore.to_string(),
            status,
            seconds(self.before_seconds),
            seconds(self.now_seconds),
            self.longer_seconds.map_or_else(|| "-".to_owned(), signed),
        ]
    }
}
