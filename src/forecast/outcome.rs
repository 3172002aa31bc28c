//! A forecast: what follows from samples of a run.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::changes::Changes;
use super::cost::{ForecastCost, PriceTable, PricedRestore, cost};
use super::model::{Basis, RestoreModel};
use super::past::PastRestore;
use super::samples::{Samples, Sampling, quantile};
use super::subject::ForecastSubject;
use super::what_if::TypedWhatIf;
use crate::execute::RunSimulation;
use crate::ids::{Indexed, RestoreName, StepIndex};
use crate::state::RecordedForecast;

/// Number of bars in a picture of the distribution.
const BARS: usize = 24;
/// At how many times it is counted what is back.
const TIMES: usize = 48;
/// Time that what is created stays before a cleanup, if nobody says it: hours.
pub const STAYS: f64 = 8.0;

/// Options of a forecast.
#[derive(Debug)]
pub struct ForecastOptions<'a> {
    /// Number of samples.
    pub samples: u32,
    /// From which all chance follows; from the content where it is not given.
    pub seed: Option<u64>,
    /// True if AWS's rates are kept.
    pub keeps_rates: bool,
    /// Time at which the run would begin; now if it is not given.
    pub at: Option<Timestamp>,
    /// Changes that are tried, each by itself.
    pub what_ifs: &'a [TypedWhatIf],
    /// True if the gain of each limit is tried.
    pub tries_limits: bool,
    /// True if restores that are back are counted over time.
    pub counts_back: bool,
    /// Prices; none where cost is not asked for.
    pub prices: Option<&'a PriceTable>,
    /// For how long what is created stays, hours.
    pub stays: f64,
    /// State transitions by Region, where state machines start the restores.
    pub transitions: &'a [(String, u64)],
}

impl Default for ForecastOptions<'_> {
    fn default() -> Self {
        Self {
            samples: 1000,
            seed: None,
            keeps_rates: true,
            at: None,
            what_ifs: &[],
            tries_limits: false,
            counts_back: false,
            prices: None,
            stays: STAYS,
            transitions: &[],
        }
    }
}

/// A time as a distribution, in seconds from the beginning of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// Half are over by then.
    pub p50: i64,
    /// Nine in ten.
    pub p90: i64,
    /// Ninety-nine in a hundred.
    pub p99: i64,
}

/// A restore's part in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RestoreForecast {
    /// Its name.
    pub restore: RestoreName,
    /// AWS's name of the type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Median time of its start.
    pub starts: i64,
    /// Time at which it is back, and its checks have passed, where that happens.
    #[serde(flatten)]
    pub back: Quantiles,
    /// In which part of all samples it decides when the run ends.
    pub critical: f64,
    /// In which part of all samples it is back and good.
    pub succeeds: f64,
}

/// Probability that an objective is met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectiveForecast {
    /// `rto`, `rpo`, or one of a restore: `db.rto`.
    pub what: String,
    /// Objective, in seconds.
    pub seconds: i64,
    /// From 0 to 1; none where nobody knows.
    pub probability: Option<f64>,
    /// Age of the recovery point, if the objective is about that: seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
}

/// A limit that holds the run up, and what relaxing it would gain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitForecast {
    /// Name in the plan: `limits.concurrent`, `limits.by_type.EFS`; `rate.StartRestoreJob` is AWS's.
    pub limit: String,
    /// Value of the limit; none for a rate.
    pub now: Option<u32>,
    /// Value that was tried in its place; none if it was left out.
    pub tried: Option<u32>,
    /// True if AWS documents it, and no plan can raise it.
    pub is_aws: bool,
    /// In which part of all samples it is on the way that decides the end.
    pub critical: f64,
    /// By how much the run is shorter, in the median: seconds.
    pub gain_seconds: i64,
}

/// Effect of a change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIfForecast {
    /// The change, as it was typed.
    pub what_if: String,
    /// Time at which the run would end.
    pub makespan: Quantiles,
    /// By how much it is shorter in the median: seconds.
    pub gain_seconds: i64,
    /// Probability that the run then meets its objective, if it has one.
    pub rto_probability: Option<f64>,
}

/// Basis of the numbers of a type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BasisForecast {
    /// AWS's name of the type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// The variant, where the type has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Origin of the numbers.
    pub from: Basis,
    /// Number of restores of earlier runs.
    pub samples: u32,
    /// Source of the prior knowledge.
    pub source: String,
}

