//! Accuracy of past forecasts, for people and for machines.

use std::fmt::Write as _;

use serde::Serialize;

use super::columns::columns;
use super::forecast::{percent, trust};
use super::pretty;
use crate::diagnostic::duration;
use crate::forecast::{Backtest, BacktestedRun, ForecastRecord};

/// A backtest, for people.
#[must_use]
pub fn backtest_human(backtest: &Backtest) -> String {
    let mut text = String::new();
    let record = |name: &str, of: &ForecastRecord| {
        let part = |of: &crate::forecast::CoveredPart| {
            format!(
                "{} ({}–{})",
                percent(of.part),
                percent(of.low),
                percent(of.high)
            )
        };
        vec![
            name.to_owned(),
            of.count.to_string(),
            part(&of.p50),
            part(&of.p90),
            of.median_error.map_or_else(|| "-".to_owned(), percent),
        ]
    };
    let mut rows = vec![
        ["", "forecasts", "within p50", "within p90", "median error"]
            .map(str::to_owned)
            .to_vec(),
        record("runs", &backtest.makespan),
    ];
    rows.extend(backtest.types.iter().map(|(name, of)| record(name, of)));
    text.push_str(&columns(&rows, ""));
    text.push_str("in brackets: bounds that hold in 95 of 100 cases (Wilson)\n\n");
    for BacktestedRun {
        plan,
        run,
        seconds,
        p50,
        p90,
        ..
    } in &backtest.runs
    {
        let _ = writeln!(
            text,
            "{plan} run {run}: took {}, forecast {} (p50) and {} (p90)",
            duration(*seconds),
            duration(*p50),
            duration(*p90)
        );
    }
    let _ = writeln!(text, "{}", trust(backtest));
    text
}

/// A backtest, for machines.
#[must_use]
pub fn backtest_json(backtest: &Backtest) -> String {
    #[derive(Serialize)]
    struct BacktestDocument<'a> {
        schema: &'static str,
        has_earned: bool,
        makespan: &'a ForecastRecord,
        types: &'a std::collections::BTreeMap<String, ForecastRecord>,
        runs: &'a [BacktestedRun],
    }
    pretty(&BacktestDocument {
        schema: "redrill.backtest/v1",
        has_earned: backtest.has_earned(),
        makespan: &backtest.makespan,
        types: &backtest.types,
        runs: &backtest.runs,
    })
}
