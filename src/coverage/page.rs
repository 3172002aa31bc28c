//! Coverage as one page: everything in one file, nothing fetched, no script; light and dark, on a phone and on paper.

use minijinja::Environment;
use serde_json::{Value, json};

use super::human::{about, day};
use super::state::percent;
use super::{Coverage, CoverageRow, CoverageState, DrillState, Drills};
use crate::diagnostic::{visible, visible_lines};
use crate::report::size;

/// The page. Everything that goes into it is escaped: its name says that it is HTML.
const TEMPLATE: (&str, &str) = ("coverage.html", include_str!("page.html"));
/// Resources of a state that are listed.
const LISTED: usize = 200;

/// Renders HTML.
#[must_use]
pub fn coverage_html(coverage: &Coverage, drills: &Drills) -> String {
    let mut environment = Environment::new();
    let (name, template) = TEMPLATE;
    let values = page(coverage, drills);
    let rendered = environment
        .add_template(name, template)
        .and_then(|()| environment.get_template(name))
        .and_then(|template| template.render(minijinja::value::Serde(&values)));
    // The template is ours and a test renders it: it does not fail.
    let mut page = rendered.unwrap_or_else(|err| err.to_string());
    page.push('\n');
    visible_lines(&page).into_owned()
}

fn page(coverage: &Coverage, drills: &Drills) -> Value {
    let totals = &coverage.totals;
    let bytes = |bytes: u64| size(i64::try_from(bytes).unwrap_or(i64::MAX));
    let states = CoverageState::ALL.iter().map(|state| {
        let of = totals.of_state(*state);
        json!({
            "word": state.word(),
            "count": of.count,
            "bytes": bytes(of.bytes),
            "width": percent(of.count, totals.claimed.count),
        })
    });
    let missing = CoverageState::ALL
        .iter()
        .filter(|state| **state != CoverageState::Proven);
    let missing = missing.filter_map(|state| {
        let of = coverage.rows.iter().filter(|row| row.state == *state);
        let rows: Vec<&CoverageRow> = of.collect();
        let shown: Vec<Value> = rows.iter().take(LISTED).map(|row| listed(row)).collect();
        (!rows.is_empty()).then(|| {
            json!({
                "word": state.word(),
                "count": rows.len(),
                "more": rows.len() - shown.len(),
                "rows": shown,
            })
        })
    });
    let trend = coverage.trend.iter().map(|point| {
        let height = percent(point.proven, point.wanted);
        json!({
            "day": day(point.at),
            "percent": format!("{height:.1}"),
            "height": height,
            "proven": point.proven,
            "wanted": point.wanted,
        })
    });
    json!({
        "day": day(coverage.at),
        "percent": format!("{:.1}", totals.percent()),
        "percent_of_bytes": format!("{:.1}", totals.percent_of_bytes()),
        "proven": totals.proven.count,
        "wanted": totals.wanted.count,
        "claimed": totals.claimed.count,
        "proven_bytes": bytes(totals.proven.bytes),
        "wanted_bytes": bytes(totals.wanted.bytes),
        "excepted": totals.of_state(CoverageState::Excepted).count,
        "states": states.collect::<Vec<_>>(),
        "missing": missing.collect::<Vec<_>>(),
        "trend": trend.collect::<Vec<_>>(),
        "drills": drill_rows(drills),
    })
}

fn listed(row: &CoverageRow) -> Value {
    json!({
        "type": visible(&row.resource_type),
        "arn": visible(&row.arn),
        "what": visible(&about(row)),
    })
}

fn drill_rows(drills: &Drills) -> Vec<Value> {
    let rows = drills.drills.iter().flat_map(|drill| {
        let next = drill
            .next
            .iter()
            .filter(|window| window.state == DrillState::Next);
        drill.windows.iter().chain(next).map(|window| {
            json!({
                "word": window.state.word(),
                "plan": visible(&drill.plan),
                "owner": visible(&drill.owner),
                "from": window.from.to_string(),
                "to": window.to.to_string(),
                "held": window.held.map(day),
            })
        })
    });
    rows.collect()
}
