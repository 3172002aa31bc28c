//! The line of a forecast in other commands: few samples and few earlier runs, so that nobody waits for it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Context;
use super::base::PlannedBase;
use super::forecast::{learned, past_runs, some_runs};
use super::store::Store;
use crate::cli::exit::Failure;
use crate::diagnostic::{Finding, Source, Span, duration, rule};
use crate::diff::{Action, Diff, diff};
use crate::execute::Policy;
use crate::forecast::{
    Backtest, ForecastOptions, ForecastSubject, ObjectiveForecast, PastRestore, RestoreModel,
    RunForecast, backtest, forecast,
};
use crate::journal::RunKey;
use crate::parse::Objectives;
use crate::plan::{Plan, Step};
use crate::render::Known;
use crate::session::Preview;
use crate::state::RunState;

/// Restores that are played, all samples together.
const PLAYED: usize = 20_000;
/// Samples at the least, and at the most.
const SAMPLES: (usize, usize) = (4, 200);
/// Factor on the samples that tells one plan from another.
const TO_COMPARE: u32 = 5;

/// Returns the number of samples for a plan of so many steps.
fn samples(steps: usize) -> u32 {
    let samples = (PLAYED / steps.max(1)).clamp(SAMPLES.0, SAMPLES.1);
    u32::try_from(samples).unwrap_or(1)
}

/// Reads how long restores of the same plan took in earlier runs.
pub(super) async fn earlier(store: &Store, run: &RunKey) -> Vec<PastRestore> {
    learned(&some_runs(store, run).await, &[]).unwrap_or_default()
}

/// A forecast of what a preview shows, to be compared with that of another plan or not; none where nothing would be started.
pub(super) fn of_preview(
    preview: &Preview,
    past: &[PastRestore],
    now: Timestamp,
    policy: &Policy,
    is_compared: bool,
) -> Option<RunForecast> {
    if preview.diff.count(Action::Start) == 0 || preview.diff.has_conflict() {
        return None;
    }
    let mut subject = ForecastSubject::new(
        preview.plan.clone(),
        preview.diff.clone(),
        &preview.known,
        &preview.history.observed,
        now,
    );
    subject.cutover = policy.cutover;
    let options = ForecastOptions {
        samples: samples(subject.plan.steps.len()) * if is_compared { TO_COMPARE } else { 1 },
        keeps_rates: !policy.no_rate_limit,
        ..ForecastOptions::default()
    };
    Some(forecast(&subject, past, &options))
}

/// A forecast of what the plan is compared with, by the same history and from the same chance, so that a plan that has not
/// changed has not changed in its forecast; none where it could not go on with the run.
pub(super) fn of_base(
    base: PlannedBase,
    preview: &Preview,
    past: &[PastRestore],
    now: Timestamp,
    found: &RunForecast,
) -> Option<RunForecast> {
    let observed = &preview.history.observed;
    let diff = diff(&base.plan, observed, &preview.wanted);
    if diff.count(Action::Start) == 0 || diff.has_conflict() {
        return None;
    }
    let options = ForecastOptions {
        samples: found.samples,
        seed: Some(found.seed),
        ..ForecastOptions::default()
    };
    let subject = ForecastSubject::new(base.plan, diff, &base.known, observed, now);
    Some(forecast(&subject, past, &options))
}

/// Takes over how long restores of each type took in earlier runs of a plan, for the order of starting and the expected end.
pub(super) fn expect(plan: &mut Plan, known: &Known, past: &[PastRestore], now: Timestamp) {
    if past.is_empty() {
        return;
    }
    let nothing = Diff {
        changes: Vec::new(),
        lost: Vec::new(),
    };
    let observed = RunState::default();
    let subject = ForecastSubject::new(plan.clone(), nothing, known, &observed, now);
    let model = RestoreModel::learn(&subject.groups, past);
    for (step, of) in plan.steps.iter_mut().zip(&subject.restores) {
        let typical = model.typical(of).map(SignedDuration::try_from_secs_f64);
        if let Some(Ok(typical)) = typical {
            Arc::make_mut(&mut step.draft).expected = typical;
        }
    }
}

/// The step of an objective; none of one of the whole run.
fn step_of<'p>(plan: &'p Plan, of: &ObjectiveForecast) -> Option<&'p Step> {
    let (name, _) = of.what.rsplit_once('.')?;
    plan.steps.iter().find(|step| step.name.as_str() == name)
}

/// Returns the probability with which an objective has to be met.
fn wanted(preview: &Preview, of: &ObjectiveForecast) -> Option<f64> {
    let own = step_of(&preview.plan, of).and_then(|step| step.objectives.confidence);
    let confidence = own.or(preview.plan.objectives.confidence)?;
    Some(f64::from(confidence) / 1000.0)
}

/// Objectives that are forecast to be met less often than the plan wants. Said as findings once forecasts here have earned it.
pub(super) async fn missed(
    preview: &Preview,
    found: &RunForecast,
    source: &Arc<Source>,
    store: &Store,
    context: &mut Context<'_>,
) -> Result<Vec<Finding>, Failure> {
    let has = |objectives: &Objectives| objectives.confidence.is_some();
    let steps = &preview.plan.steps;
    if !has(&preview.plan.objectives) && !steps.iter().any(|step| has(&step.objectives)) {
        return Ok(Vec::new());
    }
    let short = found.objectives.iter().filter_map(|of| {
        let (wanted, is) = (wanted(preview, of)?, of.probability?);
        (is < wanted).then_some((of, wanted, is))
    });
    let short: Vec<_> = short.collect();
    if short.is_empty() {
        return Ok(Vec::new());
    }
    let key = RunKey::new(&preview.plan.name, &preview.plan.run_id);
    let record: Backtest = backtest(past_runs(store, Some(&key), false, context).await?);
    if !record.has_earned() {
        context.output.note(&format!(
            "objectives are forecast to be met less often than `confidence` wants, but the forecast has not earned its place yet: {} \
             past runs were forecast, 10 are needed, and right as often as they say (`redrill forecast backtest`)",
            record.makespan.count
        ));
        return Ok(Vec::new());
    }
    let findings = short.into_iter().map(|(of, wanted, is)| {
        let step = step_of(&preview.plan, of);
        let span = step.map_or_else(Span::default, |step| step.span);
        let message = format!(
            "{} {} is forecast to be met in {:.0} %, and `confidence` wants {:.0} %",
            of.what,
            duration(of.seconds),
            is * 100.0,
            wanted * 100.0
        );
        let help = "`redrill forecast` shows what holds the run up".to_owned();
        let finding = Finding::at(source, span, rule::OBJECTIVES_FORECAST, message, help);
        match step {
            Some(step) => finding.of_restore(&step.name),
            None => finding,
        }
    });
    Ok(findings.collect())
}
