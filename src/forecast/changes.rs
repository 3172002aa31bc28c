//! The same run with one thing changed: what a limit gains, and what somebody asks.

use super::model::RestoreModel;
use super::outcome::{LimitForecast, WhatIfForecast, played, quantiles};
use super::past::PastRestore;
use super::samples::{HeldLimit, Samples, quantile};
use super::subject::ForecastSubject;
use super::what_if::{TypedWhatIf, WhatIf};
use crate::execute::{PlanLimit, at_once};
use crate::plan::Plan;

/// Limits that are tried at most: each costs another forecast.
const TRIED: usize = 4;
/// Samples for what a limit gains: both sides have the same chance, so that few tell it.
const FOR_LIMITS: u32 = 400;

/// Changes of a run, each compared with what it is without.
pub(super) struct Changes<'a> {
    pub(super) subject: &'a ForecastSubject,
    pub(super) past: &'a [PastRestore],
    pub(super) model: &'a RestoreModel,
    pub(super) seed: u64,
    pub(super) samples: u32,
    pub(super) keeps_rates: bool,
    /// The ends without a change.
    pub(super) base: Vec<f32>,
}

impl Changes<'_> {
    /// By how much a run is shorter in the median that ends so; the samples have the same chance.
    fn gain(&self, ends: &[f32]) -> i64 {
        let mut base = self.base[..ends.len().min(self.base.len())].to_vec();
        let before = quantile(&mut base, 0.5);
        (before - quantile(&mut ends.to_vec(), 0.5)).round() as i64
    }

    /// Returns the gain of each limit that was on the way that decides the end.
    pub(super) fn limits(&self, samples: &Samples) -> Vec<LimitForecast> {
        let of_all = samples.ends.len().max(1) as f64;
        let mut limits: Vec<LimitForecast> = Vec::new();
        for (held, count, _) in &samples.held {
            let mut limit = self.limit(*held);
            limit.critical = f64::from(*count) / of_all;
            let is_known = limits.iter().any(|known| known.limit == limit.limit);
            if is_known || limits.len() == TRIED {
                continue;
            }
            let mut changed = self.subject.clone();
            let mut keeps_rates = self.keeps_rates;
            match (*held, limit.tried) {
                (HeldLimit::Plan(of), Some(to)) => set(&mut changed.plan, of, to),
                _ => keeps_rates = false,
            }
            let samples = self.samples.min(FOR_LIMITS);
            let tried = played(&changed, self.model, self.seed, samples, keeps_rates);
            limit.gain_seconds = self.gain(&tried.ends);
            limits.push(limit);
        }
        limits.sort_by_key(|limit| std::cmp::Reverse(limit.gain_seconds));
        limits
    }

    fn limit(&self, held: HeldLimit) -> LimitForecast {
        let plan = &self.subject.plan;
        let (limit, now, is_aws) = match held {
            HeldLimit::Rate => ("rate.StartRestoreJob".to_owned(), None, true),
            HeldLimit::Plan(PlanLimit::Concurrent) => (
                "limits.concurrent".to_owned(),
                plan.limits.concurrent,
                false,
            ),
            HeldLimit::Plan(PlanLimit::Target(at)) => {
                let name = plan.targets[at].name.clone().unwrap_or_default();
                let now = plan.limits.by_target.get(&name).copied();
                (format!("limits.by_target.{name}"), now, false)
            }
            HeldLimit::Plan(PlanLimit::TypeOf(step)) => {
                let name = &plan.steps[step].draft.request.resource_type;
                let is_plan = plan.limits.by_type.contains_key(name);
                (
                    format!("limits.by_type.{name}"),
                    Some(at_once(plan, name)),
                    !is_plan,
                )
            }
        };
        LimitForecast {
            limit,
            now,
            tried: now.map(|now| now.saturating_mul(2)),
            is_aws,
            critical: 0.0,
            gain_seconds: 0,
        }
    }

    /// Returns the effect of one change; none if it names what is not there.
    pub(super) fn what_if(&self, typed: &TypedWhatIf) -> Option<WhatIfForecast> {
        let mut changed = self.subject.clone();
        let mut learned = None;
        apply(&typed.is, &mut changed)?;
        if let WhatIf::History(how_long) = &typed.is {
            let since = self.subject.now.checked_sub(*how_long).ok()?;
            let since = since.to_zoned(jiff::tz::TimeZone::UTC).date();
            let past = self.past.iter().filter(|past| past.day >= since);
            let past: Vec<PastRestore> = past.cloned().collect();
            learned = Some(RestoreModel::learn(&self.subject.groups, &past));
        }
        let model = learned.as_ref().unwrap_or(self.model);
        let tried = played(&changed, model, self.seed, self.samples, self.keeps_rates);
        let rto = changed.plan.objectives.rto;
        Some(WhatIfForecast {
            what_if: typed.text.clone(),
            makespan: quantiles(&tried.ends),
            gain_seconds: self.gain(&tried.ends),
            rto_probability: rto.map(|rto| tried.all_back_by(rto.as_secs_f64())),
        })
    }
}

fn set(plan: &mut Plan, limit: PlanLimit, to: u32) {
    match limit {
        PlanLimit::Concurrent => plan.limits.concurrent = Some(to),
        PlanLimit::Target(at) => {
            if let Some(name) = plan.targets[at].name.clone() {
                plan.limits.by_target.insert(name, to);
            }
        }
        PlanLimit::TypeOf(step) => {
            let name = plan.steps[step].draft.request.resource_type.clone();
            plan.limits.by_type.insert(name, to);
        }
    }
}

/// Changes what is forecast.
///
/// None where it names what the plan does not have.
pub fn apply(what_if: &WhatIf, subject: &mut ForecastSubject) -> Option<()> {
    let limits = &mut subject.plan.limits;
    match what_if {
        WhatIf::Concurrent(count) => limits.concurrent = Some(*count),
        WhatIf::ByType(name, count) => {
            let steps = &subject.plan.steps;
            let has = |name: &str| {
                let mut types = steps.iter().map(|step| &step.draft.request.resource_type);
                types.any(|of| of == name)
            };
            has(name).then(|| limits.by_type.insert(name.clone(), *count))?;
        }
        WhatIf::ByTarget(name, count) => {
            let mut targets = subject.plan.targets.iter();
            targets.find(|target| target.name.as_ref() == Some(name))?;
            limits.by_target.insert(name.clone(), *count);
        }
        WhatIf::SizeTimes(name, times) => {
            let step = subject.step(name)?;
            let size = &mut subject.restores[step].size_bytes;
            *size = Some((size.as_ref().copied()? as f64 * times) as i64);
        }
        WhatIf::Size(name, bytes) => {
            let step = subject.step(name)?;
            subject.restores[step].size_bytes = Some(*bytes);
        }
        WhatIf::Without(name) => {
            let step = subject.step(name)?;
            subject.diff.changes.retain(|change| change.step != step);
        }
        WhatIf::History(_) => {}
    }
    Some(())
}
