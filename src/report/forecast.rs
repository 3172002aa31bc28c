//! A forecast, for people, for machines and for a pull request. `forecast_html.rs` makes the page.

use std::fmt::Write as _;

use serde::Serialize;

use super::columns::columns;
use super::markdown;
use super::pretty;
use crate::diagnostic::duration;
use crate::forecast::{
    Backtest, Basis, BasisForecast, ForecastCost, LimitForecast, ObjectiveForecast, Quantiles,
    RestoreForecast, RunForecast, WhatIfForecast,
};

/// Restores that are listed; the rest is a count.
const LISTED: usize = 15;
/// Characters for the bars of a distribution, the lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A forecast, with what is needed to tell of it.
pub struct ForecastReport<'a> {
    /// The plan file, as it was typed.
    pub file: &'a str,
    /// The plan's name.
    pub plan: &'a str,
    /// The run id.
    pub run_id: &'a str,
    /// Forecast of the run.
    pub forecast: &'a RunForecast,
    /// Accuracy of past forecasts here, if that was asked.
    pub record: Option<&'a Backtest>,
}

/// A part of a whole in words: `72 %`.
pub(super) fn percent(part: f64) -> String {
    match part {
        part if part > 0.0 && part < 0.01 => "under 1 %".to_owned(),
        part if part > 0.99 && part < 1.0 => "over 99 %".to_owned(),
        part => format!("{:.0} %", part * 100.0),
    }
}

/// An objective in words.
pub(super) fn objective_words(of: &ObjectiveForecast) -> String {
    match (of.probability, of.age_seconds) {
        (None, _) => "not known: no recovery point says when it was made".to_owned(),
        (Some(probability), Some(age)) => {
            let met = if probability > 0.5 { "met" } else { "missed" };
            format!("{met}: the recovery point is {} old", duration(age))
        }
        (Some(probability), None) => percent(probability),
    }
}

/// A limit in words.
pub(super) fn limit_words(of: &LimitForecast) -> String {
    let gain = match of.gain_seconds {
        gain if gain > 0 => format!("{} shorter", duration(gain)),
        _ => "no shorter".to_owned(),
    };
    let whose = if of.is_aws { ", set by AWS" } else { "" };
    match (of.now, of.tried) {
        (Some(now), Some(tried)) => {
            format!(
                "{} is {now}{whose}: with {tried} the run would be {gain}",
                of.limit
            )
        }
        _ => format!("{}{whose}: without it the run would be {gain}", of.limit),
    }
}

/// Describes the basis of a type's numbers.
pub(super) fn basis_words(of: &BasisForecast) -> String {
    match of.from {
        Basis::History if of.samples == 1 => "history: 1 restore".to_owned(),
        Basis::History => format!("history: {} restores", of.samples),
        Basis::Published => format!("published: {}", of.source),
        Basis::Prior => format!("prior, so wide: {}", of.source),
    }
}

pub(super) fn type_words(of: &BasisForecast) -> String {
    match &of.variant {
        Some(variant) => format!("{} ({variant})", of.resource_type),
        None => of.resource_type.clone(),
    }
}

/// A forecast, next to that of the plan as it was.
#[derive(Clone, Copy)]
pub struct ForecastComparison<'a> {
    /// Forecast of the plan.
    pub forecast: &'a RunForecast,
    /// Base that the plan is compared with, in words such as `on main`, and its forecast.
    pub before: Option<(&'a str, &'a RunForecast)>,
}

/// Objective of the whole run, with its probability.
fn rto(forecast: &RunForecast) -> Option<(i64, f64)> {
    let rto = forecast.rto()?;
    Some((rto.seconds, rto.probability?))
}

/// One line: how long, and how likely the objective is.
#[must_use]
pub fn forecast_line(forecast: &RunForecast) -> String {
    comparison_line(&ForecastComparison {
        forecast,
        before: None,
    })
}

