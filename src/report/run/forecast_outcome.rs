//! Forecast that was made before a run, against what came.

use serde::Serialize;

use super::{RunReport, Verdict};
use crate::backup::Endpoint;
use crate::diagnostic::duration;
use crate::state::RecordedForecast;

/// Forecast of a run against its outcome.
#[derive(Clone, Debug, Serialize)]
pub struct ForecastOutcome {
    /// Half of such runs end within so many seconds.
    pub p50_seconds: i64,
    /// Nine in ten.
    pub p90_seconds: i64,
    /// The recovery time objective of the run.
    pub rto_seconds: Option<i64>,
    /// Probability that it is met.
    pub rto_probability: Option<f64>,
    /// Number of restores that it was about.
    pub restores: u32,
    /// Number of samples.
    pub samples: u32,
    /// Number of types and variants.
    pub types: u32,
    /// Number of them with restores of earlier runs.
    pub types_with_history: u32,
    /// Number of earlier runs.
    pub runs: u32,
    /// Duration of the run; none while it is unfinished.
    pub took_seconds: Option<i64>,
    /// True if it ended within the time in which half of such runs do.
    pub within_p50: Option<bool>,
    /// True if it ended within the time in which nine in ten do.
    pub within_p90: Option<bool>,
    /// True if another runner came after the first: the time between them counts.
    pub resumed: bool,
    /// True if an emulator made the times up: there is nothing to compare then.
    #[serde(skip)]
    pub(in crate::report) is_emulated: bool,
    /// All restores of the plan, and whether the run has failed.
    #[serde(skip)]
    of: (usize, bool),
}

impl ForecastOutcome {
    /// Holds a forecast against a report.
    pub(in crate::report) fn new(made: &RecordedForecast, report: &RunReport) -> Self {
        let took = report.took();
        let verdict = report.verdict_before_cleanup.unwrap_or(report.verdict);
        Self {
            p50_seconds: made.p50_seconds,
            p90_seconds: made.p90_seconds,
            rto_seconds: made.rto_seconds,
            rto_probability: made.rto_per_mille.map(|of| f64::from(of) / 1000.0),
            restores: made.restores,
            samples: made.samples,
            types: made.types,
            types_with_history: made.types_with_history,
            runs: made.runs,
            took_seconds: took,
            within_p50: took.map(|took| took <= made.p50_seconds),
            within_p90: took.map(|took| took <= made.p90_seconds),
            resumed: report.runners.len() > 1,
            of: (report.restores.len(), verdict == Verdict::Failed),
            is_emulated: report.world.as_ref().is_some_and(|at| *at != Endpoint::Aws),
        }
    }

    /// In one line.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = format!(
            "half within {}, nine in ten within {}",
            duration(self.p50_seconds),
            duration(self.p90_seconds)
        );
        if let (Some(rto), Some(probability)) = (self.rto_seconds, self.rto_probability) {
            let met = crate::report::forecast::percent(probability);
            words.push_str(&format!(", RTO {} in {met}", duration(rto)));
        }
        let (all, has_failed) = self.of;
        if (self.restores as usize) < all {
            words.push_str(&format!(", of {} of {all} restores", self.restores));
        }
        words.push_str(&match (self.types_with_history, self.types) {
            (0, _) => " (no history)".to_owned(),
            (known, all) if known == all => " (with history)".to_owned(),
            (known, all) => format!(" (history of {known} of {all} types)"),
        });
        let took = self.took_seconds.filter(|_| !self.is_emulated);
        if let Some(took) = took {
            let how = if has_failed {
                "it failed after"
            } else {
                "it took"
            };
            let within = match (self.within_p50, self.within_p90) {
                (Some(true), _) => "within both",
                (_, Some(true)) => "later than half, within nine in ten",
                _ => "later than both",
            };
            words.push_str(&format!("; {how} {}, which is {within}", duration(took)));
        }
        if self.resumed && !self.is_emulated {
            words.push_str("; a second runner came later, and the time between counts");
        }
        words
    }
}
