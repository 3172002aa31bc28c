//! Accuracy of such forecasts: each past run, forecast from what was known before it, against what came.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::group::DurationGroup;
use super::model::{Forecasted, RestoreModel};
use super::outcome::{ForecastOptions, forecast};
use super::past::{PastRestore, PastRun, restores_of};
use super::samples::quantile;
use super::subject::ForecastSubject;
use crate::diff::{Action, Change, Diff};
use crate::ids::{DocumentIndex, Indexed, RunId, StepIndex, TargetIndex};
use crate::parse::{ConcurrencyLimits, Objectives, OnFailure};
use crate::plan::{Draft, Plan, Request, Step};
use crate::render::{Known, Target};
use crate::state::{Outline, RunState};

/// Runs that have to be forecast before anything is said of how good forecasts are.
pub const NEEDED: u32 = 10;
/// The quantile of the normal distribution of bounds that hold in 95 of 100 cases.
const BOUNDS: f64 = 1.959_964;
/// Samples of each past run.
const SAMPLES: u32 = 400;

/// Share of cases in which a quantile was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CoveredPart {
    /// The part of all that were over by then.
    pub part: f64,
    /// Wilson's bounds of it: they hold in 95 of 100 cases.
    pub low: f64,
    /// The upper one.
    pub high: f64,
}

impl CoveredPart {
    /// Of so many out of so many.
    #[must_use]
    pub fn of(right: u32, all: u32) -> Self {
        if all == 0 {
            return Self {
                part: 0.0,
                low: 0.0,
                high: 1.0,
            };
        }
        let (n, z) = (f64::from(all), BOUNDS);
        let part = f64::from(right) / n;
        let middle = part + z * z / (2.0 * n);
        let wide = z * (part * (1.0 - part) / n + z * z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + z * z / n;
        Self {
            part,
            low: ((middle - wide) / whole).max(0.0),
            high: ((middle + wide) / whole).min(1.0),
        }
    }

    /// Returns true if the stated probability can be right.
    #[must_use]
    pub fn holds(&self, said: f64) -> bool {
        (self.low..=self.high).contains(&said)
    }
}

/// Accuracy of forecasts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ForecastRecord {
    /// Number of forecasts.
    pub count: u32,
    /// Half were to be over by then.
    pub p50: CoveredPart,
    /// Nine in ten were.
    pub p90: CoveredPart,
    /// Median error of p50, as a part of what came.
    pub median_error: Option<f64>,
}

/// A past run, and what would have been said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestedRun {
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run: String,
    /// Time at which the run began.
    pub start: Timestamp,
    /// Duration of the run, in seconds.
    pub seconds: i64,
    /// Half the samples were over by then.
    pub p50: i64,
    /// Nine in ten.
    pub p90: i64,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Backtest {
    /// The runs, the earliest first.
    pub runs: Vec<BacktestedRun>,
    /// Of whole runs.
    pub makespan: ForecastRecord,
    /// Of jobs, by type.
    pub types: BTreeMap<String, ForecastRecord>,
}

impl Backtest {
    /// Returns true if forecasts of runs have earned to be acted on: enough of them, and right as often as they say.
    #[must_use]
    pub fn has_earned(&self) -> bool {
        let of = &self.makespan;
        of.count >= NEEDED && of.p50.holds(0.5) && of.p90.holds(0.9)
    }
}

/// A past run with its name.
pub struct NamedRun {
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run: String,
    /// Run as its journal tells it.
    pub past: PastRun,
}

/// Forecasts each run from those before it. Runs without any before them are left out: nothing was known.
#[must_use]
pub fn backtest(mut runs: Vec<NamedRun>) -> Backtest {
    runs.retain(|run| run.past.start.is_some());
    runs.sort_by(|a, b| (a.past.start, &a.plan, &a.run).cmp(&(b.past.start, &b.plan, &b.run)));
    let mut backtest = Backtest::default();
    let mut of_types: BTreeMap<String, Vec<(f64, f64, f64)>> = BTreeMap::new();
    let mut before: Vec<PastRun> = Vec::new();
    for run in runs {
        // What ended later was not known then, though it began earlier.
        let is_known =
            |past: &&PastRun| run.past.start.is_some_and(|start| past.was_over_by(start));
        let over: Vec<&PastRun> = before.iter().filter(is_known).collect();
        if let (Some(start), false) = (run.past.start, over.is_empty()) {
            let known = restores_of(over);
            if let Some((p50, p90, seconds)) = of_run(&run, &known, start) {
                backtest.runs.push(BacktestedRun {
                    plan: run.plan.clone(),
                    run: run.run.clone(),
                    start,
                    seconds: seconds.round() as i64,
                    p50,
                    p90,
                });
            }
            for (name, said) in of_jobs(&run.past, &known) {
                of_types.entry(name).or_default().push(said);
            }
        }
        before.push(run.past);
    }
    let said = backtest.runs.iter();
    let said = said.map(|run| (run.seconds as f64, run.p50 as f64, run.p90 as f64));
    backtest.makespan = record(&said.collect::<Vec<_>>());
    backtest.types = of_types
        .into_iter()
        .map(|(name, said)| (name, record(&said)))
        .collect();
    backtest
}