/// A forecast.
#[derive(Clone, Debug)]
pub struct RunForecast {
    /// Time at which the run ends.
    pub makespan: Quantiles,
    /// In which part of all samples everything is back and good.
    pub succeeds: f64,
    /// In the plan's order, those that act.
    pub restores: Vec<RestoreForecast>,
    /// Of the run, then of restores.
    pub objectives: Vec<ObjectiveForecast>,
    /// Limits, the one that holds the run up most first.
    pub limits: Vec<LimitForecast>,
    /// Effects of changes that were asked about.
    pub what_ifs: Vec<WhatIfForecast>,
    /// By type.
    pub basis: Vec<BasisForecast>,
    /// Number of earlier runs that were learned from.
    pub runs: u32,
    /// Cost, if that was asked for.
    pub cost: Option<ForecastCost>,
    /// From which all chance followed.
    pub seed: u64,
    /// Number of samples.
    pub samples: u32,
    /// Number of samples that end in each of equal spans, and the seconds at which the first span begins and the last
    /// ends.
    pub bars: (Vec<u32>, i64, i64),
    /// Number of restores that are back by a time, in one of ten samples, in half, and in nine of ten; nothing if that
    /// was not asked for.
    pub back: Vec<(f64, Vec<f64>)>,
}

impl RunForecast {
    /// Returns the recovery time objective of the whole run.
    #[must_use]
    pub fn rto(&self) -> Option<&ObjectiveForecast> {
        self.objectives.iter().find(|of| of.what == "rto")
    }

    /// Returns the part that a journal keeps.
    #[must_use]
    pub fn recorded(&self) -> RecordedForecast {
        let number = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        let rto = self.rto();
        let per_mille = rto.and_then(|rto| rto.probability);
        let known = self.basis.iter().filter(|of| of.from == Basis::History);
        RecordedForecast {
            p50_seconds: self.makespan.p50,
            p90_seconds: self.makespan.p90,
            rto_seconds: rto.map(|rto| rto.seconds),
            rto_per_mille: per_mille.map(|part| (part * 1000.0).round() as u32),
            restores: number(self.restores.len()),
            samples: self.samples,
            types: number(self.basis.len()),
            types_with_history: number(known.count()),
            runs: self.runs,
        }
    }
}

/// Forecasts a run from what was.
#[must_use]
pub fn forecast(
    subject: &ForecastSubject,
    past: &[PastRestore],
    options: &ForecastOptions<'_>,
) -> RunForecast {
    let seed = options.seed.unwrap_or_else(|| subject.seed());
    let model = RestoreModel::learn(&subject.groups, past);
    let samples = played(subject, &model, seed, options.samples, options.keeps_rates);
    let begins = options.at.unwrap_or(subject.now);
    let acts = subject.acts();
    let mut runs: Vec<u32> = past.iter().map(|past| past.run).collect();
    runs.sort_unstable();
    runs.dedup();
    let names: Vec<_> = subject.groups.iter().collect();
    let basis = model.basis().filter(|(group, ..)| names.contains(group));
    let changes = Changes {
        subject,
        past,
        model: &model,
        seed,
        samples: options.samples,
        keeps_rates: options.keeps_rates,
        base: samples.ends.clone(),
    };
    RunForecast {
        makespan: quantiles(&samples.ends),
        succeeds: samples.all_good(),
        restores: restores(subject, &samples, &acts),
        objectives: objectives(subject, &samples, &acts, begins),
        limits: match options.tries_limits {
            true => changes.limits(&samples),
            false => Vec::new(),
        },
        what_ifs: options
            .what_ifs
            .iter()
            .filter_map(|what_if| changes.what_if(what_if))
            .collect(),
        basis: basis
            .map(|(group, from, samples, source)| BasisForecast {
                resource_type: group.resource_type.clone(),
                variant: group.variant.clone(),
                from,
                samples,
                source: source.to_owned(),
            })
            .collect(),
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        cost: options
            .prices
            .map(|prices| of_prices(subject, &samples, &acts, prices, options)),
        seed,
        samples: options.samples,
        bars: bars(&samples.ends),
        back: match options.counts_back {
            true => samples.back_over_time(TIMES, samples.end(0.95), &[0.1, 0.5, 0.9]),
            false => Vec::new(),
        },
    }
}

pub(super) fn played(
    subject: &ForecastSubject,
    model: &RestoreModel,
    seed: u64,
    samples: u32,
    keeps_rates: bool,
) -> Samples {
    Sampling {
        simulation: &RunSimulation::new(&subject.plan, &subject.diff, keeps_rates),
        model,
        restores: &subject.restores,
        acts: &subject.acts(),
        after: &subject.after(),
        seed,
        samples,
    }
    .play()
}

pub(super) fn quantiles(ends: &[f32]) -> Quantiles {
    let mut ends = ends.to_vec();
    let mut at = |part| quantile(&mut ends, part).round() as i64;
    Quantiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
    }
}

