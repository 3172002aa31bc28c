//! Coverage for CI systems: a suite for each type, a case for each resource; and one for the drills.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::human::about;
use super::{Coverage, CoverageRow, CoverageState, DrillState, Drills};
use crate::diagnostic::{visible, visible_lines};

/// Renders JUnit XML. An excepted resource is skipped; an expiring one passes, and says so.
#[must_use]
pub fn coverage_junit(coverage: &Coverage, drills: &Drills) -> String {
    let mut report = Report::new("redrill coverage");
    let mut suites: BTreeMap<&str, Vec<&CoverageRow>> = BTreeMap::new();
    for row in &coverage.rows {
        suites.entry(&row.resource_type).or_default().push(row);
    }
    for (name, rows) in suites {
        let name = if name.is_empty() {
            "unknown type"
        } else {
            name
        };
        let mut suite = TestSuite::new(visible(name));
        suite.add_test_cases(rows.into_iter().map(|row| case(name, row)));
        report.add_test_suite(suite);
    }
    add_drills(&mut report, drills);
    text(&report)
}

/// The calendar alone.
#[must_use]
pub fn drills_junit(drills: &Drills) -> String {
    let mut report = Report::new("redrill drills");
    add_drills(&mut report, drills);
    text(&report)
}

fn text(report: &Report) -> String {
    // A writer into memory: it does not fail.
    let text = report.to_string().unwrap_or_default();
    // XML has no place for some of what can be in a text, escaped or not.
    visible_lines(&text).into_owned()
}

fn case(name: &str, row: &CoverageRow) -> TestCase {
    let mut status = match row.state {
        CoverageState::Proven | CoverageState::Expiring => TestCaseStatus::success(),
        CoverageState::Excepted => TestCaseStatus::skipped(),
        _ => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    if row.state != CoverageState::Proven {
        let what = about(row);
        status.set_message(visible(&format!("{}: {what}", row.state)));
        status.set_type(row.state.word());
    }
    let mut case = TestCase::new(visible(&row.arn), status);
    case.set_classname(visible(name));
    case
}

fn add_drills(report: &mut Report, drills: &Drills) {
    if drills.drills.is_empty() {
        return;
    }
    let mut suite = TestSuite::new("drills");
    for drill in &drills.drills {
        for window in &drill.windows {
            let is_missed = window.state == DrillState::Missed;
            let mut status = match is_missed {
                true => TestCaseStatus::non_success(NonSuccessKind::Failure),
                false => TestCaseStatus::success(),
            };
            if is_missed {
                let message = format!("missed, and not made up; {}", drill.owner);
                status.set_message(visible(&message));
                status.set_type("missed");
            }
            let name = format!("{}: {} to {}", drill.plan, window.from, window.to);
            let mut case = TestCase::new(visible(&name), status);
            case.set_classname("drills");
            suite.add_test_case(case);
        }
    }
    report.add_test_suite(suite);
}
