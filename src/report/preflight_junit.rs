//! Obstacles to a plan, for CI systems: a suite for each kind of check, a case for each thing that was looked at.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::preflight::PreflightReport;
use crate::diagnostic::{visible, visible_lines};
use crate::preflight::{CheckId, PreflightCheck, PreflightVerdict};

/// Renders the report as JUnit XML. A case that is unknown or a warning is skipped: it fails nothing.
#[must_use]
pub fn preflight_junit(report: &PreflightReport<'_>) -> String {
    let mut junit = Report::new(format!("{} preflight", report.plan.name));
    for id in CheckId::ALL {
        let of = report.checks.iter().filter(|check| check.id == *id);
        let cases: Vec<TestCase> = of.map(|check| case(report, check)).collect();
        if !cases.is_empty() {
            let mut suite = TestSuite::new(id.id());
            suite.add_test_cases(cases);
            junit.add_test_suite(suite);
        }
    }
    // A writer into memory: it does not fail.
    let text = junit.to_string().unwrap_or_default();
    // XML has no place for some of what can be in a text, escaped or not.
    visible_lines(&text).into_owned()
}

fn case(report: &PreflightReport<'_>, check: &PreflightCheck) -> TestCase {
    let message = report.secrets.redact_text(&check.message);
    let message = visible(&message);
    let mut status = match check.verdict {
        PreflightVerdict::Pass => TestCaseStatus::success(),
        PreflightVerdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        PreflightVerdict::Warn | PreflightVerdict::Unknown => TestCaseStatus::skipped(),
    };
    if check.verdict != PreflightVerdict::Pass {
        status.set_message(&*message);
    }
    if check.verdict == PreflightVerdict::Fail {
        status.set_type(check.id.id());
        status.set_description(visible(&report.secrets.redact_text(&check.help)));
    }
    let first = check.restores.first();
    let name = match (first, report.place(check)) {
        (Some(first), _) => format!("{}: {message}", first.restore),
        (None, Some(place)) => format!("{place}: {message}"),
        (None, None) => message.to_string(),
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(check.id.id());
    case
}