fn bars(ends: &[f32]) -> (Vec<u32>, i64, i64) {
    let mut sorted = ends.to_vec();
    let (from, to) = (quantile(&mut sorted, 0.0), quantile(&mut sorted, 0.995));
    let wide = ((to - from) / BARS as f64).max(1e-9);
    let mut bars = vec![0; BARS];
    for end in &sorted {
        let bar = ((f64::from(*end) - from) / wide) as usize;
        bars[bar.min(BARS - 1)] += 1;
    }
    (bars, from.floor() as i64, to.ceil() as i64)
}

fn restores(
    subject: &ForecastSubject,
    samples: &Samples,
    acts: &Indexed<StepIndex, bool>,
) -> Vec<RestoreForecast> {
    let steps = subject.plan.steps.enumerated();
    let acting = steps.filter(|(at, _)| acts[*at]);
    let of_all = samples.ends.len().max(1) as f64;
    let mut starts = Indexed::from(vec![0; acts.len()]);
    samples.by_step(&samples.started, |step, times| {
        starts[step] = quantile(times, 0.5).round() as i64;
    });
    let mut backs = Indexed::from(vec![(Quantiles::default(), 0.0); acts.len()]);
    samples.by_step(&samples.back, |step, times| {
        backs[step] = (quantiles(times), times.len() as f64 / of_all);
    });
    acting
        .map(|(at, step)| {
            let (back, succeeds) = backs[at];
            RestoreForecast {
                restore: step.name.clone(),
                resource_type: step.draft.request.resource_type.clone(),
                starts: starts[at],
                back,
                critical: f64::from(samples.critical[at]) / of_all,
                succeeds,
            }
        })
        .collect()
}

fn objectives(
    subject: &ForecastSubject,
    samples: &Samples,
    acts: &Indexed<StepIndex, bool>,
    begins: Timestamp,
) -> Vec<ObjectiveForecast> {
    let plan = &subject.plan;
    let age = |at: StepIndex| Some(begins.duration_since(subject.made[at]?).as_secs());
    let rto = |what: String, wanted: SignedDuration, probability: f64| ObjectiveForecast {
        what,
        seconds: wanted.as_secs(),
        probability: Some(probability),
        age_seconds: None,
    };
    // Nothing of chance: a recovery point is as old as it is.
    let rpo = |what: String, wanted: SignedDuration, age: Option<i64>| ObjectiveForecast {
        what,
        seconds: wanted.as_secs(),
        probability: age.map(|age| if age <= wanted.as_secs() { 1.0 } else { 0.0 }),
        age_seconds: age,
    };
    let mut all = Vec::new();
    let of_run = &plan.objectives;
    if let Some(wanted) = of_run.rto {
        let probability = samples.all_back_by(wanted.as_secs_f64());
        all.push(rto("rto".to_owned(), wanted, probability));
    }
    if let Some(wanted) = of_run.rpo {
        let ages: Option<Vec<i64>> = acts.positions().filter(|at| acts[*at]).map(age).collect();
        let oldest = ages.and_then(|ages| ages.into_iter().max());
        all.push(rpo("rpo".to_owned(), wanted, oldest));
    }
    for (at, step) in plan.steps.enumerated().filter(|(at, _)| acts[*at]) {
        if let Some(wanted) = step.objectives.rto {
            let probability = samples.back_by(at, wanted.as_secs_f64());
            all.push(rto(format!("{}.rto", step.name), wanted, probability));
        }
        if let Some(wanted) = step.objectives.rpo {
            all.push(rpo(format!("{}.rpo", step.name), wanted, age(at)));
        }
    }
    all
}

fn of_prices(
    subject: &ForecastSubject,
    samples: &Samples,
    acts: &Indexed<StepIndex, bool>,
    prices: &PriceTable,
    options: &ForecastOptions<'_>,
) -> ForecastCost {
    let end = samples.end(0.5);
    let steps = subject.plan.steps.enumerated();
    let priced = steps.filter(|(at, _)| acts[*at]).map(|(at, step)| {
        let of = &subject.restores[at];
        let back = samples.back(at, &[0.5])[0];
        PricedRestore {
            region: subject.plan.targets[step.target].region.as_str(),
            resource_type: &step.draft.request.resource_type,
            size_bytes: of.size_bytes,
            is_cold: of.is_cold,
            hours: options.stays + (end - back).max(0.0) / 3600.0,
        }
    });
    let priced: Vec<PricedRestore<'_>> = priced.collect();
    cost(prices, &priced, options.transitions)
}
