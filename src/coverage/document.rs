//! Coverage for machines.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::state::{CountAndBytes, TrendPoint};
use super::{Coverage, CoverageRow, CoverageState, CoverageTotals, DrillStanding, Drills};
use crate::report::pretty;

#[derive(Serialize)]
struct CoverageDocument<'a> {
    schema: &'static str,
    at: Timestamp,
    totals: Value,
    resources: &'a [CoverageRow],
    drills: &'a [DrillStanding],
    trend: &'a [TrendPoint],
    ledger: LedgerFacts<'a>,
}

#[derive(Serialize)]
struct LedgerFacts<'a> {
    lines: usize,
    heads: &'a [String],
    later: usize,
    strangers: usize,
}

#[derive(Serialize)]
struct DrillsDocument<'a> {
    schema: &'static str,
    at: Timestamp,
    missed: usize,
    drills: &'a [DrillStanding],
}

/// `redrill.coverage/v1`.
#[must_use]
pub fn coverage_json(
    coverage: &Coverage,
    drills: &Drills,
    lines: usize,
    heads: &[String],
) -> String {
    pretty(&CoverageDocument {
        schema: "redrill.coverage/v1",
        at: coverage.at,
        totals: totals(&coverage.totals),
        resources: &coverage.rows,
        drills: &drills.drills,
        trend: &coverage.trend,
        ledger: LedgerFacts {
            lines,
            heads,
            later: coverage.later,
            strangers: coverage.strangers,
        },
    })
}

/// `redrill.drills/v1`.
#[must_use]
pub fn drills_json(drills: &Drills) -> String {
    pretty(&DrillsDocument {
        schema: "redrill.drills/v1",
        at: drills.at,
        missed: drills.missed().count(),
        drills: &drills.drills,
    })
}

fn totals(totals: &CoverageTotals) -> Value {
    let of = |of: CountAndBytes| json!(of);
    let states: Map<String, Value> = CoverageState::ALL
        .iter()
        .map(|state| (state.word().to_owned(), of(totals.of_state(*state))))
        .collect();
    json!({
        "claimed": totals.claimed,
        "wanted": totals.wanted,
        "covered": totals.proven,
        "percent": totals.percent(),
        "percent_of_bytes": totals.percent_of_bytes(),
        "states": states,
    })
}