/// Rates forecasts: of each what came, p50 and p90.
fn record(said: &[(f64, f64, f64)]) -> ForecastRecord {
    let count = |right: &dyn Fn(&(f64, f64, f64)) -> bool| {
        u32::try_from(said.iter().filter(|one| right(one)).count()).unwrap_or(u32::MAX)
    };
    let all = count(&|_| true);
    let off = said
        .iter()
        .map(|(came, p50, _)| ((p50 - came) / came.max(1.0)).abs() as f32);
    let mut off: Vec<f32> = off.collect();
    ForecastRecord {
        count: all,
        p50: CoveredPart::of(count(&|(came, p50, _)| came <= p50), all),
        p90: CoveredPart::of(count(&|(came, _, p90)| came <= p90), all),
        median_error: (!off.is_empty()).then(|| quantile(&mut off, 0.5)),
    }
}

/// Returns what would have been said of a run, and what came; none if it was not carried out in one go.
fn of_run(run: &NamedRun, known: &[PastRestore], start: Timestamp) -> Option<(i64, i64, f64)> {
    let seconds = run.past.seconds.filter(|_| run.past.has_ended)?;
    let outline = run.past.outline.as_ref()?;
    if run.past.restores.is_empty() {
        return None;
    }
    let subject = subject(outline, run, start);
    let options = ForecastOptions {
        samples: SAMPLES,
        ..ForecastOptions::default()
    };
    let said = forecast(&subject, known, &options);
    Some((said.makespan.p50, said.makespan.p90, seconds))
}

/// Returns what would have been said of the jobs of a run that completed: the type, what came, p50 and p90.
fn of_jobs(past: &PastRun, known: &[PastRestore]) -> Vec<(String, (f64, f64, f64))> {
    let completed = past.restores.values().filter(|restore| restore.completed);
    let completed: Vec<&PastRestore> = completed.collect();
    let groups: Vec<DurationGroup> = completed.iter().map(|restore| group(restore)).collect();
    let model = RestoreModel::learn(&groups, known);
    let said = completed.iter().enumerate().map(|(at, restore)| {
        let of = Forecasted {
            group: at,
            size_bytes: restore.size_bytes,
            ..Forecasted::default()
        };
        let mut draws = model.durations(&of, at as u64, SAMPLES);
        let (p50, p90) = (quantile(&mut draws, 0.5), quantile(&mut draws, 0.9));
        (restore.resource_type.clone(), (restore.seconds, p50, p90))
    });
    said.collect()
}

fn group(restore: &PastRestore) -> DurationGroup {
    DurationGroup {
        resource_type: restore.resource_type.clone(),
        variant: restore.variant.clone(),
    }
}