/// One line: the same, and what it was before.
pub(super) fn comparison_line(of: &ForecastComparison<'_>) -> String {
    let forecast = of.forecast;
    let span = |of: &Quantiles| (duration(of.p50), duration(of.p90));
    let now = span(&forecast.makespan);
    let mut line = format!(
        "half of such runs end within {}, nine in ten within {}",
        now.0, now.1
    );
    if let Some((place, before)) = of.before {
        let was = span(&before.makespan);
        match was == now {
            true => line.push_str(&format!(", as {place}")),
            false => line.push_str(&format!(", were {} and {} {place}", was.0, was.1)),
        }
    }
    if let Some((seconds, probability)) = rto(forecast) {
        let (wanted, met) = (duration(seconds), percent(probability));
        let _ = write!(line, "; RTO {wanted}: {met}");
        let before = of.before.and_then(|(at, before)| Some((at, rto(before)?)));
        if let Some((place, (seconds, probability))) = before {
            let (wanted_then, then) = (duration(seconds), percent(probability));
            let _ = match (wanted_then == wanted, then == met) {
                (true, true) => write!(line, ", as {place}"),
                (true, false) => write!(line, ", was {then} {place}"),
                (false, _) => write!(line, ", was RTO {wanted_then}: {then} {place}"),
            };
        }
    }
    let _ = write!(
        line,
        " ({}, {} samples)",
        rests_on(forecast),
        forecast.samples
    );
    line
}

/// Describes the basis of a forecast in a few words.
fn rests_on(forecast: &RunForecast) -> String {
    let known = forecast.basis.iter().filter(|of| of.from == Basis::History);
    match (known.count(), forecast.basis.len()) {
        (0, _) => "no history".to_owned(),
        (known, all) if known == all => match forecast.runs {
            1 => "history of 1 run".to_owned(),
            runs => format!("history of {runs} runs"),
        },
        (known, all) => format!("history of {known} of {all} types"),
    }
}

/// Tells how far to trust the forecast, by the backtest.
pub(super) fn trust(record: &Backtest) -> String {
    let of = &record.makespan;
    if of.count == 0 {
        return "no run here was forecast before: nothing says yet how good this is".to_owned();
    }
    let right = format!(
        "of {} past runs {} ended within their p90 ({}–{}) and {} within their p50",
        of.count,
        percent(of.p90.part),
        percent(of.p90.low),
        percent(of.p90.high),
        percent(of.p50.part)
    );
    match record.has_earned() {
        true => right,
        false => format!("{right}: this forecast has not earned its place yet"),
    }
}

/// For people.
#[must_use]
pub fn forecast_human(report: &ForecastReport<'_>) -> String {
    let forecast = report.forecast;
    let of = &forecast.makespan;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} run {}: half of such runs end within {}, nine in ten within {}, 99 in 100 within {}",
        report.plan,
        report.run_id,
        duration(of.p50),
        duration(of.p90),
        duration(of.p99)
    );
    let _ = writeln!(
        text,
        "everything comes back and is found good in {}",
        percent(forecast.succeeds)
    );
    let _ = writeln!(text, "\n  {}\n", picture(forecast));
    if !forecast.objectives.is_empty() {
        text.push_str("objectives\n");
        let rows = forecast
            .objectives
            .iter()
            .map(|of| vec![of.what.clone(), duration(of.seconds), objective_words(of)]);
        text.push_str(&columns(&rows.collect::<Vec<_>>(), "  "));
        text.push('\n');
    }
    let (gaining, rest): (Vec<_>, Vec<_>) =
        forecast.limits.iter().partition(|of| of.gain_seconds > 0);
    if !gaining.is_empty() {
        text.push_str("limits that hold it up\n");
        for limit in gaining {
            let _ = writeln!(text, "  {}", limit_words(limit));
        }
        text.push('\n');
    } else if !rest.is_empty() {
        text.push_str("no limit holds it up: more at once would gain nothing\n\n");
    }
    if !forecast.what_ifs.is_empty() {
        text.push_str("what if\n");
        for what_if in &forecast.what_ifs {
            let _ = writeln!(text, "  {}", what_if_words(what_if));
        }
        text.push('\n');
    }
    text.push_str(&timeline(forecast));
    text.push_str("what the numbers rest on\n");
    let rows = forecast
        .basis
        .iter()
        .map(|of| vec![type_words(of), basis_words(of)]);
    text.push_str(&columns(&rows.collect::<Vec<_>>(), "  "));
    if let Some(cost) = &forecast.cost {
        let _ = write!(text, "\n{}", cost_words(cost));
    }
    if let Some(record) = report.record {
        let _ = writeln!(text, "\n{}", trust(record));
    }
    let _ = writeln!(
        text,
        "\n{}: {} samples, seed {}; --seed {} repeats it",
        report.file, forecast.samples, forecast.seed, forecast.seed
    );
    text
}

