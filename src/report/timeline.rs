//! Restores and checks as bars on a common scale of time.

use jiff::Timestamp;
use serde::Serialize;

use super::run::{CheckReport, CheckStatus, RestoreReport, RunReport, RunStatus};
use super::run_html::{between, time};
use crate::diagnostic::duration;
use crate::ids::RestoreName;

/// Rows from which the timeline is drawn closer, and in the order of their beginning.
pub(super) const DENSE: usize = 40;

/// The span that the timeline shows.
pub(super) struct Timeline {
    from: Timestamp,
    seconds: f64,
}

#[derive(Serialize)]
pub(super) struct Tick {
    at: u8,
    words: String,
}

#[derive(Serialize)]
pub(super) struct TimelineRow {
    name: String,
    critical: bool,
    took: String,
    bars: Vec<Bar>,
}

#[derive(Serialize)]
pub(super) struct Bar {
    class: &'static str,
    from: String,
    width: String,
    words: String,
}

impl Timeline {
    pub(super) fn of(report: &RunReport) -> Option<Self> {
        let from = report.start?;
        let ends = report
            .restores
            .iter()
            .flat_map(|r| [r.over_at(), r.started_at]);
        let checks = report.all_checks().map(|(_, check)| check.ended_at);
        let to = ends.chain(checks).flatten().max()?;
        let seconds = to.duration_since(from).as_secs_f64();
        Some(Self {
            from,
            seconds: seconds.max(1.0),
        })
    }

    pub(super) fn ticks(&self) -> Vec<Tick> {
        [0_u8, 25, 50, 75, 100]
            .into_iter()
            .map(|at| {
                #[expect(clippy::cast_possible_truncation, reason = "a run is shorter than i64")]
                let seconds = (self.seconds * f64::from(at) / 100.0).round() as i64;
                Tick {
                    at,
                    words: duration(seconds),
                }
            })
            .collect()
    }

    fn bar(&self, class: &'static str, from: Timestamp, to: Timestamp, what: &str) -> Bar {
        let percent = |at: Timestamp| {
            let seconds = at.duration_since(self.from).as_secs_f64();
            (seconds / self.seconds * 100.0).clamp(0.0, 100.0)
        };
        // A moment at the very end is still to be seen.
        let (left, right) = (percent(from).min(99.5), percent(to));
        Bar {
            class,
            from: format!("{left:.2}"),
            width: format!("{:.2}", (right - left).max(0.0)),
            words: format!(
                "{what}: {} to {}, {}",
                time(from),
                time(to),
                duration(to.duration_since(from).as_secs())
            ),
        }
    }

    fn check(&self, check: &CheckReport) -> Option<Bar> {
        let (from, to) = check.started_at.zip(check.ended_at)?;
        let class = match check.status {
            CheckStatus::Failed => "check bad",
            _ => "check",
        };
        Some(self.bar(class, from, to, &format!("check {}", check.name)))
    }

    pub(super) fn rows(&self, report: &RunReport) -> Vec<TimelineRow> {
        let critical: std::collections::BTreeSet<&str> = report
            .critical_path
            .iter()
            .map(RestoreName::as_str)
            .collect();
        let of_restore = |restore: &RestoreReport| {
            let mut bars = Vec::new();
            if let Some(from) = restore.started_at {
                let (class, to) = match (restore.status, restore.ended_at) {
                    (RunStatus::Failed | RunStatus::Incomplete, Some(to)) => ("job bad", to),
                    (_, Some(to)) => ("job", to),
                    (_, None) => {
                        let end = jiff::SignedDuration::from_secs_f64(self.seconds);
                        ("job open", self.from + end)
                    }
                };
                bars.push(self.bar(class, from, to, "restore job"));
            }
            bars.extend(restore.checks.iter().filter_map(|check| self.check(check)));
            TimelineRow {
                name: restore.restore.to_string(),
                critical: critical.contains(restore.restore.as_str()),
                took: between(restore.started_at, restore.over_at()),
                bars,
            }
        };
        let of_check = |check: &CheckReport| TimelineRow {
            name: check.name.clone(),
            critical: false,
            took: match check.status {
                CheckStatus::NotRun => "not run".to_owned(),
                _ => between(check.started_at, check.ended_at),
            },
            bars: self.check(check).into_iter().collect(),
        };
        // Few are found by their place in the plan, many are read as a course of things.
        let mut shown: Vec<&RestoreReport> = report.restores.iter().collect();
        if shown.len() > DENSE {
            shown.sort_by_key(|restore| (restore.started_at.is_none(), restore.started_at));
        }
        let restores = shown.into_iter().map(of_restore);
        let whole = report.checks.iter().chain(&report.cutover).map(of_check);
        restores.chain(whole).collect()
    }
}
