//! Coverage for people.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::{Coverage, CoverageRow, CoverageState, DrillState, DrillWindow, Drills};
use crate::report::size;

/// Number of resources listed per state, unless all are asked for.
const LISTED: usize = 10;

/// Renders what is missing first, then the numbers.
#[must_use]
pub fn coverage_human(coverage: &Coverage, drills: &Drills, all: bool) -> String {
    let mut text = String::new();
    for state in CoverageState::ALL {
        let of = coverage.rows.iter().filter(|row| row.state == state);
        let rows: Vec<&CoverageRow> = of.collect();
        let is_listed = all || state != CoverageState::Proven;
        if rows.is_empty() || !is_listed {
            continue;
        }
        let _ = writeln!(text, "{state}: {}", rows.len());
        let most = if all { rows.len() } else { LISTED };
        for row in rows.iter().take(most) {
            let why = about(row);
            let why = if why.is_empty() {
                why
            } else {
                format!(": {why}")
            };
            let _ = writeln!(text, "  {} {}{why}", row.resource_type, row.arn);
        }
        if rows.len() > most {
            let _ = writeln!(text, "  and {} more; --all lists them", rows.len() - most);
        }
    }
    if coverage.rows.is_empty() {
        text.push_str("no resource with a recovery point was found\n");
    }
    for (drill, window) in drills.missed() {
        let _ = writeln!(
            text,
            "drill missed: {}, {} to {}, {}",
            drill.plan, window.from, window.to, drill.owner
        );
    }
    if coverage.later > 0 {
        let _ = writeln!(
            text,
            "note: {} lines of the ledger are later than {} and do not count",
            coverage.later,
            day(coverage.at)
        );
    }
    let _ = writeln!(text, "{}", sentence(coverage));
    text
}

/// The numbers in one line.
pub(super) fn sentence(coverage: &Coverage) -> String {
    let totals = &coverage.totals;
    let bytes = |bytes: u64| size(i64::try_from(bytes).unwrap_or(i64::MAX));
    format!(
        "{}: {:.1}% proven, {} of {} ({:.1}% by size, {} of {}); {} claimed to be protected, {} excepted",
        day(coverage.at),
        totals.percent(),
        totals.proven.count,
        totals.wanted.count,
        totals.percent_of_bytes(),
        bytes(totals.proven.bytes),
        bytes(totals.wanted.bytes),
        totals.claimed.count,
        totals.of_state(CoverageState::Excepted).count,
    )
}

/// Describes what has to be known of a resource, next to its state.
pub(super) fn about(row: &CoverageRow) -> String {
    let run = row.run.as_deref();
    let run = run.map_or_else(String::new, |run| format!(", {run}"));
    let until = row.until.map(day).unwrap_or_default();
    let why = row.reason.as_deref().unwrap_or_default();
    match (row.state, row.last) {
        (CoverageState::Proven | CoverageState::Expiring, Some(last)) => {
            format!("proven {}, until {until}{run}", day(last))
        }
        (CoverageState::Expired, Some(last)) => {
            format!("proven {}, which ended {until}{run}", day(last))
        }
        (CoverageState::Excepted, _) => {
            // Its last day is the one before its end.
            let last = row.until.and_then(|end| end.checked_sub(1.second()).ok());
            format!("{why}, until {}", last.map(day).unwrap_or_default())
        }
        (CoverageState::Unprotected | CoverageState::Never, _) => why.to_owned(),
        _ => format!("{why}{run}"),
    }
}

/// Renders the drills missed, due and next.
#[must_use]
pub fn drills_human(drills: &Drills) -> String {
    let mut text = String::new();
    for drill in &drills.drills {
        let missed = drill.windows.iter();
        let missed: Vec<&DrillWindow> = missed
            .filter(|window| window.state == DrillState::Missed)
            .collect();
        let next = drill
            .next
            .iter()
            .filter(|window| window.state != DrillState::Missed);
        for window in missed.into_iter().chain(next) {
            let last = drill.last.map(|last| format!("last held {}", day(last)));
            let _ = writeln!(
                text,
                "{:7} {}: {} to {}, {}; {}",
                window.state.word(),
                drill.plan,
                window.from,
                window.to,
                drill.owner,
                last.unwrap_or_else(|| "never held".to_owned()),
            );
        }
    }
    if drills.drills.is_empty() {
        text.push_str("the policy has no drills\n");
    }
    text
}

/// A day, in UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}