pub(super) fn what_if_words(of: &WhatIfForecast) -> String {
    let change = match of.gain_seconds {
        0 => "as long".to_owned(),
        gain if gain > 0 => format!("{} shorter", duration(gain)),
        gain => format!("{} longer", duration(-gain)),
    };
    let rto = of.rto_probability.map_or_else(String::new, |probability| {
        format!(", RTO {}", percent(probability))
    });
    format!(
        "{}: {change}; half end within {}, nine in ten within {}{rto}",
        of.what_if,
        duration(of.makespan.p50),
        duration(of.makespan.p90)
    )
}

/// The distribution of the end as one line.
fn picture(forecast: &RunForecast) -> String {
    let (bars, from, to) = &forecast.bars;
    let most = bars.iter().copied().max().unwrap_or(0).max(1);
    let bars = bars.iter().map(|count| match count {
        0 => ' ',
        count => BARS[(*count as usize * (BARS.len() - 1)).div_ceil(most as usize)],
    });
    format!(
        "{} {} {}",
        duration(*from),
        bars.collect::<String>(),
        duration(*to)
    )
}

/// Sorts those that decide first, then those that are restored last.
pub(super) fn by_weight(forecast: &RunForecast) -> Vec<&RestoreForecast> {
    let mut all: Vec<&RestoreForecast> = forecast.restores.iter().collect();
    all.sort_by(|a, b| {
        b.critical
            .total_cmp(&a.critical)
            .then(b.back.p50.cmp(&a.back.p50))
    });
    all
}