/// A past run as it was before it began. Sizes are those that AWS said at its end: a recovery point has them before.
fn subject(outline: &Arc<Outline>, run: &NamedRun, start: Timestamp) -> ForecastSubject {
    let names: BTreeMap<&str, StepIndex> = (outline.restores.iter().enumerate())
        .map(|(at, restore)| (restore.name.as_str(), StepIndex::new(at)))
        .collect();
    let targets: Indexed<TargetIndex, Target> = match outline.targets.is_empty() {
        true => vec![Target::default()].into(),
        false => outline.targets.clone().into(),
    };
    let steps = outline.restores.iter().enumerate().map(|(at, restore)| {
        let needs = restore.needs.iter();
        let needs = needs.filter_map(|need| names.get(need.as_str()).copied());
        Step {
            name: restore.name.clone(),
            restore: DocumentIndex::new(at),
            target: TargetIndex::new(restore.target.min(targets.len() - 1)),
            needs: needs.collect(),
            timeout: None,
            span: crate::diagnostic::Span::default(),
            draft: Arc::new(Draft {
                request: Request {
                    resource_type: restore.resource_type.clone(),
                    ..Request::default()
                },
                expected: SignedDuration::from_mins(10),
                ..Draft::default()
            }),
            objectives: Objectives::default(),
            checks: Arc::default(),
            publish_validation: false,
            into_existing: false,
        }
    });
    let limits = &outline.limits;
    let plan = Plan {
        name: run.plan.clone(),
        run_id: RunId::new(run.run.as_str()),
        targets: targets.clone(),
        steps: steps.collect(),
        order: order(outline, &names),
        limits: ConcurrencyLimits {
            concurrent: limits.concurrent,
            by_type: limits.by_type.clone(),
            by_target: limits.by_target.clone(),
            places: BTreeMap::new(),
        },
        on_failure: match limits.stops {
            true => OnFailure::Stop,
            false => OnFailure::Continue,
        },
        objectives: Objectives::default(),
        description: None,
        checks: Arc::default(),
        cutover: Arc::default(),
    };
    let steps = plan.steps.positions();
    let touched = steps.filter(|at| run.past.touched.contains(&plan.steps[*at].name));
    let changes = touched.map(|step| Change {
        step,
        action: Action::Start,
        attempt: 1,
        token: None,
        reason: None,
    });
    let diff = Diff {
        changes: changes.collect(),
        lost: Vec::new(),
    };
    let nothing = RunState::default();
    let mut subject = ForecastSubject::new(plan, diff, &Known::default(), &nothing, start);
    for (at, restore) in outline.restores.iter().enumerate() {
        let at = StepIndex::new(at);
        let of = &mut subject.restores[at];
        let checks = u32::try_from(restore.checks.len()).unwrap_or(u32::MAX);
        of.checks = checks;
        of.checks_at_most = f64::from(checks) * 600.0;
        if let Some(past) = run.past.restores.get(&restore.name) {
            of.size_bytes = past.size_bytes;
            subject.regroup(at, group(past));
        }
    }
    subject
}

/// The restores of an outline, each behind all it needs.
fn order(outline: &Outline, names: &BTreeMap<&str, StepIndex>) -> Vec<StepIndex> {
    let mut order = Vec::with_capacity(outline.restores.len());
    let mut is_placed = Indexed::<StepIndex, bool>::from(vec![false; outline.restores.len()]);
    loop {
        let before = order.len();
        for (at, restore) in outline.restores.iter().enumerate() {
            let at = StepIndex::new(at);
            let mut needs = restore
                .needs
                .iter()
                .filter_map(|need| names.get(need.as_str()));
            if !is_placed[at] && needs.all(|need| is_placed[*need]) {
                is_placed[at] = true;
                order.push(at);
            }
        }
        if order.len() == before {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_wilson() {
        // By hand: 8 of 10.
        let of = CoveredPart::of(8, 10);
        assert!(
            (of.low - 0.4902).abs() < 1e-3 && (of.high - 0.9433).abs() < 1e-3,
            "{of:?}"
        );
        assert!(of.holds(0.9) && !of.holds(0.45));
        assert_eq!(CoveredPart::of(0, 0).low, 0.0);
    }

    #[test]
    fn few_forecasts_have_earned_nothing() {
        let said = |count: usize| record(&vec![(10.0, 11.0, 12.0); count]);
        let of = |makespan| Backtest {
            makespan,
            ..Backtest::default()
        };
        assert!(!of(said(5)).has_earned(), "too few");
        assert!(!of(said(40)).has_earned(), "p50 is too late");
        let mixed: Vec<_> = (0..40)
            .map(|at| {
                if at % 2 == 0 {
                    (10.0, 11.0, 12.0)
                } else {
                    (11.5, 11.0, 12.0)
                }
            })
            .collect();
        assert!(!of(record(&mixed)).has_earned(), "p90 is never passed");
        let good: Vec<_> = (0..40)
            .map(|at| match at % 10 {
                0 => (13.0, 11.0, 12.0),
                1..=4 => (11.5, 11.0, 12.0),
                _ => (10.0, 11.0, 12.0),
            })
            .collect();
        assert!(of(record(&good)).has_earned());
    }
}
