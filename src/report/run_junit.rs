//! A run for CI systems: restores, checks and objectives as test cases. It fails where the verdict does.

use std::time::Duration;

use jiff::Timestamp;
use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::run::{
    CheckReport, CheckStatus, Cleanup, Objective, RestoreReport, RunReport, RunStatus,
};
use crate::diagnostic::{duration, visible, visible_lines};
use crate::ids::JobId;

/// Renders the report as JUnit XML.
#[must_use]
pub fn run_junit(report: &RunReport) -> String {
    let at = report
        .world
        .as_ref()
        .filter(|world| world.warning().is_some());
    let at = at.map_or_else(String::new, |world| format!(" at {world}"));
    let mut junit = Report::new(format!("{} run {}{at}", report.plan, report.run_id));
    if let Some(took) = report.took() {
        junit.set_time(seconds(took));
    }
    let mut restores = suite("restores", report);
    restores.add_test_cases(
        report
            .restores
            .iter()
            .map(|restore| of_restore(report, restore)),
    );
    let mut checks = suite("checks", report);
    checks.add_test_cases(report.all_checks().map(|(restore, check)| {
        let whose = restore.unwrap_or(report.plan.as_str());
        of_check(whose, check)
    }));
    let mut objectives = suite("objectives", report);
    // Objectives of the run come last, as they end last.
    let (of_run, of_restores): (Vec<_>, Vec<_>) = report
        .all_objectives()
        .partition(|(whose, ..)| *whose == "the run");
    for (whose, name, is_open, objective) in of_restores.into_iter().chain(of_run) {
        objectives.add_test_case(of_objective(whose, name, is_open, objective));
    }
    let mut cleanup = suite("cleanup", report);
    cleanup.add_test_cases(report.restores.iter().filter_map(of_cleanup));
    let all = [restores, checks, objectives, cleanup];
    junit.add_test_suites(all.into_iter().filter(|suite| !suite.test_cases.is_empty()));
    // A writer into memory: it does not fail.
    let text = junit.to_string().unwrap_or_default();
    // XML has no place for some of what can be in a text, escaped or not.
    visible_lines(&text).into_owned()
}

fn suite(name: &str, report: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new(name);
    if let Some(start) = report.start {
        suite.extra.insert("timestamp".into(), time(start).into());
    }
    suite.add_property(Property::new("verdict", report.verdict.words()));
    if let Some(world) = &report.world {
        suite.add_property(Property::new("endpoint", world.to_string()));
    }
    for place in report.places() {
        suite.add_property(Property::new("target", place));
    }
    for notice in &report.notices {
        suite.add_property(Property::new("notice", visible(&notice.message)));
    }
    suite
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> Duration {
    let took = from.zip(to).map(|(from, to)| to.duration_since(from));
    took.and_then(|took| Duration::try_from(took).ok())
        .unwrap_or_default()
}

fn not_passed(kind: NonSuccessKind, of_type: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_type(visible(of_type))
        .set_message(visible(message));
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(visible(message));
    status
}

fn of_restore(report: &RunReport, restore: &RestoreReport) -> TestCase {
    let word = restore.status.word();
    let message = restore.message.as_deref().unwrap_or(word);
    let doubled = restore.doubled();
    let status = match restore.status {
        status if !status.is_open() && doubled.is_some() => {
            let message = doubled.as_deref().unwrap_or_default();
            not_passed(NonSuccessKind::Failure, "SECOND_JOB", message)
        }
        // Its checks are test cases of their own.
        RunStatus::Completed | RunStatus::CheckFailed => TestCaseStatus::success(),
        RunStatus::Failed | RunStatus::Incomplete => {
            not_passed(NonSuccessKind::Failure, word, message)
        }
        RunStatus::Skipped => skipped(message),
        RunStatus::Deleted => skipped("a cleanup deleted what it created"),
        RunStatus::Deleting => skipped("a cleanup is deleting what it created"),
        RunStatus::NotStarted
        | RunStatus::Unanswered
        | RunStatus::Running
        | RunStatus::Checking => not_passed(NonSuccessKind::Error, word, "not finished"),
    };
    let mut case = TestCase::new(restore.restore.as_str(), status);
    case.set_classname(report.plan.as_str());
    case.set_time(took(restore.started_at, restore.ended_at));
    let place = restore.target.as_ref();
    let place = place.map(|target| format!("{} {}", target.account, target.region));
    for (name, value) in [
        ("type", Some(restore.resource_type.as_str())),
        ("target", place.as_deref()),
        ("job_id", restore.job_id.as_ref().map(JobId::as_str)),
        (
            "created_resource_arn",
            restore.created_resource_arn.as_deref(),
        ),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            case.add_property(Property::new(name, visible(value)));
        }
    }
    case
}

fn of_check(whose: &str, check: &CheckReport) -> TestCase {
    let message = check.message.as_deref().unwrap_or_default();
    let mut status = match check.status {
        CheckStatus::Passed => TestCaseStatus::success(),
        CheckStatus::Failed => not_passed(NonSuccessKind::Failure, "check", message),
        CheckStatus::NotRun => skipped("not run"),
        CheckStatus::Running => not_passed(NonSuccessKind::Error, "check", "not finished"),
    };
    if matches!(check.status, CheckStatus::Passed | CheckStatus::Failed) {
        for earlier in &check.earlier {
            let mut rerun = TestRerun::new(NonSuccessKind::Failure);
            rerun.set_type("check");
            let message = earlier.message.as_deref();
            rerun.set_message(visible(message.unwrap_or("interrupted")));
            rerun.set_system_out(earlier.output.as_str());
            status.add_rerun(rerun);
        }
    }
    let mut case = TestCase::new(check.name.as_str(), status);
    case.set_classname(whose);
    case.set_time(took(check.started_at, check.ended_at));
    if !check.output.is_empty() {
        case.set_system_out(check.output.as_str());
    }
    case
}

fn of_objective(whose: &str, name: &str, is_open: bool, objective: &Objective) -> TestCase {
    let wanted = duration(objective.wanted_seconds);
    let status = match (objective.met, objective.seconds) {
        (Some(true), _) => TestCaseStatus::success(),
        (Some(false), reached) => {
            let words = objective.words(is_open);
            let message = match reached {
                Some(reached) => {
                    let is = match name {
                        "RTO" => "it took",
                        _ => "the recovery point's age was",
                    };
                    format!("{name} of {wanted} {words}: {is} {}", duration(reached))
                }
                None => format!("{name} of {wanted} {words}"),
            };
            not_passed(NonSuccessKind::Failure, "objective", &message)
        }
        _ => skipped(objective.words(is_open)),
    };
    let mut case = TestCase::new(format!("{name} of {wanted}"), status);
    case.set_classname(whose);
    if let Some(reached) = objective.seconds {
        case.set_time(seconds(reached));
    }
    case.add_property(Property::new("definition", objective.definition));
    case
}

fn of_cleanup(restore: &RestoreReport) -> Option<TestCase> {
    let status = match restore.cleanup.as_ref()? {
        Cleanup::Gone => TestCaseStatus::success(),
        Cleanup::Asked => not_passed(NonSuccessKind::Error, "cleanup", "not finished"),
        Cleanup::Left(why) => not_passed(NonSuccessKind::Failure, "cleanup", why),
    };
    let arn = restore.created_resource_arn.as_deref().unwrap_or_default();
    let mut case = TestCase::new(arn, status);
    case.set_classname(restore.restore.as_str());
    Some(case)
}