/// The expected timeline of the restores that decide when the run ends.
fn timeline(forecast: &RunForecast) -> String {
    const WIDE: i64 = 28;
    let all = by_weight(forecast);
    let end = forecast.makespan.p90.max(1);
    let mut text = String::from("restores, those that decide the end most first\n");
    let mut rows = vec![
        ["restore", "type", "decides", "half back", "nine in ten", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    for of in all.iter().take(LISTED) {
        let at = |seconds: i64| (seconds.clamp(0, end) * WIDE / end) as usize;
        let (from, to, late) = (at(of.starts), at(of.back.p50), at(of.back.p90));
        let bar: String = (0..WIDE as usize)
            .map(|place| match place {
                place if place < from => ' ',
                place if place < to.max(from + 1) => '━',
                place if place < late => '─',
                _ => ' ',
            })
            .collect();
        rows.push(vec![
            of.restore.to_string(),
            of.resource_type.clone(),
            percent(of.critical),
            duration(of.back.p50),
            duration(of.back.p90),
            format!("│{bar}│"),
        ]);
    }
    text.push_str(&columns(&rows, "  "));
    if all.len() > LISTED {
        let _ = writeln!(
            text,
            "  and {} more: --format json has all",
            all.len() - LISTED
        );
    }
    text.push('\n');
    text
}

pub(super) fn cost_words(cost: &ForecastCost) -> String {
    let machines = match cost.transitions {
        transitions if transitions > 0.0 => format!(", Step Functions {transitions:.2}"),
        _ => String::new(),
    };
    let mut text = match cost.is_priced {
        true => format!(
            "cost, as far as prices are known: {:.2} {} (restores {:.2}, what is created {:.2}{machines}), prices of {}\n",
            cost.total, cost.currency, cost.restores, cost.created, cost.prices_of
        ),
        false => format!(
            "cost: no price is known of what this run needs, in the prices of {}\n",
            cost.prices_of
        ),
    };
    if !cost.left_out.is_empty() {
        let _ = writeln!(
            text,
            "  left out, because there is no price or size: {}; --prices FILE gives prices",
            cost.left_out.join(", ")
        );
    }
    text
}

/// For machines.
#[must_use]
pub fn forecast_json(report: &ForecastReport<'_>) -> String {
    #[derive(Serialize)]
    struct ForecastDocument<'a> {
        schema: &'static str,
        plan: &'a str,
        run_id: &'a str,
        makespan: &'a Quantiles,
        succeeds: f64,
        restores: &'a [RestoreForecast],
        objectives: &'a [ObjectiveForecast],
        limits: &'a [LimitForecast],
        what_ifs: &'a [WhatIfForecast],
        basis: &'a [BasisForecast],
        runs: u32,
        cost: &'a Option<ForecastCost>,
        seed: u64,
        samples: u32,
        has_earned: Option<bool>,
    }
    let forecast = report.forecast;
    pretty(&ForecastDocument {
        schema: "redrill.forecast/v1",
        plan: report.plan,
        run_id: report.run_id,
        makespan: &forecast.makespan,
        succeeds: forecast.succeeds,
        restores: &forecast.restores,
        objectives: &forecast.objectives,
        limits: &forecast.limits,
        what_ifs: &forecast.what_ifs,
        basis: &forecast.basis,
        runs: forecast.runs,
        cost: &forecast.cost,
        seed: forecast.seed,
        samples: forecast.samples,
        has_earned: report.record.map(Backtest::has_earned),
    })
}

/// For a comment on a pull request.
#[must_use]
pub fn forecast_markdown(report: &ForecastReport<'_>) -> String {
    let forecast = report.forecast;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "### Forecast of {}: half end within {}, nine in ten within {}\n",
        markdown::code(report.plan),
        duration(forecast.makespan.p50),
        duration(forecast.makespan.p90)
    );
    let _ = writeln!(
        text,
        "Everything comes back and is found good in {}.\n",
        percent(forecast.succeeds)
    );
    if !forecast.objectives.is_empty() {
        text.push_str("| objective | wanted | forecast |\n|---|---|---|\n");
        for of in &forecast.objectives {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                markdown::code_in_cell(&of.what),
                duration(of.seconds),
                objective_words(of)
            );
        }
        text.push('\n');
    }
    for limit in &forecast.limits {
        let _ = writeln!(text, "- {}", markdown::escaped(&limit_words(limit)));
    }
    for what_if in &forecast.what_ifs {
        let _ = writeln!(text, "- {}", markdown::escaped(&what_if_words(what_if)));
    }
    text.push_str(
        "\n| restore | type | decides the end | half back | nine in ten |\n|---|---|---|---|---|\n",
    );
    let all = by_weight(forecast);
    for of in all.iter().take(LISTED) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            markdown::code_in_cell(of.restore.as_str()),
            markdown::escaped(&of.resource_type),
            percent(of.critical),
            duration(of.back.p50),
            duration(of.back.p90)
        );
    }
    if all.len() > LISTED {
        let _ = writeln!(text, "\n{} more restores.", all.len() - LISTED);
    }
    text.push('\n');
    for of in &forecast.basis {
        let words = format!("{}: {}", type_words(of), basis_words(of));
        let _ = writeln!(text, "- {}", markdown::escaped(&words));
    }
    if let Some(cost) = &forecast.cost {
        for line in cost_words(cost).lines() {
            let _ = writeln!(text, "\n{}.", markdown::escaped(line.trim()));
        }
    }
    if let Some(record) = report.record {
        let _ = writeln!(text, "\n{}.", markdown::escaped(&trust(record)));
    }
    let _ = writeln!(
        text,
        "\n{} samples, seed {}.",
        forecast.samples, forecast.seed
    );
    text
}
